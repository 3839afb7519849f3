"""Training rows as blocks of a pool's rows: candidates chosen and shuffled, with each query's shard.

A block of plain rows is made by column, a block with unusual rows by row; the results are the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..common.errors import InputError
from ..io.formats import containers, dpr, lines, tevatron
from ..io.formats.rows import TrainingRow
from ..io.passages import PassageStore
from ..io.schemas import CANDIDATE, POOL
from ..settings import Pool
from .shards import choose, shard_of, shuffled

_BLOCK_ROWS = 256

Candidate = tuple[str, str | None, str, bool, int]
"""docid, title, text, human, rank: the columns of ``CANDIDATE``."""
Chosen = tuple[TrainingRow, list[Candidate]]


@dataclass(frozen=True)
class Block:
    """Some queries of a source.

    Attributes:
        query_ids: ids in the source's order.
        lines: their lines in the source.
        rows: of schema ``POOL``, ordered by shard and within a shard as in the source.
        shards: one per row, ascending.
        counts: figures for the log.
    """

    query_ids: Sequence[str]
    lines: Sequence[int]
    rows: pa.Table
    shards: np.ndarray
    counts: Counter[str]

    def by_shard(self) -> Iterator[tuple[int, pa.Table]]:
        """Each shard's rows, if it has any."""
        numbers, starts, sizes = np.unique(self.shards, return_index=True, return_counts=True)
        for number, start, size in zip(numbers.tolist(), starts.tolist(), sizes.tolist(), strict=True):
            yield number, self.rows.slice(start, size)


def own_passages(source: Path, settings: Pool) -> Iterator[Block]:
    """Rows that carry their passages.

    Raises:
        InputError: a bad line, or a query without any passage.
    """
    if settings.source.format == "dpr" or not containers.is_text(source):
        rows = dpr.read_rows(source) if settings.source.format == "dpr" else tevatron.read_rows(source)
        while block := list(islice(rows, _BLOCK_ROWS)):
            yield _carried(block, settings, source)
        return
    for first, data in lines.iter_blocks(source):
        table = tevatron.read_plain_rows(data)
        if table is not None:
            yield _plain_block(table, first, settings)
        else:
            rows = (tevatron.read_row(line, source, number) for number, line in lines.lines_of(data, first))
            yield _carried(rows, settings, source)


def _carried(rows: Iterable[TrainingRow], settings: Pool, source: Path) -> Block:
    chosen = ((row, choose(row.positives, row.negatives, settings.size)) for row in rows)
    return _block([(row, _candidates(*kept, row.passages)) for row, kept in chosen], settings, source)


def stored_passages(source: Path, settings: Pool, store: PassageStore, corpus: Path) -> Iterator[Block]:
    """Rows of ids: the corpus has the passages, looked up for many rows at a time.

    Raises:
        InputError: as :func:`own_passages`, and for a docid that the corpus lacks.
    """
    rows = tevatron.read_id_rows(source)
    while block := list(islice(rows, _BLOCK_ROWS)):
        chosen = [choose(row.positives, row.negatives, settings.size) for row in block]
        passages = store.find(docid for human, hard in chosen for docid in (*human, *hard))
        for row, (human, hard) in zip(block, chosen, strict=True):
            lacking = next((docid for docid in (*human, *hard) if docid not in passages), None)
            if lacking is not None:
                raise InputError(
                    f"passage {lacking!r} is not in the corpus ({corpus}).",
                    hint="name the dataset to which these rows belong, or add the passage to its corpus.",
                    path=source,
                    line=row.line,
                )
        yield _block(
            [(row, _candidates(human, hard, passages)) for row, (human, hard) in zip(block, chosen, strict=True)],
            settings,
            source,
        )


def _candidates(human: list[str], hard: list[str], passages: dict[str, tuple[str | None, str]]) -> list[Candidate]:
    return [(docid, *passages[docid], rank <= len(human), rank) for rank, docid in enumerate([*human, *hard], start=1)]


def _block(chosen: list[Chosen], settings: Pool, source: Path) -> Block:
    """A block of rows of any kind."""
    counts: Counter[str] = Counter()
    for row, candidates in chosen:
        if not candidates:
            raise InputError(
                f"query {row.query_id!r} has neither a positive nor a negative passage.",
                hint="give it passages, or remove the line.",
                path=source,
                line=row.line,
            )
        kept = sum(human for *_, human, _ in candidates)
        counts += _counts(np.array([len(set(row.positives))]), np.array([kept]), np.array([len(candidates)]), settings)
    shards = np.array([shard_of(row.query_id, settings.shards) for row, _ in chosen], np.int64)
    order = np.argsort(shards, kind="stable")
    flat: list[Candidate] = []
    for row, candidates in (chosen[place] for place in order.tolist()):
        flat.extend(candidates[place] for place in shuffled(row.query_id, len(candidates), settings.seed))
    columns = zip(*flat, strict=True) if flat else [[]] * len(CANDIDATE)
    return Block(
        [row.query_id for row, _ in chosen],
        [row.line for row, _ in chosen],
        _pool_rows(
            pa.array([chosen[place][0].query_id for place in order], pa.string()),
            pa.array([chosen[place][0].query for place in order], pa.string()),
            np.array([len(chosen[place][1]) for place in order], np.int64),
            [pa.array(column, field.type) for column, field in zip(columns, CANDIDATE, strict=True)],
        ),
        shards[order],
        counts,
    )


def _plain_block(table: pa.Table, first: int, settings: Pool) -> Block:
    """A block of rows from :func:`.formats.tevatron.read_plain_rows`, the first of which stands on a line."""
    positives, negatives = (table[name].chunk(0) for name in ("positive_passages", "negative_passages"))
    listed = pa.concat_arrays([positives.flatten(), negatives.flatten()])
    there, against = (lists.value_lengths().to_numpy().astype(np.int64) for lists in (positives, negatives))
    human = np.minimum(there, np.where(against > 0, settings.size - 1, settings.size))
    lengths = human + np.minimum(against, settings.size - human)
    starts = np.cumsum(lengths) - lengths

    place = np.arange(lengths.sum()) - np.repeat(starts, lengths)  # of a chosen candidate in its row
    of_row = np.repeat(np.arange(len(lengths)), lengths)
    is_human = place < human[of_row]
    first_negative = there.sum() + np.cumsum(against) - against - human
    source = np.where(is_human, (np.cumsum(there) - there)[of_row], first_negative[of_row]) + place

    query_ids = table["query_id"].to_pylist()
    shards = np.array([shard_of(query_id, settings.shards) for query_id in query_ids])
    order = np.argsort(shards, kind="stable")
    shuffles = (
        shuffled(query_ids[row], length, settings.seed)
        for row, length in zip(order.tolist(), lengths[order].tolist(), strict=True)
    )
    shuffle = np.fromiter(chain.from_iterable(shuffles), np.int64, len(place))
    shuffle += np.repeat(starts[order], lengths[order])
    docids, titles, texts = listed.take(pa.array(source[shuffle])).flatten()
    return Block(
        query_ids,
        range(first, first + len(query_ids)),
        _pool_rows(
            table["query_id"].take(pa.array(order)).combine_chunks(),
            table["query"].take(pa.array(order)).combine_chunks(),
            lengths[order],
            [
                docids,
                pc.if_else(pc.equal(titles, ""), None, titles),
                texts,
                pa.array(is_human[shuffle]),
                pa.array(place[shuffle] + 1, pa.int32()),
            ],
        ),
        shards[order],
        _counts(there, human, lengths, settings),
    )


def _pool_rows(query_ids: pa.Array, queries: pa.Array, lengths: np.ndarray, columns: list[pa.Array]) -> pa.Table:
    """Rows of schema ``POOL`` of columns of ``CANDIDATE``, one query's candidates after the other's."""
    candidates = pa.ListArray.from_arrays(
        pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int32()),
        pa.StructArray.from_arrays(columns, fields=list(CANDIDATE)),
        type=POOL.schema.field("candidates").type,
    )
    return POOL.table({"query_id": query_ids, "query": queries, "candidates": candidates})


def _counts(positives: np.ndarray, kept: np.ndarray, candidates: np.ndarray, settings: Pool) -> Counter[str]:
    """Figures for the log, from each query's published positives, kept positives and candidates."""
    return Counter(
        {
            "queries": len(kept),
            "candidates": int(candidates.sum()),
            "positives": int(kept.sum()),
            "positives left out": int((positives - kept).sum()),
            "queries without a human positive": int((kept == 0).sum()),
            "queries without a negative": int((kept == candidates).sum()),
            "queries with a smaller pool": int((candidates < settings.size).sum()),
        }
    )
