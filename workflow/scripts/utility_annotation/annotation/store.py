"""The completion store: whatever a model has once said is kept, and never paid for twice.

A folder of append-only JSONL segments, one a writing process, so that jobs on many machines share a folder without
locks. A record is written whole, as soon as the engine hands its result over: a kill loses only what was in flight.
Records are found by a hash of what decides them (model, sampling, messages), so neither another number of shards nor a
changed later stage loses any. It holds generated text and numbers only, as plain JSON.
"""

from __future__ import annotations

import hashlib
import logging
import os
import socket
import uuid
from collections.abc import Collection
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

import orjson

from ..configuration import Sampling
from .protocol import Chat, Completion, Continuation, LogLikelihood

logger = logging.getLogger(__name__)

_KEY_LENGTH = 32
_PREFIX = b'{"key":"'


def completion_key(identity: str, sampling: Sampling, chat: Chat) -> str:
    """The key of a reply. Greedy decoding has no top-p, top-k or seed, so these do not tell greedy replies apart."""
    greedy = sampling.temperature == 0
    decoding = sampling.model_dump(include={"temperature", "max_new_tokens"} if greedy else None)
    return _key("completion", identity, decoding, _turns(chat))


def log_likelihood_key(identity: str, request: Continuation) -> str:
    """The key of a log-likelihood."""
    return _key("log-likelihood", identity, _turns(request.context), request.text)


class CompletionStore:
    """A folder of records; use it as a context manager.

    Args:
        folder: created if missing.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._segment: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._segment is not None:
            os.close(self._segment)
            self._segment = None

    def find(self, keys: Collection[str]) -> dict[str, Completion | LogLikelihood]:
        """The stored results among ``keys``; reads every segment once, keeps only what was asked for.

        A record that was cut off (its writer was killed, or is writing just now) is left out, with a warning.
        """
        wanted = {key.encode() for key in keys}
        found: dict[str, Completion | LogLikelihood] = {}
        for segment in sorted(self.folder.glob("*.jsonl")) if wanted else ():
            with segment.open("rb") as lines:
                for number, line in enumerate(lines, start=1):
                    key = line[len(_PREFIX) : len(_PREFIX) + _KEY_LENGTH]
                    if not line.endswith(b"\n"):
                        logger.warning("%s, line %d: dropped a record that was cut off", segment, number)
                    elif key in wanted and key.decode() not in found:
                        try:
                            found[key.decode()] = _result(orjson.loads(line))
                        except (orjson.JSONDecodeError, KeyError, TypeError):
                            logger.warning("%s, line %d: dropped a damaged record", segment, number)
        return found

    def add(self, key: str, result: Completion | LogLikelihood) -> None:
        """Append one result, whole and at once, to this process's own segment."""
        if self._segment is None:
            name = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}.jsonl"
            self._segment = os.open(self.folder / name, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o666)
        line = orjson.dumps({"key": key, **asdict(result)}, option=orjson.OPT_APPEND_NEWLINE)
        while line:
            line = line[os.write(self._segment, line) :]


def _result(record: dict[str, Any]) -> Completion | LogLikelihood:
    del record["key"]
    return LogLikelihood(**record) if "total" in record else Completion(**record)


def _turns(chat: Chat) -> list[list[str]]:
    return [[message.role, message.content] for message in chat]


def _key(*parts: object) -> str:
    return hashlib.sha256(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)).hexdigest()[:_KEY_LENGTH]
