"""What an annotation stage asks of an engine, and what it gets back."""

from __future__ import annotations

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
    """A reply asked for, as the assistant's next turn after a chat.

    Attributes:
        chat: the turns so far.
        sampling: how the reply is decoded.
        guide: a regular expression that the whole reply must match (guided decoding), or None.
    """

    chat: Chat
    sampling: Sampling
    guide: str | None = None


@dataclass(frozen=True)
class Continuation:
    """A text whose likelihood is asked for, as the assistant's next turn after a chat."""

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
    """One request that could not be served (the others can): the reason, for the record."""

    reason: str


@dataclass(frozen=True)
class TooLong(Failure):
    """A request that the model's context has no room for; with shorter passages it may be served.

    Attributes:
        share: the room there is, as a share of what the request would have needed; below 1.
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


class Engine(Protocol):
    """Runs a model. Requests are served in any order; each result comes, once, with the index of its request, and as
    soon as it is there: what has been handed over is stored, what has not is lost with the process.
    """

    identity: str
    """Names whatever decides a completion besides sampling and messages: model content, precision, thinking."""

    special_tokens: frozenset[str]
    """The strings that the model's tokenizer reads as structure; text from outside must not hold them."""

    def generate(self, requests: Sequence[ReplyRequest]) -> Iterator[tuple[int, Completion | Failure]]:
        """The assistant's next turn for each chat."""
        ...

    def log_likelihood(self, requests: Sequence[Continuation]) -> Iterator[tuple[int, LogLikelihood | Failure]]:
        """The log-likelihood of each continuation given its context."""
        ...
