"""Labels that are the union of others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import label as script
import pytest
from command_line import arguments, write_configuration
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from judged_pools import Pool, write_annotation, write_pool

from utility_annotation.common.errors import InputError
from utility_annotation.io.schemas import LABELS
from utility_annotation.labels.shards import Merged, query_subset
from utility_annotation.labels.union import unite_labels
from utility_annotation.settings import Labels, QuerySubset

POOL: Pool = {
    "q2": [("b", True), ("a", False), ("c", False)],
    "q1": [("c", False), ("d", True)],
    "q3": [("a", False), ("e", True)],
}
Rows = dict[str, dict[str, float]]
"""Query id → docid → label."""


def member(path: Path, rows: Rows) -> Path:
    columns = [
        {"query_id": query_id, "docid": docid, "label": label, "source": "test"}
        for query_id, of_query in rows.items()
        for docid, label in of_query.items()
    ]
    LABELS.write(path, LABELS.rows(columns))
    return path


def united(folder: Path, members: list[Rows], pool: Pool = POOL, shards: int = 1, **keys: Any) -> tuple[Rows, Merged]:
    files = [member(folder / f"{place}.parquet", rows) for place, rows in enumerate(members)]
    merged = unite_labels(
        Labels(pool="p", source="union", of=[f"m{place}" for place in range(len(members))], **keys),
        write_pool(folder / "pool", pool, shards),
        files,
        folder / "union.parquet",
    )
    rows: Rows = {}
    for row in LABELS.read(folder / "union.parquet").to_pylist():
        rows.setdefault(row["query_id"], {})[row["docid"]] = row["label"]
    return rows, merged


def test_a_candidate_is_positive_that_any_member_calls_so_and_a_query_that_one_lacks_counts_by_the_others(
    tmp_path: Path,
) -> None:
    first = {"q1": {"c": 1.0, "d": 0.0}, "q2": {"b": 0.0, "a": 1.0, "c": 0.0}}
    second = {"q2": {"b": 1.0, "a": 0.0, "c": 0.0}}
    rows, merged = united(tmp_path, [first, second])
    assert rows == {"q1": {"c": 1, "d": 0}, "q2": {"b": 1, "a": 1, "c": 0}}
    assert merged == Merged(2, {"labelled by no member": 1})
    table = LABELS.read(tmp_path / "union.parquet")
    assert table["query_id"].to_pylist() == ["q1"] * 2 + ["q2"] * 3
    assert table["docid"].to_pylist() == ["c", "d", "b", "a", "c"]
    assert set(table["source"].to_pylist()) == {"union"}


def test_the_members_lists_stand_one_after_the_other(tmp_path: Path) -> None:
    ranks: list[dict[str, int | None]] = [{"b": 2, "a": 1, "c": None}, {"b": 1, "a": 3, "c": 2}]
    files = []
    for place, of_member in enumerate(ranks):
        rows = [
            {"query_id": "q2", "docid": docid, "label": float(rank is not None), "rank": rank, "source": "test"}
            for docid, rank in of_member.items()
        ]
        LABELS.write(tmp_path / f"{place}.parquet", LABELS.rows(rows))
        files.append(tmp_path / f"{place}.parquet")
    pools = write_pool(tmp_path / "pool", POOL)
    for order, expected in ((files, ["a", "b", "c"]), (files[::-1], ["b", "c", "a"])):
        unite_labels(Labels(pool="p", source="union", of=["one", "two"]), pools, order, tmp_path / "union.parquet")
        united_rows = LABELS.read(tmp_path / "union.parquet").to_pylist()
        assert [row["docid"] for row in sorted(united_rows, key=lambda row: row["rank"])] == expected


def test_ranks_do_not_depend_on_the_number_of_shards(tmp_path: Path) -> None:
    rows = [
        {"query_id": query_id, "docid": docid, "label": 1.0, "rank": rank, "source": "test"}
        for query_id in sorted(POOL)
        for rank, (docid, _) in enumerate(POOL[query_id], start=1)
    ]
    LABELS.write(tmp_path / "all.parquet", LABELS.rows(rows))
    LABELS.write(tmp_path / "last.parquet", LABELS.rows([row | {"rank": None} for row in rows[:-1]] + rows[-1:]))
    settings = Labels(pool="p", source="union", of=["one", "two"])
    tables = []
    for shards in (1, 3):
        pools = write_pool(tmp_path / str(shards), POOL, shards)
        unite_labels(settings, pools, [tmp_path / "last.parquet", tmp_path / "all.parquet"], tmp_path / "union.parquet")
        tables.append(LABELS.read(tmp_path / "union.parquet"))
    assert tables[0] == tables[1]


def test_the_subset_is_of_the_pools_queries(tmp_path: Path) -> None:
    ids = [f"q{number}" for number in range(20)]
    pool: Pool = {query_id: [("a", True), ("b", False)] for query_id in ids}
    everything = {query_id: {"a": 1.0, "b": 0.0} for query_id in sorted(ids)}
    subset = QuerySubset(percent=20, seed=3)
    rows, _ = united(tmp_path, [everything, everything], pool, queries=subset)
    assert set(rows) == set(query_subset(ids, subset).to_pylist())


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ({"q1": {"d": 1.0, "c": 0.0}}, r"1\.parquet: these are not the candidates of pool shard"),
        ({"q1": {"c": 1.0}}, r"1\.parquet: these are not the candidates of pool shard"),
        (
            {"q1": {"c": 1.0, "d": 0.0}, "q9": {"a": 1.0}},
            r"1\.parquet: query 'q9' is labelled, but no pool file has it \(1 such",
        ),
    ],
)
def test_a_member_of_another_pool_is_refused(tmp_path: Path, second: Rows, message: str) -> None:
    with pytest.raises(InputError, match=message):
        united(tmp_path, [{"q1": {"c": 1.0, "d": 0.0}}, second])
    assert not (tmp_path / "union.parquet").exists()


def test_a_member_without_a_file_is_named(tmp_path: Path) -> None:
    labels = Labels(pool="p", source="union", of=["one", "two"])
    with pytest.raises(InputError, match=r"1 label files are given for 2 label sets.*one, two"):
        unite_labels(labels, write_pool(tmp_path, POOL), [tmp_path / "x.parquet"], tmp_path / "union.parquet")


def test_no_query_left_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no query is left to label: \{'labelled by no member': 3\}"):
        united(tmp_path, [{}, {}])


@st.composite
def pools_and_members(draw: st.DrawFn) -> tuple[Pool, list[Rows]]:
    ids = draw(st.lists(st.text("qé19", min_size=1, max_size=3), min_size=1, max_size=8, unique=True))
    docids = st.lists(st.text("abcé", min_size=1, max_size=2), min_size=1, max_size=5, unique=True)
    pool: Pool = {query_id: [(docid, False) for docid in draw(docids)] for query_id in ids}
    members = []
    for _ in range(draw(st.integers(2, 3))):
        labelled = sorted(query_id for query_id in ids if draw(st.booleans()))
        members.append({query_id: {d: float(draw(st.booleans())) for d, _ in pool[query_id]} for query_id in labelled})
    return pool, members


@given(data=pools_and_members(), shards=st.integers(1, 3))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_union_equals_a_plain_loop_in_any_order_of_members(
    tmp_path_factory: pytest.TempPathFactory, data: tuple[Pool, list[Rows]], shards: int
) -> None:
    pool, members = data
    expected: Rows = {
        query_id: {docid: max(rows[query_id][docid] for rows in members if query_id in rows) for docid, _ in candidates}
        for query_id, candidates in pool.items()
        if any(query_id in rows for rows in members)
    }
    for given_members in (members, members[::-1]):
        folder = tmp_path_factory.mktemp("union")
        if not expected:
            with pytest.raises(InputError, match="no query is left"):
                united(folder, given_members, pool, shards)
        else:
            assert united(folder, given_members, pool, shards)[0] == expected


def test_the_script_unites_what_it_merged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """LLM labels of two queries (the third reply failed), and human labels of a third of the queries."""
    monkeypatch.chdir(tmp_path)
    write_pool(Path("results/pools/pool"), POOL, 2)
    annotation = {"q2": {"docids": ["c"]}, "q1": {"docids": []}, "q3": {"outcome": "error"}}
    write_annotation(Path("results/annotation/pool/judge/utilsel"), annotation, 2)
    human = Labels(pool="pool", source="human", queries=QuerySubset(percent=34, seed=0))
    config = write_configuration(
        Path("config.yaml"),
        pools={"pool": {"dataset": "data", "source": {"path": "rows.jsonl"}, "shards": 2}},
        labels={
            "utilsel": {"pool": "pool", "source": "utilsel", "annotator": "judge"},
            "human": human,
            "union": {"pool": "pool", "source": "union", "of": ["utilsel", "human"]},
        },
    )
    for name in ("utilsel", "human", "union"):
        script.main(arguments("merge", config=config, labels=name, output=f"results/labels/{name}.parquet"))
    (with_human,) = query_subset(POOL, human.queries).to_pylist()
    positives = {"q1": set(), "q2": {"c"}}
    positives[with_human] = positives.get(with_human, set()) | {d for d, flag in POOL[with_human] if flag}
    found: dict[str, set[str]] = {}
    for row in LABELS.read("results/labels/union.parquet").to_pylist():
        found.setdefault(row["query_id"], set()).update({row["docid"]} if row["label"] else set())
    assert found == positives
