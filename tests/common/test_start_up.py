"""A script whose job is small loads no large package for nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

COMPUTING = ("torch", "transformers", "ranx", "numba", "pandas", "scipy", "sklearn", "matplotlib", "snakemake")

WITHOUT = {
    "annotate": COMPUTING,
    "answers": COMPUTING,
    "audit": COMPUTING,
    "evaluate": COMPUTING,
    "export": COMPUTING,
    "ingest": COMPUTING,
    "label": COMPUTING,
    "plot": ("torch", "transformers", "ranx", "numba", "scipy", "sklearn", "snakemake"),
    "pool": COMPUTING,
    "prepare": (*COMPUTING, "numpy", "pyarrow"),
    "report": COMPUTING,
    "retrieve": COMPUTING,
    "table": tuple(name for name in COMPUTING if name != "pandas"),
}

IMPORT = "import importlib, sys; importlib.import_module(sys.argv[1]); print(*sys.modules)"


def loaded(module: str, scripts: Path) -> set[str]:
    """The top-level packages that are there once a module is imported in a Python of its own."""
    command = [sys.executable, "-c", IMPORT, module]
    done = subprocess.run(command, cwd=scripts, capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in done.stdout.split()}


@pytest.mark.process
@pytest.mark.parametrize("script", WITHOUT)
def test_a_script_does_without(script: str, root: Path) -> None:
    assert not loaded(script, root / "workflow" / "scripts") & set(WITHOUT[script])


@pytest.mark.process
def test_a_server_is_asked_without_a_tokenizer_library(root: Path) -> None:
    engine = "utility_annotation.engines.openai_engine"
    assert not loaded(engine, root / "workflow" / "scripts") & {"torch", "transformers"}
