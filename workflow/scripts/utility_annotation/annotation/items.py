"""What a stage shows the LLM of each query: from the pool shard and the results of earlier stages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..common.errors import InputError
from ..io.answers import read_references
from ..io.schemas import ANNOTATION, POOL, iter_rows, passage_text
from .names import TRUTH
from .prompts import cut, length


@dataclass(frozen=True)
class Passage:
    """A candidate as a model reads it: ``title text``, or the text alone."""

    docid: str
    text: str
    human: bool = False
    """Whether it is a human positive of its query."""


@dataclass(frozen=True)
class Item:
    """One query and what a stage is shown of it.

    Attributes:
        passages: the passages judged in this stage, in the pool's order.
        whole_pool: whether they are the whole pool, because the relevance selection was empty or failed.
        answer: the pseudo-answer or ground-truth answer, if the stage needs one and there is one.
        relevance: by docid, the relevance selection's score of each passage, where it gives scores.
        scores: by docid, an earlier stage's score of each passage that does not narrow them; None where it has none.
    """

    query_id: str
    query: str
    passages: tuple[Passage, ...]
    whole_pool: bool = False
    answer: str | None = None
    relevance: Mapping[str, float] = field(default_factory=dict)
    scores: Mapping[str, float | None] = field(default_factory=dict)

    def most_relevant(self, number: int) -> tuple[Passage, ...]:
        """The passages with the best relevance scores, in the pool's order; all of them without scores."""
        if not self.relevance:
            return self.passages
        best = sorted(self.passages, key=lambda passage: -self.relevance[passage.docid])[:number]
        return tuple(passage for passage in self.passages if passage in best)

    def longest(self) -> int:
        """Words of the longest passage, as :func:`~.prompts.length` counts them."""
        return max((length(passage.text) for passage in self.passages), default=0)

    def cut(self, limit: int) -> Item:
        """The same item with every passage cut to at most ``limit`` words."""
        passages = tuple(replace(passage, text=cut(passage.text, limit)) for passage in self.passages)
        return replace(self, passages=passages)


def read_pool(path: Path | str, *, titles: bool = True) -> list[Item]:
    """The queries of a pool shard, each with its whole pool, with or without the passages' titles."""
    return [
        Item(
            query_id=row["query_id"],
            query=row["query"],
            passages=tuple(
                Passage(
                    candidate["docid"],
                    passage_text(candidate["title"] if titles else None, candidate["text"]),
                    candidate["human"],
                )
                for candidate in row["candidates"]
            ),
        )
        for row in iter_rows(POOL, [path])
    ]


def keep_relevant(items: Iterable[Item], relsel: Path | str) -> Iterator[Item]:
    """Narrow each query to its relevance selection, in the pool's order, with the scores of its pool if it has some.

    If the selection is empty or failed, the whole pool stays, and ``whole_pool`` is set.

    Raises:
        InputError: the relevance file has no row for a query, selects a passage outside its pool, or scores others
            than those of its pool.
    """
    selections = {row["query_id"]: row for row in iter_rows(ANNOTATION, [relsel])}
    for item in items:
        row = _row_of(item, selections, relsel)
        chosen, pool = set(row["docids"] or ()), {passage.docid for passage in item.passages}
        scores = {each["docid"]: each["score"] for each in row["scores"] or ()}
        if not chosen <= pool or (scores and scores.keys() != pool):
            raise InputError(
                f"query {item.query_id!r} has a selected or scored passage that is not in its pool, or lacks a score.",
                hint="delete the annotation and run its target again, so that it is made from this pool.",
                path=relsel,
            )
        passages = tuple(passage for passage in item.passages if passage.docid in chosen)
        yield replace(item, passages=passages or item.passages, whole_pool=not passages, relevance=scores)


def with_answers(items: Iterable[Item], answers: Path | str) -> Iterator[Item]:
    """Add each query's pseudo-answer; None if it failed."""
    rows = {row["query_id"]: row for row in iter_rows(ANNOTATION, [answers])}
    for item in items:
        answer = _row_of(item, rows, answers)["answer"]
        yield replace(item, answer=answer)


def with_scores(items: Iterable[Item], scored: Path | str) -> Iterator[Item]:
    """Add the scores of a stage; none if it failed."""
    rows = {row["query_id"]: row for row in iter_rows(ANNOTATION, [scored])}
    for item in items:
        scores = _row_of(item, rows, scored)["scores"] or ()
        yield replace(item, scores={each["docid"]: each["score"] for each in scores})


def _row_of(item: Item, rows: Mapping[str, dict[str, Any]], path: Path | str) -> dict[str, Any]:
    try:
        return rows[item.query_id]
    except KeyError:
        raise InputError(
            f"there is no row for query {item.query_id!r}.",
            hint="delete the file and run its target again, so that it is made from this pool.",
            path=path,
        ) from None


def with_truth(items: Iterable[Item], answers: Path | str) -> Iterator[Item]:
    """Add the first ground-truth answer; None if there is none."""
    references = read_references(answers)
    for item in items:
        yield replace(item, answer=next(iter(references.get(item.query_id, ())), None))


_READERS = {"answer": with_answers, "snippet": with_scores, TRUTH: with_truth}
"""What each kind of input adds to the items; any other stage's selection narrows them."""


def read_items(pool: Path, read: Mapping[str, Path], *, titles: bool = True) -> list[Item]:
    """The queries of a pool shard as a stage shows them.

    Args:
        pool: the shard (schema ``POOL``).
        read: the files of the earlier stages, or of the ground-truth answers (``TRUTH``), by name and in the order in
            which they are read.
        titles: whether the passages have their titles.

    Raises:
        InputError: a file lacks a query of the shard, or selects a passage outside its pool.
    """
    return with_results(read_pool(pool, titles=titles), read)


def with_results(items: Iterable[Item], read: Mapping[str, Path]) -> list[Item]:
    """Queries with what earlier stages made of them, see :func:`read_items`."""
    for name, path in read.items():
        items = _READERS.get(name, keep_relevant)(items, path)
    return list(items)
