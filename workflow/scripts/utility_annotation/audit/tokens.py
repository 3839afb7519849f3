"""Counting tokens before a model is asked: with its own tokenizer where its folder is here, else by words."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from ..engines.protocol import Continuation, Request

_PIECE = re.compile(r"\w+|[^\w\s]")
_TOKENS_A_PIECE = 1.14
"""Measured with SmolLM2's tokenizer on 22,747 MS MARCO passages (1.142 tokens per word or punctuation mark)."""
_TOKENS_A_TURN = 5
"""What marks a turn: 5 in the chat templates of SmolLM2 and Qwen (ChatML), and of Llama 3."""

WORDS_TO_TOKENS = 1.36
"""Tokens of BERT's tokenizer per word, measured on the same passages."""

Counter = Callable[[str], float]

_PROSE = (  # noqa: SIM905
    "The lighthouse at the river's mouth was built in 1871, after three ships had been lost within a year; its lamp, "
    "an oil burner at first, can be seen 18.5 miles away. Keepers lived there with wives, children and a cow until "
    "autumn 1963 when it was automated. A small museum shows their letters, tools and logs: heavy sea says one."
).split()
"""Stands in for text that is not here: a word or mark of it has as many tokens as one of an ordinary passage."""


def by_pieces(text: str) -> float:
    """Tokens of a text, by its words and punctuation marks."""
    return _TOKENS_A_PIECE * sum(1 for _ in _PIECE.finditer(text))


def counter(folder: Path) -> Counter:
    """Counts the tokens of a text as the model in ``folder`` reads it; by words and marks without such a folder."""
    if not (folder / "tokenizer.json").is_file():
        return by_pieces
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids)


def stand_in(words: float, skip: int = 0) -> str:
    """Prose of so many words, rounded; ``skip`` words are passed over first, so that texts differ."""
    return " ".join(_PROSE[(skip + place) % len(_PROSE)] for place in range(round(words)))


def prompt_tokens(requests: Sequence[Request], count: Counter) -> float:
    """Tokens read for these requests; a scored text counts as read."""
    total = 0.0
    for request in requests:
        chat, text = (request.context, request.text) if isinstance(request, Continuation) else (request.chat, "")
        total += sum(count(message.content) + _TOKENS_A_TURN for message in chat) + _TOKENS_A_TURN + count(text)
    return total
