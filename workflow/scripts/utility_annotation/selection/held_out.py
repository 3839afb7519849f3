"""The scores that a reranker gives the labelled candidates of held-out questions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.compute as pc

from ..common.errors import InputError
from ..common.progress import Progress
from ..io.schemas import LABELS
from ..retrieval.reranking import PAIRS, score
from ..training.cross_encoder import CrossEncoder
from ..training.data import TrainingData, join
from .reliability import Places

if TYPE_CHECKING:
    from .calibration import Bools, Floats


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
                hint="in `selected.*.labels` name labels of other questions: give the two pools different parts of the "
                "questions by `datasets.*.splits.*.part`.",
                path=labels,
            )


def scored_candidates(
    model: CrossEncoder, labels: Path, pools: Sequence[Path], *, titles: bool, scratch: Path, batch_tokens: int = 0
) -> tuple[Floats, Bools, Places]:
    """Score every labelled candidate; texts come in blocks, so that memory does not grow with them.

    Args:
        model: the cross-encoder, on its device.
        labels: schema ``LABELS``.
        pools: the shards of their pool.
        titles: whether the titles of passages are read.
        scratch: a folder with room for the labelled part of the pool.
        batch_tokens: padded tokens per batch; 0 takes the device's default.

    Returns:
        Scores, whether each candidate is positive, and its question, counted from 0; shape (candidates,) each.

    Raises:
        InputError: there are no labels, they do not fit the pool, or a score is not a number.
    """
    with TemporaryDirectory(dir=scratch) as folder:
        joined = Path(folder) / "held-out.arrow"
        join(labels, pools, joined, titles=titles)
        data = TrainingData(joined)
        own = [data.candidates(place).labels for place in range(len(data))]
        sizes = np.fromiter(map(len, own), np.int64, len(own))
        questions = np.repeat(np.arange(len(data)), sizes)
        scores = np.empty(len(questions), np.float64)
        progress = Progress("scoring held-out candidates", len(questions), "candidates")
        starts = np.cumsum(sizes) - sizes
        for block in _blocks(sizes.tolist()):
            places = [(question, each) for question in block for each in range(sizes[question])]
            queries = [data.query(question) for question, _ in places]
            passages = [data.passage(*place) for place in places]
            for rows, values in score(model, queries, passages, batch_tokens=batch_tokens):
                scores[starts[block.start] + np.array(rows)] = values
                progress.add(len(rows))
        unfit = np.flatnonzero(~np.isfinite(scores))
        if len(unfit):
            candidates = data.candidates(int(questions[unfit[0]]))
            raise InputError(
                f"the score of a candidate of query {candidates.query_id!r} is not a number.",
                hint="check this model's training log: most often its loss diverged, and a lower learning rate or fp32 "
                "helps.",
            )
        return scores, np.concatenate(own) > 0, questions


def _blocks(sizes: Sequence[int]) -> Iterator[range]:
    """Consecutive questions of so many pairs together, at least one question."""
    begin = pairs = 0
    for place, size in enumerate(sizes):
        pairs += size
        if pairs >= PAIRS or place + 1 == len(sizes):
            yield range(begin, place + 1)
            begin, pairs = place + 1, 0
