"""config/schema.json: it is what the code says, and it takes the shipped configurations and nothing mistyped."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import describe_configuration
import jsonschema
import pytest
import yaml

from utility_annotation.training.losses import LOSSES

SHIPPED = sorted((Path(__file__).resolve().parents[2] / "config").glob("*.yaml"))


def in_json(raw: Any) -> Any:
    """As an editor sees it: every key is text."""
    return json.loads(json.dumps(raw))


@pytest.fixture(scope="module")
def demo(root: Path) -> dict[str, Any]:
    return in_json(yaml.safe_load((root / "config" / "config.yaml").read_text()))


@pytest.fixture(scope="module")
def validator(root: Path) -> jsonschema.Draft7Validator:
    schema = json.loads((root / "config" / "schema.json").read_text())
    jsonschema.Draft7Validator.check_schema(schema)
    return jsonschema.Draft7Validator(schema)


def test_the_schema_is_what_the_code_says(root: Path) -> None:
    assert (root / "config" / "schema.json").read_text() == describe_configuration.schema(), (
        "run: python workflow/scripts/describe_configuration.py --output config"
    )


def test_there_are_shipped_configurations() -> None:
    assert len(SHIPPED) > 6


@pytest.mark.parametrize("file", SHIPPED, ids=[file.name for file in SHIPPED])
def test_a_shipped_configuration_names_the_schema_and_fits_it(
    file: Path, validator: jsonschema.Draft7Validator
) -> None:
    text = file.read_text()
    assert text.startswith("# yaml-language-server: $schema=schema.json\n")
    errors = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(in_json(yaml.safe_load(text)))]
    assert not errors


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("runs", {}),
        ("trainings/human/passages", 6),
        ("trainings/human/loss", "summarg"),
        ("trainings/human/epochs", 0),
        ("backbones/minilm/pooling", "meen"),
        ("datasets/demo/corpus/format", "trec"),
        ("datasets/demo/splits/dev/qrels/format", "bier"),
        ("labels/utilsel/source", "utilsell"),
        ("testsets/demo-dev/metrics", ["mmr@10"]),
        ("tables/Retrieval", {"title": "A name in capitals"}),
        ("performance/thread", 2),
    ],
)
def test_what_the_workflow_refuses_is_marked(
    demo: dict[str, Any], validator: jsonschema.Draft7Validator, place: str, value: Any
) -> None:
    raw = copy.deepcopy(demo)
    assert validator.is_valid(raw)
    *parents, key = place.split("/")
    section = raw
    for parent in parents:
        section = section.setdefault(parent, {})
    section[key] = value
    assert not validator.is_valid(raw)


def test_a_new_loss_is_in_the_schema(demo: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    raw = copy.deepcopy(demo)
    raw["trainings"]["human"]["loss"] = "new"
    assert not jsonschema.Draft7Validator(json.loads(describe_configuration.schema())).is_valid(raw)
    monkeypatch.setitem(LOSSES, "new", replace(LOSSES["summarglh"], description="of the new kind"))
    assert jsonschema.Draft7Validator(json.loads(describe_configuration.schema())).is_valid(raw)


def test_rows_under_other_names_are_a_mapping(demo: dict[str, Any], validator: jsonschema.Draft7Validator) -> None:
    raw = copy.deepcopy(demo)
    raw["tables"]["retrieval"]["groups"] = [{"rows": {"loss=singlelh": "human"}}]
    assert validator.is_valid(raw)
