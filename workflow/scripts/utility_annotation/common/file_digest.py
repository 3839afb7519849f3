"""Content digest of a file, used as a rerun trigger in place of its modification time.

A digest is kept until the file's size or modification time changes, so that a large file is read once.
"""

from __future__ import annotations

import hashlib
import logging
import os
from contextlib import suppress
from pathlib import Path

from .errors import InputError
from .files import read_json, write_json

logger = logging.getLogger(__name__)

_LONG = 1 << 30


def content_digest(path: Path | str, cache: Path | str) -> str:
    """BLAKE2b (32 hex digits) of a file's bytes.

    Args:
        path: the file.
        cache: the folder of kept digests, one file each; if it cannot be written, nothing is kept.
    """
    path = Path(path).absolute()
    name = os.fsencode(path)
    kept = Path(cache) / f"{hashlib.blake2b(name, digest_size=16).hexdigest()}.json"
    status = path.stat()
    shown = name.decode("utf-8", "backslashreplace")
    stamp = {"path": shown, "bytes": status.st_size, "modified_ns": status.st_mtime_ns}
    with suppress(OSError, InputError):
        known = read_json(kept)
        if isinstance(known, dict) and {name: known.get(name) for name in stamp} == stamp and "digest" in known:
            return str(known["digest"])
    if status.st_size > _LONG:
        logger.warning("reading %s (%.1f GB) once for its digest", path, status.st_size / 1e9)
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    with suppress(OSError, InputError):
        write_json(kept, stamp | {"digest": digest})
    return digest
