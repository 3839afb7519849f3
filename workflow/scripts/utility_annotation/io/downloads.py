"""Download a published file: in flat memory, with its checksum, and resumed after a broken connection or a killed job.

``.FILE.partial`` beside the target holds the bytes so far, and ``.FILE.partial.json`` their URL and version. A later
attempt or run asks for the rest (HTTP Range). The target appears when the file is complete and its size and checksum
are right.
"""

from __future__ import annotations

import fcntl
import hashlib
import http.client
import logging
import os
import re
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Any, BinaryIO

from ..common.errors import InputError
from ..common.files import atomic_write, needing_room, read_json, write_json
from ..common.progress import Progress
from ..settings import Download

_LOG = logging.getLogger(__name__)

_BLOCK_BYTES = 1 << 18
_HEADWAY_BYTES = 1 << 20
_USER_AGENT = "utility-annotation"
_PASSING = (408, 425, 429, 500, 502, 503, 504)
"""HTTP statuses that may pass: another attempt is made."""
_LASTING = (
    ssl.SSLCertVerificationError,
    http.client.InvalidURL,
    FileNotFoundError,
    IsADirectoryError,
    PermissionError,
)
"""Causes of a failed connection that do not pass."""


@dataclass(frozen=True)
class Patience:
    """How often and how long to retry.

    Args:
        attempts: failures in a row before giving up; one that brought a mebibyte or more starts a new row.
        pause: seconds after the first failure of a row; doubled after each further one.
        longest_pause: the longest pause in seconds.
        timeout: seconds without a byte after which a connection counts as broken.
    """

    attempts: int = 6
    pause: float = 2.0
    longest_pause: float = 60.0
    timeout: float = 60.0


class _BrokenTransfer(Exception):
    """A failure that may pass."""


class _WrongFile(InputError):
    """The server's file is not the published one."""


def fetch_file(download: Download, output: Path, patience: Patience = Patience()) -> None:
    """Download the file to ``output``, or link it if ``download`` names a local copy.

    Proxies come from the environment (``https_proxy``, ``no_proxy``, …). The log has the checksum.

    Raises:
        InputError: the server refuses or keeps failing, size or checksum are not the published ones, the disk is full,
            another process is downloading the same file, or the local copy does not exist.
    """
    if download.local is not None:
        _link(Path(os.path.abspath(download.local)), download, output)
        return
    output.parent.mkdir(parents=True, exist_ok=True)
    path = output.with_name(f".{output.name}.partial")
    record = path.with_name(f"{path.name}.json")
    with needing_room(output, download.bytes), path.open("a+b") as file:
        _lock(file, path)
        partial = _Partial(file, record)
        try:
            partial.take_up(download)
            _bring(download, partial, patience)
            if partial.continued and (problem := _problem(download, partial.have, partial.md5.hexdigest())):
                _LOG.warning("%s: resumed from parts, but %s; downloading it again", download.url, problem)
                partial.restart()
                _bring(download, partial, patience)
            if problem := _problem(download, partial.have, partial.md5.hexdigest()):
                raise _wrong_file(download, problem)
            file.flush()
            os.fsync(file.fileno())
            os.replace(path, output)
            record.unlink(missing_ok=True)
        except _WrongFile:
            partial.restart()
            raise
        finally:
            if partial.have == 0:
                path.unlink(missing_ok=True)
                record.unlink(missing_ok=True)
    _LOG.info("%s: %s bytes, md5 %s", output, f"{partial.have:,}", partial.md5.hexdigest())


class _Partial:
    """The bytes of a file so far, hashed as they come.

    Args:
        file: opened for appending and reading.
        record: path of the JSON with the URL and version of ``file``.
    """

    def __init__(self, file: BinaryIO, record: Path) -> None:
        self._file, self._record = file, record
        self.have = 0
        self.md5 = hashlib.md5(usedforsecurity=False)
        self.version: str | None = None
        self.continued = False

    def take_up(self, download: Download) -> None:
        """Continue what an earlier run left, if its version can be checked."""
        try:
            record: Any = read_json(self._record)
            url, self.version = record["url"], record["version"]
        except (OSError, ValueError, TypeError, KeyError):
            url = None
        if url != download.url or (download.md5 is None and self.version is None):
            self.restart()
            return
        self._file.seek(0)
        size = os.fstat(self._file.fileno()).st_size
        progress = Progress("checking an unfinished download", size, "bytes", brief=True)
        while block := self._file.read(_BLOCK_BYTES):
            self._count(block)
            progress.add(len(block))
        if self.have:
            self.continued = True
            _LOG.info("%s: resuming after %s bytes of an earlier run", download.url, f"{self.have:,}")

    def restart(self) -> None:
        """Delete the bytes so far."""
        self._file.truncate(0)
        self.have, self.md5, self.continued = 0, hashlib.md5(usedforsecurity=False), False

    def begin(self, url: str, version: str | None) -> None:
        """Record the URL and version before the first byte."""
        self.version = version
        write_json(self._record, {"url": url, "version": version})

    def add(self, block: bytes) -> None:
        """Append a block."""
        self._file.write(block)
        self._count(block)

    def _count(self, block: bytes) -> None:
        self.md5.update(block)
        self.have += len(block)


def _lock(file: BinaryIO, path: Path) -> None:
    """Keep others from appending to the same file, such as a job that outlived its workflow."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        taken = True
    except OSError:
        _LOG.warning("%s: this file system has no locks; download a file in one process at a time", path)
        taken = False
    else:
        taken = not path.exists() or not os.path.samestat(path.stat(), os.fstat(file.fileno()))
    if taken:
        raise InputError(
            "another process is downloading this file.", hint="wait for it or end it, and run again.", path=path
        )


def _bring(download: Download, partial: _Partial, patience: Patience) -> None:
    """Ask until the file is complete, or the attempts are used up."""
    failures = 0
    while True:
        before = partial.have
        try:
            _request(download, partial, patience.timeout)
            return
        except _BrokenTransfer as error:
            failures = 1 if partial.have - before >= _HEADWAY_BYTES else failures + 1
            if failures >= patience.attempts:
                raise InputError(
                    f"{failures} attempts in a row failed, the last one because {error}.",
                    hint=f"run again later, which resumes after {partial.have:,} bytes; or check whether this machine "
                    "can reach the server (https_proxy?); or give your own copy as `local`.",
                    path=download.url,
                ) from None
            pause = min(patience.pause * 2 ** (failures - 1), patience.longest_pause)
            _LOG.warning(
                "%s: %s; %s bytes so far; trying again in %g seconds", download.url, error, f"{partial.have:,}", pause
            )
            time.sleep(pause)


def _request(download: Download, partial: _Partial, timeout: float) -> None:
    """Ask once for the missing bytes and append them; return when the file is complete."""
    if partial.have and partial.have == download.bytes:
        return
    headers = {"User-Agent": _USER_AGENT}
    if partial.have:
        headers["Range"] = f"bytes={partial.have}-"
        if download.md5 is None and partial.version is not None:
            headers["If-Range"] = partial.version
    try:
        with _connecting(download):
            response = urllib.request.build_opener().open(
                urllib.request.Request(download.url, headers=headers), timeout=timeout
            )
    except urllib.error.HTTPError as error:
        with error:
            if not _has_all(error, partial):
                raise _refusal(download, partial, error) from None
        return
    with response:
        due = _place(download, partial, response.status == http.HTTPStatus.PARTIAL_CONTENT, response.headers)
        progress = Progress(f"fetching {download.file}", None if due is None else due - partial.have, "bytes")
        while True:
            with _connecting(download):
                block = response.read1(_BLOCK_BYTES)
            if not block:
                break
            partial.add(block)
            if download.bytes is not None and partial.have > download.bytes:
                raise _wrong_file(download, f"its size is more than the published {download.bytes:,} bytes")
            progress.add(len(block))
    if due is not None and partial.have < due:
        raise _BrokenTransfer(f"the connection ended after {partial.have:,} of {due:,} bytes")


def _place(download: Download, partial: _Partial, is_rest: bool, headers: Message) -> int | None:
    """Prepare for a response's body, the rest or the whole file; return the size of the whole file, if known."""
    total: int | None
    if is_rest:
        found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", headers.get("Content-Range", "").strip())
        if found is None or int(found[1]) != partial.have:
            partial.restart()
            raise _BrokenTransfer("the server sent another part of the file than requested")
        total = None if found[2] == "*" else int(found[2])
        partial.continued = partial.have > 0
    else:
        if partial.have:
            _LOG.warning("%s: the server cannot resume this file; downloading it again", download.url)
            partial.restart()
        length = headers.get("Content-Length", "")
        total = int(length) if length.isdecimal() else None
        tag = headers.get("ETag", "")
        partial.begin(download.url, tag if tag.startswith('"') else headers.get("Last-Modified"))
    if total is not None and download.bytes is not None and total != download.bytes:
        raise _wrong_file(download, f"its size is {total:,} bytes and not the published {download.bytes:,}")
    return download.bytes if total is None else total


@contextmanager
def _connecting(download: Download) -> Iterator[None]:
    """Distinguish connection failures that may pass from those that do not."""
    try:
        yield
    except urllib.error.HTTPError:
        raise
    except (OSError, http.client.HTTPException) as error:
        cause = error.reason if isinstance(error, urllib.error.URLError) else error
        what = f"{type(cause).__name__}: {cause}" if isinstance(cause, Exception) else str(cause)
        if isinstance(cause, _LASTING):
            raise InputError(
                f"it cannot be reached ({what}).",
                hint="correct the URL or what the message names; or give your own copy as `local`.",
                path=download.url,
            ) from None
        raise _BrokenTransfer(f"the connection failed ({what})") from None


def _has_all(error: urllib.error.HTTPError, partial: _Partial) -> bool:
    """Whether a server refuses the rest of a file because it is complete."""
    nothing_left = f"bytes */{partial.have}"
    return error.code == 416 and partial.have > 0 and error.headers.get("Content-Range", "").strip() == nothing_left


def _refusal(download: Download, partial: _Partial, error: urllib.error.HTTPError) -> Exception:
    answer = f"the server answered {error.code} ({error.reason})"
    if error.code in _PASSING:
        return _BrokenTransfer(answer)
    if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and partial.have:
        partial.restart()
        return _BrokenTransfer(answer)
    return InputError(
        f"{answer}.",
        hint="check on the publisher's page whether the file has moved, and correct `url`; or give your own copy as "
        "`local`.",
        path=download.url,
    )


def _problem(download: Download, size: int, md5: str) -> str | None:
    """Why a file of this size and checksum is not the published one; None if it is."""
    if download.bytes is not None and size != download.bytes:
        return f"its size is {size:,} bytes and not the published {download.bytes:,}"
    if download.md5 is not None and md5 != download.md5:
        return f"its md5 is {md5} and not the published {download.md5}"
    return None


def _wrong_file(download: Download, problem: str) -> _WrongFile:
    return _WrongFile(
        f"this is not the published file: {problem}. It is deleted.",
        hint="run again, in case the transfer failed; else ask the publisher whether the file was replaced, and "
        "correct `md5` and `bytes` of the download, or give a good copy as `local`.",
        path=download.url,
    )


def _link(copy: Path, download: Download, output: Path) -> None:
    """Check a local copy and link it."""
    if copy == Path(os.path.abspath(output)) or not copy.is_file():
        raise InputError(
            f"the local copy of {download.url} is not there.",
            hint="correct `local` of the download, or remove it to fetch the file.",
            path=copy,
        )
    size, md5 = copy.stat().st_size, hashlib.md5(usedforsecurity=False)
    progress = Progress(f"checking {copy.name}", size, "bytes")
    with copy.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            md5.update(block)
            progress.add(len(block))
    if problem := _problem(download, size, md5.hexdigest()):
        raise InputError(
            f"this is not the file that {download.url} publishes: {problem}.",
            hint="copy it again, or remove `local` of the download to fetch it.",
            path=copy,
        )
    with atomic_write(output) as temporary:
        temporary.symlink_to(copy)
    _LOG.info("linked %s to %s: %s bytes, md5 %s", output, copy, f"{size:,}", md5.hexdigest())
