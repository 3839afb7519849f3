"""A tiny encoder and a small labelled pool, as files."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_bert import save_tiny_bert
from tiny_collection import Collection, make_collection


@pytest.fixture
def collection(tmp_path: Path) -> Collection:
    return make_collection(tmp_path)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With dropout."""
    return save_tiny_bert(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(scope="session")
def tiny_still(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Without dropout."""
    return save_tiny_bert(tmp_path_factory.mktemp("model") / "tiny_still", dropout=0.0)
