"""Evaluations while a training runs: their values, what they leave alone, the best weights, the early end."""

from __future__ import annotations

import logging
import random
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
import train as script
from several import kill_with_a_checkpoint, run_processes
from test_trainer import RUN, assert_trained_alike, train, weights
from tiny_collection import BACKBONE, Collection, make_collection

from utility_annotation.common.errors import InputError
from utility_annotation.common.files import read_json
from utility_annotation.evaluation import candidates
from utility_annotation.evaluation.merged_qrels import merge_qrels
from utility_annotation.evaluation.metrics import evaluate
from utility_annotation.io.schemas import QRELS
from utility_annotation.retrieval.runs import rank
from utility_annotation.settings import Backbone
from utility_annotation.training import events, trainer
from utility_annotation.training.dev import JudgedPools
from utility_annotation.training.encoder import Encoder

DEV: dict[str, Any] = {"labels": "dev", "every": 2, "metric": "ndcg@3"}
EVALUATED = RUN | {"dev": DEV, "learning_rate": 3e-2}
CHOSEN = EVALUATED | {"epochs": 4, "dev": DEV | {"keep": "best"}}
SCRIPTED = {0: 0.1, 1: 0.5, 2: 0.2, 3: 0.4, 4: 0.6, 5: 0.3, 6: 0.2, 7: 0.6, 8: 0.1, 9: 0.2, 10: 0.9, 11: 0.2, 12: 0.3}
"""The value of each step's weights."""


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def collection(tmp_path: Path) -> Collection:
    collection = make_collection(tmp_path)
    collection.dev = make_collection(tmp_path / "dev", queries=13, prefix="dev", seed=3)
    return collection


def record(model: Path) -> dict[str, Any]:
    return read_json(model / "training.json")


def as_evaluated(dev: Collection, model: Path, metric: str, folder: Path) -> float:
    """The metric by way of the files that the workflow evaluates: qrels from the labels alone, and a run."""
    merge_qrels(None, dev.labels_path, folder / "qrels.parquet")
    encoder = Encoder.load(model, Backbone(**BACKBONE))

    def vectors(texts: list[str], kind: Any) -> torch.Tensor:
        with torch.no_grad():
            return encoder(*encoder.pad(encoder.token_ids(texts, kind)))

    found = [(row, each) for row, pool in enumerate(dev.pool.values()) for each in pool]
    queries = vectors([f"{query_id} red stone" for query_id in dev.pool], "query")
    scores = (queries[[row for row, _ in found]] * vectors([each["text"] for _, each in found], "passage")).sum(dim=1)
    docids = pa.array([each["docid"] for _, each in found])
    run = rank(list(dev.pool), np.array([row for row, _ in found]), docids, scores.numpy(), depth=100)
    return evaluate(QRELS.read(folder / "qrels.parquet"), run, [metric]).means()[metric]


@pytest.mark.parametrize("metric", ["ndcg@3", "mrr@10", "recall@2"])
def test_the_first_and_the_last_value_are_those_of_an_evaluation(collection, tiny, metric):
    model = train(collection, tiny, "run", EVALUATED | {"dev": DEV | {"metric": metric, "every": 4}})
    dev = record(model)["dev"]
    assert [step for step, _ in dev["curve"]] == [0, 4, 6]
    ends = [as_evaluated(collection.dev, folder, metric, collection.folder) for folder in (tiny, model)]
    assert [dev["curve"][0][1], dev["curve"][-1][1]] == pytest.approx(ends, rel=1e-12)
    assert ends[0] != ends[1]
    # positives a query: 0, 1, 2, 3, 0, …
    assert (dev["questions"], dev["without_positive"]) == (9, 4)
    assert dev["kept_step"] == 6


def brute_force(metric: str, hits: list[bool]) -> float:
    name, cutoff = metric.split("@")
    found = [1 / rank for rank, hit in enumerate(hits[: int(cutoff)], 1) if hit]
    if name == "mrr":
        return max(found, default=0.0)
    if name == "recall":
        return len(found) / sum(hits)
    ideal = range(1, min(sum(hits), int(cutoff)) + 1)
    return sum(1 / np.log2(1 / each + 1) for each in found) / sum(1 / np.log2(rank + 1) for rank in ideal)


@pytest.mark.parametrize("metric", ["mrr@3", "ndcg@3", "recall@3", "ndcg@10"])
def test_ties_go_by_docid_from_the_last_to_the_first(metric):
    draw = random.Random(5)
    for _ in range(20):
        sizes = [draw.randint(2, 8) for _ in range(6)]
        docids = [docid for size in sizes for docid in draw.sample([f"d{number}" for number in range(30)], size)]
        positive = [each == 0 or draw.random() < 0.3 for size in sizes for each in range(size)]
        scores = [draw.choice([0.0, 0.25, 0.5]) for _ in docids]
        rows = np.repeat(np.arange(6), sizes)
        pools = JudgedPools([f"q{row}" for row in range(6)], rows, pa.array(docids), np.array(positive))
        values = []
        for row in range(6):
            own = [place for place in range(len(docids)) if rows[place] == row]
            own.sort(key=lambda place: (scores[place], docids[place]), reverse=True)
            values.append(brute_force(metric, [positive[place] for place in own]))
        assert candidates.mean(pools, np.array(scores, np.float32), metric) == pytest.approx(np.mean(values))


@pytest.mark.parametrize(
    ("run", "performance"),
    [
        ({}, {}),
        ({"lora": {"r": 2, "dropout": 0.2}}, {"gradient_checkpointing": True}),
        ({"precision": "bf16"}, {"grad_cache_chunk": 2}),
    ],
    ids=["dropout", "adapter", "cached"],
)
def test_evaluations_leave_the_training_as_it_is(collection, tiny, run, performance):
    evaluated = train(collection, tiny, "evaluated", EVALUATED | run | {"dev": DEV | {"every": 1}}, **performance)
    torch.rand(3)
    plain = train(collection, tiny, "plain", EVALUATED | run | {"dev": None}, **performance)
    torch.testing.assert_close(weights(evaluated), weights(plain), rtol=0, atol=0)
    assert record(evaluated)["curve"] == record(plain)["curve"]
    assert "dev" not in record(plain)
    assert "dev" not in record(plain)["training"]


@pytest.fixture
def by_step(monkeypatch: pytest.MonkeyPatch) -> dict[int, dict[str, torch.Tensor]]:
    """The trained weights at each checkpoint."""
    seen: dict[int, dict[str, torch.Tensor]] = {}
    real = trainer.checkpoint.save

    def save(folder: Path, model: Any, optimizer: Any, state: Any, world: Any) -> None:
        real(folder, model, optimizer, state, world)
        seen[state.step] = {name: value.detach().clone() for name, value in trainer.checkpoint.trained(model).items()}

    monkeypatch.setattr(trainer.checkpoint, "save", save)
    return seen


def values(monkeypatch: pytest.MonkeyPatch, *given: float) -> None:
    """The evaluations of the next training give these."""
    left = iter(given)
    monkeypatch.setitem(candidates.MEANS, "dev", lambda *_: next(left))


def test_the_best_weights_become_the_model_the_earliest_of_several(collection, tiny, by_step, monkeypatch):
    values(monkeypatch, 0.1, 0.2, 0.5, 0.3, 0.5, 0.4, 0.5)
    model = train(collection, tiny, "run", CHOSEN, checkpoint_steps=1)
    dev = record(model)["dev"]
    assert dev["curve"] == [[0, 0.1], [2, 0.2], [4, 0.5], [6, 0.3], [8, 0.5], [10, 0.4], [12, 0.5]]
    assert dev["best"] == {"step": 4, "value": 0.5}
    assert dev["kept_step"] == 4
    kept = weights(model)
    for name, value in by_step[4].items():
        torch.testing.assert_close(kept[name.removeprefix("model.")], value, rtol=0, atol=0)
    assert record(model)["steps"] == record(model)["planned_steps"] == 12


def test_the_last_weights_may_be_the_best_and_the_first_ones_too(collection, tiny, by_step, monkeypatch):
    values(monkeypatch, 0.1, 0.2, 0.3, 0.4)
    last = train(collection, tiny, "last", CHOSEN | {"epochs": 2}, checkpoint_steps=6)
    assert record(last)["dev"]["kept_step"] == 6
    for name, value in by_step[6].items():
        torch.testing.assert_close(weights(last)[name.removeprefix("model.")], value, rtol=0, atol=0)
    values(monkeypatch, 0.4, 0.2, 0.3, 0.4)
    first = train(collection, tiny, "first", CHOSEN | {"epochs": 2})
    assert record(first)["dev"]["kept_step"] == 0
    torch.testing.assert_close(weights(first), weights(tiny), rtol=0, atol=0)


def test_the_best_adapter_is_merged(collection, tiny, monkeypatch):
    real: list[float] = []

    def mean(*given: Any) -> float:
        real.append(candidates.mean(*given))
        return SCRIPTED[len(real) - 1]

    monkeypatch.setitem(candidates.MEANS, "dev", mean)
    model = train(collection, tiny, "run", CHOSEN | {"lora": {"r": 2}, "epochs": 2})
    assert record(model)["dev"]["kept_step"] == 2
    value = as_evaluated(collection.dev, model, "ndcg@3", collection.folder)
    assert value == pytest.approx(real[1])
    assert value not in (pytest.approx(real[0]), pytest.approx(real[-1]))
    assert (model / "adapter" / "adapter_model.safetensors").is_file()


def test_patience_ends_the_training(collection, tiny, monkeypatch, caplog):
    values(monkeypatch, 0.1, 0.5, 0.4, 0.5, 0.3)
    caplog.set_level(logging.INFO)
    run = CHOSEN | {"dev": DEV | {"keep": "best", "every": 1, "patience": 3}}
    found = record(train(collection, tiny, "run", run))
    assert (found["steps"], found["planned_steps"]) == (4, 12)
    assert found["dev"]["kept_step"] == 1
    assert len(found["curve"]) == 4
    assert "dev ndcg@3 0.5000 after step 1 of 12; the best so far" in caplog.text
    assert "dev ndcg@3 0.3000 after step 4 of 12; the best is 0.5000 after step 1" in caplog.text
    assert "stopped after step 4 of 12: ndcg@3 has not risen since step 1, where it was 0.5000" in caplog.text


def test_without_patience_the_training_goes_on(collection, tiny, monkeypatch):
    values(monkeypatch, 0.9, *[0.1] * 12)
    run = CHOSEN | {"dev": DEV | {"keep": "best", "every": 1}}
    assert record(train(collection, tiny, "run", run))["steps"] == 12


class Stopped(Exception):
    """Stands for a kill."""


def stop(*_: Any) -> None:
    raise Stopped


@pytest.mark.parametrize("checkpoint_steps", [1, 3, 100])
@pytest.mark.parametrize("patience", [0, 4])
def test_a_training_that_was_stopped_anywhere_ends_alike(collection, tiny, monkeypatch, checkpoint_steps, patience):
    """At each of its evaluations in turn, and before the model is written."""
    run = CHOSEN | {"dev": DEV | {"keep": "best", "every": 1, "patience": patience}}
    real, step = trainer.Selection.evaluate, -1
    stops: set[int] = set()

    def evaluate_at(self: Any, encoder: Any, at: int, *, last: bool) -> float:
        nonlocal step
        step = at
        if at in stops:
            stops.remove(at)
            raise Stopped
        return real(self, encoder, at, last=last)

    monkeypatch.setattr(trainer.Selection, "evaluate", evaluate_at)
    monkeypatch.setitem(candidates.MEANS, "dev", lambda *_: SCRIPTED[step])
    whole = train(collection, tiny, "whole", run, checkpoint_steps=checkpoint_steps)
    assert record(whole)["dev"]["kept_step"] == (4 if patience else 10)
    assert record(whole)["steps"] == (8 if patience else 12)
    stops |= {1, 2, 5, 7, 8} if patience else {1, 3, 5, 9, 11, 12}
    arguments = collection.arguments(tiny, "resumed", run, {"checkpoint_steps": checkpoint_steps})
    while stops:
        with pytest.raises(Stopped):
            script.main(arguments)
    with monkeypatch.context() as patch:
        patch.setattr(trainer, "_record", stop)
        with pytest.raises(Stopped):
            script.main(arguments)
    script.main(arguments)
    resumed = collection.folder / "resumed" / "model"
    torch.testing.assert_close(weights(resumed), weights(whole), rtol=0, atol=0)
    assert record(resumed)["dev"] == record(whole)["dev"]
    assert record(resumed)["curve"] == record(whole)["curve"]


def test_the_best_weights_of_the_checkpoint_stay_though_better_ones_follow(collection, tiny, monkeypatch):
    """Other processes or another device may find other values after a kill."""
    run = CHOSEN | {"dev": DEV | {"keep": "best", "every": 1}}
    values(monkeypatch, 0.1, 0.5, *[0.2] * 11)
    whole = train(collection, tiny, "whole", run)
    arguments = collection.arguments(tiny, "resumed", run, {"checkpoint_steps": 3})
    for before in ((0.1, 0.5, 0.2, 0.2), ()):
        values(monkeypatch, *before, 0.6)
        with pytest.raises(StopIteration):
            script.main(arguments)
    values(monkeypatch, *[0.2] * 9)
    script.main(arguments)
    resumed = collection.folder / "resumed" / "model"
    assert record(resumed)["dev"] == record(whole)["dev"]
    torch.testing.assert_close(weights(resumed), weights(whole), rtol=0, atol=0)


def test_a_training_keeps_two_best_weights_at_most(collection, tiny, monkeypatch):
    """Those of the last checkpoint, and the best since then."""
    run = CHOSEN | {"dev": DEV | {"keep": "best", "every": 1}}
    there: list[list[str]] = []

    def mean(*_: Any) -> float:
        there.append(sorted(path.name for path in collection.folder.glob("run/checkpoints/*/best-*")))
        return len(there) / 20

    monkeypatch.setitem(candidates.MEANS, "dev", mean)
    train(collection, tiny, "run", run, checkpoint_steps=5)
    assert [[int(name[5:13]) for name in names] for names in there] == [
        *([], [0], [1], [2], [3], [4]),
        *([5], [5, 6], [5, 7], [5, 8], [5, 9]),
        *([10], [10, 11]),
    ]


@pytest.mark.process
def test_a_killed_training_goes_on_to_the_same_best_weights(collection, tiny):
    run = CHOSEN | {"epochs": 20}
    whole = train(collection, tiny, "whole", run)
    arguments = collection.arguments(tiny, "killed", run, {"checkpoint_steps": 7})
    left = kill_with_a_checkpoint(collection.folder / "killed" / "checkpoints", script.main, arguments)
    assert 7 <= read_json(left / "progress.json")["step"] < 60
    script.main(arguments)
    model = collection.folder / "killed" / "model"
    torch.testing.assert_close(weights(model), weights(whole), rtol=0, atol=0)
    assert record(model)["dev"] == record(whole)["dev"]


@pytest.mark.process
def test_two_processes_evaluate_alike_and_stop_together(collection, tiny_still):
    """The model barely changes, so that the first evaluation stays the best."""
    run = CHOSEN | {"learning_rate": 1e-9, "dev": DEV | {"keep": "best", "patience": 2}}
    run_processes(2, script.main, collection.arguments(tiny_still, "together", run, {"grad_cache_chunk": 3}))
    together, alone = collection.folder / "together" / "model", train(collection, tiny_still, "alone", run)
    assert_trained_alike(together, alone)
    found = record(together)
    assert found["processes"] == 2
    assert found["dev"] == record(alone)["dev"]
    assert found["steps"] == 4
    torch.testing.assert_close(weights(together), weights(tiny_still), rtol=0, atol=0)


def test_questions_that_are_trained_on_are_refused(collection, tiny):
    for number in (1, 2):
        collection.dev.pool[f"q{number}"] = collection.dev.pool.pop(f"dev{number}")
        collection.dev.labels[f"q{number}"] = collection.dev.labels.pop(f"dev{number}")
    collection.dev.write()
    with pytest.raises(InputError, match=r"2 of the 13 questions of `trainings\.\*\.dev\.labels` .*Fix: .*\.part`"):
        train(collection, tiny, "run", EVALUATED)


def test_questions_of_other_data_may_have_the_same_ids(collection, tiny):
    """The questions of the collections differ in their words, too."""
    collection.dev.pool = {query_id.replace("dev", "q"): pool for query_id, pool in collection.dev.pool.items()}
    collection.dev.labels = {query_id.replace("dev", "q"): labels for query_id, labels in collection.dev.labels.items()}
    collection.dev.query = "{} green cloud"
    collection.dev.write()
    assert record(train(collection, tiny, "run", EVALUATED))["dev"]["questions"] == 9


def test_dev_questions_without_any_positive_are_refused(collection, tiny):
    for labels in collection.dev.labels.values():
        labels.update(dict.fromkeys(labels, 0.0))
    collection.dev.write()
    with pytest.raises(InputError, match=r"no question of `trainings\.\*\.dev\.labels` has a positive"):
        train(collection, tiny, "run", EVALUATED)


def test_other_dev_labels_make_another_training(collection, tiny, monkeypatch):
    """A checkpoint with a curve by other labels is not taken up."""
    with monkeypatch.context() as patch:
        patch.setattr(trainer, "_record", stop)
        with pytest.raises(Stopped):
            train(collection, tiny, "run", EVALUATED, checkpoint_steps=1)
    for docid in collection.dev.labels["dev0"]:
        collection.dev.labels["dev0"][docid] = 1.0
    collection.dev.write()
    assert record(train(collection, tiny, "run", EVALUATED, checkpoint_steps=1))["dev"]["questions"] == 10


def test_a_training_with_dev_needs_its_files(collection, tiny):
    collection.dev = None
    with pytest.raises(InputError, match="give --dev-labels and --dev-pool"):
        train(collection, tiny, "run", EVALUATED)


def test_the_record_has_the_time_of_the_evaluations(collection, tiny, monkeypatch):
    real = candidates.mean

    def slow(*given: Any) -> float:
        time.sleep(0.1)
        return real(*given)

    monkeypatch.setitem(candidates.MEANS, "dev", slow)
    found = record(train(collection, tiny, "run", EVALUATED))
    assert found["effort"]["evaluation_seconds"] >= 0.4
    assert found["effort"]["queries_per_second"] > 14 / found["seconds"]


NAMES = ("loss", "learning_rate")


class Recorder:
    """What TensorBoard's writer was told."""

    told: list[Any]

    def __init__(self, folder: str, purge_step: int) -> None:
        Recorder.told = [(Path(folder).name, purge_step)]

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def add_scalar(self, name: str, value: float, step: int) -> None:
        Recorder.told.append((step, name, value))


def test_the_course_of_a_training_is_told_step_by_step(collection, tiny, monkeypatch):
    monkeypatch.setattr(events, "library", lambda log_to: Recorder)
    found = record(train(collection, tiny, "run", EVALUATED, log_to="tensorboard"))
    folder, *told = Recorder.told
    assert folder == ("tensorboard", 0)
    losses = [(step, name, value) for step, _, *both in found["curve"] for name, value in zip(NAMES, both, strict=True)]
    assert [each for each in told if each[1] in NAMES] == losses
    assert [each for each in told if each[1] not in NAMES] == [
        (step, "dev ndcg@3", value) for step, value in found["dev"]["curve"]
    ]


def test_what_comes_after_the_checkpoint_is_purged():
    with events.written(Recorder, Path("folder"), 7):
        assert Recorder.told == [("folder", 8)]


def test_tensorboard_must_be_there_before_the_training_starts(collection, tiny, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    for name in [name for name in sys.modules if name.startswith("torch.utils.tensorboard")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(
        InputError, match=r"`performance\.train\.log_to` is .*Fix: .*\(pip install tensorboard\), or set"
    ):
        train(collection, tiny, "run", EVALUATED, log_to="tensorboard")
    assert not (collection.folder / "run" / "checkpoints").exists()


def test_tensorboard_reads_the_files(collection, tiny):
    accumulators = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    train(collection, tiny, "run", EVALUATED, log_to="tensorboard")
    events_there = accumulators.EventAccumulator(str(collection.folder / "run" / "tensorboard"))
    events_there.Reload()
    assert [scalar.step for scalar in events_there.Scalars("loss")] == [1, 2, 3, 4, 5, 6]
    assert [scalar.step for scalar in events_there.Scalars("dev ndcg@3")] == [0, 2, 4, 6]
