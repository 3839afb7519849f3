"""The report page: complete, escaped, self-contained."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import report as script
import yaml

from utility_annotation.common.errors import InputError
from utility_annotation.common.files import read_json, write_json, write_text
from utility_annotation.planning import loading
from utility_annotation.reporting import page as pages
from utility_annotation.reporting.metrics import read_training
from utility_annotation.reporting.page import compared_with_humans, tendency
from utility_annotation.reporting.tables import tidy, to_csv

CONFIGURATION = {
    "models": {"small-llm": {"hub": "org/llm", "revision": "abc"}, "encoder": {"path": "models/encoder"}},
    "datasets": {
        "demo": {
            "corpus": {"format": "beir", "path": "corpus.jsonl"},
            "splits": {
                "dev": {
                    "queries": {"format": "beir", "path": "queries.jsonl"},
                    "qrels": {"format": "trec", "path": "qrels.txt"},
                }
            },
        }
    },
    "pools": {"pool": {"dataset": "demo", "split": "dev", "source": {"path": "train.jsonl"}}},
    "annotators": {"llm": {"model": "small-llm"}},
    "labels": {"human": {"pool": "pool", "source": "human"}},
    "backbones": {"minilm": {"model": "encoder"}},
    "rerankers": {"cross": {"model": "encoder", "length": 99}},
    "reranked": {"again": {"retriever": "bm25/bm25", "reranker": "cross/human", "depth": 30}},
    "trainings": {"human": {"labels": "human", "loss": "singlelh"}},
    "testsets": {"dev": {"dataset": "demo", "split": "dev", "query_length": 64}},
    "tables": {
        "main": {
            "title": "Retrievers <on> dev & more",
            "backbones": ["minilm"],
            "groups": [{"title": "First & last", "trainings": ["untrained", "human"]}],
            "testsets": ["dev"],
        }
    },
    "label_tables": {"table1": {"title": "Labels <of> humans", "labels": ["human"], "published": "1"}},
    "cost_tables": {"table17": {"title": "Costs", "backbone": "minilm", "trainings": ["human"], "testset": "dev"}},
}
ANNOTATION = {
    "queries": 50,
    "outcomes": {"ok": 40, "empty": 3, "unparsable": 5, "truncated": 1, "error": 1},
    "completed": 7,
    "whole_pool": 2,
    "prompt_tokens": 12345,
    "completion_tokens": 678,
}


class Page(HTMLParser):
    """A page's tags with attributes, its table rows, and the rest of its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[list[str]] = []
        self.text = ""
        self._cell = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self._cell = True
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self._cell = False

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._cell:
            self.rows[-1][-1] += data.strip()


FIGURES = ("main", "positives", "positions", "training", "calibration")
AGREEMENT = {
    "passages": {"both": 1234, "llm_only": 56, "human_only": 7, "neither": 89},
    "kappa": 0.254,
    "kappa_max": 0.666,
}
POSITIONS = {
    "by_position": {"shown": [44, 44, 44, 0]},
    "relative": {
        "selected": {"passages": 90, "lists": 44, "mean": 0.4, "standard_error": 0.02},
        "human": {"passages": 44, "lists": 44, "mean": 0.52, "standard_error": 0.0312},
        "human_in_pool": {"passages": 1, "lists": 1, "mean": 1.0, "standard_error": None},
    },
}


WORK: dict[str, Any] = {
    "pool": "pool",
    "stages": [
        {"annotator": "llm", "stage": "relsel", "shares": None, "questions": 44, "requests": 1058, "gpus": 0}
        | {"prompt_tokens": 23456, "new_tokens": 789, "device_hours": 1.5},
        {"annotator": "llm", "stage": "utilsel", "shares": None, "questions": 44, "requests": 44, "gpus": 2}
        | {"prompt_tokens": 34567, "new_tokens": 890, "device_hours": None},
        {"annotator": "llm", "stage": "utilrank", "shares": "utilsel", "questions": 44, "requests": 44, "gpus": 2}
        | {"prompt_tokens": 34567, "new_tokens": 0, "device_hours": 0.0},
    ],
    "labels": {"human": {"judgements": 1400, "answers": 0, "device_hours": 0.0}},
}


def write_cells(path: Path, names: list[str], *cells: dict[str, Any]) -> None:
    empty = {"group": 0, "group_title": "", "column": "", "standing": ""}
    to_csv(tidy(pd.DataFrame([empty | cell for cell in cells]), names), path)


def write_inputs(folder: Path) -> dict[str, list[Path]]:
    """One of each input of the report."""
    shared = {
        "queries": 44,
        "candidates": 400,
        "human_positives": 44,
        "ignored": 0,
        "human_ignored": 0,
        "annotator": "llm",
        "annotation": ANNOTATION,
    }
    selection = {"precision": 29.5, "recall": 84.75, "positives_per_query": 2.9, "distribution": [3, 10, 31]}
    write_json(
        folder / "utilsel.json",
        shared
        | {"labels": "selected", "source": "utilsel", "selection": selection, "ranking": None}
        | {"agreement": AGREEMENT, "positions": POSITIONS},
    )
    ranking = {"human_first": 51.0, "human_mean_reciprocal_rank": 66.6, "human_mean_rank": 3.21}
    write_json(
        folder / "replug.json",
        shared
        | {"labels": "scored", "source": "replug", "selection": None, "ranking": ranking}
        | {"agreement": None, "positions": None},
    )
    write_json(
        folder / "union.json",
        shared
        | {"labels": "united", "source": "union", "annotator": None, "selection": selection, "ranking": None}
        | {"agreement": AGREEMENT, "positions": None, "annotation": None},
    )
    first, column = {"group": 1, "group_title": "First & last"}, {"column": "dev", "metric": "mrr@10"}
    write_cells(
        folder / "main.csv",
        ["backbone", "row", "training"],
        column | {"backbone": "bm25", "row": "bm25", "training": "bm25", "queries": 40, "value": 50.04},
        column | first | {"backbone": "minilm", "row": "untrained", "training": "untrained"},
        {"backbone": "minilm", "row": "human", "training": "human", "queries": 40, "value": 61.2, "published": 61.5}
        | (column | first | {"standing": "best", "marks": "+"}),
    )
    named = {"labels": "a | b", "annotator": "llm", "strategy": "utilsel"}
    write_cells(
        folder / "table1.csv",
        list(named),
        named | {"metric": "precision", "value": 29.5, "published": 30.5, "decimals": 1},
        named | {"metric": "kappa", "value": None, "decimals": 3},
    )
    costs = {"training": "human", "metric": "cost_usd", "value": 4.5, "decimals": 2}
    write_cells(folder / "table17.csv", ["training"], costs)
    write_json(folder / "work.json", WORK)
    for name in FIGURES:
        write_text(folder / f"{name}.svg", "<svg xmlns='http://www.w3.org/2000/svg'></svg>\n")
    write_json(
        folder / "minilm" / "human" / "training.json",
        {
            "training": {"loss": "singlelh"},
            "effective_batch": {"queries": 8, "passages_a_query": 6},
            "processes": 2,
            "device": "cpu",
            "queries": {"labelled": 44, "used": 41, "without_positive": 3},
            "steps": 20,
            "seconds": 90.0,
            "curve": [[step, 1, loss, 1e-5] for step, loss in enumerate([3.0, 2.0, *[1.5] * 16, 1.0, 0.5], 1)],
            "versions": {"torch": "9.8.7"},
        },
    )
    return {
        "quality": [folder / f"{name}.json" for name in ("utilsel", "union", "replug")],
        "tables": [folder / f"{name}.csv" for name in ("main", "table1", "table17")],
        "figures": [folder / f"{name}.svg" for name in FIGURES],
        "costs": [folder / "work.json"],
        "trainings": [folder / "minilm" / "human" / "training.json"],
    }


def render(template: Path, files: dict[str, list[Path]], configuration: dict[str, Any] = CONFIGURATION) -> Page:
    return Page(pages.render(template, loading.load(configuration), **files))


@pytest.fixture
def template(root: Path) -> Path:
    return root / "resources" / "report" / "report.html.j2"


@pytest.fixture
def page(tmp_path: Path, template: Path) -> Page:
    return render(template, write_inputs(tmp_path))


@pytest.mark.parametrize("kind", ["quality", "tables", "figures", "costs", "trainings"])
def test_a_file_that_is_cut_short_makes_no_report(tmp_path: Path, template: Path, kind: str) -> None:
    files = write_inputs(tmp_path)
    damaged = files[kind][0]
    damaged.write_bytes(damaged.read_bytes()[:-9])
    with pytest.raises(InputError, match=rf"{damaged.name}: this .* (is cut short|is damaged).*regenerate"):
        render(template, files)


@pytest.mark.parametrize(
    "row",
    [
        ["", "BM25", "50.0"],
        ["minilm", "First & last"],
        ["", "untrained", ""],
        ["", "human", "61.2+61.5 (−0.3)"],
        ["selected", "utilsel", "llm", "44", "2.90", "29.5", "84.8"],
        ["selected", "0.25", "0.67", "1,234", "56", "7", "89"],
        ["selected", "0.400 ± 0.020earlier", "0.520 ± 0.031", "1.000", "3.0", "as a list"],
        ["scored", "replug", "llm", "44", "51.0", "66.6", "3.2"],
        ["selected", "40", "3", "5", "1", "1", "2", "7", "12,345", "678"],
        ["minilm", "human", "singlelh", "2.500", "0.750", "41", "3", "8 × 6", "20", "1.5", "2 × cpu"],
        ["llm", "annotator", "small-llm (hub org/llm, revision abc), listwise, transformers, bf16"],
        ["cross", "reranker", "encoder (models/encoder), 99 tokens of a pair"],
        ["again", "reranked run", "the first 30 passages of bm25/bm25, ordered by cross/human"],
        ["dev", "test set", "demo, dev: 1000 passages retrieved per query, queries cut to 64 tokens"],
        ["human", "human", "model", "singlelh", "pos-all", "random", "2", "3e-05", "1"],
        ["Labels", "Annotator", "Strategy", "Precision", "Kappa"],
        ["a | b", "llm", "utilsel", "29.530.5 (−1.0)", ""],
        ["human", "4.50"],
        ["united", "union", "", "44", "2.90", "29.5", "84.8"],
        ["united", "0.25", "0.67", "1,234", "56", "7", "89"],
        ["llm", "relsel", "44", "1,058", "23,456", "789", "1.50", "CPU", "1.20"],
        ["llm", "utilsel", "44", "44", "34,567", "890", "", "GPU", ""],
        ["llm", "utilrank", "44", "44", "34,567", "0", "the likelihoods of utilsel"],
        ["human", "1,400", "0", "0.00", "126.00"],
    ],
    ids=[
        "bm25",
        "group",
        "not computed",
        "marked",
        "selection",
        "agreement",
        "positions",
        "ranking",
        "replies",
        "training",
        "model",
        "reranker",
        "reranked run",
        "lengths of a test set",
        "run",
        "headings of compared labels",
        "compared labels",
        "cost",
        "union",
        "agreement of a union",
        "hours of a CPU",
        "hours that are not known",
        "likelihoods of another stage",
        "cost of human labels",
    ],
)
def test_the_page_shows(page: Page, row: list[str]) -> None:
    assert row in page.rows


def test_ignored_passages_are_shown_where_a_label_set_ignores_some(tmp_path: Path, template: Path, page: Page) -> None:
    files = write_inputs(tmp_path)
    quality = read_json(files["quality"][0])
    write_json(files["quality"][0], quality | {"ignored": 66, "human_ignored": 2})
    found = render(template, files)
    assert ["selected", "utilsel", "llm", "44", "2.90", "1.50", "2", "29.5", "84.8"] in found.rows
    assert ["united", "union", "", "44", "2.90", "0.00", "0", "29.5", "84.8"] in found.rows
    assert ("neither positive nor negative" in found.text, "neither positive nor negative" in page.text) == (
        True,
        False,
    )


@pytest.mark.parametrize(
    ("mean", "error", "expected"),
    [
        (0.46, 0.02, "earlier"),
        (0.54, 0.02, "later"),
        (0.54, 0.021, ""),
        (0.5 + 1e-15, 0.0, ""),
        (0.9, None, ""),
        (None, None, ""),
    ],
)
def test_a_tendency_is_a_mean_further_from_one_half_than_chance(
    mean: float | None, error: float | None, expected: str
) -> None:
    assert tendency({"mean": mean, "standard_error": error}) == expected


@pytest.mark.parametrize(
    ("annotator", "judged", "said"),
    [
        ({"protocol": "pointwise"}, "one by one", "those rows are a control"),
        ({"permutations": 3}, "as lists, 3 orders", "outlasts the vote"),
    ],
    ids=["pointwise", "permutations"],
)
def test_what_positions_mean_for_other_ways_of_judging_is_said(
    tmp_path: Path, template: Path, annotator: dict[str, Any], judged: str, said: str
) -> None:
    configuration = CONFIGURATION | {"annotators": {"llm": {"model": "small-llm"} | annotator}}
    found = render(template, write_inputs(tmp_path), configuration)
    assert judged in {cell for row in found.rows for cell in row}
    assert said in " ".join(found.text.split())


def test_the_best_cell_is_set_apart(page: Page) -> None:
    classes = [str(values["class"]).split() for tag, values in page.tags if tag == "td" and "class" in values]
    assert [names for names in classes if "best" in names] == [["figure", "best"]]


@pytest.mark.parametrize(
    ("gpus", "said"),
    [((0, 2, 2), ["Not all of these hours"]), ((0, 0, 0), ["None of these hours"]), ((1, 1, 1), [])],
    ids=["some", "all", "none"],
)
def test_hours_that_are_no_gpu_s_are_told(
    tmp_path: Path, template: Path, gpus: tuple[int, ...], said: list[str]
) -> None:
    inputs = write_inputs(tmp_path)
    stages = [stage | {"gpus": count} for stage, count in zip(WORK["stages"], gpus, strict=True)]
    write_json(tmp_path / "work.json", WORK | {"stages": stages})
    text = render(template, inputs).text
    assert [words for words in ("Not all of these hours", "None of these hours") if words in text] == said


def test_a_table_s_figure_has_a_caption_of_its_own(page: Page) -> None:
    assert "Retrievers <on> dev & more, as bars" in page.text


def test_titles_are_escaped(page: Page) -> None:
    assert "Retrievers <on> dev & more" in page.text
    assert "on" not in {tag for tag, _ in page.tags}


def test_nothing_is_loaded_from_elsewhere_and_nothing_runs(page: Page) -> None:
    links = [str(values[name]) for _, values in page.tags for name in ("src", "href") if values.get(name)]
    assert all(link.startswith(("#", "data:")) for link in links)
    assert sum(link.startswith("data:image/svg+xml;base64,") for link in links) == len(FIGURES)
    assert not {tag for tag, _ in page.tags} & {"script", "link", "iframe", "object"}


def test_every_contents_link_leads_somewhere(page: Page) -> None:
    anchors = {values.get("id") for _, values in page.tags}
    assert {str(values["href"])[1:] for tag, values in page.tags if tag == "a"} <= anchors


def test_versions_of_the_trainings_are_named(page: Page) -> None:
    assert "torch 9.8.7" in page.text


def test_the_page_of_an_empty_configuration_says_so(template: Path) -> None:
    text = render(template, {}).text
    assert "asks for no table" in text
    assert "No labels were made" in text
    assert "Nothing was trained" in text


def with_labels(source: dict[str, Any], **table: Any) -> dict[str, Any]:
    """The configuration with human labels replaced."""
    tables = {"main": CONFIGURATION["tables"]["main"] | table}
    return CONFIGURATION | {"labels": {"human": {"pool": "pool"} | source}, "tables": tables}


@pytest.mark.parametrize(
    ("configuration", "said"),
    [
        (CONFIGURATION, True),
        (with_labels({"source": "human"}, baseline=None), False),
        (with_labels({"source": "relsel", "annotator": "llm"}), False),
    ],
    ids=["a baseline of human labels", "no baseline", "a baseline of an LLM's labels"],
)
def test_a_comparison_with_human_labels_is_claimed_only_where_there_is_one(
    template: Path, configuration: dict[str, Any], said: bool
) -> None:
    assert compared_with_humans(loading.load(configuration)) == said
    assert ("trained on human labels" in " ".join(render(template, {}, configuration).text.split())) == said


def test_the_script_writes_the_page(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    parts = {"tables": {}, "label_tables": {}, "cost_tables": {}}
    Path("configuration.yaml").write_text(yaml.safe_dump(CONFIGURATION | parts))
    script.main(["page", "--config", "configuration.yaml", "--template", str(template), "--output", "report.html"])
    assert "asks for no table" in Page(Path("report.html").read_text()).text


def test_a_training_is_named_by_its_folders(tmp_path: Path) -> None:
    found = read_training(write_inputs(tmp_path)["trainings"][0])
    assert (found["backbone"], found["name"]) == ("minilm", "human")


def test_a_training_that_ended_early_says_of_how_many_steps(tmp_path: Path, template: Path) -> None:
    files = write_inputs(tmp_path)
    (path,) = files["trainings"]
    for planned, said in ((20, "20"), (64, "20 of 64")):
        write_json(path, read_json(path) | {"planned_steps": planned})
        (row,) = (row for row in render(template, files).rows if row[1:3] == ["human", "singlelh"])
        assert row[-3] == said


def test_the_verdict_stands_before_the_results(tmp_path: Path, template: Path) -> None:
    (tmp_path / "main.md").write_text("Training <b>gained</b> 3.1 points.\n")
    svg = next(path for path in write_inputs(tmp_path)["figures"] if path.suffix == ".svg")
    (tmp_path / "main.svg").write_bytes(svg.read_bytes())
    page = render(template, {"verdicts": [tmp_path / "main.md"]})
    assert "Training <b>gained</b> 3.1 points." in page.text
    assert page.text.index("gained") < page.text.rindex("Results")
    assert any(tag == "img" and attributes["src"] for tag, attributes in page.tags)


def test_a_figure_with_an_interval_is_listed_with_its_tests(tmp_path: Path, template: Path) -> None:
    files = write_inputs(tmp_path)
    interval = {"low": 60.04, "high": 70.0, "gain": 3.1, "gain_low": 0.51, "gain_high": 5.7}
    tests = {"p_baseline": 0.012, "corrected_baseline": 0.036, "detectable": 4.4}
    cell = {"group": 1, "column": "dev", "metric": "mrr@10", "value": 65.0, "sd": 1.25, "seeds": 3, **interval, **tests}
    names = {"backbone": "minilm", "row": "human", "training": "human"}
    write_cells(tmp_path / "main.csv", list(names), names | cell)
    rows = render(template, {**files, "tables": [tmp_path / "main.csv"]}).rows
    shown = ["65.0 ± 1.2", "60.0 to 70.0", "+3.1", "+0.5 to +5.7", "0.012", "0.036", "4.4"]
    assert ["minilm", "human", "dev MRR@10", *shown] in rows


def test_a_comparison_shows_groups_and_passages_as_text(tmp_path: Path, template: Path) -> None:
    passage = {"docid": "d1", "text": "a <script>alert(1)</script> passage", "grade": 1, "ranks": [1, None]}
    example = {"query_id": "q1", "text": "why", "first": 100.0, "second": 0.0, "positives": 1, "passages": [passage]}
    group = {"by": "BM25", "group": "finds nothing", "queries": 3, "difference": 9.04, "low": None, "high": None}
    found = {"first": "minilm/human", "second": "bm25/bm25", "testset": "dev", "metric": "mrr@10", "queries": 48}
    found |= {"wins": 12, "ties": 33, "losses": 3, "groups": [group], "examples": [example]}
    found |= {"values": {"first": 62.2, "second": 56.0, "bm25": 56.0}}
    found |= {"difference": {"value": 6.3, "low": 0.9, "high": 11.7, "p_value": 0.036}}
    write_json(tmp_path / "dev.json", found)
    page = render(template, {"comparisons": [tmp_path / "dev.md"]})
    assert ["BM25", "finds nothing", "3", "+9.0", ""] in page.rows
    assert ["1", "", "1", "a <script>alert(1)</script> passage"] in page.rows
    assert not any(tag == "script" for tag, _ in page.tags)


def test_documents_and_written_questions_are_counted_with_examples(tmp_path: Path, template: Path) -> None:
    documents = {"documents": {"read": 1200, "copy": 3}, "passages": 9000, "reasons": {"it is <encrypted>": 2}}
    write_json(tmp_path / "own.json", documents | {"boilerplate": {"blocks": 70, "examples": {}}})
    example = {"query_id": "q", "text": "What is <this>?", "reason": "it says 'this text'"}
    questions = {"train": 80, "held_out": 20, "documents": 1100, "dropped": {"of-the-passage": 1}}
    write_json(tmp_path / "made" / "summary.json", questions | {"examples": {"of-the-passage": [example]}})
    files = {"documents": [tmp_path / "own.json"], "questions": [tmp_path / "made" / "summary.json"]}
    page = render(template, files)
    assert "own: 9,000 passages of 1,200 documents. 3 documents are copies" in " ".join(page.text.split())
    assert ["it is <encrypted>", "2"] in page.rows
    assert ["of-the-passage", "1"] in [row[:2] for row in page.rows]
    shown = next(row[2] for row in page.rows if row[0] == "of-the-passage")
    assert "What is <this>?" in shown
    assert "it says 'this text'" in shown
    assert "documents" in {attributes.get("id") for _, attributes in page.tags}
