"""Keep the candidates that a search and an LLM confirm, and divide them by document."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from ..common.errors import InputError
from ..common.files import write_json
from ..common.hashing import random_place
from ..io.label_values import is_positive
from ..io.schemas import DROPPED_QUESTIONS, LABELS, RUN, WRITTEN_QUESTIONS, iter_rows
from ..settings import Questions
from .dropped import Dropped

_LOG = logging.getLogger(__name__)
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
    checks = _checks(settings, candidates, run, labels)
    dropped, styles, documents = Dropped(), Counter[str](), set[str]()
    with ExitStack() as stack:
        train, held_out, others = (
            stack.enter_context(schema.writer(path))
            for schema, path in (
                (WRITTEN_QUESTIONS, outputs.train),
                (WRITTEN_QUESTIONS, outputs.held_out),
                (DROPPED_QUESTIONS, outputs.dropped),
            )
        )
        for batch in DROPPED_QUESTIONS.batches(unfit):
            dropped.add(batch.to_pylist())
            others.write_rows(batch.to_pylist())
        for batch in WRITTEN_QUESTIONS.batches(candidates):
            kept, left = _divided(batch.to_pylist(), checks)
            dropped.add(left)
            others.write_rows(left)
            styles.update(row["style"] for row in kept)
            documents.update(row["document"] for row in kept)
            parts = _parts(kept, settings)
            train.write_rows(parts[False])
            held_out.write_rows(parts[True])
        dropped.log()
        _require_enough(settings, train.rows_written, held_out.rows_written, dropped)
    summary = {
        "train": train.rows_written,
        "held_out": held_out.rows_written,
        "documents": len(documents),
        "kept_by_style": styles,
        "dropped": dropped.counts,
        "examples": dropped.examples(),
    }
    write_json(outputs.summary, summary)
    _LOG.info(
        "%d questions to train on, %d held out, %d dropped",
        train.rows_written,
        held_out.rows_written,
        dropped.counts.total(),
    )
    return summary


class _Check(NamedTuple):
    """A filter that looks at other files, the reason that it gives, and the questions that it lets through."""

    name: str
    reason: str
    passed: Set[str]


def _checks(settings: Questions, candidates: Path, run: Path | None, labels: Path | None) -> list[_Check]:
    columns = WRITTEN_QUESTIONS.read(candidates, ["query_id", "docid"]).to_pydict()
    source_of = dict(zip(columns["query_id"], columns["docid"], strict=True))
    checks, trip = [], settings.round_trip
    if run is not None and trip is not None:
        reason = f"its passage is not among the first {trip.depth} of {trip.retriever}"
        rows = (row for row in iter_rows(RUN, [run], rows=1 << 16) if row["rank"] <= trip.depth)
        checks.append(_Check("round-trip", reason, _with_their_source(rows, source_of)))
    if labels is not None:
        reason = f"its passage is not positive in {settings.answerable}"
        batches = LABELS.batches(labels, rows=1 << 16)
        positives = (batch.filter(pa.array(is_positive(batch["label"].to_numpy()))).to_pylist() for batch in batches)
        checks.append(_Check("answerable", reason, _with_their_source(chain.from_iterable(positives), source_of)))
    return checks


def _with_their_source(rows: Iterable[Mapping[str, Any]], source_of: Mapping[str, str]) -> set[str]:
    """The questions whose rows have the passage that they were written about."""
    return {row["query_id"] for row in rows if source_of.get(row["query_id"]) == row["docid"]}


def _divided(
    rows: Iterable[dict[str, Any]], checks: Sequence[_Check]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The rows that all checks let through, and the others with the first check that does not."""
    kept, left = list[dict[str, Any]](), list[dict[str, Any]]()
    for row in rows:
        failed = next((check for check in checks if row["query_id"] not in check.passed), None)
        if failed is None:
            kept.append(row)
        else:
            left.append(row | {"filter": failed.name, "reason": failed.reason})
    return kept, left


def _parts(rows: Iterable[dict[str, Any]], settings: Questions) -> dict[bool, list[dict[str, Any]]]:
    """The rows by whether they are held out, which their document decides."""
    parts: dict[bool, list[dict[str, Any]]] = {False: [], True: []}
    for row in rows:
        parts[100 * random_place(row["document"], settings.seed) < settings.held_out].append(row)
    return parts


def _require_enough(settings: Questions, train: int, held_out: int, dropped: Dropped) -> None:
    if not train:
        raise InputError(
            f"no question is left to train on ({dropped}; held out: {held_out}).",
            hint="look at the examples in the log; lower `held_out`, or ask about more passages (the pool's `sample`).",
        )
    if settings.held_out and held_out < _FEWEST_HELD_OUT:
        raise InputError(
            f"{held_out} of {train + held_out} questions are held out, too few to evaluate on ({dropped}).",
            hint="raise `held_out`, choose another `seed`, or ask about more passages (the pool's `sample`).",
        )
