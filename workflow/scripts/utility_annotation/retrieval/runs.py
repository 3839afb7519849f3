"""The ranking that all runs share, equal to trec_eval's, and reading it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..common.errors import InputError
from ..common.progress import waiting
from ..io.schemas import QUERIES, RUN
from ..settings import EXTERNAL, ON_TOP


def rank(
    query_ids: Sequence[str],
    query_rows: np.ndarray,
    docids: pa.Array,
    scores: np.ndarray,
    *,
    depth: int,
    drop_query_document: bool = False,
) -> pa.Table:
    """Rank scored passages into a table of schema ``RUN``.

    Queries come in the order of ``query_ids``, a query's passages by score descending, ties by docid descending. As in
    trec_eval, scores are compared in single precision, and the table holds these.

    Args:
        query_ids: the id of each query.
        query_rows: the query of each hit, as a position in ``query_ids``; shape (hits,).
        docids: the passage of each hit; shape (hits,).
        scores: the score of each hit; shape (hits,).
        depth: passages kept per query.
        drop_query_document: whether a passage whose docid is the query's own id is dropped first.
    """
    hits = pa.table(
        {
            "query_row": np.asarray(query_rows, dtype=np.int64),
            "docid": docids,
            "score": np.asarray(scores, dtype=np.float32),
        }
    )
    if drop_query_document:
        own = pc.equal(hits["docid"], pa.array(query_ids, pa.string()).take(hits["query_row"]))
        hits = hits.filter(pc.invert(own))
    with waiting(f"ranking {hits.num_rows:,} passages"):
        hits = hits.sort_by([("query_row", "ascending"), ("score", "descending"), ("docid", "descending")])
    rows = hits["query_row"].to_numpy()
    ranks = np.arange(len(rows)) - np.searchsorted(rows, np.arange(len(query_ids)))[rows] + 1
    table = RUN.table(
        {
            "query_id": pa.array(query_ids, pa.string()).take(hits["query_row"]),
            "docid": hits["docid"],
            "rank": ranks.astype(np.int32),
            "score": hits["score"].cast(pa.float64()),
        }
    )
    return table if ranks.max(initial=0) <= depth else table.filter(pa.array(ranks <= depth))


def rank_again(
    query_ids: Sequence[str],
    query_rows: np.ndarray,
    docids: pa.Array,
    ranks: np.ndarray,
    scores: np.ndarray,
    *,
    depth: int,
) -> pa.Table:
    """Rank a run again whose first ``depth`` passages per query have new scores.

    The others follow in their order: their scores fall by 1 each from the lowest new one.

    Args:
        query_ids, query_rows, docids: those of :func:`rank`.
        ranks: the rank of each hit until now; shape (hits,).
        scores: the new scores; those of the passages behind ``depth`` are overwritten; shape (hits,), fp32.
        depth: passages per query with a new score.
    """
    first, behind = ranks <= depth, ranks > depth
    lowest = np.full(len(query_ids), np.inf, np.float32)
    np.minimum.at(lowest, query_rows[first], scores[first])
    scores[behind] = np.floor(lowest[query_rows[behind]]) - (ranks[behind] - depth)
    return rank(query_ids, query_rows, docids, scores, depth=int(ranks.max(initial=1)))


class Rankings(Mapping[str, list[str]]):
    """Each query's docids, best first. They are one Arrow array, which takes a quarter of the memory of strings.

    Args:
        query_ids: the query of each docid; a query's rows need not be together.
        docids: the docids.
        ranks: their ranks.
    """

    def __init__(self, query_ids: pa.ChunkedArray, docids: pa.ChunkedArray, ranks: np.ndarray) -> None:
        names = pc.unique(query_ids)
        queries = pc.index_in(query_ids, value_set=names).to_numpy()
        order = np.lexsort((ranks, queries))
        self._docids = docids.cast(pa.large_string()).combine_chunks()
        if (order[1:] < order[:-1]).any():
            self._docids = self._docids.take(pa.array(order))
        self._starts = np.searchsorted(queries[order], np.arange(len(names) + 1))
        self._places = {name: place for place, name in enumerate(names.to_pylist())}

    def __getitem__(self, query_id: str) -> list[str]:
        place = self._places[query_id]
        found: list[str] = self._docids[self._starts[place] : self._starts[place + 1]].to_pylist()
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


def search_again(run: Path) -> str:
    """The hint for a run (schema ``RUN``) that does not fit its corpus; one that others made is to be corrected."""
    kind, name = run.parent.parent.name, run.parent.name
    if kind == EXTERNAL:
        return f"correct the file of `external_runs.{name}`, or the corpus of the test set."
    if kind in ON_TOP:
        return f"delete this run and that of `{kind}.{name}.retriever`, and run the target again, which makes both."
    return "delete this run and run the target again, which searches the corpus again."


def questions_of(run: Path, query_ids: Iterable[str], queries: Path) -> dict[str, str]:
    """The text of each query of a run, in their order, from a file of schema ``QUERIES``.

    Raises:
        InputError: the file lacks a query.
    """
    asked = QUERIES.read(queries)
    texts = dict(zip(asked["query_id"].to_pylist(), asked["text"].to_pylist(), strict=True))
    wanted = list(query_ids)
    if lacking := sorted(set(wanted) - texts.keys()):
        raise InputError(f"the run has query {lacking[0]!r}, which {queries} lacks.", hint=search_again(run), path=run)
    return {query_id: texts[query_id] for query_id in wanted}


def read_rankings(run: Path, depth: int | None = None) -> Rankings:
    """Each query's docids in a file of schema ``RUN``, best first, down to rank ``depth`` if one is given."""
    table = RUN.read(run, ["query_id", "docid", "rank"])
    if depth is not None:
        table = table.filter(pc.less_equal(table["rank"], depth))
    with waiting(f"reading the rankings of {run}"):
        return Rankings(table["query_id"], table["docid"], table["rank"].to_numpy())
