"""The run that is looked at: its plan, how it is started, and what it needs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ..audit.plan import Estimate, Job
from ..audit.predictions import Predictions
from ..audit.workload import Workloads
from ..planning import data, reranking, selection
from ..settings import Configuration
from ..settings.hub import HubFiles
from .cluster import Partition, Request
from .rows import Row


@dataclass(frozen=True)
class Later:
    """A look that takes its time.

    Attributes:
        look: gives the rows; raises ConnectionError where it does not reach its server.
        row: what is looked at, without an answer.
        host: the server that it asks; nothing where it asks none.
    """

    look: Callable[[], list[Row]]
    row: Row
    host: str = ""


@dataclass(frozen=True)
class Run:
    """A planned run.

    Attributes:
        configuration: its configuration.
        jobs: the planned jobs, each after those that it waits for; None where Snakemake cannot plan.
        workflow: folder of the Snakefile.
        submits: whether a scheduler runs the jobs.
        conda: whether Snakemake makes the environments.
        requests: what is submitted asks for.
        partitions: those of the cluster, an entry for each kind of node; None where there is no cluster that answers.
        found: rows that are known already.
        seconds: how long a server may take to answer.
    """

    configuration: Configuration
    jobs: Sequence[Job] | None
    workflow: Path
    submits: bool = False
    conda: bool = False
    requests: Sequence[Request] = ()
    partitions: Sequence[Partition] | None = None
    found: Sequence[Row] = ()
    seconds: float = 5

    def names(self, rule: str, wildcard: str, all_of: Any) -> list[str]:
        """The values of a wildcard in the planned jobs of a rule; all members of a section where there is no plan."""
        if self.jobs is None:
            return sorted(all_of)
        return sorted({job.wildcards[wildcard] for job in self.jobs if job.rule == rule})

    @cached_property
    def models(self) -> list[str]:
        """Models that have to be prepared."""
        names = self.names("prepare_model", "model", self.configuration.models)
        return [name for name in names if self.jobs is not None or not Path("data/models", name).exists()]

    @cached_property
    def downloads(self) -> list[str]:
        """Files that have to be fetched."""
        names = self.names("fetch", "download", self.configuration.downloads)
        kept = {name: data.fetched_file(self.configuration, download=name) for name in names}
        return [name for name in names if self.jobs is not None or not Path(kept[name]).exists()]

    @cached_property
    def hub_places(self) -> dict[str, HubFiles]:
        """Files and folders of data sets on the hub that have to be fetched, by their place."""
        known = {
            place: files
            for several in (False, True)
            for place, files in data.hub_places(self.configuration, several=several).items()
        }
        if self.jobs is None:
            return {place: files for place, files in known.items() if not Path(place).exists()}
        places = (job.wildcards["hub_place"] for job in self.jobs if job.rule.startswith("fetch_hub_"))
        return {place: known[place] for place in places}

    @cached_property
    def annotators(self) -> list[str]:
        """LLMs that are asked something."""
        if self.jobs is None:
            return sorted(self.configuration.annotators)
        asked = {
            job.wildcards.get("annotator") or job.wildcards.get("generator") or self._on_top(job)
            for job in self.jobs
            if asks_llm(job)
        }
        return sorted(filter(None, asked))

    def _on_top(self, job: Job) -> str:
        """The LLM that reranks or selects."""
        if "selected" in job.wildcards:
            return selection.annotator(self.configuration, job.wildcards["selected"])
        return reranking.annotator(self.configuration, job.wildcards["reranked"])

    @cached_property
    def workloads(self) -> Workloads:
        """What counts the work of jobs, as the audit does."""
        return Predictions(self.configuration, self.workflow / "resources").workloads

    @cached_property
    def estimates(self) -> list[Estimate]:
        """What the jobs take, as the audit predicts."""
        return list(map(self.workloads.estimate, self.jobs or ()))


def asks_llm(job: Job) -> bool:
    """Whether a job asks an LLM."""
    return job.rule.startswith(("annotate_", "generate_answers", "rerank_by_llm", "select_by_llm"))
