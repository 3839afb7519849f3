"""What decides what is made for a pool."""

from __future__ import annotations

from typing import Literal

from ..settings import JobSettings, PoolSource


class MiningSettings(JobSettings):
    """The settings of a pool that decide its mined rows."""

    format: Literal["retrieved", "merged"]
    depth: int | None
    size: int
    relevance_level: int


class DuplicateSettings(JobSettings):
    """Which of the passages found for a question are compared."""

    depth: int | None
    relevance_level: int


class DivideSettings(JobSettings):
    """Which questions of a pool a part of it has; ``method`` is that of the selector which is unsure of them."""

    source: PoolSource
    shards: int
    method: str | None
