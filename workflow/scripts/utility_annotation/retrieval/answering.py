"""Answer questions from the passages that a ranking found or a selection kept."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..annotation.items import Item
from ..annotation.progress import AnnotationProgress
from ..annotation.shard import Stage, judge
from ..engines.protocol import Engine
from ..engines.store import CompletionStore
from ..io.schemas import ABSTAINED, ANNOTATION
from ..settings import Retries


class AnsweringProgress(AnnotationProgress):
    """Counts beside requests what the LLM was given."""

    def __init__(self, items: Sequence[Item]) -> None:
        super().__init__()
        self.what = "answering"
        self._passages = sum(len(item.passages) for item in items)
        self._without = sum(not item.passages for item in items)
        self.tokens = 0

    def summary(self) -> dict[str, Any]:
        """See ``AnnotationProgress``.

        ``passages`` were given in all, and none to ``without_passages`` questions. ``tokens`` are all that were read
        and written, those of stored replies included.
        """
        own = {"passages": self._passages, "without_passages": self._without, "tokens": self.tokens}
        return super().summary() | own


def answer(
    items: Sequence[Item],
    stage: Stage,
    engine: Engine,
    store: CompletionStore,
    retries: Retries,
    output: Path,
    *,
    abstain: bool,
) -> AnsweringProgress:
    """Write the answers: one row per question, in their order, see :func:`..annotation.shard.annotate`.

    Args:
        items: questions, each with its passages.
        output: file of schema ``ANNOTATION`` to write.
        abstain: whether a question without a passage is not asked; its outcome is then ``abstained``, without an
            answer.
    """
    progress = AnsweringProgress(items)
    asked = [item for item in items if item.passages or not abstain]
    rows = {row["query_id"]: row for row in judge(asked, stage, engine, store, retries, progress)}
    progress.tokens = sum(row["prompt_tokens"] + row["completion_tokens"] for row in rows.values())
    unasked = {"outcome": ABSTAINED, "whole_pool": False, "replies": [], "attempts": 0}
    unasked |= {"prompt_tokens": 0, "completion_tokens": 0}
    if abstained := len(items) - len(asked):
        progress.outcomes[ABSTAINED] = abstained
    with ANNOTATION.writer(output) as writer:
        writer.write_rows([rows.get(item.query_id, {"query_id": item.query_id} | unasked) for item in items])
    progress.what = "answered"
    progress.tell()
    return progress
