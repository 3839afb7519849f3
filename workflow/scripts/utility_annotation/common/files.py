"""Atomic writes: write to a temporary name, check, rename. No reader sees a half-written file."""

from __future__ import annotations

import glob
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from .errors import InputError, NoRoom, lacks_room

DAY = 24 * 3600
"""Seconds."""
REGENERATE = "delete the file and run the target again to regenerate it."


@contextmanager
def atomic_write(path: Path | str, needed: int | None = None) -> Iterator[Path]:
    """Yield a temporary name beside ``path``; rename it to ``path`` on success, remove it on failure.

    This works for a file and for a folder. The temporary name has the process id in it, so that two processes that
    write the same target use different names.

    Args:
        path: the file or folder to write.
        needed: its size in bytes, if known; for the message if the disk is full.

    Raises:
        InputError: the disk is full.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    _remove(temporary)
    for leftover in path.parent.glob(f".{glob.escape(path.name)}.*.partial"):
        if is_day_old(leftover):  # of a process that was killed
            _remove(leftover)
    try:
        with needing_room(path, needed):
            yield temporary
            if path.is_dir():
                shutil.rmtree(path)
            os.replace(temporary, path)
    finally:
        _remove(temporary)


@contextmanager
def needing_room(path: Path, needed: int | None = None) -> Iterator[None]:
    """Turn a full disk into an error that names ``path``, the file being written.

    Raises:
        InputError: the disk is full.
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        reason = lacks_room(error)
        if reason is None:
            raise
        raise NoRoom("this file", reason, path, needed) from None


def reserve(path: Path) -> None:
    """Allocate a sparse file's space; writing into its memory map on a full disk would kill the process.

    Raises:
        OSError: the disk has too little space.
    """
    with path.open("r+b") as file:
        os.posix_fallocate(file.fileno(), 0, path.stat().st_size)


def is_day_old(path: Path) -> bool:
    """Whether a file has not changed for a day; one that is gone was renamed by its writer."""
    try:
        return time.time() - path.lstat().st_mtime > DAY
    except FileNotFoundError:
        return False


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def write_text(path: Path | str, text: str) -> None:
    """Write ``text`` as UTF-8 under a temporary name, then rename."""
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path | str, value: object) -> None:
    """Write ``value`` as indented JSON with sorted keys and a final newline; a NaN is written as null."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE | orjson.OPT_SERIALIZE_NUMPY
    with atomic_write(path) as temporary:
        temporary.write_bytes(orjson.dumps(value, option=options))


def read_json(path: Path | str, *names: str) -> Any:
    """Read a JSON file that this workflow wrote; with ``names``, an object that has at least these.

    Raises:
        InputError: it is damaged.
    """
    try:
        found = orjson.loads(Path(path).read_bytes())
    except orjson.JSONDecodeError as error:
        raise InputError(f"this file is damaged ({error}).", hint=REGENERATE, path=path) from None
    if names and not (isinstance(found, dict) and found.keys() >= set(names)):
        raise InputError(f"this file is damaged (it has no {', '.join(names)}).", hint=REGENERATE, path=path)
    return found
