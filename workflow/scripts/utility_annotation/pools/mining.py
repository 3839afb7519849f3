"""Pools from this workflow's own retrievers, as Tevatron rows of version 2 (ids only)."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

import orjson
import pyarrow.compute as pc

from ..common.errors import InputError
from ..common.files import atomic_write
from ..common.progress import counted
from ..io.row_groups import batches
from ..io.schemas import CORPUS, DUPLICATES, QRELS, QUERIES, iter_rows
from ..retrieval.runs import read_rankings, search_again
from .settings import MiningSettings

_LOG = logging.getLogger(__name__)


class Found(NamedTuple):
    """A question, the passages that retrievers found for it (best first, each docid once), and the relevant ones."""

    query_id: str
    text: str
    retrieved: list[str]
    relevant: list[str]


def found_passages(
    depth: int | None, queries: Path, qrels: Path | None, runs: Sequence[Path], corpus: Path, relevance_level: int
) -> Iterator[Found]:
    """Every question with the union of its rankings, interleaved rank by rank, and its relevant passages.

    A relevant passage that the corpus lacks is left out; the log counts them.
    """
    judged = _relevant(qrels, corpus, relevance_level) if qrels is not None else {}
    rankings = [read_rankings(run, depth) for run in counted(runs, "reading", "runs")]
    for row in iter_rows(QUERIES, [queries]):
        query_id = row["query_id"]
        found = list(_interleaved([ranking.get(query_id, []) for ranking in rankings]))
        yield Found(query_id, row["text"], found, judged.get(query_id, []))


def mine(
    settings: MiningSettings,
    queries: Path,
    qrels: Path | None,
    runs: Sequence[Path],
    corpus: Path,
    output: Path,
    duplicates: Path | None = None,
) -> int:
    """Write one training row per query; return the number of rows.

    The runs' rankings, each down to ``depth``, are interleaved rank by rank. A passage with a grade of at least
    ``relevance_level`` is a positive, if the corpus has it. Of several copies one is taken: a positive if there is one,
    else the best ranked.

    ``retrieved``: positives are all judged positives of the query, in the order of the qrels. Negatives are the other
    passages that the runs rank highest, up to ``size`` in all; a passage judged as not relevant (grade 0 or less) can
    be one. Queries without a positive are left out.

    ``merged``: the passages are the first ``size`` of the interleaved rankings. Those that are judged relevant are the
    positives; without qrels there are none. Queries without any retrieved passage are left out.

    Args:
        settings: the pool's format, depth, size and relevance level.
        queries: schema ``QUERIES``.
        qrels: schema ``QRELS``, or None for a ``merged`` pool of a split that has none.
        runs: schema ``RUN``, one per retriever.
        corpus: schema ``CORPUS``.
        output: JSONL with ``query_id``, ``query_text``, ``positive_document_ids`` and ``negative_document_ids``.
        duplicates: schema ``DUPLICATES``, to leave copies out; None keeps copies.

    Raises:
        InputError: no row is left; for ``retrieved``, no query has a relevant passage, or none of the runs has a
            passage for a query that has one.
    """
    retrieved = settings.format == "retrieved"
    copies = _copies(duplicates) if duplicates is not None else {}
    left_out = rows = dropped = 0
    with atomic_write(output) as temporary, temporary.open("wb") as file:
        for question in found_passages(settings.depth, queries, qrels, runs, corpus, settings.relevance_level):
            if not (question.relevant if retrieved else question.retrieved):
                left_out += 1
                continue
            if not question.retrieved:
                raise InputError(
                    f"no retriever has a passage for query {question.query_id!r}.",
                    hint=search_again(runs[0]),
                    path=runs[0],
                )
            found, relevant = _without_copies(question, copies.get(question.query_id, {}))
            dropped += len(question.retrieved) - len(found)
            positives, negatives = (_retrieved if retrieved else _merged)(found, relevant, settings.size)
            line = {
                "query_id": question.query_id,
                "query_text": question.text,
                "positive_document_ids": positives,
                "negative_document_ids": negatives,
            }
            file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
            rows += 1
        if not rows and retrieved:
            raise InputError(
                "no question has a relevant passage.", hint="name a split whose qrels have some.", path=qrels
            )
        if not rows:
            raise InputError("no retriever has a passage for any question.", hint=search_again(runs[0]), path=runs[0])
    lacking = "a relevant passage" if retrieved else "a retrieved passage"
    _LOG.info("%d rows; %d questions without %s left out", rows, left_out, lacking)
    if dropped:
        _LOG.info("%d retrieved passages were copies of others", dropped)
    return rows


def _without_copies(question: Found, copy_of: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """The retrieved and the relevant passages, with one passage for all copies of each other.

    It has the best rank of the copies.
    """
    relevant: dict[str, str] = {}
    for docid in question.relevant:
        relevant.setdefault(copy_of.get(docid, docid), docid)
    originals = dict.fromkeys(copy_of.get(docid, docid) for docid in question.retrieved)
    return [relevant.get(original, original) for original in originals], list(relevant.values())


def _copies(duplicates: Path) -> dict[str, dict[str, str]]:
    """Each query's copies, with the passage that each one copies."""
    copies: dict[str, dict[str, str]] = {}
    for row in iter_rows(DUPLICATES, [duplicates]):
        if row["copy"]:
            copies.setdefault(row["query_id"], {})[row["docid"]] = row["duplicate_of"]
    return copies


def _retrieved(found: list[str], relevant: list[str], size: int) -> tuple[list[str], list[str]]:
    """Positives and negatives: the judged passages, and the others that were found."""
    known = set(relevant)
    negatives = [docid for docid in found if docid not in known]
    return relevant, negatives[: max(size - len(relevant), 1)]


def _merged(found: list[str], relevant: list[str], size: int) -> tuple[list[str], list[str]]:
    """Positives and negatives: the found passages, split by the judgements."""
    known = set(relevant)
    shown = found[:size]
    return [docid for docid in shown if docid in known], [docid for docid in shown if docid not in known]


def _relevant(qrels: Path, corpus: Path, relevance_level: int) -> dict[str, list[str]]:
    """Each query's relevant docids that the corpus has, in the order of the qrels."""
    relevant = QRELS.read(qrels)
    relevant = relevant.filter(pc.greater_equal(relevant["grade"], relevance_level))
    lacking = set(relevant["docid"].to_pylist())
    with CORPUS.open(corpus) as file:
        for batch in batches(file, columns=["docid"]):
            known = pc.is_in(batch["docid"], value_set=relevant["docid"].combine_chunks())
            lacking.difference_update(batch["docid"].filter(known).to_pylist())
    positives: dict[str, list[str]] = {}
    left_out = 0
    for row in relevant.to_pylist():
        if row["docid"] in lacking:
            left_out += 1
        else:
            positives.setdefault(row["query_id"], []).append(row["docid"])
    if left_out:
        _LOG.warning("%s: %d judgements of passages that the corpus lacks left out of the pool", qrels, left_out)
    return positives


def _interleaved(rankings: Sequence[Sequence[str]]) -> Iterator[str]:
    """The first of each ranking, then the second of each, …; each docid once."""
    seen: set[str] = set()
    for rank in zip_longest(*rankings):
        for docid in rank:
            if docid is not None and docid not in seen:
                seen.add(docid)
                yield docid
