"""The processes of a training: one, or as many as torchrun starts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import torch
import torch.distributed as dist
from torch import Tensor

from ..common.devices import choose_device
from ..common.errors import InputError

_TORCHRUN = {"WORLD_SIZE": "1", "RANK": "0", "LOCAL_RANK": "0"}
"""Variables that torchrun sets, with their values without it."""


@dataclass(frozen=True)
class World:
    """The processes of a training.

    Attributes:
        rank: number of this process, from 0.
        size: number of processes.
        device: the device of this process.
    """

    rank: int
    size: int
    device: torch.device

    def share(self, texts: int) -> range:
        """The texts of a batch that this process encodes."""
        return range(self.rank, texts, self.size)

    def sum(self, tensor: Tensor) -> None:
        """Sum a tensor over the processes, in place."""
        if self.size > 1:
            dist.all_reduce(tensor)

    def largest(self, tensor: Tensor) -> None:
        """The largest value of each place over the processes, in place."""
        if self.size > 1:
            dist.all_reduce(tensor, dist.ReduceOp.MAX)


@contextmanager
def processes(device: Literal["auto", "cpu", "cuda"], gpus: int = 0) -> Iterator[World]:
    """Join the processes that torchrun started (WORLD_SIZE in the environment), or be the only one.

    Args:
        device: auto (a GPU if there is one), cpu or cuda.
        gpus: the number that the job asked for; if not 0, each process needs one.

    Raises:
        InputError: a GPU is demanded and cannot be used.
    """
    kind = choose_device(device, gpus, "train").type
    size, rank, local = (int(os.environ.get(name, value)) for name, value in _TORCHRUN.items())
    if kind == "cuda":
        if local >= torch.cuda.device_count():
            raise InputError(
                f"there are more processes than GPUs: process {local} counts from 0, torch sees "
                f"{torch.cuda.device_count()}.",
                hint="lower `performance.train.gpus`, or check that CUDA_VISIBLE_DEVICES hides none.",
            )
        torch.cuda.set_device(local)
    world = World(rank, size, torch.device(kind, local) if kind == "cuda" else torch.device(kind))
    if size == 1:
        yield world
        return
    dist.init_process_group("nccl" if kind == "cuda" else "gloo")
    try:
        yield world
    finally:
        dist.destroy_process_group()
