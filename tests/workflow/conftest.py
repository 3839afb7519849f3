"""Plans that tests share: each configuration is planned once, in a folder in which nothing is ever made."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import workflow_copy
from workflow_copy import Plan, copy_of_repository


@pytest.fixture(scope="session")
def fresh(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh clone, which no test changes."""
    return copy_of_repository(root, tmp_path_factory.mktemp("fresh"))


@pytest.fixture(scope="session")
def plan_of(fresh: Path) -> Callable[..., Plan]:
    """The plan of a fresh clone for these arguments of Snakemake, made once."""
    return cache(lambda *arguments: workflow_copy.plan(fresh, *arguments))
