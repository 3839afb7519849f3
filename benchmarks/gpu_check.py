"""A check for the first day with a GPU: what it computes, against the CPU, and how fast, in at most ten minutes.

    python benchmarks/gpu_check.py                  # on one GPU
    python benchmarks/gpu_check.py --allow-cpu      # without one: the same checks of the CPU, at small sizes

Trains in bf16 (BERT, a decoder with LoRA), encodes, searches (torch, faiss) and annotates (vLLM, where it is there).
Writes record.json, and rates.yaml for `audit.py plan --rates`. The exit code is 1 if a check fails or there was no time
for it, and 2 without a GPU.
"""

from __future__ import annotations

import argparse
import datetime
import gc
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import measure
from gpu_checks import FULL, SMALL, Bench, Outcome, Speed
from rates import as_table, rounded

sys.path.insert(0, str(measure.ROOT / "workflow" / "scripts"))

import torch
import transformers

from utility_annotation.common.devices import Fault, gpu_fault
from utility_annotation.common.errors import printable
from utility_annotation.common.files import write_json, write_text
from utility_annotation.reporting.markup import markdown_table

SECONDS = 600.0
OUTPUT = Path("results/gpu-check")
NO_GPU = 2
"""The exit code without a GPU."""
PASSED = ("agrees", "not installed")


@dataclass(frozen=True)
class Limits:
    """What a GPU does at most.

    Attributes:
        names: a regular expression that finds torch's name of it.
        audit: its name in resources/audit/rates.yaml; None where that has none.
        bf16, fp32: operations a second, dense; of tensor cores in bf16, and without them in fp32.
        bandwidth: bytes of its memory a second.
    """

    names: str
    audit: str | None
    bf16: float
    fp32: float
    bandwidth: float

    def peak(self, precision: str) -> float:
        """Operations a second in a precision."""
        return {"bf16": self.bf16, "fp32": self.fp32}[precision]


# NVIDIA's data sheets of these GPUs. Those from Ada and Hopper on state bf16 with sparsity, of which this is half.
LIMITS = (
    Limits(r"\bA800\b.*40GB", "A800", 312e12, 19.5e12, 1.555e12),
    Limits(r"\bA800\b.*PCIe", "A800", 312e12, 19.5e12, 1.935e12),
    Limits(r"\bA800\b", "A800", 312e12, 19.5e12, 2.039e12),
    Limits(r"\bA100\b.*40GB", "A100", 312e12, 19.5e12, 1.555e12),
    Limits(r"\bA100\b.*PCIe", "A100", 312e12, 19.5e12, 1.935e12),
    Limits(r"\bA100\b", "A100", 312e12, 19.5e12, 2.039e12),
    Limits(r"\bH100\b.*PCIe", "H100", 756e12, 51e12, 2.0e12),
    Limits(r"\bH100\b.*NVL", "H100", 835e12, 60e12, 3.9e12),
    Limits(r"\bH100\b", "H100", 989e12, 67e12, 3.35e12),
    Limits(r"\bH200\b.*NVL", "H200", 835e12, 60e12, 4.8e12),
    Limits(r"\bH200\b", "H200", 989e12, 67e12, 4.8e12),
    Limits(r"\bL40S\b", None, 362e12, 91.6e12, 0.864e12),
    Limits(r"\bL4\b", None, 121e12, 30.3e12, 0.3e12),
    Limits(r"\bA10\b", None, 125e12, 31.2e12, 0.6e12),
)
"""The first that fits a name counts."""


class OutOfTime(BaseException):
    """The time is up. No ``Exception``, which a library could catch."""


def limits_of(name: str) -> Limits | None:
    """The limits of a GPU, by torch's name of it; None for an unknown one."""
    return next((limits for limits in LIMITS if re.search(limits.names, name, re.IGNORECASE)), None)


def share_of_peak(speed: Speed | None, limits: Limits | None) -> float | None:
    """The share of the device's operations a second, where both are known."""
    return None if speed is None or limits is None else speed.flops / limits.peak(speed.precision)


def run_checks(checks: Mapping[str, Callable[[], Outcome]], deadline: float) -> dict[str, Outcome]:
    """Run one check after the other; one that fails leaves the others as they are.

    Args:
        checks: by name.
        deadline: a time of ``time.monotonic``. No check begins after it, and one that runs then is stopped.
    """
    outcomes = {}
    for name, check in checks.items():
        left = deadline - time.monotonic()
        if left <= 0:
            outcomes[name] = Outcome("not run", "no time left")
            continue
        print(f"{name} …", file=sys.stderr, flush=True)
        began = time.monotonic()
        try:
            with _at_most(left):
                outcome = check()
        except OutOfTime:
            outcome = Outcome("not run", "no time left: stopped before it was done")
        except Exception as error:
            outcome = Outcome("failed", printable(f"{type(error).__name__}: {error}"))
        outcomes[name] = replace(outcome, seconds=round(time.monotonic() - began, 1))
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()  # the next check may be another process
    return outcomes


@contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    def stop(number: int, frame: object) -> None:
        raise OutOfTime

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def table(outcomes: Mapping[str, Outcome], limits: Limits | None) -> Iterator[str]:
    """The lines of what was found; what was not compared says why below."""
    rows, reasons = [], []
    for name, outcome in outcomes.items():
        compared = outcome.tolerance != ""
        if not compared:
            reasons.append(f"{name}: {outcome.result}: {outcome.agreement}")
        share = share_of_peak(outcome.speed, limits)
        rows.append(
            (
                name,
                outcome.result,
                outcome.agreement if compared else "",
                outcome.tolerance,
                _rate(outcome.speed),
                "" if share is None or outcome.speed is None else f"{share:.1%} of {outcome.speed.precision}",
            )
        )
    headings = ["check", "result", "agreement with the CPU", "tolerance", "rate", "share of peak"]
    yield from markdown_table(headings, rows, texts=4, aligned=True)
    yield from ["", *reasons] if reasons else []


def _rate(speed: Speed | None) -> str:
    if speed is None:
        return ""
    if speed.work == "score":
        return f"{speed.rate:.3g} operations/s"
    return f"{rounded(speed.rate):,.0f} tokens/s, {speed.flops / 1e12:.3g} TFLOP/s"


def rates_file(outcomes: Mapping[str, Outcome], device: str, workers: int, measured: str) -> str:
    """The rates of what agrees, for `audit.py plan --rates`.

    Args:
        outcomes: by check.
        device: its name in the audit.
        workers: GPUs or cores that worked together.
        measured: when, and on what.
    """
    speeds = [outcome.speed for outcome in outcomes.values() if outcome.result == "agrees"]
    return as_table([speed.entry(device, workers, measured) for speed in speeds if speed and speed.audited])


def describe(device: torch.device) -> dict[str, Any]:
    """What the device is, for the record and for people."""
    about: dict[str, Any] = {"kind": device.type, "torch": torch.__version__, "cuda": torch.version.cuda}
    if device.type == "cpu":
        machine = measure.machine()
        return about | {"name": "cpu", "memory_gigabytes": machine["memory_gigabytes"], "driver": None}
    properties = torch.cuda.get_device_properties(device)
    memory = round(properties.total_memory / 1e9, 1)
    return about | {"name": properties.name, "memory_gigabytes": memory, "driver": _driver()}


def _driver() -> str | None:
    """The version of NVIDIA's driver, where its own program tells."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    asked = [program, "--query-gpu=driver_version", "--format=csv,noheader"]
    return (subprocess.run(asked, capture_output=True, text=True).stdout.split() or [None])[0]


def record_of(
    outcomes: Mapping[str, Outcome], about: Mapping[str, Any], limits: Limits | None, seconds: float
) -> dict[str, Any]:
    """What is kept."""
    return {
        "measured": datetime.date.today().isoformat(),
        "commit": measure.commit(),
        "machine": measure.machine("torch", "transformers"),
        "device": dict(about) | {"limits": None if limits is None else asdict(limits)},
        "seconds": round(seconds, 1),
        "checks": {
            name: asdict(outcome) | {"share_of_peak": share_of_peak(outcome.speed, limits)}
            for name, outcome in outcomes.items()
        },
    }


def check(device: torch.device, output: Path, seconds: float) -> int:
    """Run all checks on a device, print what was found and write it to a folder; the exit code."""
    began, about = time.monotonic(), describe(device)
    name, small = str(about["name"]), device.type == "cpu"
    limits = limits_of(name)
    audit_name = limits.audit or name if limits else name
    print(
        f"{name}: {about['memory_gigabytes']} GB, driver {about['driver'] or '-'}, CUDA {about['cuda'] or '-'}, torch "
        f"{about['torch']}" + (", small sizes: this says nothing about a GPU" if small else "")
    )
    if limits:
        print(f"By its data sheet {limits.bf16 / 1e12:g} TFLOP/s in bf16, {limits.fp32 / 1e12:g} in fp32, ", end="")
        print(f"{limits.bandwidth / 1e12:g} TB/s of memory")
    elif not small:
        print("Its limits are not known here, so no share of its peak is shown.")
    with tempfile.TemporaryDirectory() as temporary:
        bench = Bench(Path(temporary), device, SMALL if small else FULL)
        outcomes = run_checks(bench.checks, began + seconds)
    print("", *table(outcomes, limits), "", sep="\n")
    output.mkdir(parents=True, exist_ok=True)
    record = record_of(outcomes, about, limits, time.monotonic() - began)
    write_json(output / "record.json", record)
    workers = torch.get_num_threads() if small else 1
    measured = f"{record['measured']}, {name}" + (f" at small sizes, by core of {workers}" if small else "")
    write_text(output / "rates.yaml", rates_file(outcomes, audit_name, workers, measured))
    gpu = "" if small else f" --gpu '{audit_name}'"
    print(f"{output / 'record.json'}, and for the audit: --rates {output / 'rates.yaml'}{gpu}")
    return exit_code(outcomes)


def exit_code(outcomes: Mapping[str, Outcome]) -> int:
    """0 if all that is installed agrees."""
    return int(any(outcome.result not in PASSED for outcome in outcomes.values()))


def without_gpu(fault: Fault) -> str:
    """What is said where there is no GPU."""
    return (
        f"error: there is no GPU to check: {fault.problem}. Fix: {fault.hint}; or see how the checks go on the CPU, at "
        "small sizes: make gpu-check OPTIONS=--allow-cpu"
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; see the module's description. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--allow-cpu", action="store_true", help="without a GPU check the CPU, at small sizes")
    parser.add_argument("--seconds", type=float, default=SECONDS, help=f"no check goes on after these ({SECONDS:g})")
    parser.add_argument("--output", type=Path, default=OUTPUT, help=f"folder to write ({OUTPUT})")
    arguments = parser.parse_args(argv)
    fault = gpu_fault()
    if fault is not None and not arguments.allow_cpu:
        print(without_gpu(fault), file=sys.stderr)
        return NO_GPU
    transformers.utils.logging.disable_progress_bar()
    return check(torch.device("cpu" if fault else "cuda"), arguments.output, arguments.seconds)


if __name__ == "__main__":
    sys.exit(main())
