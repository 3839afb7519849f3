"""Dry runs of the report: whose annotations it collects, and by which commands."""

from __future__ import annotations

import base64
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from test_charts_plan import CONFIGURATION
from workflow_copy import copy_of_repository, planned, snakemake, stand_in_for_results

FILE = {"pool": "p", "source": "file", "file": {"format": "trec", "path": "resources/demo/trec/qrels.train.txt"}}


@pytest.fixture(scope="module")
def workflow(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_of_repository(root, tmp_path_factory.mktemp("report"))


def write(folder: Path, **sections: dict[str, object]) -> tuple[str, str]:
    """A configuration whose sections have these members besides; as arguments."""
    configuration = yaml.safe_load(CONFIGURATION)
    for name, members in sections.items():
        configuration[name] = configuration.get(name, {}) | members
    (folder / "own.yaml").write_text(yaml.safe_dump(configuration, sort_keys=False))
    return "--configfile", "own.yaml"


def commands(folder: Path, rule: str, *arguments: str) -> list[str]:
    """The command lines by which a rule's jobs would run."""
    result = snakemake(folder, "--dry-run", "--printshellcmds", *arguments)
    assert result.returncode == 0, result.stdout + result.stderr
    return re.findall(rf"^ *(?:Shell command: )?(python workflow/scripts/{rule}\.py .*)$", result.stdout, re.MULTILINE)


def test_annotations_are_collected_once_a_pool_however_many_label_sets_it_has(workflow: Path) -> None:
    jobs = planned(workflow, "results/report.html", *write(workflow))
    assert (jobs["sample_annotations"], jobs["annotation_cost"], jobs["write_report"]) == (1, 1, 1)


def test_the_order_of_keys_changes_no_command(workflow: Path) -> None:
    charts = {"first": {"title": "One", "labels": ["ranked"]}, "second": {"title": "Two", "labels": ["relevant"]}}
    found = []
    for names in (("first", "second"), ("second", "first")):
        arguments = write(workflow, label_charts={name: charts[name] for name in names})
        found.append(commands(workflow, "sample_annotations", "results/report.html", *arguments))
    assert found[0] == found[1]


def test_the_report_can_do_without_annotations(workflow: Path) -> None:
    jobs = planned(workflow, "results/report.html", *write(workflow, report={"questions": 0}))
    assert (jobs["sample_annotations"], jobs["annotation_cost"]) == (0, 1)


def test_a_pool_whose_labels_nothing_shows_is_not_annotated_for_the_report(workflow: Path) -> None:
    pool = yaml.safe_load(CONFIGURATION)["pools"]["p"]
    more = {"more": {"pool": "other", "source": "utilsel", "annotator": "judge"}}
    arguments = write(workflow, pools={"other": pool}, labels=more)
    assert "build_pool_other" not in planned(workflow, "results/report.html", *arguments)


def test_labels_by_which_retrieval_is_judged_are_looked_at(workflow: Path) -> None:
    pool = yaml.safe_load(CONFIGURATION)["pools"]["p"] | {"split": "dev"}
    judged = {"judging": {"pool": "judged", "source": "relsel", "annotator": "judge"}}
    testset = {"dev": {"dataset": "demo", "split": "dev", "labels": "judging"}}
    arguments = write(workflow, pools={"judged": pool}, labels=judged, testsets=testset)
    jobs = planned(workflow, "results/report.html", *arguments)
    assert (jobs["sample_annotations"], jobs["annotation_cost"]) == (2, 2)


def test_a_label_set_from_a_file_is_looked_at_as_well(workflow: Path) -> None:
    sections = {"labels": {"own": FILE}, "label_charts": {"own": {"title": "Own", "labels": ["own", "useful"]}}}
    (command,) = commands(workflow, "sample_annotations", "results/report.html", *write(workflow, **sections))
    assert '"labels":"own"' in command


def test_stages_and_answers_of_the_pool_are_given(workflow: Path) -> None:
    (command,) = commands(workflow, "sample_annotations", "results/report.html", *write(workflow))
    for stage in ("relsel", "answer", "utilsel", "utilrank"):
        assert f'"stage":"{stage}"' in command
    assert command.partition("--truth")[2].split()[0] == "--output", "the split has no answers"


@pytest.mark.parametrize(("rule", "folder"), [("sample_annotations", "cards"), ("annotation_cost", "work")])
def test_a_command_line_does_not_grow_with_the_number_of_shards(workflow: Path, rule: str, folder: str) -> None:
    """A shell takes 128 KB for one command."""
    pool = yaml.safe_load(CONFIGURATION)["pools"]["p"]
    lengths = []
    for shards in (2, 9):
        arguments = write(workflow, pools={"p": pool | {"shards": shards}})
        (command,) = commands(workflow, rule, f"results/report/{folder}/p.json", *arguments)
        lengths.append(len(command))
    assert lengths[0] == lengths[1]


@pytest.fixture(scope="module")
def embedded(root: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What ``snakemake --report`` holds: path → result."""
    folder = copy_of_repository(root, tmp_path_factory.mktemp("embedded"))
    arguments = write(folder)
    stand_in_for_results(folder, *arguments)
    (folder / "results" / "report.html").write_text("<p>the page</p>")
    stand_in = ("--touch", "--cores", "1")  # what was changed since is recorded
    assert snakemake(folder, *stand_in, *arguments).returncode == 0
    result = snakemake(folder, "--report", "embedded.html", *arguments)
    assert result.returncode == 0, result.stdout + result.stderr
    page = (folder / "embedded.html").read_text("utf-8")
    start = re.search(r'<script id="results">\s*var results = (?=\{)', page)
    assert start
    found: dict[str, Any] = json.JSONDecoder().raw_decode(page[start.end() :])[0]
    return found


def test_the_report_of_snakemake_has_the_page_the_tables_and_the_figures(embedded: dict[str, Any]) -> None:
    assert Counter(Path(path).suffix for path in embedded) == {".html": 1, ".md": 2, ".svg": 5}


def test_the_page_stands_in_it_as_it_is(embedded: dict[str, Any]) -> None:
    uri = embedded["results/report.html"]["data_uri"]
    assert base64.b64decode(uri.partition("base64,")[2]) == b"<p>the page</p>"


def test_each_result_in_it_has_a_caption_and_a_name(embedded: dict[str, Any]) -> None:
    assert all(result["caption"] for result in embedded.values())
    names = {path: next(iter(result["labels"].values())) for path, result in embedded.items()}
    assert names["results/tables/quality.md"] == "Labels"
    assert names["results/figures/by-share.svg"] == "By share"
    assert all(names.values())
