"""The large run on paper: its configuration, the lines of memory, and the line that is redone by hand."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from utility_annotation.audit.sizes import Sizes
from utility_annotation.audit.tables import KnownModel, Rate, read_sizes
from utility_annotation.planning.loading import load
from utility_annotation.planning.resources import REQUESTS

LINES = {
    kind: {"base_megabytes": base, "bytes_a_row": slope, "measured_to": 100}
    for kind, base, slope in (("pool", 300, 200), ("passages", 100, 30), ("labels", 200, 2000), ("training", 150, 100))
}
MODEL = KnownModel(model="m", parameters=9e9, multiplied=8e9, dimension=4, bytes=16_000, source="a test's own")


@pytest.fixture
def scale() -> Any:
    return importlib.import_module("scale")


def rate(**values: Any) -> Rate:
    return Rate(device="H100", work="prompt", basis="measured", source="a test's own", **values)


def test_the_large_run_has_the_sizes_that_are_told(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scale: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    configuration = load(yaml.safe_load((root / scale.PLANS["large"].configuration).read_text()))
    tables = [root / scale.PLANS["large"].sizes, root / "resources/audit/sizes.yaml"]
    sizes = Sizes(configuration, read_sizes(tables))
    assert sizes.corpus("large").number == scale.PASSAGES
    assert len(configuration.pools) == scale.PARTS
    assert sum(sizes.pool(name).questions for name in configuration.pools) == scale.QUESTIONS
    assert {sizes.pool(name).candidates for name in configuration.pools} == {scale.CANDIDATES}
    assert sizes.model("retriever").dimension == scale.WIDTH
    trained = set()
    run: str | None = dict(configuration.tables["large"].groups[0].rows)["utilsel"]
    while run is not None:
        trained.add(configuration.trainings[run].labels)
        run = configuration.trainings[run].init_from
    assert trained == set(configuration.labels), "the retriever is trained on every part"


def test_memory_grows_with_questions_and_passages(scale: Any) -> None:
    assert scale.HELD["merge_labels"].megabytes(LINES, 1000) == pytest.approx(200 + 2)
    assert scale.HELD["build_pool"].megabytes(LINES, 10_000_000) == pytest.approx(300 + 2000 + 3000)
    assert scale.HELD["train"].megabytes(LINES, 1_000_000) == pytest.approx(150 + 3100)


def test_an_amount_by_hand(scale: Any) -> None:
    assert scale._with_rate(10, rate(seconds=90), MODEL)["seconds"] == 900
    assert scale._with_rate(10, rate(rate=5), MODEL)["seconds"] == 2
    assert scale._with_rate(1000, rate(rate=1.6e13, per="FLOP"), MODEL)["seconds"] == pytest.approx(1)
    assert scale._with_rate(1000, rate(rate=4e6, per="weight byte"), MODEL)["seconds"] == 4


def test_times_are_shown_in_the_unit_that_fits(scale: Any) -> None:
    assert [scale._shown_hours(hours) for hours in (0.5, 3, 96)] == ["30 min", "3.0 h", "96 h (4.0 days)"]


def test_memory_that_was_not_measured_has_no_row(scale: Any) -> None:
    table = "\n".join(scale._memory_table(LINES))
    assert "| merge_labels | 4 GB | 2.2 GB | **20.2 GB** |" in table
    assert "| mine_negatives |" not in table


def test_memory_asked_for_is_that_of_the_rules(root: Path, scale: Any) -> None:
    profile = (root / "profiles" / "slurm" / "config.yaml").read_text()
    (unnamed,) = re.findall(r"^  mem_mb: (\d+) \* attempt", profile, re.M)
    asked = {name: REQUESTS[name].mem_mb or int(unnamed) for name in scale.HELD}
    assert asked == {name: held.asked for name, held in scale.HELD.items()}
