"""Who is positive and negative for whom."""

from __future__ import annotations

import numpy as np
import torch

from utility_annotation.training.batches import pairs, queries_and_passages
from utility_annotation.training.data import Candidates
from utility_annotation.training.sampling import Draw


def candidates(query_id: str, docids: str, labels: list[float]) -> Candidates:
    none = np.zeros(len(docids))
    return Candidates(query_id, list(docids), np.array(labels, np.float32), none.astype(bool), none.astype(np.int32))


def roles(batch, pools, query: int) -> dict[str, str]:
    """docid → p, n or x, for one query."""
    names = [pools[owner].docids[candidate] for owner, candidate in batch.passages]
    return {
        docid: "p" if positive else "n" if negative else "x"
        for docid, positive, negative in zip(
            names, batch.positives[query].tolist(), batch.negatives[query].tolist(), strict=True
        )
    }


def test_only_a_querys_own_positives_are_positive_and_shared_ones_are_masked():
    pools = [candidates("a", "stuv", [1, 1, 0, 0]), candidates("b", "wtux", [1, 0, 0, 0])]
    # a draws s of its positives s and t; b draws t, which is a labelled positive of a, as a negative
    draws = [Draw((0,), (2,), (0, 1)), Draw((0,), (1, 2), (0,))]
    batch = queries_and_passages(pools, draws)
    assert roles(batch, pools, 0) == {"s": "p", "u": "n", "w": "n", "t": "x"}
    assert roles(batch, pools, 1) == {"s": "n", "u": "n", "w": "p", "t": "n"}


def test_a_positive_of_two_queries_is_positive_for_both():
    pools = [candidates("a", "st", [1, 0]), candidates("b", "us", [0, 1])]
    batch = queries_and_passages(pools, [Draw((0,), (1,), (0,)), Draw((1,), (0,), (1,))])
    assert roles(batch, pools, 0) == {"s": "p", "t": "n", "u": "n"}
    assert roles(batch, pools, 1) == {"s": "p", "t": "n", "u": "n"}


def test_a_passage_drawn_twice_stands_there_once():
    pools = [candidates("a", "st", [1, 0]), candidates("b", "ut", [1, 0]), candidates("c", "vt", [1, 0])]
    batch = queries_and_passages(pools, [Draw((0,), (1,), (0,))] * 3)
    assert [pools[owner].docids[candidate] for owner, candidate in batch.passages] == ["s", "t", "u", "v"]
    assert batch.negatives.sum(dim=1).tolist() == [3, 3, 3]


def test_labels_stand_beside_drawn_positives_only():
    pools = [candidates("a", "st", [-2.5, -1.5]), candidates("b", "tu", [-7.0, -8.0])]
    batch = queries_and_passages(pools, [Draw((0, 1), (), (0, 1)), Draw((0,), (), (0, 1))])
    assert batch.labels.tolist() == [[-2.5, -1.5], [0.0, -7.0]]
    assert batch.positives.tolist() == [[True, True], [False, True]]


def test_in_a_batch_of_pairs_a_query_has_its_own_passages_alone():
    pools = [candidates("a", "stuv", [1, 1, 0, 0]), candidates("b", "wtux", [1, 0, 0, 0])]
    batch = pairs(pools, [Draw((0, 1), (2,), (0, 1)), Draw((0,), (1,), (0,))])
    assert batch.pairs == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)]
    assert batch.positives.tolist() == [[True, True, False], [True, False, False]]
    assert batch.negatives.tolist() == [[False, False, True], [False, True, False]]
    scores = batch.scores(torch.tensor([[1.0], [2.0], [3.0], [4.0], [5.0]]))
    assert scores.tolist() == [[1, 2, 3], [4, 5, 0]]


def test_a_pairs_label_stands_in_its_column():
    pools = [candidates("a", "stu", [-1.5, -2.5, -3.5])]
    batch = pairs(pools, [Draw((2, 0), (), ())])
    assert batch.labels.tolist() == [[-3.5, -1.5]]
