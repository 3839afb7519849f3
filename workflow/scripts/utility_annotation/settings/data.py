"""Weights, downloads and datasets: what comes from outside."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from .base import Name, OutsidePath, Settings
from .hub import SCHEME, DataPath, HubFiles


class Model(Settings):
    """Where a model's weights come from: exactly one of `package`, `path` and `hub`."""

    package: str | None = Field(None, description="An installed Python package that contains the weights.")
    path: OutsidePath | None = Field(None, description="A local Hugging Face model folder.")
    hub: str | None = Field(
        None, description="A name on the Hugging Face hub. The model is downloaded when it is prepared."
    )
    revision: str | None = Field(None, description="Revision on the hub (commit, tag or branch).")
    max_length: int | None = Field(
        None, ge=8, description="The model's token limit, for a tokenizer that does not state one."
    )

    @model_validator(mode="after")
    def _one_source(self) -> Model:
        if sum(value is not None for value in (self.package, self.path, self.hub)) != 1:
            raise ValueError("give exactly one of package, path and hub")
        return self


class Download(Settings):
    """A file that its publisher serves. It is kept as raw/NAME/FILE; FILE is the last part of the URL."""

    url: str = Field(
        pattern=r"^((https?|file)://|hub:)",
        description="Where the publisher serves the file, or its address on the hub, `hub:OWNER/NAME[@REVISION]/FILE`.",
    )
    md5: str | None = Field(None, pattern=r"^[0-9a-f]{32}$", description="The published MD5 checksum, if there is one.")
    sha256: str | None = Field(
        None, pattern=r"^[0-9a-f]{64}$", description="The published SHA-256 checksum, if there is one."
    )
    bytes: int | None = Field(None, ge=0, description="The published size in bytes, if there is one.")
    local: OutsidePath | None = Field(
        None, description="Your own copy of the file. It is checked in the same way and linked instead of downloaded."
    )

    @property
    def checksums(self) -> dict[str, str]:
        """The published checksums, by their algorithm."""
        return {name: value for name, value in (("md5", self.md5), ("sha256", self.sha256)) if value is not None}

    @property
    def file(self) -> str:
        """The name under which it is kept: the end of the URL."""
        return self.url.rpartition("/")[2]

    @model_validator(mode="after")
    def _named_file(self) -> Download:
        if self.url.startswith(SCHEME):
            found = HubFiles.parse(self.url)
            if found.several or found.member:
                raise ValueError("a download is one file; use an address of several as the `path` of a data set")
        if not self.file or self.file in (".", ".."):
            raise ValueError("the URL must end in the name of a file")
        return self


class Source(Settings):
    """A file or folder from outside, and how to read it."""

    format: str = Field(description="The format of the file.")
    path: DataPath = Field(
        description="Path, absolute or relative to the working folder; `~` and `$VARIABLE` are replaced. Files of "
        "`downloads` are at raw/NAME/FILE. `hub:OWNER/NAME[@REVISION][/PATH]` is a data set on the Hugging Face hub: "
        "PATH is a file, a pattern (`data/train-*.parquet`) or, with `/` at its end, a folder; without it everything "
        "is meant. A compressed file (gz, bz2, xz, zst) is read as it is, a member of a zip is "
        "FILE.zip/MEMBER, a member of a tar is raw/NAME/MEMBER."
    )
    columns: dict[Literal["docid", "title", "text", "query_id", "grade", "answers"], str] = Field(
        {},
        description="The file's own column names, such as {docid: id, text: body}, for formats without fixed names.",
    )
    ids: Literal["file", "line"] = Field(
        "file",
        description="Where the ids of passages or questions come from; line: a file without ids, in a format without "
        "fixed names. A row's id is then the number of its line, or of its item in parquet and JSON lists.",
    )


class Sample(Settings):
    """A seeded random choice of a fixed number of questions."""

    queries: int = Field(ge=1, description="Number of questions.")
    fewer: Literal["error", "keep"] = Field(
        "error", description="What to do if fewer questions are left; keep takes all of them."
    )
    seed: int = Field(13, description="Seed of the choice, which depends only on this seed and the ids.")


class Part(Settings):
    """A random part of the questions. A question's part depends only on its words and the seed.

    Questions that differ only in case, punctuation, order and function words are in the same part.
    """

    percent: tuple[float, float] = Field(
        description="First and last percent: [0, 80] and [80, 100] have no question in common. A question stays in "
        "its part when others are added."
    )
    seed: int = Field(13, description="Seed of the division. Give parts that must not overlap the same seed.")

    @model_validator(mode="after")
    def _some_part(self) -> Part:
        low, high = self.percent
        if not 0 <= low < high <= 100:
            raise ValueError("`percent` needs two numbers from 0 to 100, the lower one first")
        return self


class Split(Settings):
    """A set of questions, with what is known about them."""

    queries: Source = Field(description="The questions.")
    qrels: Source | None = Field(None, description="Human relevance judgements.")
    answers: Source | None = Field(None, description="Short ground-truth answers.")
    part: Part | None = Field(
        None, description="Keep one part of the questions, for example for training or for evaluation."
    )
    judged_only: bool = Field(
        False,
        description="Keep only the questions that have a judgement (BEIR has one file of questions for all splits).",
    )
    answered_only: bool = Field(False, description="Keep only the questions that have an answer.")
    sample: Sample | None = Field(None, description="Keep a random choice of the questions that are left.")
    unknown_passages: Literal["error", "keep"] = Field(
        "error",
        description="What to do with a judgement of a passage that the corpus lacks. keep counts it in the evaluation, "
        "as trec_eval does: the passage is relevant and cannot be retrieved. Pools leave it out.",
    )
    unknown_queries: Literal["error", "drop"] = Field(
        "error",
        description="What to do with a judgement of a question that the split lacks, or with an answer to one; drop "
        "leaves it out and logs how many there were.",
    )

    @field_validator("unknown_passages", mode="before")
    @classmethod
    def _renamed(cls, value: object) -> object:
        if value == "drop":
            raise ValueError("`drop` is now `keep`: the judgements count in the evaluation, and pools leave them out")
        return value

    @model_validator(mode="after")
    def _what_is_asked_for_is_there(self) -> Split:
        if self.judged_only and self.qrels is None:
            raise ValueError("judged_only needs qrels")
        if self.answered_only and self.answers is None:
            raise ValueError("answered_only needs answers")
        return self


class Documents(Settings):
    """A folder of documents, which are divided into passages."""

    path: OutsidePath = Field(
        description="The folder, absolute or relative to the working folder; `~` and `$VARIABLE` are replaced. "
        "Markdown, HTML, plain text, PDF, DOCX, EPUB and JSON lines are read, at any depth, compressed or not."
    )
    tokenizer: Name = Field(description="The model of `models` whose tokens are counted.")
    passage_length: int = Field(
        200, ge=32, description="Most tokens of a passage, with its title and the tokens that the tokenizer adds."
    )
    overlap: int = Field(
        32,
        ge=0,
        description="About so many tokens of whole sentences begin the next passage of the same section again.",
    )
    shards: int = Field(
        1, ge=1, le=1024, description="Number of jobs that read the documents. A new document is read with its shard."
    )

    @model_validator(mode="after")
    def _overlap_within_passage(self) -> Documents:
        if self.overlap > self.passage_length // 2:
            raise ValueError("`overlap` must be at most half of `passage_length`")
        return self


class Dataset(Settings):
    """A corpus and its splits; exactly one of `corpus` and `documents`."""

    corpus: Source | None = Field(None, description="The passages.")
    documents: Documents | None = Field(None, description="Documents that passages are made from.")
    titles: bool = Field(True, description="Whether passages keep their titles; if false, a passage is its text alone.")
    shards: int = Field(1, ge=1, le=1024, description="Number of jobs that encode the corpus.")
    splits: dict[Name, Split] = Field(description="Sets of questions, by name (train, dev, …).")

    @model_validator(mode="after")
    def _one_source(self) -> Dataset:
        if (self.corpus is None) == (self.documents is None):
            raise ValueError("give exactly one of corpus and documents")
        return self
