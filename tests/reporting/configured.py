"""A small configuration with everything that tables, figures and the report name, as the scripts read it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

_SOURCE = {"format": "beir", "path": "x.jsonl"}
_SPLIT = {"queries": _SOURCE, "qrels": _SOURCE, "answers": {"format": "jsonl", "path": "a"}}
CONFIGURATION: dict[str, Any] = {
    "models": {"m": {"hub": "a/b"}},
    "datasets": {"d": {"corpus": _SOURCE, "splits": {"train": _SPLIT, "dev": _SPLIT}}},
    "pools": {"p": {"dataset": "d", "source": {"path": "t.jsonl"}, "shards": 2}},
    "annotators": {
        "llm": {"model": "m"},
        "small": {"model": "m", "protocol": "pointwise"},
    },
    "labels": {
        "human": {"pool": "p", "source": "human"},
        "useful": {"pool": "p", "source": "utilsel", "annotator": "llm"},
        "ranked": {"pool": "p", "source": "utilrank", "annotator": "llm", "top_percent": 50},
        "likely": {"pool": "p", "source": "replug", "annotator": "small"},
        "own": {"pool": "p", "source": "file", "file": {"format": "trec", "path": "own.txt"}},
    },
    "backbones": {"minilm": {"model": "m"}},
    "trainings": {
        "human": {"labels": "human", "loss": "singlelh"},
        "replug": {"labels": "likely", "loss": "kl"},
        "utilsel": {"labels": "useful", "loss": "summarglh"},
    },
    "testsets": {"dev": {"dataset": "d", "split": "dev"}},
}


def write_configuration(folder: Path, **sections: Any) -> str:
    """Write it with these sections beside or instead of its own; returns the file."""
    path = folder / "configuration.yaml"
    path.write_text(yaml.safe_dump(CONFIGURATION | sections), encoding="utf-8")
    return str(path)
