"""Where torch computes, and what is told where it cannot: without a GPU for real, else with one made up."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path

import pytest
import torch

from utility_annotation.common import devices
from utility_annotation.common.devices import choose_device
from utility_annotation.common.errors import InputError
from utility_annotation.engines import vllm_engine
from utility_annotation.training.processes import processes

without_cuda = pytest.mark.skipif(torch.version.cuda is not None, reason="this torch is built for CUDA")


def make_gpu(monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], built: list[str]) -> None:
    """Let torch see one GPU."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)
    monkeypatch.setattr(torch.cuda, "get_arch_list", lambda: built)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Tesla P100")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)


def make_driver(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let the machine have a driver."""
    line = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  470.57.02  Tue Jul 13 16:14:05 UTC 2021\n"
    (tmp_path / "version").write_text(line)
    monkeypatch.setattr(devices, "_DRIVER", tmp_path / "version")


def make_cuda_build(monkeypatch: pytest.MonkeyPatch, words: str) -> None:
    """Let torch be built for CUDA and find no GPU."""

    def init() -> None:
        raise RuntimeError(words)

    def is_available() -> bool:
        warnings.warn(words, stacklevel=1)
        return False

    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "is_available", is_available)
    monkeypatch.setattr(torch.cuda, "init", init)


@pytest.mark.parametrize(
    ("vendor", "mkl", "faster"),
    [("GenuineIntel", True, "torch"), ("GenuineIntel", False, "numpy"), ("AuthenticAMD", True, "numpy")],
)
def test_torchs_mkl_multiplies_on_intels_processors(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, vendor: str, mkl: bool, faster: str
) -> None:
    (tmp_path / "cpuinfo").write_text(f"processor\t: 0\nvendor_id\t: {vendor}\nmodel name\t: A processor\n")
    monkeypatch.setattr(devices, "_PROCESSORS", tmp_path / "cpuinfo")
    monkeypatch.setattr(torch.backends.mkl, "is_available", lambda: mkl)
    assert devices.multiplies_faster() == faster


def test_a_system_that_does_not_state_its_processor_has_numpy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(devices, "_PROCESSORS", tmp_path / "none")
    assert devices.multiplies_faster() == "numpy"


@without_cuda
@pytest.mark.parametrize(("device", "gpus"), [("auto", 1), ("cuda", 0)])
def test_a_gpu_that_is_asked_for_is_not_replaced_by_the_cpu(device, gpus: int) -> None:
    with pytest.raises(InputError) as refusal:
        choose_device(device, gpus, "annotate")
    message = str(refusal.value)
    assert "`performance.annotate` asks for a GPU" in message
    assert "is built without CUDA" in message
    assert "pytorch.org/get-started/locally" in message
    assert "set `performance.annotate` to {gpus: 0, device: cpu}" in message


@without_cuda
def test_auto_computes_on_the_cpu_where_no_gpu_is_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    assert choose_device("auto", 0, "train").type == "cpu"
    assert choose_device("cpu", 1, "train").type == "cpu"
    assert not caplog.records


@without_cuda
def test_a_training_on_gpus_does_not_begin_without_them() -> None:
    with pytest.raises(InputError, match=r"`performance\.train` asks for a GPU \(gpus: 2\)"), processes("auto", 2):
        pass


@without_cuda
def test_a_gpu_that_torch_was_not_built_for_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make_driver(monkeypatch, tmp_path)
    with caplog.at_level(logging.WARNING):
        assert choose_device("auto", 0, "encode").type == "cpu"
    assert "on the CPU although there is a GPU" in caplog.text
    assert "the CUDA that driver 470.57.02 runs" in caplog.text


def test_a_driver_that_is_too_old_is_told_in_torchs_words(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    make_driver(monkeypatch, tmp_path)
    make_cuda_build(monkeypatch, "The NVIDIA driver on your system is too old (found version 11040). Please update it.")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    with pytest.raises(InputError) as refusal:
        choose_device("auto", 1, "encode")
    message = str(refusal.value)
    assert (
        "built for CUDA 13.0, finds none (The NVIDIA driver on your system is too old (found version 11040))" in message
    )
    assert "install a newer driver; or put a build for the CUDA that driver 470.57.02 runs in its place" in message


@pytest.mark.parametrize(("cuda", "oldest"), [("13.0", 580), ("12.8", 525), ("11.8", None), (None, None)])
def test_vllm_says_which_driver_it_needs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cuda: str | None, oldest: int | None
) -> None:
    make_driver(monkeypatch, tmp_path)
    monkeypatch.setattr(torch.version, "cuda", cuda)
    hint = vllm_engine._another_driver()
    if oldest is None:
        assert hint is None
    else:
        assert hint is not None
        assert hint.startswith(f"have NVIDIA's driver 470.57.02 replaced by {oldest} or newer, which CUDA {cuda} needs")
        assert "torch" not in hint
    (tmp_path / "version").write_text("NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.65.06  Sun Jul 27 2025\n")
    assert vllm_engine._another_driver() is None
    monkeypatch.setattr(devices, "_DRIVER", tmp_path / "none")
    assert vllm_engine._another_driver() is None


def test_a_machine_without_a_driver_is_told_to_be_the_wrong_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    make_cuda_build(monkeypatch, "Found no NVIDIA driver on your system. Please check that you have an NVIDIA GPU.")
    monkeypatch.setattr(devices, "_DRIVER", tmp_path / "none")
    with pytest.raises(
        InputError, match=r"\(Found no NVIDIA driver on your system\).*run where `nvidia-smi` lists a GPU"
    ):
        choose_device("cuda", 0, "encode")


def test_gpus_that_the_environment_hides_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    make_driver(monkeypatch, tmp_path)
    make_cuda_build(monkeypatch, "No CUDA GPUs are available")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(InputError, match=r"CUDA_VISIBLE_DEVICES hides every GPU.*unset it"):
        choose_device("cuda", 0, "encode")


@pytest.mark.parametrize(
    ("capability", "built", "runs"),
    [
        ((9, 0), ["sm_80", "sm_90"], True),
        ((8, 9), ["sm_80", "sm_86"], True),
        ((8, 0), ["sm_86"], False),
        ((6, 0), ["sm_75", "sm_80", "sm_90"], False),
        ((12, 0), ["sm_80", "sm_90"], False),
        ((12, 0), ["sm_80", "compute_90"], True),
        ((9, 0), ["sm_90a", "sm_100"], True),
    ],
)
def test_torch_must_hold_code_for_the_gpu(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], built: list[str], runs: bool
) -> None:
    make_gpu(monkeypatch, capability, built)
    if runs:
        assert choose_device("auto", 1, "train").type == "cuda"
        return
    with pytest.raises(InputError, match=r"holds no code for this GPU: Tesla P100 is sm_\d+, and it is built for"):
        choose_device("auto", 1, "train")


def test_more_processes_than_gpus_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    make_gpu(monkeypatch, (9, 0), ["sm_90"])
    monkeypatch.setenv("LOCAL_RANK", "1")
    with pytest.raises(InputError, match=r"more processes than GPUs.*performance\.train\.gpus"), processes("auto", 2):
        pass
