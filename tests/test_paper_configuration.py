"""config/paper.yaml: every published figure has its cell, and the settings are the paper's."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from utility_annotation.labels.annotators import shared_judges
from utility_annotation.planning.loading import load
from utility_annotation.settings import BM25, Average, Configuration, ResultsTable


@pytest.fixture(scope="module")
def paper(root: Path) -> Configuration:
    return load(yaml.safe_load((root / "config" / "paper.yaml").read_text()), path="config/paper.yaml")


@pytest.fixture(scope="module")
def published(root: Path) -> list[dict[str, str]]:
    with (root / "resources" / "paper" / "published.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _metrics(paper: Configuration, name: str) -> set[str]:
    """The metrics of a test set, or those that all members of an average have."""
    if name in paper.averages:
        average: Average = paper.averages[name]
        return set.intersection(*(_metrics(paper, member) for member in average.testsets))
    return set(paper.testsets[name].metrics)


def _cells(paper: Configuration, table: ResultsTable) -> Iterator[tuple[str, str, str, str]]:
    """(backbone, row, column, metric) of every cell that a table shows."""
    columns = [(name, metric) for name in table.testsets for metric in _metrics(paper, name)]
    answered = [
        (f"{task}/{generator}", metric)
        for task in table.qa
        for generator in table.generators
        for metric in paper.qa[task].metrics
    ]
    rows = [(backbone, row.name, columns + answered) for backbone in table.backbones for row in table.shown()]
    if table.with_bm25:
        rows.append((BM25, BM25, columns))
    for backbone, row, shown in rows:
        for column, metric in shown:
            if not table.metrics or metric in table.metrics:
                yield backbone, row, column, metric


def test_every_published_result_has_its_cell_and_every_cell_its_published_result(
    paper: Configuration, published: list[dict[str, str]]
) -> None:
    """Of table 8's figures on HotpotQA we have no transcript."""
    for name, table in paper.tables.items():
        assert name == f"table{table.published}"
        cells = set(_cells(paper, table))
        found = {
            (row["backbone"], row["row"], row["column"], row["metric"])
            for row in published
            if row["table"] == table.published
        }
        unpublished = {cell for cell in cells if name == "table8" and cell[2] == "hotpotqa"}
        assert found == cells - unpublished, name
    elsewhere = {table.published for table in (*paper.label_tables.values(), *paper.cost_tables.values())}
    assert {row["table"] for row in published} == elsewhere | {table.published for table in paper.tables.values()}


def test_table_1_has_a_label_set_for_each_annotator_and_strategy(
    paper: Configuration, published: list[dict[str, str]]
) -> None:
    shown = [paper.labels[labels] for labels in paper.label_tables["table1"].labels]
    assert {(labels.annotator, labels.source) for labels in shown} == {
        (row["backbone"], row["row"]) for row in published if row["table"] == "1"
    }
    assert all(labels.top_percent == 10 for labels in shown if labels.source == "utilrank")


def test_table_17_has_a_training_for_each_kind_of_annotation(
    paper: Configuration, published: list[dict[str, str]]
) -> None:
    assert set(paper.cost_tables["table17"].trainings) == {row["row"] for row in published if row["table"] == "17"}


def test_trainings_have_the_papers_settings(paper: Configuration) -> None:
    for name, training in paper.trainings.items():
        second_stage = training.init_from is not None
        assert (training.epochs, training.learning_rate) == ((1 if second_stage else 2), 3e-5), name
        assert (training.train_group_size, training.global_batch_size) == (16, 16 * 8), name
        assert (training.warmup_ratio, training.precision, training.max_grad_norm) == (0, "fp16", 8), name
        assert paper.labels[training.labels].source == "human" or not second_stage, name
    assert paper.trainings["utilrank"].loss == "rand1lh"
    assert paper.pools["msmarco-train"].size == 31
    for backbone in paper.backbones.values():
        assert (backbone.pooling, backbone.normalize, backbone.query_length) == ("cls", False, 32)


def test_the_hybrid_tests_judge_made_no_labels_of_a_shown_training(paper: Configuration) -> None:
    assert paper.labels["hybrid"].annotator == "gpt-4o-mini"
    assert shared_judges(paper, paper.trainings, paper.testsets) == ()


def test_nq_is_labelled_in_what_retrievers_find_and_its_baseline_trains_on_dprs_own_passages(
    paper: Configuration,
) -> None:
    found, published = (paper.pools[paper.labels[name].pool] for name in ("nq-utilsel", "nq-human"))
    assert (found.source.format, found.source.retrievers[:2]) == ("merged", ("bm25/bm25", "retromae/utilsel"))
    assert published.source.format == "dpr"
    assert paper.trainings["nq-human-first1lh"].loss == "first1lh"


def test_prompts_show_titles_and_training_on_ms_marco_does_not(paper: Configuration) -> None:
    assert all(annotator.titles for annotator in paper.annotators.values())
    assert not paper.pools["msmarco-train"].titles


def test_a_curriculum_of_x_percent_has_human_labels_of_x_percent(paper: Configuration) -> None:
    (series,) = paper.line_charts["figure3a"].series
    for percent, name in series.points.items():
        if percent:
            labels = paper.labels[paper.trainings[name].labels]
            assert (labels.source, labels.queries.percent) == ("human", percent)
            first = paper.trainings[paper.trainings[name].init_from or ""]
            assert (first.labels, first.positives) == (paper.trainings[series.points[0]].labels, "pos-one")


def test_thresholds_of_utility_ranking_are_what_their_names_say(paper: Configuration) -> None:
    for series in paper.line_charts["figure3b"].series:
        for percent, name in series.points.items():
            training = paper.trainings[name]
            assert paper.labels[training.labels].top_percent == percent
            assert training.loss == series.name


def test_beir_counts_each_of_its_fourteen_sets_once_and_each_forum_within_cqadupstack(paper: Configuration) -> None:
    assert len(set(paper.averages["beir-14-average"].testsets)) == 14
    assert len(set(paper.averages["cqadupstack"].testsets)) == 12
    dropped = {name for name, testset in paper.testsets.items() if testset.drop_query_document}
    assert dropped == {"arguana", "quora"}
    graded = {name for name, testset in paper.testsets.items() if testset.relevance_level == 2}
    assert graded == {"trec-dl-2019", "trec-dl-2020"}


NO_KNOWN_COMMIT = {"Shitao/RetroMAE", "Shitao/RetroMAE_MSMARCO"}
"""Models of the hub of which no commit is known to us."""


WITH_HUB_MODELS = ("paper", "own-corpus", "own-corpus-generators", "own-documents")


@pytest.mark.parametrize("name", WITH_HUB_MODELS)
def test_each_hub_model_of_which_a_commit_is_known_is_pinned_to_it(root: Path, name: str) -> None:
    models = yaml.safe_load((root / "config" / f"{name}.yaml").read_text())["models"].values()
    pinned = {model["hub"]: model.get("revision", "") for model in models if "hub" in model}
    assert {hub for hub, revision in pinned.items() if not re.fullmatch("[0-9a-f]{40}", revision)} <= NO_KNOWN_COMMIT
    others = [path for path in (root / "config").glob("*.yaml") if path.stem not in WITH_HUB_MODELS]
    assert not [path for path in others if re.search(r"hub: *[\w.-]+/", path.read_text())]


def test_a_download_from_a_repository_is_pinned_to_a_commit(paper: Configuration) -> None:
    """Tevatron's rows are not: no commit of theirs is known to us."""
    places = {
        name: re.search(r"/resolve/([^/]+)/|githubusercontent\.com/[^/]+/[^/]+/([^/]+)/", download.url)
        for name, download in paper.downloads.items()
    }
    revisions = {name: found[1] or found[2] for name, found in places.items() if found}
    assert set(revisions) >= {"nq-open-dev", "hotpotqa-dev"}
    moving = {name for name, revision in revisions.items() if not re.fullmatch("[0-9a-f]{40}", revision)}
    assert moving == {"tevatron-msmarco"}
    assert all(paper.downloads[name].sha256 and paper.downloads[name].bytes for name in set(revisions) - moving)


def test_each_public_source_has_its_published_checksum(root: Path, paper: Configuration) -> None:
    sources = root.parent / "shared" / "notes" / "sources.tsv"
    if not sources.is_file():
        pytest.skip("the list of public sources is not present beside the repository (../shared/notes)")
    with sources.open(encoding="utf-8", newline="") as file:
        due = {(row["url"], row["md5"], int(row["bytes"])) for row in csv.DictReader(file, delimiter="\t")}
    assert due <= {(download.url, download.md5, download.bytes) for download in paper.downloads.values()}
