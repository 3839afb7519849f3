"""Addresses of data sets on the Hugging Face hub: ``hub:OWNER/NAME[@REVISION][/PATH]``.

PATH is a file, a pattern such as ``data/train-*.parquet``, a folder if it ends with ``/``, or a member of a zip
(``FILE.zip/MEMBER``). Without it the address is the whole repository. Settings keep an address as the place below
``raw/hub/`` where the workflow puts the files, so that whatever reads or watches files needs to know of no hub.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Annotated
from urllib.parse import quote, unquote

from pydantic import AfterValidator

from .base import OutsidePath

SCHEME = "hub:"
FOLDER = "raw/hub"
"""Where the files are kept; no download has this name."""

_FORM = re.compile(
    r"(?P<repository>\w[\w.-]*/\w[\w.-]*)"
    r"(?:@(?P<revision>refs/pr/\d+|refs/convert/[\w-]+|[^/@]+))?"
    r"(?P<rest>/.*)?",
    re.ASCII,
)
_PATTERN = re.compile(r"[*?[]")


@dataclass(frozen=True)
class HubFiles:
    """Files of a data set on the hub.

    Attributes:
        repository: ``OWNER/NAME``.
        revision: commit, branch or tag; None for the branch ``main``.
        files: a file's path in the repository, a pattern, or a folder with ``/`` at its end (``/`` alone: everything).
        member: what of a zip is meant, with ``/`` before it.
    """

    repository: str
    revision: str | None
    files: str
    member: str

    @classmethod
    def parse(cls, address: str) -> HubFiles:
        """What an address means.

        Raises:
            ValueError: it is none.
        """
        found = _FORM.fullmatch(address.removeprefix(SCHEME))
        rest = ((found and found["rest"]) or "/").removeprefix("/") or "/"
        if not address.startswith(SCHEME) or found is None or any(part in ("", ".", "..") for part in _parts(rest)):
            raise ValueError(f"{address!r} is not of the form {SCHEME}OWNER/NAME[@REVISION][/PATH]")
        zipped, _, member = rest.partition(".zip/")
        if re.search(r"\.(tar(\.\w+)?|tgz|tbz2|txz)/.", rest):
            raise ValueError(f"name the tar in `downloads` (url: {SCHEME}…), and its member as raw/NAME/MEMBER")
        files, inside = (f"{zipped}.zip", f"/{member}") if member else (rest, "")
        return cls(found["repository"], found["revision"], files, inside)

    @property
    def several(self) -> bool:
        """Whether it is a folder or a pattern, whose files are kept as a folder."""
        return self.files.endswith("/") or _PATTERN.search(self.files) is not None

    @property
    def top(self) -> str:
        """The folder in the repository below which all of its files are; empty for the repository itself."""
        fixed = _PATTERN.split(self.files)[0]
        return fixed.rpartition("/")[0]

    @property
    def address(self) -> str:
        """The address of the file, or of the folder or the pattern."""
        revision = "" if self.revision is None else f"@{self.revision}"
        return f"{SCHEME}{self.repository}{revision}/{self.files.removeprefix('/')}".rstrip("/") + (
            "/" * self.files.endswith("/")
        )

    @property
    def place(self) -> str:
        """Where they are kept. A folder's or a pattern's name has no slash in it, so that no place is in another."""
        revision = "" if self.revision is None else f"@{self.revision}"
        return f"{FOLDER}/{self.repository}{revision}/{quote(self.files, safe='' if self.several else '/')}"


def hub_files(path: str) -> HubFiles | None:
    """The files on the hub that a path below ``raw/hub/`` stands for; None for any other path."""
    if PurePosixPath(path).parts[:2] != ("raw", "hub"):
        return None
    try:
        return HubFiles.parse(SCHEME + unquote(path.removeprefix(f"{FOLDER}/")))
    except ValueError:
        return None


def shown(path: str) -> str:
    """A path as a user wrote it: for the place of files on the hub, their address."""
    found = hub_files(path)
    return path if found is None else f"{found.address}{found.member}"


def _parts(rest: str) -> list[str]:
    return [] if rest == "/" else rest.removesuffix("/").split("/")


def _placed(path: str) -> str:
    if not path.startswith(SCHEME):
        return path
    found = HubFiles.parse(path)
    return found.place + found.member


DataPath = Annotated[OutsidePath, AfterValidator(_placed)]
"""Path of data from outside; a hub address becomes the place where its files are kept."""
