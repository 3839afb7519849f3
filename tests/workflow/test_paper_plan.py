"""Dry runs of config/paper.yaml in a fresh clone without data: a target plans all that it needs, and nothing else."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import yaml
from workflow_copy import copy_of_repository, planned

PAPER = "config/paper.yaml"
SECTIONS = ("tables", "label_tables", "cost_tables", "line_charts", "label_charts")


@pytest.fixture(scope="module")
def workflow(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_of_repository(root, tmp_path_factory.mktemp("paper"))


def plan(workflow: Path, *targets: str) -> Counter[str]:
    return planned(workflow, *targets, "--configfile", PAPER)


def test_every_target_of_the_paper_is_planned_from_the_downloads_on(root: Path, workflow: Path) -> None:
    configuration = yaml.safe_load((root / PAPER).read_text())
    targets = [name for section in SECTIONS for name in configuration[section]]
    assert {f"table{n}" for n in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13, 14, 16, 17)} <= set(targets)
    assert {"figure2", "figure3a", "figure3b"} <= set(targets)
    alone = plan(workflow, *targets)
    assert alone["fetch"] > 20
    assert alone["train"] == 48
    assert alone["results_table"] == len(configuration["tables"])
    together = plan(workflow, "paper")
    assert alone - Counter(targets) == together - Counter(paper=1)


@pytest.mark.parametrize(
    ("target", "needed", "needless"),
    [
        ("table1", {"annotate_utilrank": 128, "label_quality": 6}, {"train", "encode", "annotate_replug"}),
        ("table9", {"train": 5, "match_answers": 3, "annotate_relsel": 32}, {"generate_answers", "average_metrics"}),
        ("table14", {"bm25_search": 3, "ingest_corpus": 1}, {"train", "encode", "annotate_relsel", "prepare_model"}),
        ("table17", {"annotate_replug": 64, "train": 4}, {"annotate_utilrank", "generate_answers"}),
        ("figure3a", {"train": 7, "plot_lines": 1}, {"annotate_replug", "annotate_utilrank", "results_table"}),
    ],
)
def test_a_target_plans_what_it_needs_and_nothing_else(
    workflow: Path, target: str, needed: dict[str, int], needless: set[str]
) -> None:
    jobs = plan(workflow, target)
    assert {rule: jobs[rule] for rule in needed} == needed
    assert not needless & set(jobs)
