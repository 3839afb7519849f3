"""Turn files of the outside world into the contracts' files, in flat memory.

The only thing that grows with a file is what its check needs: eight bytes a row for the uniqueness of ids, and the ids
themselves of queries and of judged passages.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from .configuration import Source, Split
from .contracts import ANSWERS, CORPUS, QRELS, QUERIES, Contract, RepeatedKey
from .errors import InputError
from .formats import read_answers, read_judgements, read_passages, read_queries
from .formats.rows import Answers, Judgement, Passage, Query

_LOG = logging.getLogger(__name__)

_BLOCK_ROWS = 1 << 16
_BLOCK_BYTES = 1 << 24

Rows = Iterator[Passage] | Iterator[Query] | Iterator[Judgement] | Iterator[Answers]


def ingest_corpus(source: Source, output: Path) -> int:
    """Write the corpus of contract ``CORPUS``; return the number of passages.

    Raises:
        InputError: a bad line, a docid that stands twice, or no passage at all.
    """
    return _write(CORPUS, lambda: read_passages(source), source.path, output)


def ingest_queries(split: Split, output: Path) -> int:
    """Write the split's queries, with ``judged_only`` those alone that its qrels name; return their number.

    Raises:
        InputError: a bad line, a query id that stands twice, or no query left.
    """

    def rows() -> Iterator[Query]:
        if not split.judged_only or split.qrels is None:
            return read_queries(split.queries)
        judged = {judgement.query_id for judgement in read_judgements(split.qrels)}
        return (query for query in read_queries(split.queries) if query.query_id in judged)

    return _write(QUERIES, rows, split.queries.path, output)


def ingest_qrels(split: Split, corpus: Path, queries: Path, output: Path) -> int:
    """Write the split's qrels, checked against its corpus and queries; return the number of judgements.

    Raises:
        InputError: a bad line, a pair that stands twice, a judgement of an unknown query, or one of an unknown passage
            unless ``unknown_passages`` is ``drop``; no judgement left; or a split without qrels.
    """
    source = split.qrels
    if source is None:
        raise InputError("this split has no `qrels`.", mend="name the file of relevance judgements in the split.")
    known_queries = set(_ids(QUERIES, queries))
    unknown = {judgement.docid for judgement in read_judgements(source)}
    unknown.difference_update(_ids(CORPUS, corpus))

    def rows() -> Iterator[Judgement]:
        dropped = 0
        for judgement in read_judgements(source):
            if judgement.query_id not in known_queries:
                raise _unknown_query(judgement, source, queries)
            if judgement.docid not in unknown:
                yield judgement
            elif split.unknown_passages == "drop":
                dropped += 1
            else:
                raise InputError(
                    f"the judged passage {judgement.docid!r} is not in the corpus ({corpus}).",
                    mend="add the passage to the corpus, remove the line, or set the split's unknown_passages to drop.",
                    path=source.path,
                    line=judgement.line,
                )
        if dropped:
            _LOG.warning("%s: dropped %d judgements of passages that the corpus lacks", source.path, dropped)

    return _write(QRELS, rows, source.path, output)


def ingest_answers(source: Source, queries: Path, output: Path) -> int:
    """Write the short answers to the split's queries; return the number of queries that have any.

    A query without an answer is one whose list is empty or that the file leaves out; neither is written, both are
    counted in the log.

    Raises:
        InputError: a bad line, a query that stands twice or that the split lacks, or no answer at all.
    """
    known_queries = set(_ids(QUERIES, queries))

    def rows() -> Iterator[Answers]:
        for row in read_answers(source):
            if row.query_id not in known_queries:
                raise _unknown_query(row, source, queries)
            if row.answers:
                yield row

    written = _write(ANSWERS, rows, source.path, output)
    if written < len(known_queries):
        _LOG.warning(
            "%s: %d of %d queries have no answer", source.path, len(known_queries) - written, len(known_queries)
        )
    return written


def _write(contract: Contract, rows: Callable[[], Rows], source: str, output: Path) -> int:
    """Stream rows into a contract's file; ``rows`` starts anew to find the lines of a repeated key."""
    try:
        with contract.writer(output) as writer:
            for block in _blocks(rows()):
                _, *columns = zip(*block, strict=True)
                writer.write(contract.table(dict(zip(contract.schema.names, columns, strict=True))))
            if not writer.rows_written:
                raise InputError(
                    f"no row for the {contract.name} was found in it.",
                    mend="check that this is the right file.",
                    path=source,
                )
    except RepeatedKey as repeated:
        earlier, line = _lines_of(repeated.key, rows())
        found = ", ".join(f"{name} {value!r}" for name, value in repeated.key.items())
        raise InputError(
            f"{found} stands here and already on line {earlier}.",
            mend="keep one of the two lines.",
            path=source,
            line=line,
        ) from None
    _LOG.info("%s: %d rows into %s", source, writer.rows_written, output)
    return writer.rows_written


def _blocks(rows: Rows) -> Iterator[list[tuple]]:
    """Rows in blocks of bounded size; the last column holds what is large."""
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


def _ids(contract: Contract, path: Path) -> Iterator[str]:
    """The first column of a contract's file, in flat memory."""
    with contract.open(path) as file:
        for batch in file.iter_batches(columns=[contract.schema.names[0]]):
            yield from batch.column(0).to_pylist()


def _unknown_query(row: Judgement | Answers, source: Source, queries: Path) -> InputError:
    return InputError(
        f"query {row.query_id!r} is not among the split's queries ({queries}).",
        mend="add the query, or remove the line.",
        path=source.path,
        line=row.line,
    )
