"""The pinned environments: what conda installs is what the plain virtual environment installs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml


def _pins(path: Path) -> set[str]:
    return {line for line in path.read_text().splitlines() if line and not line.startswith("#")}


@pytest.mark.parametrize("name", ["core", "vllm"])
def test_conda_and_pip_pin_the_same(root: Path, name: str) -> None:
    environment = yaml.safe_load((root / "envs" / f"{name}.yaml").read_text())
    pip = next(entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict))
    assert set(pip) == _pins(root / "envs" / f"{name}.txt")


def test_vllm_has_a_c_compiler(root: Path) -> None:
    assert "c-compiler" in yaml.safe_load((root / "envs" / "vllm.yaml").read_text())["dependencies"]


def test_every_pin_is_exact(root: Path) -> None:
    for name in ("core", "dev", "demo-models", "vllm", "vllm-cpu"):
        assert all("==" in pin for pin in _pins(root / "envs" / f"{name}.txt"))


def test_the_tests_run_on_the_environment_that_users_have(root: Path) -> None:
    assert _pins(root / "envs" / "core.txt") <= _pins(root / "envs" / "dev.txt")


def test_vllm_is_the_same_on_a_cpu_and_on_a_gpu(root: Path) -> None:
    """What the tests run on the CPU is what a GPU is given: the same vLLM, torch and transformers."""
    on_gpu = dict(pin.split("==") for pin in _pins(root / "envs" / "vllm.txt"))
    on_cpu = dict(pin.split("==") for pin in _pins(root / "envs" / "vllm-cpu.txt"))
    assert on_cpu["vllm-cpu"] == on_gpu["vllm"]
    for package in ("torch", "transformers", "tokenizers", "xgrammar", "pyarrow", "pydantic", "orjson", "jinja2"):
        assert on_cpu[package] == on_gpu[package]


def test_rules_name_environments_that_exist(root: Path) -> None:
    planning = root / "workflow" / "scripts" / "utility_annotation" / "planning"
    files = [*(root / "rules").glob("*.smk"), planning / "plan.py"]
    named = set(re.findall(r'"\.\./(envs/[^"]+)"', "".join(path.read_text() for path in files)))
    assert {"envs/core.yaml", "envs/vllm.yaml"} <= named
    assert all((root / name).is_file() for name in named)
