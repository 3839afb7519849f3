"""The jobs of a plan: what each makes, what it waits for, what it asks for, and why it is planned."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from pydantic import Field

from ..settings import Settings

_CODE_DIGEST = re.compile(r"[0-9a-f]{16}")


class Output(Settings):
    """A file or folder that a job makes."""

    path: str
    temporary: bool = False
    """Removed as soon as the last job that takes it is done."""


class Job(Settings):
    """One planned job."""

    id: int
    rule: str
    wildcards: dict[str, str] = Field(default_factory=dict)
    outputs: tuple[Output, ...] = ()
    needs: tuple[int, ...] = Field((), description="Planned jobs that have to be done before.")
    takes: tuple[str, ...] = Field((), description="Temporary files that it reads.")
    reasons: tuple[str, ...] = Field((), description="Why it is planned, the weightiest reason first.")
    because_of: dict[str, tuple[str, ...]] = Field(
        default_factory=dict, description="The files behind those reasons that are about files."
    )
    threads: int = 1
    gpus: int = 0
    runtime: int | None = Field(None, description="Minutes after which a cluster ends it; none without a limit.")
    group: str | None = None
    benchmark: str | None = Field(None, description="Where its time will be recorded.")

    @property
    def stage(self) -> str:
        """The rule, of which pools have one each."""
        return "build_pool" if self.rule.startswith("build_pool_") else self.rule


def changed_parameters(before: Iterable[str], now: Iterable[str]) -> list[str]:
    """In words, what differs between the parameters of a present result and those of the plan.

    Args:
        before: those of the result that the plan does not have, each as ``repr`` writes it.
        now: those of the plan that the result does not have, likewise.
    """
    old, new = (list(map(_parameter, values)) for values in (before, now))
    settings_before, settings_now = (
        next((value for value in values if isinstance(value, dict)), {}) for values in (old, new)
    )
    found = []
    if settings_before or settings_now:
        keys = sorted(_differing(settings_before, settings_now))
        found.append(f"changed settings ({', '.join(keys)})")
    if any(isinstance(value, str) and _CODE_DIGEST.fullmatch(value) for value in new):
        found.append("changed code")
    if any(isinstance(value, list) for value in (*old, *new)):
        found.append("changed content of a file of yours")
    return found or ["changed parameters"]


def _parameter(text: str) -> Any:
    """A parameter: settings as a dictionary, a list of digests as a list, anything else as its text."""
    value: Any = text
    with suppress(ValueError, SyntaxError):
        value = ast.literal_eval(text)
    if isinstance(value, str) and value.startswith("{"):
        with suppress(ValueError):
            value = json.loads(value)
    return value


def _differing(before: Mapping[str, Any], now: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for key in {*before, *now}:
        old, new = before.get(key), now.get(key)
        if old == new and (key in before) == (key in now):
            continue
        if isinstance(old, dict) and isinstance(new, dict):
            yield from _differing(old, new, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"
