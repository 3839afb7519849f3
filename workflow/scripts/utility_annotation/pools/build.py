"""Write a pool: from published training rows to shards for annotation."""

from __future__ import annotations

import logging
import resource
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import pyarrow as pa

from ..common.errors import InputError
from ..common.prefetch import ahead
from ..io.passages import PassageStore
from ..io.schemas import POOL, Writer
from ..settings import Pool
from .blocks import Block, own_passages, stored_passages
from .shards import shard_names

_LOG = logging.getLogger(__name__)

_SHARD_BYTES = 1 << 23
_ALL_BYTES = 1 << 26


def build_pool(settings: Pool, outputs: Sequence[Path], corpus: Path | None = None) -> int:
    """Write the shards of a pool (schema ``POOL``) and return the number of its queries.

    Only the query ids in memory grow with the file. Queries keep the file's order within their shard. A query without
    a positive or a negative stays in the pool, since an LLM can judge its candidates; the log counts such queries and
    those with fewer than ``size`` candidates.

    Args:
        settings: the pool.
        outputs: one file per shard, named as in ``shard_names``, in that order.
        corpus: a file of schema ``CORPUS`` with the texts of a ``tevatron-ids`` source, and None for others.

    Raises:
        InputError: a bad line, a query that stands twice or has no passage at all, a docid that the corpus lacks, no
            row, or arguments that do not fit together. Then no shard is written.
    """
    source = _check_arguments(settings, outputs, corpus)
    counts: Counter[str] = Counter()
    first_line: dict[str, int] = {}
    with ExitStack() as stack:
        _allow_open_files(len(outputs))
        shards = [_Shard(stack.enter_context(POOL.writer(output))) for output in outputs]
        if corpus is None:
            blocks = own_passages(source, settings)
        else:
            store = stack.enter_context(PassageStore(corpus, outputs[0].parent))
            blocks = stored_passages(source, settings, store, corpus)
        for block in ahead(blocks):
            _check_new(block, first_line, source)
            for number, rows in block.by_shard():
                shards[number].add(rows)
            # a few at a time, while a thread makes the next block
            while sum(shard.size for shard in shards) >= _ALL_BYTES:
                max(shards, key=lambda shard: shard.size).flush()
            counts.update(block.counts)
        for shard in shards:
            shard.flush()
        if not counts["queries"]:
            raise InputError("it holds no training row.", hint="check that this is the right file.", path=source)
    _report(counts, settings.size)
    return counts["queries"]


class _Shard:
    """Gathers a shard's rows and writes them as row groups."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._rows: list[pa.Table] = []
        self.size = 0

    def add(self, rows: pa.Table) -> None:
        """Add rows; write the gathered rows if they are many."""
        self._rows.append(rows)
        self.size += rows.nbytes
        if self.size >= _SHARD_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write the gathered rows, if any."""
        if self._rows:
            self._writer.write(pa.concat_tables(self._rows).combine_chunks())
            self._rows, self.size = [], 0


def _check_new(block: Block, first_line: dict[str, int], source: Path) -> None:
    """Refuse a repeated query."""
    for query_id, line in zip(block.query_ids, block.lines, strict=True):
        earlier = first_line.setdefault(query_id, line)
        if earlier != line:
            raise InputError(
                f"query {query_id!r} stands here and already on line {earlier}.",
                hint="keep one of the two lines, or merge them.",
                path=source,
                line=line,
            )


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
    """The path of the training rows, if all arguments fit together."""
    due = shard_names(settings.shards)
    if [output.stem for output in outputs] != due:
        raise InputError(
            f"the pool has {settings.shards} shards, but the outputs are not their names in order.",
            hint=f"give {len(due)} output files, from {due[0]}.parquet to {due[-1]}.parquet.",
        )
    if settings.source.path is None:
        raise InputError(
            f"a pool of format {settings.source.format} names no training rows.",
            hint="mine its negatives first, and give the rows mined as a source of format tevatron-ids.",
        )
    if (settings.source.format == "tevatron-ids") != (corpus is not None):
        raise InputError(
            f"a pool of format {settings.source.format} {'carries its passages' if corpus else 'holds ids only'}.",
            hint="leave --corpus out." if corpus else "give the corpus with --corpus.",
            path=settings.source.path,
        )
    return Path(settings.source.path)


def _allow_open_files(shards: int) -> None:
    """Raise this process's limit of open files, if possible, to one per shard and some more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    due = shards + 256
    if soft != resource.RLIM_INFINITY and soft < due:
        resource.setrlimit(resource.RLIMIT_NOFILE, (due if hard == resource.RLIM_INFINITY else min(due, hard), hard))
