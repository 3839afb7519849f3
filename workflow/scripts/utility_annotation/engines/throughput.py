"""An engine's throughput, recorded beside its completions for jobs that find all of these in the store."""

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
    """The work of engines.

    Attributes:
        tokens: tokens read and generated.
        device_seconds: seconds of one GPU, or of a CPU or a server.
    """

    tokens: int
    device_seconds: float


def device_count(summary: Mapping[str, Any]) -> int:
    """Devices of a job, by its summary: its GPUs, or one CPU or server."""
    return max(summary["gpus"], 1)


def record_speed(store: Path, stage: str, speed: Speed) -> None:
    """Record the work of one job in a file of its own, so that jobs do not collide.

    Args:
        store: folder of the completion store.
        stage: the stage; the lengths of prompts and replies depend on it.
        speed: the work of the job's engine, without stored results.

    Raises:
        InputError: the disk is full, or the folder cannot be written.
    """
    with usable(store):
        write_json(store / _FOLDER / stage / f"{uuid.uuid4().hex}.json", asdict(speed))


def recorded_speed(store: Path, stage: str) -> Speed | None:
    """The recorded work of all jobs of a stage; None if there is none.

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
        record = read_json(path)
        return Speed(int(record["tokens"]), float(record["device_seconds"]))
    except (InputError, ValueError, KeyError, TypeError):
        raise InputError(
            "this record of an engine's speed is damaged.",
            hint="delete the file; only the cost of labels is computed from it.",
            path=path,
        ) from None
