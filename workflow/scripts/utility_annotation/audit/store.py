"""What the completion stores of a configuration's annotators tell: how much they hold, and how fast engines were."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

from ..engines.store_files import segments
from ..engines.throughput import recorded_speed
from ..settings import Configuration
from .rates import CPU, SERVER
from .tables import Rate, RateTable, Work

_STAGES = ("relsel", "answer", "utilsel", "utilrank", "utilsel-truth", "replug", "generate")
_WORK: tuple[Work, ...] = ("prompt", "likelihood", "reply")


def stored_completions(configuration: Configuration, root: Path) -> dict[str, int]:
    """Records in each annotator's store, duplicates included."""
    stores = {annotator: root / "results" / "completions" / annotator for annotator in configuration.annotators}
    return {name: sum(map(_lines, segments(store))) for name, store in stores.items() if store.is_dir()}


def own_rates(configuration: Configuration, gpu: str, root: Path) -> RateTable:
    """How fast each annotator's engine was here in each stage, as far as its store keeps that.

    A record tells of tokens read and written together, so that both count alike. It does not tell the device: it is
    taken to be the one on which the configuration runs annotators now.

    Args:
        configuration: the configuration.
        gpu: name of the GPU on which jobs that ask for one run.
        root: the folder in which the workflow runs.
    """
    return RateTable(rates=tuple(_own_rates(configuration, gpu, root)))


def _own_rates(configuration: Configuration, gpu: str, root: Path) -> Iterator[Rate]:
    performance = configuration.performance
    for annotator, settings in configuration.annotators.items():
        store = root / "results" / "completions" / annotator
        device = SERVER if settings.engine == "openai" else gpu if performance.annotate.gpus else CPU
        for stage in _STAGES:
            speed = recorded_speed(store, stage) if store.is_dir() else None
            if speed is None or not speed.tokens or not speed.device_seconds:
                continue
            for work in _WORK:
                yield Rate(
                    device=device,
                    work=work,
                    model=f"{annotator}/{stage}",
                    rate=speed.tokens / speed.device_seconds,
                    cores=performance.threads,
                    basis="measured",
                    source=f"here, {speed.tokens:,} tokens: {(store / 'speeds' / stage).relative_to(root)}",
                )


def _lines(path: Path) -> int:
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
        return sum(1 for _ in stream)
