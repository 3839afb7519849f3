"""The files of a completion store: JSON lines, one record each, with its key first and the time it was made.

One process appends to ``NAME.jsonl``, and nobody after it ends; ``NAME.jsonl.gz`` is an exported copy. Other files in
the folder are ignored.

A process holds a lock (``flock``) on the segment that it writes, from before the segment has its name until the process
ends or is killed. So a segment without a lock is finished. On local disks, and on NFS as Linux mounts it by default,
all machines see the lock. On file systems with local locks (NFS mounted ``local_lock``, Lustre mounted ``localflock``),
a writer on another machine is not seen.
"""

from __future__ import annotations

import fcntl
import gzip
import logging
import math
import os
import re
import socket
import uuid
import zlib
from collections.abc import Container, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import NamedTuple

import orjson
from pydantic import TypeAdapter

from ..common.errors import NO_ROOM, InputError, NoRoom
from .protocol import Completion, LogLikelihood

logger = logging.getLogger(__name__)

KEY_LENGTH = 32
"""Hexadecimal digits of a key."""

_SUFFIXES = (".jsonl", ".jsonl.gz")
_PREFIX = b'{"key":"'
_TIME = re.compile(rb'^\{"key":"[0-9a-f]+","time":(\d+(?:\.\d+)?),', re.MULTILINE)
_TAIL_BYTES = 1 << 18
"""Bytes at a segment's end that have a record's beginning."""
_LONGEST = 1 << 27
"""Bytes of a record; a few kB of an exported copy may hold a line that exceeds any memory."""
_RESULT: TypeAdapter[Completion | LogLikelihood] = TypeAdapter(Completion | LogLikelihood)


class Record(NamedTuple):
    """A stored result.

    Attributes:
        key: KEY_LENGTH hexadecimal digits.
        time: when it was made, in Unix seconds; 0 if the record does not say.
        result: what the model said.
        line: the record as in the file, newline included.
    """

    key: str
    time: float
    result: Completion | LogLikelihood
    line: bytes


def record_line(key: str, time: float, result: Completion | LogLikelihood) -> bytes:
    """A record as a line of a segment."""
    return orjson.dumps({"key": key, "time": time, **asdict(result)}, option=orjson.OPT_APPEND_NEWLINE)


def _parse(line: bytes) -> Record:
    fields = orjson.loads(line)
    key, time = fields.pop("key"), float(fields.pop("time", 0))
    result = _RESULT.validate_python(fields)
    if len(bytes.fromhex(key)) != KEY_LENGTH // 2 or not math.isfinite(time):
        raise ValueError(key)
    if isinstance(result, LogLikelihood) and not (result.tokens > 0 and math.isfinite(result.total)):
        raise ValueError(key)
    return Record(key, time, result, line)


class Segment:
    """One file of records, which can be read several times.

    A record is dropped, with a warning, if it is damaged or cut off: its writer was killed, ran out of disk or is still
    writing. A file that has vanished holds nothing: a prune moved its records into another.

    Attributes:
        dropped: the lines of the records that were dropped, from 1.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.dropped: set[int] = set()

    def records(self, keys: Container[bytes] | None = None) -> Iterator[Record]:
        """The records under ``keys``, or all of them. Other records are not parsed, and their damage goes unnoticed."""
        number = 0
        try:
            with gzip.open(self.path) if self.path.suffix == ".gz" else self.path.open("rb") as lines:
                for number, line in enumerate(iter(partial(lines.readline, _LONGEST), b""), start=1):
                    if not line.endswith(b"\n"):
                        self._drop(number, "a record that was cut off")
                    elif not line.startswith(_PREFIX):
                        self._drop(number, "a damaged record")
                    elif keys is None or line[len(_PREFIX) : len(_PREFIX) + KEY_LENGTH] in keys:
                        try:
                            record = _parse(line)
                        except (ValueError, KeyError, TypeError):
                            self._drop(number, "a damaged record")
                        else:
                            yield record
        except FileNotFoundError:
            logger.info("%s is gone: the store was pruned", self.path)
        except (EOFError, gzip.BadGzipFile, zlib.error):
            self._drop(number + 1, "the rest, which is cut off or damaged")

    def _drop(self, number: int, what: str) -> None:
        if number not in self.dropped:
            self.dropped.add(number)
            logger.warning("%s, line %d: dropped %s", self.path, number, what)


def segments(folder: Path) -> list[Path]:
    """The segments of a store, by name."""
    return sorted(path for path in folder.iterdir() if path.name.endswith(_SUFFIXES) and path.name[0] != ".")


def newest(folder: Path) -> float:
    """The time of the newest record in a store's segments, in Unix seconds; 0 if none is known."""
    found = [0.0]
    for path in segments(folder):
        with suppress(FileNotFoundError), path.open("rb") as segment:  # it was pruned
            segment.seek(max(0, segment.seek(0, os.SEEK_END) - _TAIL_BYTES))
            found += map(float, _TIME.findall(segment.read()))
    return max(found)


def open_segment(folder: Path) -> int:
    """Create a segment, locked until it is closed; returns its file descriptor, for appending.

    It gets its name after the lock, so that nobody sees it unlocked.
    """
    name = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}.jsonl"
    temporary = folder / f".{name}.partial"
    segment = os.open(temporary, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        fcntl.flock(segment, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        logger.warning("%s: this file system has no locks; prune the store only while no job runs", folder)
    temporary.rename(folder / name)
    return segment


def is_finished(path: Path) -> bool:
    """Whether no process will append to a segment any more; False if that is unknown."""
    try:
        with path.open("rb") as segment:
            fcntl.flock(segment, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


@contextmanager
def usable(folder: Path) -> Iterator[None]:
    """Turn an operating system's error about a folder of completions into an InputError.

    Raises:
        InputError: the disk is full, or the folder may not be read or written.
    """
    try:
        yield
    except OSError as error:
        if error.errno in NO_ROOM:
            raise NoRoom("completions", os.strerror(error.errno), folder) from error
        raise InputError(
            f"completions cannot be stored here ({error}).",
            hint="give a folder that you may read and write.",
            path=folder,
        ) from error
