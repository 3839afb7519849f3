"""What the completion stores of a configuration's annotators tell: how much they hold, and how fast engines were."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

from ..annotation.segments import segments
from ..annotation.speeds import recorded_speed
from ..configuration import Configuration
from .tables import ANY, Rate, Work

_STAGES = ("relsel", "answer", "utilsel", "utilrank", "utilsel-truth", "replug", "generate")
_WORK: tuple[Work, ...] = ("prompt", "likelihood", "reply")


def stored_completions(configuration: Configuration, root: Path) -> dict[str, int]:
    """Records in each annotator's store, duplicates included."""
    stores = {annotator: root / "results" / "completions" / annotator for annotator in configuration.annotators}
    return {name: sum(map(_lines, segments(store))) for name, store in stores.items() if store.is_dir()}


def own_rates(configuration: Configuration, root: Path) -> Iterator[Rate]:
    """How fast each annotator's engine was here in each stage, as far as its store keeps that.

    A record tells of tokens read and written together, so that both count alike; and it does not tell the device.
    """
    for annotator in configuration.annotators:
        store = root / "results" / "completions" / annotator
        for stage in _STAGES:
            speed = recorded_speed(store, stage) if store.is_dir() else None
            if speed is None or not speed.tokens or not speed.device_seconds:
                continue
            for work in _WORK:
                yield Rate(
                    device=ANY,
                    work=work,
                    model=f"{annotator}/{stage}",
                    rate=speed.tokens / speed.device_seconds,
                    cores=configuration.performance.threads,
                    basis="measured",
                    source=f"here: {store.relative_to(root)}/speeds/{stage}, {speed.tokens:,} tokens",
                )


def _lines(path: Path) -> int:
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
        return sum(1 for _ in stream)
