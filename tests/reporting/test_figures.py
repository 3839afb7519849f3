"""The figures: what is drawn of which input, and that the same input gives the same file."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from utility_annotation.common.files import read_json, write_json
from utility_annotation.reporting.figures import plot_positions, plot_positives, plot_results, plot_training
from utility_annotation.reporting.tables import read_results
from utility_annotation.reporting.trainings import TrainingRecord
from utility_annotation.settings import ResultsTable

PNG = b"\x89PNG\r\n\x1a\n"


def quality(folder: Path, labels: str, source: str, distribution: list[int] | None) -> Path:
    selection = None
    if distribution is not None:
        mean = sum(number * queries for number, queries in enumerate(distribution)) / sum(distribution)
        selection = {"distribution": distribution, "positives_per_query": mean}
    path = folder / f"{labels}.json"
    write_json(path, {"labels": labels, "source": source, "queries": sum(distribution or [9]), "selection": selection})
    return path


def positions(folder: Path, labels: str, shown: list[int] | None) -> Path:
    """Quality of a label set whose lists reach to positions 1, 2, … as often as ``shown`` says."""
    path = folder / f"{labels}.json"
    counts = {name: [0.5 * number for number in shown or ()] for name in ("observed", "expected", "standard_deviation")}
    by_position = {"shown": shown, "selected": counts, "human": counts}
    write_json(path, {"labels": labels, "positions": {"by_position": by_position} if shown else None})
    return path


def metrics(folder: Path, backbone: str, run: str, value: float) -> Path:
    path = folder / f"{backbone}-{run}.json"
    write_json(
        path,
        {"backbone": backbone, "training": run, "testset": "dev", "queries": 9, "metrics": {"ndcg@10": value}},
    )
    return path


def training(folder: Path, backbone: str, run: str) -> Path:
    path = folder / backbone / run / "training.json"
    curve = [[step, 1, 2.0 / step, 1e-5] for step in range(1, 6)]
    write_json(path, {"training": {"loss": "summarglh"}, "curve": curve})
    return path


def table(*runs: str) -> dict[str, Any]:
    groups = [{"trainings": runs}]
    return {"title": "t", "backbones": ["minilm"], "groups": groups, "testsets": ["dev"], "baseline": None}


def drawn(plot: Callable[..., None], folder: Path, *data: Any) -> set[str]:
    """Every piece of text in the SVG that is drawn; matplotlib names it in a comment beside its outlines."""
    svg, png = folder / "figure.svg", folder / "figure.png"
    plot(*data, svg, png)
    assert png.read_bytes().startswith(PNG)
    text = svg.read_text(encoding="utf-8")
    ElementTree.fromstring(text)
    return set(re.findall(r"<!-- (.+?) -->", text))


def drawn_quality(plot: Callable[..., None], folder: Path, *files: Path) -> set[str]:
    return drawn(plot, folder, list(map(read_json, files)))


def drawn_results(folder: Path, settings: dict[str, Any], files: list[Path]) -> set[str]:
    checked = ResultsTable.model_validate(settings)
    return drawn(plot_results, folder, checked, read_results(checked, files))


def drawn_training(folder: Path, *files: Path) -> set[str]:
    return drawn(plot_training, folder, list(map(TrainingRecord.read, files)))


def test_positives_are_drawn_for_each_llm_selection_only(tmp_path: Path) -> None:
    files = [
        quality(tmp_path, "human", "human", [0, 9]),
        quality(tmp_path, "utilsel", "utilsel", [1, 2, 1]),
        quality(tmp_path, "rank", "utilrank", [0, 4]),
        quality(tmp_path, "replug", "replug", None),
    ]
    titles = {text for text in drawn_quality(plot_positives, tmp_path, *files) if "mean" in text}
    assert titles == {"utilsel (mean 1.0)", "rank (mean 1.0)"}


def test_positions_are_drawn_for_each_llm_selection_only(tmp_path: Path) -> None:
    files = [positions(tmp_path, "human", None), *(positions(tmp_path, name, [9, 9, 4]) for name in ("utilsel", "top"))]
    texts = drawn_quality(plot_positions, tmp_path, *files)
    assert {"utilsel", "top", "selected by the LLM", "human positive"} <= texts
    assert "human" not in texts


def test_positions_to_which_few_lists_reach_are_not_drawn(tmp_path: Path) -> None:
    texts = drawn_quality(plot_positions, tmp_path, positions(tmp_path, "utilsel", [101, 101, 50, 2, 1, 1]))
    assert {"1", "4"} <= texts
    assert not {"5", "6"} & texts


@pytest.mark.parametrize(
    ("plot", "write"),
    [
        (plot_positives, lambda folder: quality(folder, "human", "human", [0, 9])),
        (plot_positions, lambda folder: positions(folder, "human", None)),
    ],
    ids=["positives", "positions"],
)
def test_a_figure_without_data_says_so(
    tmp_path: Path, plot: Callable[..., None], write: Callable[[Path], Path]
) -> None:
    texts = drawn_quality(plot, tmp_path, write(tmp_path))
    assert texts == {"No label set of these trainings was selected by an LLM."}


def test_retrieval_draws_runs_as_bars_and_bm25_and_untrained_as_lines(tmp_path: Path) -> None:
    files = [
        metrics(tmp_path, "bm25", "bm25", 0.4),
        metrics(tmp_path, "minilm", "untrained", 0.45),
        metrics(tmp_path, "minilm", "human", 0.5125),
    ]
    texts = drawn_results(tmp_path, table("untrained", "human", "utilsel"), files)
    assert {"dev: nDCG@10", "human", "utilsel", "51.2", "minilm untrained", "BM25"} <= texts
    assert not {"untrained", "45.0", "40.0"} & texts


def test_untrained_alone_is_drawn_as_a_bar(tmp_path: Path) -> None:
    files = [metrics(tmp_path, "minilm", "untrained", 0.45)]
    texts = drawn_results(tmp_path, table("untrained"), files)
    assert {"untrained", "45.0"} <= texts
    assert "minilm untrained" not in texts


def test_training_has_a_panel_a_training_and_a_colour_a_backbone(tmp_path: Path) -> None:
    files = [training(tmp_path, backbone, run) for backbone in ("minilm", "e5") for run in ("human", "utilsel")]
    texts = drawn_training(tmp_path, *files)
    assert {"human (summarglh)", "utilsel (summarglh)", "minilm", "e5"} <= texts


def draw_positives(folder: Path) -> None:
    drawn_quality(plot_positives, folder, quality(folder, "utilsel", "utilsel", [1, 2, 1]))


def draw_positions(folder: Path) -> None:
    drawn_quality(plot_positions, folder, positions(folder, "utilsel", [9, 9]))


def draw_training(folder: Path) -> None:
    drawn_training(folder, training(folder, "minilm", "human"))


@pytest.mark.parametrize("draw", [draw_positives, draw_positions, draw_training])
def test_the_same_input_gives_the_same_file(tmp_path: Path, draw: Callable[[Path], None]) -> None:
    for name in ("first", "second"):
        draw(tmp_path / name)
    first, second = ((tmp_path / name / "figure.svg").read_bytes() for name in ("first", "second"))
    assert first == second


def test_rows_have_the_tables_names_and_bm25_alone_is_a_bar(tmp_path: Path) -> None:
    files = [metrics(tmp_path, "minilm", "human", 0.5)]
    named = table("human") | {"groups": [{"rows": {"loss=singlelh": "human"}}], "with_bm25": False}
    texts = drawn_results(tmp_path, named, files)
    assert {"loss=singlelh", "50.0"} <= texts
    assert not {"human", "BM25"} & texts
    alone = {"title": "t", "testsets": ["dev"]}
    files = [metrics(tmp_path, "bm25", "bm25", 0.4)]
    assert {"BM25", "40.0"} <= drawn_results(tmp_path, alone, files)
