"""What the labels of a training cost: human judgements, human answers, and the hours of the devices that ran the LLM.

Table 17 of the paper counts human labels as 0.09 USD for each passage of each query's pool, REPLUG as 0.09 USD for each
query's ground-truth answer plus its GPU hours, and LLM labels as GPU hours alone.

Device hours are computed, not added up, since an interrupted job reports only its last start. They are all tokens of a
stage's rows, divided by its engine's tokens per second and device, plus one load of the model per shard. If the last
jobs found everything in the completion store, the speed is that of the jobs that filled it. A job without a GPU counts
as one device: a CPU, or a server whose GPUs are unknown here.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..common.errors import InputError
from ..common.files import read_json
from ..engines.throughput import device_count, device_seconds, tokens_a_device_second
from ..io.schemas import ANNOTATION, POOL
from ..settings import Cost
from .shards import query_subset
from .work import Work

logger = logging.getLogger(__name__)

_OF_A_JOB = ("prompt_tokens", "new_tokens", "engine_seconds", "load_seconds", "gpus", "earlier")


@dataclass(frozen=True)
class Effort:
    """The effort behind labels.

    Attributes:
        judgements: passages judged by humans.
        answers: questions answered by humans.
        device_hours: hours of one GPU (or CPU, or server); None if no job recorded its speed.
        tokens: read and written by LLMs, those of stored replies included.
    """

    judgements: float = 0
    answers: float = 0
    device_hours: float | None = 0
    tokens: int = 0

    def usd(self, prices: Cost) -> float | None:
        """The cost; None if the device hours are unknown."""
        if self.device_hours is None:
            return None
        return (self.judgements + self.answers) * prices.judgement_usd + self.device_hours * prices.gpu_hour_usd


class Records:
    """The pool shards and annotation shards that record the work.

    Args:
        pools: files ``…/{pool}/{shard}.parquet``.
        annotations: files ``…/{pool}/{annotator}/{stage}/{shard}.parquet``, each with its job's summary beside it.
        selectors: by RERANKER/TRAINING and pool, the summaries of the jobs that scored the pool, and the record of the
            training.
    """

    def __init__(
        self,
        pools: Iterable[Path],
        annotations: Iterable[Path],
        selectors: Mapping[tuple[str, str], Sequence[Path | str]] | None = None,
    ) -> None:
        self._selectors = selectors or {}
        self._pools: dict[str, list[Path]] = defaultdict(list)
        for path in pools:
            self._pools[path.absolute().parent.name].append(path)
        self._annotations: dict[tuple[str, str, str], list[Path]] = defaultdict(list)
        for path in annotations:
            pool, annotator, stage = path.absolute().parts[-4:-1]
            self._annotations[pool, annotator, stage].append(path)
        self._stages: dict[tuple[str, str, str], StageRecord] = {}
        self._sizes: dict[str, pa.Table] = {}

    def effort(self, work: Sequence[Work]) -> Effort:
        """The effort of all this work; a stage or a judgement that two parts share counts once.

        Raises:
            InputError: a file that is needed was not given.
        """
        parts: dict[tuple[str, str, str | None], list[Work]] = defaultdict(list)
        for part in work:
            if not part.reranker:
                parts[part.kind, part.pool, part.annotator].append(part)
        judgements = answers = tokens = 0
        scored = dict.fromkeys((part.reranker, part.pool) for part in work if part.reranker)
        hours: list[float | None] = [self._selector_hours(*each) for each in scored]
        for (kind, pool, annotator), same in parts.items():
            if annotator is None:
                sizes = self._pool(pool)
                chosen = sizes.filter(_chosen(sizes["query_id"], same))
                if kind == "judgements":
                    judgements += pc.sum(chosen["candidates"]).as_py() or 0
                else:
                    answers += chosen.num_rows
            else:
                stage = self.stage(pool, annotator, kind)
                chosen = _chosen(stage.rows["query_id"], same)
                hours.append(stage.device_hours(chosen))
                tokens += pc.sum(stage.rows.filter(chosen)["tokens"]).as_py() or 0
        return Effort(judgements, answers, None if None in hours else sum(hour or 0 for hour in hours), tokens)

    def _selector_hours(self, reranker: str, pool: str) -> float:
        """Hours of one device that training a reranker and scoring a pool by it took."""
        place = (reranker, pool)
        if place not in self._selectors:
            raise InputError(f"no record of {reranker} on pool {pool} was given.", hint="give those of all shards.")
        return sum((device_seconds(_record(Path(path))) or 0) / 3600 for path in self._selectors[place])

    def _pool(self, pool: str) -> pa.Table:
        """``query_id`` and number of ``candidates`` of every query of a pool."""
        if pool not in self._sizes:
            self._sizes[pool] = pa.concat_tables(map(_pool_sizes, _given(self._pools, pool, f"pool {pool}")))
        return self._sizes[pool]

    def stage(self, pool: str, annotator: str, stage: str) -> StageRecord:
        """The record of one annotation stage of a pool.

        Raises:
            InputError: none of its files was given.
        """
        place = (pool, annotator, stage)
        if place not in self._stages:
            what = f"stage {stage} of annotator {annotator} on pool {pool}"
            self._stages[place] = StageRecord.read(what, _given(self._annotations, place, what))
        return self._stages[place]


@dataclass(frozen=True)
class StageRecord:
    """One annotation stage of a pool.

    Attributes:
        name: for messages.
        rows: of every query ``query_id``, ``attempts`` (requests), ``prompt_tokens``, ``completion_tokens``, and their
            sum, ``tokens``.
        jobs: the summaries of its shards' last jobs.
    """

    name: str
    rows: pa.Table
    jobs: list[dict[str, Any]]

    @classmethod
    def read(cls, name: str, shards: Sequence[Path]) -> StageRecord:
        read = pa.concat_tables(
            [ANNOTATION.read(shard, ["query_id", "attempts", "prompt_tokens", "completion_tokens"]) for shard in shards]
        )
        tokens = pc.add(read["prompt_tokens"], read["completion_tokens"])
        jobs = [read_json(shard.with_suffix(".json"), *_OF_A_JOB) for shard in shards]
        return cls(name, read.append_column("tokens", tokens), jobs)

    @cached_property
    def tokens_a_device_second(self) -> float | None:
        """Tokens per second of one device, over the jobs of all shards, or over earlier jobs if these made nothing.

        None if no speed is recorded.
        """
        if (speed := tokens_a_device_second(self.jobs)) is not None:
            return speed
        logger.warning(
            "%s: the cost is unknown: the last jobs found every completion in the store, which has no record of the "
            "engine's speed.",
            self.name,
        )
        return None

    def device_hours(self, chosen: pa.Array) -> float | None:
        """Device hours of the queries of a mask; None if no job recorded its speed."""
        if self.tokens_a_device_second is None:
            return None
        tokens = pc.sum(self.rows.filter(chosen)["tokens"]).as_py() or 0
        loads = sum(job["load_seconds"] * device_count(job) for job in self.jobs)
        return (tokens / self.tokens_a_device_second + loads) / 3600


def _record(path: Path) -> dict[str, Any]:
    """A job's summary, or that of a training, which has its number of processes."""
    found: dict[str, Any] = read_json(path, "seconds")
    return found if "gpus" in found else found | {"gpus": found["processes"]}


def _given(files: dict[Any, list[Path]], place: object, what: str) -> list[Path]:
    if place not in files:
        raise InputError(f"no file of {what} was given.", hint="give all of its shards.")
    return files[place]


def _pool_sizes(path: Path) -> pa.Table:
    with POOL.open(path) as file:
        pool = file.read(columns=["query_id", "candidates.list.element.human"])
    return pa.table({"query_id": pool["query_id"], "candidates": pc.list_value_length(pool["candidates"])})


def _chosen(query_ids: pa.ChunkedArray, work: Sequence[Work]) -> pa.Array:
    """Mask of the queries that at least one part of the work covers."""
    masks = list(_masks(query_ids, work))
    return pa.array(np.logical_or.reduce(masks))


def _masks(query_ids: pa.ChunkedArray, work: Sequence[Work]) -> Iterator[np.ndarray]:
    ids = query_ids.to_pylist()
    for part in work:
        mask = np.ones(len(ids), bool)
        for subset in part.queries:
            mask &= pc.is_in(query_ids, value_set=query_subset(ids, subset)).to_numpy()
        yield mask
