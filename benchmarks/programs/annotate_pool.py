"""The first questions of a pool through one engine: relevance by likelihoods, and a pseudo-answer.

Scores and answers are those of the fewest questions. Of several numbers of questions each is timed.

    .venv-vllm/bin/python benchmarks/programs/annotate_pool.py --engine vllm --device cuda --precision bf16 \
        --model FOLDER --pool SHARD.parquet --questions 4 48 --output FILE.json
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "workflow" / "scripts"))

from utility_annotation.annotation.items import Item, read_pool
from utility_annotation.annotation.prompts import PromptSanitizer, PromptTemplate
from utility_annotation.annotation.shard import annotate
from utility_annotation.annotation.stages import STAGES
from utility_annotation.common.errors import run_script
from utility_annotation.engines.opening import open_engine
from utility_annotation.engines.protocol import Engine
from utility_annotation.engines.store import CompletionStore
from utility_annotation.io.schemas import ANNOTATION
from utility_annotation.settings import Annotator, Performance, Sampling
from utility_annotation.settings.performance import EnginePerformance

PROMPTS = Path(__file__).resolve().parents[2] / "resources" / "prompts"
NEW_TOKENS = 16
MEMORY_FRACTION = 0.5
"""Of a GPU's memory, for vLLM: the process that started this one keeps some."""


def annotation(engine: Engine, annotator: Annotator, stage: str, items: Sequence[Item]) -> list[dict[str, Any]]:
    """The rows of one stage."""
    entry = STAGES[stage]
    prompt = PROMPTS / entry.way(annotator.protocol).template
    made = entry.make(annotator, PromptTemplate(prompt, PromptSanitizer(engine.special_tokens)))
    with tempfile.TemporaryDirectory() as temporary:
        output = Path(temporary) / "annotation.parquet"
        with CompletionStore(Path(temporary) / "store") as store:
            annotate(items, made, engine, store, annotator.retries, output)
        return ANNOTATION.read(output).to_pylist()


def vllms_device() -> str:
    """The kind of device that the installed vLLM is built for and finds; empty where it finds none."""
    os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
    from vllm.platforms import current_platform

    return str(current_platform.device_type or "")


def main(argv: list[str] | None) -> None:
    """Write the kind of device; and if it is the one asked for, scores and answers, and tokens and seconds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("model", "pool", "output"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--engine", choices=("transformers", "vllm"), required=True)
    parser.add_argument("--device", choices=("cpu", "cuda"), required=True)
    parser.add_argument("--precision", required=True)
    parser.add_argument("--questions", type=int, nargs="+", required=True, help="numbers of them")
    arguments = parser.parse_args(argv)
    found = vllms_device() if arguments.engine == "vllm" else arguments.device
    if found != arguments.device:
        arguments.output.write_text(json.dumps({"device": found}))
        return
    annotator = Annotator(
        model="measured",
        engine=arguments.engine,
        protocol="pointwise",
        precision=arguments.precision,
        answer_sampling=Sampling(max_new_tokens=NEW_TOKENS),
    )
    gpus = int(arguments.device == "cuda")
    places = EnginePerformance(device=arguments.device, gpus=gpus, memory_fraction=MEMORY_FRACTION)
    engine = open_engine(annotator, arguments.model, Performance(threads=len(os.sched_getaffinity(0)), annotate=places))
    pool = read_pool(arguments.pool)
    questions = sorted(arguments.questions)
    first = pool[: questions[0]]
    answers, scored = (annotation(engine, annotator, stage, first) for stage in ("answer", "relsel"))  # warms up too
    sizes = []
    for number in questions if len(questions) > 1 else ():
        start = time.perf_counter()
        rows = annotation(engine, annotator, "relsel", pool[:number])
        seconds = time.perf_counter() - start
        sizes.append({"tokens": sum(row["prompt_tokens"] for row in rows), "seconds": seconds})
    report = {
        "device": found,
        "sizes": sizes,
        "scores": [passage["score"] for row in scored for passage in row["scores"]],
        "answers": [row["answer"] for row in answers],
    }
    arguments.output.write_text(json.dumps(report))


if __name__ == "__main__":
    run_script(main)
