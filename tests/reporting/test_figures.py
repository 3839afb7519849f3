"""The figures: what is drawn of which input, and that the same input gives the same file."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import plot as script
import pytest
from configured import write_configuration

from utility_annotation.common.files import write_json
from utility_annotation.io.schemas import PER_QUERY
from utility_annotation.reporting.figures import (
    plot_positions,
    plot_positives,
    plot_results,
    plot_training,
    selected_by_llm,
)
from utility_annotation.reporting.metrics import read_published, read_training
from utility_annotation.reporting.results import result_cells
from utility_annotation.reporting.settings import ResultsTableSettings
from utility_annotation.reporting.tables import to_csv
from utility_annotation.settings import ResultsTable

PNG = b"\x89PNG\r\n\x1a\n"


def quality(labels: str, source: str, distribution: list[int] | None) -> dict[str, Any]:
    selection = None
    if distribution is not None:
        mean = sum(number * queries for number, queries in enumerate(distribution)) / sum(distribution)
        selection = {"distribution": distribution, "positives_per_query": mean}
    return {"labels": labels, "source": source, "queries": sum(distribution or [9]), "selection": selection}


def positions(labels: str, shown: list[int] | None) -> dict[str, Any]:
    """Quality of a label set whose lists reach to positions 1, 2, … as often as ``shown`` says."""
    counts = {name: [0.5 * number for number in shown or ()] for name in ("observed", "expected", "standard_deviation")}
    by_position = {"shown": shown, "selected": counts, "human": counts}
    return {"labels": labels, "positions": {"by_position": by_position} if shown else None}


def metrics(folder: Path, backbone: str, run: str, value: float, name: str = "") -> Path:
    path = folder / (name or f"{backbone}-{run}.json")
    write_json(
        path,
        {"backbone": backbone, "training": run, "testset": "dev", "queries": 9, "metrics": {"ndcg@10": value}},
    )
    rows = [{"query_id": f"q{number}", "metric": "ndcg@10", "value": value} for number in range(9)]
    PER_QUERY.write(path.with_suffix(".per-query.parquet"), PER_QUERY.rows(rows))
    return path


def training(folder: Path, backbone: str, run: str, **more: Any) -> dict[str, Any]:
    path = folder / backbone / run / "training.json"
    curve = [[step, 1, 2.0 / step, 1e-5] for step in range(1, 6)]
    write_json(path, {"training": {"loss": "summarglh"}, "curve": curve, **more})
    return read_training(path)


def table(*runs: str) -> dict[str, Any]:
    groups = [{"trainings": runs}]
    return {"title": "t", "backbones": ["minilm"], "groups": groups, "testsets": ["dev"], "baseline": None}


def texts(folder: Path) -> set[str]:
    """Every piece of text in the SVG; matplotlib names it in a comment beside its outlines."""
    assert (folder / "figure.png").read_bytes().startswith(PNG)
    text = (folder / "figure.svg").read_text(encoding="utf-8")
    ElementTree.fromstring(text)
    return set(re.findall(r"<!-- (.+?) -->", text))


def plot_selected(qualities: list[dict[str, Any]], svg: Path) -> None:
    plot_positives(selected_by_llm(qualities), svg)


def drawn(plot: Callable[..., None], folder: Path, *inputs: Any) -> set[str]:
    plot(*inputs, folder / "figure.svg")
    return texts(folder)


def bars(folder: Path, table: dict[str, Any], files: list[Path]) -> set[str]:
    settings = ResultsTable.model_validate(table)
    return drawn(plot_results, folder, settings, cells_of(settings, files))


def cells_of(settings: ResultsTable, files: list[Path]) -> pd.DataFrame:
    return result_cells(ResultsTableSettings(table=settings), files, read_published(None, None))


def test_positives_are_drawn_for_each_llm_selection_only(tmp_path: Path) -> None:
    qualities = [
        quality("human", "human", [0, 9]),
        quality("utilsel", "utilsel", [1, 2, 1]),
        quality("rank", "utilrank", [0, 4]),
        quality("replug", "replug", None),
    ]
    titles = {text for text in drawn(plot_selected, tmp_path, qualities) if "mean" in text}
    assert titles == {"utilsel (mean 1.0)", "rank (mean 1.0)"}


def test_positions_are_drawn_for_each_llm_selection_only(tmp_path: Path) -> None:
    qualities = [positions("human", None), *(positions(name, [9, 9, 4]) for name in ("utilsel", "top"))]
    found = drawn(plot_positions, tmp_path, qualities)
    assert {"utilsel", "top", "selected by the LLM", "human positive"} <= found
    assert "human" not in found


def test_positions_to_which_few_lists_reach_are_not_drawn(tmp_path: Path) -> None:
    found = drawn(plot_positions, tmp_path, [positions("utilsel", [101, 101, 50, 2, 1, 1])])
    assert {"1", "4"} <= found
    assert not {"5", "6"} & found


@pytest.mark.parametrize(
    ("plot", "without"),
    [(plot_selected, quality("human", "human", [0, 9])), (plot_positions, positions("human", None))],
    ids=["positives", "positions"],
)
def test_a_figure_without_data_says_so(tmp_path: Path, plot: Any, without: dict[str, Any]) -> None:
    assert drawn(plot, tmp_path, [without]) == {"No label set of these trainings was selected by an LLM."}


def test_retrieval_draws_trainings_as_bars_and_bm25_and_untrained_as_lines(tmp_path: Path) -> None:
    files = [
        metrics(tmp_path, "bm25", "bm25", 0.4),
        metrics(tmp_path, "minilm", "untrained", 0.45),
        metrics(tmp_path, "minilm", "human", 0.5125),
    ]
    found = bars(tmp_path, table("untrained", "human", "utilsel"), files)
    assert {"dev: nDCG@10", "human", "utilsel", "51.2", "minilm untrained", "BM25"} <= found
    assert not {"untrained", "45.0", "40.0"} & found


def test_reranked_runs_are_lines_beside_trainings_and_bars_without(tmp_path: Path) -> None:
    files = [
        metrics(tmp_path, "bm25", "bm25", 0.4),
        metrics(tmp_path, "minilm", "human", 0.5),
        metrics(tmp_path, "reranked", "again", 0.6),
    ]
    found = bars(tmp_path, table("human") | {"reranked": ["again"]}, files)
    assert {"again", "BM25", "50.0"} <= found
    assert not {"40.0", "60.0"} & found
    alone = {"title": "t", "testsets": ["dev"], "reranked": ["again"]}
    assert {"again", "BM25", "40.0", "60.0"} <= bars(tmp_path, alone, files)


def test_untrained_alone_is_drawn_as_a_bar(tmp_path: Path) -> None:
    files = [metrics(tmp_path, "minilm", "untrained", 0.45)]
    found = bars(tmp_path, table("untrained"), files)
    assert {"untrained", "45.0"} <= found
    assert "minilm untrained" not in found


def test_training_has_a_panel_per_training_and_a_colour_per_backbone(tmp_path: Path) -> None:
    records = [training(tmp_path, backbone, name) for backbone in ("minilm", "e5") for name in ("human", "utilsel")]
    found = drawn(plot_training, tmp_path, records, {"human": ["human"], "utilsel": ["utilsel"]})
    assert {"human (summarglh)", "utilsel (summarglh)", "minilm", "e5"} <= found


DEV = {"metric": "ndcg@10", "curve": [[0, 0.3], [2, 0.45], [4, 0.62], [5, 0.5]], "kept_step": 4}


def test_the_metric_on_dev_questions_stands_beside_the_loss_on_an_axis_of_its_own(tmp_path: Path) -> None:
    records = [training(tmp_path, backbone, "human", dev=DEV) for backbone in ("minilm", "e5")]
    records.append(training(tmp_path, "minilm", "utilsel"))
    found = drawn(plot_training, tmp_path, records, {"human": ["human"], "utilsel": ["utilsel"]})
    assert {"minilm", "e5", "minilm, nDCG@10", "e5, nDCG@10", "nDCG@10 (percent)", "60"} <= found
    assert "nDCG@10 (percent)" not in drawn(plot_training, tmp_path, records[2:], {"utilsel": ["utilsel"]})


def test_the_seeds_of_a_training_share_a_panel(tmp_path: Path) -> None:
    seeds = {"human": ["human", "human-seed7"]}
    found = drawn(plot_training, tmp_path, [training(tmp_path, "minilm", name) for name in seeds["human"]], seeds)
    assert {text for text in found if "summarglh" in text} == {"human (summarglh)"}


def draw_positives(folder: Path) -> None:
    drawn(plot_selected, folder, [quality("utilsel", "utilsel", [1, 2, 1])])


def draw_positions(folder: Path) -> None:
    drawn(plot_positions, folder, [positions("utilsel", [9, 9])])


def draw_training(folder: Path) -> None:
    drawn(plot_training, folder, [training(folder, "minilm", "human")], {"human": ["human"]})


@pytest.mark.parametrize("draw", [draw_positives, draw_positions, draw_training])
def test_the_same_input_gives_the_same_file(tmp_path: Path, draw: Callable[[Path], None]) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        draw(tmp_path / name)
    first, second = ((tmp_path / name / "figure.svg").read_bytes() for name in ("first", "second"))
    assert first == second


def test_rows_have_the_tables_names_and_bm25_alone_is_a_bar(tmp_path: Path) -> None:
    files = [metrics(tmp_path, "minilm", "human", 0.5)]
    named = table("human") | {"groups": [{"rows": {"loss=singlelh": "human"}}], "with_bm25": False}
    found = bars(tmp_path, named, files)
    assert {"loss=singlelh", "50.0"} <= found
    assert not {"human", "BM25"} & found
    alone = {"title": "t", "testsets": ["dev"]}
    assert {"BM25", "40.0"} <= bars(tmp_path, alone, [metrics(tmp_path, "bm25", "bm25", 0.4)])


def test_the_script_draws_the_figures_of_a_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    files = [Path("results/metrics/minilm") / name / "dev.json" for name in ("human", "utilsel")]
    for name, metrics_file in zip(("human", "utilsel"), files, strict=True):
        metrics(metrics_file.parent, "minilm", name, 0.5, metrics_file.name)
        training(Path("results/models"), "minilm", name)
    write_json(Path("results/quality/human.json"), quality("human", "human", [0, 9]) | {"positions": None})
    selected = quality("useful", "utilsel", [1, 2, 1]) | positions("useful", [9, 9, 4])
    write_json(Path("results/quality/useful.json"), selected)
    shown = table("human", "utilsel") | {"with_bm25": False}
    file = write_configuration(tmp_path, tables={"main": shown})
    settings = ResultsTable.model_validate(shown)
    to_csv(cells_of(settings, files), "results/tables/main.csv")
    script.main(["results", "--config", file, "--figure", "main", "--output", "figure.svg"])
    assert {"dev: nDCG@10", "50.0"} <= texts(tmp_path)
    for command, expected in (
        ("positives", "useful (mean 1.0)"),
        ("positions", "useful"),
        ("training", "human (summarglh)"),
    ):
        script.main([command, "--config", file, "--output", "figure.svg"])
        assert expected in texts(tmp_path)
