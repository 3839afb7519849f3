"""What decides the rows that are mined for a pool."""

from __future__ import annotations

from typing import Literal

from ..settings import JobSettings


class MiningSettings(JobSettings):
    """What a pool and its source say, as far as its rows depend on it."""

    format: Literal["retrieved", "merged"]
    depth: int | None
    size: int
