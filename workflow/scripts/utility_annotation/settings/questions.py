"""Questions that an LLM writes about the passages of a corpus."""

from __future__ import annotations

from pydantic import Field, model_validator

from .base import Name, Settings, TwoNames


class RoundTrip(Settings):
    """Keep a question only if a search for it finds the passage that it was written about."""

    testset: Name = Field(description="The test set whose questions are the candidates.")
    retriever: TwoNames = Field("bm25/bm25", description="The retriever, as `backbone/training`.")
    depth: int = Field(20, ge=1, description="The passage must be among so many.")


class Questions(Settings):
    """Questions that an LLM writes, and what of them is kept.

    results/questions/NAME/ has candidates.parquet (what the form lets through), and train.parquet and
    held-out.parquet (what all filters let through), as sources of splits: `{format: parquet, path: …}` for `queries`,
    `qrels` and `answers`.
    """

    pool: Name = Field(description="The passages: a pool of format passages.")
    annotator: Name = Field(description="The LLM that writes.")
    styles: tuple[str, ...] = Field(
        ("natural", "keyword"),
        min_length=1,
        description="What kinds of questions; the annotator's `questions_per_passage` says how many of each.",
    )
    round_trip: RoundTrip | None = Field(None, description="Filter by a search for each candidate.")
    answerable: Name | None = Field(
        None,
        description="Filter by labels of the candidates: a question is kept if the passage that it was written about "
        "is positive.",
    )
    held_out: float = Field(
        20, ge=0, lt=100, description="Percent of the documents whose questions are held out of training."
    )
    seed: int = Field(13, description="Seed of that division.")

    @model_validator(mode="after")
    def _each_style_once(self) -> Questions:
        if len(set(self.styles)) < len(self.styles):
            raise ValueError("`styles` names one twice")
        return self
