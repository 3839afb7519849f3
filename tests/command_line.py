"""Command lines of scripts: a whole configuration around the parts under test, and arguments from keywords."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from utility_annotation.planning.loading import load
from utility_annotation.settings import Configuration

BASE: dict[str, dict[str, Any]] = {
    "models": {"tiny": {"path": "tiny"}},
    "datasets": {
        "data": {
            "corpus": {"format": "jsonl", "path": "corpus.jsonl"},
            "splits": {
                "train": {
                    "queries": {"format": "jsonl", "path": "queries.jsonl"},
                    "qrels": {"format": "trec", "path": "qrels.txt"},
                    "answers": {"format": "jsonl", "path": "answers.jsonl"},
                }
            },
        }
    },
    "pools": {"pool": {"dataset": "data", "source": {"path": "rows.jsonl"}}},
    "annotators": {"judge": {"model": "tiny"}},
    "labels": {"human": {"pool": "pool", "source": "human"}},
    "backbones": {"encoder": {"model": "tiny"}},
    "trainings": {"human": {"labels": "human", "loss": "singlelh"}},
    "testsets": {"test": {"dataset": "data", "split": "train"}},
}
"""One of everything that others refer to."""


def raw_configuration(**sections: Any) -> dict[str, Any]:
    """``BASE`` with further members of its sections, or others of the same name, and with further sections.

    Settings may stand in place of mappings.
    """
    raw: dict[str, Any] = dict(BASE)
    for name, section in sections.items():
        known = BASE.get(name, {})
        raw[name] = known | {str(member): _plain(value) for member, value in _plain(section).items()}
    return raw


def configuration(**sections: Any) -> Configuration:
    """The same, checked and typed."""
    return load(raw_configuration(**sections))


def write_configuration(path: Path, **sections: Any) -> Path:
    """Write a whole configuration as a user would, and return the file's path."""
    checked = configuration(**sections).model_dump(mode="json")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(checked, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return path


def arguments(*command: str, **values: object) -> list[str]:
    """``arguments("build", pool="p", output=path)``: a list becomes several values, anything else its text."""
    given = list(command)
    for name, value in values.items():
        given.append("--" + name.replace("_", "-"))
        given += map(str, value if isinstance(value, list) else [value])
    return given


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    return value
