"""The loop that every annotation stage shares: requests out, results in, one row per query, in the pool's order."""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import floor
from pathlib import Path
from typing import Any, Protocol

from ..common.errors import InputError
from ..engines.protocol import Completion, Continuation, Engine, Failure, ReplyRequest, Request, Result, TooLong, tokens
from ..engines.store import CompletionStore, completion_key, log_likelihood_key
from ..io.schemas import ANNOTATION
from ..settings import Retries
from .items import Item
from .progress import AnnotationProgress

logger = logging.getLogger(__name__)

_FEWEST_UNREAD = 20
"""Questions of a shard without any readable reply, from which on the model or the server must be the cause."""
_QUOTED = 200
"""Characters of a reply that a message quotes."""
_MAX_TEMPERATURE = 2.0
"""The highest temperature that engines and servers accept."""


class Stage(Protocol):
    """A stage: what to ask the model about one query, and what its results mean.

    Attributes:
        votes: whether its requests are votes on one judgement; if some fail, the others count.
    """

    votes: bool

    def requests(self, item: Item) -> Sequence[Request] | Failure:
        """The requests for one query, all replies or all likelihoods; or why there are none."""
        ...

    def unreadable(self, item: Item, results: Sequence[Any]) -> Sequence[int]:
        """The results without the requested form, which are asked again; failures are not among them."""
        ...

    def row(self, item: Item, results: Sequence[Any]) -> Mapping[str, Any]:
        """The result columns of :data:`~utility_annotation.io.schemas.ANNOTATION`.

        No result failed; or, if they are votes, not all of them.
        """
        ...


def annotate(
    items: Sequence[Item],
    stage: Stage,
    engine: Engine,
    store: CompletionStore,
    retries: Retries,
    output: Path | str,
) -> AnnotationProgress:
    """Run one stage over a shard and write its annotation file: one row per query, in the pool's order.

    See :func:`judge` for what is asked, and for errors.

    In every stage the columns of :data:`~utility_annotation.io.schemas.ANNOTATION` mean:

    - ``outcome``: ok; empty (a selection or an answer of nothing; with several permutations: no passage has a
      majority); unparsable (no reply has the requested form, retries included); truncated (the token limit cut the
      reply off); error (a request failed; with several permutations: all failed).
    - ``docids``: relsel, utilsel, utilsel-truth: the selection, in reply order (pointwise: best first). utilrank: all
      shown passages, most useful first, and in the pool's order those that no reply names. gain-short, gain-sentence:
      the passages whose answers ``replies`` has. An empty list if the outcome is empty; null if nothing could be read,
      and in other stages.
    - ``named``: listwise utilrank: how many of the docids any reply names; they come first. If there are more docids,
      the ranking was completed, and labels leave out what was added. Null in other stages.
    - ``answer``: the pseudo-answer, also if it is truncated. Null in other stages.
    - ``scores``: pointwise relsel: mean log-likelihood of the question (nats per token), of every passage shown.
      Pointwise utilsel, utilrank, utilsel-truth: the score of :class:`.utility.Utility` (nats per token). replug:
      summed log-likelihood of the ground-truth answer (nats). Null in listwise stages.
    - ``whole_pool``: the stage was shown the whole pool because the relevance selection was empty or failed.
    - ``replies``: the raw replies, thinking included, one per permutation (the last one after retries; blank if it
      failed); empty for likelihoods. gain-short, gain-sentence: see :class:`.gains.AnswersAlone`.
    - ``attempts``: requests made for the query, retries included.
    - ``cut_words``: passages were cut to this many words to fit the model's context; null if none was cut.
    - ``prompt_tokens``, ``completion_tokens``: read and generated for this query, retries and stored results
      included; a scored text counts as read.
    - ``finish_reason``: stop or length, of the last reply; the reason of an error; null for likelihoods.

    Returns:
        The finished counts.
    """
    progress = AnnotationProgress()
    rows = judge(items, stage, engine, store, retries, progress)
    with ANNOTATION.writer(output) as writer:
        writer.write_rows(rows)
    progress.what = "annotated"
    progress.tell()
    return progress


def judge(
    items: Sequence[Item],
    stage: Stage,
    engine: Engine,
    store: CompletionStore,
    retries: Retries,
    progress: AnnotationProgress,
) -> list[dict[str, Any]]:
    """One row per query, in their order, with the columns of :func:`annotate`.

    All requests go to the engine at once. Then two kinds are asked again, until each query has its row: unreadable
    replies, at a higher temperature; and prompts too long for the model, with their longest passages cut. Every result
    is stored before it is used. A failed request does not affect other queries. Failures are not stored, so the next
    run tries them again.

    Args:
        progress: counts what is done, beside what earlier calls did.

    Raises:
        InputError: there are several queries and every request until now failed, or many and all replies that were
            whole had another form; then the queries are not the cause.
    """
    rows: dict[int, dict[str, Any]] = {}
    cases = [_Case(place, item) for place, item in enumerate(items)]
    for case in cases:
        case.ask(stage.requests(case.item))
    while cases:
        unfinished = []
        for case in _answered(cases, engine, store, progress):
            row = case.settle(stage, retries)
            if row is None:
                unfinished.append(case)
            else:
                rows[case.place] = row
                progress.outcomes[row["outcome"]] += 1
        cases = unfinished
    judged = progress.outcomes.total()
    if judged > 1 and progress.failed == progress.done > 0:
        reason = " ".join(progress.last_failure.split()).rstrip(".")
        raise InputError(
            f"every request of this shard failed, the last one with: {reason}.",
            hint="fix the cause and run again; if prompts are too long, raise `annotators.*.max_model_len`, lower "
            "`max_new_tokens`, or use a model with a longer context.",
        )
    unread = sum(progress.outcomes[outcome] for outcome in ("unparsable", "truncated", "error"))
    if progress.outcomes["unparsable"] and unread == judged >= _FEWEST_UNREAD:
        reply = next((reply for row in rows.values() for reply in row["replies"]), "")
        raise InputError(
            f"no reply about the {unread} questions of this shard could be read. One says: {reply[:_QUOTED]!r}.",
            hint="check the prompt, the model, and a server's chat template, as a model that follows the prompt is "
            f"read. Then delete {store.folder}, or its stored replies are taken again.",
        )
    return [rows[place] for place in range(len(items))]


@dataclass
class _Case:
    """One query on its way to its row.

    Attributes:
        requests: the current or last requests, by place.
        results: their results, by place.
        open: the places that still wait for a result.
        retried: the number of retries at each place.
        given_up: the places whose retry failed; the reply before it counts.
    """

    place: int
    item: Item
    requests: list[Request] = field(default_factory=list)
    results: dict[int, Result] = field(default_factory=dict)
    open: list[int] = field(default_factory=list)
    retried: defaultdict[int, int] = field(default_factory=lambda: defaultdict(int))
    given_up: set[int] = field(default_factory=set)
    cut_words: int | None = None
    attempts: int = 0
    read: int = 0
    written: int = 0

    def ask(self, asked: Sequence[Request] | Failure) -> None:
        """Start with these requests, or with a failure instead."""
        self.requests = [] if isinstance(asked, Failure) else list(asked)
        self.results = {0: asked} if isinstance(asked, Failure) else {}
        self.open = list(range(len(self.requests)))

    def receive(self, place: int, result: Result) -> None:
        if isinstance(result, Failure) and isinstance(self.results.get(place), Completion):
            logger.warning("query %s, asked again: %s", self.item.query_id, result.reason)
            self.given_up.add(place)
        else:
            self.results[place] = result
        self.open.remove(place)
        self.attempts += 1
        read, written = tokens(result)
        self.read += read
        self.written += written

    def settle(self, stage: Stage, retries: Retries) -> dict[str, Any] | None:
        """The row; None if something must be asked again, which is then open."""
        results = [self.results[place] for place in sorted(self.results)]
        too_long = [result for result in results if isinstance(result, TooLong)]
        if too_long and self._cut(min(result.share for result in too_long)):
            self.ask(stage.requests(self.item))
            return None
        failures = [result.reason for result in results if isinstance(result, Failure)]
        for reason in failures[:1]:
            logger.warning("query %s: %s", self.item.query_id, reason)
        if failures and (not stage.votes or len(failures) == len(results)):
            return self._row({"outcome": "error", "finish_reason": failures[0]})
        unreadable = set(stage.unreadable(self.item, results)) - self.given_up
        self.open = [place for place in sorted(unreadable) if self.retried[place] < retries.max_retries]
        for place in self.open:
            self.retried[place] += 1
            self.requests[place] = _again(self.requests[place], retries)
        return None if self.open else self._row(stage.row(self.item, results))

    def _cut(self, share: float) -> bool:
        """Cut the longest passages to a common number of words; False if nothing is left to cut."""
        longest = self.item.longest() if self.cut_words is None else self.cut_words
        if longest <= 1:
            return False
        self.cut_words = max(1, min(longest - 1, floor(longest * share)))
        self.item = self.item.cut(self.cut_words)
        return True

    def _row(self, columns: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "query_id": self.item.query_id,
            "whole_pool": self.item.whole_pool,
            "replies": [],
            "attempts": self.attempts,
            "cut_words": self.cut_words,
            "prompt_tokens": self.read,
            "completion_tokens": self.written,
            **columns,
        }


def _answered(
    cases: Sequence[_Case], engine: Engine, store: CompletionStore, progress: AnnotationProgress
) -> Iterator[_Case]:
    """Each case once nothing of it is open, with results from the store or the engine."""
    waiting: dict[str, list[tuple[_Case, int]]] = defaultdict(list)
    requests: dict[str, Request] = {}
    for case in cases:
        for place in case.open:
            key = _key(engine, case.requests[place])
            waiting[key].append((case, place))
            requests[key] = case.requests[place]
        if not case.open:
            yield case
    progress.total = (progress.total or 0) + len(requests)

    def hand_over(key: str, result: Result) -> Iterator[_Case]:
        for case, place in waiting.pop(key):
            case.receive(place, result)
            if not case.open:
                yield case

    # Retries are in the store only if an earlier job made them, which has then stored what came before them.
    may_be_stored = progress.skipped or progress.failed == progress.made
    for key, stored in (store.find(requests) if may_be_stored else {}).items():
        progress.skip(1)
        yield from hand_over(key, stored)
    unknown = [key for key in requests if key in waiting]
    start = time.monotonic()
    with progress.watching():
        for index, result in _run(engine, [requests[key] for key in unknown]):
            progress.count(result)
            if not isinstance(result, Failure):
                store.add(unknown[index], result)
            yield from hand_over(unknown[index], result)
    progress.engine_seconds += time.monotonic() - start


def _run(engine: Engine, requests: Sequence[Request]) -> Iterator[tuple[int, Result]]:
    replies = [request for request in requests if isinstance(request, ReplyRequest)]
    likelihoods = [request for request in requests if isinstance(request, Continuation)]
    if replies:
        yield from engine.generate(replies)
    if likelihoods:
        yield from engine.log_likelihood(likelihoods)


def _key(engine: Engine, request: Request) -> str:
    if isinstance(request, Continuation):
        return log_likelihood_key(engine.fingerprint, request)
    return completion_key(engine.fingerprint, request)


def _again(request: Request, retries: Retries) -> Request:
    """The same chat at a higher, capped temperature and with seed + 1."""
    assert isinstance(request, ReplyRequest), "a likelihood is always readable"
    sampling = request.sampling
    highest = max(_MAX_TEMPERATURE, sampling.temperature)
    temperature = min(sampling.temperature + retries.temperature_step, highest)
    changed = {"temperature": temperature, "seed": sampling.seed + 1}
    return replace(request, sampling=sampling.model_copy(update=changed))
