"""The labelled scores by which a reranker is calibrated: of questions that it was not trained on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..common.errors import InputError
from ..io.label_values import is_ignored, is_positive
from ..io.schemas import LABELS, SCORES

if TYPE_CHECKING:
    from ..labels.calibration import Bools, Floats
    from .reliability import Places


def check_held_out(labels: Path, trained: Iterable[Path]) -> None:
    """Stop where the reranker was trained on questions of the labels.

    Raises:
        InputError: a label file of its training has a question of theirs.
    """
    asked = LABELS.read(labels, ["query_id"])["query_id"].unique()
    for path in trained:
        shared = asked.filter(pc.is_in(asked, value_set=LABELS.read(path, ["query_id"])["query_id"].unique()))
        if len(shared):
            raise InputError(
                f"{len(shared):,} of the {len(asked):,} questions of {labels.stem!r} are trained on too ({path.stem}), "
                f"such as {shared[0].as_py()!r}.",
                hint="calibrate by labels of other questions: give the two pools different parts of the questions by "
                "`datasets.*.splits.*.part`, or by `percent` of a pool of format pool.",
                path=labels,
            )


def labelled_scores(labels: Path, scores: Sequence[Path]) -> tuple[Floats, Bools, Places]:
    """The score of every candidate that the labels do not ignore.

    Args:
        labels: schema ``LABELS``.
        scores: schema ``SCORES``, of every shard of their pool.

    Returns:
        Scores, whether each candidate is positive, and its question, counted from 0; shape (candidates,) each.

    Raises:
        InputError: a labelled candidate has no score.
    """
    keys = ["query_id", "docid"]
    table = LABELS.read(labels, [*keys, "label"])
    table = table.append_column("place", pa.array(np.arange(table.num_rows)))
    known = pa.concat_tables([SCORES.read(path) for path in scores])
    joined = table.join(known, keys, join_type="left outer").sort_by("place")
    unknown = joined.filter(pc.is_null(joined["score"]))
    if unknown.num_rows:
        raise InputError(
            f"passage {unknown['docid'][0]} of query {unknown['query_id'][0]} is labelled, but has no score.",
            hint=f"delete the label file and the folder {scores[0].parent}, and run the target again, which makes "
            "both.",
            path=labels,
        )
    joined = joined.filter(pa.array(~is_ignored(joined["label"].to_numpy())))
    questions = pc.index_in(joined["query_id"], value_set=joined["query_id"].unique()).to_numpy()
    positive = is_positive(joined["label"].to_numpy())
    return joined["score"].to_numpy().astype(np.float64), positive, questions.astype(np.int64)
