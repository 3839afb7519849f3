"""The cross-encoder that training and reranking share: it reads a query and a passage together and scores the pair.

The interface is that of :class:`.encoder.Encoder`, with the score as a vector of one component::

    model = CrossEncoder.load(folder, reranker)     # a torch.nn.Module, fp32, in evaluation mode
    pairs = model.token_ids(queries, passages)      # one Pair of each query with the passage at its place
    inputs = model.pad([pairs[row] for row in rows])
    scores = model(*(tensor.to(device) for tensor in inputs))[:, 0]              # (n,) fp32
    model.save(folder)                              # transformers and sentence-transformers load it unchanged
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from ..common.errors import InputError
from ..common.files import atomic_write
from ..common.importing import large_packages
from ..settings import Reranker
from .loading import check_positions, check_vocabulary, load_parts
from .tokens import prepare_padding

with large_packages():
    import torch
    from transformers import (
        AutoModelForSequenceClassification,
        PreTrainedConfig,
        PreTrainedModel,
        PreTrainedTokenizerBase,
    )

_RAW_SCORES = {"activation_fn": "torch.nn.modules.linear.Identity"}
"""Lets sentence-transformers give the scores as they are, not a sigmoid of them."""


@dataclass(frozen=True)
class Pair:
    """The tokens of a query with a passage.

    Attributes:
        ids: with special tokens.
        types: 0 for a token of the query, 1 for one of the passage; all 0 in a model that has no such types.
    """

    ids: array[int]
    types: array[int]

    def __len__(self) -> int:
        return len(self.ids)


class CrossEncoder(torch.nn.Module):
    """A transformer with one score as its output, its tokenizer, and how a query and a passage become its input.

    Attributes:
        head: names of the modules that are trained whole beside LoRA's matrices.
        new_layers: names of the layers that the folder lacks, so that their weights are random.
    """

    dimension = 1

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        reranker: Reranker,
        head: Sequence[str] = (),
        new_layers: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self.model, self.tokenizer, self.reranker = model, tokenizer, reranker
        self.head, self.new_layers = tuple(head), tuple(new_layers)
        self._types = "token_type_ids" in tokenizer.model_input_names

    @classmethod
    def load(cls, folder: Path | str, reranker: Reranker, seed: int | None = None) -> CrossEncoder:
        """Load a Hugging Face model folder in fp32 and evaluation mode; no code from the folder is run.

        Args:
            folder: of an encoder or a decoder, with one score as output or without any.
            reranker: the settings.
            seed: decides the weights of layers that the folder lacks; None where it must have all.

        Raises:
            InputError: the folder is no model folder, or lacks weights; the model has several outputs, or fewer
                positions than the length needs.
        """
        model, tokenizer, missing = load_parts(
            folder, AutoModelForSequenceClassification, "reranker", seed=seed or 0, change=partial(_one_score, folder)
        )
        base = model.base_model_prefix
        inner = sorted(name for name in missing if name.startswith(f"{base}."))
        if strange := [name for name in inner if not name.startswith(f"{base}.pooler.")]:
            raise InputError(
                f"the weights of {', '.join(strange[:3])}{' and others' if len(strange) > 3 else ''} are missing.",
                hint="give the folder of a whole model; these layers would otherwise be random.",
                path=folder,
            )
        if missing and seed is None:
            raise InputError(
                f"the model has no layer for a score ({', '.join(sorted(missing)[:3])} are missing).",
                hint="train it: name RERANKER/TRAINING in `reranked.*.reranker`, or take a trained cross-encoder.",
                path=folder,
            )
        prepare_padding(tokenizer, folder)
        model.config.pad_token_id = tokenizer.pad_token_id  # a decoder's score is that of the last token before it
        used = len(tokenizer(reranker.query_prefix, reranker.passage_prefix)["input_ids"])
        if used + 2 > reranker.length:
            raise InputError(
                f"the prefixes and the special tokens are {used} tokens, and `rerankers.*.length` is "
                f"{reranker.length}: nothing is left for the texts.",
                hint="shorten the prefixes, or raise `length`.",
                path=folder,
            )
        check_positions(model, {"length": reranker.length}, folder)
        check_vocabulary(model, tokenizer, folder)
        head = [name for name, module in model.named_children() if name != base and list(module.parameters())]
        head += [f"{base}.pooler"] if inner else []
        new_layers = sorted({name.rpartition(".")[0] for name in missing})
        return cls(model.eval(), tokenizer, reranker, head, new_layers).eval()

    def token_ids(self, queries: Sequence[str], passages: Sequence[str]) -> list[Pair]:
        """The tokens of each query with the passage at its place, after their prefixes, cut to the length."""
        if not queries:
            return []
        found = self.tokenizer(
            [self.reranker.query_prefix + query for query in queries],
            [self.reranker.passage_prefix + passage for passage in passages],
            truncation="longest_first",
            max_length=self.reranker.length,
            padding=False,
            return_attention_mask=False,
            return_token_type_ids=self._types,
        )
        types = found["token_type_ids"] if self._types else [[0] * len(ids) for ids in found["input_ids"]]
        return [Pair(array("i", ids), array("b", own)) for ids, own in zip(found["input_ids"], types, strict=True)]

    def pad(self, pairs: Sequence[Pair]) -> tuple[torch.Tensor, ...]:
        """Right-padded ids, attention mask and token types, int64 of shape (n, longest), on the CPU."""
        lengths = np.array(list(map(len, pairs)))
        mask = np.arange(max(1, lengths.max())) < lengths[:, None]
        input_ids, types = np.full(mask.shape, self.tokenizer.pad_token_id, np.int64), np.zeros(mask.shape, np.int64)
        input_ids[mask] = np.concatenate([pair.ids for pair in pairs])
        types[mask] = np.concatenate([pair.types for pair in pairs])
        return torch.from_numpy(input_ids), torch.from_numpy(mask.astype(np.int64)), torch.from_numpy(types)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor, types: torch.Tensor) -> torch.Tensor:
        """Scores of shape (n, 1), fp32 at any precision of the transformer."""
        more = {"token_type_ids": types} if self._types else {}
        scores: torch.Tensor = self.model(input_ids=input_ids, attention_mask=attention_mask, **more).logits
        return scores.float()

    def idle(self, device: torch.device) -> torch.Tensor:
        """Pass one token through the model; no scores, of shape (0, 1), on which no gradient rests."""
        token = Pair(array("i", [self.tokenizer.pad_token_id]), array("b", [0]))
        scores: torch.Tensor = self(*(tensor.to(device) for tensor in self.pad([token])))
        return scores[:0]

    def save(self, folder: Path | str) -> None:
        """Write a model folder (temporary name, then rename) that transformers and sentence-transformers load.

        sentence-transformers cuts pairs to the same length, and gives the same scores. The prefixes are up to the user.
        """
        self.model.config.sentence_transformers = _RAW_SCORES
        self.tokenizer.model_max_length = self.reranker.length
        with atomic_write(folder) as temporary:
            self.model.save_pretrained(temporary, safe_serialization=True)
            self.tokenizer.save_pretrained(temporary)


def _one_score(folder: Path | str, config: PreTrainedConfig) -> None:
    """Give a model one output, unless it has several already."""
    classifies = any("SequenceClassification" in name for name in config.architectures or ())
    if classifies and config.num_labels != 1:
        raise InputError(
            f"this model classifies texts into {config.num_labels} classes, and a reranker gives one score.",
            hint="set `rerankers.*.model` to a cross-encoder with one output, or to the model before its training.",
            path=folder,
        )
    config.num_labels = 1
