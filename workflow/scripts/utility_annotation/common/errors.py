"""The exception that a user reads, its form for a full disk, and how a script turns it into an exit code."""

from __future__ import annotations

import errno
import gc
import os
import re
import shutil
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""The operating system's ways to say that a disk, a quota or a file is full."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""Control characters, line separators, and marks that turn the direction of what follows."""

_USER = re.compile(r"(?<=://)[^/?#\s]*@")
"""User and password of a URL, such as a proxy's of the environment."""
_LINES = re.compile(r"\s*[\r\n]+\s*")
_LARGE_FOLDERS = ("results", "data", "raw")
"""The folders of a working folder that hold the large files."""


class ItemNumber(int):
    """The 1-based number of an item in a JSON document, which has items where other files have lines."""


def place(line: int) -> str:
    """A row's place in its file: ``line 3``, or ``item 3`` for an ``ItemNumber``."""
    return f"{'item' if isinstance(line, ItemNumber) else 'line'} {line}"


def printable(text: str) -> str:
    """A text on one line, its other control characters spelled out: text from outside must not steer a terminal.

    A user and a password in a URL are masked.
    """
    line = _USER.sub("***@", _LINES.sub(" ", text))
    return _CONTROL.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), line)


class InputError(Exception):
    """Bad input or a bad setting: names the place, the problem, and how to fix it.

    Args:
        problem: what is wrong, in one sentence.
        hint: what the user can do about it, in one sentence.
        path: the file concerned, if any.
        line: the 1-based line (or ``ItemNumber``) in that file, if any.
    """

    def __init__(self, problem: str, *, hint: str, path: Path | str | None = None, line: int | None = None) -> None:
        self.problem, self.hint, self.path, self.line = problem, hint, path, line
        where = "" if path is None else f"{path}, {place(line)}: " if line is not None else f"{path}: "
        super().__init__(printable(f"{where}{problem} Fix: {hint}"))


class NoRoom(InputError):
    """A disk, a quota or a file is full: names the place, how full its disk is, and how to go on.

    Args:
        what: what could not be written, such as ``this file``.
        reason: the operating system's message.
        path: the file or folder that was being written.
        needed: bytes to write, if known.
    """

    def __init__(self, what: str, reason: str, path: Path | str, needed: int | None = None) -> None:
        folder = _existing(Path(os.path.abspath(path)))
        disk = shutil.disk_usage(folder)
        due = "" if needed is None else f", {_amount(needed)} are needed"
        super().__init__(
            f"there is no room to write {what} ({reason}): {_amount(disk.free)} of {_amount(disk.total)} are free on "
            f"the disk of {folder}{due}.",
            hint=f"free space there, raise the quota{_move(folder)}, and run the same command again. It continues "
            "where it stopped, and keeps earlier files.",
            path=path,
        )


def lacks_room(error: BaseException) -> str | None:
    """The system's message about a full disk, if this error or one of its causes is that; libraries wrap it."""
    for cause in causes(error):
        if isinstance(cause, OSError) and cause.errno in NO_ROOM:
            return os.strerror(cause.errno)
        for number in NO_ROOM:
            if os.strerror(number) in str(cause):
                return os.strerror(number)
    return None


def causes(error: BaseException) -> Iterator[BaseException]:
    """An error and its causes."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def _existing(path: Path) -> Path:
    return next(place for place in (path, *path.parents) if place.is_dir())


def _move(folder: Path) -> str:
    """How to move a full folder to another disk, if it is one of the large folders."""
    for name in _LARGE_FOLDERS:
        if folder.is_relative_to(os.path.abspath(name)):
            return f", or put {name}/ on a larger disk (`mv {name} /large/disk/ && ln -s /large/disk/{name} {name}`)"
    return ""


def _amount(size: int) -> str:
    for unit, bytes_of_unit in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= bytes_of_unit:
            return f"{size / bytes_of_unit:.1f} {unit}"
    return f"{size} bytes"


def _fullest() -> Path:
    """The folder with the least room among those that a script writes to."""
    places = [Path(name).resolve() for name in (*_LARGE_FOLDERS, tempfile.gettempdir()) if Path(name).is_dir()]
    return min(places, key=lambda place: shutil.disk_usage(place).free, default=Path.cwd())


def _print_traceback(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """What Python prints of a mistake of ours, in which text from outside neither steers a terminal nor begins a line.

    A job's last words are looked for at the beginnings of lines.
    """
    for part in traceback.format_exception(kind, error, trace):
        first, *others = part.rstrip("\n").split("\n")
        lines = [first, *(line if line.startswith(" ") else f"  {line}" for line in others)]
        print("\n".join(map(printable, lines)), file=sys.stderr)


def run_script(main: Callable[[list[str] | None], None]) -> None:
    """Run a script's ``main``. An InputError or a full disk becomes one line on standard error and exit code 1."""
    sys.excepthook = _print_traceback
    gc.freeze()  # imported modules live until the end, so the garbage collector need not look at them
    try:
        main(None)
    except InputError as error:
        problem = error
    except Exception as error:
        reason = lacks_room(error)
        if reason is None:
            raise
        place = getattr(error, "filename", None)
        problem = NoRoom("what this job makes", reason, place if isinstance(place, str) else _fullest())
    else:
        return
    print(f"error: {problem}", file=sys.stderr)
    sys.exit(1)
