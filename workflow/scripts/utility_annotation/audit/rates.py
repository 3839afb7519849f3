"""How long an amount of work takes: the best known rate for a device and a model, and where it comes from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..annotation.stages import STAGES
from ..engines.throughput import recorded_speed
from ..planning import annotation, answers
from ..settings import Configuration
from .tables import ANY, KnownModel, Rate, RateTable

CPU = "cpu"
SERVER = "server"
"""The device of a model that somebody serves."""

NOTICEABLE = 0.1
"""Share from which on a part counts where a whole is called derived or not."""

_FLOP_A_PARAMETER = {"train": 6}
"""A multiplication and an addition per parameter and token; training does them once forwards and twice backwards."""


class NotKnown(Exception):
    """Something that the audit would need is not known; the message says what, and how to make it known."""


@dataclass(frozen=True)
class ModelSize:
    """A model as far as its speed and its files depend on it.

    Attributes:
        name: its name in the configuration.
        names: that, its hub name, package or folder: what tables may call it.
        known: its size, if that is known.
    """

    name: str
    names: tuple[str, ...]
    known: KnownModel | None

    def size(self) -> KnownModel:
        """Its size.

        Raises:
            NotKnown: no table has it.
        """
        if self.known is None:
            raise NotKnown(f"the size of model {self.name} (give it under `models` of a file for --sizes)")
        return self.known


@dataclass(frozen=True)
class Amount:
    """Some work of one kind.

    Attributes:
        work: the kind, one of :data:`~.tables.UNITS`.
        amount: how many of its units.
        model: the model that does it, if one does.
        device: where it is done, if not on the job's own GPUs or cores.
    """

    work: str
    amount: float
    model: ModelSize | None = None
    device: str | None = None


@dataclass(frozen=True)
class Time:
    """Wall seconds, and whether a derived rate has a noticeable part in them."""

    seconds: float
    derived: bool


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

    def time(self, amounts: Iterable[Amount], *, gpus: int, threads: int) -> Time:
        """Wall time of a job that does all this, one after the other.

        Args:
            amounts: the work.
            gpus: GPUs of the job; none is a job on the CPU.
            threads: its threads.

        Raises:
            NotKnown: there is no rate for a part of it.
        """
        device = self._gpu if gpus else CPU
        parts = [(self._find(amount, amount.device or device), amount) for amount in amounts if amount.amount]
        seconds = [_seconds(rate, amount, gpus, threads) for rate, amount in parts]
        small = NOTICEABLE * sum(seconds)
        derived = any(rate.basis == "derived" and part > small for (rate, _), part in zip(parts, seconds, strict=True))
        return Time(sum(seconds), derived)

    def _find(self, amount: Amount, device: str) -> Rate:
        work, model = amount.work, amount.model
        found = next(filter(None, (_best(table.rates, amount, device) for table in self._tables)), None)
        if found is None:
            whose = "" if model is None else f" of model {model.name}"
            raise NotKnown(f"a rate of {work}{whose} on device {device} (give it in a file for --rates)")
        self.used[device, work, found.model or (model.name if model and found.per != "unit" else "")] = found
        return found


def _best(rates: Iterable[Rate], amount: Amount, device: str) -> Rate | None:
    names = (None, *(amount.model.names if amount.model else ()))
    fit = [r for r in rates if r.work == amount.work and r.device in (device, ANY) and r.model in names]
    return min(fit, key=lambda rate: (rate.model is None, rate.device != device), default=None)


def _seconds(rate: Rate, amount: Amount, gpus: int, threads: int) -> float:
    if rate.seconds is not None:
        return amount.amount * rate.seconds
    assert rate.rate is not None, "a rate has one of the two"
    workers = 1 if amount.device == SERVER else gpus or threads / rate.cores
    return amount.amount * _units(rate, amount) / rate.rate / workers


def _units(rate: Rate, amount: Amount) -> float:
    """What one unit of the work is in the units of the rate."""
    if rate.per == "unit":
        return 1
    if amount.model is None:
        raise NotKnown(f"the model that does the {amount.work}")
    if rate.per == "weight byte":
        return amount.model.size().bytes
    return _FLOP_A_PARAMETER.get(amount.work, 2) * amount.model.size().multiplied


def own_name(annotator: str, stage: str) -> str:
    """What a rate calls an annotator's engine in one stage, where that engine itself was measured here."""
    return f"{annotator}/{stage}"


def own_rates(configuration: Configuration, gpu: str) -> RateTable:
    """How fast each annotator's engine was here in each stage, as far as its completion store keeps that.

    A record tells of tokens read and written together, so both count alike. It does not tell the device: it is taken to
    be the one on which the configuration runs annotators now.

    Args:
        configuration: the configuration.
        gpu: name of the GPU on which jobs that ask for one run.
    """
    return RateTable(rates=tuple(_own_rates(configuration, gpu)))


def _own_rates(configuration: Configuration, gpu: str) -> Iterator[Rate]:
    performance = configuration.performance
    for annotator, settings in configuration.annotators.items():
        store = Path(annotation.store(annotator))
        device = SERVER if settings.engine == "openai" else gpu if performance.annotate.gpus else CPU
        for stage in (*STAGES, answers.STAGE):
            speed = recorded_speed(store, stage) if store.is_dir() else None
            if speed is None or not speed.tokens or not speed.device_seconds:
                continue
            for work in ("prompt", "likelihood", "reply"):
                yield Rate(
                    device=device,
                    work=work,
                    model=own_name(annotator, stage),
                    rate=speed.tokens / speed.device_seconds,
                    cores=performance.threads,
                    basis="measured",
                    source=f"here, {speed.tokens:,} tokens: {store / 'speeds' / stage}",
                )
