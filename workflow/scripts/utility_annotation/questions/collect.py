"""Bring the questions of all shards together, and drop those that ask what another one asks."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from ..common.errors import InputError
from ..io.questions import question_key
from ..io.schemas import DROPPED_QUESTIONS, READ_QUESTIONS, WRITTEN_QUESTIONS
from .dropped import Dropped

_LOG = logging.getLogger(__name__)


def collect(shards: Sequence[Path], output: Path, dropped: Path) -> Dropped:
    """Write the candidates (schema ``WRITTEN_QUESTIONS``) and what was dropped (``DROPPED_QUESTIONS``).

    Of questions that ask the same (:func:`~..io.questions.question_key`) the first is kept, in the order of the shards.

    Args:
        shards: what :func:`.read.read_questions` wrote.
        output: file of the candidates.
        dropped: file of the others, each with the filter and the reason.

    Raises:
        InputError: nothing is left.
    """
    counts, seen = Dropped(), dict[str, str]()
    with ExitStack() as stack:
        candidates, others = (
            stack.enter_context(schema.writer(path))
            for schema, path in ((WRITTEN_QUESTIONS, output), (DROPPED_QUESTIONS, dropped))
        )
        for shard in shards:
            for batch in READ_QUESTIONS.batches(shard):
                rows = [_not_repeated(row, seen) for row in batch.to_pylist()]
                left = [row for row in rows if row["filter"]]
                counts.add(left)
                others.write_rows(left)
                candidates.write_rows([row for row in rows if not row["filter"]])
        counts.log()
        if not candidates.rows_written:
            raise InputError(
                f"no question is left ({counts}).",
                hint="look at the examples in the log, then at the prompts (resources/prompts/question_*.j2) and the "
                "LLM.",
            )
        total = candidates.rows_written + counts.counts.total()
        _LOG.info("%d of %d written questions are candidates", candidates.rows_written, total)
    return counts


def _not_repeated(row: dict[str, Any], seen: dict[str, str]) -> dict[str, Any]:
    """The row, dropped if an earlier question asks the same."""
    if row["filter"]:
        return row
    first = seen.setdefault(question_key(row["text"]), row["query_id"])
    if first == row["query_id"]:
        return row
    return row | {"filter": "repeated", "reason": f"it asks the same as {first}"}
