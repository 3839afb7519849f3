"""The work behind the labels of a pool: requests, tokens and hours of each stage, and the effort of each label set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import pyarrow.compute as pc

from ..labels.cost import Effort, Records, StageRecord
from ..settings import Cost
from .settings import WorkSettings


def annotation_cost(settings: WorkSettings, records: Records) -> dict[str, Any]:
    """The counts of a pool, ready for JSON: ``stages`` and, by name, ``labels``, each an :class:`..cost.Effort`.

    Of a stage: ``questions``, ``requests`` and tokens, all retries included and whether or not the completion store had
    them; ``device_hours`` as :meth:`..cost.StageRecord.device_hours` computes them, null where no speed is known; and
    ``gpus`` that a job asked for. A stage that shares its likelihoods has no hours of its own.

    Raises:
        InputError: a file that is needed was not given.
    """
    return {
        "pool": settings.pool,
        "stages": [
            judge.model_dump()
            | _figures(records.stage(settings.pool, str(judge.annotator), str(judge.stage)), judge.shares)
            for judge in settings.stages
        ],
        "labels": {
            name: asdict(Effort(device_hours=None) if work is None else records.effort(work))
            for name, work in settings.labels.items()
        },
    }


def _figures(record: StageRecord, shares: str | None) -> dict[str, Any]:
    sums = {"requests": "attempts", "prompt_tokens": "prompt_tokens", "new_tokens": "completion_tokens"}
    everything = pc.is_valid(record.rows["query_id"]).combine_chunks()
    return {
        "questions": record.rows.num_rows,
        **{name: pc.sum(record.rows[column]).as_py() or 0 for name, column in sums.items()},
        "device_hours": 0.0 if shares else record.device_hours(everything),
        "gpus": max((job["gpus"] for job in record.jobs), default=0),
    }


def usd(prices: Cost, effort: Mapping[str, Any]) -> str:
    """The price of a stage, or of a label set."""
    fields = {name: effort.get(name, 0) for name in ("judgements", "answers", "device_hours")}
    return amount(Effort(**fields).usd(prices))


def amount(value: float | None) -> str:
    """Hours or dollars with two decimals; small amounts show as ``< 0.01``, and unknown ones are empty."""
    if value is None:
        return ""
    return "< 0.01" if 0 < value < 0.005 else f"{value:,.2f}"
