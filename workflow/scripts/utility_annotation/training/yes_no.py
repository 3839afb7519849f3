"""A decoder as a reranker: how much likelier it goes on with "yes" than with "no" after a query and a passage.

As Qwen3-Reranker (Zhang et al., 2025) and monoT5 before it. The prompt is the query and the passage between texts of
the configuration, which hold the chat's structure if there is one. The class has the interface of
:class:`.cross_encoder.CrossEncoder`, and the score can be trained as that of any other.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from pathlib import Path

from ..annotation.prompts import PromptSanitizer
from ..common.errors import InputError
from ..common.files import atomic_write
from ..common.importing import large_packages
from ..settings import Reranker
from .cross_encoder import CrossEncoder, Pair
from .loading import check_positions, check_vocabulary, load_parts
from .tokens import prepare_padding

with large_packages():
    import torch
    from transformers import AutoModelForCausalLM, PreTrainedModel, PreTrainedTokenizerBase


class YesNoDecoder(CrossEncoder):
    """A decoder, its tokenizer, and the prompt in which it reads a query and a passage."""

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, reranker: Reranker) -> None:
        super().__init__(model, tokenizer, reranker)
        one = tokenizer("a")["input_ids"]
        bare = tokenizer("a", add_special_tokens=False)["input_ids"]
        self._start = one[: one.index(bare[0])]
        self._end = tokenizer(reranker.passage_suffix, add_special_tokens=False)["input_ids"]
        self._cleaner = PromptSanitizer(tokenizer.all_special_tokens)
        self.answers = [_one_token(tokenizer, word) for word in (reranker.yes_token, reranker.no_token)]

    @classmethod
    def load(cls, folder: Path | str, reranker: Reranker, seed: int | None = None) -> YesNoDecoder:
        """Load a Hugging Face model folder in fp32 and evaluation mode; no code from the folder is run.

        Raises:
            InputError: the folder is no model folder, lacks weights, or has no decoder; the words are not one token
                each; the texts around leave no room, or the length is beyond the model's positions.
        """
        model, tokenizer, missing = load_parts(folder, AutoModelForCausalLM, "reranker")
        if missing:
            raise InputError(
                f"the weights of {', '.join(sorted(missing)[:3])} are missing.",
                hint="give the folder of a decoder, or set `rerankers.*.score` to layer.",
                path=folder,
            )
        prepare_padding(tokenizer, folder)
        check_positions(model, {"length": reranker.length}, folder)
        check_vocabulary(model, tokenizer, folder)
        loaded = cls(model.eval(), tokenizer, reranker)
        (empty,) = loaded.token_ids([""], [""])
        if len(empty) + 2 > reranker.length:
            raise InputError(
                f"the texts around the query and the passage are {len(empty)} tokens, and `rerankers.*.length` is "
                f"{reranker.length}: nothing is left for the two.",
                hint="shorten them, or raise `length`.",
                path=folder,
            )
        return loaded.eval()

    def token_ids(self, queries: Sequence[str], passages: Sequence[str]) -> list[Pair]:
        """The prompt of each query with the passage at its place; no text can hold a token of its structure."""
        if not queries:
            return []
        clean, settings = self._cleaner.text, self.reranker
        found = self.tokenizer(
            [settings.query_prefix + clean(query) for query in queries],
            [settings.passage_prefix + clean(passage) for passage in passages],
            truncation="longest_first",
            max_length=settings.length - len(self._start) - len(self._end),
            add_special_tokens=False,
            padding=False,
            return_attention_mask=False,
            return_token_type_ids=False,
        )["input_ids"]
        whole = [[*self._start, *ids, *self._end] for ids in found]
        return [Pair(array("i", ids), array("b", bytes(len(ids)))) for ids in whole]

    def pad(self, pairs: Sequence[Pair]) -> tuple[torch.Tensor, ...]:
        """Left-padded ids, attention mask and positions, int64 of shape (n, longest), on the CPU."""
        input_ids, mask, _ = super().pad([Pair(pair.ids[::-1], pair.types) for pair in pairs])
        mask = mask.flip(1)
        return input_ids.flip(1), mask, (mask.cumsum(1) - 1).clamp(min=0)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        """Log odds of yes against no as the next token, of shape (n, 1), fp32 at any precision of the transformer."""
        logits = self.model(
            input_ids=input_ids, attention_mask=attention_mask, position_ids=positions, logits_to_keep=1
        ).logits[:, -1]
        yes, no = self.answers
        scores: torch.Tensor = logits[:, yes].float() - logits[:, no].float()
        return scores.unsqueeze(1)

    def save(self, folder: Path | str) -> None:
        """Write a model folder (temporary name, then rename) of a decoder, as transformers loads it."""
        with atomic_write(folder) as temporary:
            self.model.save_pretrained(temporary, safe_serialization=True)
            self.tokenizer.save_pretrained(temporary)


def _one_token(tokenizer: PreTrainedTokenizerBase, word: str) -> int:
    ids = tokenizer(word, add_special_tokens=False)["input_ids"]
    if len(ids) != 1 or ids[0] == tokenizer.unk_token_id:
        raise InputError(
            f"{word!r} is {len(ids)} tokens of this tokenizer or unknown to it, and the answer is the next token.",
            hint="set `rerankers.*.yes_token` and `no_token` to words that are one token each; a space before a word "
            "may matter.",
        )
    return int(ids[0])
