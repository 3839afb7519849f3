"""Whatever a configuration sets reaches a job, or is refused."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from job_settings import stale_rules
from whole import WHOLE, at_places

from utility_annotation.common.errors import InputError
from utility_annotation.planning.loading import load
from utility_annotation.settings import Configuration

TALK = {"export_labels", "write_report"}
"""What only tells of a setting."""

FILES_ALONE = {
    "datasets/data/shards",  # how many jobs encode the corpus
    "datasets/written/shards",
    "datasets/written/documents/shards",  # how many jobs read the documents
    "pools/ids/titles",  # no training reads this pool
    "pools/of-made/titles",
}
"""Places that decide which jobs there are, or that nothing rests on in this configuration."""


def places(values: Any, above: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Every number and switch, with its value."""
    if isinstance(values, dict):
        for key, value in values.items():
            yield from places(value, (*above, key))
    elif isinstance(values, bool | int | float):
        yield "/".join(above), values


def other(value: float) -> float:
    if isinstance(value, bool):
        return not value
    return value + 1 if isinstance(value, int) else 0.5 * value + 0.01


def changed(place: str, value: float) -> Configuration | None:
    raw = copy.deepcopy(WHOLE.model_dump(mode="json"))
    *parents, key = place.split("/")
    section = raw
    for parent in parents:
        section = section[parent]
    section[key] = other(value)
    try:
        return load(raw)
    except InputError:
        return None


PLACES = dict(places(WHOLE.model_dump(mode="json", exclude={"performance"})))


def test_every_number_and_switch_reaches_a_job_or_is_refused() -> None:
    ignored = set()
    for place, value in PLACES.items():
        configuration = changed(place, value)
        if configuration is not None and not stale_rules(WHOLE, configuration) - TALK:
            ignored.add(place)
    assert len(PLACES) > 150
    assert ignored == FILES_ALONE


@pytest.mark.parametrize(
    ("place", "value", "why"),
    [
        ("models/bert/revision", "v1", "without `hub`"),
        ("datasets/data/splits/asked/unknown_passages", "keep", "without `qrels`"),
        ("datasets/data/splits/asked/unknown_queries", "drop", "without `qrels` and `answers`"),
        ("pools/rows/source/depth", 10, "on rows of format tevatron"),
        ("pools/ids/source/retrievers", ["encoder/human"], "on rows of format tevatron-ids"),
        ("annotators/list/pointwise", {"margin": 0.1}, "under the protocol listwise"),
        ("annotators/point/sampling", {"temperature": 0.5}, "under the protocol pointwise"),
        ("reranked/by-point/window", 15, "under the protocol pointwise"),
        ("selected/chosen/method", "platt", "with an annotator"),
        ("selected/chosen/threshold", 0.7, "with an annotator"),
        ("selected/sure/stage", "relsel", "with `labels`"),
        ("reranked/by-point/step", 5, "under the protocol pointwise"),
        ("labels/useful/top_percent", 20, "on labels of source utilsel"),
        ("labels/human/ignore", "relsel", "on labels of source human"),
        ("labels/judged/ignore", "relsel", "on labels of source relsel"),
        ("labels/theirs/top_percent", 20, "on labels of source file"),
        ("labels/useful/unknown_passages", "drop", "on labels of source utilsel"),
        ("trainings/human/positives", "pos-one", "with loss singlelh"),
        ("trainings/likely/positives", "pos-avg", "with loss kl"),
        ("trainings/useful/answer_temperature", 2.0, "with loss summarglh"),
        ("tables/bare", {"title": "B", "testsets": ["dev"], "baseline": None, "significance_level": 0.01}, "baseline"),
        ("tables/bare", {"title": "B", "testsets": ["dev"], "label_metrics": ["recall"]}, "without trainings"),
    ],
)
def test_a_setting_without_effect_is_refused_with_its_place_and_the_reason(place: str, value: Any, why: str) -> None:
    with pytest.raises(InputError, match=rf"{place.replace('/', '.')}(\.\w+)? has no effect .*{why}"):
        at_places({place: value})
