"""How long an amount of work takes: the best known rate for a device and a model, and where it comes from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..annotation.stages import STAGES
from ..engines.throughput import recorded_speed
from ..planning import annotation, answers, reranking
from ..settings import Configuration
from .tables import ANY, KnownModel, Rate, RateTable

GPU = "A800"
"""The GPU that is assumed if none is named: the slowest in the shipped table."""
CPU = "cpu"
SERVER = "server"
"""The device of a model that somebody serves."""


REPLIES = 32
"""Replies under way at which a rate by weight byte was derived."""


class NotKnown(Exception):
    """Something that the audit would need is not known; the message says what, and how to make it known."""


@dataclass(frozen=True)
class Amount:
    """Some work of one kind.

    Attributes:
        work: the kind, one of :data:`~.tables.UNITS`.
        amount: how many of its units.
        model: the size of the model that does it, where one does and it is known.
        names: what rates may call that model.
        device: where it is done, if not on the job's own GPUs or cores.
        cache: bytes of an LLM's cache for one request; None where that is not known.
        memory_fraction: how much of a GPU's memory the weights and the cache have.
    """

    work: str
    amount: float
    model: KnownModel | None = None
    names: tuple[str, ...] = ()
    device: str | None = None
    cache: float | None = None
    memory_fraction: float = 1


class Rates:
    """Finds rates and remembers which were used.

    Args:
        tables: the rates. What a table says comes before what later ones say; within a table, what it says of a model
            before what it says of any, of a device before of any, and what comes first.
        gpu: name of the GPU on which jobs that ask for one run.

    Attributes:
        used: every rate that was applied, by device, kind of work and model.
    """

    def __init__(self, tables: Iterable[RateTable], gpu: str) -> None:
        self._tables, self._gpu = list(tables), gpu
        self.used: dict[tuple[str, str, str], Rate] = {}

    def gpus(self) -> list[str]:
        """The GPUs of which a rate is known."""
        return sorted({rate.device for table in self._tables for rate in table.rates} - {CPU, SERVER, ANY})

    def time(self, amounts: Iterable[Amount], *, gpus: int, threads: int) -> float:
        """Wall seconds of a job that does all this, one after the other, on its GPUs or else on its threads.

        Raises:
            NotKnown: there is no rate for a part of it.
        """
        device, seconds = self._gpu if gpus else CPU, 0.0
        for part in filter(lambda amount: amount.amount, amounts):
            rate = self._find(part, part.device or device)
            share = self._under_way(part, gpus) if gpus and rate.per == "weight byte" else 1
            seconds += _seconds(rate, part, gpus or threads) / share
        return seconds

    def _under_way(self, amount: Amount, gpus: int) -> float:
        """How many replies are under way, as a share of those of the rate: as many as the cache has room for.

        Raises:
            NotKnown: there is no room for one.
        """
        memory = next((table.memory[self._gpu] for table in self._tables if self._gpu in table.memory), None)
        if amount.cache is None or amount.model is None or memory is None:
            return 1
        replies = (gpus * memory * amount.memory_fraction - amount.model.bytes) / amount.cache
        if replies < 1:
            raise NotKnown(
                f"how {amount.names[-1]} is to fit {gpus} {self._gpu} (give its annotator more GPUs in "
                "`performance.annotate.gpus_of`)"
            )
        return min(1, replies / REPLIES)

    def _find(self, amount: Amount, device: str) -> Rate:
        found = next(filter(None, (_best(table.rates, amount, device) for table in self._tables)), None)
        if found is None:
            whose = f" of model {amount.names[-1]}" if amount.names else ""
            raise NotKnown(f"a rate of {amount.work}{whose} on device {device} (give it in a file for --rates)")
        self.used[device, amount.work, found.model or ""] = found.model_copy(update={"device": device})
        return found


def _best(rates: Iterable[Rate], amount: Amount, device: str) -> Rate | None:
    models = (None, *amount.names)
    fit = [r for r in rates if r.work == amount.work and r.device in (device, ANY) and r.model in models]
    return min(fit, key=lambda rate: (rate.model is None, rate.device != device), default=None)


def _seconds(rate: Rate, amount: Amount, workers: int) -> float:
    if rate.seconds is not None:
        return amount.amount * rate.seconds
    assert rate.rate is not None, "a rate has one of the two"
    units = 1.0
    if rate.per != "unit":
        if amount.model is None:
            raise NotKnown(f"the size of the model that does the {amount.work}")
        flop = (6 if amount.work == "train" else 2) * amount.model.multiplied  # forwards, and twice backwards
        units = flop if rate.per == "FLOP" else amount.model.bytes
    return amount.amount * units / rate.rate / (1 if amount.device == SERVER else workers)


def own_name(annotator: str, stage: str) -> str:
    """What a rate calls an annotator's engine in one stage, where that engine itself was measured here."""
    return f"{annotator}/{stage}"


def own_rates(configuration: Configuration, gpu: str) -> RateTable:
    """How fast each annotator's engine was here in each stage, as far as its completion store keeps that.

    A record tells of tokens read and written together, so both count alike. It does not tell the device: it is taken to
    be the one on which the configuration runs annotators now, ``gpu`` where that is a GPU.
    """
    rates, performance = list[Rate](), configuration.performance
    for annotator, settings in configuration.annotators.items():
        store = Path(annotation.store(configuration, annotator=annotator))
        on_gpu = annotation.gpus(configuration, annotator=annotator)
        device = SERVER if settings.engine == "openai" else gpu if on_gpu else CPU
        for stage in (*STAGES, answers.STAGE, reranking.STAGE) if store.is_dir() else ():
            speed = recorded_speed(store, stage)
            if speed is not None and speed.tokens and speed.device_seconds:
                own = Rate(
                    device=device,
                    work="prompt",
                    model=own_name(annotator, stage),
                    rate=speed.tokens / speed.device_seconds / (performance.threads if device == CPU else 1),
                    basis="measured",
                    source=f"here, {speed.tokens:,} tokens: {store / 'speeds' / stage}",
                )
                rates += (own.model_copy(update={"work": work}) for work in ("prompt", "likelihood", "reply"))
    return RateTable(rates=tuple(rates))
