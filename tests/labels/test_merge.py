"""Labels from annotation and pool shards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from judged_pools import Pool, write_annotation, write_pool

from utility_annotation.common.errors import InputError
from utility_annotation.io.schemas import LABELS, OUTCOMES
from utility_annotation.labels import merge as labels_module
from utility_annotation.labels import shards as label_shards
from utility_annotation.labels.shards import query_subset
from utility_annotation.labels.sources import Parts, make_labels
from utility_annotation.settings import Labels, QuerySubset

POOL_OF_TWO: Pool = {
    "q2": [("b", True), ("a", False), ("c", False)],
    "q1": [("c", False), ("d", True)],
}


def merge(tmp_path: Path, pool: Pool, annotation: dict[str, dict[str, Any]], shards: int = 1, **labels: Any) -> Any:
    """The merged labels as (query_id, docid) → label, and what became of the queries."""
    human = labels["source"] == "human"
    pools = write_pool(tmp_path / "pool", pool, shards)
    annotations = [] if human else write_annotation(tmp_path / "annotation", annotation, shards)
    settings = Labels(pool="pool", annotator=None if human else "llm", **labels)
    merged = make_labels(settings, Parts(pools, annotations), tmp_path / "labels.parquet")
    rows = LABELS.read(tmp_path / "labels.parquet").to_pylist()
    return {(row["query_id"], row["docid"]): row["label"] for row in rows}, merged


def positives(labels: dict[tuple[str, str], float]) -> set[tuple[str, str]]:
    return {place for place, label in labels.items() if label > 0}


def test_human_labels_are_the_pools_human_positives_ordered_by_query(tmp_path: Path) -> None:
    labels, _ = merge(tmp_path, POOL_OF_TWO, {}, source="human")
    assert list(labels.items()) == [
        (("q1", "c"), 0),
        (("q1", "d"), 1),
        (("q2", "b"), 1),
        (("q2", "a"), 0),
        (("q2", "c"), 0),
    ]


def listed(tmp_path: Path) -> dict[str, list[str]]:
    """Query id → docids of the merged labels that have a rank, lowest first."""
    rows = [row for row in LABELS.read(tmp_path / "labels.parquet").to_pylist() if row["rank"] is not None]
    of_query: dict[str, list[str]] = {}
    for row in sorted(rows, key=lambda row: row["rank"]):
        of_query.setdefault(row["query_id"], []).append(row["docid"])
    return of_query


def test_human_positives_keep_the_order_of_the_source(tmp_path: Path) -> None:
    merge(tmp_path, {"q": [("c", True), ("n", False), ("a", True), ("b", True)]}, {}, source="human")
    assert listed(tmp_path) == {"q": ["b", "a", "c"]}


@pytest.mark.parametrize("shards", [1, 2])
@pytest.mark.parametrize("source", ["relsel", "utilsel", "utilrank", "utilsel-truth"])
def test_what_an_llm_lists_keeps_the_order_of_its_reply(tmp_path: Path, source: str, shards: int) -> None:
    annotation = {"q2": {"docids": ["c", "b", "a"]}, "q1": {"outcome": "empty", "docids": []}}
    merge(tmp_path, POOL_OF_TWO, annotation, shards, source=source)
    assert listed(tmp_path) == {"q2": ["c", "b", "a"]}


def test_likelihoods_are_no_list(tmp_path: Path) -> None:
    scores = {"q1": "cd", "q2": "abc"}
    annotation = {
        query_id: {"scores": [{"docid": d, "score": -1.0} for d in docids]} for query_id, docids in scores.items()
    }
    merge(tmp_path, POOL_OF_TWO, annotation, source="replug")
    assert listed(tmp_path) == {}


@pytest.mark.parametrize("source", ["relsel", "utilsel"])
def test_a_selection_is_positive_and_the_rest_of_the_pool_negative(tmp_path: Path, source: str) -> None:
    annotation = {"q1": {"docids": ["c"]}, "q2": {"docids": ["c", "b"]}}
    labels, _ = merge(tmp_path, POOL_OF_TWO, annotation, source=source)
    assert positives(labels) == {("q1", "c"), ("q2", "c"), ("q2", "b")}
    assert len(labels) == 5


def test_the_source_stands_in_every_row(tmp_path: Path) -> None:
    merge(tmp_path, POOL_OF_TWO, {"q1": {"docids": []}, "q2": {"docids": []}}, source="utilsel")
    assert set(LABELS.read(tmp_path / "labels.parquet")["source"].to_pylist()) == {"utilsel"}


@pytest.mark.parametrize(
    ("listed", "top_percent", "expected"),
    [(5, 10, 1), (9, 10, 1), (10, 10, 1), (19, 10, 1), (20, 10, 2), (100, 29, 29), (30, 10, 3), (10, 100, 10)],
)
def test_utilrank_takes_the_floor_of_the_share_and_at_least_one(
    tmp_path: Path, listed: int, top_percent: float, expected: int
) -> None:
    pool = {"q": [(f"d{place}", False) for place in range(listed + 1)]}
    ranking = [f"d{place}" for place in reversed(range(listed))]
    labels, _ = merge(tmp_path, pool, {"q": {"docids": ranking}}, source="utilrank", top_percent=top_percent)
    assert positives(labels) == {("q", docid) for docid in ranking[:expected]}


@pytest.mark.parametrize(("named", "expected"), [(1, "d"), (3, "d"), (4, "dc"), (8, "dcba")])
def test_a_passage_that_completes_a_ranking_is_on_no_list(tmp_path: Path, named: int, expected: str) -> None:
    pool = {"q": [(docid, False) for docid in "abcdefgh"], "whole": [("a", False), ("b", False)]}
    annotation = {"q": {"docids": list("dcbahgfe"), "named": named}, "whole": {"docids": ["b", "a"]}}
    labels, _ = merge(tmp_path, pool, annotation, source="utilrank", top_percent=50)
    assert positives(labels) == {*(("q", docid) for docid in expected), ("whole", "b")}
    assert listed(tmp_path) == {"q": list("dcbahgfe"[:named]), "whole": ["b", "a"]}
    assert len(labels) == 10


def test_replug_labels_are_the_candidates_log_likelihoods(tmp_path: Path) -> None:
    scores = {"q1": {"c": -1.5, "d": -0.25}, "q2": {"a": -3.0, "c": -2.0, "b": -4.0}}
    annotation = {
        query_id: {"scores": [{"docid": docid, "score": score} for docid, score in of_query.items()]}
        for query_id, of_query in scores.items()
    }
    labels, _ = merge(tmp_path, POOL_OF_TWO, annotation, source="replug")
    assert labels == {
        (query_id, docid): score for query_id, of_query in scores.items() for docid, score in of_query.items()
    }


def test_an_empty_selection_leaves_all_candidates_negative(tmp_path: Path) -> None:
    annotation = {"q1": {"outcome": "empty", "docids": []}, "q2": {"docids": ["a"]}}
    labels, merged = merge(tmp_path, POOL_OF_TWO, annotation, source="utilsel")
    assert {label for (query_id, _), label in labels.items() if query_id == "q1"} == {0}
    assert (merged.labelled, merged.left_out) == (2, {})


@pytest.mark.parametrize("outcome", ["unparsable", "truncated", "error"])
def test_a_failed_reply_leaves_its_query_out_and_is_counted(tmp_path: Path, outcome: str) -> None:
    annotation = {"q1": {"outcome": outcome}, "q2": {"docids": ["a"]}}
    labels, merged = merge(tmp_path, POOL_OF_TWO, annotation, source="utilsel")
    assert {query_id for query_id, _ in labels} == {"q2"}
    assert (merged.labelled, merged.left_out) == (1, {outcome: 1})


def test_zeros_never_pass_for_log_likelihoods(tmp_path: Path) -> None:
    scores = [{"docid": docid, "score": -1.0} for docid in "abc"]
    annotation = {"q1": {"outcome": "empty"}, "q2": {"scores": scores}}
    labels, merged = merge(tmp_path, POOL_OF_TWO, annotation, source="replug")
    assert {query_id for query_id, _ in labels} == {"q2"}
    assert merged.left_out == {"empty": 1}


def test_no_usable_reply_at_all_is_an_error_that_leaves_no_file(tmp_path: Path) -> None:
    annotation = {"q1": {"outcome": "error"}, "q2": {"outcome": "truncated"}}
    with pytest.raises(InputError, match="no query is left"):
        merge(tmp_path, POOL_OF_TWO, annotation, source="utilsel")
    assert not (tmp_path / "labels.parquet").exists()


BAD_ANNOTATIONS = {
    "query q2 of the pool is not annotated": {"q1": {"docids": []}},
    "query q3 is not in the pool": {"q1": {"docids": []}, "q2": {"docids": []}, "q3": {"docids": []}},
    "passage d is not among the candidates of query q2": {"q1": {"docids": []}, "q2": {"docids": ["a", "d"]}},
    "passage x is not among": {"q1": {"docids": ["x"]}, "q2": {"docids": []}},
    "passage a is listed twice for query q2": {"q1": {"docids": []}, "q2": {"docids": ["a", "b", "a"]}},
    "'fine' is no outcome": {"q1": {"docids": []}, "q2": {"docids": [], "outcome": "fine"}},
    "query q2 has the outcome ok but no docids": {"q1": {"docids": []}, "q2": {"answer": "42"}},
}


@pytest.mark.parametrize("message", BAD_ANNOTATIONS)
def test_an_annotation_that_does_not_fit_the_pool_is_refused_by_name(tmp_path: Path, message: str) -> None:
    with pytest.raises(InputError, match=rf"annotation/0000-of-0001\.parquet: .*{message}"):
        merge(tmp_path, POOL_OF_TWO, BAD_ANNOTATIONS[message], source="utilsel")


def test_an_unknown_passage_never_marks_the_last_one_of_the_query_before(tmp_path: Path) -> None:
    pool = {"q1": [("a", True), ("b", False)], "q2": [("a", True)]}
    with pytest.raises(InputError, match="passage x is not among the candidates of query q2"):
        merge(tmp_path, pool, {"q1": {"docids": []}, "q2": {"docids": ["x"]}}, source="utilsel")


BAD_SCORES = {
    "no score for some": [("a", -1.0), ("b", -1.0)],
    "not a finite number": [("a", -1.0), ("b", float("nan")), ("c", -1.0)],
    "listed twice": [("a", -1.0), ("b", -1.0), ("b", -1.0)],
}


@pytest.mark.parametrize("message", BAD_SCORES)
def test_scores_must_be_one_finite_number_a_candidate(tmp_path: Path, message: str) -> None:
    scores = [{"docid": docid, "score": score} for docid, score in BAD_SCORES[message]]
    annotation = {"q1": {"outcome": "error"}, "q2": {"scores": scores}}
    with pytest.raises(InputError, match=message):
        merge(tmp_path, POOL_OF_TWO, annotation, source="replug")


def test_shards_are_paired_by_name_in_any_order(tmp_path: Path) -> None:
    pools = write_pool(tmp_path / "pool", POOL_OF_TWO, shards=2)
    annotations = write_annotation(tmp_path / "llm", {"q2": {"docids": ["a"]}, "q1": {"docids": ["d"]}}, shards=2)
    settings = Labels(pool="pool", source="utilsel", annotator="llm")
    make_labels(settings, Parts(pools, annotations[::-1]), tmp_path / "labels.parquet")
    rows = LABELS.read(tmp_path / "labels.parquet").to_pylist()
    assert {(row["query_id"], row["docid"]) for row in rows if row["label"]} == {("q2", "a"), ("q1", "d")}


@pytest.mark.parametrize(("pools", "annotations", "named"), [(2, 1, "pool/0001"), (1, 2, "llm/0001")])
def test_a_shard_without_its_partner_is_named(tmp_path: Path, pools: int, annotations: int, named: str) -> None:
    pool_paths = write_pool(tmp_path / "pool", POOL_OF_TWO, shards=2)[:pools]
    annotated = write_annotation(tmp_path / "llm", {"q2": {"docids": []}, "q1": {"docids": []}}, shards=2)[:annotations]
    settings = Labels(pool="pool", source="utilsel", annotator="llm")
    with pytest.raises(InputError, match=named):
        make_labels(settings, Parts(pool_paths, annotated), tmp_path / "labels.parquet")


def test_a_query_in_two_pool_shards_is_refused(tmp_path: Path) -> None:
    pools = [*write_pool(tmp_path / "a", POOL_OF_TWO), *write_pool(tmp_path / "b", POOL_OF_TWO)]
    with pytest.raises(InputError, match=r"query q\d is in more than one shard"):
        make_labels(Labels(pool="pool", source="human"), Parts(pools), tmp_path / "labels.parquet")


def test_a_subset_that_holds_no_query_is_refused() -> None:
    with pytest.raises(InputError, match="5 % of 3 queries is none"):
        query_subset(["a", "b", "c"], QuerySubset(percent=5))


def test_another_seed_chooses_other_queries() -> None:
    ids = [f"q{place}" for place in range(200)]
    chosen = [set(query_subset(ids, QuerySubset(percent=20, seed=seed)).to_pylist()) for seed in (1, 2)]
    assert chosen[0] != chosen[1]


@given(
    ids=st.lists(st.text(min_size=1, max_size=4), min_size=1, max_size=60, unique=True),
    percents=st.tuples(st.floats(1, 100), st.floats(1, 100)).map(sorted),
    seed=st.integers(0, 5),
    order=st.randoms(use_true_random=False),
)
def test_subsets_are_exact_nested_and_free_of_order(ids: list[str], percents: Any, seed: int, order: Any) -> None:
    sizes = [round(percent * len(ids) / 100) for percent in percents]
    if not sizes[0]:
        return
    shuffled = order.sample(ids, len(ids))
    smaller, larger = (
        set(query_subset(given_ids, QuerySubset(percent=percent, seed=seed)).to_pylist())
        for given_ids, percent in zip((ids, shuffled), percents, strict=True)
    )
    assert [len(smaller), len(larger)] == sizes
    assert smaller <= larger <= set(ids)


@st.composite
def annotated_pools(draw: st.DrawFn) -> tuple[Pool, dict[str, dict[str, Any]]]:
    """A pool, and for each of its queries any outcome with any selection of its candidates in any order."""
    docids = st.lists(st.text("abcé/1", min_size=1, max_size=3), min_size=1, max_size=6, unique=True)
    pool: Pool = {}
    annotation: dict[str, dict[str, Any]] = {}
    for query_id in draw(st.lists(st.text("qé19", min_size=1, max_size=3), min_size=1, max_size=8, unique=True)):
        candidates = draw(docids)
        pool[query_id] = [(docid, draw(st.booleans())) for docid in candidates]
        listed = draw(st.lists(st.sampled_from(candidates), unique=True))
        annotation[query_id] = {"outcome": draw(st.sampled_from(OUTCOMES)), "docids": listed}
    annotation[next(iter(pool))]["outcome"] = "ok"
    return pool, annotation


@pytest.mark.parametrize("source", ["human", "utilsel", "replug"])
def test_blocks_do_not_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    for module in (label_shards, labels_module):
        monkeypatch.setattr(module, "BLOCK_QUERIES", 2)
    pool = {f"q{query}": [(f"d{place}", place == query) for place in range(query + 1)] for query in range(7)}
    annotation = {
        query_id: {
            "docids": [docid for docid, human in candidates if human],
            "scores": [{"docid": docid, "score": float(human)} for docid, human in reversed(candidates)],
        }
        for query_id, candidates in pool.items()
    }
    labels, _ = merge(tmp_path, pool, annotation, shards=2, source=source)
    assert labels == {(query_id, docid): human for query_id, of_query in pool.items() for docid, human in of_query}
    assert list(labels) == [(query_id, docid) for query_id, of_query in pool.items() for docid, _ in of_query]


def test_a_passage_that_another_query_of_the_shard_lists_is_no_positive(tmp_path: Path) -> None:
    annotation = {"q1": {"docids": ["c"]}, "q2": {"docids": ["a"]}}
    labels, _ = merge(tmp_path, POOL_OF_TWO, annotation, source="utilsel")
    assert labels["q2", "c"] == 0


@given(
    data=annotated_pools(),
    shards=st.integers(1, 4),
    source=st.sampled_from(["relsel", "utilsel", "utilrank"]),
    top_percent=st.sampled_from([10, 34, 50, 100]),
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_merge_equals_a_plain_loop_for_any_number_of_shards(
    tmp_path_factory: pytest.TempPathFactory, data: Any, shards: int, source: str, top_percent: int
) -> None:
    pool, annotation = data
    expected = {}
    for query_id in sorted(pool, key=str.encode):
        outcome, listed = annotation[query_id]["outcome"], annotation[query_id]["docids"]
        if outcome not in ("ok", "empty"):
            continue
        kept = max(1, top_percent * len(listed) // 100) if source == "utilrank" else len(listed)
        for docid, _ in pool[query_id]:
            expected[query_id, docid] = float(outcome == "ok" and docid in listed[:kept])
    labels, _ = merge(
        tmp_path_factory.mktemp("merge"), pool, annotation, shards, source=source, top_percent=top_percent
    )
    assert list(labels.items()) == list(expected.items())
