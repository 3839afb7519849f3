"""Weights, downloads and datasets: what comes from outside."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from .base import Name, Settings


class Model(Settings):
    """Where a model's weights come from: exactly one of ``package``, ``path`` and ``hub``."""

    package: str | None = Field(None, description="An installed Python package that carries the weights.")
    path: str | None = Field(None, description="A local Hugging Face model folder.")
    hub: str | None = Field(None, description="A Hugging Face hub name, fetched when the model is prepared.")
    revision: str | None = Field(None, description="Hub revision (commit, tag or branch).")
    max_length: int | None = Field(None, ge=8, description="Token limit to record where the tokenizer states none.")

    @model_validator(mode="after")
    def _one_source(self) -> Model:
        if sum(value is not None for value in (self.package, self.path, self.hub)) != 1:
            raise ValueError("give exactly one of package, path and hub")
        return self


class Download(Settings):
    """A file that its publisher serves: kept as ``raw/NAME/FILE``, where FILE is the end of the URL."""

    url: str = Field(pattern=r"^(https?|file)://", description="Where the publisher serves it.")
    md5: str | None = Field(
        None, pattern=r"^[0-9a-f]{32}$", description="Its published checksum; none where the publisher states none."
    )
    bytes: int | None = Field(None, ge=0, description="Its published size.")
    local: str | None = Field(None, description="A copy of yours, checked the same way and linked in place of a fetch.")

    @property
    def file(self) -> str:
        """The name under which it is kept: the end of the URL."""
        return self.url.rpartition("/")[2]

    @model_validator(mode="after")
    def _named_file(self) -> Download:
        if not self.file or self.file in (".", ".."):
            raise ValueError("the URL must end in the name of a file")
        return self


class Source(Settings):
    """A file (or folder) of the outside world and how to read it."""

    format: str = Field(description="How the file is written.")
    path: str = Field(
        description="Path, absolute or relative to the working folder. Files of `downloads` lie at raw/NAME/FILE; .gz "
        "is read as it is, a zip's member is FILE.zip/MEMBER, and a tar's member raw/NAME/MEMBER."
    )
    columns: dict[Literal["docid", "title", "text", "query_id", "grade", "answers"], str] = Field(
        {},
        description="What the file calls a column, such as {docid: id, text: body}, where the format leaves it open.",
    )


class Sample(Settings):
    """A seeded random choice of a fixed number of questions."""

    queries: int = Field(ge=1, description="How many.")
    fewer: Literal["error", "keep"] = Field(
        "error", description="What to do where fewer than that are left; keep takes them all."
    )
    seed: int = Field(13, description="Seed of the choice; it depends on this and the ids alone.")


class Part(Settings):
    """A random part of the questions, and the rest for another split: a question's place depends on its id alone."""

    percent: tuple[float, float] = Field(
        description="From where to where, in percent: [0, 80] and [80, 100] have no question in common. A question "
        "stays in its part when others are added."
    )
    seed: int = Field(13, description="Seed of the places; the same for parts that are to be disjoint.")

    @model_validator(mode="after")
    def _some_part(self) -> Part:
        low, high = self.percent
        if not 0 <= low < high <= 100:
            raise ValueError("`percent` needs two numbers from 0 to 100, the lower one first")
        return self


class Split(Settings):
    """The questions of one part of a dataset, with whatever is known of them."""

    queries: Source = Field(description="The questions.")
    qrels: Source | None = Field(None, description="Human relevance judgements.")
    answers: Source | None = Field(None, description="Short ground-truth answers.")
    part: Part | None = Field(None, description="Keep a part of the questions, as for training and for evaluation.")
    judged_only: bool = Field(
        False, description="Keep only the questions that have a judgement (BEIR keeps those of all splits in one file)."
    )
    answered_only: bool = Field(False, description="Keep only the questions that have an answer.")
    sample: Sample | None = Field(None, description="Keep a random choice of what is left.")
    unknown_passages: Literal["error", "drop"] = Field(
        "error",
        description="What to do with a judgement of a passage that the corpus lacks; drop counts them in the log.",
    )
    unknown_queries: Literal["error", "drop"] = Field(
        "error",
        description="What to do with a judgement of, or an answer to, a question that the split lacks; drop counts "
        "them.",
    )

    @model_validator(mode="after")
    def _what_is_asked_for_is_there(self) -> Split:
        if self.judged_only and self.qrels is None:
            raise ValueError("judged_only needs qrels")
        if self.answered_only and self.answers is None:
            raise ValueError("answered_only needs answers")
        return self


class Dataset(Settings):
    """A corpus and its splits."""

    corpus: Source = Field(description="The passages.")
    titles: bool = Field(True, description="Whether passages keep their titles; without, a passage is its text alone.")
    shards: int = Field(1, ge=1, le=1024, description="Number of jobs in which the corpus is encoded.")
    splits: dict[Name, Split] = Field(description="Parts of the questions, by name (train, dev, …).")
