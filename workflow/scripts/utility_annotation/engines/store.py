"""The completion store: whatever a model has once said is kept, and never paid for twice.

A folder of append-only files (:mod:`.store_files`), one per writing process, so that jobs on many machines share a
folder and never wait for each other. Records are found by a hash of what decides them (model, sampling, messages), so
neither another number of shards nor a changed later stage loses any. A file of another machine's store, or one exported
from it, counts as soon as it lies in the folder. It holds generated text and numbers only, as plain JSON.
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
from .store_files import KEY_LENGTH, Segment, open_segment, record_line, segments, usable


def completion_key(identity: str, request: ReplyRequest) -> str:
    """The key of a reply. Greedy decoding has no top-p, top-k or seed, so these do not tell greedy replies apart."""
    greedy = request.sampling.temperature == 0
    decoding = request.sampling.model_dump(include={"temperature", "max_new_tokens"} if greedy else None)
    guide = [] if request.guide is None else [request.guide]
    return _key("completion", identity, decoding, _turns(request.chat), *guide)


def log_likelihood_key(identity: str, request: Continuation) -> str:
    """The key of a log-likelihood."""
    return _key("log-likelihood", identity, _turns(request.context), request.text)


class CompletionStore:
    """A folder of records; use it as a context manager.

    Args:
        folder: created if missing.

    Raises:
        InputError: the folder cannot be made or written.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self._segment: int | None = None
        with usable(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            if not os.access(self.folder, os.R_OK | os.W_OK | os.X_OK, effective_ids=True):
                raise PermissionError("permission denied")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Hand what was added to the disk; a network file system may not report before that it is full."""
        if self._segment is not None:
            with usable(self.folder):
                try:
                    os.fsync(self._segment)
                finally:
                    self._close()

    def find(self, keys: Collection[str]) -> dict[str, Completion | LogLikelihood]:
        """The stored results among ``keys``; reads every segment once, keeps only what was asked for.

        Of several results under one key the oldest counts, whichever files they stand in. A record that was cut off
        (its writer was killed, or is writing just now) or damaged is left out, with a warning.

        Raises:
            InputError: the folder or a file in it cannot be read.
        """
        wanted = {key.encode() for key in keys}
        found: dict[str, Completion | LogLikelihood] = {}
        times: dict[str, float] = {}
        seen: set[Path] = set()
        with usable(self.folder):
            # Listed again until nothing is new: a prune may put one segment in the place of many while they are read.
            while wanted and (new := [path for path in segments(self.folder) if path not in seen]):
                seen.update(new)
                for path in new:
                    for record in Segment(path).records(wanted):
                        if record.key not in times or record.time < times[record.key]:
                            found[record.key], times[record.key] = record.result, record.time
        return found

    def add(self, key: str, result: Completion | LogLikelihood) -> None:
        """Append one result, whole and at once, to this process's own segment.

        Once this returns, the record survives the end of the process, ``kill -9`` included: the operating system has
        it. It is not forced to the disk one by one, so if the machine itself dies, the last seconds' records may be
        lost or damaged; these are dropped when read and made again.

        Raises:
            InputError: the disk is full, or the folder cannot be written. What was added before is kept.
        """
        line = record_line(key, round(time.time(), 3), result)
        with usable(self.folder):
            if self._segment is None:
                self._segment = open_segment(self.folder)
            try:
                while line:
                    line = line[os.write(self._segment, line) :]
            except BaseException:  # what is cut off has to stay the last of its segment
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
