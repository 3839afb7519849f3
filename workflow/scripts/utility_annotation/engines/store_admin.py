"""Looking after completion stores: what they hold, copies to carry elsewhere, and removing what is superfluous.

No kill, at whatever moment, loses a record: new content is written under a temporary name, forced to the disk and
renamed before anything old is removed. Of several records under one key the oldest stays, the one that jobs find.
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
    """What a store holds.

    Attributes:
        segments, bytes: files, and their size.
        records: records that can be read; each is a completion or a log-likelihood.
        keys: distinct requests among them; the other records are duplicates.
        prompt_tokens, completion_tokens: read and generated for all records; a scored text counts as read.
        dropped: records that are cut off or damaged.
        oldest, newest: when the first and the last record were made, in Unix seconds; None where none says.
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
    """What a prune of a store does.

    Attributes:
        segments, bytes: files that are rewritten as one, and their size.
        in_use: files left alone, because a process may be writing to them.
        leftovers: half-written files of processes killed more than a day ago, which go.
        kept: records that stay.
        duplicates, dropped, old: records that go: of a key that is kept, cut off or damaged, or too old.
    """

    folder: str
    segments: int
    bytes: int
    in_use: list[str]
    leftovers: int
    kept: int
    duplicates: int
    dropped: int
    old: int


def stores(folders: Sequence[Path]) -> list[Path]:
    """The stores that ``folders`` are, or else hold.

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
        folder: the store; jobs may go on writing to it.
        output: ends in ``.jsonl`` or ``.jsonl.gz``.

    Returns:
        The number of records.

    Raises:
        InputError: another ending, no store, or one that cannot be read, or an output that cannot be written.
    """
    if not output.name.endswith((".jsonl", ".jsonl.gz")):
        raise InputError("the ending is not one that a store reads.", hint="use .jsonl.gz or .jsonl.", path=output)
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

    Jobs may go on reading and writing: a segment that a process has open for writing is left alone. See
    :mod:`.engines.store_files` for file systems on which such a process, if it runs on another machine, is not seen.

    Args:
        folder: the store.
        older_than: also remove records made more than so many days ago. Records that do not say when stay.
        dry_run: change nothing.

    Raises:
        InputError: the store cannot be read or written, or another prune was quicker.
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
            bytes=sum(map(_size, free)),
            in_use=[str(path) for path in paths if path not in free],
            leftovers=len(leftovers),
            kept=distinct.count,
            duplicates=distinct.duplicates,
            dropped=distinct.dropped,
            old=distinct.old,
        )
        if dry_run:
            return pruning
        superfluous = pruning.duplicates + pruning.dropped + pruning.old
        if len(free) > 1 or superfluous:
            if distinct.count:
                _write(folder / f"pruned-{uuid.uuid4().hex}.jsonl", distinct.lines())
            leftovers += free
        for path in leftovers:
            path.unlink(missing_ok=True)
    return pruning


class _Distinct:
    """What stays when several segments become one: of each key the oldest record, if it is not too old.

    Args:
        found: the segments; they are read now, and again for :meth:`lines`.
        since: records made before are too old, in Unix seconds; those that do not say are not.

    Attributes:
        count: records that stay; it takes about 200 bytes of memory for each.
        duplicates, old, dropped: records that do not.
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
        """The records that stay, as they lie in their files; to be asked for once."""
        for record in self._records():
            key = bytes.fromhex(record.key)
            if self._times.get(key) == record.time:
                del self._times[key]
                yield record.line
        if self._times:
            raise InputError(
                f"{len(self._times)} records have gone while they were read: the store is being pruned.",
                hint="run this again when the other prune has ended; nothing is lost.",
            )

    def _records(self) -> Iterator[Record]:
        for segment in self._segments:
            yield from segment.records()


def _nothing(folder: Path) -> InputError:
    hint = "give a folder like results/completions/ANNOTATOR."
    return InputError("no completions are stored here.", hint=hint, path=folder)


def _write(path: Path, lines: Iterable[bytes]) -> None:
    """Write a segment under a temporary name; it has its name only once it is on the disk."""
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
        with suppress(FileNotFoundError):  # a job has given it its name meanwhile
            if time.time() - path.stat().st_mtime > _DAY:
                yield path


def _size(path: Path) -> int:
    with suppress(FileNotFoundError):  # pruned meanwhile
        return path.stat().st_size
    return 0
