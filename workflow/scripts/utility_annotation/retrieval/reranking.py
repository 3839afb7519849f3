"""Order the first passages of a ranking again, by a model that scores pairs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch

from ..common.errors import InputError
from ..common.progress import Progress
from ..io.passages import PassageStore
from ..io.schemas import RUN, passage_text
from ..training.encoder import length_batches
from .encoding import BATCH_TOKENS, mapping
from .runs import questions_of, rank_again, search_again
from .scorers import PairScorer

PAIRS = 8192
"""Pairs tokenised and sorted by length at a time: whole queries of so many pairs, at least one query."""


def score(
    model: PairScorer, queries: Sequence[str], passages: Sequence[str], *, batch_tokens: int = 0
) -> Iterator[tuple[list[int], npt.NDArray[np.float32]]]:
    """Score each query with the passage at its place, in batches of similar length, longest first.

    The transformer runs in bf16 on a GPU and in fp32 on a CPU, where each of torch's threads takes its own batch.

    Args:
        model: a reranker or a retriever, on its device.
        queries, passages: the texts.
        batch_tokens: padded tokens per batch; 0 takes the device's default.

    Yields:
        The places of a batch's pairs, and their scores.
    """
    device = next(model.parameters()).device
    pairs = model.token_ids(queries, passages)
    batches = length_batches(map(len, pairs), batch_tokens or BATCH_TOKENS[device.type])

    def scores(rows: list[int]) -> npt.NDArray[np.float32]:
        inputs = model.pad([pairs[row] for row in rows])
        with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            found: npt.NDArray[np.float32] = model(*(tensor.to(device) for tensor in inputs))[:, 0].cpu().numpy()
        return found

    with mapping(device) as each:
        yield from zip(batches, each(scores, batches), strict=True)


def rerank(
    model: PairScorer, run: Path, queries: Path, corpus: Path, *, depth: int, scratch: Path, batch_tokens: int = 0
) -> pa.Table:
    """A run whose first ``depth`` passages per query are ordered by the model's score.

    The others follow in their order. Their scores fall by 1 each from the lowest new one, so that the scores say the
    order too. The texts are read block by block, so the process's own memory does not grow with the pairs. Pages of the
    mapped corpus come on top, and the system can take them back.

    Args:
        model: a reranker or a retriever, on its device.
        run: the ranking, of schema ``RUN``.
        queries: schema ``QUERIES``.
        corpus: schema ``CORPUS``.
        depth: passages per query that are scored.
        scratch: a folder with room for the uncompressed corpus.
        batch_tokens: padded tokens per batch; 0 takes the device's default.

    Returns:
        A table of schema ``RUN``, with the run's queries and passages.

    Raises:
        InputError: the run has a query or a passage that its file lacks; a score is not a number.
    """
    table = RUN.read(run)
    query_ids = table["query_id"].unique().to_pylist()
    places = {query_id: place for place, query_id in enumerate(query_ids)}
    rows = np.fromiter((places[query_id] for query_id in table["query_id"].to_pylist()), np.int64, table.num_rows)
    ranks = table["rank"].to_numpy()
    docids = table["docid"].combine_chunks()
    texts = questions_of(run, query_ids, queries)
    first = np.flatnonzero(ranks <= depth)
    scores = np.empty(table.num_rows, np.float32)
    progress = Progress("reranking", len(first), "passages")
    with PassageStore(corpus, scratch) as store:
        for block in _blocks(rows[first]):
            scored = first[block]
            wanted = docids.take(pa.array(scored)).to_pylist()
            found = store.find(wanted)
            if lacking := sorted(set(wanted) - found.keys()):
                raise InputError(
                    f"the run has passage {lacking[0]!r}, which the corpus lacks.", hint=search_again(run), path=run
                )
            questions = [texts[query_ids[row]] for row in rows[scored]]
            passages = [passage_text(*found[docid]) for docid in wanted]
            for batch, values in score(model, questions, passages, batch_tokens=batch_tokens):
                unfit = np.flatnonzero(~np.isfinite(values))
                if len(unfit):
                    place = batch[unfit[0]]
                    raise InputError(
                        f"the score of query {query_ids[rows[scored[place]]]!r} with passage {wanted[place]!r} is not "
                        "a number.",
                        hint="check this model's training log: most often its loss diverged, and a lower learning rate "
                        "or fp32 helps.",
                    )
                scores[scored[batch]] = values
                progress.add(len(batch))
    return rank_again(query_ids, rows, docids, ranks, scores, depth=depth)


def _blocks(rows: npt.NDArray[np.int64]) -> Iterator[slice]:
    """Consecutive places, whole queries together."""
    starts = np.flatnonzero(np.diff(rows, prepend=-1))
    begin = 0
    for start in [*starts[1:].tolist(), len(rows)]:
        if start - begin >= PAIRS or start == len(rows):
            yield slice(begin, start)
            begin = start
