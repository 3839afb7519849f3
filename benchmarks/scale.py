"""What large runs take on 1, 8 and 64 GPUs, by the project's own audit: the paper's, and one of 100 million passages.

The audit plans both from nothing, in a copy of the workflow, with the rates that the records of the measurements tell
(rates.py) before the shipped ones. What jobs hold in memory is measured on generated rows (scale/memory.py) and taken
on in a straight line.
"""

from __future__ import annotations

import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rates as cpu_rates
from measure import RESULTS, ROOT, copy_workflow, machine, run

sys.path.insert(0, str(ROOT / "workflow" / "scripts"))

from utility_annotation.audit.plan import Audit, Estimate, sums
from utility_annotation.audit.tables import KnownModel, Rate, read_sizes

GPU = "H100"
GPUS = (1, 8, 64)
CORES_A_GPU = 8
LARGEST = 5
STAND_IN_BYTES = 33 << 20
"""Of a file in the place of one that nobody has: too large for the audit to count its rows, so that the sizes count."""

PROBED_ROWS = (2_000_000, 6_000_000)
ARROW_LIMIT = 2**31
"""Bytes that one Arrow column of strings with 32-bit offsets holds."""


@dataclass(frozen=True)
class Plan:
    """A run to be planned.

    Attributes:
        title: what it is.
        sizes: a file for `--sizes`.
        own_files: files of the user's that it reads.
    """

    title: str
    target: str
    configuration: str
    sizes: str | None = None
    own_files: tuple[str, ...] = ()


PLANS = {
    "paper": Plan("the paper's full run", "paper", "config/paper.yaml"),
    "large": Plan(
        "100 million passages, 10 million questions",
        "large",
        "benchmarks/scale/large.yaml",
        "benchmarks/scale/sizes.yaml",
        tuple(f"raw/large/{name}" for name in ("corpus.jsonl", "questions.jsonl", "test.jsonl", "test.qrels")),
    ),
}
BY_HAND_STAGE = "annotate_utilsel"
BY_HAND = {"pool": "msmarco-train", "annotator": "qwen-2.5-32b-int8"}
BY_HAND_MODEL = "Qwen/Qwen2.5-32B-Instruct-GPTQ-Int8"
BY_HAND_QUESTIONS = 491_007

PASSAGES, QUESTIONS, PARTS, CANDIDATES, WIDTH = 100_000_000, 10_000_000, 10, 31, 768
"""Of large.yaml and its sizes."""


@dataclass(frozen=True)
class Held:
    """What a job holds in memory.

    Attributes:
        asked: megabytes that it asks a cluster for the first time.
        by_question: kind of row → rows a question.
        by_passage: kinds of row of which there is one a passage.
        bytes_a_question: what follows from the code alone.
    """

    asked: int
    by_question: Mapping[str, int]
    by_passage: tuple[str, ...] = ()
    bytes_a_question: int = 0

    def megabytes(self, lines: Mapping[str, Mapping[str, float]], questions: int) -> float:
        """The peak with so many questions, by the lines of its kinds of rows."""
        base = max(lines[kind]["base_megabytes"] for kind in (*self.by_question, *self.by_passage))
        rows = dict.fromkeys(self.by_passage, PASSAGES)
        rows |= {kind: count * questions for kind, count in self.by_question.items()}
        grown = sum(lines[kind]["bytes_a_row"] * count for kind, count in rows.items())
        return base + (grown + self.bytes_a_question * questions) / 1e6


HELD = {
    "mine_negatives": Held(4000, {"rankings": CANDIDATES}),
    "find_duplicates": Held(4000, {"rankings": CANDIDATES}, ("passages",)),
    "build_pool": Held(4000, {"pool": 1}, ("passages",)),
    "merge_labels": Held(4000, {"labels": 1}),
    "bm25_search": Held(8000, {"lexical_hits": CANDIDATES}),
    "search": Held(16000, {"hits": CANDIDATES}, ("vectors",), WIDTH * 4),
    "train": Held(16000, {"training": CANDIDATES}),
}
ROWS = {
    "rankings": "row of the runs of two retrievers",
    "passages": "passage looked up",
    "pool": "question of a pool",
    "labels": "question labelled",
    "lexical_hits": "passage found by BM25",
    "hits": "passage found",
    "vectors": "passage searched",
    "training": "candidate trained on",
}
PROBED = ("rankings", "passages", "lexical_hits", "hits", "vectors", "training")


def measure() -> dict[str, object]:
    """Plan both runs and measure what grows; the record. Memory comes first, while this process is small."""
    lines = memory()
    with tempfile.TemporaryDirectory() as folder:
        plans = {name: _audited(plan, Path(folder) / name) for name, plan in PLANS.items()}
    paper = plans["paper"][0]
    return {
        "machine": machine("snakemake", "pyarrow"),
        "gpu": GPU,
        "plans": {
            name: summary(audit) | {"planned_in_seconds": round(took, 1)} for name, (audit, took) in plans.items()
        },
        "by_hand": by_hand(paper),
        "measured_rates": [each.entry().model_dump(exclude_none=True) for each in cpu_rates.rates()[0]],
        "memory": lines,
    }


def _audited(plan: Plan, folder: Path) -> tuple[Audit, float]:
    """The audit of a run from nothing, and the seconds that it took."""
    folder.mkdir()
    copy_workflow(folder)
    shutil.copytree(ROOT / "benchmarks" / "scale", folder / "benchmarks" / "scale")
    for name in plan.own_files:
        stand_in = folder / name
        stand_in.parent.mkdir(parents=True, exist_ok=True)
        stand_in.touch()
        os.truncate(stand_in, STAND_IN_BYTES)
    (folder / "rates.yaml").write_text(cpu_rates.as_table(cpu_rates.rates()[0]), encoding="utf-8")
    command = [sys.executable, "workflow/scripts/audit.py", "plan", "--gpu", GPU, "--gpus", str(GPUS[1])]
    command += ["--cores", str(CORES_A_GPU), "--rates", "rates.yaml", "--output", "audit"]
    command += ["--sizes", plan.sizes] if plan.sizes else []
    start = time.perf_counter()
    done = subprocess.run(
        [*command, plan.target, "--configfile", plan.configuration], cwd=folder, capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(f"the audit of {plan.configuration} failed: {done.stderr}")
    return Audit.model_validate_json((folder / "audit.json").read_bytes()), time.perf_counter() - start


def summary(audit: Audit) -> dict[str, Any]:
    """What an audit says, in hours and gigabytes; on the disk, what comes to what lies there before."""
    total, stages = sums(audit.jobs), audit.by_stage()
    longest = max(audit.jobs, key=lambda job: job.seconds or 0)
    return {
        "jobs": len(audit.jobs),
        "gpu_hours": _hours(total["gpu_seconds"]),
        "cpu_core_hours": _hours(total["core_seconds"]),
        "prompt_tokens": round(total["prompt_tokens"]),
        "new_tokens": round(total["new_tokens"]),
        "kept_gigabytes": _gigabytes(total["kept"]),
        "temporary_gigabytes": _gigabytes(total["temporary"]),
        "temporary_gigabytes_at_once": _gigabytes(audit.temporary_at_once()),
        "longest_chain_hours": _hours(audit.longest_chain()),
        "runs": [{"gpus": gpus, "wall_hours": _hours(_wall_seconds(audit, gpus))} for gpus in GPUS],
        "largest_on_gpus": _largest(stages, "gpu_seconds"),
        "largest_on_cpus": _largest(stages, "core_seconds"),
        "longest_job": {"stage": longest.job.stage, "hours": _hours(longest.seconds or 0)},
        "not_counted": sorted({job.unknown for job in audit.jobs if job.unknown}),
        "rates": [rate.model_dump(include={"device", "work", "model", "basis"}) for rate in audit.rates],
    }


def _wall_seconds(audit: Audit, gpus: int) -> float:
    return audit.model_copy(update={"cores": CORES_A_GPU * gpus}).wall_seconds(gpus)


def _largest(stages: Mapping[str, Sequence[Estimate]], seconds: str) -> list[dict[str, Any]]:
    totals = {stage: sums(jobs)[seconds] for stage, jobs in stages.items()}
    return [
        {
            "stage": stage,
            "jobs": len(stages[stage]),
            "hours": _hours(totals[stage]),
            "longest_job_hours": _hours(max(job.seconds or 0 for job in stages[stage])),
        }
        for stage in sorted(totals, key=lambda stage: -totals[stage])[:LARGEST]
    ]


def by_hand(audit: Audit) -> dict[str, Any]:
    """One line of the audit from its amounts and rates, without the audit's own arithmetic."""
    jobs = [
        job for job in audit.jobs if job.job.stage == BY_HAND_STAGE and BY_HAND.items() <= job.job.wildcards.items()
    ]
    model = next(known for known in _known_models() if known.model == BY_HAND_MODEL)
    amounts: dict[str, float] = {
        "start-llm": len(jobs),
        "load": len(jobs) * model.bytes,
        "prompt": sum(job.prompt_tokens for job in jobs),
        "reply": sum(job.new_tokens for job in jobs),
    }
    models = (None, BY_HAND_MODEL)
    parts: list[dict[str, Any]] = []
    for work, amount in amounts.items():
        used = next(rate for rate in audit.rates if (rate.device, rate.work) == (GPU, work) and rate.model in models)
        parts.append({"work": work, "amount": round(amount)} | _with_rate(amount, used, model))
    return {
        "questions": BY_HAND_QUESTIONS,
        "jobs": len(jobs),
        "parts": parts,
        "seconds": round(sum(part["seconds"] for part in parts)),
        "seconds_by_the_audit": round(sum(job.gpu_seconds for job in jobs)),
    }


def _known_models() -> tuple[KnownModel, ...]:
    return read_sizes([ROOT / "resources" / "audit" / "sizes.yaml"]).models


def _with_rate(amount: float, rate: Rate, model: KnownModel) -> dict[str, Any]:
    if rate.seconds is not None:
        return {"seconds_each": rate.seconds, "seconds": amount * rate.seconds}
    assert rate.rate is not None, "a rate has one of the two"
    units = {"unit": 1.0, "FLOP": 2 * model.multiplied, "weight byte": float(model.bytes)}[rate.per]
    return {"units_each": units, "unit": rate.per, "rate": rate.rate, "seconds": amount * units / rate.rate}


def memory() -> dict[str, dict[str, float]]:
    """For each kind of row the line of the peak memory: megabytes without a row, bytes a row, and up to how many."""
    lines = {kind: _line([(rows, _probed(kind, rows)) for rows in PROBED_ROWS]) for kind in PROBED}
    for kind in ("pool", "labels"):
        record = cpu_rates.read_record(RESULTS, kind)
        if record is not None:
            sizes = cpu_rates.by_size(record, lambda size: float(size["queries"]))
            lines[kind] = _line([(count, ours["peak_megabytes"]) for count, ours in sizes])
    return lines


def _line(points: Sequence[tuple[float, float]]) -> dict[str, float]:
    line = cpu_rates.increment(points)
    if line is None:
        raise SystemExit("the memory of two sizes is needed")
    return {"base_megabytes": round(line[0]), "bytes_a_row": round(line[1] * 1e6, 1), "measured_to": points[-1][0]}


def _probed(kind: str, rows: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        program = ROOT / "benchmarks" / "scale" / "memory.py"
        run([sys.executable, program, "make", kind, folder, str(rows)])
        return run([sys.executable, program, "run", kind, folder, str(rows)]).peak_megabytes


def section(record: Mapping[str, Any]) -> str:
    """The record as a section of a Markdown page."""
    return "\n".join(
        [
            *_head(record),
            "",
            *_plans_table(record["plans"]),
            "",
            *_plans_remarks(record["plans"]),
            "",
            *_formula(record["by_hand"]),
            "",
            *_largest_tables(record["plans"]),
            "",
            *_memory_table(record["memory"]),
            "",
        ]
    )


def _head(record: Mapping[str, Any]) -> Iterator[str]:
    on_gpu = {
        (used["work"], used["model"]): used["basis"]
        for plan in record["plans"].values()
        for used in plan["rates"]
        if used["device"] == record["gpu"]
    }
    derived = sum(basis == "derived" for basis in on_gpu.values())
    yield "## Scale on paper"
    yield ""
    yield (
        f"The project's own audit of two runs from nothing, on {record['gpu']}s with "
        f"{CORES_A_GPU} CPU cores each. **Nothing of this was run**: hours follow from rates, and {derived} of the "
        f"{len(on_gpu)} rates of the GPU are derived from the paper's hours and data sheets "
        "(`resources/audit/rates.yaml`), not measured. The large run is "
        "`benchmarks/scale/large.yaml`: BM25 and a dense retriever find 31 candidates a question, a 7B LLM under vLLM "
        "judges them by `utilsel`, one retriever is trained on all of them, part by part, and the corpus is encoded "
        "twice, before and after that. The record is `results/scale.json`."
    )
    here = ", ".join(rate["work"] for rate in record["measured_rates"]) or "none"
    yield ""
    yield (
        f"Of the CPU's rates, these come from the records here (`python benchmarks/rates.py`): {here}; the others are "
        "those that the audit ships."
    )


def _plans_table(plans: Mapping[str, Any]) -> Iterator[str]:
    yield "| run | GPUs | wall time at least | GPU hours | CPU core hours | disk kept | temporary disk | jobs |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    for name, plan in plans.items():
        for on in plan["runs"]:
            yield (
                f"| {PLANS[name].title} | {on['gpus']} | {_shown_hours(on['wall_hours'])} | "
                f"{plan['gpu_hours']:,.0f} | {plan['cpu_core_hours']:,.0f} | {plan['kept_gigabytes']:,.0f} GB | "
                f"{plan['temporary_gigabytes']:,.0f} GB | {plan['jobs']:,} |"
            )


def _plans_remarks(plans: Mapping[str, Any]) -> Iterator[str]:
    for name, plan in plans.items():
        title, longest = PLANS[name].title, plan["longest_job"]
        missing = f"Not counted: {'; '.join(plan['not_counted'])}. " if plan["not_counted"] else ""
        yield (
            f"- {title[0].upper()}{title[1:]}: {plan['prompt_tokens'] / 1e9:,.1f} billion prompt tokens and "
            f"{plan['new_tokens'] / 1e9:,.2f} billion new ones. No number of GPUs is faster than the longest chain of "
            f"jobs, {_shown_hours(plan['longest_chain_hours'])}; the longest job is one of {longest['stage']}, "
            f"{_shown_hours(longest['hours'])}. Each temporary file goes after the last job that reads it; one job "
            f"reads {plan['temporary_gigabytes_at_once']:,.0f} GB of them at most. {missing}"
            f"Planned in {plan['planned_in_seconds']:.0f} s."
        )
    yield (
        "- The paper's disk holds what is downloaded. That of the large run comes on top of its raw files, about "
        f"{PASSAGES * 56 * 7 / 1e9:,.0f} GB as JSON lines; passages have 56 words as in MS MARCO. A retriever of "
        f"{WIDTH} dimensions has {PASSAGES * WIDTH * 2 / 1e9:,.0f} GB of vectors in half precision, which go after "
        "the searches. What an LLM selects is taken from the paper's table 1 for a model of like size."
    )


def _formula(hand: Mapping[str, Any]) -> Iterator[str]:
    yield "### The formula"
    yield ""
    yield "The seconds of a job are the sum over its kinds of work *w*, one after the other:"
    yield ""
    yield "    t = Σ_w  n_w · u_w / (r_w · k)"
    yield ""
    yield (
        "*n* is the amount (tokens, passages, rows, bytes), *u* how many of the rate's units one of them is, *r* the "
        "rate in units a second of one GPU or core, *k* the job's GPUs, or its threads where it has none. For a rate "
        "by FLOP *u* = 2 · parameters (6 in training) without the embedding table; for one by weight byte *u* = bytes "
        "of the weights; else 1. A start counts its seconds, whatever *k*. GPU hours are Σ t · GPUs of all jobs. Wall "
        "time is at least GPU hours / GPUs, core hours / cores, and the longest chain of jobs."
    )
    yield ""
    yield (
        f"One line by hand: `utilsel` of {hand['questions']:,} questions by Qwen-2.5-32B-Int8, the third stage of the "
        f"paper's annotation, in {hand['jobs']} jobs of one GPU:"
    )
    yield ""
    yield "| work | n | u | r | seconds |"
    yield "| --- | ---: | ---: | ---: | ---: |"
    for part in hand["parts"]:
        units, rate = (
            ("", f"{part['seconds_each']:g} s each")
            if "seconds_each" in part
            else (f"{part['units_each']:.4g}", f"{part['rate']:.3g}")
        )
        yield f"| {part['work']} | {part['amount']:,} | {units} | {rate} | {part['seconds']:,.0f} |"
    yield (
        f"| **sum** | | | | {hand['seconds']:,} = {hand['seconds'] / 3600:,.1f} GPU hours; the audit says "
        f"{hand['seconds_by_the_audit']:,} |"
    )


def _largest_tables(plans: Mapping[str, Any]) -> Iterator[str]:
    yield "### The largest parts"
    yield ""
    yield "| run | on | rule | jobs | hours (GPU or core) | longest job |"
    yield "| --- | --- | --- | ---: | ---: | ---: |"
    for name, plan in plans.items():
        for place, parts in (("GPUs", plan["largest_on_gpus"]), ("CPUs", plan["largest_on_cpus"][:3])):
            for part in parts:
                yield (
                    f"| {PLANS[name].title} | {place} | {part['stage']} | {part['jobs']:,} | {part['hours']:,.1f} | "
                    f"{_shown_hours(part['longest_job_hours'])} |"
                )


def _memory_table(lines: Mapping[str, Mapping[str, float]]) -> Iterator[str]:
    part = QUESTIONS // PARTS
    yield "### Memory"
    yield ""
    yield (
        "Peak = a + Σ b · n, with a and b measured at two sizes and taken on in a straight line: "
        + "; ".join(
            f"{ROWS[kind]} {line['bytes_a_row']:,.0f} bytes (to {line['measured_to']:,.0f})"
            for kind, line in lines.items()
        )
        + f". The large run has {PARTS} pools of {part:,} questions; what one pool of all {QUESTIONS:,} would take "
        "stands beside it. **Bold** is more than the job asks a cluster for the first time (its third attempt asks for "
        "three times as much)."
    )
    yield ""
    yield f"| job | asks for | a pool of {part:,} | one pool of {QUESTIONS:,} |"
    yield "| --- | ---: | ---: | ---: |"
    for job, held in HELD.items():
        if not {*held.by_question, *held.by_passage} <= {*lines}:
            continue
        sizes = [held.megabytes(lines, questions) for questions in (part, QUESTIONS)]
        shown = (f"**{size / 1e3:,.1f} GB**" if size > held.asked else f"{size / 1e3:,.1f} GB" for size in sizes)
        yield f"| {job} | {held.asked / 1e3:,.0f} GB | {' | '.join(shown)} |"
    yield ""
    short = [
        f"`{job}:mem_mb={math.ceil(held.megabytes(lines, part) * 1.25 / 1000) * 1000}`"
        for job, held in HELD.items()
        if {*held.by_question, *held.by_passage} <= {*lines} and held.megabytes(lines, part) > held.asked
    ]
    if short:
        yield (
            "Where a job of the large run asks for too little, `--set-resources` gives it more: "
            + ", ".join(short)
            + "."
        )
        yield ""
    rows = ARROW_LIMIT // 8
    yield (
        "One pool of all questions would not run, whatever the memory: the hits of a search and the labels of a "
        f"training are joined in one Arrow column of strings, which ends at {ARROW_LIMIT:,} bytes, about "
        f"{rows / 1e6:,.0f} million ids of eight digits, and {QUESTIONS:,} questions have "
        f"{QUESTIONS * CANDIDATES / 1e6:,.0f} million. So `large.yaml` cuts the questions into parts, and its training "
        "goes from part to part. The hours of a search count its multiplications only, at an assumed rate, and not the "
        "choice of the best, so take them as the least. Beside what stands here, "
        "BM25's Java takes up to a quarter of the machine's memory, and each process of a training its model."
    )


def _shown_hours(hours: float) -> str:
    if hours < 1:
        return f"{60 * hours:.0f} min"
    return f"{hours:,.1f} h" if hours < 48 else f"{hours:,.0f} h ({hours / 24:,.1f} days)"


def _hours(seconds: float) -> float:
    return round(seconds / 3600, 2)


def _gigabytes(size: float) -> float:
    return round(size / 1e9, 1)
