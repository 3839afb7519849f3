"""Code digests that an earlier process computed: that of a rule takes a second, and every job of a cluster plans anew.

They are kept in one file, with a digest of all Python files beside the scripts. While no file changes, they are valid.
"""

from __future__ import annotations

import hashlib
import os
import sys
from contextlib import suppress
from functools import cached_property
from pathlib import Path

from ..common import code_digest, syntax
from ..common.errors import InputError
from ..common.files import read_json, write_json


class KeptDigests:
    """The code digests of a folder of scripts, as long as its files stay as they are.

    Args:
        scripts: the folder; its files are read once.
        kept: the file of kept digests; if it cannot be written, nothing is kept.
    """

    def __init__(self, scripts: Path, kept: Path | str) -> None:
        self._scripts, self._kept = scripts, Path(kept)

    def of(self, script: str, function: str, entries: tuple[str, ...]) -> str:
        """See :func:`..common.code_digest.code_digest`; ``script`` is a file of the folder."""
        key = " ".join((script, function, *entries))
        if key not in self._known:
            self._known[key] = code_digest.code_digest(self._scripts / script, function, entries)
            with suppress(OSError, InputError):
                write_json(self._kept, {"files": self._files, "digests": self._known})
        return self._known[key]

    @cached_property
    def _known(self) -> dict[str, str]:
        with suppress(OSError, InputError):
            found = read_json(self._kept, "files", "digests")
            if found["files"] == self._files:
                return dict(found["digests"])
        return {}

    @cached_property
    def _files(self) -> str:
        """A digest of the files, of those that compute digests, and of the Python that does."""
        found = hashlib.blake2b(repr(sys.version_info[:2]).encode(), digest_size=16)
        for path in (Path(code_digest.__file__), Path(syntax.__file__), *sorted(self._scripts.rglob("*.py"))):
            content = path.read_bytes()
            found.update(f"{os.path.relpath(path, self._scripts)} {len(content)}\n".encode() + content)
        return found.hexdigest()
