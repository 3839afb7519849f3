"""The table of results: marks, groups, standings, averages, the paper's figures, empty cells, formats."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import table as script
from configured import write_configuration
from pydantic import ValidationError

from utility_annotation.common.files import write_json
from utility_annotation.io.schemas import PER_QUERY, TRAINING_COPIES
from utility_annotation.labels.annotators import SharedJudge
from utility_annotation.reporting.metrics import PLACE
from utility_annotation.reporting.results import result_cells, results_table, table_rows
from utility_annotation.reporting.settings import ResultsTableSettings
from utility_annotation.reporting.tables import Table, metric_name, read_csv, to_csv, with_texts
from utility_annotation.reporting.writers import latex_text, to_latex, to_markdown
from utility_annotation.settings import Group, ResultsTable

SETTINGS = ResultsTable(
    title="Retrievers",
    backbones=("minilm",),
    groups=(Group(trainings=("human", "replug", "utilsel", "untrained"), second_baseline="replug"),),
    testsets=("dev",),
    correction="none",
)

# The differences from human are (.1, .2, .3, .4): t = .25 / (.12910 / 2) = 3.873 with 3 degrees of freedom, p = 0.0305.
HUMAN = [0.1, 0.2, 0.3, 0.2]
BETTER = [0.2, 0.4, 0.6, 0.6]


Paper = dict[tuple[str, str, str, str], tuple[float, bool]]
"""Figures by backbone, row, column and metric, each with whether it is doubtful."""


def write_results(folder: Path, values: dict[tuple[str, str], list[float]], metric: str = "mrr@10") -> list[Path]:
    """Metrics files, with per-query files beside them, of (backbone, training) → per-query values on ``dev``."""
    metrics = []
    for (backbone, run), of_run in values.items():
        metrics.append(folder / backbone / run / "dev.json")
        rows = [{"query_id": f"q{place}", "metric": metric, "value": value} for place, value in enumerate(of_run)]
        PER_QUERY.write(metrics[-1].with_suffix(".per-query.parquet"), PER_QUERY.rows(rows))
        write_json(
            metrics[-1],
            {
                "backbone": backbone,
                "training": run,
                "testset": "dev",
                "queries": len(of_run),
                "metrics": {metric: sum(of_run) / len(of_run)},
            },
        )
    return metrics


def write_figures(path: Path, figures: dict[str, Any]) -> None:
    """A metrics file of queries that all have the same value."""
    write_json(path, figures)
    rows = [
        {"query_id": f"q{place}", "metric": metric, "value": float(value)}
        for metric, value in figures["metrics"].items()
        for place in range(figures["queries"])
    ]
    PER_QUERY.write(path.with_suffix(".per-query.parquet"), PER_QUERY.rows(rows))


def frame(
    settings: ResultsTable,
    metrics: list[Path],
    paper: Paper | None = None,
    labels: dict[str, str] | None = None,
    qualities: Sequence[dict[str, Any]] = (),
    seeds: dict[str, tuple[str, ...]] | None = None,
    first_stages: dict[str, tuple[str, str]] | None = None,
) -> pd.DataFrame:
    """The cells of a table."""
    lines = [(*place, *figure) for place, figure in (paper or {}).items()]
    published = pd.DataFrame(lines, columns=[*PLACE, "published", "doubtful"], dtype=object)
    shown = ResultsTableSettings(
        table=settings, seeds=seeds or {}, first_stages=first_stages or {}, labels=labels or {}, shared_judges=()
    )
    return result_cells(shown, metrics, published, qualities)


def cells(tmp_path: Path, values: dict[tuple[str, str], list[float]], **changes: Any) -> dict[tuple[str, str], Any]:
    """The only cell of each row."""
    settings = SETTINGS.model_copy(update=changes)
    found = with_texts(frame(settings, write_results(tmp_path, values)))
    return {(cell.backbone, cell.row): cell for cell in found.itertuples()}


def table(tmp_path: Path, values: dict[tuple[str, str], list[float]], **changes: Any) -> Table:
    settings = SETTINGS.model_copy(update=changes)
    return results_table(settings, frame(settings, write_results(tmp_path, values)))


def grid(markdown: str) -> list[list[str]]:
    """The rows of a Markdown table, its headings first."""
    lines = [line for line in markdown.splitlines() if line.startswith("| ")]
    return [[text.strip() for text in line.strip("|").split("|")] for line in (lines[0], *lines[2:])]


def test_rows_are_bm25_then_the_untrained_backbone_then_the_trainings(tmp_path: Path) -> None:
    found = cells(tmp_path, {("minilm", "human"): HUMAN})
    assert list(found) == [
        ("bm25", "bm25"),
        ("minilm", "untrained"),
        ("minilm", "human"),
        ("minilm", "replug"),
        ("minilm", "utilsel"),
    ]


@pytest.mark.parametrize(
    ("ours", "marks"),
    [(BETTER, "+"), ([0.0, 0.05, 0.1, 0.02], "−"), ([0.1, 0.2, 0.3, 0.9], ""), (HUMAN, "")],
    ids=["better", "worse", "better by chance", "equal"],
)
def test_a_significant_difference_from_the_baseline_is_marked(tmp_path: Path, ours: list[float], marks: str) -> None:
    found = cells(tmp_path, {("minilm", "human"): HUMAN, ("minilm", "utilsel"): ours})
    assert found["minilm", "utilsel"].marks == marks


def test_the_p_value_is_that_of_the_two_sided_paired_t_test(tmp_path: Path) -> None:
    found = cells(tmp_path, {("minilm", "human"): HUMAN, ("minilm", "utilsel"): BETTER})
    assert found["minilm", "utilsel"].p_baseline == pytest.approx(0.030466, abs=1e-6)


def test_a_stricter_level_takes_the_mark_away(tmp_path: Path) -> None:
    values = {("minilm", "human"): HUMAN, ("minilm", "utilsel"): BETTER}
    assert cells(tmp_path, values, significance_level=0.03)["minilm", "utilsel"].marks == ""


def test_a_dagger_marks_what_is_better_than_the_second_baseline(tmp_path: Path) -> None:
    values = {("minilm", "human"): BETTER, ("minilm", "replug"): HUMAN, ("minilm", "utilsel"): BETTER}
    found = cells(tmp_path, values)
    assert [found["minilm", run].marks for run in ("human", "replug", "utilsel")] == ["†", "−", "†"]


def test_worse_than_the_second_baseline_is_no_dagger(tmp_path: Path) -> None:
    values = {("minilm", "replug"): BETTER, ("minilm", "utilsel"): HUMAN}
    assert cells(tmp_path, values)["minilm", "utilsel"].marks == ""


def test_holm_counts_the_tests_of_a_column_once_each(tmp_path: Path) -> None:
    """Three tests: human with replug and with utilsel, and replug with utilsel."""
    values = {("minilm", "human"): HUMAN, ("minilm", "replug"): BETTER, ("minilm", "utilsel"): BETTER}
    found = cells(tmp_path, values, correction="holm")
    of_replug = found["minilm", "replug"]
    assert (of_replug.marks, of_replug.tests) == ("", 3)
    assert of_replug.p_baseline == pytest.approx(0.030466, abs=1e-6)
    assert of_replug.corrected_baseline == pytest.approx(3 * of_replug.p_baseline)
    assert found["minilm", "human"].corrected_second_baseline == of_replug.corrected_baseline


def test_seeds_are_shown_as_mean_and_standard_deviation_and_tested_together(tmp_path: Path) -> None:
    values = {
        ("minilm", "human"): HUMAN,
        ("minilm", "utilsel"): BETTER,
        ("minilm", "utilsel-seed7"): [0.4, 0.4, 0.6, 0.6],
    }
    seeds = {"human": ("human",), "utilsel": ("utilsel", "utilsel-seed7")}
    shown = frame(SETTINGS, write_results(tmp_path, values), seeds=seeds)
    cell = {cell.row: cell for cell in with_texts(shown).itertuples()}["utilsel"]
    assert (cell.shown, cell.seeds, cell.value) == ("47.5 ± 3.5", 2, 47.5)
    assert cell.gain == pytest.approx(27.5)
    assert cell.gain_low < 27.5 < cell.gain_high
    alone = cells(tmp_path, {key: values[key] for key in list(values)[:2]})["minilm", "utilsel"]
    assert alone.shown == "45.0"
    notes = " ".join(results_table(SETTINGS, shown).notes)
    assert "mean and standard deviation over the seeds" in notes


def test_only_trainings_of_the_same_backbone_are_compared(tmp_path: Path) -> None:
    values = {("bm25", "bm25"): BETTER, ("minilm", "human"): HUMAN, ("contriever", "utilsel"): BETTER}
    found = cells(tmp_path, values, backbones=("minilm", "contriever"))
    assert math.isnan(found["bm25", "bm25"].p_baseline)
    assert math.isnan(found["contriever", "utilsel"].p_baseline)


def test_without_baselines_nothing_is_marked(tmp_path: Path) -> None:
    values = {("minilm", "human"): HUMAN, ("minilm", "utilsel"): BETTER}
    assert {
        cell.marks
        for cell in cells(tmp_path, values, baseline=None, groups=(Group(trainings=("human", "utilsel")),)).values()
    } == {""}


def test_best_and_second_best_are_of_the_backbones_block(tmp_path: Path) -> None:
    values = {("bm25", "bm25"): [0.9] * 4, ("minilm", "human"): HUMAN, ("minilm", "utilsel"): BETTER}
    values |= {("minilm", "untrained"): [0.0] * 4, ("contriever", "human"): [0.1] * 4, ("contriever", "utilsel"): HUMAN}
    found = cells(tmp_path, values, backbones=("minilm", "contriever"))
    assert {row: cell.standing for row, cell in found.items() if cell.standing} == {
        ("minilm", "utilsel"): "best",
        ("minilm", "human"): "second",
        ("contriever", "utilsel"): "best",
        ("contriever", "human"): "second",
    }


def test_figures_that_look_equal_share_their_standing(tmp_path: Path) -> None:
    values = {("minilm", "human"): [0.50001], ("minilm", "replug"): [0.5], ("minilm", "utilsel"): [0.4]}
    found = cells(tmp_path, values)
    assert [found["minilm", run].standing for run in ("human", "replug", "utilsel")] == ["best", "best", "second"]


def test_a_cell_that_was_not_computed_is_empty(tmp_path: Path) -> None:
    cell = cells(tmp_path, {("minilm", "human"): HUMAN})["minilm", "utilsel"]
    assert (cell.training, cell.column, cell.metric) == ("utilsel", "dev", "mrr@10")
    assert math.isnan(cell.value)
    assert (cell.shown, cell.standing, cell.marks, cell.paper) == ("", "", "", "")


def test_metrics_are_ordered_by_name_and_depth(tmp_path: Path) -> None:
    write_figures(
        tmp_path / "m.json",
        {
            "backbone": "bm25",
            "training": "bm25",
            "testset": "dev",
            "queries": 1,
            "metrics": {"recall@1000": 1.0, "recall@20": 0.5, "mrr@10": 0.5},
        },
    )
    settings = ResultsTable(title="t", testsets=("dev",))
    found = frame(settings, [tmp_path / "m.json"])
    assert list(found["metric"]) == ["mrr@10", "recall@20", "recall@1000"]


def test_markdown_shows_percent_with_one_decimal_bold_underlined_and_marked(tmp_path: Path) -> None:
    values = {("bm25", "bm25"): [0.2] * 4, ("minilm", "human"): HUMAN, ("minilm", "utilsel"): BETTER}
    text = to_markdown(table(tmp_path, values))
    assert text.startswith("## Retrievers\n")
    assert grid(text) == [
        ["backbone", "training", "dev<br>MRR@10"],
        ["", "BM25", "20.0"],
        ["", "", ""],
        ["minilm", "untrained", ""],
        ["", "human", "<ins>20.0</ins>"],
        ["", "replug", ""],
        ["", "utilsel", "**45.0**<sup>+</sup>"],
    ]
    assert "- Queries: dev 4." in text.splitlines()


def test_the_columns_of_a_markdown_table_line_up_as_text(tmp_path: Path) -> None:
    values = {("bm25", "bm25"): [0.2] * 4, ("minilm", "human"): HUMAN, ("minilm", "utilsel"): BETTER}
    lines = [line for line in to_markdown(table(tmp_path, values)).splitlines() if line.startswith("| ")]
    assert (
        len({tuple(place for place, letter in enumerate(line) if letter == "|") for line in lines[:1] + lines[2:]}) == 1
    )


def test_csv_returns_the_same_cells(tmp_path: Path) -> None:
    values = {("minilm", "human"): HUMAN, ("minilm", "replug"): HUMAN, ("minilm", "utilsel"): BETTER}
    written = table(tmp_path, values).cells
    to_csv(written, tmp_path / "table.csv")
    pd.testing.assert_frame_equal(read_csv(tmp_path / "table.csv"), written, check_exact=True)


@pytest.mark.parametrize(("metric", "name"), [("ndcg@10", "nDCG@10"), ("mrr@10", "MRR@10"), ("rbp.8", "rbp.8")])
def test_metrics_are_named_as_in_papers(metric: str, name: str) -> None:
    assert metric_name(metric) == name


def test_the_script_writes_all_formats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    trainings = ("untrained", "human", "replug")
    values = {("bm25", "bm25"): HUMAN, ("minilm", "utilsel"): BETTER} | {("minilm", name): HUMAN for name in trainings}
    write_results(Path("results/metrics"), values)
    row = {"query_id": "q2", "text": "q", "split": "data/train", "training_query_id": "9", "training_text": "q"}
    TRAINING_COPIES.write("results/training-copies/dev.parquet", TRAINING_COPIES.rows([row]))
    file = write_configuration(tmp_path, tables={"main": SETTINGS.model_dump(mode="json")})
    script.main(["results", "--config", file, "--table", "main", "--published", "--output", "t.md"])
    with Path("t.csv").open(encoding="utf-8", newline="") as lines:
        by_row = {line["row"]: line for line in csv.DictReader(lines)}
    assert (by_row["utilsel"]["value"], by_row["utilsel"]["marks"]) == ("45.0", "+†")
    assert by_row["utilsel"]["training_copies"] == "1"
    assert "Questions that a training has too: dev 1 " in Path("t.md").read_text(encoding="utf-8")
    assert "**45.0**" in Path("t.md").read_text(encoding="utf-8")
    assert r"\textbf{45.0}\textsuperscript{+$\dagger$}" in Path("t.tex").read_text(encoding="utf-8")


def test_each_group_has_its_own_second_baseline(tmp_path: Path) -> None:
    groups = (
        Group(trainings=("human",)),
        Group(title="alone", trainings=("replug", "utilsel"), second_baseline="replug"),
        Group(title="curriculum", trainings=("replug-cl", "utilsel-cl"), second_baseline="replug-cl"),
    )
    values = {("minilm", run): HUMAN for run in ("human", "replug", "utilsel-cl")}
    values |= {("minilm", "utilsel"): BETTER, ("minilm", "replug-cl"): BETTER}
    found = cells(tmp_path, values, groups=groups)
    marks = {row: cell.marks for (_, row), cell in found.items() if cell.shown and row != "bm25"}
    assert marks == {"human": "", "replug": "", "utilsel": "+†", "replug-cl": "+", "utilsel-cl": ""}
    text = to_markdown(table(tmp_path, values, groups=groups))
    assert [row[1] for row in grid(text)[2:]] == [
        "",
        "human",
        "*alone*",
        "replug",
        "utilsel",
        "*curriculum*",
        "replug-cl",
        "utilsel-cl",
    ]


def test_a_training_may_stand_in_several_rows_under_other_names(tmp_path: Path) -> None:
    rows = {"loss=summarglh": "utilsel", "strategy=utilsel": "utilsel"}
    groups = (Group(trainings=("human",)), Group(rows=rows))
    found = cells(tmp_path, {("minilm", "human"): HUMAN, ("minilm", "utilsel"): BETTER}, groups=groups)
    for name in rows:
        assert (found["minilm", name].shown, found["minilm", name].training) == ("45.0", "utilsel")
        assert found["minilm", name].standing == "best"


PAPER = {
    ("minilm", "utilsel", "dev", "mrr@10"): (46.5, False),
    ("minilm", "replug", "dev", "mrr@10"): (33.8, True),
    ("minilm", "human", "dev", "recall@1000"): (98.6, False),
}


def test_the_papers_figure_stands_beside_ours_with_the_difference(tmp_path: Path) -> None:
    settings = SETTINGS.model_copy(update={"published": "2"})
    files = write_results(tmp_path, {("minilm", "human"): HUMAN, ("minilm", "utilsel"): BETTER})
    found = frame(settings, files, PAPER)
    by_place = found.set_index(["row", "metric"])
    assert by_place.loc[("utilsel", "mrr@10"), "difference"] == pytest.approx(-1.5)
    text = to_markdown(results_table(settings, found))
    shown = {row[1]: row[2:] for row in grid(text)}
    assert shown["utilsel"] == ["**45.0**<sup>+</sup><br><small>46.5 (−1.5)</small>", ""]
    assert shown["replug"] == ["<br><small>33.8?</small>", ""], "a doubtful figure says so; ours stays empty"
    assert shown["human"][1] == "<br><small>98.6</small>", "a column without ours still shows the paper's figure"
    lines = to_latex(results_table(settings, found)).splitlines()
    ours, theirs = r"\textbf{45.0}\textsuperscript{+}", r"\scriptsize 46.5 ($-$1.5)"
    assert rf" & utilsel & \shortstack[r]{{{ours}\\{theirs}}} &  \\" in lines


def test_a_question_answering_column_is_named_by_task_and_generator(tmp_path: Path) -> None:
    metrics = write_results(tmp_path, {("minilm", "human"): HUMAN})
    write_figures(
        tmp_path / "qa.json",
        {
            "backbone": "minilm",
            "training": "human",
            "qa": "nq-qa",
            "generator": "llm",
            "queries": 4,
            "metrics": {"em": 0.5},
        },
    )
    settings = SETTINGS.model_copy(update={"qa": ("nq-qa",), "generators": ("llm", "other")})
    found = frame(settings, [*metrics, tmp_path / "qa.json"])
    shown = {(cell.row, cell.column, cell.metric): cell.shown for cell in with_texts(found).itertuples()}
    assert shown["human", "nq-qa/llm", "em"] == "50.0"
    assert shown["human", "dev", "mrr@10"] == "20.0"
    assert shown["utilsel", "nq-qa/llm", "em"] == ""
    assert "nq-qa/llm<br>EM" in to_markdown(results_table(settings, found))


def test_runs_of_others_stand_after_bm25_and_are_tested_against_the_baseline_of_the_only_backbone(
    tmp_path: Path,
) -> None:
    found = cells(
        tmp_path,
        {("external", "splade"): BETTER, ("minilm", "human"): HUMAN, ("minilm", "utilsel"): HUMAN},
        external_runs=("splade",),
    )
    assert list(found)[:3] == [("bm25", "bm25"), ("external", "splade"), ("minilm", "untrained")]
    assert (found["external", "splade"].marks, found["minilm", "utilsel"].marks) == ("+", "")
    assert found["external", "splade"].p_baseline == pytest.approx(0.0305, abs=1e-4)


def test_variants_of_bm25_stand_below_it(tmp_path: Path) -> None:
    values = {("bm25", "bm25"): HUMAN, ("bm25", "tuned"): BETTER, ("minilm", "human"): HUMAN}
    found = cells(tmp_path, values, bm25_variants=("tuned",))
    assert list(found)[:2] == [("bm25", "bm25"), ("bm25", "BM25 tuned")]
    assert found["bm25", "BM25 tuned"].shown == "45.0"


def test_with_several_backbones_a_run_of_others_has_no_baseline(tmp_path: Path) -> None:
    values = {("external", "splade"): BETTER, ("minilm", "human"): HUMAN, ("other", "human"): HUMAN}
    found = cells(tmp_path, values, external_runs=("splade",), backbones=("minilm", "other"))
    assert found["external", "splade"].marks == ""


def test_a_run_of_others_may_be_the_baseline(tmp_path: Path) -> None:
    values = {("external", "splade"): HUMAN, ("minilm", "human"): BETTER, ("bm25", "bm25"): BETTER}
    found = cells(tmp_path, values, external_runs=("splade",), baseline="splade")
    assert (found["minilm", "human"].marks, found["external", "splade"].marks) == ("+", "")
    assert found["bm25", "bm25"].marks == "+"


RERANKED = {
    ("bm25", "bm25"): HUMAN,
    ("minilm", "human"): HUMAN,
    ("reranked", "again"): BETTER,
    ("reranked", "again-seed7"): [value + 0.1 for value in BETTER],
}
SEEDS = {"human": ("human",), "again": ("again", "again-seed7")}


def reranked(tmp_path: Path, first: tuple[str, str] | None = None, **changes: Any) -> tuple[Table, dict[str, Any]]:
    """A table with the run ``again`` of two seeds, which orders ``first`` again; the only cell of each row."""
    settings = SETTINGS.model_copy(update={"reranked": ("again",), **changes})
    stages = {"again": first} if first else {}
    found = frame(settings, write_results(tmp_path, RERANKED), seeds=SEEDS, first_stages=stages)
    return results_table(settings, found), {cell.row: cell for cell in with_texts(found).itertuples()}


def test_a_reranked_row_of_several_seeds_belongs_to_no_backbone_and_is_tested_on_the_only_one(tmp_path: Path) -> None:
    shown, found = reranked(tmp_path)
    assert list(found)[:3] == ["bm25", "again", "untrained"]
    assert (found["again"].shown, found["again"].seeds, found["again"].marks) == ("50.0 ± 7.1", 2, "+")
    assert found["again"].gain == pytest.approx(30)
    assert [row[:2] for row in grid(to_markdown(shown)) if row[1] == "again"] == [["", "again"]]
    _, several = reranked(tmp_path, backbones=("minilm", "other"))
    assert several["again"].marks == ""


def test_a_reranked_run_may_be_the_baseline(tmp_path: Path) -> None:
    shown, found = reranked(tmp_path, baseline="again")
    assert [found[name].marks for name in ("bm25", "again", "human")] == ["−", "", "−"]
    assert "Marks + and −: significantly better or worse than again." in shown.notes


@pytest.mark.parametrize("first", [("bm25", "bm25"), ("minilm", "human")])
def test_a_dagger_marks_a_reranked_row_that_is_better_than_its_first_stage(
    tmp_path: Path, first: tuple[str, str]
) -> None:
    shown, found = reranked(tmp_path, first, baseline=None, groups=(Group(trainings=("human",)),))
    assert {row: cell.marks for row, cell in found.items()} == {"bm25": "", "again": "†", "human": ""}
    told = "Mark † of a reranked or selected row: significantly better than the row that it is made from."
    assert told in shown.notes
    assert [note for note in shown.notes if note.startswith("Significance: ")]
    without, found = reranked(tmp_path, baseline=None, groups=(Group(trainings=("human",)),))
    assert found["again"].marks == ""
    assert not [note for note in without.notes if "†" in note or "Significance" in note]


def test_a_run_no_better_than_its_first_stage_has_no_dagger(tmp_path: Path) -> None:
    settings = ResultsTable(title="t", testsets=("dev",), reranked=("again",))
    values = {("bm25", "bm25"): BETTER, ("reranked", "again"): HUMAN}
    found = frame(settings, write_results(tmp_path, values), first_stages={"again": ("bm25", "bm25")})
    assert set(found["marks"]) == {""}
    assert found.set_index("row").loc["again", "p_second_baseline"] == pytest.approx(0.0305, abs=1e-4)


@pytest.mark.parametrize("baseline", ["human", "again"])
def test_a_first_stage_that_is_the_baseline_is_tested_once(tmp_path: Path, baseline: str) -> None:
    """Of human, again and BM25: the pairs with the baseline."""
    _, found = reranked(tmp_path, ("minilm", "human"), correction="holm", baseline=baseline)
    assert found["again"].tests == (1 if baseline == "human" else 2)
    assert found["again"].marks.endswith("†")


def test_without_the_baseline_in_a_row_no_note_speaks_of_it(tmp_path: Path) -> None:
    settings = ResultsTable(title="t", testsets=("dev",), reranked=("again",))
    cells = frame(settings, write_results(tmp_path, RERANKED), seeds=SEEDS)
    assert not [note for note in results_table(settings, cells).notes if "human" in note or "Significance" in note]


def test_figures_of_the_labels_stand_in_columns_of_their_own(tmp_path: Path) -> None:
    """Table 16 has the mean number of positives; a figure of labels is no result, so it has no mark and no standing."""
    settings = SETTINGS.model_copy(update={"label_metrics": ("positives_per_query", "precision")})
    files = write_results(tmp_path, {("minilm", "human"): HUMAN, ("minilm", "utilsel"): BETTER})
    qualities = [
        {"labels": "people", "selection": {"precision": 100.0, "positives_per_query": 1.07}},
        {"labels": "llm", "selection": {"precision": None, "positives_per_query": 3.25}},
        {"labels": "scores", "selection": None},
    ]
    labels = {"human": "people", "replug": "scores", "utilsel": "llm"}
    found = frame(settings, files, labels=labels, qualities=qualities)
    of_labels = found[found["column"] == "labels"].set_index(["row", "metric"])
    assert of_labels["value"].dropna().to_dict() == {
        ("human", "positives_per_query"): 1.07,
        ("human", "precision"): 100.0,
        ("utilsel", "positives_per_query"): 3.25,
    }
    assert set(of_labels["marks"]) | set(of_labels["standing"]) == {""}
    columns = grid(to_markdown(results_table(settings, found)))
    assert columns[0][-2:] == ["labels<br>Positives per query", "labels<br>Precision"]
    again = settings.model_copy(update={"reranked": ("again",)})
    found = frame(again, files, labels=labels | {"again": "llm"}, qualities=qualities)
    assert found.set_index(["row", "metric"]).loc[("again", "positives_per_query"), "value"] == 3.25
    assert [note for note in results_table(again, found).notes if "or the training of a row's reranker" in note]
    assert [row[-2] for row in columns if row[1] == "utilsel"] == ["3.2"]


def test_a_judge_that_made_labels_is_told_below_the_table(tmp_path: Path) -> None:
    shared = [SharedJudge(testset="dev", annotator="qwen", trainings=("utilsel", "utilrank"))]
    cells = frame(SETTINGS, write_results(tmp_path, {("minilm", "human"): HUMAN}))
    notes = results_table(SETTINGS, cells, shared).notes
    assert [note for note in notes if all(name in note for name in ("dev", "qwen", "utilsel, utilrank"))]
    assert results_table(SETTINGS, cells).notes == [note for note in notes if "qwen" not in note]


def test_an_average_is_tested_by_test_set(tmp_path: Path) -> None:
    """t = .275 / √(.25 · .00333 / 4 + .25 · 1.62 / 2) = .6108 with 1.002 degrees of freedom: p ≈ 1 − 2 atan(t) / π."""
    ours = {"big/1": 0.5, "big/2": 0.6, "big/3": 0.5, "big/4": 0.6, "small/1": -0.9, "small/2": 0.9}
    metrics = []
    for run, values in (("human", dict.fromkeys(ours, 0.0)), ("utilsel", ours)):
        metrics.append(tmp_path / f"{run}.json")
        figures = {"backbone": "minilm", "training": run, "testset": "dev", "queries": 6, "metrics": {"mrr@10": 0.1}}
        write_json(metrics[-1], figures | {"weights": {"big": 0.5, "small": 0.5}})
        rows = [{"query_id": query_id, "metric": "mrr@10", "value": value} for query_id, value in values.items()]
        PER_QUERY.write(metrics[-1].with_suffix(".per-query.parquet"), PER_QUERY.rows(rows))
    found = frame(SETTINGS, metrics).set_index("row")
    assert found.loc["utilsel", "p_baseline"] == pytest.approx(1 - 2 * math.atan(0.6108) / math.pi, abs=1e-3)


def test_latex_escapes_what_means_something_there(tmp_path: Path) -> None:
    groups = (Group(title="20 % & more_", rows={"a_b": "human"}),)
    text = to_latex(table(tmp_path, {("minilm", "human"): HUMAN}, groups=groups))
    assert r"\emph{20 \% \& more\_}" in text
    assert r" & a\_b & " in text
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") == 1


def test_only_the_metrics_asked_for_are_shown_in_that_order(tmp_path: Path) -> None:
    write_figures(
        tmp_path / "m.json",
        {
            "backbone": "bm25",
            "training": "bm25",
            "testset": "dev",
            "queries": 1,
            "metrics": {"mrr@10": 1, "a": 1, "b": 1},
        },
    )
    settings = ResultsTable(title="t", testsets=("dev",), metrics=("b", "mrr@10"))
    found = frame(settings, [tmp_path / "m.json"])
    assert list(found["metric"]) == ["b", "mrr@10"]


def test_the_untrained_backbone_stands_first_in_its_own_group(tmp_path: Path) -> None:
    groups = (Group(trainings=("human",)), Group(title="others", trainings=("utilsel", "untrained")))
    assert list(cells(tmp_path, {("minilm", "human"): HUMAN}, groups=groups, with_bm25=False)) == [
        ("minilm", "human"),
        ("minilm", "untrained"),
        ("minilm", "utilsel"),
    ]


def test_a_group_without_a_title_is_set_apart(tmp_path: Path) -> None:
    groups = (Group(title="first", trainings=("human",)), Group(trainings=("utilsel",)))
    found = table(tmp_path, {("minilm", "human"): HUMAN}, groups=groups, with_bm25=False)
    assert [row[1] for row in grid(to_markdown(found))[1:]] == ["*first*", "human", "", "utilsel"]
    assert r" &  &  \\" in to_latex(found).splitlines()


def test_no_row_is_kept_for_bm25_where_there_are_no_test_sets() -> None:
    settings = ResultsTable(
        title="t", backbones=("minilm",), groups=(Group(trainings=("human",)),), qa=("nq-qa",), generators=("llm",)
    )
    assert list(table_rows(settings)["row"]) == ["human"]
    with pytest.raises(ValidationError, match="`testsets` and `with_bm25` alone"):
        ResultsTable(title="t", qa=("nq-qa",), generators=("llm",))


NAMES = [f"test-set-{number}" for number in range(14)]


def wide(paper: Paper) -> Table:
    """A table of fourteen test sets of which nothing was computed but what is published."""
    settings = SETTINGS.model_copy(update={"testsets": tuple(NAMES), "with_bm25": False, "published": "3"})
    return results_table(settings, frame(settings, [], paper))


def test_a_wide_table_comes_as_several_with_the_same_rows() -> None:
    paper = {("minilm", "human", name, "ndcg@10"): (float(place), False) for place, name in enumerate(NAMES)}
    found = wide(paper)
    grids = [text for text in to_markdown(found).split("\n\n") if text.startswith("|")]
    assert len(grids) > 1
    shown = [heading for text in grids for heading in grid(text)[0][2:]]
    assert shown == [f"{name}<br>nDCG@10" for name in NAMES], "every column stands once, in order"
    for text in grids:
        assert [row[1] for row in grid(text)[1:]] == ["untrained", "human", "replug", "utilsel"]
    text = to_latex(found)
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") == len(grids)


def test_columns_of_one_name_stay_together() -> None:
    metrics = [f"ndcg@{depth}" for depth in range(1, 6)]
    found = wide({("minilm", "human", name, metric): (1.0, False) for name in NAMES for metric in metrics}).bands()
    assert [column for band in found for column in band] == [(name, metric) for name in NAMES for metric in metrics]
    assert all(len(band) % len(metrics) == 0 for band in found)


def test_every_entry_of_the_legend_is_one_entry_in_markdown(tmp_path: Path) -> None:
    """An entry that began with + would be a list within the list."""
    notes = table(tmp_path, {("minilm", "human"): HUMAN}).notes
    assert any("+ and −" in note for note in notes)
    assert not [note for note in notes if note.startswith(("+", "-", "*", "#"))]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (r"\a", r"\textbackslash{}a"),
        ("<20 %", r"\textless{}20 \%"),
        ("a>b|c", r"a\textgreater{}b\textbar{}c"),
        ("x^2~y", r"x\textasciicircum{}2\textasciitilde{}y"),
        ("{$#_&}", r"\{\$\#\_\&\}"),
    ],
)
def test_text_that_means_something_in_latex_is_shown_as_it_is(text: str, shown: str) -> None:
    assert latex_text(text) == shown
