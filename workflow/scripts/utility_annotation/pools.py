"""Candidate pools: each query's human positives and hard negatives, shuffled, in shards of about equal size.

The paper's pool is the published training data of RepLLaMA: the human positives and 30 hard negatives (BM25 and
CoCondenser), 31 passages in all. They are shuffled so that a human positive has no fixed place in the LLM's prompt.
"""

from __future__ import annotations

import hashlib
import logging
import random
import resource
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path

import pyarrow as pa

from .configuration import Pool
from .contracts import CANDIDATE, POOL, Writer
from .errors import InputError
from .formats import tevatron
from .formats.rows import TrainingRow
from .passage_store import PassageStore

_LOG = logging.getLogger(__name__)

_BLOCK_ROWS = 256
_SHARD_CHARACTERS = 1 << 23
_ALL_CHARACTERS = 1 << 26

Candidate = tuple[str, str | None, str, bool, int]
"""docid, title, text, human, rank: the columns of ``CANDIDATE``."""


def shard_names(shards: int) -> list[str]:
    """The names of ``shards`` shards: ``0000-of-0064``, ``0001-of-0064``, …"""
    return [f"{shard:04d}-of-{shards:04d}" for shard in range(shards)]


def shard_of(query_id: str, shards: int) -> int:
    """The shard of a query: a hash of its id alone, equal on every machine and whatever else the file holds."""
    return int.from_bytes(hashlib.blake2b(query_id.encode(), digest_size=8).digest()) % shards


def choose(positives: Iterable[str], negatives: Iterable[str], size: int) -> tuple[list[str], list[str]]:
    """The docids of a pool of at most ``size``, in published order: (human positives, hard negatives).

    A docid counts once, and as a positive where it is both. All positives are taken, then negatives up to ``size``;
    where positives alone would fill the pool, the last give way to one negative, if there is any.
    """
    human = list(dict.fromkeys(positives))
    known = set(human)
    hard = [docid for docid in dict.fromkeys(negatives) if docid not in known]
    human = human[: size - 1 if hard else size]
    return human, hard[: size - len(human)]


def shuffled(query_id: str, count: int, seed: int) -> list[int]:
    """A random order of ``count`` places that depends on the query's id, the seed and the count alone.

    It sorts by ``random()``, whose sequence Python keeps equal from version to version, unlike ``shuffle``'s.
    """
    draw = random.Random(f"{seed}/{query_id}").random
    return sorted(range(count), key=[draw() for _ in range(count)].__getitem__)


def build_pool(settings: Pool, outputs: Sequence[Path], corpus: Path | None = None) -> int:
    """Write the shards of a pool (contract ``POOL``) and return the number of its queries.

    Memory does not grow with the file, but for the query ids. Queries keep the file's order within their shard. A query
    without a positive or without a negative stays in the pool, for an LLM can judge its candidates all the same; such
    queries, and those with fewer than ``size`` candidates, are counted in the log.

    Args:
        settings: the pool.
        outputs: one file a shard, named as in ``shard_names``, in that order.
        corpus: a file of contract ``CORPUS`` with the texts of a ``tevatron-ids`` source, and None for others.

    Raises:
        InputError: a bad line, a query that stands twice or has no passage at all, a docid that the corpus lacks, no
            row, or arguments that do not go together. No shard is written then.
    """
    source = _check_arguments(settings, outputs, corpus)
    counts: Counter[str] = Counter()
    with ExitStack() as stack:
        _allow_open_files(len(outputs))
        shards = [_Shard(stack.enter_context(POOL.writer(output))) for output in outputs]
        if corpus is None:
            rows = _with_own_passages(tevatron.read_rows(source), settings.size)
        else:
            store = stack.enter_context(PassageStore(corpus, outputs[0].parent))
            rows = _with_stored_passages(tevatron.read_id_rows(source), settings.size, store, corpus, source)
        waiting = 0
        for row, candidates in _checked(rows, source):
            if not settings.titles:
                candidates = [(docid, None, text, human, rank) for docid, _, text, human, rank in candidates]
            order = shuffled(row.query_id, len(candidates), settings.seed)
            shard = shards[shard_of(row.query_id, len(shards))]
            waiting += shard.add(row, [candidates[place] for place in order])
            if shard.characters >= _SHARD_CHARACTERS:
                waiting -= shard.flush()
            if waiting >= _ALL_CHARACTERS:
                waiting -= sum(each.flush() for each in shards)
            _count(counts, row, candidates, settings.size)
        for shard in shards:
            shard.flush()
        if not counts["queries"]:
            raise InputError("it holds no training row.", mend="check that this is the right file.", path=source)
    _report(counts, settings.size)
    return counts["queries"]


class _Shard:
    """Gathers a shard's rows column by column and writes them as row groups."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._clear()

    def _clear(self) -> None:
        self.characters = 0
        self._query_ids: list[str] = []
        self._queries: list[str] = []
        self._offsets = [0]
        self._candidates: list[Candidate] = []

    def add(self, row: TrainingRow, candidates: Sequence[Candidate]) -> int:
        """Add a query; return the characters of its passages."""
        self._query_ids.append(row.query_id)
        self._queries.append(row.query)
        self._candidates.extend(candidates)
        self._offsets.append(len(self._candidates))
        characters = sum(len(text) for _, _, text, *_ in candidates)
        self.characters += characters
        return characters

    def flush(self) -> int:
        """Write what was gathered, if anything; return its characters."""
        written = self.characters
        if self._candidates:
            columns = [
                pa.array(column, field.type)
                for column, field in zip(zip(*self._candidates, strict=True), CANDIDATE, strict=True)
            ]
            candidates = pa.ListArray.from_arrays(
                pa.array(self._offsets, pa.int32()),
                pa.StructArray.from_arrays(columns, fields=list(CANDIDATE)),
                type=POOL.schema.field("candidates").type,
            )
            self._writer.write(
                POOL.table({"query_id": self._query_ids, "query": self._queries, "candidates": candidates})
            )
            self._clear()
        return written


Chosen = tuple[TrainingRow, list[Candidate]]


def _with_own_passages(rows: Iterator[TrainingRow], size: int) -> Iterator[Chosen]:
    """Version 1: the row carries the passages."""
    for row in rows:
        human, hard = choose(row.positives, row.negatives, size)
        yield row, _candidates(human, hard, row.passages)


def _with_stored_passages(
    rows: Iterator[TrainingRow], size: int, store: PassageStore, corpus: Path, source: Path
) -> Iterator[Chosen]:
    """Version 2: the corpus has the passages, looked up for many rows at a time."""
    while block := list(islice(rows, _BLOCK_ROWS)):
        chosen = [choose(row.positives, row.negatives, size) for row in block]
        passages = store.find(docid for human, hard in chosen for docid in (*human, *hard))
        for row, (human, hard) in zip(block, chosen, strict=True):
            lacking = next((docid for docid in (*human, *hard) if docid not in passages), None)
            if lacking is not None:
                raise InputError(
                    f"passage {lacking!r} is not in the corpus ({corpus}).",
                    mend="name the dataset to which these rows belong, or add the passage to its corpus.",
                    path=source,
                    line=row.line,
                )
            yield row, _candidates(human, hard, passages)


def _candidates(human: list[str], hard: list[str], passages: dict[str, tuple[str | None, str]]) -> list[Candidate]:
    return [(docid, *passages[docid], rank <= len(human), rank) for rank, docid in enumerate([*human, *hard], start=1)]


def _checked(rows: Iterator[Chosen], source: Path) -> Iterator[Chosen]:
    """Refuse a query that stands twice, and one with nothing to judge."""
    first_line: dict[str, int] = {}
    for row, candidates in rows:
        earlier = first_line.setdefault(row.query_id, row.line)
        if earlier != row.line:
            raise InputError(
                f"query {row.query_id!r} stands here and already on line {earlier}.",
                mend="keep one of the two lines, or merge them.",
                path=source,
                line=row.line,
            )
        if not candidates:
            raise InputError(
                f"query {row.query_id!r} has neither a positive nor a negative passage.",
                mend="give it passages, or remove the line.",
                path=source,
                line=row.line,
            )
        yield row, candidates


def _count(counts: Counter[str], row: TrainingRow, candidates: list[Candidate], size: int) -> None:
    positives = len(set(row.positives))
    kept = sum(human for *_, human, _ in candidates)
    counts["queries"] += 1
    counts["candidates"] += len(candidates)
    counts["positives"] += kept
    counts["positives left out"] += positives - kept
    counts["queries without a human positive"] += kept == 0
    counts["queries without a negative"] += kept == len(candidates)
    counts["queries with a smaller pool"] += len(candidates) < size


def _report(counts: Counter[str], size: int) -> None:
    _LOG.info(
        "%d queries, %.2f candidates and %.2f human positives each",
        counts["queries"],
        counts["candidates"] / counts["queries"],
        counts["positives"] / counts["queries"],
    )
    for what, mind in (
        ("queries without a human positive", "they have no label of source human"),
        ("queries without a negative", "they can only be trained against other queries' passages"),
        ("queries with a smaller pool", f"their rows have fewer than {size} passages"),
        ("positives left out", "they did not fit beside one negative"),
    ):
        if counts[what]:
            _LOG.warning("%d %s: %s", counts[what], what, mind)


def _check_arguments(settings: Pool, outputs: Sequence[Path], corpus: Path | None) -> Path:
    """The path of the training rows, if all arguments go together."""
    due = shard_names(settings.shards)
    if [output.stem for output in outputs] != due:
        raise InputError(
            f"the pool has {settings.shards} shards, but the outputs are not their names in order.",
            mend=f"give {len(due)} output files, from {due[0]}.parquet to {due[-1]}.parquet.",
        )
    if settings.source.path is None:
        raise InputError(
            f"a pool of format {settings.source.format} names no training rows.",
            mend="mine its negatives first, and give the rows mined as a source of format tevatron-ids.",
        )
    if (settings.source.format == "tevatron-ids") != (corpus is not None):
        raise InputError(
            f"a pool of format {settings.source.format} {'carries its passages' if corpus else 'holds ids only'}.",
            mend="leave --corpus out." if corpus else "give the corpus with --corpus.",
            path=settings.source.path,
        )
    return Path(settings.source.path)


def _allow_open_files(shards: int) -> None:
    """Raise this process's limit of open files, where it can be, to one a shard and some."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    due = shards + 256
    if soft != resource.RLIM_INFINITY and soft < due:
        resource.setrlimit(resource.RLIMIT_NOFILE, (due if hard == resource.RLIM_INFINITY else min(due, hard), hard))
