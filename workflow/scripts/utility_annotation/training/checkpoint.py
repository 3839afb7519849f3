"""The state of a training in files that survive a kill: safetensors and JSON.

A checkpoint is a folder ``step-00000500`` with the trained weights, AdamW's moments and the training's state. It is
written under a temporary name and renamed, so that an existing checkpoint is complete. Sampling, order, learning rate
and dropout are functions of seed and step, so there is no other state. The tensors are whole, so that a training may go
on with another number of processes.
"""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from ..common.files import atomic_write, read_json, write_json
from .effort import TrainingEffort
from .processes import World
from .sharding import part, whole


def trained(model: torch.nn.Module) -> dict[str, torch.nn.Parameter]:
    """The parameters that are trained, by name; the others stay as the model's folder has them."""
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


@dataclass
class TrainingState:
    """The state of a training beside weights and moments.

    Attributes:
        step: optimiser steps done.
        curve: one row per step: step (from 1), epoch (from 1), loss, learning rate.
        dev: one row per evaluation: steps done, value of the metric.
        loss_scale: the state of fp16's loss scaling; empty without it.
        effort: what the steps took.
    """

    step: int = 0
    curve: list[list[float]] = field(default_factory=list)
    dev: list[list[float]] = field(default_factory=list)
    loss_scale: dict[str, float] = field(default_factory=dict)
    effort: TrainingEffort = field(default_factory=TrainingEffort)


def weights(model: torch.nn.Module, world: World) -> dict[str, torch.Tensor]:
    """The trained parameters by name, on the CPU, in the first process; {} in others. All processes must call it."""
    return _gathered({name: parameter.detach() for name, parameter in trained(model).items()}, world)


def save_weights(path: Path, model: torch.nn.Module, world: World) -> None:
    """Write the trained parameters (temporary name, then rename). All processes must call it, and the first writes."""
    found = weights(model, world)
    if world.rank == 0:
        with atomic_write(path) as temporary:
            save_file(found, temporary)


@torch.no_grad()
def give_weights(found: dict[str, torch.Tensor], model: torch.nn.Module) -> None:
    """Give the model these parameters, whole ones even if this process has a part of the model."""
    for name, parameter in trained(model).items():
        parameter.copy_(part(found[name], parameter))


def _gathered(tensors: dict[str, torch.Tensor], world: World) -> dict[str, torch.Tensor]:
    gathered = {}
    for name, tensor in tensors.items():
        found = whole(tensor)
        if world.rank == 0:
            gathered[name] = found.cpu().contiguous()
    return gathered


def save(
    folder: Path, model: torch.nn.Module, optimizer: torch.optim.Optimizer, state: TrainingState, world: World
) -> None:
    """Write a checkpoint of this step, then remove the older ones. All processes must call it, and the first writes."""
    moments = {
        f"{name}.{key}": value
        for name, parameter in trained(model).items()
        for key, value in optimizer.state.get(parameter, {}).items()
    }
    found, moments = weights(model, world), _gathered(moments, world)
    if world.rank:
        return
    target = folder / f"step-{state.step:08d}"
    with atomic_write(target) as temporary:
        temporary.mkdir()
        save_file(found, temporary / "model.safetensors")
        save_file(moments, temporary / "optimizer.safetensors")
        write_json(temporary / "progress.json", asdict(state))
    for older in folder.glob("step-*"):
        if older != target:
            shutil.rmtree(older)


def restore(folder: Path, model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> TrainingState:
    """Load the latest checkpoint into model and optimiser; without one, leave them and return a fresh state."""
    checkpoints = sorted(folder.glob("step-*"))
    if not checkpoints:
        return TrainingState()
    latest = checkpoints[-1]
    give_weights(load_file(latest / "model.safetensors"), model)
    moments = load_file(latest / "optimizer.safetensors")
    for name, parameter in trained(model).items():
        state = {
            key: moments[f"{name}.{key}"] for key in ("step", "exp_avg", "exp_avg_sq") if f"{name}.{key}" in moments
        }
        if state:
            optimizer.state[parameter] = {
                key: value if key == "step" else part(value, parameter) for key, value in state.items()
            }
    found = read_json(latest / "progress.json", "step", "curve", "loss_scale")
    effort = TrainingEffort(**found.get("effort", {}))
    return TrainingState(found["step"], found["curve"], found.get("dev", []), found["loss_scale"], effort)
