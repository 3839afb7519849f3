"""What it takes to start each script, up to where its work begins: small jobs are made of little else.

Each script is run with ``--help``, which ends after its imports. What a command imports once it is chosen is taken from
the script, and what only some settings ask for stands in ``LATER``. Both are measured as a start of its own: the script
and these modules imported, nothing done. The threads of numerical libraries are as Snakemake sets them for a job of one
thread.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import page
from measure import ROOT, machine, run, summary

SCRIPTS = ROOT / "workflow" / "scripts"
ONE_THREAD = tuple(f"{library}_NUM_THREADS=1" for library in ("OMP", "OPENBLAS", "MKL"))
SHOWN = 3
LEAST = 5
"""Milliseconds that are worth showing."""

_LIBRARY = "utility_annotation"
_LARGE = "from utility_annotation.common.importing import large_packages\nwith large_packages():\n    "
LATER = {
    "annotate": {
        "engine: transformers": "import utility_annotation.engines.transformers_engine",
        "engine: openai, with `model`": "import utility_annotation.engines.openai_engine\n"
        f"{_LARGE}from transformers import AutoConfig, AutoTokenizer",
        "engine: openai, without": "import utility_annotation.engines.openai_engine",
    },
    "answers": {
        "evaluate, bert-score": "import utility_annotation.common.devices, bert_score.utils\n"
        "from transformers import AutoTokenizer"
    },
    "evaluate": {"run, a metric of ranx": "from utility_annotation.evaluation import metric_names as n; n._ranx()"},
    "prepare": {
        "model, a GGUF file": "import torch\nfrom transformers import AutoModelForCausalLM, AutoTokenizer",
        "model, from the hub": "from huggingface_hub import snapshot_download",
    },
    "retrieve": {"search: faiss": f"{_LARGE}import utility_annotation.training.encoder, faiss.contrib.torch_utils"},
    "table": {"results, with a baseline": "from scipy.special import stdtr"},
}
"""By script and by the setting that asks for it: what is imported later, beside what its commands import."""

_ROW = re.compile(r"import time:\s+(\d+) \|\s+(\d+) \| ( *)(\S+)")


def measure_starts(repeats: int) -> dict[str, Any]:
    """A record of every script's start, and of the later imports."""
    starts: list[dict[str, object]] = []
    for script in sorted(SCRIPTS.glob("*.py")):
        starts.append({"script": script.stem, "when": ""} | _start([script, "--help"], repeats))
        for setting, later in (later_imports(script) | LATER.get(script.stem, {})).items():
            command = ["-c", f"import gc, {script.stem}\ngc.freeze()\n{later}"]  # as run_script does
            starts.append({"script": script.stem, "when": setting} | _start(command, repeats))
    versions = machine("torch", "transformers", "ranx", "pyarrow", "pydantic", "numpy", "snakemake")
    return {"machine": versions, "repeats": repeats, "starts": starts}


def later_imports(script: Path) -> dict[str, str]:
    """By command what a script imports only for it; without the commands that import nothing more."""
    found: dict[str, str] = {}
    for function in ast.parse(script.read_text(encoding="utf-8")).body:
        if isinstance(function, ast.FunctionDef) and not function.name.startswith("_"):
            imports = [
                ast.unparse(part) for part in ast.walk(function) if isinstance(part, ast.Import | ast.ImportFrom)
            ]
            if imports:
                found[function.name.replace("_", "-")] = _LARGE + "\n    ".join(imports)
    return found


def section(record: Mapping[str, Any]) -> str:
    """The record as a Markdown table, the dearest start first."""
    lines = [
        "| script | seconds | CPU seconds | dearest imports, ms |",
        "| --- | ---: | ---: | --- |",
    ]
    for start in sorted(record["starts"], key=lambda start: -start["cpu_seconds"]["median"]):
        when = f" ({start['when']})" if start["when"] else ""
        imports = ", ".join(f"{name} {milliseconds:,}" for name, milliseconds in start["imports"].items())
        times = " | ".join(f"{start[key]['median']:.2f}" for key in ("seconds", "cpu_seconds"))
        lines.append(f"| {start['script']}{when} | {times} | {imports} |")
    return "\n\n".join(
        [
            "## Start-up of the scripts",
            "What each script takes up to where its work begins; in brackets what it imports beyond that for a "
            "command or a setting. The demo's jobs are made of little else, but for those of the models.",
            "\n".join(lines),
            page.measured(record, record["repeats"]),
        ]
    )


def dearest(report: str, count: int = SHOWN) -> dict[str, int]:
    """The packages of others that took longest in a report of ``-X importtime``.

    A package's milliseconds are those of all its modules and of what these import in turn; what was imported within
    another package counts as that package's, since it is loaded for its sake. What a package does besides importing,
    when a name is first taken from it, is not in the report.
    """
    rows = [(len(found[3]), found[4].partition(".")[0], int(found[2])) for found in _ROW.finditer(report)]
    ours = {_LIBRARY, *(script.stem for script in SCRIPTS.glob("*.py"))} | sys.stdlib_module_names
    spent: dict[str, int] = {}
    above: list[tuple[int, str]] = []
    for depth, package, microseconds in reversed(rows):  # a module comes after what it imports
        above = [(level, importer) for level, importer in above if level < depth]
        if package not in ours and all(importer in ours for _, importer in above):
            spent[package] = spent.get(package, 0) + microseconds
        above.append((depth, package))
    ranked = sorted(spent, key=lambda package: -spent[package])
    return {package: round(spent[package] / 1000) for package in ranked[:count] if spent[package] >= LEAST * 1000}


def _start(arguments: Sequence[str | Path], repeats: int) -> dict[str, object]:
    command = ["env", *ONE_THREAD, f"PYTHONPATH={SCRIPTS}", sys.executable, *arguments]
    quiet = ["sh", "-c", 'exec "$@" >/dev/null', "start"]
    run([*quiet, *command])  # compiles what is imported
    costs = [run([*quiet, *command]) for _ in range(repeats)]
    place = command.index(sys.executable) + 1
    timed = [*command[:place], "-X", "importtime", *command[place:]]
    report = subprocess.run([str(part) for part in timed], capture_output=True, text=True, check=True).stderr
    times = summary(costs)
    return {key: times[key] for key in ("seconds", "cpu_seconds")} | {"imports": dearest(report)}
