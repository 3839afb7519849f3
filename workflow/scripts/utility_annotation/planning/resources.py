"""What the job of each rule takes: memory and time that it asks a scheduler for. The audit reads the same figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..annotation.stages import STAGES


@dataclass(frozen=True)
class Request:
    """What a job asks for at its first attempt; each further attempt asks for as much more.

    Attributes:
        mem_mb: megabytes of memory.
        runtime: minutes; None where the scheduler's default will do.
    """

    mem_mb: int
    runtime: int | None = None


REQUESTS: Mapping[str, Request] = {
    "prepare_model": Request(6000),
    "merge_labels": Request(4000),
    "label_quality": Request(4000),
    "train": Request(16000, 960),
    "encode": Request(8000, 240),
    "search": Request(16000, 240),
    "bm25_index": Request(8000, 240),
    "bm25_search": Request(8000, 240),
    "merge_qrels": Request(4000),
    "match_answers": Request(4000),
    "evaluate": Request(4000),
    "generate_answers": Request(16000, 480),
    "evaluate_answers": Request(8000, 120),
    "sample_annotations": Request(2000),
    "annotation_cost": Request(2000),
    **{f"annotate_{name.replace('-', '_')}": Request(16000, stage.runtime) for name, stage in STAGES.items()},
}
"""By rule; a rule that is not named here takes what the profile gives by default."""
