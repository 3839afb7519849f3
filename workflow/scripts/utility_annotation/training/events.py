"""The course of a training in TensorBoard's files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from ..common.errors import InputError

Write = Callable[[int, dict[str, float]], None]
"""Adds values, by name, at a step."""


def library(log_to: Literal["none", "tensorboard"]) -> Any:
    """What writes the files; None where there are to be none.

    Raises:
        InputError: the package is not there.
    """
    if log_to == "none":
        return None
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise InputError(
            f"`performance.train.log_to` is tensorboard, but the package tensorboard cannot be imported ({error}).",
            hint="install it in the environment of this job (pip install tensorboard), or set the key to none.",
        ) from None
    return SummaryWriter


@contextmanager
def written(writer: Any, folder: Path, step: int) -> Iterator[Write]:
    """Write to files in ``folder``; what they have beyond ``step``, where a training goes on, no longer counts."""
    if writer is None:
        yield lambda step, values: None
        return
    with writer(str(folder), purge_step=step + 1 if step else 0) as files:

        def write(step: int, values: dict[str, float]) -> None:
            for name, value in values.items():
                files.add_scalar(name, value, step)

        yield write
