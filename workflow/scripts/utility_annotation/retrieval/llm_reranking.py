"""Order the first passages of a ranking again, by an LLM: window after window, or by the likelihood of the question."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc

from ..annotation.items import Item
from ..annotation.listwise import Listwise
from ..annotation.progress import AnnotationProgress
from ..annotation.prompts import PromptTemplate
from ..annotation.relevance import QuestionLikelihood
from ..annotation.replies import RANKING
from ..annotation.shard import Stage, judge
from ..engines.protocol import Engine
from ..engines.store import CompletionStore
from ..io.schemas import RUN
from ..settings import Annotator, Retries
from .retrieved import read_ranked
from .runs import questions_of, rank_again

logger = logging.getLogger(__name__)


def reranking_stage(annotator: Annotator, template: PromptTemplate) -> Stage:
    """What is asked about a window (listwise), or about all passages (pointwise)."""
    if annotator.protocol == "listwise":
        return Listwise(annotator, template, RANKING)
    return QuestionLikelihood(100, template)


def windows(number: int, window: int, step: int) -> list[slice]:
    """The windows over so many passages from the bottom to the top, as in RankGPT (Sun et al. 2023).

    The last one begins at the top. A single passage needs none.
    """
    ends = range(number, window, -step) if number > window else ()
    last = number - step * len(ends)
    found = [slice(end - window, end) for end in ends]
    return found + ([slice(0, last)] if last > 1 else [])


def first_passages(queries: Path, run: Path, corpus: Path, *, depth: int, titles: bool) -> list[Item]:
    """Every query of a run with its first ``depth`` passages, best first.

    Raises:
        InputError: the run has a query or a passage that its file lacks.
    """
    found = questions_of(run, RUN.read(run, ["query_id"])["query_id"].unique().to_pylist(), queries)
    return read_ranked(found, run, corpus, passages=depth, titles=titles)


class RerankingProgress(AnnotationProgress):
    """Counts the outcomes of windows; pointwise, all passages of a query are one."""

    def __init__(self, queries: int) -> None:
        super().__init__()
        self.what, self._queries, self.tokens = "reranking", queries, 0

    def count_tokens(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Count the tokens behind these rows, those of stored replies included."""
        self.tokens += sum(row["prompt_tokens"] + row["completion_tokens"] for row in rows)

    def summary(self) -> dict[str, Any]:
        """See ``AnnotationProgress``; ``tokens`` are all that were read and written, stored ones included."""
        own = {"queries": self._queries, "windows": self.outcomes.total(), "tokens": self.tokens}
        return super().summary() | own


def rerank(
    items: Sequence[Item],
    stage: Stage,
    engine: Engine,
    store: CompletionStore,
    retries: Retries,
    output: Path,
    *,
    run: Path,
    depth: int,
    window: int | None = None,
    step: int | None = None,
) -> AnnotationProgress:
    """Write a run whose first ``depth`` passages per query are in the LLM's order, and the others behind them.

    The new scores are the likelihoods that the stage gives (nats per token). With windows, or where a query's
    likelihoods failed, they are descending integers. A window whose reply fails, is cut off or cannot be read keeps its
    order.

    Args:
        items: the queries of the run with their first ``depth`` passages, best first.
        output: file of schema ``RUN`` to write.
        run: the ranking until now, of schema ``RUN``.
        window, step: passages that are ranked at a time, and how far up the next ones lie; None for likelihoods.
    """
    progress = RerankingProgress(len(items))
    scores: dict[tuple[str, str], float] = {}
    ordered = items
    if window is not None and step is not None:
        ordered = _by_windows(items, stage, engine, store, retries, progress, window, step)
        rows: list[dict[str, Any]] = []
    else:
        rows = judge(items, stage, engine, store, retries, progress)
        progress.count_tokens(rows)
    for item in ordered:
        last = len(item.passages)
        scores |= {(item.query_id, passage.docid): float(last - place) for place, passage in enumerate(item.passages)}
    for row in rows:
        scores |= {(row["query_id"], each["docid"]): each["score"] for each in row.get("scores") or ()}
    RUN.write(output, _scored(run, scores, depth))
    progress.what = "reranked"
    progress.tell()
    if kept := progress.outcomes.total() - progress.outcomes["ok"]:
        logger.warning("%d of %d windows keep their order, for lack of a reply", kept, progress.outcomes.total())
    return progress


def _by_windows(
    items: Sequence[Item],
    stage: Stage,
    engine: Engine,
    store: CompletionStore,
    retries: Retries,
    progress: RerankingProgress,
    window: int,
    step: int,
) -> list[Item]:
    """The items with their passages in the LLM's order. Each round asks about one window of every query."""
    ordered = [list(item.passages) for item in items]
    places = [windows(len(item.passages), window, step) for item in items]
    for turn in range(max(map(len, places), default=0)):
        open_ = [number for number, own in enumerate(places) if turn < len(own)]
        shown = [replace(items[each], passages=tuple(ordered[each][places[each][turn]])) for each in open_]
        rows = judge(shown, stage, engine, store, retries, progress)
        progress.count_tokens(rows)
        for each, item, row in zip(open_, shown, rows, strict=True):
            if row.get("docids"):
                passages = {passage.docid: passage for passage in item.passages}
                ordered[each][places[each][turn]] = [passages[docid] for docid in row["docids"]]
    return [replace(item, passages=tuple(passages)) for item, passages in zip(items, ordered, strict=True)]


def _scored(run: Path, scores: dict[tuple[str, str], float], depth: int) -> Any:
    """The run with new scores, by query and docid."""
    table = RUN.read(run)
    names, docids = table["query_id"].unique(), table["docid"].combine_chunks()
    pairs = zip(table["query_id"].to_pylist(), docids.to_pylist(), strict=True)
    values = np.fromiter((scores.get(pair, 0.0) for pair in pairs), np.float32, table.num_rows)
    query_rows = pc.index_in(table["query_id"], value_set=names).to_numpy()
    return rank_again(names.to_pylist(), query_rows, docids, table["rank"].to_numpy(), values, depth=depth)
