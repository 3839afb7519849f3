"""The tokenizer of an encoder: its padding, its end of a text, and room for a text after its prefix."""

from __future__ import annotations

import tempfile
from pathlib import Path

from ..common.errors import InputError
from ..common.importing import large_packages
from ..settings import Backbone

with large_packages():
    from tokenizers.processors import TemplateProcessing
    from transformers import AutoTokenizer, PreTrainedTokenizerBase

_PROBES = ["a", "a " * 99]
"""A short text, and one that is cut."""


def prepare_tokenizer(tokenizer: PreTrainedTokenizerBase, backbone: Backbone, folder: Path | str) -> None:
    """Change a loaded tokenizer to what the backbone's settings ask for; it is saved with the model.

    Raises:
        InputError: a token is missing, or a prefix leaves no room for a text.
    """
    prepare_padding(tokenizer, folder)
    if backbone.append_eos:
        _append_eos(tokenizer, folder)
    for kind in ("query", "passage"):
        prefix, length = f"{kind}_prefix", f"{kind}_length"
        used = len(tokenizer(getattr(backbone, prefix))["input_ids"])
        if used >= getattr(backbone, length):
            raise InputError(
                f"`{prefix}` and the special tokens are {used} tokens, and {length} is {getattr(backbone, length)}: "
                "nothing is left for a text.",
                hint=f"shorten `{prefix}`, or raise `{length}`: that of the test set if it has one, or the backbone's.",
                path=folder,
            )


def prepare_padding(tokenizer: PreTrainedTokenizerBase, folder: Path | str) -> None:
    """Pad and truncate on the right, so that a text's positions count from 0 and a prefix stays.

    Without a padding token, the end-of-sequence token is the padding: the attention mask hides it.
    """
    tokenizer.padding_side = tokenizer.truncation_side = "right"
    if tokenizer.pad_token_id is None:
        if tokenizer.eos_token_id is None:
            raise InputError(
                "the tokenizer has neither a padding token nor an end-of-sequence token.",
                hint="set pad_token in its tokenizer_config.json.",
                path=folder,
            )
        tokenizer.pad_token = tokenizer.eos_token


def _append_eos(tokenizer: PreTrainedTokenizerBase, folder: Path | str) -> None:
    """Let the tokenizer end each text, after truncation, with its end-of-sequence token, also once it is saved."""
    eos = tokenizer.eos_token
    if eos is None:
        raise InputError(
            "`append_eos` is true, but the tokenizer has no end-of-sequence token.",
            hint="set `backbones.*.append_eos` to false, or eos_token in its tokenizer_config.json.",
            path=folder,
        )
    try:
        bare, whole = (tokenizer("a", add_special_tokens=special)["input_ids"] for special in (False, True))
        before = whole.index(bare[0])
        if whole[before + len(bare) :]:
            return
        special = tokenizer.convert_ids_to_tokens(whole[:before])
        tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
            single=[*special, "$A", eos],
            special_tokens=[(token, tokenizer.convert_tokens_to_ids(token)) for token in {*special, eos}],
        )
        with tempfile.TemporaryDirectory() as saved:
            tokenizer.save_pretrained(saved)
            again = AutoTokenizer.from_pretrained(saved, local_files_only=True, trust_remote_code=False)
        ids, ids_again = (each(_PROBES, truncation=True, max_length=8)["input_ids"] for each in (tokenizer, again))
        kept = ids == ids_again and all(text[-1] == tokenizer.eos_token_id for text in ids) and len(ids[1]) == 8
    except Exception:  # tokenizers of other kinds have no such part, and no common error
        kept = False
    if not kept:
        raise InputError(
            f"this tokenizer ({type(tokenizer).__name__}) cannot be made to end texts with {eos!r}, so the saved model "
            "would give other vectors.",
            hint="set `backbones.*.append_eos` to false.",
            path=folder,
        )
