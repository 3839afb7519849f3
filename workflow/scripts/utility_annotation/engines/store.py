"""The completion store: it keeps every completion, so that none is paid for twice.

It is a folder of append-only files (:mod:`.store_files`), one per writing process, so that jobs on many machines share
it without waiting for each other. A record's key is a hash of what decides it (model, sampling, messages), so that
another number of shards or a changed later stage loses none. Files from another machine's store count once they are in
the folder. Records hold only generated text and numbers, as plain JSON.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Collection
from pathlib import Path
from typing import Self

import orjson

from .protocol import Chat, Completion, Continuation, LogLikelihood, ReplyRequest
from .store_files import KEY_LENGTH, Segment, newest, open_segment, record_line, segments, usable


def completion_key(fingerprint: str, request: ReplyRequest) -> str:
    """The key of a reply. Greedy decoding uses no top-p, top-k or seed, so its keys do not depend on them."""
    greedy = request.sampling.temperature == 0
    decoding = request.sampling.model_dump(include={"temperature", "max_new_tokens"} if greedy else None)
    guide = [] if request.guide is None else [request.guide]
    return _key("completion", fingerprint, decoding, _turns(request.chat), *guide)


def log_likelihood_key(fingerprint: str, request: Continuation) -> str:
    """The key of a log-likelihood."""
    return _key("log-likelihood", fingerprint, _turns(request.context), request.text)


class CompletionStore:
    """A folder of records; use it as a context manager.

    Args:
        folder: created if missing.

    Raises:
        InputError: the folder cannot be created or written.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self._segment: int | None = None
        self._clock = 0.0
        """What this process adds to its monotonic clock, which nobody sets back, for the time of a record."""
        with usable(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            if not os.access(self.folder, os.R_OK | os.W_OK | os.X_OK, effective_ids=True):
                raise PermissionError("permission denied")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Flush added records to the disk; a network file system may report only then that it is full."""
        if self._segment is not None:
            with usable(self.folder):
                try:
                    os.fsync(self._segment)
                finally:
                    self._close()

    def find(self, keys: Collection[str]) -> dict[str, Completion | LogLikelihood]:
        """The stored results of ``keys``. Every segment is read once; only the wanted results stay in memory.

        Of several results under one key the oldest counts. No record is older than those that the store had before it,
        even if a machine's clock was set back. A damaged record, or one that is cut off (its writer was
        killed, or is still writing), is left out with a warning.

        Raises:
            InputError: the folder or a file in it cannot be read.
        """
        wanted = {key.encode() for key in keys}
        found: dict[str, Completion | LogLikelihood] = {}
        times: dict[str, float] = {}
        seen: set[Path] = set()
        with usable(self.folder):
            # Listed until nothing is new: a prune may replace many segments by one while they are read.
            while wanted and (new := [path for path in segments(self.folder) if path not in seen]):
                seen.update(new)
                for path in new:
                    for record in Segment(path).records(wanted):
                        if record.key not in times or record.time < times[record.key]:
                            found[record.key], times[record.key] = record.result, record.time
        return found

    def add(self, key: str, result: Completion | LogLikelihood) -> None:
        """Append one result, whole and at once, to this process's own segment.

        After this returns, the operating system has the record, and it survives ``kill -9``. Records are not forced to
        the disk one by one: if the machine itself crashes, those of the last seconds may be lost or damaged. A later
        job drops and regenerates them.

        Raises:
            InputError: the disk is full, or the folder cannot be written. Earlier records are kept.
        """
        with usable(self.folder):
            if self._segment is None:
                self._clock = max(time.time(), newest(self.folder)) - time.monotonic()
                self._segment = open_segment(self.folder)
            line = record_line(key, round(self._clock + time.monotonic(), 6), result)
            try:
                while line:
                    line = line[os.write(self._segment, line) :]
            except BaseException:  # a cut-off record must stay the last of its segment
                self._close()
                raise

    def _close(self) -> None:
        if self._segment is not None:
            os.close(self._segment)
            self._segment = None


def _turns(chat: Chat) -> list[list[str]]:
    return [[message.role, message.content] for message in chat]


def _key(*parts: object) -> str:
    return hashlib.sha256(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)).hexdigest()[:KEY_LENGTH]
