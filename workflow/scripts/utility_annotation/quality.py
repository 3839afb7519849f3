"""How a label set compares with the human positives of its pool, and what became of its annotation.

Precision and recall are counted over all queries together (micro), as the paper's table 1 must be: with one human
positive a query its precision equals recall divided by the mean number of positives (Qwen, relsel: 92.8 / 6.2 = 15.0),
whereas a mean of the queries' own precisions would be larger wherever those numbers vary.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .configuration import Name, Settings
from .contracts import ANNOTATION, LABELS, OUTCOMES
from .labels import read_candidates


class QualitySettings(Settings):
    """Which label set is looked at."""

    labels: Name
    source: Literal["human", "relsel", "utilsel", "utilrank", "replug"]
    annotator: Name | None = None


def label_quality(
    settings: QualitySettings, labels: Path | str, pools: Sequence[Path | str], annotations: Sequence[Path | str]
) -> dict[str, Any]:
    """The figures of one label set, ready for JSON; shares are in percent.

    ``selection`` (all sources but replug) holds precision and recall of the human positives among the label set's
    positives, the mean number of positives a query and its distribution (queries with 0, 1, 2, … positives).
    ``ranking`` (replug) says where the human positives stand when a query's candidates are sorted by likelihood.
    ``annotation`` counts what the last stage's replies were and cost; it is null for human labels.
    """
    table = LABELS.read(labels, ["query_id", "docid", "label"])
    human = pa.concat_tables([_human_positives(pool) for pool in pools])
    judged = human.join(table, keys=["query_id", "docid"], join_type="inner")
    rankings = settings.source == "replug"
    return {
        **settings.model_dump(),
        "queries": pc.count_distinct(table["query_id"]).as_py(),
        "candidates": table.num_rows,
        "human_positives": judged.num_rows,
        "selection": None if rankings else _selection(table, judged),
        "ranking": _ranking(table, judged) if rankings else None,
        "annotation": _annotation(annotations) if annotations else None,
    }


def _human_positives(pool: Path | str) -> pa.Table:
    """query_id and docid of the human positives of a pool shard."""
    candidates = read_candidates(pool)
    entries = pc.list_flatten(candidates["candidates"].combine_chunks())
    lengths = pc.list_value_length(candidates["candidates"]).to_numpy()
    rows = pa.array(np.repeat(np.arange(candidates.num_rows), lengths))
    human = pc.struct_field(entries, "human")
    return pa.table(
        {
            "query_id": candidates["query_id"].take(rows.filter(human)),
            "docid": pc.struct_field(entries, "docid").filter(human),
        }
    )


def _selection(table: pa.Table, judged: pa.Table) -> dict[str, Any]:
    positive = pc.greater(table["label"], 0).cast(pa.int64())
    by_query = (
        pa.table({"query_id": table["query_id"], "positive": positive})
        .group_by("query_id")
        .aggregate([("positive", "sum")])
    )
    counts = by_query["positive_sum"].to_numpy()
    hits = int(np.count_nonzero(judged["label"].to_numpy() > 0))
    return {
        "precision": _percent(hits, int(counts.sum())),
        "recall": _percent(hits, judged.num_rows),
        "positives_per_query": float(counts.mean()),
        "distribution": np.bincount(counts).tolist(),
    }


def _ranking(table: pa.Table, judged: pa.Table) -> dict[str, Any]:
    """Ranks of each query's best human positive; a candidate of equal likelihood counts as ranked before it."""
    best = judged.group_by("query_id").aggregate([("label", "max")])
    place = pc.index_in(table["query_id"], value_set=best["query_id"])
    rows = pc.fill_null(place, -1).to_numpy()
    labels, known = table["label"].to_numpy(), rows >= 0
    ahead = known & (labels >= best["label_max"].to_numpy()[rows]) if best.num_rows else known
    ranks = np.bincount(rows[ahead], minlength=best.num_rows)
    return {
        "human_first": _percent(int(np.count_nonzero(ranks == 1)), len(ranks)),
        "human_mean_reciprocal_rank": _percent((1 / ranks).sum(), len(ranks)),
        "human_mean_rank": float(ranks.mean()) if len(ranks) else None,
    }


def _annotation(annotations: Sequence[Path | str]) -> dict[str, Any]:
    columns = ["outcome", "whole_pool", "prompt_tokens", "completion_tokens"]
    rows = pa.concat_tables([ANNOTATION.read(path, columns) for path in annotations])
    counts = {count["values"]: count["counts"] for count in pc.value_counts(rows["outcome"]).to_pylist()}
    return {
        "queries": rows.num_rows,
        "outcomes": {outcome: counts.get(outcome, 0) for outcome in OUTCOMES},
        "whole_pool": pc.sum(rows["whole_pool"].cast(pa.int64())).as_py() or 0,
        "prompt_tokens": pc.sum(rows["prompt_tokens"]).as_py() or 0,
        "completion_tokens": pc.sum(rows["completion_tokens"]).as_py() or 0,
    }


def _percent(part: float, whole: float) -> float | None:
    return float(100 * part / whole) if whole else None
