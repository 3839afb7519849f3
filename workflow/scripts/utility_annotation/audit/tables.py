"""The two tables that the audit reads, typed: published sizes, and rates, measured, published or derived.

The shipped ones are in ``resources/audit/``. A user's own files come before them, entry by entry.
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

UNITS = {
    "start": "jobs",
    "start-encoder": "jobs",
    "start-llm": "jobs",
    "load": "bytes",
    "prompt": "tokens",
    "likelihood": "tokens",
    "reply": "tokens",
    "encode": "tokens",
    "train": "tokens",
    "score": "operations",
    "copy": "bytes",
    "parse": "bytes",
    "divide": "bytes",
    "texts": "texts",
    "rows": "rows",
}
"""What each kind of work counts."""

ANY = "*"
"""The device or model of an entry that holds for each that has no entry of its own."""


class Rate(Settings):
    """How fast one kind of work is done on one device."""

    device: str = Field(description="cpu, server, the name of a GPU, or * for each that has no entry of its own.")
    work: str = Field(description="The kind of work; resources/audit/rates.yaml says what it counts.")
    model: str | None = Field(None, description="The model that was measured: its hub name, package or folder.")
    rate: float | None = Field(None, gt=0, description="Units a second, on one GPU or CPU core.")
    seconds: float | None = Field(None, ge=0, description="Seconds each, whatever the cores; in place of `rate`.")
    per: Literal["unit", "FLOP", "weight byte"] = Field(
        "unit",
        description="What `rate` counts. FLOP: floating-point operations, for any model by its parameters; weight "
        "byte: bytes of weights times replies under way, for any model by the size of its weights.",
    )
    basis: Literal["measured", "published", "derived"] = Field(
        description="derived: from other figures, by what `source` says."
    )
    source: str = Field(min_length=8, description="Where, on what and how it was measured, or how it was derived.")

    @model_validator(mode="after")
    def _sound(self) -> Rate:
        if self.work not in UNITS:
            raise ValueError(f"no kind of work is called {self.work}; name one of {', '.join(UNITS)}")
        if (self.rate is None) == (self.seconds is None):
            raise ValueError("give either `rate` or `seconds`")
        if self.basis == "derived" and not self.source.startswith("derived: "):
            raise ValueError("the source of a derived rate must begin with 'derived: ' and say how")
        return self


class RateTable(Settings):
    """A file of rates."""

    rates: tuple[Rate, ...]
    memory: dict[str, float] = Field({}, description="Bytes of memory of a GPU, by its name.")


class KnownFile(Settings):
    """A published file of passages, questions, judgements, answers or training rows, known by the end of its path."""

    path: str
    source: str = Field(min_length=8)
    rows: int | None = Field(None, ge=1, description="Passages, questions, questions that are judged, training rows.")
    words: float | None = Field(None, gt=0, description="Words per passage (title included) or per question.")
    answered: int | None = Field(None, ge=1, description="Questions with an answer, where known.")
    passage_words: float | None = Field(None, gt=0, description="Training rows: words per passage.")
    bytes: int | None = Field(None, ge=1, description="Where no `downloads` entry tells.")


class KnownModel(Settings):
    """A published model."""

    model: str = Field(description="Its hub name, package or folder.")
    source: str = Field(min_length=8)
    parameters: float = Field(gt=0, description="All of them.")
    multiplied: float = Field(gt=0, description="Those that each token is multiplied with: not the embedding table.")
    dimension: int = Field(ge=1, description="Width of its vectors.")
    bytes: int = Field(ge=1, description="Its weights on disk.")
    cache_bytes: int | None = Field(None, ge=1, description="LLMs: bytes of the cache per token.")


class KnownReplies(Settings):
    """What an LLM replies, as far as it is known before it is asked."""

    model: str = Field(description="Its hub name, package or folder, or * for each that has no entry of its own.")
    source: str = Field(min_length=8)
    selected: dict[str, float] = Field(description="Passages of a query's pool that a stage selects, by stage.")
    selected_otherwise: float = Field(gt=0, description="Those that any other stage selects.")
    answer_tokens: float = Field(gt=0, description="Tokens per answer.")
    thinking_tokens: float = Field(ge=0, description="Tokens per thought, where the model thinks first.")


class SizeTable(Settings):
    """A file of published sizes."""

    files: tuple[KnownFile, ...] = ()
    models: tuple[KnownModel, ...] = ()
    replies: tuple[KnownReplies, ...] = ()


def read_table(table: type[Table], path: Path) -> Table:
    """Read a table from YAML.

    Raises:
        InputError: the file is missing, is no YAML, has an unknown key or a wrong value; names file and key.
    """
    try:
        return table.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except OSError as error:
        problem = f"this table cannot be read ({error.strerror})"
    except yaml.YAMLError as error:
        problem = f"this is no YAML ({error})"
    except ValidationError as error:
        found = [(".".join(map(str, e["loc"])), e["msg"].removeprefix("Value error, ")) for e in error.errors()]
        problem = "; ".join(f"{key}: {what}" for key, what in found)
    raise InputError(f"{problem}.", hint="compare it with the tables of resources/audit/.", path=path)


def read_sizes(paths: Sequence[Path]) -> SizeTable:
    """Several files of sizes as one; what stands first counts."""
    tables = [read_table(SizeTable, path) for path in paths]
    names = SizeTable.model_fields
    return SizeTable(**{name: tuple(entry for table in tables for entry in getattr(table, name)) for name in names})
