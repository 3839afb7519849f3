"""Annotation through vLLM beside vLLM's own offline generation, on a CPU or, where there is one, on a GPU.

vLLM lives in an environment of its own: .venv-vllm (`make .venv-vllm/stamp`, for a CPU), or that of the interpreter
named by the environment variable VLLM_PYTHON (made from envs/vllm.txt, for a GPU).
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import measure
import page
from comparison import PROGRAMS
from comparisons import LLM, generate_input, model_folder

REACH = 0.95
ON_CPU = {"passages": 2, "precision": "fp32", "sizes": (4, 8, 16)}
ON_GPU = {"passages": 31, "precision": "bf16", "sizes": (256, 1_024, 4_096)}


def measure_vllm(rounds: int) -> dict[str, Any]:
    """Both in turn, at three sizes.

    Raises:
        SystemExit: vLLM is not installed, or the two do not give the same replies.
    """
    interpreter = Path(os.environ.get("VLLM_PYTHON", measure.ROOT / ".venv-vllm" / "bin" / "python"))
    if not interpreter.exists():
        raise SystemExit(f"there is no {interpreter}: make .venv-vllm/stamp, or set VLLM_PYTHON")
    task = ON_GPU if shutil.which("nvidia-smi") else ON_CPU
    sizes = list(map(str, task["sizes"]))
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        generate_input("annotated", str(folder), "--queries", sizes[-1], "--shards", "1")
        (pool,) = (folder / "pool").iterdir()
        prompt = measure.ROOT / "resources" / "prompts" / "relsel.j2"
        inputs = ["--model", model_folder(LLM), "--pool", pool, "--prompt", prompt]
        options = ["--passages", str(task["passages"]), "--precision", task["precision"], "--rounds", str(rounds)]
        program = PROGRAMS / "vllm_throughput.py"
        output = folder / "measured.json"
        measure.run([interpreter, program, *inputs, *options, "--sizes", *sizes, "--output", output])
        measured = json.loads(output.read_text(encoding="utf-8"))
    return {
        "machine": measure.machine(),
        "device": measured["device"],
        "passages": task["passages"],
        "precision": task["precision"],
        "pairs": rounds,
        "sizes": [
            {
                "prompts": size["prompts"],
                "tokens": size["tokens"],
                "ours": measure.spread(size["ours"]),
                "vllm": measure.spread(size["vllm"]),
                "times_as_fast": measure.spread(
                    [theirs / mine for mine, theirs in zip(size["ours"], size["vllm"], strict=True)]
                ),
            }
            for size in measured["sizes"]
        ],
    }


def section(record: Mapping[str, Any]) -> str:
    """A row a size."""
    rows = [
        [
            f"{size['prompts']:,}",
            f"{size['tokens']:,}",
            page.seconds(size["ours"]["median"]),
            page.seconds(size["vllm"]["median"]),
            f"{size['tokens'] / size['ours']['median']:,.0f}",
            page.spread(size["times_as_fast"]),
        ]
        for size in record["sizes"]
    ]
    reached = record["sizes"][-1]["times_as_fast"]["median"] >= REACH
    return "\n\n".join(
        [
            "## Annotation through vLLM",
            f"Relevance selection ({record['passages']} passages a prompt, {record['precision']}) with the demo's LLM, "
            "from the pool's questions to the annotation file, in turn with vLLM's own `LLM.generate` on the same "
            "prompts, which it is handed as token ids. One start of vLLM serves both, and its prefix cache is emptied "
            f"before each run. Aim: {REACH} times as fast, {'reached' if reached else 'missed'}.",
            page.table(
                ["prompts", "prompt tokens", "ours, s", "vLLM alone, s", "ours, tokens a second", "times as fast"], rows
            ),
            f"Device: {record['device']}. " + page.measured(record, record["pairs"]),
        ]
    )
