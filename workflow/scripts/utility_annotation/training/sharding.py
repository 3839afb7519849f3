"""Weights, gradients and moments in parts, one per process: FSDP2, for a model that does not fit into one GPU.

A layer's weights are gathered from all processes whenever the layer is used. So all processes must make equally many
passes through the encoder; one that has fewer texts makes idle passes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.device_mesh import DeviceMesh
from transformers import PreTrainedModel
from transformers.modeling_layers import GradientCheckpointingLayer

from .processes import World


def mesh_of(world: World) -> DeviceMesh:
    """The processes as FSDP2 takes them. They make it together, so not one by one."""
    return dist.device_mesh.init_device_mesh(world.device.type, (world.size,))


def shard(model: PreTrainedModel, mesh: DeviceMesh) -> None:
    """Give each process its part of every weight, by layer, on its device. Gradients are summed over the processes."""
    from torch.distributed.fsdp import FSDPModule, fully_shard

    for layer in [module for module in model.modules() if isinstance(module, GradientCheckpointingLayer)]:
        fully_shard(layer, mesh=mesh)
    fully_shard(model, mesh=mesh)
    for module in model.modules():
        if isinstance(module, FSDPModule):
            module.set_gradient_divide_factor(1.0)
            module.set_force_sum_reduction_for_comms(True)  # gloo has no other


def whole(tensor: Tensor) -> Tensor:
    """A tensor of which this process may have a part. All processes must ask for it."""
    gathered: Tensor = tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor
    return gathered


def part(tensor: Tensor, parameter: Tensor) -> Tensor:
    """A whole tensor as the parameter is: on its device, and only this process's part if the parameter is one."""
    tensor = tensor.to(parameter.device)
    if not hasattr(parameter, "full_tensor"):
        return tensor
    from torch.distributed.tensor import DTensor, distribute_tensor

    assert isinstance(parameter, DTensor)
    return distribute_tensor(tensor, parameter.device_mesh, parameter.placements, src_data_rank=None)


def idle_passes(passes: int, world: World, device: torch.device) -> int:
    """How many passes another process makes more; to be asked before the passes."""
    most = torch.tensor([passes], device=device)
    world.largest(most)
    return int(most) - passes


@contextmanager
def one_by_one(world: World) -> Iterator[None]:
    """One process after the other, so that the memory holds one whole model at a time."""
    for turn in range(world.size):
        if turn == world.rank:
            yield
        dist.barrier()
