"""What the report page holds beside tables and figures."""

from __future__ import annotations

from pydantic import Field

from .base import Name, Settings


class ShownComparison(Settings):
    """Two retrievers that the report compares question by question."""

    first: str = Field(
        description="A retriever, as `backbone/training`, `bm25/bm25`, `external/NAME`, `reranked/NAME` or "
        "`selected/NAME`."
    )
    second: str = Field(description="Another one.")
    testset: Name = Field(description="A name from `testsets`.")


class ReportSettings(Settings):
    """What the report shows beside tables and figures."""

    comparisons: tuple[ShownComparison, ...] = Field(
        (), description="Pairs of retrievers that are compared question by question."
    )

    questions: int = Field(
        50,
        ge=0,
        description="Questions per pool that the report shows with every judgement of their passages, or all if the "
        "pool has fewer; 0 shows none. A question with 31 candidates adds about 50 KB to the page.",
    )
    seed: int = Field(13, description="Seed of the choice of these questions.")
