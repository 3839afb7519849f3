"""How long a job takes, for a plan that asks a scheduler for time."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..common.errors import InputError
from ..planning import jobs
from ..planning.resources import REQUESTS
from ..planning.training import starting_point
from ..settings import Configuration
from .plan import Job, Output
from .rates import GPU, NotKnown, Rates, own_rates
from .sizes import Sizes
from .tables import RateTable, read_sizes, read_table
from .tokens import by_pieces
from .workload import Workloads


class Predictions:
    """Predicts jobs of a configuration as the audit does, with its shipped tables and the speeds measured here.

    Args:
        configuration: the configuration.
        resources: the workflow's folder of that name.

    Attributes:
        workloads: what counts the work of jobs.
    """

    def __init__(self, configuration: Configuration, resources: Path) -> None:
        tables = resources / "audit"
        rates = Rates([own_rates(configuration, GPU), read_table(RateTable, tables / "rates.yaml")], GPU)
        sizes = Sizes(configuration, read_sizes([tables / "sizes.yaml"]))
        # a plan must not wait for a tokenizer
        self.workloads = Workloads(configuration, sizes, rates, resources, counter=lambda folder: by_pieces)

    def seconds(self, rule: str, wildcards: Mapping[str, str], gpus: int, threads: int) -> float | None:
        """Wall seconds of a job; None where they are not known, or where a file that tells them cannot be read."""
        job = Job(id=0, rule=rule, wildcards=dict(wildcards), outputs=(Output(path=""),), gpus=gpus, threads=threads)
        try:
            return self.workloads.estimate(job).seconds
        except (InputError, OSError, ValueError):
            return None

    def weights_megabytes(self, rule: str, wildcards: Mapping[str, str], gpus: int) -> float:
        """Main memory for the weights of a job's encoder, and in a training for AdamW's moments in a checkpoint.

        A reranker counts as an encoder.

        Every process loads the weights in fp32. With FSDP they take turns. 0 without an encoder, or of unknown size.
        """
        configuration, sizes = self.workloads.configuration, self.workloads.sizes
        work = REQUESTS[rule].work
        if work == "reranking":
            model = jobs.rerank(configuration, reranked=wildcards["reranked"]).reranker.model
        elif work == "scoring":
            model = starting_point(configuration, wildcards["reranker"]).model
        elif work in ("training", "encoding", "search"):
            model = starting_point(configuration, wildcards["backbone"]).model
        else:
            return 0
        try:
            megabytes = sizes.model(model).parameters * 4 / 1e6
        except NotKnown:
            return 0
        if work != "training":
            return megabytes
        processes = 1 if configuration.performance.train.fsdp else max(gpus, 1)
        all_weights = configuration.trainings[wildcards["training"]].lora is None
        return megabytes * (processes + 3 * all_weights)  # a checkpoint's weights and two moments are gathered
