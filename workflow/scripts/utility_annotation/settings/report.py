"""What the report page holds beside tables and figures."""

from __future__ import annotations

from pydantic import Field

from .base import Settings


class ReportSettings(Settings):
    """The annotations in the report."""

    questions: int = Field(
        50,
        ge=0,
        description="Questions per pool that the report shows with every judgement of their passages, or all if the "
        "pool has fewer; 0 shows none. A question with 31 candidates adds about 50 KB to the page.",
    )
    seed: int = Field(13, description="Seed of the choice of these questions.")
