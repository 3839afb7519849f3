"""Dry runs of the report: whose annotations it collects; and what `snakemake --report` holds."""

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
from workflow_copy import Plan, copy_of_repository, plan, planned, snakemake, stand_in_for_results

pytestmark = pytest.mark.snakemake

FILE = {"pool": "p", "source": "file", "file": {"format": "trec", "path": "resources/demo/trec/qrels.train.txt"}}


REPORT = "results/report.html"


def write(file: Path, **sections: dict[str, object]) -> tuple[str, str]:
    """A configuration whose sections have these members besides; as arguments."""
    configuration = yaml.safe_load(CONFIGURATION)
    for name, members in sections.items():
        configuration[name] = configuration.get(name, {}) | members
    file.write_text(yaml.safe_dump(configuration, sort_keys=False))
    return "--configfile", str(file)


@pytest.fixture(scope="module")
def of_report(fresh: Path, tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """The report of the configuration as it is."""
    return plan(fresh, REPORT, *write(tmp_path_factory.mktemp("report") / "own.yaml"))


def test_annotations_are_collected_once_a_pool_however_many_label_sets_it_has(of_report: Plan) -> None:
    jobs = of_report.rules
    assert (jobs["sample_annotations"], jobs["annotation_cost"], jobs["write_report"]) == (1, 1, 1)


def test_stages_of_the_pool_are_given_and_no_answers_where_the_split_has_none(of_report: Plan) -> None:
    (job,) = of_report.of("sample_annotations")
    stages = {Path(file).parent.name for file in job.inputs if file.startswith("results/annotation/")}
    assert stages == {"relsel", "answer", "utilsel", "utilrank"}
    assert not [file for file in job.inputs if "/answers/" in file]


def test_the_order_of_keys_changes_no_command(fresh: Path, tmp_path: Path) -> None:
    charts = {"first": {"title": "One", "labels": ["ranked"]}, "second": {"title": "Two", "labels": ["relevant"]}}
    found = []
    for names in (("first", "second"), ("second", "first")):
        arguments = write(tmp_path / "own.yaml", label_charts={name: charts[name] for name in names})
        (job,) = plan(fresh, REPORT, *arguments).of("sample_annotations")
        found.append(job.command)
    assert found[0] == found[1]


def test_the_report_can_do_without_annotations(fresh: Path, tmp_path: Path) -> None:
    jobs = planned(fresh, REPORT, *write(tmp_path / "own.yaml", report={"questions": 0}))
    assert (jobs["sample_annotations"], jobs["annotation_cost"]) == (0, 1)


def test_what_is_looked_at_follows_from_what_is_shown(fresh: Path, tmp_path: Path) -> None:
    """Labels that judge a test set and labels from a file are; a pool whose labels nothing shows is not annotated."""
    pool = yaml.safe_load(CONFIGURATION)["pools"]["p"]
    labels = {
        "more": {"pool": "other", "source": "utilsel", "annotator": "judge"},
        "judging": {"pool": "judged", "source": "relsel", "annotator": "judge"},
        "own": FILE,
    }
    arguments = write(
        tmp_path / "own.yaml",
        pools={"other": pool, "judged": pool | {"split": "dev"}},
        labels=labels,
        testsets={"dev": {"dataset": "demo", "split": "dev", "labels": "judging"}},
        label_charts={"own": {"title": "Own", "labels": ["own", "useful"]}},
    )
    found = plan(fresh, REPORT, *arguments)
    assert "build_pool_other" not in found.rules
    assert {job.wildcards["pool"] for job in found.of("sample_annotations")} == {"p", "judged"}
    assert {job.wildcards["pool"] for job in found.of("annotation_cost")} == {"p", "judged"}
    (of_pool,) = (job for job in found.of("sample_annotations") if job.wildcards["pool"] == "p")
    assert "results/labels/own.parquet" in of_pool.inputs


@pytest.fixture(scope="module")
def embedded(root: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What ``snakemake --report`` holds: path → result."""
    folder = copy_of_repository(root, tmp_path_factory.mktemp("embedded"))
    arguments = write(folder / "own.yaml")
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
