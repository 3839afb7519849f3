"""Check the weights of a model folder, and convert pickled ones to safetensors.

A pickle can run code when it is read. This is the only module that reads one, and torch's restricted reader
(``weights_only=True``) reads it: that builds tensors and refuses everything else.
"""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path
from typing import Any, TypeVar

from ..common.errors import InputError
from ..common.files import write_json
from ..common.importing import large_packages

logger = logging.getLogger(__name__)

_Json = TypeVar("_Json", dict[str, Any], list[Any])

ENDING = ".safetensors"
PICKLED = "pytorch_model*.bin"
"""A pattern of all files of pickled weights."""
PICKLED_INDEX = "pytorch_model.bin.index.json"
_PICKLED = "pytorch_model.bin"
_SHARD = re.compile(r"pytorch_model-\d+-of-\d+\.bin")
_FLOATS = {"F64", "F32", "F16", "BF16"}
_TAKE_ANOTHER = "take a complete copy of the model from its publisher"


def is_pickled(folder: Path) -> bool:
    """Whether a model folder has pickled weights under the names that transformers gives them."""
    return (folder / _PICKLED).is_file() or (folder / PICKLED_INDEX).is_file()


def convert(source: Path, folder: Path) -> None:
    """Write the pickled weights of ``source`` to ``folder`` as safetensors, file by file.

    Raises:
        InputError: a file is damaged, would run code, or holds something else than finite numbers.
    """
    if (source / _PICKLED).is_file():
        _convert(source / _PICKLED, folder / f"model{ENDING}")
        return
    index = read_object(source / PICKLED_INDEX)
    stated = index.get("weight_map")
    if not isinstance(stated, dict) or not all(_is_shard(source, name) for name in stated.values()):
        raise InputError(
            "this index names files that are not there.",
            hint="copy every file `pytorch_model-*-of-*.bin` of the model into its folder.",
            path=source / PICKLED_INDEX,
        )
    found: dict[str, str] = {}
    for name in sorted(set(stated.values())):
        output = name.replace("pytorch_model", "model").removesuffix(".bin") + ENDING
        found |= dict.fromkeys(_convert(source / name, folder / output), output)
    left_out = sorted(set(stated) - set(found))
    if left_out:
        raise InputError(
            f"the files that this index names lack {left_out[0]!r}.",
            hint=f"{_TAKE_ANOTHER}.",
            path=source / PICKLED_INDEX,
        )
    write_json(folder / f"model{ENDING}.index.json", {"metadata": {}, "weight_map": found})


def check(folder: Path) -> None:
    """Check that the files of ``folder`` are whole, JSON too, and that their tensors fit the model of its config.json.

    Only the headers of the files are read. Tensors of a model that is stored in another form (``quantization_config``)
    are not compared.

    Raises:
        InputError: a file is cut, empty or missing; transformers does not know the model; a tensor has another shape
            than in the model, or has integers where the model has fractions.
    """
    for file in sorted(folder.rglob("*.json")):
        if _parsed(file) is None:
            raise InputError("this file is no JSON.", hint=f"{_TAKE_ANOTHER}.", path=file)
    index = folder / f"model{ENDING}.index.json"
    if index.is_file():
        named = read_object(index).get("weight_map")
        for name in sorted(set(map(str, named.values()))) if isinstance(named, dict) else ["weight_map"]:
            if not (folder / name).is_file():
                raise InputError(f"the weights' file {name!r} is missing.", hint=f"{_TAKE_ANOTHER}.", path=index)
    headers = {file: _header(file) for file in sorted(folder.glob(f"*{ENDING}"))}
    prefix, expected = _expected(folder)
    for file, header in headers.items():
        for name, (shape, kind) in header.items():
            tensor = expected.get(name, expected.get(name.removeprefix(prefix)))
            if tensor is None:
                continue
            if shape != list(tensor.shape):
                raise InputError(
                    f"{name!r} has the shape {shape}, but config.json describes {list(tensor.shape)}.",
                    hint="take weights and config.json from the same model.",
                    path=file,
                )
            if tensor.is_floating_point() and kind not in _FLOATS:
                raise InputError(
                    f"{name!r} is quantised ({kind}), but config.json does not say how (`quantization_config`).",
                    hint="take the model's weights in fp32, bf16 or fp16.",
                    path=file,
                )


def read_object(path: Path) -> dict[str, Any]:
    """A JSON object of a model folder; see :func:`read_json_of`."""
    return read_json_of(path, dict)


def read_json_of(path: Path, kind: type[_Json]) -> _Json:
    """A JSON object or list of a model folder.

    Raises:
        InputError: the file is no JSON, or of another kind.
    """
    value = _parsed(path)
    if not isinstance(value, kind):
        what = "object" if kind is dict else "list"
        raise InputError(f"this file is no JSON {what}.", hint=f"{_TAKE_ANOTHER}.", path=path)
    return value


def _parsed(path: Path) -> Any:
    """What a JSON file holds; None if it is no JSON."""
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return None


def _is_shard(source: Path, name: object) -> bool:
    return isinstance(name, str) and _SHARD.fullmatch(name) is not None and (source / name).is_file()


def _convert(pickled: Path, output: Path) -> list[str]:
    """The names of the tensors."""
    with large_packages():
        from safetensors.torch import save_file
    logger.info("converting %s to safetensors (once)", pickled)
    tensors: dict[str, Any] = {}
    storages: set[int] = set()
    for name, tensor in _unpickled(pickled).items():
        _check_tensor(name, tensor, pickled)
        whole = tensor.detach().contiguous()
        place = whole.untyped_storage().data_ptr()
        tensors[name] = whole.clone() if place in storages else whole  # safetensors has no tied tensors
        storages.add(place)
    save_file(tensors, output, metadata={"format": "pt"})
    return list(tensors)


def _unpickled(path: Path) -> dict[Any, Any]:
    import torch

    with path.open("rb") as file:
        zipped = file.read(4) == b"PK\3\4"  # older files cannot be mapped into memory
    try:
        value = torch.load(path, map_location="cpu", weights_only=True, mmap=zipped)
    except Exception as error:
        called = re.search(r"GLOBAL (\S+)", str(error))
        reason = f"reading it would run {called[1]!r}" if called else "it is damaged, or holds more than tensors"
        raise InputError(
            f"these pickled weights are refused: {reason}. Nothing of the file was run.",
            hint="take the model from a publisher whom you trust, as safetensors if possible.",
            path=path,
        ) from None
    if not isinstance(value, dict) or not value:
        raise InputError(
            "this file holds no table of tensors.", hint="give the `pytorch_model.bin` of a model.", path=path
        )
    return value


def _check_tensor(name: object, tensor: Any, path: Path) -> None:
    import torch

    if not isinstance(name, str):
        problem = "is no name of a tensor"
    elif type(tensor) not in (torch.Tensor, torch.nn.Parameter):
        problem = f"holds {type(tensor).__name__} instead of a tensor"
    elif tensor.layout != torch.strided or tensor.is_quantized or tensor.is_complex() or tensor.device.type != "cpu":
        problem = "is no dense tensor of plain numbers"
    elif tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        problem = f"claims more numbers ({tensor.numel()}) than the file holds"
    elif tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
        problem = "has values that are infinite or no numbers"
    else:
        return
    raise InputError(f"{name!r} {problem}.", hint=f"{_TAKE_ANOTHER}.", path=path)


def _header(file: Path) -> dict[str, tuple[list[int], str]]:
    """Shape and number format of each tensor in a file."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="numpy") as opened:
            slices = {name: opened.get_slice(name) for name in opened.keys()}  # noqa: SIM118 - not a dictionary
            header = {name: (list(part.get_shape()), str(part.get_dtype())) for name, part in slices.items()}
    except (SafetensorError, OSError) as error:
        raise InputError(
            f"the weights are damaged or cut short ({error}).", hint=f"{_TAKE_ANOTHER}.", path=file
        ) from None
    if not header:
        raise InputError("this file holds no weights.", hint=f"{_TAKE_ANOTHER}.", path=file)
    return header


def _expected(folder: Path) -> tuple[str, dict[str, Any]]:
    """The prefix that a name in the file may have beside the model's own name, and the model's tensors by name."""
    with large_packages():
        import torch
        from transformers import AutoConfig, AutoModel
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        if getattr(config, "quantization_config", None) is not None:
            return "", {}
        with torch.device("meta"):
            model = AutoModel.from_config(config, trust_remote_code=False)
    except Exception as error:
        raise InputError(
            f"transformers cannot build this model ({' '.join(str(error).split())}).",
            hint="use a model that transformers knows without code of the model's own, or correct its config.json.",
            path=folder / "config.json",
        ) from None
    return f"{model.base_model_prefix}.", model.state_dict()
