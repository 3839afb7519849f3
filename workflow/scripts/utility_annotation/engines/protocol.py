"""The requests of annotation stages to an engine, and its results."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from ..settings import Sampling

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True)
class Message:
    """One turn of a chat."""

    role: Role
    content: str


Chat = tuple[Message, ...]


@dataclass(frozen=True)
class ReplyRequest:
    """A request for a reply: the assistant's next turn after a chat.

    Attributes:
        chat: the turns so far.
        sampling: how the reply is decoded.
        guide: a regular expression that the whole reply must match (structured outputs), or None.
    """

    chat: Chat
    sampling: Sampling
    guide: str | None = None


@dataclass(frozen=True)
class Continuation:
    """A request for the likelihood of a text as the assistant's next turn after a chat."""

    context: Chat
    text: str


@dataclass(frozen=True)
class Completion:
    """A reply. ``finish_reason`` is ``stop`` (the model ended its turn) or ``length`` (the token limit cut it off)."""

    text: str
    finish_reason: Literal["stop", "length"]
    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True)
class LogLikelihood:
    """Log-likelihood of a continuation: ``total`` in nats, over ``tokens`` tokens, after ``prompt_tokens`` tokens."""

    total: float
    tokens: int
    prompt_tokens: int

    @property
    def mean(self) -> float:
        """Mean log-likelihood per token, in nats."""
        return self.total / self.tokens


@dataclass(frozen=True)
class Failure:
    """A request that could not be served, with the reason; other requests are not affected."""

    reason: str


@dataclass(frozen=True)
class TooLong(Failure):
    """A request that exceeds the model's context; with shorter passages it may be served.

    Attributes:
        share: the available room as a share of what the request needs; below 1.
    """

    share: float


Request = ReplyRequest | Continuation
Result = Completion | LogLikelihood | Failure


def tokens(result: Result) -> tuple[int, int]:
    """Tokens read and tokens generated for a result; a scored text counts as read."""
    if isinstance(result, Completion):
        return result.prompt_tokens, result.completion_tokens
    if isinstance(result, LogLikelihood):
        return result.prompt_tokens + result.tokens, 0
    return 0, 0


def scored(total: float, tokens: int, prompt_tokens: int) -> LogLikelihood | Failure:
    """A log-likelihood, or a failure if the model's numbers overflow."""
    if math.isfinite(total):
        return LogLikelihood(total, tokens, prompt_tokens)
    return Failure("the model's log-likelihood is not a finite number")


class Engine(Protocol):
    """Runs a model. Requests are served in any order; each result comes once, with the index of its request.

    Results come as soon as they are there: the caller stores them, and a killed process loses only the others.
    """

    fingerprint: str
    """Identifies what decides a completion beside sampling and messages: model content, precision, thinking."""

    special_tokens: frozenset[str]
    """The strings that the model's tokenizer reads as structure; outside text must not contain them."""

    def generate(self, requests: Sequence[ReplyRequest]) -> Iterator[tuple[int, Completion | Failure]]:
        """The assistant's next turn for each chat."""
        ...

    def log_likelihood(self, requests: Sequence[Continuation]) -> Iterator[tuple[int, LogLikelihood | Failure]]:
        """The log-likelihood of each continuation given its context."""
        ...
