"""What a training takes: texts, tokens, padding, memory and energy, over all its starts and processes."""

from __future__ import annotations

import resource
from collections.abc import Iterator, Sequence, Sized
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from .processes import World

_RAPL = Path("/sys/class/powercap")
"""Where Linux has the energy counters of Intel's and AMD's processors; often only root may read them."""


@dataclass
class TrainingEffort:
    """Sums over the optimiser steps.

    Attributes:
        seconds: time, over all starts.
        evaluation: the part of it that evaluations on dev questions took.
        queries, texts: number of queries, and of queries and passages together.
        tokens: their tokens, special tokens included.
        padded: the same with padding.
        joules: energy of the processors or GPUs that compute, over all starts; 0 where no counter can be read.
    """

    seconds: float = 0.0
    evaluation: float = 0.0
    queries: int = 0
    texts: int = 0
    tokens: int = 0
    padded: int = 0
    joules: float = 0.0

    def add(self, queries: int, token_ids: Sequence[Sized], chunks: Sequence[Sequence[int]], world: World) -> None:
        """Count a step.

        Args:
            queries: of the whole batch.
            token_ids: of this process's texts.
            chunks: which of them are encoded together, padded to the longest.
            world: the processes, over which texts and tokens are summed.
        """
        lengths = [len(ids) for ids in token_ids]
        padded = sum(len(chunk) * max(lengths[text] for text in chunk) for chunk in chunks)
        counts = torch.tensor([len(lengths), sum(lengths), padded], device=world.device)
        world.sum(counts)
        texts, tokens, padded = counts.tolist()
        self.queries += queries
        self.texts += texts
        self.tokens += tokens
        self.padded += padded

    def record(self, world: World) -> dict[str, Any]:
        """The figures of ``training.json``: sums, shares, rates, and the peak memory of the process that needs most."""
        peaks = torch.zeros(2, dtype=torch.float64, device=world.device)
        peaks[0] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
        if world.device.type == "cuda":
            peaks[1] = torch.cuda.max_memory_allocated(world.device) / 1e6
        world.largest(peaks)
        process, device = (round(peak) for peak in peaks.tolist())
        seconds = self.seconds - self.evaluation
        rated = ("queries", "tokens") if seconds > 0 else ()
        return {
            "texts": self.texts,
            "tokens": self.tokens,
            "padding_share": round(1 - self.tokens / self.padded, 4) if self.padded else None,
            **{f"{name}_per_second": round(getattr(self, name) / seconds, 1) for name in rated},
            **({"evaluation_seconds": round(self.evaluation, 1)} if self.evaluation else {}),
            "peak_megabytes": {"process": process, "device": device or None},
            "kilojoules": round(self.joules / 1000, 1) or None,
        }


class EnergyMeter:
    """Energy since it was made or read last: of this process's GPU, or of the machine's processors.

    Args:
        world: the processes. Those of one machine without GPUs share its counters, so the first one reads them.
        folder: where the processors' counters are.
    """

    def __init__(self, world: World, folder: Path = _RAPL) -> None:
        self._world, self._folder = world, folder
        self._before = dict(self._counters())

    def joules(self) -> float:
        """The energy, summed over the processes; 0 where no counter can be read."""
        now = dict(self._counters())
        used = sum(max(0.0, value - self._before.get(name, value)) for name, value in now.items())
        self._before = now
        total = torch.tensor([used], dtype=torch.float64, device=self._world.device)
        self._world.sum(total)
        return float(total)

    def _counters(self) -> Iterator[tuple[str, float]]:
        """Each counter's name and value in joules. A processor's counter that began again from 0 is left out once."""
        if self._world.device.type == "cuda":
            try:
                import pynvml  # of nvidia-ml-py, which comes with vLLM

                pynvml.nvmlInit()
                handle = pynvml.nvmlDeviceGetHandleByUUID(
                    f"GPU-{torch.cuda.get_device_properties(self._world.device).uuid}"
                )
                yield "gpu", pynvml.nvmlDeviceGetTotalEnergyConsumption(handle) / 1000
            except Exception:  # the package is not there, or the GPU has no counter
                return
        elif self._world.rank == 0:
            for path in sorted(self._folder.glob("intel-rapl:?/energy_uj")):
                try:
                    yield path.parent.name, int(path.read_text()) / 1e6
                except OSError:
                    continue
