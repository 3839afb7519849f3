"""Loading a model folder for training and scoring, and what is checked of any of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..common.errors import InputError
from ..common.importing import large_packages

with large_packages():
    import torch
    from transformers import AutoConfig, AutoTokenizer, PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase
    from transformers.utils import logging as transformers_logging


def load_parts(
    folder: Path | str,
    auto_class: Any,
    section: str,
    *,
    seed: int = 0,
    change: Callable[[PreTrainedConfig], None] = lambda config: None,
) -> tuple[Any, PreTrainedTokenizerBase, set[str]]:
    """A model in fp32, its tokenizer, and the names of weights that the folder lacks; no code from it is run.

    Args:
        folder: the model folder.
        auto_class: the class of transformers that knows the kind of output.
        section: the section of the configuration that names the model, in the singular, for messages.
        seed: decides the weights that the folder lacks.
        change: checks and changes the model's own configuration first.

    Raises:
        InputError: the folder is no model folder, or its model is of no kind that fits.
    """
    check_folder(folder)
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        _check_kind(config, section, folder)
        change(config)
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        with torch.random.fork_rng(devices=[]), _no_report_of_missing_weights():
            torch.manual_seed(seed)
            model, loading = auto_class.from_pretrained(
                folder,
                config=config,
                dtype=torch.float32,
                use_safetensors=True,
                local_files_only=True,
                trust_remote_code=False,
                output_loading_info=True,
            )
    except InputError:
        raise
    except Exception as error:  # transformers and its readers have no common one
        raise InputError(
            f"the {section} cannot be loaded ({' '.join(str(error).split())}).",
            hint="give a folder with config.json, model.safetensors and a tokenizer, none with code of its own.",
            path=folder,
        ) from None
    if getattr(model.config, "use_cache", False):
        model.config.use_cache = False  # keys and values are for generating
    return model, tokenizer, set(loading["missing_keys"])


@contextmanager
def _no_report_of_missing_weights() -> Iterator[None]:
    """They are counted here, and are an error or meant."""
    level = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(level)


def check_folder(folder: Path | str) -> None:
    """A model folder has a config.json."""
    if not (Path(folder) / "config.json").is_file():
        raise InputError(
            "this is no Hugging Face model folder (no config.json).",
            hint="give a folder with config.json, model.safetensors and a tokenizer.",
            path=folder,
        )


def _check_kind(config: PreTrainedConfig, section: str, folder: Path | str) -> None:
    kind, key = f"this model ({config.model_type})", f"`{section}s.*.model`"
    if config.is_encoder_decoder:
        raise InputError(
            f"{kind} is an encoder with a decoder, and a {section} is one of the two.",
            hint=f"set {key} to an encoder such as BERT.",
            path=folder,
        )
    if config.get_text_config() is not config:
        raise InputError(
            f"{kind} reads more than text, and a {section} is a model of text alone.",
            hint=f"set {key} to the model's version for text, such as google/gemma-3-1b-it.",
            path=folder,
        )
    if getattr(config, "quantization_config", None) is not None:
        raise InputError(
            f"this model is quantised, and a {section} is trained and used in full precision.",
            hint=f"set {key} to the model's weights in fp32, bf16 or fp16.",
            path=folder,
        )


def check_positions(model: PreTrainedModel, lengths: Mapping[str, int], folder: Path | str) -> None:
    """No length is beyond the model's positions.

    Args:
        model: the model.
        lengths: by key of the configuration.
        folder: for messages.
    """
    positions = getattr(model.config, "max_position_embeddings", None)
    for key, length in lengths.items():
        if positions is not None and length > positions:
            whose = (
                "that of the test set if it has one, or the backbone's" if key != "length" else "that of `rerankers.*`"
            )
            raise InputError(
                f"{key} is {length}, but the model has {positions} positions.",
                hint=f"set `{key}` to at most {positions}: {whose}.",
                path=folder,
            )


def check_vocabulary(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path | str) -> None:
    """The model has a vector of each token that every text gets."""
    highest = max(tokenizer.pad_token_id, *tokenizer("a")["input_ids"])
    if highest >= model.get_input_embeddings().num_embeddings:
        raise InputError(
            f"the model has no vector of the tokenizer's token {tokenizer.convert_ids_to_tokens(highest)!r}.",
            hint="take both from the same model, or set another pad_token or eos_token in tokenizer_config.json.",
            path=folder,
        )
