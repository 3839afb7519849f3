"""The two tables that the audit reads, typed: published sizes, and rates, measured, published or derived.

The shipped ones stand in ``resources/audit/``. A user's own files come before them, entry by entry.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypeVar

import yaml
from pydantic import Field, ValidationError, model_validator

from ..common.errors import InputError
from ..settings import Settings

Table = TypeVar("Table", bound=Settings)

Basis = Literal["measured", "published", "derived"]

Work = Literal[
    "start", "start-encoder", "start-llm", "load",
    "prompt", "likelihood", "reply", "encode", "train", "score",
    "fetch", "unpack", "prepare", "ingest", "build-pool", "labels", "index", "bm25-search", "ranks", "match-answers",
    "compare",
]  # fmt: skip

UNITS: dict[Work, str] = {
    "load": "bytes",
    "prompt": "tokens",
    "likelihood": "tokens",
    "reply": "tokens",
    "encode": "tokens",
    "train": "tokens",
    "score": "operations",
    "fetch": "bytes",
    "unpack": "bytes",
    "prepare": "bytes",
    "ingest": "rows",
    "build-pool": "candidates",
    "labels": "candidates",
    "index": "passages",
    "bm25-search": "questions",
    "ranks": "rows",
    "match-answers": "rows",
    "compare": "passages",
    "start": "jobs",
    "start-encoder": "jobs",
    "start-llm": "jobs",
}
"""What each kind of work counts."""

ANY = "*"
"""The device or model of an entry that holds for each that has no entry of its own."""


class Rate(Settings):
    """How fast one kind of work is done on one device."""

    device: str = Field(description="cpu, server, the name of a GPU, or * for each that has no entry of its own.")
    work: Work = Field(description="The kind of work; resources/audit/rates.yaml says what it counts.")
    model: str | None = Field(None, description="The model that was measured: its hub name, package or folder.")
    rate: float | None = Field(None, gt=0, description="Units a second, on one GPU or on `cores` cores.")
    seconds: float | None = Field(None, ge=0, description="Seconds each, whatever the cores; in place of `rate`.")
    per: Literal["unit", "FLOP", "weight byte"] = Field(
        "unit",
        description="What `rate` counts. FLOP: floating-point operations, for any model by its parameters; weight "
        "byte: bytes of weights times replies under way, for any model by the size of its weights.",
    )
    cores: int = Field(
        1, ge=1, description="cpu: on how many cores it was measured; more or fewer count in proportion."
    )
    basis: Basis = Field(description="measured, published, or derived from other figures by what `source` says.")
    source: str = Field(min_length=8, description="Where, on what and how it was measured, or how it was derived.")

    @model_validator(mode="after")
    def _one_figure(self) -> Rate:
        if (self.rate is None) == (self.seconds is None):
            raise ValueError("give either `rate` or `seconds`")
        if self.seconds is not None and self.per != "unit":
            raise ValueError("`seconds` are those of one unit; leave `per` out")
        if self.basis == "derived" and not self.source.startswith("derived: "):
            raise ValueError("the source of a derived rate must begin with 'derived: ' and say how")
        return self


class RateTable(Settings):
    """A file of rates."""

    rates: tuple[Rate, ...]


class KnownCorpus(Settings):
    """A published corpus, known by the end of its path."""

    path: str
    passages: int = Field(ge=1)
    words: float = Field(gt=0, description="Words a passage, title included.")
    source: str = Field(min_length=8)


class KnownQuestions(Settings):
    """A published file of questions, judgements, answers or training rows, known by the end of its path."""

    path: str
    questions: int = Field(ge=1)
    answered: int | None = Field(None, ge=1, description="Those with an answer; unknown without.")
    judgements: int | None = Field(None, ge=1)
    words: float | None = Field(None, gt=0, description="Words a question.")
    passage_words: float | None = Field(None, gt=0, description="Training rows: words a passage.")
    source: str = Field(min_length=8)


class KnownFile(Settings):
    """A published file whose size its publisher's list lacks, known by the end of its path."""

    path: str
    bytes: int = Field(ge=1)
    source: str = Field(min_length=8)


class KnownModel(Settings):
    """A published model."""

    model: str = Field(description="Its hub name, package or folder.")
    parameters: float = Field(gt=0, description="All of them.")
    multiplied: float = Field(gt=0, description="Those that each token is multiplied with: not the embedding table.")
    dimension: int = Field(ge=1, description="Width of its vectors.")
    bytes: int = Field(ge=1, description="Its weights on disk.")
    source: str = Field(min_length=8)


class KnownReplies(Settings):
    """What an LLM replies, as far as it is known before it is asked."""

    model: str = Field(description="Its hub name, package or folder, or * for each that has no entry of its own.")
    relsel: float = Field(gt=0, description="Passages that relevance selection keeps of a question's pool.")
    utilsel: float = Field(gt=0, description="Passages that utility selection keeps.")
    utilsel_truth: float = Field(gt=0, description="The same with the ground-truth answer.")
    answer_tokens: float = Field(gt=0, description="Tokens of an answer.")
    thinking_tokens: float = Field(ge=0, description="Tokens of a thought, where the model thinks first.")
    source: str = Field(min_length=8)


class SizeTable(Settings):
    """A file of published sizes."""

    corpora: tuple[KnownCorpus, ...] = ()
    questions: tuple[KnownQuestions, ...] = ()
    files: tuple[KnownFile, ...] = ()
    models: tuple[KnownModel, ...] = ()
    replies: tuple[KnownReplies, ...] = ()


def read_table(table: type[Table], path: Path) -> Table:
    """Read a table from YAML.

    Raises:
        InputError: the file is missing, is no YAML, has an unknown key or a wrong value; names file and key.
    """
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"this table cannot be read ({error.strerror}).", hint="give an existing file.", path=path
        ) from None
    except yaml.YAMLError as error:
        raise InputError(f"this is no YAML ({error}).", hint="correct the file.", path=path) from None
    try:
        return table.model_validate(raw)
    except ValidationError as error:
        problems = (
            f"{'.'.join(map(str, problem['loc']))}: {problem['msg'].removeprefix('Value error, ')}"
            for problem in error.errors()
        )
        raise InputError(
            "; ".join(problems) + ".", hint="compare it with the tables of resources/audit/.", path=path
        ) from None


def read_sizes(paths: Sequence[Path]) -> SizeTable:
    """Several files of sizes as one; what stands first counts."""
    tables = [read_table(SizeTable, path) for path in paths]
    return SizeTable(
        **{name: tuple(entry for table in tables for entry in getattr(table, name)) for name in SizeTable.model_fields}
    )


def read_rates(path: Path) -> RateTable:
    """A file of rates."""
    return read_table(RateTable, path)
