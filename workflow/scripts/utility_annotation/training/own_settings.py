"""What a model's sentence-transformers files say of its vectors, compared with the backbone's settings.

The files are ``modules.json``, the ``config.json`` of its pooling, and ``config_sentence_transformers.json``.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

from ..common.errors import InputError
from ..common.files import write_json
from ..io.weights import read_json_of, read_object
from ..settings import Backbone
from .pooling import POOLINGS

logger = logging.getLogger(__name__)

_LAYERS = {"Transformer", "Pooling", "Normalize", "Dropout"}
"""Those that a backbone has; dropout does nothing to a finished vector."""
FIRST_COMPONENTS = "2_Dense"
"""The folder of the layer that leaves a vector its first components."""
_MODES = {"cls": "cls_token", "mean": "mean_tokens", "max": "max_tokens"}
"""Poolings by their newer name."""


def compare(folder: Path, backbone: Backbone) -> None:
    """Compare the settings that a job depends on with the model's own files, if it has them.

    Raises:
        InputError: they differ, and the backbone's ``model_settings`` does not say that this is meant.
    """
    differences = list(_differences(folder, backbone))
    if backbone.model_settings == "ignore":
        for problem, _ in differences:
            logger.info("%s: %s, as `model_settings: ignore` allows", folder, problem)
    elif differences:
        problem, hint = differences[0]
        raise InputError(
            f"{problem}.",
            hint=f"{hint}; if the difference is meant, set `backbones.*.model_settings` to ignore.",
            path=folder,
        )


def _differences(folder: Path, backbone: Backbone) -> Iterator[tuple[str, str]]:
    """Each difference, and how to end it."""
    modules = read_json_of(folder / "modules.json", list) if (folder / "modules.json").is_file() else []
    layers = {str(module.get("type")).rpartition(".")[2]: module for module in modules if isinstance(module, dict)}
    kept = _first_components(folder / str(layers["Dense"].get("path"))) if "Dense" in layers else None
    others = sorted(set(layers) - _LAYERS - ({"Dense"} if kept else set()))
    if kept and kept != backbone.dimension:
        yield (
            f"the model's own files leave a vector its first {kept} components, but `backbones.*.dimension` is "
            f"{'all of them' if backbone.dimension is None else backbone.dimension}",
            f"set `dimension` to {kept}",
        )
    if others:
        yield f"modules.json has the layer {others[0]!r}, which a backbone has not", "take a model without it"
    if "Pooling" in layers:
        path = folder / str(layers["Pooling"].get("path")) / "config.json"
        yield from _pooling(read_object(path) if path.is_file() else {}, backbone)
    path = folder / "config_sentence_transformers.json"
    config = read_object(path) if path.is_file() else {}
    similarity = config.get("similarity_fn_name")
    normalize = True if "Normalize" in layers or similarity == "cosine" else False if similarity == "dot" else None
    if normalize not in (None, backbone.normalize):
        yield (
            f"the model's own files say {'cosine similarity' if normalize else 'inner product'}, but "
            f"`backbones.*.normalize` is {str(backbone.normalize).lower()}",
            f"set `normalize` to {str(normalize).lower()}",
        )
    for kind in ("query", "passage"):
        own = _prompt(config, kind)
        key = f"{kind}_prefix"
        if own and backbone.depends_on(key) and own != getattr(backbone, key):
            yield (
                f"the model's own files say the prompt {own!r}, but `backbones.*.{key}` is {getattr(backbone, key)!r}",
                f"set `{key}` to it",
            )


def save_first_components(folder: Path, components: int, kept: int) -> None:
    """Write sentence-transformers' layer that leaves a vector its first components: it has no other way to say that."""
    layer = folder / FIRST_COMPONENTS
    layer.mkdir()
    config = {"in_features": components, "out_features": kept, "bias": False}
    write_json(layer / "config.json", config | {"activation_function": "torch.nn.modules.linear.Identity"})
    save_file({"linear.weight": np.eye(kept, components, dtype=np.float32)}, layer / "model.safetensors")


def _first_components(layer: Path) -> int | None:
    """How many components a layer leaves a vector; None if it does anything else."""
    if not all((layer / name).is_file() for name in ("config.json", "model.safetensors")):
        return None
    config, weights = read_object(layer / "config.json"), load_file(layer / "model.safetensors")
    weight = weights.pop("linear.weight", np.empty((0, 0)))
    plain = str(config.get("activation_function")).endswith("Identity") and not config.get("use_residual")
    return len(weight) if plain and not weights and np.array_equal(weight, np.eye(*weight.shape)) else None


def _pooling(config: dict[str, Any], backbone: Backbone) -> Iterator[tuple[str, str]]:
    prefixes = [key for key in ("query_prefix", "passage_prefix") if getattr(backbone, key)]
    if config.get("include_prompt") is False and prefixes and backbone.pooling != "last":
        yield (
            "the model's own files leave the prompt out of the pooling, but `backbones.*.pooling` "
            f"{backbone.pooling} takes the tokens of `{prefixes[0]}` too",
            "take a model whose pooling includes the prompt",
        )
    own = {key.removeprefix("pooling_mode_") for key, value in config.items() if value is True and "_mode_" in key}
    newer = config.get("pooling_mode")
    if isinstance(newer, str):
        own.add(_MODES.get(newer, newer))
    ours = {
        name: {key.removeprefix("pooling_mode_") for key, value in pooling.saved_as.items() if value}
        for name, pooling in POOLINGS.items()
    }
    if own and own != ours[backbone.pooling]:
        same = next((name for name, modes in ours.items() if modes == own), None)
        yield (
            f"the model's own files say the pooling {same or ' and '.join(sorted(own))}, but `backbones.*.pooling` is "
            f"{backbone.pooling}",
            f"set `pooling` to {same}" if same else f"take a model with one of the poolings {', '.join(ours)}",
        )


def _prompt(config: dict[str, Any], kind: str) -> str:
    prompts = config.get("prompts")
    names = ["query"] if kind == "query" else ["passage", "document"]
    names.append(str(config.get("default_prompt_name")))
    return next((str(prompts[name]) for name in names if name in prompts), "") if isinstance(prompts, dict) else ""
