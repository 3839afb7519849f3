"""What the report page holds beside tables and figures."""

from __future__ import annotations

from pydantic import Field

from .base import Settings


class ReportSettings(Settings):
    """The annotations that can be looked at in the report."""

    questions: int = Field(
        50,
        ge=0,
        description="Questions of each pool that are shown with all that was said of their passages, or all where the "
        "pool has fewer; 0 for none. The page grows by some 50 KB with each question of 31 candidates.",
    )
    seed: int = Field(13, description="Seed of the choice of these questions.")
