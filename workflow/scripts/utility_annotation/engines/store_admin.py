"""Store admin: list what completion stores hold, export them, and prune duplicate and damaged records.

A kill loses no record at any moment: new content is written under a temporary name, forced to the disk and renamed
before old files are deleted. Of several records under one key the oldest stays, which is the one that jobs find.
"""

from __future__ import annotations

import gzip
import os
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from math import inf
from pathlib import Path

from ..common.errors import InputError
from ..common.files import atomic_write
from .protocol import Completion, tokens
from .store_files import Record, Segment, is_finished, segments, usable

_DAY = 24 * 3600


@dataclass
class Summary:
    """The content of a store.

    Attributes:
        segments, bytes: files, and their size.
        records: records that can be read; each is a completion or a log-likelihood.
        keys: distinct requests among them; the other records are duplicates.
        prompt_tokens, completion_tokens: read and generated for all records; a scored text counts as read.
        dropped: records that are cut off or damaged.
        oldest, newest: when the first and the last record were made, in Unix seconds; None if unknown.
    """

    folder: str
    segments: int = 0
    bytes: int = 0
    records: int = 0
    keys: int = 0
    completions: int = 0
    log_likelihoods: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    dropped: int = 0
    oldest: float | None = None
    newest: float | None = None


@dataclass
class Pruning:
    """The effect of a prune.

    Attributes:
        segments: files that are rewritten as one.
        in_use: files left alone, because a process may be writing to them.
        leftovers: half-written files of processes killed more than a day ago, which are deleted.
        kept: records that stay.
        duplicates, dropped, old: deleted records: duplicates, damaged or cut-off ones, and too old ones.
    """

    folder: str
    segments: int
    in_use: list[str]
    leftovers: int
    kept: int
    duplicates: int
    dropped: int
    old: int


def stores(folders: Sequence[Path]) -> list[Path]:
    """The stores among ``folders``, and those inside the others.

    Raises:
        InputError: a folder is neither a store nor a folder of stores, or cannot be read.
    """
    found: list[Path] = []
    for folder in folders:
        with usable(folder):
            if segments(folder):
                found.append(folder)
                continue
            inner = sorted(path for path in folder.iterdir() if path.is_dir() and segments(path))
        if not inner:
            raise _nothing(folder)
        found += inner
    return found


def summarise(folder: Path) -> Summary:
    """Count what a store holds; reads it once."""
    summary = Summary(str(folder))
    keys: set[bytes] = set()
    with usable(folder):
        for path in segments(folder):
            segment = Segment(path)
            for record in segment.records():
                keys.add(bytes.fromhex(record.key))
                summary.records += 1
                summary.completions += isinstance(record.result, Completion)
                read, generated = tokens(record.result)
                summary.prompt_tokens += read
                summary.completion_tokens += generated
                if record.time:
                    summary.oldest = min(record.time, summary.oldest or inf)
                    summary.newest = max(record.time, summary.newest or 0)
            summary.segments += 1
            summary.bytes += _size(path)
            summary.dropped += len(segment.dropped)
    summary.keys = len(keys)
    summary.log_likelihoods = summary.records - summary.completions
    return summary


def export(folder: Path, output: Path) -> int:
    """Write a store's distinct records to one file, which is itself a segment for any store.

    Args:
        folder: the store; jobs may write to it meanwhile.
        output: a name that ends in ``.jsonl`` or ``.jsonl.gz``.

    Returns:
        The number of records.

    Raises:
        InputError: another ending, no store, or one that cannot be read, or an output that cannot be written.
    """
    if not output.name.endswith((".jsonl", ".jsonl.gz")):
        raise InputError("a store does not read files of this ending.", hint="use .jsonl.gz or .jsonl.", path=output)
    with usable(folder):
        paths = segments(folder)
        if not paths:
            raise _nothing(folder)
        distinct = _Distinct([Segment(path) for path in paths])
    with usable(output.parent):
        _write(output, distinct.lines())
    return distinct.count


def prune(folder: Path, *, older_than: float | None = None, dry_run: bool = False) -> Pruning:
    """Rewrite a store as one segment without duplicates and damaged records.

    Jobs may read and write meanwhile: a segment that a process has open for writing is left alone. On some file systems
    such a process on another machine is not seen, see :mod:`.engines.store_files`.

    Args:
        folder: the store.
        older_than: also delete records older than this many days. Records without a time stay.
        dry_run: change nothing.

    Raises:
        InputError: the store cannot be read or written, or another prune runs at the same time.
    """
    with usable(folder):
        paths = segments(folder)
        free = [path for path in paths if is_finished(path)]
        leftovers = list(_leftovers(folder))
        distinct = _Distinct(
            [Segment(path) for path in free], since=0 if older_than is None else time.time() - older_than * _DAY
        )
        pruning = Pruning(
            str(folder),
            segments=len(free),
            in_use=[str(path) for path in paths if path not in free],
            leftovers=len(leftovers),
            kept=distinct.count,
            duplicates=distinct.duplicates,
            dropped=distinct.dropped,
            old=distinct.old,
        )
        if dry_run:
            return pruning
        if len(free) > 1 or pruning.duplicates + pruning.dropped + pruning.old:
            if distinct.count:
                _write(folder / f"pruned-{uuid.uuid4().hex}.jsonl", distinct.lines())
            leftovers += free
        for path in leftovers:
            path.unlink(missing_ok=True)
    return pruning


class _Distinct:
    """The records that stay when several segments become one: of each key the oldest that is not too old.

    Args:
        found: the segments; they are read now, and again by :meth:`lines`.
        since: Unix seconds; older records are too old, records without a time are not.

    Attributes:
        count: records that stay; each takes about 200 bytes of memory.
        duplicates, old, dropped: records that do not stay.
    """

    def __init__(self, found: Sequence[Segment], since: float = 0) -> None:
        self._segments = found
        self._times: dict[bytes, float] = {}
        self.duplicates = self.old = 0
        for record in self._records():
            key = bytes.fromhex(record.key)
            if 0 < record.time < since:
                self.old += 1
            else:
                self.duplicates += key in self._times
                self._times[key] = min(record.time, self._times.get(key, inf))
        self.count = len(self._times)
        self.dropped = sum(len(segment.dropped) for segment in found)

    def lines(self) -> Iterator[bytes]:
        """The records that stay, as lines; can be called once."""
        for record in self._records():
            key = bytes.fromhex(record.key)
            if self._times.get(key) == record.time:
                del self._times[key]
                yield record.line
        if self._times:
            raise InputError(
                f"{len(self._times)} records vanished while they were read: another prune is running.",
                hint="run this again after the other prune; nothing is lost.",
            )

    def _records(self) -> Iterator[Record]:
        for segment in self._segments:
            yield from segment.records()


def _nothing(folder: Path) -> InputError:
    hint = "give a folder like results/completions/ANNOTATOR."
    return InputError("no completions are stored here.", hint=hint, path=folder)


def _write(path: Path, lines: Iterable[bytes]) -> None:
    """Write a segment under a temporary name; rename it when it is on the disk."""
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        with gzip.GzipFile("", "wb", 1, file) if path.suffix == ".gz" else nullcontext(file) as out:
            out.writelines(lines)
        file.flush()
        os.fsync(file.fileno())
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _leftovers(folder: Path) -> Iterator[Path]:
    for path in folder.glob(".*.partial"):
        with suppress(FileNotFoundError):  # a job renamed it
            if time.time() - path.stat().st_mtime > _DAY:
                yield path


def _size(path: Path) -> int:
    with suppress(FileNotFoundError):  # it was pruned
        return path.stat().st_size
    return 0
