"""What is on this machine: interpreters, GPUs, room on disks."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from ..audit.page import byte_size
from ..audit.plan import Job, temporary_at_once
from ..audit.rates import NotKnown
from ..common.errors import InputError
from ..io import hub
from ..planning import annotation, refusals
from .rows import Row, not_ready
from .run import Later, Run, asks_llm

_IMPORT_SECONDS = 300
_FOLDERS = ("results", "data", "raw")


def interpreters(run: Run) -> Iterator[Row | Later]:
    """The Python of jobs, and that of vLLM's: whether it imports what they need, and can use a GPU that is here."""
    with_vllm = any(run.configuration.annotators[name].engine == "vllm" for name in run.annotators)
    named = run.configuration.performance.annotate.python
    for python, packages in [("python", [])] + [(named, ["vllm"])] * with_vllm:
        row = Row("interpreter", "of vLLM" if packages else "of jobs", "ready", python)
        if run.conda and shutil.which("conda") is None:
            fix = "install conda (Miniforge), or leave `--software-deployment-method conda` out."
            yield Row(row.kind, row.name, "not ready", "there is no conda, which is to make its environment", fix)
        elif run.conda and python == "python":
            yield Row(row.kind, row.name, "not looked at", "Snakemake makes its environment with conda")
        elif run.jobs != []:
            yield Later(partial(_interpreter, run, row, python, packages), row)


def _interpreter(run: Run, row: Row, python: str, packages: list[str]) -> list[Row]:
    try:
        if packages:
            refusals.missing_vllm(run.configuration)
        else:
            refusals.foreign_python()
            if any(job.rule == "train" for job in run.jobs or ()):
                refusals.missing_tensorboard(run.configuration)
    except InputError as error:
        return [not_ready(row.kind, row.name, error)]
    command = [python, "-m", "utility_annotation.readiness.probe", *packages]
    environment = os.environ | {"PYTHONPATH": str(run.workflow / "workflow" / "scripts")}
    fix = f"make its environment again from envs/{'vllm' if packages else 'core'}.txt."
    try:
        told = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=_IMPORT_SECONDS)
        found = json.loads(told.stdout.splitlines()[-1]) if told.returncode == 0 else None
    except subprocess.TimeoutExpired:
        return [Row(row.kind, row.name, "not ready", f"{python} takes more than {_IMPORT_SECONDS} s to import", fix)]
    if found is None:
        words = (told.stderr.strip().splitlines() or ["it is killed"])[-1]
        return [Row(row.kind, row.name, "not ready", f"{python} cannot import what it needs: {words}", fix)]
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    built = f"for CUDA {found['cuda']}" if found["cuda"] else "without CUDA"
    rows = [Row(row.kind, row.name, "ready", f"{shutil.which(python)}: {versions}, {built}")]
    if found["fault"] and not run.submits and _gpus_here() and _most_gpus(run, llms=bool(packages)):
        rows.append(Row("GPU", row.name, "not ready", f"jobs ask for one, but {found['fault']}", f"{found['fix']}."))
    return rows


def gpus(run: Run) -> Iterator[Row]:
    """The GPUs of this machine, against what jobs ask for and what LLMs need."""
    wanted = _most_gpus(run)
    if not wanted:
        return
    asked = f"jobs ask for {wanted} GPU{'s' * (wanted > 1)}"
    here = _gpus_here()
    if run.submits:
        yield Row("GPU", "", "not looked at", f"{asked}, on other nodes")
        return
    if not here and run.partitions is not None:
        why = f"{asked}, and this node has none; with `--profile profiles/slurm` they are submitted"
        yield Row("GPU", "", "not looked at", why)
        return
    names = ", ".join(sorted({name for name, *_ in here}))
    if len(here) < wanted:
        found = f"this machine has {len(here)} ({names})" if here else "`nvidia-smi` finds none here"
        fix = "run where there are as many, or lower `gpus` in `performance`; `gpus: 0` computes on the CPU."
        yield Row("GPU", "", "not ready", f"{asked}, and {found}", fix)
        return
    yield Row("GPU", "", "ready", f"{len(here)} {names}, driver {here[0][2]}")
    memory = min(size for _, size, _ in here)
    for annotator in run.annotators:
        yield from _room_for(run, annotator, memory)


def _room_for(run: Run, annotator: str, memory: float) -> Iterator[Row]:
    """Whether the weights and the cache of one reply fit the GPUs of an LLM's jobs, as the audit counts them."""
    settings, number = run.configuration.annotators[annotator], annotation.gpus(run.configuration, annotator=annotator)
    if settings.model is None or not number:
        return
    try:
        model, cache = run.workloads.sizes.model(settings.model), 0.0
        for job in run.jobs or ():
            if job.rule.startswith("annotate_") and job.wildcards["annotator"] == annotator and model.cache_bytes:
                stage = job.rule.removeprefix("annotate_").replace("_", "-")
                asked = run.workloads.asked(job.wildcards["pool"], annotator, stage)
                tokens = (asked.prompt_tokens + asked.new_tokens) / max(asked.requests, 1)
                cache = max(cache, tokens * model.cache_bytes)
    except NotKnown as problem:
        yield Row("memory", f"for {annotator}", "not looked at", f"for lack of {problem}")
        return
    room = number * memory * run.configuration.performance.annotate.memory_fraction
    about = f"{byte_size(model.bytes + cache)} of {byte_size(room)} on {number} GPU{'s' * (number > 1)}"
    fits = model.bytes + cache <= room
    fix = "" if fits else f"give it more GPUs in `performance.annotate.gpus_of.{annotator}`, or a smaller model."
    yield Row("memory", f"for {annotator}", "ready" if fits else "not ready", about, fix)


def _most_gpus(run: Run, *, llms: bool | None = None) -> int:
    """The most GPUs that a job asks for: any job, one that asks an LLM, or another one."""
    if run.jobs is None:
        performance = run.configuration.performance
        of_llms = [annotation.gpus(run.configuration, annotator=name) for name in run.annotators]
        others = [performance.train.gpus, performance.encode.gpus]
        return max([*([] if llms is False else of_llms), *([] if llms else others)], default=0)
    return max((job.gpus for job in run.jobs if llms is None or asks_llm(job) == llms), default=0)


def _gpus_here() -> list[tuple[str, float, str]]:
    """Name, bytes of memory and driver of each GPU."""
    command = ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader,nounits"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout
        lines = [line.split(", ") for line in told.splitlines()]
        return [(name, float(mebibytes) * 2**20, driver) for name, mebibytes, driver in lines]
    except (OSError, subprocess.SubprocessError, ValueError):
        return []


def disks(run: Run) -> Iterator[Row]:
    """The free space of each disk that the run writes to, against what the audit predicts."""
    from huggingface_hub import constants

    if run.jobs is None:
        yield Row("disk", "", "not looked at", "without a plan, what it writes is not known")
        return
    needed: dict[str, float] = defaultdict(float)
    for estimate in run.estimates:
        needed["results"] += estimate.stored
        for output, size in zip(estimate.job.outputs, estimate.bytes, strict=False):
            model = run.configuration.models[output.path.rpartition("/")[2]] if _prepares(estimate.job) else None
            if model is not None and model.hub and hub.cached_model(model) is None:
                needed[constants.HF_HUB_CACHE] += size  # data/models/ links to it
            elif not output.temporary and not (model and (model.hub or model.path)):
                needed[Path(output.path).parts[0]] += size
    needed["results"] += temporary_at_once(run.estimates)
    unknown = sum(bool(estimate.unknown) and not estimate.bytes for estimate in run.estimates)
    places: dict[int, list[str]] = defaultdict(list)
    for place in filter(needed.__getitem__, (*_FOLDERS, constants.HF_HUB_CACHE)):
        places[_existing(place).stat().st_dev].append(place)
    for on_disk in places.values():
        size, free = sum(needed[place] for place in on_disk), shutil.disk_usage(_existing(on_disk[0])).free
        more = f" (not counted: {unknown} of the jobs)" if unknown else ""
        about = f"{byte_size(size)} needed{more}, {byte_size(free)} free"
        fix = "free space, or put a folder elsewhere (`mv results /large/disk/ && ln -s /large/disk/results results`)."
        full = size > free
        yield Row("disk", f"of {', '.join(on_disk)}", "not ready" if full else "ready", about, fix if full else "")


def _prepares(job: Job) -> bool:
    return job.rule == "prepare_model"


def _existing(place: str) -> Path:
    path = Path(place).absolute()
    return next(folder for folder in (path, *path.parents) if folder.is_dir())
