"""Judgements of humans and a label set together, or of a label set alone."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..common.errors import InputError
from ..io.label_values import are_judgements, is_ignored, is_positive
from ..io.schemas import DUPLICATES, LABELS, QRELS, iter_rows

_LOG = logging.getLogger(__name__)


def merge_qrels(
    qrels: Path | None, labels: Path, output: Path, duplicates: Path | None = None, relevance_level: int = 1
) -> int:
    """Write the higher of both grades of each passage, for the questions that are labelled; return their number.

    A positive label counts as grade ``relevance_level``, or as its own grade where that is higher. A passage that the
    labels ignore has no grade by them, as a negative has none: no metric counts it as relevant. Questions without
    labels are left out, even if humans judged them. The log counts ignored passages, and labelled questions without any
    relevant passage.

    Args:
        qrels: human judgements, schema ``QRELS``; None to use the labels alone.
        labels: schema ``LABELS``.
        output: the judgements, schema ``QRELS``, to write, ordered by query id and docid.
        duplicates: schema ``DUPLICATES``, if the labelled pool keeps one of several copies of a passage: its label then
            applies to all copies.
        relevance_level: the lowest grade that is relevant in the test set.

    Raises:
        InputError: the labels are scores, or no question has a judgement.
    """
    table = LABELS.read(labels, ["query_id", "docid", "label"])
    values = table["label"].to_numpy()
    if not are_judgements(values):
        raise InputError(
            "these labels are scores without positives.",
            hint="name labels of another source than replug in the test set.",
            path=labels,
        )
    query_ids = pc.unique(table["query_id"])
    positive = is_positive(values)
    grades = pa.array(np.maximum(values[positive], relevance_level).astype(np.int32))
    positives = table.filter(pa.array(positive)).select(["query_id", "docid"]).append_column("grade", grades)
    if duplicates is not None:
        positives = _with_copies(positives, duplicates)
    human = QRELS.read(qrels) if qrels is not None else QRELS.rows([])
    human = human.filter(pc.is_in(human["query_id"], value_set=query_ids))
    both = pa.concat_tables([human, positives.cast(human.schema)])
    both = both.group_by(["query_id", "docid"]).aggregate([("grade", "max")])
    both = both.rename_columns(QRELS.schema.names).sort_by([("query_id", "ascending"), ("docid", "ascending")])
    if not both.num_rows:
        raise InputError("no labelled question has a judgement.", hint="look at the labels' quality file.", path=labels)
    QRELS.write(output, both.cast(QRELS.schema))
    relevant = both.filter(pc.greater_equal(both["grade"], relevance_level))
    without = len(query_ids) - pc.count_distinct(relevant["query_id"]).as_py()
    _LOG.info("%d judgements of %d labelled questions", both.num_rows, len(query_ids))
    if ignored := np.count_nonzero(is_ignored(values)):
        _LOG.info("%d passages are ignored, and count as unjudged", ignored)
    if without:
        _LOG.warning("%d labelled questions have no relevant passage", without)
    return len(query_ids)


def _with_copies(positives: pa.Table, duplicates: Path) -> pa.Table:
    """The positives and all their copies and originals, each with the highest grade."""
    copies = {
        (row["query_id"], row["docid"]): row["duplicate_of"]
        for row in iter_rows(DUPLICATES, [duplicates])
        if row["copy"]
    }
    alike: dict[tuple[str, str], list[str]] = {}
    for (query_id, docid), original in copies.items():
        alike.setdefault((query_id, original), [original]).append(docid)
    found: dict[tuple[str, str], int] = {}
    for row in positives.to_pylist():
        original = copies.get((row["query_id"], row["docid"]), row["docid"])
        members = alike.get((row["query_id"], original), [row["docid"]])
        for docid in members:
            place = (row["query_id"], docid)
            found[place] = max(row["grade"], found.get(place, 0))
    rows = [{"query_id": query_id, "docid": docid, "grade": grade} for (query_id, docid), grade in found.items()]
    return pa.Table.from_pylist(rows, schema=positives.schema)
