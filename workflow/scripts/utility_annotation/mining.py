"""Hard negatives from this workflow's own retrievers, as Tevatron rows of version 2 (ids only)."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path

import orjson

from .contracts import QRELS, QUERIES, RUN
from .errors import InputError
from .files import replacing

_LOG = logging.getLogger(__name__)


def mine(queries: Path, qrels: Path, runs: Sequence[Path], size: int, output: Path) -> int:
    """Write one training row a judged query; return the number of rows.

    Positives are the passages with a grade of at least 1, in the order of the qrels. Negatives are what the runs rank
    highest, interleaved rank by rank, without passages that are judged relevant, up to ``size`` in all. Passages judged
    as not relevant (grade 0 or less) stay among the negatives where a run found them.

    Args:
        queries: contract ``QUERIES``.
        qrels: contract ``QRELS``.
        runs: contract ``RUN``, one a retriever.
        size: positives and negatives of a query together.
        output: JSONL with ``query_id``, ``query_text``, ``positive_document_ids`` and ``negative_document_ids``.

    Raises:
        InputError: no query has a relevant passage, or none of the runs has a passage for a query that has one.
    """
    positives: dict[str, list[str]] = {}
    for row in QRELS.read(qrels).to_pylist():
        if row["grade"] >= 1:
            positives.setdefault(row["query_id"], []).append(row["docid"])
    if not positives:
        raise InputError("no question has a relevant passage.", mend="name a split whose qrels have some.", path=qrels)
    rankings = [_rankings(run) for run in runs]
    unlabelled = rows = 0
    with replacing(output) as temporary, temporary.open("wb") as file:
        for row in QUERIES.read(queries).to_pylist():
            query_id = row["query_id"]
            if query_id not in positives:
                unlabelled += 1
                continue
            relevant = positives[query_id]
            found = [ranking.get(query_id, []) for ranking in rankings]
            if not any(found):
                raise InputError(
                    f"no retriever has a passage for query {query_id!r}.",
                    mend="run the search for this split anew.",
                    path=runs[0],
                )
            negatives = [docid for docid in _interleaved(found) if docid not in set(relevant)]
            line = {
                "query_id": query_id,
                "query_text": row["text"],
                "positive_document_ids": relevant,
                "negative_document_ids": negatives[: max(size - len(relevant), 1)],
            }
            file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
            rows += 1
    _LOG.info("%d rows; %d questions without a relevant passage left out", rows, unlabelled)
    return rows


def _rankings(run: Path) -> dict[str, list[str]]:
    """Each query's docids, best first."""
    table = RUN.read(run, ["query_id", "docid", "rank"]).sort_by([("query_id", "ascending"), ("rank", "ascending")])
    rankings: dict[str, list[str]] = {}
    for query_id, docid in zip(table["query_id"].to_pylist(), table["docid"].to_pylist(), strict=True):
        rankings.setdefault(query_id, []).append(docid)
    return rankings


def _interleaved(rankings: Sequence[Sequence[str]]) -> Iterator[str]:
    """The first of each ranking, then the second of each, …; each docid once."""
    seen: set[str] = set()
    for rank in zip_longest(*rankings):
        for docid in rank:
            if docid is not None and docid not in seen:
                seen.add(docid)
                yield docid
