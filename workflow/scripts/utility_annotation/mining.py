"""Pools from this workflow's own retrievers, as Tevatron rows of version 2 (ids only)."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Literal

import orjson

from .configuration import Settings
from .contracts import QRELS, QUERIES
from .errors import InputError
from .files import replacing
from .progress import counted
from .retrieval.runs import read_rankings

_LOG = logging.getLogger(__name__)


class MiningSettings(Settings):
    """What a pool and its source say, as far as its rows depend on it."""

    format: Literal["retrieved", "merged"]
    depth: int | None
    size: int


def mine(settings: MiningSettings, queries: Path, qrels: Path | None, runs: Sequence[Path], output: Path) -> int:
    """Write one training row a query; return the number of rows.

    The runs' rankings, each down to ``depth``, are interleaved rank by rank. A passage with a grade of at least 1 is a
    positive.

    ``retrieved``: positives are all of the query's judged ones, in the order of the qrels; negatives are what the runs
    rank highest besides, up to ``size`` in all. Passages judged as not relevant (grade 0 or less) stay among the
    negatives where a run found them. Queries without a positive are left out.

    ``merged``: the passages are the first ``size`` of the interleaved rankings and no others; those that are judged
    relevant are the positives, none without qrels. Queries for which no run has a passage are left out.

    Args:
        settings: the pool's format, depth and size.
        queries: contract ``QUERIES``.
        qrels: contract ``QRELS``, or None for a ``merged`` pool of a split that has none.
        runs: contract ``RUN``, one a retriever.
        output: JSONL with ``query_id``, ``query_text``, ``positive_document_ids`` and ``negative_document_ids``.

    Raises:
        InputError: no row is left; for ``retrieved``, no query has a relevant passage, or none of the runs has a
            passage for a query that has one.
    """
    judged = _relevant(qrels) if qrels is not None else {}
    retrieved = settings.format == "retrieved"
    if retrieved and not judged:
        raise InputError("no question has a relevant passage.", mend="name a split whose qrels have some.", path=qrels)
    rankings = [read_rankings(run, settings.depth) for run in counted(runs, "reading", "runs")]
    left_out = rows = 0
    with replacing(output) as temporary, temporary.open("wb") as file:
        for query in counted(QUERIES.read(queries).to_pylist(), "mining", "queries"):
            query_id, relevant = query["query_id"], judged.get(query["query_id"], [])
            found = list(_interleaved([ranking.get(query_id, []) for ranking in rankings]))
            if not (relevant if retrieved else found):
                left_out += 1
                continue
            if not found:
                raise InputError(
                    f"no retriever has a passage for query {query_id!r}.",
                    mend="run the search for this split anew.",
                    path=runs[0],
                )
            positives, negatives = (_retrieved if retrieved else _merged)(found, relevant, settings.size)
            line = {
                "query_id": query_id,
                "query_text": query["text"],
                "positive_document_ids": positives,
                "negative_document_ids": negatives,
            }
            file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
            rows += 1
        if not rows:
            raise InputError(
                "no retriever has a passage for any question.", mend="run the search for this split anew.", path=runs[0]
            )
    lacking = "a relevant passage" if retrieved else "a retrieved passage"
    _LOG.info("%d rows; %d questions without %s left out", rows, left_out, lacking)
    return rows


def _retrieved(found: list[str], relevant: list[str], size: int) -> tuple[list[str], list[str]]:
    """Positives and negatives: the judged ones, and what was found besides."""
    known = set(relevant)
    negatives = [docid for docid in found if docid not in known]
    return relevant, negatives[: max(size - len(relevant), 1)]


def _merged(found: list[str], relevant: list[str], size: int) -> tuple[list[str], list[str]]:
    """Positives and negatives: what was found, parted by the judgements."""
    known = set(relevant)
    shown = found[:size]
    return [docid for docid in shown if docid in known], [docid for docid in shown if docid not in known]


def _relevant(qrels: Path) -> dict[str, list[str]]:
    """Each query's docids with a grade of at least 1, in the order of the qrels."""
    positives: dict[str, list[str]] = {}
    for row in QRELS.read(qrels).to_pylist():
        if row["grade"] >= 1:
            positives.setdefault(row["query_id"], []).append(row["docid"])
    return positives


def _interleaved(rankings: Sequence[Sequence[str]]) -> Iterator[str]:
    """The first of each ranking, then the second of each, …; each docid once."""
    seen: set[str] = set()
    for rank in zip_longest(*rankings):
        for docid in rank:
            if docid is not None and docid not in seen:
                seen.add(docid)
                yield docid
