"""What every section of the configuration shares: refusal of unknown keys, names, and the JSON form that travels."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Self, TypeVar, cast, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from ..common.errors import InputError


def _not_periodic(name: str) -> str:
    if re.search(r"(.+?)\1{19}", name):
        raise ValueError("a part of this name is repeated 20 times, which Snakemake takes for an endless path")
    return name


Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.+-]*$", max_length=100), AfterValidator(_not_periodic)]
"""Names become folder names and wildcards: lower case, digits, dots, plus signs and hyphens."""


def _expanded(path: str) -> str:
    """A path with ``~`` and environment variables replaced, as a shell replaces them."""
    path = os.path.expandvars(os.path.expanduser(path))
    if unset := re.search(r"\$(\w+|\{\w+\})", path):
        raise ValueError(f"the environment variable {unset[1].strip('{}')} is not set")
    return path


OutsidePath = Annotated[str, AfterValidator(_expanded)]
"""Path of a file or folder from outside; ``~`` and environment variables in it are replaced."""


def _of_two_parts(given: str) -> str:
    if given and len(given.split("/")) != 2:
        raise ValueError(f"give two names with a slash between them, not {given!r}")
    return given


TwoNames = Annotated[str, AfterValidator(_of_two_parts)]
"""Two names, such as BACKBONE/TRAINING; or nothing."""

UNTRAINED = "untrained"
"""The training name under which a backbone is evaluated as it is, without training."""

BM25 = "bm25"
"""Backbone and training name of the BM25 baseline."""

EXTERNAL = "external"
"""Backbone name of runs that others made; the training name is theirs in `external_runs`."""

RERANKED = "reranked"
"""Backbone name of runs that a reranker ordered; the training name is theirs in `reranked`."""

SELECTED = "selected"
"""Backbone name of runs of which a part of the passages was kept; the training name is theirs in `selected`."""

OF_NO_BACKBONE = (BM25, EXTERNAL, RERANKED, SELECTED)
"""What stands in the place of a backbone for rankings of no backbone."""

ON_TOP = (RERANKED, SELECTED)
"""Those of them that are made from another ranking."""


RENAMED = {
    "runs": "trainings",
    "first_stage": "init_from",
    "passages": "train_group_size",
    "batch_queries": "global_batch_size",
    "cache_chunk": "grad_cache_chunk",
    "context_tokens": "max_model_len",
    "served_model": "served_model_name",
    "key_variable": "api_key_env",
    "guided": "structured_outputs",
    "passes": "permutations",
    "attempts": "max_retries",
}
"""Keys by the names that they had before version 2, for the error that names the new one."""


_USER = re.compile(r"://[^/?#]*@")
"""What a URL has before its host if it names a user."""


class Settings(BaseModel):
    """Base of every section: unknown keys are errors, values cannot change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    _only: frozenset[str] | None = PrivateAttr(None)

    @model_validator(mode="before")
    @classmethod
    def _no_password(cls, given: Any) -> Any:
        """Refuse a URL with a user or a password, which would appear in logs, commands and reports."""
        for name, value in given.items() if isinstance(given, dict) else ():
            if isinstance(value, str) and _USER.search(value):
                raise ValueError(
                    f"`{name}` holds a user or a password, which would appear in logs and reports; leave out what is "
                    "before the @"
                )
        return given

    def only(self, *keys: str) -> Self:
        """A copy for a job whose result depends on these keys alone; dotted for a key of a section.

        The others have their defaults, or are not there at all where they have none, and are left out of the copy's
        JSON: what a job cannot read need not make it stale.
        """
        whole = {key for key in keys if "." not in key}
        inner: dict[str, list[str]] = {}
        for key in keys:
            head, _, rest = key.partition(".")
            if rest:
                inner.setdefault(head, []).append(rest)
        fields = type(self).model_fields
        values = {name: field.get_default(call_default_factory=True) for name, field in fields.items()}
        values = {name: value for name, value in values.items() if not fields[name].is_required()}
        values |= {name: getattr(self, name) for name in whole}
        values |= {name: getattr(self, name).only(*rest) for name, rest in inner.items()}
        copy = type(self).model_construct(_fields_set={*whole, *inner}, **values)
        copy._only = frozenset({*whole, *inner})
        return cast(Self, copy)

    def depends_on(self, key: str) -> bool:
        """Whether a key is one of those that :meth:`only` kept; every key of settings that are whole is."""
        return self._only is None or key in self._only

    @model_serializer(mode="wrap")
    def _without_the_others(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        values: dict[str, Any] = serialize(self)
        return values if self._only is None else {name: values[name] for name in values if name in self._only}


class JobSettings(Settings):
    """Base of the settings of jobs; built when first used, as a script uses few of them."""

    model_config = ConfigDict(defer_build=True)


Entry = TypeVar("Entry")


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint at what was meant by ``name``: the nearest known name, or all of them."""
    known = list(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    return f" (did you mean {close[0]!r}?)" if close else f" (known: {', '.join(known) or 'none'})"


def entry(table: Mapping[str, Entry], name: str, kind: str) -> Entry:
    """What a table of the library has under the name that a setting gives.

    Raises:
        InputError: it has no such entry.
    """
    if name not in table:
        raise InputError(f"{name!r} is no {kind}{nearest(name, table)}.", hint=f"use one of {', '.join(table)}.")
    return table[name]


def member_section(annotation: Any) -> type[Settings] | None:
    """The section that a field holds: itself, as an optional, or by name; None for a plain value."""
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        return annotation
    found = (member_section(argument) for argument in get_args(annotation))
    return next((section for section in found if section is not None), None)


def canonical(settings: Settings | Mapping[str, Any]) -> str:
    """Settings as sorted, compact JSON: the form in which they travel to a script and decide what is stale."""
    import json

    value = settings.model_dump(mode="json") if isinstance(settings, Settings) else settings
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
