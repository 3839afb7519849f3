"""Download a published file: in flat memory, with its checksum, and resumed after a broken connection or a killed job.

``.FILE.partial`` beside the target holds the bytes so far, and ``.FILE.partial.json`` their URL, their version (ETag,
Last-Modified) and the whole file's size. A later attempt or run asks for the rest (HTTP Range). Parts of two versions
are not put together: another size, or another version of a file without a checksum, starts again. The target appears
when the file is complete and its size and checksum are right.
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
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from ..common.errors import InputError, lacks_room
from ..common.files import atomic_write, needing_room, read_json, write_json
from ..common.progress import Progress
from ..settings import Download, HubFiles
from ..settings.hub import SCHEME
from . import hub

_LOG = logging.getLogger(__name__)

_BLOCK_BYTES = 1 << 18
_HEADWAY_BYTES = 1 << 20
_PASSING = (408, 416, 425, 429, 500, 502, 503, 504)
"""HTTP statuses that may pass. After 416 (wrong range) the next attempt asks for the whole file."""
_LASTING = (ssl.SSLCertVerificationError, http.client.InvalidURL, FileNotFoundError, IsADirectoryError, PermissionError)
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
    if download.url.startswith(SCHEME):
        hub.fetch_files(HubFiles.parse(download.url), output, partial(_problem, download))
        return
    output.parent.mkdir(parents=True, exist_ok=True)
    path = output.with_name(f".{output.name}.partial")
    record = path.with_name(f"{path.name}.json")
    with needing_room(output, download.bytes), path.open("a+b") as file:
        _lock(file, path)
        try:
            known = _read_record(record)
            if known.get("url") != download.url or (not download.checksums and not _version(known)):
                file.truncate(0)
            whole = _bring(download, file, record, patience)
            while problem := _problem(download, path):
                if whole:
                    raise _wrong_file(download, file, problem)
                _LOG.warning("%s: resumed from parts, but %s; downloading it again", download.url, problem)
                file.truncate(0)
                whole = _bring(download, file, record, patience) or True
            os.fsync(file.fileno())
            os.replace(path, output)
            record.unlink(missing_ok=True)
        finally:
            if _size(file) == 0:
                path.unlink(missing_ok=True)
                record.unlink(missing_ok=True)


def stated_size(download: Download, timeout: float) -> int | None:
    """Bytes of the file as its server states them; None where it does not. No more than the headers are read.

    Raises:
        InputError: the server refuses, or the size is not the published one.
        ConnectionError: the server is not reached.
    """
    headers = {"User-Agent": "utility-annotation", "Range": "bytes=0-0"}
    request = urllib.request.Request(download.url, headers=headers)
    try:
        with urllib.request.build_opener().open(request, timeout=timeout) as response:
            _, of_whole, length = response.headers.get("Content-Range", "").rpartition("/")
            length = length if of_whole else response.headers.get("Content-Length", "")
    except (OSError, http.client.HTTPException) as error:
        reason = _passing_reason(download, error)
        if not isinstance(error, urllib.error.HTTPError):
            raise ConnectionError(reason) from None
        hint = "look again later; or give your own copy as `local`."
        raise InputError(f"{reason}.", hint=hint, path=download.url) from None
    size = int(length) if length.isdecimal() else None
    if size is not None and download.bytes is not None and size != download.bytes:
        raise InputError(
            f"its size is {size:,} bytes and not the published {download.bytes:,}.",
            hint="ask the publisher whether the file was replaced, and correct `md5`, `sha256` and `bytes` of the "
            "download, or give a good copy as `local`.",
            path=download.url,
        )
    return size


def _size(file: BinaryIO) -> int:
    return file.seek(0, os.SEEK_END)


def _read_record(record: Path) -> dict[str, Any]:
    """URL, version and whole size of the bytes so far; empty if unknown."""
    with suppress(OSError, ValueError, TypeError, InputError):
        return dict(read_json(record, "url"))
    return {}


def _version(known: Mapping[str, Any]) -> str | None:
    """What says for sure that a file is the same, for If-Range: a strong ETag, or else its date."""
    tag = known.get("etag")
    return tag if tag and tag.startswith('"') else known.get("modified")


def _lock(file: BinaryIO, path: Path) -> None:
    """Keep others from appending to the same file, such as a job that outlived its workflow."""
    taken = False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        taken = not path.exists() or not os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except BlockingIOError:
        taken = True
    except OSError:
        _LOG.warning("%s: this file system has no locks; download a file in one process at a time", path)
    if taken:
        hint = "wait for it or end it, and run again."
        raise InputError("another process is downloading this file.", hint=hint, path=path)


def _bring(download: Download, file: BinaryIO, record: Path, patience: Patience) -> bool:
    """Ask until the file is complete, or the attempts are used up; returns whether it came as a whole."""
    failures, whole = 0, True
    while True:
        before = _size(file)
        whole = whole and before == 0
        try:
            _request(download, file, record, patience.timeout)
            file.flush()
            return whole
        except (OSError, http.client.HTTPException, ValueError) as error:  # a ValueError is about an odd header
            reason = _passing_reason(download, error)
        size = _size(file)
        failures = 1 if size - before >= _HEADWAY_BYTES else failures + 1
        if failures >= patience.attempts:
            raise InputError(
                f"{failures} attempts in a row failed, the last one because {reason}.",
                hint=f"run again later, which resumes after {size:,} bytes; or check whether this machine can reach "
                "the server (https_proxy?); or give your own copy as `local`.",
                path=download.url,
            )
        pause = min(patience.pause * 2 ** (failures - 1), patience.longest_pause)
        _LOG.warning("%s: %s; %s bytes so far; trying again in %g seconds", download.url, reason, f"{size:,}", pause)
        time.sleep(pause)


def _request(download: Download, file: BinaryIO, record: Path, timeout: float) -> None:
    """Ask once for the missing bytes and append them; return when the file is complete."""
    have, known = _size(file), _read_record(record)
    if have and have == download.bytes:
        return
    headers = {"User-Agent": "utility-annotation"}
    if have:
        headers["Range"] = f"bytes={have}-"
        if not download.checksums and (version := _version(known)):
            headers["If-Range"] = version
    request = urllib.request.Request(download.url, headers=headers)
    try:
        response = urllib.request.build_opener().open(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        stated = error.headers.get("Content-Range", "").strip()
        whole = stated == f"bytes */{have}" and (download.checksums or known.get("total") == have)
        if error.code == 416 and have and whole:
            return
        if error.code == 416:
            file.truncate(0)
        raise
    with response:
        due = _place(download, file, record, response)
        have = _size(file)
        progress = Progress(f"fetching {download.file}", due, "bytes")
        progress.skip(have)
        while block := response.read1(_BLOCK_BYTES):
            have += file.write(block)
            if download.bytes is not None and have > download.bytes:
                raise _wrong_file(download, file, f"its size is more than the published {download.bytes:,} bytes")
            progress.add(len(block))
    if due is not None and have > due:
        file.truncate(0)
    if due is not None and have != due:
        raise ConnectionError(f"it ended after {have:,} of {due:,} bytes")


def _place(download: Download, file: BinaryIO, record: Path, response: Any) -> int | None:
    """Prepare for a response's body, the rest or the whole file; return the size of the whole file, if known."""
    have, headers = _size(file), response.headers
    stated = {"etag": headers.get("ETag"), "modified": headers.get("Last-Modified")}
    if response.status == http.HTTPStatus.PARTIAL_CONTENT:
        known = _read_record(record)
        found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", headers.get("Content-Range", "").strip())
        due = known.get("total") if found is None or found[2] == "*" else int(found[2])
        if found is None or int(found[1]) != have:
            problem = "the server sent another part of the file than requested"
        elif due != (known.get("total") or due) or not (download.checksums or _agree(known, stated)):
            problem = "the file was replaced on the server; it is downloaded again"
        else:
            problem = ""
        if problem:
            file.truncate(0)
            raise ConnectionError(problem)
    else:
        if have:
            _LOG.warning("%s: the server cannot resume this file; downloading it again", download.url)
            file.truncate(0)
        length = headers.get("Content-Length", "")
        due = int(length) if length.isdecimal() else download.bytes
        write_json(record, {"url": download.url, "total": due} | stated)
    if due is not None and download.bytes is not None and due != download.bytes:
        raise _wrong_file(download, file, f"its size is {due:,} bytes and not the published {download.bytes:,}")
    return due


def _agree(known: Mapping[str, Any], stated: Mapping[str, str | None]) -> bool:
    """Whether a part is of the version that is known. It states the ETag if the file has one, but not always a date."""
    return known.get("etag") == stated["etag"] and stated["modified"] in (None, known.get("modified"))


def _passing_reason(download: Download, error: Exception) -> str:
    """Why an attempt failed; raises an error if the cause does not pass."""
    if lacks_room(error):
        raise error
    if isinstance(error, urllib.error.HTTPError):
        reason = f"the server answered {error.code} ({error.reason})"
        if error.code in _PASSING:
            return reason
        hint = "check on the publisher's page whether the file has moved, and correct `url`"
    else:
        cause = error.reason if isinstance(error, urllib.error.URLError) else error
        what = f"{type(cause).__name__}: {cause}" if isinstance(cause, Exception) else cause
        if not isinstance(cause, _LASTING):
            return f"the connection failed ({what})"
        reason, hint = f"it cannot be reached ({what})", "correct the URL or what the message names"
    raise InputError(f"{reason}.", hint=f"{hint}; or give your own copy as `local`.", path=download.url) from None


def _problem(download: Download, path: Path) -> str | None:
    """Why a file is not the published one; None if it is. Logs its size and checksum."""
    size = path.stat().st_size
    if download.bytes is not None and size != download.bytes:
        return f"its size is {size:,} bytes and not the published {download.bytes:,}"
    for name in download.checksums or ("sha256",):
        with path.open("rb") as file, Progress(f"checking {path.name}", size, "bytes").watching(file.tell):
            found = hashlib.file_digest(file, partial(hashlib.new, name, usedforsecurity=False)).hexdigest()
        expected = download.checksums.get(name, found)
        if found != expected:
            return f"its {name} is {found} and not the published {expected}"
        _LOG.info("%s: %s bytes, %s %s", path, f"{size:,}", name, found)
    return None


def _wrong_file(download: Download, file: BinaryIO, problem: str) -> InputError:
    file.truncate(0)
    return InputError(
        f"this is not the published file: {problem}. It is deleted.",
        hint="run again, in case the transfer failed; else ask the publisher whether the file was replaced, and "
        "correct `md5`, `sha256` and `bytes` of the download, or give a good copy as `local`.",
        path=download.url,
    )


def _link(copy: Path, download: Download, output: Path) -> None:
    """Check a local copy and link it."""
    if copy == Path(os.path.abspath(output)) or not copy.is_file():
        problem = f"the local copy of {download.url} is not there."
        hint = "correct `local` of the download, or remove `local` to fetch the file."
        raise InputError(problem, hint=hint, path=copy)
    if difference := _problem(download, copy):
        problem = f"this is not the file that {download.url} publishes: {difference}."
        raise InputError(problem, hint="copy it again, or remove `local` from the download to fetch it.", path=copy)
    with atomic_write(output) as temporary:
        temporary.symlink_to(copy)
