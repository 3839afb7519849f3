"""Keep the candidates that a search and an LLM confirm, and divide them by document."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from ..common.errors import InputError
from ..common.files import write_json
from ..common.hashing import random_place
from ..io.schemas import DROPPED_QUESTIONS, LABELS, RUN, WRITTEN_QUESTIONS, iter_rows
from ..settings import Questions
from .collect import tell_dropped, told

_LOG = logging.getLogger(__name__)
_EXAMPLES = 5
_FEWEST_HELD_OUT = 2
"""An interval needs two questions."""


class Outputs(NamedTuple):
    """Where questions go: those to train on, those held out, all that were dropped, and a summary."""

    train: Path
    held_out: Path
    dropped: Path
    summary: Path


def keep(
    settings: Questions,
    candidates: Path,
    unfit: Path,
    run: Path | None,
    labels: Path | None,
    outputs: Outputs,
) -> dict[str, Any]:
    """Write the questions that are kept (schema ``WRITTEN_QUESTIONS``), in two parts by document; return the summary.

    Args:
        settings: of the questions.
        candidates, unfit: what :func:`.collect.collect` wrote.
        run: a ranking for the candidates, if a round trip is asked for.
        labels: labels of the candidates, if these must be answerable.
        outputs: files to write.

    Raises:
        InputError: no question is left to train on, or fewer than two to evaluate on where some are to be held out.
    """
    found = _found(run, settings.round_trip.depth) if run and settings.round_trip else None
    positive = _positives(labels) if labels else None
    kept, dropped = list[dict[str, Any]](), list(iter_rows(DROPPED_QUESTIONS, [unfit]))
    for row in iter_rows(WRITTEN_QUESTIONS, [candidates]):
        pair = (row["query_id"], row["docid"])
        if found is not None and pair not in found:
            assert settings.round_trip is not None, "there is a run"
            reason = (
                f"its passage is not among the first {settings.round_trip.depth} of {settings.round_trip.retriever}"
            )
            dropped.append(row | {"filter": "round-trip", "reason": reason})
        elif positive is not None and pair not in positive:
            dropped.append(
                row | {"filter": "answerable", "reason": f"its passage is not positive in {settings.answerable}"}
            )
        else:
            kept.append(row)
    held_out = [row for row in kept if 100 * random_place(row["document"], settings.seed) < settings.held_out]
    chosen = {row["query_id"] for row in held_out}
    train = [row for row in kept if row["query_id"] not in chosen]
    counts = Counter(row["filter"] for row in dropped)
    tell_dropped([row for row in dropped if row["filter"] in ("round-trip", "answerable")])
    if not train:
        raise InputError(
            f"no question is left to train on ({told(counts)}; held out: {len(held_out)}).",
            hint="look at the examples in the log; lower `held_out`, or ask about more passages (the pool's `sample`).",
        )
    if settings.held_out and len(held_out) < _FEWEST_HELD_OUT:
        raise InputError(
            f"{len(held_out)} of {len(kept)} questions are held out, too few to evaluate on ({told(counts)}).",
            hint="raise `held_out`, choose another `seed`, or ask about more passages (the pool's `sample`).",
        )
    DROPPED_QUESTIONS.write(outputs.dropped, DROPPED_QUESTIONS.rows(dropped))
    WRITTEN_QUESTIONS.write(outputs.train, WRITTEN_QUESTIONS.rows(train))
    WRITTEN_QUESTIONS.write(outputs.held_out, WRITTEN_QUESTIONS.rows(held_out))
    summary = {
        "train": len(train),
        "held_out": len(held_out),
        "documents": len({row["document"] for row in kept}),
        "kept_by_style": Counter(row["style"] for row in kept),
        "dropped": counts,
        "examples": {name: _examples(row for row in dropped if row["filter"] == name) for name in counts},
    }
    write_json(outputs.summary, summary)
    _LOG.info("%d questions to train on, %d held out, %d dropped", len(train), len(held_out), len(dropped))
    return summary


def _found(run: Path, depth: int) -> set[tuple[str, str]]:
    rows = iter_rows(RUN, [run], rows=1 << 16)
    return {(row["query_id"], row["docid"]) for row in rows if row["rank"] <= depth}


def _positives(labels: Path) -> set[tuple[str, str]]:
    rows = iter_rows(LABELS, [labels], rows=1 << 16)
    return {(row["query_id"], row["docid"]) for row in rows if row["label"] > 0}


def _examples(rows: Iterable[dict[str, Any]]) -> list[dict[str, str]]:
    """Some dropped questions, whose choice does not depend on their order."""
    chosen = sorted(rows, key=lambda row: random_place(row["query_id"], 0))[:_EXAMPLES]
    return [{key: row[key] for key in ("query_id", "text", "reason")} for row in chosen]
