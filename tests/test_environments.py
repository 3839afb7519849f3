"""The pinned environments: what conda installs is what the plain virtual environment installs."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml


def _pins(path: Path) -> set[str]:
    return {line for line in path.read_text().splitlines() if line and not line.startswith("#")}


@pytest.mark.parametrize("name", ["core"])
def test_conda_and_pip_pin_the_same(root: Path, name: str) -> None:
    environment = yaml.safe_load((root / "envs" / f"{name}.yaml").read_text())
    pip = next(entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict))
    assert set(pip) == _pins(root / "envs" / f"{name}.txt")


def test_every_pin_is_exact(root: Path) -> None:
    for name in ("core", "dev", "demo-models"):
        assert all("==" in pin for pin in _pins(root / "envs" / f"{name}.txt"))


def test_the_tests_run_on_the_environment_that_users_have(root: Path) -> None:
    assert _pins(root / "envs" / "core.txt") <= _pins(root / "envs" / "dev.txt")


def test_rules_name_environments_that_exist(root: Path) -> None:
    named = {
        line.strip().strip('"')
        for rules in (root / "rules").glob("*.smk")
        for line in rules.read_text().splitlines()
        if line.strip().startswith('"../envs/')
    }
    assert named
    assert all((root / "rules" / name).resolve().is_file() for name in named)
