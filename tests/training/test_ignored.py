"""Passages that the labels ignore: never drawn, and without gradient wherever another query brings them in."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from several import run_processes
from test_trainer import RUN, train
from tiny_collection import BACKBONE, Collection, make_collection

from utility_annotation.common.files import read_json
from utility_annotation.io.label_values import IGNORED, is_ignored
from utility_annotation.settings import Backbone, Reranker, Training
from utility_annotation.training.batches import Batch, queries_and_passages
from utility_annotation.training.data import Candidates
from utility_annotation.training.encoder import Encoder
from utility_annotation.training.gradients import Pass, backward
from utility_annotation.training.kinds import KINDS
from utility_annotation.training.losses import LOSSES
from utility_annotation.training.processes import processes
from utility_annotation.training.sampling import Draw, draw

HARD = [name for name, loss in LOSSES.items() if not loss.soft_labels]
VALUES = st.sampled_from([1.0, 0.0, IGNORED])


@st.composite
def labelled_queries(draw: st.DrawFn) -> list[Candidates]:
    """Queries with passages of one small stock, so that each meets the passages of the others."""
    found = []
    for number in range(draw(st.integers(2, 4))):
        docids = draw(st.lists(st.sampled_from("abcdefgh"), min_size=2, max_size=6, unique=True))
        labels = np.array([draw(VALUES) for _ in docids], np.float32)
        human = np.array([draw(st.booleans()) for _ in docids])
        found.append(Candidates(f"q{number}", docids, labels, human, np.zeros(len(docids), np.int32)))
    return found


def drawn(queries: list[Candidates], training: Training) -> list[Draw]:
    return [draw(each.query_id, each.labels, each.human, each.ranks, training, epoch=0, average=2) for each in queries]


def gradient_of(loss: str, batch: Batch, scores: torch.Tensor) -> torch.Tensor:
    scores = scores.clone().requires_grad_()
    LOSSES[loss].function(scores, batch.positives, batch.negatives).backward()
    assert scores.grad is not None
    return scores.grad


@pytest.mark.parametrize("loss", HARD)
@settings(max_examples=60)
@given(queries=labelled_queries(), seed=st.integers(0, 9))
def test_an_ignored_passage_has_no_gradient_from_its_query_under_any_loss(
    loss: str, queries: list[Candidates], seed: int
) -> None:
    draws = drawn(queries, Training(labels="l", loss=loss, train_group_size=3))
    assume(any(each.positives or each.negatives for each in draws))
    batch = queries_and_passages(queries, draws)
    docids = [queries[owner].docids[place] for owner, place in batch.passages]
    doubts = [set(np.array(query.docids)[is_ignored(query.labels)]) for query in queries]
    ignored = torch.tensor([[docid in own for docid in docids] for own in doubts])
    scores = 3 * torch.randn(ignored.shape, generator=torch.Generator().manual_seed(seed))
    gradient = gradient_of(loss, batch, scores)
    assert (gradient[ignored] == 0).all()
    moved = torch.where(ignored, scores + 50, scores)  # nor does its score change what others get
    torch.testing.assert_close(gradient_of(loss, batch, moved), gradient)


@pytest.mark.parametrize("kind", [Backbone, Reranker])
@pytest.mark.parametrize("loss", HARD)
@settings(max_examples=30)
@given(queries=labelled_queries())
def test_an_ignored_passage_is_never_drawn_nor_among_the_own_passages_of_a_batch(
    kind: type, loss: str, queries: list[Candidates]
) -> None:
    draws = drawn(queries, Training(labels="l", loss=loss, train_group_size=4))
    assume(any(each.positives or each.negatives for each in draws))
    batch = KINDS[kind.__name__].batch(queries, draws)
    for row, (query, each) in enumerate(zip(queries, draws, strict=True)):
        own = [*each.positives, *each.negatives]
        assert not is_ignored(query.labels[own]).any()
        taken = batch.positives[row] | batch.negatives[row]
        assert len(batch.columns[row]) == len(own) == int(taken[batch.columns[row]].sum())


def write_gradients(model: Path, label: float, doubtful: str, output: Path) -> None:
    """The gradients of a query whose third passage, of this label and text, another query brings into the batch, by
    every loss.

    The other query has no positive, and so no loss of its own.
    """

    def candidates(query_id: str, docids: str, labels: list[float]) -> Candidates:
        values, human = np.array(labels, np.float32), np.array(labels) == 1
        return Candidates(query_id, list(docids), values, human, np.zeros(len(labels), np.int32))

    queries = [candidates("a", "pnx", [1.0, 0.0, label]), candidates("b", "x", [0.0])]
    texts = {"p": "red stone", "n": "green river light", "x": doubtful}
    found: dict[str, torch.Tensor] = {}
    with processes("cpu") as world:
        encoder = Encoder.load(model, Backbone(**BACKBONE)).train()
        for name in HARD:
            batch = queries_and_passages(queries, drawn(queries, Training(labels="l", loss=name, train_group_size=2)))
            everything = ["red stone", "blue", *(texts[queries[owner].docids[each]] for owner, each in batch.passages)]
            encoder.zero_grad()
            backward(
                encoder,
                encoder.token_ids([everything[text] for text in world.share(len(everything))], "passage"),
                len(everything),
                partial(loss_of, name, batch),
                Pass(0, "fp32", seed=3),
                world,
                step=0,
            )
            for parameter, value in encoder.named_parameters():
                if value.grad is not None:
                    found[f"{name} {parameter}"] = value.grad.clone()
        output.mkdir(exist_ok=True)
        save_file(found, output / str(world.rank))


def loss_of(name: str, batch: Batch, vectors: torch.Tensor) -> torch.Tensor:
    return LOSSES[name].function(batch.scores(vectors) / 8, batch.positives, batch.negatives)


def gradients(count: int, model: Path, label: float, doubtful: str, output: Path) -> dict[str, torch.Tensor]:
    """Of the last of so many processes."""
    if count == 1:
        write_gradients(model, label, doubtful, output)
    else:
        run_processes(count, write_gradients, model, label, doubtful, output)
    return load_file(output / str(count - 1))


@pytest.mark.parametrize("count", [1, pytest.param(2, marks=pytest.mark.process)])
def test_the_text_of_an_ignored_passage_changes_no_gradient_on_any_device(tiny_still, tmp_path, count):
    one, other = (
        gradients(count, tiny_still, IGNORED, text, tmp_path / text[:3]) for text in ("dark night", "old bridge tower")
    )
    for loss in HARD:
        assert max(value.abs().max() for name, value in one.items() if name.startswith(f"{loss} ")) > 1e-3
    torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_the_text_of_a_negative_does_change_the_gradient_of_every_loss(tiny_still, tmp_path):
    one, other = (
        gradients(1, tiny_still, 0.0, text, tmp_path / text[:3]) for text in ("dark night", "old bridge tower")
    )
    for loss in HARD:
        assert max((one[name] - other[name]).abs().max() for name in one if name.startswith(f"{loss} ")) > 1e-3


def with_doubts(collection: Collection) -> int:
    """Ignore the first negative of each query; return how many of them are of queries with a positive."""
    number = 0
    for labels in collection.labels.values():
        labels[next(docid for docid, label in labels.items() if not label)] = IGNORED
        number += 1.0 in labels.values()
    collection.write()
    return number


def test_a_training_counts_what_its_labels_ignore(collection, tiny):
    ignored = with_doubts(collection)
    record = read_json(train(collection, tiny, "run") / "training.json")
    assert record["ignored_passages"] == ignored > 3


def test_dev_questions_are_ranked_without_what_their_labels_ignore(tmp_path, tiny):
    """The curve is that of pools which do not have these passages."""
    curves = []
    for name in ("ignored", "absent"):
        collection = make_collection(tmp_path / name)
        dev = collection.dev = make_collection(tmp_path / name / "dev", queries=13, prefix="dev", seed=3)
        number = with_doubts(dev)
        if name == "absent":
            for query_id, labels in dev.labels.items():
                kept = {docid: label for docid, label in labels.items() if label != IGNORED}
                dev.pool[query_id] = [each for each in dev.pool[query_id] if each["docid"] in kept]
                dev.labels[query_id] = kept
            dev.write()
        model = train(collection, tiny, "run", RUN | {"dev": {"labels": "dev", "every": 2, "metric": "ndcg@3"}})
        record = read_json(model / "training.json")["dev"]
        assert record["ignored_passages"] == (number if name == "ignored" else 0)
        curves.append([value for _, value in record["curve"]])
    assert curves[0] == curves[1]
    assert len(curves[0]) > 2
