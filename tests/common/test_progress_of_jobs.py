"""Every script whose job lasts at the paper's scale says how far it is: on small inputs, with the pause between lines
taken away."""

from __future__ import annotations

import importlib
import json
import logging
import re
from pathlib import Path

import pytest
from chain_of_jobs import run_jobs
from command_line import arguments

from utility_annotation.common import progress

pytestmark = pytest.mark.process  # Java's, for BM25

WAITING = r"so far$"
EXPECTED = {
    "prepare download": r"fetching corpus\.jsonl: [\d,]+ of [\d,]+ bytes",
    "prepare member": r"looking for corpus\.jsonl in .*: [\d,]+ of [\d,]+ bytes",
    "prepare model": rf"preparing .*{WAITING}",
    "ingest corpus": r"reading .*corpus\.jsonl: [\d,]+ of [\d,]+ bytes",
    "ingest queries": r"reading .*queries\.train\.tsv: [\d,]+ of [\d,]+ bytes",
    "ingest qrels": r"reading .*qrels\.train\.txt: [\d,]+ of [\d,]+ bytes",
    "ingest answers": r"reading .*train\.jsonl: [\d,]+ of [\d,]+ bytes",
    "retrieve bm25-index": rf"IndexCollection: .*{WAITING}",
    "retrieve bm25-search": rf"SearchCollection: .*{WAITING}",
    "pool negatives": r"reading .*queries\.parquet: [\d,]+ of [\d,]+ rows",
    "pool build": r"reading .*mined/pool\.jsonl: [\d,]+ of [\d,]+ bytes",
    "label merge": r"labelling: 1 of 2 shards",
    "label quality": r"comparing: 1 of 2 shards",
    "export labels": r"joining labels and pool: 1 of 2 shards",
    "train": r"joining labels and pool: 1 of 2 shards",
    "retrieve encode": r"encoding shard 0000-of-0001: [\d,]+ of [\d,]+ passages",
    "retrieve search": r"encoding: [\d,]+ of [\d,]+ queries",
    "evaluate run": rf"computing mrr@10 of \d+ queries: .*{WAITING}",
    "evaluate answers": r"looking for answers: 1 of 1 blocks",
    "answers evaluate": r"BERTScore: [\d,]+ of [\d,]+ pairs",
}
"""Script and command → a line that it shows.

Annotation, which has lines of its own, and training's steps have tests of theirs.
"""


class Lines(logging.Handler):
    """Keeps the progress lines."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@pytest.fixture(scope="module")
def shown(root: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """The lines of each script, run one after the other on the demo's collection."""
    folder = tmp_path_factory.mktemp("jobs")
    handler = Lines()
    progress.LOG.addHandler(handler)
    level = progress.LOG.level
    progress.LOG.setLevel(logging.INFO)
    lines: dict[str, list[str]] = {}

    def run(job: str, **values: object) -> None:
        handler.lines = lines.setdefault(job, [])
        script, *command = job.split()
        importlib.import_module(script).main(arguments(*command, config="config.yaml", **values))

    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            patch.setattr(progress, "_SECONDS_BETWEEN_LOG_LINES", 1e-9)  # shorter than any job, and not a busy loop
            run_jobs(run, root / "resources" / "demo", folder)
    finally:
        progress.LOG.removeHandler(handler)
        progress.LOG.setLevel(level)
    return lines


@pytest.mark.parametrize("job", EXPECTED)
def test_a_job_says_how_far_it_is(shown: dict[str, list[str]], job: str) -> None:
    assert any(re.search(EXPECTED[job], line) for line in shown[job]), json.dumps(shown[job][:20], indent=1)
