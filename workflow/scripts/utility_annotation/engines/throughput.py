"""An engine's throughput, recorded beside its completions for jobs that find all of these in the store."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
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


def tokens_a_device_second(jobs: Iterable[Mapping[str, Any]]) -> float | None:
    """Tokens per second of one device over jobs, by their summaries, or over earlier jobs if these made nothing.

    None if no speed is recorded.
    """
    jobs = list(jobs)
    made = sum(job["prompt_tokens"] + job["new_tokens"] for job in jobs)
    seconds = sum(job["engine_seconds"] * device_count(job) for job in jobs)
    if not made:
        earlier = [job["earlier"] for job in jobs if job["earlier"]]
        made = sum(speed["tokens"] for speed in earlier)
        seconds = sum(speed["device_seconds"] for speed in earlier)
    return made / seconds if made and seconds else None


def device_seconds(summary: Mapping[str, Any]) -> float | None:
    """Seconds of one device that all work of a job took, without the loading of its model.

    Of an LLM's job they are its ``tokens``, stored ones included, at the speed of its engine; None where no speed is
    recorded. Another job's are its own ``seconds``.
    """
    if "engine_seconds" not in summary:
        return float(summary["seconds"]) * device_count(summary)
    speed = tokens_a_device_second([summary])
    return 0.0 if not summary["tokens"] else summary["tokens"] / speed if speed else None


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
