"""Where torch computes: on a GPU where one is asked for or there, else on the CPU; and why a GPU cannot be used."""

from __future__ import annotations

import logging
import os
import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .errors import InputError
from .importing import large_packages

with large_packages():
    import torch

_LOG = logging.getLogger(__name__)

_DRIVER = Path("/proc/driver/nvidia/version")
"""Where NVIDIA's driver states its version."""
_OLDEST_DRIVER = {"12": 525, "13": 580}
"""The oldest driver that runs a CUDA, by its first number, as NVIDIA states."""
_PROCESSORS = Path("/proc/cpuinfo")
"""Where Linux states the processor's vendor."""


@dataclass(frozen=True)
class Fault:
    """Why torch cannot compute on a GPU.

    Attributes:
        problem: what is wrong, without a full stop.
        hint: what to do about it, without a full stop.
    """

    problem: str
    hint: str


def choose_device(device: Literal["auto", "cpu", "cuda"], gpus: int, section: str) -> torch.device:
    """The device of a job.

    ``cuda`` demands a GPU, and so does ``auto`` with a number of GPUs. Otherwise ``auto`` takes a GPU if torch can use
    it. If a GPU is there that torch's build cannot use, the log says so.

    Args:
        device: the setting ``device``.
        gpus: the setting ``gpus``, what the job asks the scheduler for.
        section: the subsection of ``performance`` where both stand.

    Raises:
        InputError: a GPU is demanded and cannot be used.
    """
    if device == "cpu":
        return torch.device("cpu")
    fault = gpu_fault()
    if fault is None:
        return torch.device("cuda")
    if device == "cuda" or gpus:
        wanted = f"device: {device}" if device == "cuda" else f"gpus: {gpus}"
        raise InputError(
            f"`performance.{section}` asks for a GPU ({wanted}), but {fault.problem}.",
            hint=f"{fault.hint}; or set `performance.{section}` to {{gpus: 0, device: cpu}}, which is far slower.",
        )
    if _DRIVER.exists():
        _LOG.warning("computing on the CPU although there is a GPU: %s. To use it: %s.", fault.problem, fault.hint)
    return torch.device("cpu")


def use_threads(count: int) -> None:
    """Let torch compute on the CPU with ``count`` threads. Snakemake sets those of numpy by OPENBLAS_NUM_THREADS."""
    torch.set_num_threads(count)


def multiplies_faster() -> Literal["torch", "numpy"]:
    """The library whose matrix products are the faster ones on this CPU.

    torch has MKL in it, which is fast on Intel's processors alone; numpy has OpenBLAS.
    """
    try:
        intel = "GenuineIntel" in _PROCESSORS.read_text()
    except OSError:
        intel = False
    return "torch" if intel and torch.backends.mkl.is_available() else "numpy"


def gpu_fault() -> Fault | None:
    """Why torch cannot compute on a GPU; None if it can."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own message about an old driver is read below
        if torch.cuda.is_available():
            return _foreign_architecture()
    if torch.version.hip is not None:
        return Fault(
            f"torch {torch.__version__}, built for ROCm {torch.version.hip}, finds no GPU",
            "run where `rocminfo` lists one",
        )
    if torch.version.cuda is None:
        return Fault(f"torch {torch.__version__} is built without CUDA", _another_build())
    if _DRIVER.exists() and os.environ.get("CUDA_VISIBLE_DEVICES", "all") in ("", "-1", "NoDevFiles"):
        return Fault("CUDA_VISIBLE_DEVICES hides every GPU", "unset it, or give the numbers that `nvidia-smi` lists")
    problem = f"torch {torch.__version__}, built for CUDA {torch.version.cuda}, finds none ({_torchs_words()})"
    if not _DRIVER.exists():
        return Fault(problem, "run where `nvidia-smi` lists a GPU, on a cluster through `--profile profiles/slurm`")
    return Fault(problem, f"install a newer driver; or {_another_build()}")


def _foreign_architecture() -> Fault | None:
    """The fault of a torch that holds no code for the GPU that is there."""
    major, minor = torch.cuda.get_device_capability()
    built = [re.fullmatch(r"(sm|compute)_(\d+)(\d)\w?", name) for name in torch.cuda.get_arch_list()]
    targets = [(kind[1], int(kind[2]), int(kind[3])) for kind in built if kind]
    runs = any(
        (of_major == major and of_minor <= minor) if kind == "sm" else (of_major, of_minor) <= (major, minor)
        for kind, of_major, of_minor in targets
    )
    if runs or not targets:
        return None
    return Fault(
        f"torch {torch.__version__} holds no code for this GPU: {torch.cuda.get_device_name()} is sm_{major}{minor}, "
        f"and it is built for {', '.join(torch.cuda.get_arch_list())}",
        _another_build(),
    )


def _torchs_words() -> str:
    try:
        torch.cuda.init()
    except (RuntimeError, AssertionError) as error:
        return " ".join(str(error).split()).split(". ")[0].rstrip(".")
    return "no device"


def _another_build() -> str:
    """The command that installs another build of torch."""
    version = torch.__version__.partition("+")[0]
    driver = _driver_version()
    known = f" that driver {driver} runs" if driver else " of your driver"
    return (
        f"put a build for the CUDA{known} in its place: `python -m pip install --force-reinstall torch=={version} "
        "--index-url URL`, with the URL that pytorch.org/get-started/locally gives (`nvidia-smi` shows the newest CUDA "
        "that the driver runs)"
    )


def old_driver() -> str | None:
    """What to do about a driver that is too old for torch's CUDA, without a full stop; None if it is not."""
    driver, cuda = _driver_version(), torch.version.cuda or ""
    oldest = _OLDEST_DRIVER.get(cuda.partition(".")[0])
    if driver is None or oldest is None or int(driver.partition(".")[0]) >= oldest:
        return None
    return f"have NVIDIA's driver {driver} replaced by {oldest} or newer, which CUDA {cuda} needs"


def _driver_version() -> str | None:
    try:
        found = re.search(r"Module\D*(\d[\d.]+)", _DRIVER.read_text())
    except OSError:
        return None
    return found[1] if found else None
