"""The loop that every annotation stage shares: requests out, results in, one row a query, in the pool's order."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ..configuration import Sampling
from ..contracts import ANNOTATION, POOL, iter_rows, passage_text
from ..errors import InputError
from .progress import Progress
from .protocol import Chat, Completion, Continuation, Engine, Failure, LogLikelihood, tokens
from .store import CompletionStore, completion_key, log_likelihood_key

logger = logging.getLogger(__name__)

Request = Chat | Continuation
Result = Completion | LogLikelihood | Failure


@dataclass(frozen=True)
class Passage:
    """A candidate as a model reads it: ``title text``, or the text alone."""

    docid: str
    text: str


@dataclass(frozen=True)
class Item:
    """One query and what a stage is shown of it.

    Attributes:
        passages: the passages judged in this stage, in the pool's order.
        whole_pool: whether they are the whole pool because the relevance selection was empty or failed.
        answer: the pseudo-answer or ground-truth answer, where the stage needs one and there is one.
    """

    query_id: str
    query: str
    passages: tuple[Passage, ...]
    whole_pool: bool = False
    answer: str | None = None


class Stage(Protocol):
    """A stage: what to ask the model about one query, and what its results mean."""

    @property
    def sampling(self) -> Sampling | None:
        """How replies are decoded; None for a stage that asks for log-likelihoods."""
        ...

    def requests(self, item: Item) -> Sequence[Request] | Failure:
        """The requests for one query (chats, or continuations where ``sampling`` is None), or why there are none."""
        ...

    def row(self, item: Item, results: Sequence[Any]) -> Mapping[str, Any]:
        """The result columns of :data:`~utility_annotation.contracts.ANNOTATION`, from results none of which failed."""
        ...


def read_pool(path: Path | str) -> list[Item]:
    """The queries of a pool shard, each with its whole pool."""
    return [
        Item(
            query_id=row["query_id"],
            query=row["query"],
            passages=tuple(
                Passage(candidate["docid"], passage_text(candidate["title"], candidate["text"]))
                for candidate in row["candidates"]
            ),
        )
        for row in iter_rows(POOL, [path])
    ]


def keep_relevant(items: Iterable[Item], relsel: Path | str) -> Iterator[Item]:
    """Narrow each query to its relevance selection, kept in the pool's order.

    Where the selection is empty or failed, the whole pool stays, and the item says so.

    Raises:
        InputError: the relevance file has no row for a query, or selects a passage outside its pool.
    """
    selections = {row["query_id"]: row for row in iter_rows(ANNOTATION, [relsel])}
    for item in items:
        row = _row_of(item, selections, relsel)
        chosen = set(row["docids"] or ())
        if not chosen <= {passage.docid for passage in item.passages}:
            raise InputError(
                f"query {item.query_id!r} has a selected passage that is not in its pool.",
                mend="make the annotation anew from this pool.",
                path=relsel,
            )
        passages = tuple(passage for passage in item.passages if passage.docid in chosen)
        yield Item(item.query_id, item.query, passages or item.passages, whole_pool=not passages)


def with_answers(items: Iterable[Item], answers: Path | str) -> Iterator[Item]:
    """Add each query's pseudo-answer; a query whose answer failed keeps None."""
    rows = {row["query_id"]: row for row in iter_rows(ANNOTATION, [answers])}
    for item in items:
        answer = _row_of(item, rows, answers)["answer"]
        yield Item(item.query_id, item.query, item.passages, item.whole_pool, answer)


def annotate(items: Sequence[Item], stage: Stage, engine: Engine, store: CompletionStore, output: Path | str) -> None:
    """Run one stage over a shard and write its annotation file: one row a query, in the pool's order.

    The columns of :data:`~utility_annotation.contracts.ANNOTATION` mean, in every stage:

    - ``outcome``: ok; empty (the model selected nothing, or answered with nothing); unparsable (a reply without the
      form that was asked for); truncated (the token limit cut the reply off); error (a request failed).
    - ``docids``: relsel, utilsel: the selection, in reply order (pointwise: best first). utilrank: all shown passages,
      most useful first. An empty list where the outcome is empty; null where nothing was read, and in other stages.
    - ``answer``: the pseudo-answer; also where it is truncated, as far as it goes. Null in other stages.
    - ``scores``: pointwise relsel: mean log-likelihood of the question (nats a token), of every passage shown.
      Pointwise utilsel, utilrank: gain in mean log-likelihood of the pseudo-answer (nats a token). replug: summed
      log-likelihood of the ground-truth answer (nats). Null in listwise stages.
    - ``whole_pool``: the stage was shown the whole pool because the relevance selection was empty or failed.
    - ``reply``: the raw reply, thinking included; null where likelihoods were asked for.
    - ``prompt_tokens``, ``completion_tokens``: read and generated for this query, also where the store had them;
      a scored text counts as read.
    - ``finish_reason``: stop or length; for the outcome error the reason; null where likelihoods were asked for.

    A query with a failed request gets the outcome ``error`` and the reason as ``finish_reason``; it costs no other
    query its result. Failures are not stored, so the next run tries them again.
    """
    keys: list[list[str]] = []
    requests: dict[str, Request] = {}
    rows: dict[int, dict[str, Any]] = {}
    for place, item in enumerate(items):
        asked = stage.requests(item)
        if isinstance(asked, Failure):
            rows[place] = _failed_row(item, asked)
            asked = ()
        keys.append([_key(engine, stage, request) for request in asked])
        requests.update(zip(keys[place], asked, strict=True))

    results: dict[str, Result] = dict(store.find(requests))
    missing = [set(own) - results.keys() for own in keys]
    waiting: dict[str, list[int]] = defaultdict(list)
    for place, own in enumerate(missing):
        for key in own:
            waiting[key].append(place)

    progress = Progress(len(requests), len(results))
    progress.outcomes.update(row["outcome"] for row in rows.values())

    def settle(place: int) -> None:
        rows[place] = _row(items[place], stage, [results[key] for key in keys[place]])
        progress.outcomes[rows[place]["outcome"]] += 1

    for place in range(len(items)):
        if not missing[place] and place not in rows:
            settle(place)
    unknown = [key for key in requests if key not in results]
    for index, result in _run(engine, stage, [requests[key] for key in unknown]):
        key = unknown[index]
        results[key] = result
        if not isinstance(result, Failure):
            store.add(key, result)
        for place in waiting[key]:
            missing[place].discard(key)
            if not missing[place]:
                settle(place)
        progress.add(result)

    with ANNOTATION.writer(output) as writer:
        writer.write_rows([rows[place] for place in range(len(items))])
    progress.finish()


def _run(engine: Engine, stage: Stage, requests: list[Any]) -> Iterator[tuple[int, Result]]:
    return engine.log_likelihood(requests) if stage.sampling is None else engine.generate(requests, stage.sampling)


def _key(engine: Engine, stage: Stage, request: Any) -> str:
    if stage.sampling is None:
        return log_likelihood_key(engine.identity, request)
    return completion_key(engine.identity, stage.sampling, request)


def _row(item: Item, stage: Stage, results: list[Result]) -> dict[str, Any]:
    for result in results:
        if isinstance(result, Failure):
            return _failed_row(item, result)
    read, written = zip(*map(tokens, results), strict=True)
    return {
        "query_id": item.query_id,
        "whole_pool": item.whole_pool,
        "prompt_tokens": sum(read),
        "completion_tokens": sum(written),
        **stage.row(item, results),
    }


def _failed_row(item: Item, failure: Failure) -> dict[str, Any]:
    logger.warning("query %s: %s", item.query_id, failure.reason)
    return {
        "query_id": item.query_id,
        "outcome": "error",
        "whole_pool": item.whole_pool,
        "prompt_tokens": 0,
        "completion_tokens": 0,
        "finish_reason": failure.reason,
    }


def _row_of(item: Item, rows: Mapping[str, dict[str, Any]], path: Path | str) -> dict[str, Any]:
    try:
        return rows[item.query_id]
    except KeyError:
        raise InputError(
            f"there is no row for query {item.query_id!r}.", mend="make this stage anew from the same pool.", path=path
        ) from None
