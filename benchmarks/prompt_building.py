"""Prompts of 31 candidates rendered and tokenised, beside a plain loop of `apply_chat_template`, at three sizes.

Pool shards are generated in a temporary folder and removed afterwards. The library (`prompts_ours.py`) and the loop
(`prompts_loop.py`) run in turn, each in a process of its own; their token ids must be equal. What
starting up takes falls out of the rates, which come from the difference of two sizes.

    python benchmarks/prompt_building.py --model data/models/smollm2-135m-instruct [--queries 7672] [--pairs 5]
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from functools import partial
from pathlib import Path

import measure

GPUS, GPU_RATE = 8, 7_000
"""Prompt tokens a second that one H100 is taken to read, and how many of them are to be kept busy."""


def build(program: str, model: Path, pool: Path, output: Path) -> measure.Cost:
    """Make all prompts of a shard with one of the two programs."""
    prompt = measure.ROOT / "resources" / "prompts" / "relsel.j2"
    command = [sys.executable, measure.ROOT / "benchmarks" / program, "--model", model, "--pool", pool]
    return measure.run([*command, "--prompt", prompt, "--output", output])


def measure_size(model: Path, queries: int, pairs: int) -> dict[str, object]:
    """Generate a shard of ``queries`` queries, compare the two programs' token ids, then measure both in turn."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        generate = measure.ROOT / "benchmarks" / "generate.py"
        measure.run([sys.executable, generate, "annotated", folder, "--queries", str(queries), "--shards", "1"])
        (pool,) = (folder / "pool").iterdir()
        outputs = folder / "ours.json", folder / "loop.json"
        programs = "prompts_ours.py", "prompts_loop.py"
        ours, loop = (partial(build, *pair) for pair in zip(programs, [model] * 2, [pool] * 2, outputs, strict=True))
        ours(), loop()
        made, peer = (json.loads(output.read_text()) for output in outputs)
        if made != peer:
            raise SystemExit("the two programs did not make the same token ids")
        ours_costs, loop_costs = measure.in_turn(ours, loop, pairs)
        return {
            "prompts": made["prompts"],
            "tokens": made["tokens"],
            "ours": measure.summary(ours_costs),
            "loop": measure.summary(loop_costs),
            "times_as_fast": measure.ratios(ours_costs, loop_costs),
        }


def rate(small: dict, large: dict, who: str) -> int:
    """Tokens a second of wall-clock time, from two sizes: starting up falls out."""
    seconds = large[who]["seconds"]["median"] - small[who]["seconds"]["median"]
    return round((large["tokens"] - small["tokens"]) / seconds)


def main() -> None:
    """Measure a quarter, a half and all of the queries; write the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True, help="prepared model folder whose tokenizer is used")
    parser.add_argument("--queries", type=int, default=7_672, help="the largest size; the default is a shard of 64")
    parser.add_argument("--pairs", type=int, default=5, help="measurements of each program at each size")
    parser.add_argument("--output", type=Path, default=measure.RESULTS / "prompt_building.json")
    arguments = parser.parse_args()
    record: dict[str, object] = {
        "machine": measure.machine("transformers", "tokenizers", "jinja2"),
        "pairs": arguments.pairs,
    }
    sizes = [measure_size(arguments.model, arguments.queries // part, arguments.pairs) for part in (4, 2, 1)]
    record["sizes"] = sizes
    rates = {who: rate(sizes[0], sizes[-1], who) for who in ("ours", "loop")}
    record["tokens_a_second"] = rates
    record["times_as_fast_once_started"] = round(rates["ours"] / rates["loop"], 2)
    record["tokens_a_second_of_the_gpus"] = GPUS * GPU_RATE
    measure.write_record(arguments.output, record)


if __name__ == "__main__":
    main()
