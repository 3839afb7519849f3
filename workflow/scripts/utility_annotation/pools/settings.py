"""What decides the rows that are mined for a pool."""

from __future__ import annotations

from typing import Literal

from ..settings import JobSettings


class MiningSettings(JobSettings):
    """The settings of a pool that decide its mined rows."""

    format: Literal["retrieved", "merged"]
    depth: int | None
    size: int
    relevance_level: int
