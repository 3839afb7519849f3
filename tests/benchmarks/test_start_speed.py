"""The measurement of starts follows the scripts: their commands by themselves, and a list of what settings ask for."""

from __future__ import annotations

import ast
import importlib
from importlib.util import find_spec
from typing import Any

import pytest


@pytest.fixture
def start_up() -> Any:
    return importlib.import_module("start_up")


def test_what_settings_ask_for_is_imported_by_a_script_of_today(start_up: Any) -> None:
    for script, settings in start_up.LATER.items():
        assert (start_up.SCRIPTS / f"{script}.py").is_file(), script
        for later in settings.values():
            for part in ast.walk(ast.parse(later)):
                names = [each.name for each in part.names] if isinstance(part, ast.Import) else []
                names += [part.module or ""] if isinstance(part, ast.ImportFrom) else []
                assert all(find_spec(name) for name in names), later


def test_a_command_starts_with_its_own_imports(start_up: Any) -> None:
    found = start_up.later_imports(start_up.SCRIPTS / "retrieve.py")
    assert "training.encoder import Encoder" in found["search"]
    assert "torch" not in found["bm25-search"]
    assert "encoder" not in found["bm25-search"]
