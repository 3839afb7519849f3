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
from contextlib import suppress
from dataclasses import dataclass, field
from math import inf
from pathlib import Path

from ..common.errors import InputError
from ..common.files import DAY, atomic_write, is_day_old
from .protocol import Completion, tokens
from .store_files import Segment, is_finished, segments, usable


@dataclass
class Summary:
    """The content of a store: files, records that can be read, distinct keys among them, and their tokens.

    ``dropped`` are records that are cut off or damaged; ``oldest`` and ``newest`` are Unix seconds, None if unknown.
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
    """The effect of a prune: the number of rewritten files, of deleted half-written ones, and of records by fate.

    ``in_use`` are files left alone, because a process may be writing to them.
    """

    folder: str
    segments: int = 0
    in_use: list[str] = field(default_factory=list)
    leftovers: int = 0
    kept: int = 0
    duplicates: int = 0
    dropped: int = 0
    old: int = 0


def stores(folders: Sequence[Path]) -> list[Path]:
    """The stores among ``folders``, and those inside the others; an error if a folder is or holds no store."""
    found: list[Path] = []
    for folder in folders:
        with usable(folder):
            inner = [folder] if segments(folder) else [path for path in sorted(folder.iterdir()) if path.is_dir()]
            inner = [path for path in inner if segments(path)]
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
            summary.dropped += len(segment.dropped)
            with suppress(FileNotFoundError):  # it was pruned
                summary.bytes += path.stat().st_size
    summary.keys = len(keys)
    summary.log_likelihoods = summary.records - summary.completions
    return summary


def export(folder: Path, output: Path) -> int:
    """Write a store's distinct records to one file, a segment for any store; returns their number.

    The name ends in ``.jsonl`` or ``.jsonl.gz``. Jobs may write to the store meanwhile.
    """
    if not output.name.endswith((".jsonl", ".jsonl.gz")):
        raise InputError("a store does not read files of this ending.", hint="use .jsonl.gz or .jsonl.", path=output)
    with usable(folder):
        found = [Segment(path) for path in segments(folder)]
        if not found:
            raise _nothing(folder)
        times = _select(found, Pruning(str(folder)))
        count = len(times)
    with usable(output.parent):
        _write(output, _lines(found, times))
    return count


def prune(folder: Path, *, older_than: float | None = None, dry_run: bool = False) -> Pruning:
    """Rewrite a store as one segment, without duplicate and damaged records, and those older than so many days.

    Jobs may read and write meanwhile: a segment that a process has open for writing is left alone. On some file systems
    such a process on another machine is not seen, see :mod:`.store_files`. Records without a time are never too old.

    Raises:
        InputError: the store cannot be read or written, or another prune runs at the same time.
    """
    pruning = Pruning(str(folder))
    with usable(folder):
        paths = segments(folder)
        free = [path for path in paths if is_finished(path)]
        pruning.segments, pruning.in_use = len(free), [str(path) for path in paths if path not in free]
        leftovers = [path for path in folder.glob(".*.partial") if is_day_old(path)]
        pruning.leftovers = len(leftovers)
        found = [Segment(path) for path in free]
        times = _select(found, pruning, 0 if older_than is None else time.time() - older_than * DAY)
        if dry_run:
            return pruning
        if len(free) > 1 or pruning.duplicates + pruning.dropped + pruning.old:
            if times:
                _write(folder / f"pruned-{uuid.uuid4().hex}.jsonl", _lines(found, times))
            leftovers += free
        for path in leftovers:
            path.unlink(missing_ok=True)
    return pruning


def _select(found: Sequence[Segment], counts: Pruning, since: float = 0) -> dict[bytes, float]:
    """The key and time of each record that stays: of each key the oldest that is not older than ``since``."""
    times: dict[bytes, float] = {}
    for segment in found:
        for record in segment.records():
            key = bytes.fromhex(record.key)
            if 0 < record.time < since:
                counts.old += 1
            else:
                counts.duplicates += key in times
                times[key] = min(record.time, times.get(key, inf))
        counts.dropped += len(segment.dropped)
    counts.kept = len(times)
    return times


def _lines(found: Sequence[Segment], times: dict[bytes, float]) -> Iterator[bytes]:
    """The lines of the records that :func:`_select` chose; empties ``times``."""
    for segment in found:
        for record in segment.records():
            key = bytes.fromhex(record.key)
            if times.get(key) == record.time:
                del times[key]
                yield record.line
    if times:
        raise InputError(
            f"{len(times)} records vanished while they were read: another prune is running.",
            hint="run this again after the other prune; nothing is lost.",
        )


def _nothing(folder: Path) -> InputError:
    hint = "give a folder like results/completions/ANNOTATOR."
    return InputError("no completions are stored here.", hint=hint, path=folder)


def _write(path: Path, lines: Iterable[bytes]) -> None:
    """Write a segment under a temporary name; rename it when it is on the disk."""
    with atomic_write(path) as temporary:
        with gzip.open(temporary, "wb", 1) if path.suffix == ".gz" else temporary.open("wb") as out:
            out.writelines(lines)
        _sync(temporary)
    _sync(path.parent)  # before a prune deletes the files that this one replaces


def _sync(path: Path) -> None:
    """Put a file or the entries of a folder on the disk, as a power failure must not lose what was paid for."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
