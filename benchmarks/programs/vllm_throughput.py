"""Relevance selection through our engine for vLLM, in turn with vLLM's own offline `generate` on the same prompts.

One start of vLLM serves both, with an empty prefix cache before each run. Ours renders and tokenises the prompts,
stores each reply and writes the annotation; vLLM is handed token ids that are there already.

    .venv-vllm/bin/python benchmarks/programs/vllm_throughput.py --model FOLDER --pool SHARD.parquet --prompt FILE.j2 \
        --passages 2 --precision fp32 --rounds 5 --sizes 4 8 16 --output FILE.json
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "workflow" / "scripts"))

from utility_annotation.annotation.items import Item, read_pool
from utility_annotation.annotation.prompts import PromptSanitizer, PromptTemplate
from utility_annotation.annotation.relevance import relevance_stage
from utility_annotation.annotation.shard import Stage, annotate
from utility_annotation.engines.protocol import ReplyRequest
from utility_annotation.engines.store import CompletionStore
from utility_annotation.engines.vllm_engine import VllmEngine
from utility_annotation.io.schemas import ANNOTATION
from utility_annotation.settings import Annotator, Performance, Retries, Sampling
from utility_annotation.settings.performance import EnginePerformance

NEW_TOKENS = 16


def ours(engine: VllmEngine, stage: Stage, items: list[Item]) -> tuple[float, list[str]]:
    """Seconds, and the replies."""
    with tempfile.TemporaryDirectory() as temporary:
        output = Path(temporary) / "relsel.parquet"
        start = time.perf_counter()
        with CompletionStore(Path(temporary) / "store") as store:
            annotate(items, stage, engine, store, Retries(max_retries=0), output)
        seconds = time.perf_counter() - start
        return seconds, [reply for (reply,) in ANNOTATION.read(output)["replies"].to_pylist()]


def offline(engine: VllmEngine, requests: list[ReplyRequest]) -> tuple[float, list[str]]:
    """Seconds, and the replies."""
    from vllm import SamplingParams

    prompts = [{"prompt_token_ids": ids} for ids in engine.tokens.prompts([request.chat for request in requests])]
    parameters = SamplingParams(temperature=0, max_tokens=NEW_TOKENS, stop_token_ids=engine.tokens.stop_ids)
    start = time.perf_counter()
    outputs = engine.llm.generate(prompts, parameters, use_tqdm=False)
    seconds = time.perf_counter() - start
    replies = [
        engine.tokens.completion(prompt["prompt_token_ids"], output.outputs[0].token_ids).text
        for prompt, output in zip(prompts, outputs, strict=True)
    ]
    return seconds, replies


def main() -> None:
    """Write the seconds of each round after the first, and the tokens of the prompts (JSON)."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("model", "pool", "prompt", "output"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--passages", type=int, required=True, help="of each question's candidates")
    parser.add_argument("--precision", required=True)
    parser.add_argument("--rounds", type=int, required=True)
    parser.add_argument("--sizes", type=int, nargs="+", required=True, help="prompts")
    arguments = parser.parse_args()
    annotator = Annotator(
        model="measured",
        engine="vllm",
        precision=arguments.precision,
        sampling=Sampling(max_new_tokens=NEW_TOKENS),
    )
    gpus = int(arguments.precision != "fp32")
    performance = Performance(threads=len(os.sched_getaffinity(0)), annotate=EnginePerformance(gpus=gpus))
    engine = VllmEngine(arguments.model, annotator, performance)
    stage = relevance_stage(annotator, PromptTemplate(arguments.prompt, PromptSanitizer(engine.special_tokens)))
    pool = [Item(item.query_id, item.query, item.passages[: arguments.passages]) for item in read_pool(arguments.pool)]
    sizes = []
    for size in arguments.sizes:
        items = pool[:size]
        requests = [request for item in items for request in stage.requests(item)]
        seconds: dict[str, list[float]] = {"ours": [], "vllm": []}
        for number in range(1 + arguments.rounds):
            engine.llm.reset_prefix_cache()
            our_seconds, our_replies = ours(engine, stage, items)
            engine.llm.reset_prefix_cache()
            their_seconds, their_replies = offline(engine, requests)
            if arguments.precision == "fp32" and our_replies != their_replies:
                raise SystemExit("ours and vLLM's own generate do not give the same replies")
            if number:
                seconds["ours"].append(our_seconds)
                seconds["vllm"].append(their_seconds)
        tokens = sum(map(len, engine.tokens.prompts([request.chat for request in requests])))
        sizes.append({"prompts": size, "tokens": tokens, **seconds})
    device = engine.platform.get_device_name()
    arguments.output.write_text(json.dumps({"device": device, "sizes": sizes}))


if __name__ == "__main__":
    main()
