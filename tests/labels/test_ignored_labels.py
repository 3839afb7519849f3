"""The third value of a label: what another stage selected and the source did not."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import label as script
import numpy as np
import pytest
from command_line import arguments, write_configuration
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from judged_pools import Pool, write_annotation, write_pool

from utility_annotation.common.errors import InputError
from utility_annotation.io.label_values import (
    IGNORED,
    NEGATIVE,
    POSITIVE,
    are_judgements,
    is_ignored,
    is_negative,
    is_positive,
    judgements,
)
from utility_annotation.io.schemas import LABELS, OUTCOMES
from utility_annotation.labels.against import agreement_of_labels
from utility_annotation.labels.judges import agreement
from utility_annotation.labels.settings import JudgedAlike
from utility_annotation.labels.sources import Parts, make_labels
from utility_annotation.labels.union import unite_labels
from utility_annotation.settings import Labels

POOL: Pool = {
    "q2": [("b", True), ("a", False), ("c", False)],
    "q1": [("c", False), ("d", True)],
}
Rows = dict[tuple[str, str], float]
"""(query_id, docid) → label."""


def rows_of(path: Path) -> Rows:
    return {(row["query_id"], row["docid"]): row["label"] for row in LABELS.read(path).to_pylist()}


def merge(
    folder: Path, annotation: dict[str, Any], relevance: dict[str, Any], pool: Pool = POOL, shards: int = 1, **keys: Any
) -> Rows:
    parts = Parts(
        write_pool(folder / "pool", pool, shards),
        write_annotation(folder / "annotation", annotation, shards),
        write_annotation(folder / "relevance", relevance, shards),
    )
    labels = Labels(**{"pool": "pool", "source": "utilsel", "annotator": "llm", "ignore": "relsel", **keys})
    make_labels(labels, parts, folder / "labels.parquet")
    return rows_of(folder / "labels.parquet")


@given(positive=st.lists(st.booleans(), max_size=9), data=st.data())
def test_every_judgement_is_one_of_three_and_a_positive_is_never_ignored(positive: list[bool], data: Any) -> None:
    ignored = np.array([data.draw(st.booleans()) for _ in positive], bool)
    labels = judgements(np.array(positive, bool), ignored)
    assert labels.dtype == np.float32
    assert np.array_equal(is_positive(labels), positive)
    assert np.array_equal(is_ignored(labels), ignored & ~np.array(positive, bool))
    assert np.array_equal(is_negative(labels), ~(is_positive(labels) | is_ignored(labels)))
    assert are_judgements(labels)


def test_likelihoods_are_no_judgements() -> None:
    assert not are_judgements(np.array([-1.0, -2.5], np.float32))


def test_what_relevance_selects_and_utility_does_not_is_ignored(tmp_path: Path) -> None:
    annotation = {"q1": {"docids": ["c"]}, "q2": {"docids": ["c"]}}
    relevance = {"q1": {"docids": ["c"]}, "q2": {"docids": ["b", "c"]}}
    assert merge(tmp_path, annotation, relevance) == {
        ("q1", "c"): POSITIVE,
        ("q1", "d"): NEGATIVE,
        ("q2", "b"): IGNORED,
        ("q2", "a"): NEGATIVE,
        ("q2", "c"): POSITIVE,
    }


def test_an_ignored_passage_is_on_no_list_of_a_selection(tmp_path: Path) -> None:
    empty = {"q1": {"outcome": "empty", "docids": []}, "q2": {"docids": ["c"]}}
    merge(tmp_path, empty, {"q1": {"docids": ["d"]}, "q2": {"docids": ["b", "c"]}})
    ranks = {
        (row["query_id"], row["docid"]): row["rank"] for row in LABELS.read(tmp_path / "labels.parquet").to_pylist()
    }
    assert {place for place, rank in ranks.items() if rank} == {("q2", "c")}


@pytest.mark.parametrize(("ignore", "ignored"), [("relsel", "dc"), ("utilsel", "c")])
def test_any_stage_that_selects_can_say_what_is_doubtful(tmp_path: Path, ignore: str, ignored: str) -> None:
    pool = {"q": [(docid, False) for docid in "abcd"]}
    ranking = {"q": {"docids": ["b", "c", "d"], "named": 3}}
    doubts = {"q": {"docids": ["b", *ignored]}}
    labels = merge(tmp_path, ranking, doubts, pool, source="utilrank", ignore=ignore)
    assert {docid for (_, docid), label in labels.items() if label == IGNORED} == set(ignored)
    assert labels["q", "b"] == POSITIVE


def test_doubts_that_could_not_be_read_are_counted_and_nothing_of_their_query_is_ignored(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    relevance = {"q1": {"docids": ["c", "d"]}, "q2": {"outcome": "unparsable"}}
    with caplog.at_level(logging.WARNING):
        labels = merge(tmp_path, {"q1": {"docids": ["c"]}, "q2": {"docids": ["c"], "whole_pool": True}}, relevance)
    assert {place for place, label in labels.items() if label == IGNORED} == {("q1", "d")}
    assert "1 labelled queries have no readable reply of stage relsel" in caplog.text


@pytest.mark.parametrize("relevance", [{"q1": {"docids": ["x"]}, "q2": {"docids": []}}, {"q1": {"docids": []}}])
def test_doubts_of_another_pool_are_refused_with_their_file(tmp_path: Path, relevance: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"relevance/0000-of-0001\.parquet: "):
        merge(tmp_path, {"q1": {"docids": []}, "q2": {"docids": []}}, relevance)
    assert not (tmp_path / "labels.parquet").exists()


@pytest.mark.parametrize("missing", ["annotations", "doubts"])
def test_a_pool_without_the_shards_of_a_stage_is_refused(tmp_path: Path, missing: str) -> None:
    shards = write_annotation(tmp_path / "llm", {"q1": {"docids": []}, "q2": {"docids": []}})
    parts = Parts(write_pool(tmp_path / "pool", POOL), **{"annotations": shards, "doubts": shards, missing: ()})
    labels = Labels(pool="pool", source="utilsel", annotator="llm", ignore="relsel")
    with pytest.raises(InputError, match=r"pool/0000-of-0001\.parquet: this pool shard has no annotation shard"):
        make_labels(labels, parts, tmp_path / "labels.parquet")


@st.composite
def annotated_pools(draw: st.DrawFn) -> tuple[Pool, dict[str, Any], dict[str, Any]]:
    """A pool, with any outcome and selection of either stage."""
    docids = st.lists(st.text("abcé", min_size=1, max_size=2), min_size=1, max_size=6, unique=True)
    queries = draw(st.lists(st.text("qé19", min_size=1, max_size=3), min_size=1, max_size=7, unique=True))
    pool: Pool = {query_id: [(docid, False) for docid in draw(docids)] for query_id in queries}

    def annotation() -> dict[str, Any]:
        return {
            query_id: {
                "outcome": draw(st.sampled_from(OUTCOMES)),
                "docids": draw(st.lists(st.sampled_from([docid for docid, _ in candidates]), unique=True)),
            }
            for query_id, candidates in pool.items()
        }

    useful = annotation()
    useful[queries[0]]["outcome"] = "ok"
    return pool, useful, annotation()


@given(data=annotated_pools(), shards=st.integers(1, 3))
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_labels_equal_a_plain_loop_for_any_number_of_shards(
    tmp_path_factory: pytest.TempPathFactory, data: tuple[Pool, dict[str, Any], dict[str, Any]], shards: int
) -> None:
    pool, useful, relevant = data
    expected = {}
    for query_id, candidates in pool.items():
        if useful[query_id]["outcome"] not in ("ok", "empty"):
            continue
        chosen, doubted = (
            of_stage[query_id]["docids"] if of_stage[query_id]["outcome"] == "ok" else [] for of_stage in data[1:]
        )
        for docid, _ in candidates:
            expected[query_id, docid] = POSITIVE if docid in chosen else IGNORED if docid in doubted else NEGATIVE
    assert merge(tmp_path_factory.mktemp("merge"), useful, relevant, pool, shards) == expected


# --- Labels of labels -----


def united(folder: Path, *members: Rows) -> Rows:
    files = []
    for place, rows in enumerate(members):
        files.append(folder / f"{place}.parquet")
        columns = [{"query_id": q, "docid": d, "label": label, "source": "test"} for (q, d), label in rows.items()]
        LABELS.write(files[-1], LABELS.rows(columns))
    names = [f"m{place}" for place in range(len(members))]
    pools = write_pool(folder / "pool", {"q": [(docid, False) for _, docid in members[0]]})
    unite_labels(Labels(pool="p", source="union", of=names), pools, files, folder / "union.parquet")
    return rows_of(folder / "union.parquet")


VALUES = (POSITIVE, IGNORED, NEGATIVE)
"""By their weight in a union."""


@pytest.mark.parametrize("first", VALUES)
@pytest.mark.parametrize("second", VALUES)
def test_in_a_union_a_positive_outweighs_a_doubt_and_a_doubt_a_negative(
    tmp_path: Path, first: float, second: float
) -> None:
    rows = united(tmp_path, {("q", "a"): first}, {("q", "a"): second})
    assert rows["q", "a"] == min(first, second, key=VALUES.index)


def test_the_script_ignores_by_the_stage_of_the_same_annotator_and_a_cascade_keeps_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_pool(Path("results/pools/pool"), POOL, 2)
    stages = {
        "relsel": {"q2": {"docids": ["b", "a"]}, "q1": {"docids": ["c", "d"]}},
        "utilsel": {"q2": {"docids": ["b"]}, "q1": {"outcome": "error"}},
    }
    for stage, annotation in stages.items():
        write_annotation(Path(f"results/annotation/pool/judge/{stage}"), annotation, 2)
    config = write_configuration(
        Path("config.yaml"),
        pools={"pool": {"dataset": "data", "source": {"path": "rows.jsonl"}, "shards": 2}},
        labels={
            "sure": {"pool": "pool", "source": "utilsel", "annotator": "judge", "ignore": "relsel"},
            "human": {"pool": "pool", "source": "human"},
            "in-turn": {"pool": "pool", "source": "cascade", "of": ["sure", "human"]},
        },
    )
    for name in ("sure", "human", "in-turn"):
        script.main(arguments("merge", config=config, labels=name, output=f"results/labels/{name}.parquet"))
    of_second = {("q2", "b"): POSITIVE, ("q2", "a"): IGNORED, ("q2", "c"): NEGATIVE}
    assert rows_of(Path("results/labels/sure.parquet")) == of_second
    assert rows_of(Path("results/labels/in-turn.parquet")) == {
        ("q1", "c"): NEGATIVE,
        ("q1", "d"): POSITIVE,
        **of_second,
    }


# --- Two label sets -----


def written(path: Path, rows: Rows) -> Path:
    columns = [{"query_id": q, "docid": d, "label": label, "source": "utilsel"} for (q, d), label in rows.items()]
    LABELS.write(path, LABELS.rows(columns))
    return path


def test_agreement_is_of_what_both_call_positive_or_negative_and_the_rest_is_counted(tmp_path: Path) -> None:
    ours = {("q1", "a"): 1, ("q1", "b"): IGNORED, ("q1", "c"): 0, ("q2", "a"): IGNORED, ("q2", "b"): 1}
    theirs = {("q1", "a"): 1, ("q1", "b"): 1, ("q1", "c"): 0, ("q2", "a"): 0, ("q2", "b"): IGNORED}
    found = agreement_of_labels(written(tmp_path / "a.parquet", ours), written(tmp_path / "b.parquet", theirs))
    assert (found["questions"], found["passages"], found["ignored"]) == (2, 2, 3)
    assert (found["kappa"], found["precision"], found["recall"]) == (1, 100, 100)
    assert found["sources"] == {"utilsel": 2}


def test_label_sets_of_which_one_ignores_all_have_no_agreement(tmp_path: Path) -> None:
    ours, theirs = {("q", "a"): IGNORED, ("q", "b"): IGNORED}, {("q", "a"): 1.0, ("q", "b"): 0.0}
    found = agreement_of_labels(written(tmp_path / "a.parquet", ours), written(tmp_path / "b.parquet", theirs))
    assert (found["passages"], found["ignored"]) == (0, 2)
    assert [found[name] for name in ("kappa", "kappa_interval", "precision", "recall")] == [None] * 4


def test_a_judge_does_not_judge_what_it_ignores(tmp_path: Path) -> None:
    """Without the ignored passage the two agree on all; as a negative it would be a disagreement."""
    files = {
        "one": written(tmp_path / "one.parquet", {("q", "a"): 1, ("q", "b"): IGNORED, ("q", "c"): 0}),
        "two": written(tmp_path / "two.parquet", {("q", "a"): 1, ("q", "b"): 1, ("q", "c"): 0}),
    }
    found = agreement(JudgedAlike(judges={"first": "one", "second": "two"}, relevance_level=1), files, None, [])
    assert (found["passages"], found["alpha"], found["pairs"][0]["kappa"]) == (2, 1, 1)
