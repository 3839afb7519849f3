"""Turn published files into files of our schemas, in flat memory.

Only the checks need memory that grows with a file: eight bytes per row for the uniqueness of ids, and the ids of
queries and of judged passages.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from ..common.errors import InputError, place
from ..common.hashing import random_order, random_place
from ..settings import Dataset, Part, Source, Split
from .formats import answer_key, read_answers, read_judgements, read_passages, read_queries
from .formats.rows import Answers, Judgement, PassageRow, Query
from .questions import question_key
from .row_groups import batches
from .schemas import ANSWERS, CORPUS, QRELS, QUERIES, RepeatedKey, Schema

_LOG = logging.getLogger(__name__)

_BLOCK_ROWS = 1 << 16
_BLOCK_BYTES = 1 << 24

Rows = Iterator[PassageRow] | Iterator[Query] | Iterator[Judgement] | Iterator[Answers]


def ingest_corpus(dataset: Dataset, output: Path) -> int:
    """Write the corpus that a dataset names, of schema ``CORPUS``; return the number of passages.

    Without ``titles`` every title is null. A passage with neither title nor text stays; the log counts them.

    Raises:
        InputError: a bad line, a docid that stands twice, or no passage that is not blank.
    """

    source = dataset.corpus
    assert source is not None, "documents are read by utility_annotation.documents"

    def rows() -> Iterator[PassageRow]:
        blank = total = 0
        for passage in read_passages(source):
            if not dataset.titles:
                passage = passage._replace(title=None)
            blank += not (passage.title or passage.text)
            total += 1
            yield passage
        if blank == total > 0:
            raise InputError(
                "no passage has a text.", hint="name the column of the texts in `columns`.", path=source.path
            )
        if blank:
            _LOG.warning("%s: %d of %d passages are blank; they stay", source.path, blank, total)

    return _write(CORPUS, rows, source.path, output)


def ingest_queries(split: Split, output: Path) -> int:
    """Write the split's queries that its filters keep, in the file's order; return their number.

    ``part`` keeps a random part, ``judged_only`` the queries in the qrels, ``answered_only`` those with an answer, and
    ``sample`` a random choice of the rest.

    Raises:
        InputError: a bad line, a query id that stands twice, no query left, or fewer than ``sample`` asks for
            unless its ``fewer`` is ``keep``.
    """
    kept = kept_queries(split)
    if split.sample is None:
        return _write(QUERIES, kept, split.queries.path, output)
    left = [query.query_id for query in kept()]
    if len(left) < split.sample.queries and split.sample.fewer == "error":
        raise InputError(
            f"only {len(left)} questions are left, but `sample.queries` is {split.sample.queries}.",
            hint="lower `sample.queries` of the split, set `sample.fewer` to keep, or leave `sample` out.",
            path=split.queries.path,
        )
    chosen = set(random_order(left, split.sample.seed)[: split.sample.queries])
    _LOG.info("%s: %d of %d queries chosen at random", split.queries.path, len(chosen), len(left))
    return _write(QUERIES, lambda: (query for query in kept() if query.query_id in chosen), split.queries.path, output)


def ingest_qrels(split: Split, corpus: Path, queries: Path, output: Path) -> int:
    """Write the split's qrels, checked against its corpus and queries; return the number of judgements.

    Raises:
        InputError: a bad line, a pair that stands twice, a judgement of an unknown query unless ``unknown_queries`` is
            ``drop``, or of an unknown passage unless ``unknown_passages`` is ``keep``; no judgement left; or a split
            without qrels.
    """
    source = split.qrels
    if source is None:
        raise InputError("this split has no `qrels`.", hint="name the file of relevance judgements in the split.")
    known_queries = set(_ids(QUERIES, queries))
    unknown = {judgement.docid for judgement in read_judgements(source)}
    unknown.difference_update(_ids(CORPUS, corpus))

    def rows() -> Iterator[Judgement]:
        dropped = kept = 0
        for judgement in read_judgements(source):
            if judgement.query_id not in known_queries:
                if split.unknown_queries == "error":
                    raise _unknown_query(judgement, source, queries)
                dropped += 1
                continue
            if judgement.docid in unknown:
                if split.unknown_passages == "error":
                    raise InputError(
                        f"the judged passage {judgement.docid!r} is not in the corpus ({corpus}).",
                        hint="add the passage, remove the line, or set the split's unknown_passages to keep.",
                        path=source.path,
                        line=judgement.line,
                    )
                kept += 1
            yield judgement
        if dropped:
            _LOG.warning("%s: dropped %d judgements of questions that the split lacks", source.path, dropped)
        if kept:
            _LOG.warning(
                "%s: %d judgements are of passages that the corpus lacks; they count in the evaluation",
                source.path,
                kept,
            )

    return _write(QRELS, rows, source.path, output)


def ingest_answers(split: Split, queries: Path, output: Path) -> int:
    """Write the short answers to the split's queries; return the number of queries that have any.

    In a file without ids, answers belong to every query that has their question's text. A query with an empty list, or
    that the file does not name, has no answer: it is not written, and the log counts it.

    Raises:
        InputError: a bad line, a query that stands twice, one that the split lacks unless ``unknown_queries`` is
            ``drop``, no answer at all, or a split without answers.
    """
    source = split.answers
    if source is None:
        raise InputError("this split has no `answers`.", hint="name the file of short answers in the split.")
    query_ids: dict[str, list[str]] = {}
    for query_id, text in _columns(QUERIES, queries, "query_id", "text"):
        query_ids.setdefault(answer_key(source, query_id, text), []).append(query_id)

    def rows() -> Iterator[Answers]:
        found = dropped = 0
        for row in read_answers(source):
            if row.query_id in query_ids:
                found += 1
                if row.answers:
                    yield from (row._replace(query_id=query_id) for query_id in query_ids[row.query_id])
            elif split.unknown_queries == "drop":
                dropped += 1
            else:
                raise _unknown_query(row, source, queries)
        _LOG.info("%s: %d of its %d questions are among the split's", source.path, found, found + dropped)
        if dropped:
            _LOG.warning("%s: dropped the answers to %d questions that the split lacks", source.path, dropped)

    written = _write(ANSWERS, rows, source.path, output)
    total = sum(map(len, query_ids.values()))
    if written < total:
        _LOG.warning("%s: %d of %d queries have no answer", source.path, total - written, total)
    return written


def in_part(text: str, part: Part) -> bool:
    """Whether a query belongs to a part. Queries that ask the same are in the same part."""
    low, high = part.percent
    return low <= 100 * random_place(question_key(text), part.seed) < high


def kept_queries(split: Split) -> Callable[[], Iterator[Query]]:
    """Reads the split's questions as far as ``part``, ``judged_only`` and ``answered_only`` keep them."""
    tests: list[Callable[[Query], bool]] = []
    if (part := split.part) is not None:
        tests.append(lambda query: in_part(query.text, part))
    if split.judged_only and (qrels := split.qrels) is not None:
        judged = {judgement.query_id for judgement in read_judgements(qrels)}
        tests.append(lambda query: query.query_id in judged)
    if split.answered_only and (answers := split.answers) is not None:
        answered = {row.query_id for row in read_answers(answers) if row.answers}
        tests.append(lambda query: answer_key(answers, query.query_id, query.text) in answered)
    return lambda: (query for query in read_queries(split.queries) if all(test(query) for test in tests))


def _write(schema: Schema, rows: Callable[[], Rows], source: str, output: Path) -> int:
    """Stream rows into a schema's file. If a key repeats, ``rows`` is read again to find its lines."""
    try:
        with schema.writer(output) as writer:
            for block in _blocks(rows()):
                _, *columns = zip(*block, strict=True)
                writer.write(schema.table(dict(zip(schema.schema.names, columns, strict=True))))
            if not writer.rows_written:
                raise InputError(
                    f"the file has no row for the {schema.name}.",
                    hint="check that this is the right file.",
                    path=source,
                )
    except RepeatedKey as repeated:
        earlier, line = _lines_of(repeated.key, rows())
        found = ", ".join(f"{name} {value!r}" for name, value in repeated.key.items())
        raise InputError(
            f"{found} stands here and already on {place(earlier)}.",
            hint="keep one of the two.",
            path=source,
            line=line,
        ) from None
    _LOG.info("%s: %d rows into %s", source, writer.rows_written, output)
    return writer.rows_written


def _blocks(rows: Rows) -> Iterator[list[tuple]]:
    """Rows in blocks of bounded size; the last column holds the large values."""
    block: list[tuple] = []
    size = 0
    for row in rows:
        block.append(row)
        size += sys.getsizeof(row[-1])
        if len(block) >= _BLOCK_ROWS or size >= _BLOCK_BYTES:
            yield block
            block, size = [], 0
    if block:
        yield block


def _lines_of(key: dict[str, str], rows: Rows) -> tuple[int, int]:
    """The first two lines on which a key stands."""
    lines = (row.line for row in rows if all(getattr(row, name) == value for name, value in key.items()))
    return next(lines), next(lines)


def _ids(schema: Schema, path: Path) -> Iterator[str]:
    """The first column of a schema's file, in flat memory."""
    return (row[0] for row in _columns(schema, path, schema.schema.names[0]))


def _columns(schema: Schema, path: Path, *names: str) -> Iterator[tuple[str, ...]]:
    """The rows of some columns of a schema's file, in flat memory."""
    with schema.open(path) as file:
        for batch in batches(file, columns=names):
            yield from zip(*(batch[name].to_pylist() for name in names), strict=True)


def _unknown_query(row: Judgement | Answers, source: Source, queries: Path) -> InputError:
    return InputError(
        f"query {row.query_id!r} is not among the split's queries ({queries}).",
        hint="add the query, remove the row, or set the split's unknown_queries to drop.",
        path=source.path,
        line=row.line,
    )
