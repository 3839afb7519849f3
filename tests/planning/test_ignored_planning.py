"""Labels that ignore what another stage selected: the files that they need, what they cost, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from job_settings import settings_of
from whole import WHOLE, at_places

from utility_annotation.common.errors import InputError
from utility_annotation.labels.sources import stages_of
from utility_annotation.labels.work import work_of_labels
from utility_annotation.planning import entries, labels
from utility_annotation.settings import Labels

IGNORING = at_places({"labels/useful/ignore": "relsel", "labels/given-truth/ignore": "relsel"})


def test_the_doubts_are_the_shards_of_the_stage_of_the_same_annotator_and_pool() -> None:
    shards = [f"results/annotation/rows/list/relsel/000{shard}-of-0002.parquet" for shard in range(2)]
    assert labels.doubt_shards(IGNORING, labels="useful") == shards
    assert labels.doubt_shards(WHOLE, labels="useful") == []
    assert labels.doubt_shards(WHOLE, labels="both") == []


@pytest.mark.parametrize(
    ("source", "ignore", "stages"),
    [
        ("utilsel", None, ["relsel", "answer", "utilsel"]),
        ("utilsel", "relsel", ["relsel", "answer", "utilsel"]),
        ("utilsel-truth", None, ["utilsel-truth"]),
        ("utilsel-truth", "relsel", ["relsel", "utilsel-truth"]),
        ("utilrank", "utilsel", ["relsel", "answer", "utilsel", "utilrank"]),
        ("human", None, []),
    ],
)
def test_the_stages_of_a_label_set_are_those_of_its_source_and_of_its_doubts(
    source: str, ignore: str | None, stages: list[str]
) -> None:
    assert stages_of(Labels(pool="p", source=source, annotator="a", ignore=ignore), "listwise") == stages


def test_doubts_that_are_paid_for_already_cost_nothing_and_others_are_counted() -> None:
    assert work_of_labels(IGNORING, "useful") == work_of_labels(WHOLE, "useful")
    kinds = {name: [work.kind for work in work_of_labels(IGNORING, name) or ()] for name in ("useful", "given-truth")}
    assert kinds == {"useful": ["relsel", "answer", "utilsel"], "given-truth": ["answers", "relsel", "utilsel-truth"]}


def test_labels_are_stale_by_the_rule_of_the_stage_that_says_what_is_doubtful() -> None:
    rule = "utility_annotation.annotation.stages:STAGES[relsel].labels"
    assert rule in entries.merge_labels(IGNORING, labels="useful")
    assert rule not in entries.merge_labels(WHOLE, labels="useful")


def test_no_setting_of_a_job_tells_of_it_where_nothing_is_ignored() -> None:
    assert not [job for job, settings in settings_of(WHOLE).items() if '"ignore"' in settings]


@pytest.mark.parametrize(
    ("places", "message"),
    [
        (
            {"labels/useful/ignore": "relesl"},
            r"labels\.useful\.ignore names 'relesl'.* stages that select \(did you mean 'relsel'\?\)",
        ),
        ({"labels/useful/ignore": "utilrank"}, r"labels\.useful\.ignore names 'utilrank'.*known: relsel, utilsel"),
        (
            {"labels/likely/ignore": "relsel"},
            r"labels\.likely\.ignore: .*replug are likelihoods, which cannot be ignored",
        ),
    ],
)
def test_what_cannot_be_ignored_is_refused_when_the_configuration_is_read(places: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        at_places(places)
