"""A dry run of config/paper.yaml in a fresh clone without data: a target plans all that it needs, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from workflow_copy import Plan, plan

from utility_annotation.planning import results
from utility_annotation.planning.loading import load
from utility_annotation.settings import Configuration

pytestmark = pytest.mark.snakemake

PAPER = "config/paper.yaml"
SECTIONS = ("tables", "label_tables", "cost_tables", "line_charts", "label_charts")
FETCHED = ("raw/msmarco-passage/collection.tsv", "data/fiqa/corpus.parquet", "data/msmarco/corpus.parquet")


@pytest.fixture(scope="module")
def paper(root: Path) -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((root / PAPER).read_text())
    return read


@pytest.fixture(scope="module")
def configuration(paper: dict[str, Any]) -> Configuration:
    return load(paper, path=PAPER)


@pytest.fixture(scope="module")
def everything(fresh: Path) -> Plan:
    """The targets `paper` and `all`: every table, every figure and the report."""
    return plan(fresh, "paper", "all", "--configfile", PAPER)


def test_every_table_and_chart_of_the_paper_is_planned_from_the_downloads_on(
    paper: dict[str, Any], configuration: Configuration, everything: Plan
) -> None:
    targets = [name for section in SECTIONS for name in paper[section]]
    assert {f"table{n}" for n in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13, 14, 16, 17)} <= set(targets)
    assert {"figure2", "figure3a", "figure3b"} <= set(targets)
    jobs = everything.needed_for(*(file for name in targets for file in results.files(configuration, name)))
    assert jobs["fetch"] > 20
    assert jobs["train"] == 51
    assert jobs["results_table"] == len(paper["tables"])


@pytest.mark.parametrize(
    ("target", "needed", "needless"),
    [
        ("table1", {"annotate_utilrank": 128, "label_quality": 6}, {"train", "encode", "annotate_replug"}),
        ("table9", {"train": 5, "match_answers": 3, "annotate_relsel": 96}, {"generate_answers", "average_metrics"}),
        ("table14", {"bm25_search": 3, "ingest_corpus": 1}, {"train", "encode", "annotate_relsel", "prepare_model"}),
        ("table17", {"annotate_replug": 64, "train": 5}, {"annotate_utilrank", "generate_answers"}),
        ("figure3a", {"train": 8, "plot_lines": 1}, {"annotate_replug", "annotate_utilrank", "results_table"}),
    ],
)
def test_a_target_needs_what_it_shows_and_nothing_else(
    configuration: Configuration, everything: Plan, target: str, needed: dict[str, int], needless: set[str]
) -> None:
    jobs = everything.needed_for(*results.files(configuration, target))
    assert {rule: jobs[rule] for rule in needed} == needed
    assert not needless & set(jobs)


def test_a_corpus_is_planned_from_its_publisher_on(everything: Plan) -> None:
    assert everything.needed_for(*FETCHED) == {"fetch": 2, "unpack": 1, "ingest_corpus": 2}


def test_commands_are_short_and_hold_no_json(everything: Plan) -> None:
    everything.assert_commands_can_be_pasted()
