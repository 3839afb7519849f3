"""docs/every-target.md has every target."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

SPELLED_OUT = {
    "RETRIEVER": "BACKBONE/TRAINING",
    "bm25/BM25": "BACKBONE/TRAINING",
    "external/EXTERNAL_RUN": "BACKBONE/TRAINING",
    "LABEL_TABLE": "TABLE",
    "COST_TABLE": "TABLE",
    "LABEL_CHART": "FIGURE",
    "AVERAGE": "TESTSET",
    "EXPORT_FORMAT": "FORMAT",
    "DATASETLENGTH": "DATASET",
}
"""Wildcards that stand in the table under the name of another."""


@pytest.fixture(scope="module")
def table(root: Path) -> str:
    page = (root / "docs" / "every-target.md").read_text()
    return "\n".join(line for line in page.splitlines() if line.startswith("|"))


def made_by_rules(root: Path) -> set[str]:
    """Every output of a rule with its wildcards in capitals; the rules of refuse.smk only refuse."""
    found = set()
    for file in {*(root / "rules").glob("*.smk")} - {root / "rules" / "refuse.smk"}:
        for _, block in re.findall(r"^( *)output:\n((?:\1    .*\n)+)", file.read_text(), flags=re.MULTILINE):
            found |= set(re.findall(r'"((?:raw|data|results)/[^"]+)"', block))
    return {re.sub(r"\{+(\w+)\}+", lambda match: match[1].upper(), path) for path in found}


def test_every_file_that_a_rule_makes_is_in_the_table(root: Path, table: str) -> None:
    outputs = made_by_rules(root)
    assert len(outputs) > 40
    targets = set(re.findall(r"`([^`]+)`", table))
    known = [target.partition(".")[0] for target in targets if "/" in target]
    for output in outputs:
        path = output.partition(".")[0]
        for name, shown in SPELLED_OUT.items():
            path = re.sub(rf"\b{name}\b", shown, path)
        path = re.sub(r"(?<=figures/)(TABLE|[a-z]+)$", "FIGURE", path)
        assert path in known, f"{output} is not in the table of targets"


def test_every_named_target_is_in_the_table(root: Path, table: str) -> None:
    rules = re.findall(r"^rule (\w+):", (root / "Snakefile").read_text(), flags=re.MULTILINE)
    assert rules
    for rule in rules:
        assert f"`{rule}`" in table
