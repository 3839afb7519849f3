"""Plans to be looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from command_line import configuration

from utility_annotation.audit.plan import Job, Output
from utility_annotation.readiness.run import Run

ROOT = Path(__file__).resolve().parents[2]


def run(*jobs: Job, sections: dict[str, Any], **facts: Any) -> Run:
    """A run of some jobs; a server has two seconds to answer."""
    return Run(**({"jobs": jobs} | facts), configuration=configuration(**sections), workflow=ROOT, seconds=2)


def job(rule: str, output: str = "results/x", gpus: int = 0, **wildcards: str) -> Job:
    """A job that makes one file."""
    return Job(id=0, rule=rule, wildcards=wildcards, outputs=(Output(path=output),), gpus=gpus)
