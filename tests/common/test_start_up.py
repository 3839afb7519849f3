"""A script loads no large package that its job does not need: up to its command line, and in whole jobs."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from chain_of_jobs import run_jobs
from command_line import arguments

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

_LARGE = tuple(name for name in COMPUTING if name != "pandas")
JOBS_WITHOUT = {
    **dict.fromkeys(("ingest corpus", "ingest queries", "ingest qrels", "ingest answers"), _LARGE),
    **dict.fromkeys(("retrieve bm25-index", "retrieve bm25-search", "pool negatives", "pool build"), _LARGE),
    **dict.fromkeys(("label merge", "label quality", "export labels", "evaluate answers"), _LARGE),
    "evaluate run": ("torch", "transformers", "ranx.data_structures", "sklearn", "matplotlib", "snakemake"),
}
"""Script and command → modules that its job must not load. pyarrow loads pandas for numpy's arrays."""

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


JOB = """
import importlib, json, sys
script, *arguments = sys.argv[1:]
importlib.import_module(script).main(arguments)
print(json.dumps(list(sys.modules)))
"""


@pytest.fixture(scope="module")
def modules(root: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """By script and command the modules that are there after a job, one after the other on the demo's collection."""
    folder = tmp_path_factory.mktemp("jobs")
    scripts = root / "workflow" / "scripts"
    found: dict[str, set[str]] = {}

    def run(job: str, **values: object) -> None:
        script, *command = job.split()
        if job not in JOBS_WITHOUT:
            importlib.import_module(script).main(arguments(*command, config="config.yaml", **values))
            return
        line = [sys.executable, "-c", JOB, script, *arguments(*command, config="config.yaml", **values)]
        environment = {**os.environ, "PYTHONPATH": str(scripts)}
        done = subprocess.run(line, cwd=folder, env=environment, capture_output=True, text=True)
        assert not done.returncode, done.stderr
        found[job] = set(json.loads(done.stdout.strip().rpartition("\n")[2]))

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        run_jobs(run, root / "resources" / "demo", folder)
    return found


@pytest.mark.process
@pytest.mark.parametrize("job", JOBS_WITHOUT)
def test_a_job_does_without(modules: dict[str, set[str]], job: str) -> None:
    assert not modules[job] & {*JOBS_WITHOUT[job]}
