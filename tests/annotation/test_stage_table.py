"""The table of stages: what each rests on, and that one entry makes a stage a label source everywhere."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from command_line import configuration
from judged_pools import write_annotation, write_pool

from utility_annotation.annotation.names import TRUTH
from utility_annotation.annotation.stages import QUESTION, STAGES, StageEntry, Way, chain
from utility_annotation.common.errors import InputError
from utility_annotation.common.files import write_json
from utility_annotation.io.schemas import LABELS
from utility_annotation.labels.cost import Records
from utility_annotation.labels.quality import label_quality
from utility_annotation.labels.sources import (
    Parts,
    descriptions,
    is_graded,
    is_measured,
    is_narrowed,
    is_soft,
    make_labels,
    needs_truth,
)
from utility_annotation.labels.work import Work, work_of_labels, work_of_training
from utility_annotation.planning import annotation, jobs, labels
from utility_annotation.planning.loading import load
from utility_annotation.planning.plan import Plan
from utility_annotation.planning.tables import choices
from utility_annotation.reporting.cards import collect
from utility_annotation.reporting.judges import judges_of_pools
from utility_annotation.reporting.settings import CardSettings


@pytest.mark.parametrize(
    ("stage", "listwise", "pointwise"),
    [
        ("relsel", ["relsel"], ["relsel"]),
        ("answer", ["relsel", "answer"], ["relsel", "answer"]),
        ("utilsel", ["relsel", "answer", "utilsel"], ["relsel", "answer", "utilsel"]),
        ("utilrank", ["relsel", "answer", "utilrank"], ["relsel", "answer", "utilsel", "utilrank"]),
        ("utilsel-truth", ["utilsel-truth"], ["utilsel-truth"]),
        ("replug", ["replug"], ["replug"]),
        ("umbrela", ["umbrela"], ["umbrela"]),
        ("utilgrade", ["relsel", "answer", "utilgrade"], ["relsel", "answer", "utilgrade"]),
        ("arhn", ["snippet", "arhn"], ["snippet", "arhn"]),
    ],
)
def test_a_stage_rests_on_those_that_it_reads_and_shares(stage: str, listwise: list[str], pointwise: list[str]) -> None:
    assert list(chain(stage, "listwise")) == listwise
    assert list(chain(stage, "pointwise")) == pointwise


def test_a_stage_asks_in_the_way_of_its_protocol() -> None:
    entry = STAGES["utilrank"]
    assert entry.way("listwise") is entry.listwise
    assert entry.way("pointwise") is entry.pointwise
    with pytest.raises(KeyError):
        entry.way("pairwise")


def test_a_stage_stands_behind_those_that_it_reads() -> None:
    order = list(STAGES)
    for name, entry in STAGES.items():
        for reads in entry.reads:
            assert reads == TRUTH or order.index(reads) < order.index(name)
        for way in (entry.listwise, entry.pointwise):
            assert way.shares is None or order.index(way.shares) < order.index(name)


@pytest.mark.parametrize("name", STAGES)
@pytest.mark.parametrize("protocol", ["listwise", "pointwise"])
def test_every_way_has_its_template_and_keys_that_an_annotator_has(root: Path, name: str, protocol: str) -> None:
    way = STAGES[name].way(protocol)
    assert (root / "resources" / "prompts" / way.template).is_file()
    settings = configuration().annotators["judge"].only(*way.settings)
    assert set(settings.model_dump()) == {key.partition(".")[0] for key in way.settings}


WRITTEN = [name for name in STAGES if name.startswith(QUESTION)]


def test_which_stages_are_narrowed_soft_or_given_the_truth() -> None:
    assert [name for name in STAGES if is_narrowed(name)] == ["answer", "utilsel", "utilrank", "utilgrade"]
    assert [name for name in STAGES if is_soft(name)] == ["replug"]
    assert [name for name in STAGES if is_graded(name)] == ["umbrela", "utilgrade", "rlhn", "snippet", "arhn"]
    assert [name for name in STAGES if is_measured(name)] == ["gain-short", "gain-sentence"]
    assert [name for name in STAGES if needs_truth(name)] == ["utilsel-truth", "replug", "gain-short", "gain-sentence"]
    assert [name for name, entry in STAGES.items() if entry.labels is None] == ["answer", *WRITTEN]


def test_sources_are_humans_the_stages_that_label_and_the_others() -> None:
    assert list(descriptions()) == [
        *("human", "relsel", "utilsel", "utilrank", "utilsel-truth", "replug", "umbrela", "utilgrade"),
        *("rlhn", "snippet", "arhn", "gain-short", "gain-sentence", "union", "vote", "file", "selector", "cascade"),
    ]


# One new stage, as a user would add it: another selection that reads the relevance selection.

NEW = StageEntry(
    description="a new selection: the passages that it chose",
    reads=("relsel",),
    listwise=Way("new.j2", "selection", ("sampling",)),
    pointwise=Way("new.j2", settings=("pointwise.margin",)),
    make=STAGES["relsel"].make,
    labels=STAGES["utilsel"].labels,
    runtime=11,
)
POOL = {"q1": [("a", True), ("b", False), ("c", False)], "q2": [("b", False), ("d", True)]}
SHOWN = {"q1": {"docids": ["a", "b"]}, "q2": {"docids": ["b", "d"]}}
CHOSEN = {"q1": {"docids": ["b"]}, "q2": {"docids": ["d", "b"]}}
SECTIONS: dict[str, Any] = {
    "labels": {"chosen": {"pool": "pool", "source": "new", "annotator": "judge"}},
    "trainings": {"chosen": {"labels": "chosen"}},
    "label_tables": {"sets": {"title": "Sets", "labels": ["chosen"]}},
}


@pytest.fixture
def _new(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(STAGES, "new", NEW)  # type: ignore[arg-type]


def test_without_its_entry_the_stage_is_no_source() -> None:
    with pytest.raises(InputError, match=r"labels\.chosen\.source names 'new', which is not one of the sources"):
        configuration(**SECTIONS)


@pytest.mark.usefixtures("_new")
def test_a_new_stage_is_accepted_described_and_planned() -> None:
    known = configuration(**SECTIONS)
    assert choices()["labels.*.source"]["new"] == NEW.description
    assert list(chain("new", "listwise")) == ["relsel", "new"]
    assert annotation.template(known, stage="new", annotator="judge") == "prompts/new.j2"
    shard = "0000-of-0001"
    assert annotation.earlier(known, stage="new", pool="pool", annotator="judge", shard=shard) == [
        f"results/annotation/pool/judge/relsel/{shard}.parquet"
    ]
    assert labels.annotation_shards(known, labels="chosen") == [f"results/annotation/pool/judge/new/{shard}.parquet"]
    assert labels.relevance_shards(known, labels="chosen") == [f"results/annotation/pool/judge/relsel/{shard}.parquet"]
    settings = json.loads(Plan(known, Path()).settings(jobs.annotate, stage="new")(known_wildcards(annotator="judge")))
    assert "sampling" in settings
    assert "answer_sampling" not in settings


def known_wildcards(**values: str) -> Any:
    from types import SimpleNamespace

    return SimpleNamespace(**values)


@pytest.mark.usefixtures("_new")
def test_labels_of_a_new_stage_are_made_and_compared(tmp_path: Path) -> None:
    known = configuration(**SECTIONS)
    pools = write_pool(tmp_path / "pool", POOL)
    shown, chosen = (write_annotation(tmp_path / name, rows) for name, rows in (("relsel", SHOWN), ("new", CHOSEN)))
    output = tmp_path / "labels.parquet"
    make_labels(jobs.merge_labels(known, labels="chosen"), Parts(pools, chosen), output)
    rows = LABELS.read(output).to_pylist()
    assert {(row["query_id"], row["docid"]) for row in rows if row["label"]} == {("q1", "b"), ("q2", "d"), ("q2", "b")}
    assert {row["source"] for row in rows} == {"new"}
    figures = label_quality(jobs.label_quality(known, labels="chosen"), output, pools, chosen, shown)
    assert figures["selection"]["recall"] == pytest.approx(50)
    assert figures["positions"]["by_position"]["shown"] == [2, 2], "what the relevance selection kept"
    with pytest.raises(InputError, match="labels of source new need a relevance selection"):
        label_quality(jobs.label_quality(known, labels="chosen"), output, pools, chosen)


@pytest.mark.usefixtures("_new")
def test_the_cost_of_a_new_stage_counts(tmp_path: Path) -> None:
    known = configuration(**SECTIONS)
    work = work_of_training(known, "chosen")
    assert [part.kind for part in work or ()] == ["relsel", "new"]
    assert work == work_of_labels(known, "chosen")
    files = write_annotation(tmp_path / "pool" / "judge" / "new", CHOSEN)
    job = {"prompt_tokens": 180, "new_tokens": 20, "engine_seconds": 3600.0, "load_seconds": 0, "gpus": 2}
    write_json(files[0].with_suffix(".json"), job | {"earlier": None})
    effort = Records([], files).effort([Work(kind="new", pool="pool", annotator="judge")])
    assert effort.device_hours == pytest.approx(2 * 220 / 200)


@pytest.mark.usefixtures("_new")
def test_a_new_stage_judges_in_the_report(tmp_path: Path) -> None:
    known = configuration(**SECTIONS)
    (judges,) = judges_of_pools(known, ["chosen"]).values()
    assert [(judge.stage, judge.narrowed_by) for judge in judges] == [("relsel", None), ("new", "relsel")]

    write_pool(tmp_path / "pools" / "pool", POOL)
    for stage, rows in (("relsel", SHOWN), ("new", CHOSEN)):
        write_annotation(tmp_path / "annotation" / "pool" / "judge" / stage, rows)
    found = collect(CardSettings(pool="pool", questions=9, seed=1, judges=tuple(judges)), tmp_path, shards=1)
    cards = {card["query_id"]: card for card in found["cards"]}
    assert [said["facts"] for said in cards["q1"]["judgements"]] == [("ok", "adds"), ("ok", "adds", "misses")]
    positive = [mark and mark["positive"] for mark in cards["q1"]["judgements"][1]["marks"]]
    assert positive == [False, True, None], "the third passage was not shown"


@pytest.mark.usefixtures("_new")
def test_a_new_stage_that_is_given_the_truth_needs_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(STAGES, "new", replace(NEW, reads=(TRUTH,)))  # type: ignore[arg-type]
    assert [part.kind for part in work_of_labels(configuration(**SECTIONS), "chosen") or ()] == ["answers", "new"]
    raw = configuration(**SECTIONS).model_dump(mode="json")
    raw["datasets"]["data"]["splits"]["train"]["answers"] = None
    with pytest.raises(InputError, match=r"new needs datasets\.data\.splits\.train\.answers"):
        load(raw)
