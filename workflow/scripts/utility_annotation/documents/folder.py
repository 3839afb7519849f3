"""The files of a folder of documents, and the shards in which they are read."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from ..common.errors import InputError
from ..common.file_digest import content_digest
from ..io.archives import is_data
from ..io.compression import ENDINGS


def files(folder: Path) -> list[str]:
    """The files of a folder, at any depth, by their paths from it; hidden ones and links to folders are left out.

    Raises:
        InputError: the system does not let us look into a folder.
    """

    def refuse(error: OSError) -> None:
        if Path(error.filename) != folder or not isinstance(error, FileNotFoundError):
            raise InputError(
                f"the system cannot look into this folder ({error.strerror}).",
                hint="allow it to be read, or move it elsewhere.",
                path=shown(str(error.filename)),
            )

    found: list[str] = []
    for parent, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = filter(is_data, folders)
        places = (os.path.join(parent, name) for name in filter(is_data, names))
        found += (os.path.relpath(place, folder) for place in places if os.path.isfile(place))
    return sorted(found)


def of_shard(names: Iterable[str], shard: str) -> list[str]:
    """The files of a shard such as ``0003-of-0064``. A file stays in its shard when others come and go."""
    number, shards = map(int, shard.split("-of-"))
    return [name for name in names if _place(name) % shards == number]


def _place(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(os.fsencode(name), digest_size=8).digest(), "big")


def digest(folder: Path, names: Iterable[str], cache: str) -> str:
    """A digest of the files' names and contents; what it reads of each is kept in ``cache``."""
    whole = hashlib.blake2b(digest_size=16)
    for name in names:
        try:
            content = content_digest(folder / name, cache)
        except OSError as error:  # as the file is listed as one that cannot be read
            content = type(error).__name__
        whole.update(os.fsencode(name) + b"\0" + content.encode() + b"\0")
    return whole.hexdigest()


def state(folder: Path, names: Iterable[str]) -> dict[str, tuple[int, int]]:
    """Size and time of the last change of each file that is there."""
    found = {}
    for name in names:
        try:
            status = (folder / name).stat()
        except OSError:
            continue
        found[name] = (status.st_size, status.st_mtime_ns)
    return found


def shown(name: str) -> str:
    """A name as text: bytes that are no UTF-8 are spelled out."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def stem(file: str) -> str:
    """The name of a file without its endings."""
    name = Path(file).name
    while Path(name).suffix.lower() in ENDINGS:
        name = Path(name).stem
    return Path(name).stem
