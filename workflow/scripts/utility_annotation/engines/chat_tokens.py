"""Chats as token ids, by a model's own tokenizer and chat template; shared by all engines that have them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..common.errors import InputError
from ..common.importing import large_packages
from ..common.prefetch import ahead
from ..io import models
from ..io.weights import read_object
from ..settings import Annotator
from .chat_template import ChatTemplate
from .protocol import Chat, Completion, Continuation, Failure, Message, TooLong
from .thinking import begins_to_think

_BLOCK_CHATS = 32
"""Chats rendered at a time, while the block before is tokenised outside Python's lock."""


def annotator_fingerprint(folder: Path | str, annotator: Annotator) -> str:
    """Identifies what decides a completion beside sampling and messages: the model's content, precision and thinking.

    The engine is not part of it: engines that run the same model share completions.
    """
    return f"{models.fingerprint(folder)}/{annotator.precision}/{'thinking' if annotator.thinking else 'plain'}"


def sampling_seed(seed: int, prompt: Sequence[int]) -> int:
    """The seed of one reply (56 bits), from the sampling's seed and the prompt: prompts are sampled independently."""
    return int.from_bytes(hashlib.sha256(f"{seed} {list(prompt)}".encode()).digest()[:7])


@dataclass(frozen=True)
class Tokenised:
    """A request as token ids.

    Attributes:
        index: its place among the requests.
        request: a reply request or a continuation.
        ids: token ids of the prompt, and of the text to score after it.
        context: how many of them are the prompt's.
    """

    index: int
    request: Any
    ids: list[int]
    context: int


class ChatTokenizer:
    """A model's tokenizer, its chat template and its limits.

    Args:
        folder: a prepared model folder.
        annotator: its ``thinking`` (ignored by a template without it) and ``max_model_len``.

    Raises:
        InputError: the tokenizer has no chat template, or one that fails; no file states which token ends a turn; or
            the template makes the model think although ``thinking`` is off.
    """

    def __init__(self, folder: Path | str, annotator: Annotator) -> None:
        with large_packages():  # here, since an engine may have no tokenizer
            from transformers import AutoConfig, AutoTokenizer
        self.folder, self.thinking = Path(folder), annotator.thinking
        self.tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        if not self.tokenizer.chat_template:
            raise InputError(
                "the tokenizer of this model has no chat template, so it is no annotator.",
                hint="set `annotators.*.model` to an instruction-tuned model, or add its chat_template.jinja.",
                path=folder,
            )
        self._template = ChatTemplate(self.tokenizer, self.folder, thinking=self.thinking)
        self.stop_ids = self._stop_ids()
        if not self.thinking and begins_to_think(self._template.texts([(Message("user", "?"),)])[0]):
            raise InputError(
                "this model always thinks first: its chat template opens the thought.",
                hint="set `annotators.*.thinking` to true, and raise `sampling.max_new_tokens` for the thought.",
                path=folder,
            )
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        model_limit = config.get_text_config().max_position_embeddings
        self.max_tokens = min(self.tokenizer.model_max_length, model_limit, annotator.max_model_len or model_limit)
        special = frozenset(
            token.content
            for token in self.tokenizer.added_tokens_decoder.values()
            if token.content.strip() and (token.special or token.content.startswith("<"))
        )
        self.special_tokens = special | self._template.markers(special)

    def prompts(self, chats: Sequence[Chat]) -> list[list[int]]:
        """Chats as token ids, up to where the assistant's next turn begins."""
        blocks = (chats[start : start + _BLOCK_CHATS] for start in range(0, len(chats), _BLOCK_CHATS))
        return [ids for texts in ahead(map(self._template.texts, blocks)) for ids in self._ids(texts)]

    def continuations(self, requests: Sequence[Continuation]) -> list[tuple[list[int], list[int]]]:
        """Token ids of each request's context and of its text.

        They are tokenised separately, as when the model itself writes the text: a text has the same tokens after every
        context.
        """
        contexts = self.prompts([request.context for request in requests])
        return list(zip(contexts, self._ids([request.text for request in requests]), strict=True))

    def completion(self, prompt: Sequence[int], new: Sequence[int]) -> Completion:
        """The reply in generated ids, up to the end of the turn. Other special tokens stay visible."""
        end = next((place for place, token in enumerate(new) if token in self.stop_ids), None)
        text = self.tokenizer.decode(list(new[:end]), skip_special_tokens=False, clean_up_tokenization_spaces=False)
        return Completion(
            text=str(text),
            finish_reason="length" if end is None else "stop",
            prompt_tokens=len(prompt),
            completion_tokens=len(new) if end is None else end + 1,
        )

    def tokenised(
        self, requests: Sequence[Any], block: int, *, generated: int = 0
    ) -> Iterator[Tokenised | tuple[int, Failure]]:
        """Requests of one kind as token ids, or the failure of one that has no text to score or exceeds the context.

        Args:
            requests: reply requests or continuations.
            block: how many of them are tokenised together.
            generated: tokens that the engine generates and drops after a scored text.
        """
        for start in range(0, len(requests), block):
            part = requests[start : start + block]
            if isinstance(part[0], Continuation):
                pairs = self.continuations(part)
            else:
                pairs = [(prompt, []) for prompt in self.prompts([request.chat for request in part])]
            for index, (request, (context, text)) in enumerate(zip(part, pairs, strict=True), start):
                new = len(text) + generated if isinstance(request, Continuation) else request.sampling.max_new_tokens
                room = max(self.max_tokens - new, 0)
                if isinstance(request, Continuation) and not text:
                    yield index, Failure("an empty text has no log-likelihood")
                elif len(context) > room:
                    reason = f"{len(context)} prompt tokens, but the model has room for {room}"
                    yield index, TooLong(reason, room / len(context))
                else:
                    yield Tokenised(index, request, context + text, len(context))

    def _ids(self, texts: list[str]) -> list[list[int]]:
        return self.tokenizer(texts, add_special_tokens=False)["input_ids"] if texts else []

    def _stop_ids(self) -> list[int]:
        path = self.folder / "generation_config.json"
        stated = read_object(path).get("eos_token_id") if path.is_file() else None
        ids = {*(stated if isinstance(stated, list) else [stated]), self.tokenizer.eos_token_id} - {None}
        if not ids:
            raise InputError(
                "neither this model nor its tokenizer states which token ends a turn.",
                hint="state eos_token_id in its generation_config.json.",
                path=self.folder,
            )
        return sorted(ids)
