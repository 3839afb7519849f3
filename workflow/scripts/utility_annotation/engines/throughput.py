"""How fast an annotator's engine was, kept beside its completions: a job that finds all of these knows no speed."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..common.errors import InputError
from ..common.files import read_json, write_json
from .store_files import usable

_FOLDER = "speeds"


@dataclass(frozen=True)
class Speed:
    """What engines got through.

    Attributes:
        tokens: read and generated.
        device_seconds: seconds of one GPU, or of a CPU or a server.
    """

    tokens: int
    device_seconds: float


def device_count(summary: Mapping[str, Any]) -> int:
    """Devices of a job, by its summary: its GPUs, or the one CPU or server that it was."""
    return max(summary["gpus"], 1)


def record_speed(store: Path, stage: str, speed: Speed) -> None:
    """Keep what one job did, in a file of its own, so that no two jobs meet.

    Args:
        store: folder of the completion store.
        stage: what was asked: prompts of another stage are of another length, and so are their replies.
        speed: what the job's engine made; nothing of it from the store.

    Raises:
        InputError: the disk is full, or the folder cannot be written.
    """
    with usable(store):
        write_json(store / _FOLDER / stage / f"{uuid.uuid4().hex}.json", asdict(speed))


def recorded_speed(store: Path, stage: str) -> Speed | None:
    """All that jobs of a stage did, together; None where none is recorded.

    Raises:
        InputError: the folder cannot be read, or a record in it is damaged.
    """
    with usable(store):
        speeds = [_read(path) for path in sorted((store / _FOLDER / stage).glob("*.json"))]
    if not speeds:
        return None
    return Speed(sum(speed.tokens for speed in speeds), sum(speed.device_seconds for speed in speeds))


def _read(path: Path) -> Speed:
    try:
        record: Any = read_json(path)
        return Speed(int(record["tokens"]), float(record["device_seconds"]))
    except (ValueError, KeyError, TypeError):
        raise InputError(
            "this record of an engine's speed is damaged.",
            hint="remove the file; only the cost of labels is computed from it.",
            path=path,
        ) from None
