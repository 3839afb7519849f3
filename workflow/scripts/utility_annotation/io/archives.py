"""One member of a tar archive, streamed to a path of our choice: names in the archive never decide where files go.

Zip archives are not unpacked: their members are read in place (:mod:`utility_annotation.io.formats.lines`).
"""

from __future__ import annotations

import difflib
import glob
import logging
import shutil
import tarfile
from pathlib import Path, PurePosixPath
from typing import IO, Any

from ..common.errors import InputError
from ..common.files import atomic_write
from ..common.progress import Progress
from .compression import ENDINGS, decompressed

_LOG = logging.getLogger(__name__)

_TAR_ENDINGS = (".tar", ".tgz", ".tbz2", ".txz", *(f".tar{ending}" for ending in ENDINGS))
PARQUET, JSON_LINES = ".parquet", ".jsonl*"
"""How names of files that are read from a folder end; JSON lines may be compressed."""

_BLOCK_BYTES = 1 << 20
_EXTENDED = b"LKxgX"
"""Types of headers that describe the next member: GNU's long name and long link, and PAX records."""
_NAMES_KEPT = 100_000
_LONGEST_NAME = 500
"""Most names kept for the error message, and their length; a hostile archive may hold any number."""
_LARGEST_HEADER = 1 << 16
"""Bytes of a header with a long name or PAX records. They are held in memory, and name what they like as their size."""


def is_tar(name: str) -> bool:
    """Whether a file of this name is a tar archive, compressed or not."""
    return name.endswith(_TAR_ENDINGS)


def is_data(name: str) -> bool:
    """Whether a file of a folder or an archive can be data: it is not hidden, and not what a Mac adds to an archive."""
    return not any(part.startswith(".") or part == "__MACOSX" for part in PurePosixPath(name).parts)


def shards(path: Path, *endings: str) -> list[Path]:
    """The files of a folder, at any depth, or of a pattern such as ``part-*.parquet``, by name; else the file alone.

    Nothing is returned where there is no such file.
    """
    if path.is_file():
        return [path]
    if path.is_dir():
        found = {file for ending in endings for file in path.rglob(f"*{ending}")}
        return sorted(file for file in found if file.is_file() and is_data(str(file.relative_to(path))))
    return sorted(file for file in map(Path, glob.glob(str(path), recursive=True)) if file.is_file())


def on_disk(path: Path) -> Path:
    """The file on disk that ``path`` needs: the zip where the path leads on into one, else the path itself."""
    return next((parent for parent in path.parents if parent.is_file()), path)


class _Member(tarfile.TarInfo):
    """A member whose headers fit into memory."""

    def _proc_member(self, tar: tarfile.TarFile) -> tarfile.TarInfo:
        if self.type == tarfile.GNUTYPE_SPARSE:
            self._proc_gnusparse_10()
        extended = self.type in _EXTENDED
        of_all = sum(len(name) + len(str(value)) for name, value in tar.pax_headers.items())
        if self.size < 0 or of_all > _LARGEST_HEADER or (extended and self.size > _LARGEST_HEADER):
            raise tarfile.ReadError(f"a header states {max(self.size, of_all):,} bytes")
        return super()._proc_member(tar)  # type: ignore[misc]

    def _proc_gnusparse_10(self, *_: object) -> None:
        raise tarfile.ReadError("it has a sparse file, whose map may be of any size")


def unpack(archive: Path, member: str, output: Path) -> None:
    """Write the first regular file named ``member`` to ``output``, in flat memory, and nothing else.

    The archive is read to its end, where its checksum is. A leading ``./`` in a name is ignored.

    Raises:
        InputError: there is no such archive or member, the member is no regular file, or the archive is damaged.
    """
    wanted = PurePosixPath(member)
    names: list[str] = []
    try:
        with (
            archive.open("rb") as stream,
            Progress(f"looking for {member} in {archive}", archive.stat().st_size, "bytes").watching(stream.tell),
            decompressed(stream) as data,
            tarfile.open(fileobj=data, mode="r|", tarinfo=_Member) as tar,
        ):
            while (found := tar.next()) is not None:
                if PurePosixPath(found.name) == wanted:
                    _write(tar, found, data, archive, output)
                    _LOG.info("unpacked %s (%s bytes) from %s", member, f"{found.size:,}", archive)
                    return
                short = len(found.name) <= _LONGEST_NAME and len(names) < _NAMES_KEPT
                if found.isreg() and short and is_data(found.name):
                    names.append(found.name.removeprefix("./"))
                tar.members.clear()  # type: ignore[attr-defined]  # or tarfile keeps them all
    except FileNotFoundError:
        raise InputError("there is no such archive.", hint="download it, or correct the path.", path=archive) from None
    except InputError:
        raise
    except Exception as error:  # tarfile raises ValueErrors and others too
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise InputError(
            f"the archive is cut short or damaged ({error}).",
            hint=("copy your own file again" if archive.is_symlink() else "delete the archive to download it again")
            + ", and compare its checksum with the publisher's.",
            path=archive,
        ) from None
    near = difflib.get_close_matches(member, names, n=5, cutoff=0.4) or names[:5]
    raise InputError(
        f"the archive has no member {member!r}; similar names: {', '.join(near) or 'none, it holds no file'}.",
        hint="correct the path after `raw/NAME/` in the configuration.",
        path=archive,
    )


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, data: IO[Any], archive: Path, output: Path) -> None:
    stream = tar.extractfile(member) if member.isreg() else None
    if stream is None:
        raise InputError(
            f"the member {member.name!r} is a link, a folder or a device and no regular file.",
            hint="name a member that is a regular file.",
            path=archive,
        )
    with stream, atomic_write(output, member.size) as temporary, temporary.open("wb") as file:
        shutil.copyfileobj(stream, file, _BLOCK_BYTES)
        while data.read(_BLOCK_BYTES):
            pass
