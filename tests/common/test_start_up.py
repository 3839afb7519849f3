"""A script whose job is small loads no large package for nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

COMPUTING = ("torch", "transformers", "ranx", "numba", "pandas", "scipy", "sklearn", "matplotlib", "snakemake")

WITHOUT = {
    "annotate_relsel.py": COMPUTING,
    "audit.py": COMPUTING,
    "build_pool.py": COMPUTING,
    "evaluate_answers.py": COMPUTING,
    "export_model.py": COMPUTING,
    "fetch.py": (*COMPUTING, "numpy", "pyarrow"),
    "ingest_queries.py": COMPUTING,
    "label_table.py": (*COMPUTING, "numpy", "pyarrow"),
    "match_answers.py": COMPUTING,
    "merge_labels.py": COMPUTING,
    "mine_negatives.py": COMPUTING,
    "plot_results.py": ("torch", "transformers", "ranx", "pandas", "scipy", "snakemake"),
    "prepare_model.py": (*COMPUTING, "numpy", "pyarrow"),
    "results_table.py": COMPUTING,
    "unpack.py": (*COMPUTING, "numpy", "pyarrow", "pydantic"),
    "write_report.py": COMPUTING,
}

IMPORT = "import importlib, sys; importlib.import_module(sys.argv[1]); print(*sys.modules)"


def loaded(module: str, scripts: Path) -> set[str]:
    """The top-level packages that are there once a module is imported in a Python of its own."""
    command = [sys.executable, "-c", IMPORT, module]
    done = subprocess.run(command, cwd=scripts, capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in done.stdout.split()}


@pytest.mark.parametrize("script", WITHOUT)
def test_a_script_does_without(script: str, root: Path) -> None:
    assert not loaded(Path(script).stem, root / "workflow" / "scripts") & set(WITHOUT[script])


def test_a_server_is_asked_without_a_tokenizer_library(root: Path) -> None:
    engine = "utility_annotation.engines.openai_engine"
    assert not loaded(engine, root / "workflow" / "scripts") & {"torch", "transformers"}
