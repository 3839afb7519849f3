"""LoRA: small trained matrices beside the frozen weights of linear layers (Hu et al., 2021), by peft.

peft is imported only where a training uses it. The encoder's model stays the object that it was, with the matrices in
it, so that everything else of a training needs to know nothing of them.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, cast

import torch
from safetensors.torch import save_file
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from ..common.errors import InputError
from ..common.files import read_json
from ..common.importing import large_packages
from ..io.models import RECORD
from ..settings import Lora
from ..settings.base import nearest
from .gradients import DTYPES
from .kinds import Model

if TYPE_CHECKING:
    from peft import LoraConfig, PeftModel

FOLDER = "adapter"
"""Where a model folder has the matrices alone. In the model folder itself, transformers would add them once more."""


def add(encoder: Model, lora: Lora, seed: int) -> PeftModel:
    """Freeze the encoder's weights, and put matrices beside those of the layers that the settings name.

    The layers that make a score of a reranker's vectors are trained whole.

    Args:
        encoder: the encoder, on the CPU, so that the matrices are the same for every device.
        lora: the settings.
        seed: decides the first matrices.

    Raises:
        InputError: no layer has a name that the settings give, or a layer is smaller than the rank.
    """
    targets = _targets(encoder.model, lora, encoder.head)
    with large_packages():
        from peft import LoraConfig, get_peft_model
    config = LoraConfig(
        task_type="FEATURE_EXTRACTION",
        r=lora.r,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=targets,
        modules_to_save=list(encoder.head) or None,
        fan_in_fan_out=isinstance(encoder.model.get_submodule(targets[0]), Conv1D),
    )
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # peft asks transformers by the older of two names
        torch.manual_seed(seed)
        return get_peft_model(encoder.model, config)


def store_frozen(encoder: Model, precision: str) -> None:
    """Keep the frozen weights of linear layers in the precision in which every pass uses them: half the memory.

    A pass in bf16 or fp16 rounds them to it anyway, so that no vector or gradient changes.
    """
    dtype = DTYPES[precision]
    for module in encoder.modules() if dtype else ():
        if isinstance(module, (torch.nn.Linear, Conv1D)):
            for parameter in module.parameters():
                parameter.data = parameter.data if parameter.requires_grad else parameter.data.to(dtype)


def save(encoder: Model, adapters: PeftModel, folder: Path) -> None:
    """Merge the matrices into the encoder's weights; write its model folder, and in it the matrices alone."""
    from peft import get_peft_model_state_dict

    tensors = get_peft_model_state_dict(adapters, save_embedding_layers=False)
    config = cast("LoraConfig", adapters.peft_config["default"])
    encoder.model = adapters.merge_and_unload(safe_merge=True)
    encoder.save(folder)
    (folder / FOLDER).mkdir()
    save_file(
        {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()},
        folder / FOLDER / "adapter_model.safetensors",
        metadata={"format": "pt"},
    )
    record = Path(str(config.base_model_name_or_path)) / RECORD
    source = read_json(record)["source"] if record.is_file() else {}
    if source.get("hub"):  # peft fetches it where there is no such folder
        config.base_model_name_or_path, config.revision = source["hub"], source.get("revision")
    config.inference_mode = True
    config.target_modules = sorted(config.target_modules or ())  # a set's order changes from run to run
    config.save_pretrained(str(folder / FOLDER))


def _targets(model: PreTrainedModel, lora: Lora, head: Collection[str]) -> list[str]:
    """The whole names of the layers that get matrices; those of the head are trained themselves."""
    vocabulary = model.get_output_embeddings()
    layers = {
        name: module.weight
        for name, module in model.named_modules()
        if isinstance(module, (torch.nn.Linear, Conv1D)) and module.weight.requires_grad and module is not vocabulary
        if not any(f"{name}.".startswith(f"{layer}.") for layer in head)
    }
    names = sorted({name.rpartition(".")[2] for name in layers})
    if not layers:
        raise InputError(
            f"this model ({model.config.model_type}) has no linear layers, which LoRA needs.",
            hint="train without `trainings.*.lora`.",
        )
    found = list(layers) if lora.targets == "all-linear" else []
    for target in lora.targets if isinstance(lora.targets, tuple) else ():
        fit = [name for name in layers if f".{name}".endswith(f".{target}")]
        if not fit:
            raise InputError(
                f"`trainings.*.lora.targets` has {target!r}, but no linear layer that the vectors depend on has such a "
                f"name{nearest(target, [*names, *layers])}.",
                hint=f"use some of {', '.join(names)}, or all-linear.",
            )
        found += fit
    smallest = min(found, key=lambda name: min(layers[name].shape))
    size, most = " × ".join(map(str, layers[smallest].shape)), min(layers[smallest].shape)
    if lora.r > most:
        raise InputError(
            f"`trainings.*.lora.r` is {lora.r}, but the layer {smallest} has {size} weights.",
            hint=f"set `r` to at most {most}, or `targets` to larger layers.",
        )
    return list(dict.fromkeys(found))
