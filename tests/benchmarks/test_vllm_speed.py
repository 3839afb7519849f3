"""Ours and vLLM's own offline generation give the same replies, for real, and the page shows how fast."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

pytestmark = pytest.mark.vllm


def test_ours_and_vllm_alone_give_the_same_replies(
    tiny_model: Path, vllm_python: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vllm_speed = importlib.import_module("vllm_speed")
    monkeypatch.setattr(vllm_speed, "model_folder", lambda name: tiny_model)
    monkeypatch.setattr(vllm_speed, "ON_CPU", {"passages": 2, "precision": "fp32", "sizes": (2,)})
    monkeypatch.setenv("VLLM_PYTHON", str(vllm_python))
    record = vllm_speed.measure_vllm(1)
    (size,) = record["sizes"]
    assert size["prompts"] == 2
    assert size["tokens"] > 100
    section = vllm_speed.section({"measured": "2026-01-01", "commit": "", **record})
    assert f"Device: {record['device']}." in section


def test_without_vllm_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VLLM_PYTHON", str(tmp_path / "python"))
    with pytest.raises(SystemExit, match=r"make \.venv-vllm/stamp, or set VLLM_PYTHON"):
        importlib.import_module("vllm_speed").measure_vllm(1)
