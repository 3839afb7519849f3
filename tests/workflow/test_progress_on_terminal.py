"""What a user sees of a long job while Snakemake sends all that it says to a log file."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from terminal import run_on_terminal
from workflow_copy import copy_of_repository

pytestmark = pytest.mark.snakemake


def test_snakemake_s_terminal_shows_how_far_a_job_is(root: Path, tmp_path: Path) -> None:
    """Ten seconds are taken as over at once, for no job of a test is to last so long."""
    folder = copy_of_repository(root, tmp_path)
    module = folder / "workflow" / "scripts" / "utility_annotation" / "common" / "progress.py"
    text = module.read_text()
    for pause in ("_SECONDS_BETWEEN_LINES = 10.0", "_SECONDS_BETWEEN_LOG_LINES = 5.0"):
        assert pause in text
        text = text.replace(pause, f"{pause.partition('=')[0]}= 1e-9")
    module.write_text(text)
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "data/demo/corpus.parquet"]
    ended, shown = run_on_terminal(command, folder=folder)
    assert ended == 0, shown
    progress = "ingest corpus data/demo/corpus.parquet: reading resources/demo/beir/corpus.jsonl: "
    line = [line for line in shown.splitlines() if progress in line][-1]
    assert " bytes, " in line
    assert line.partition(": ")[2] in (folder / "logs" / "ingest_corpus" / "demo.log").read_text()
