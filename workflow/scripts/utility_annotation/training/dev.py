"""Evaluation while a training runs, on questions that are not trained on; the best weights; the end before the plan's.

Each question's pool is ranked by the encoder as it is. An evaluation draws nothing at random and leaves no gradient, so
it does not change what the training makes.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch

from ..common.errors import InputError
from ..io.label_values import is_ignored, is_positive
from ..settings import Dev
from . import checkpoint
from .batches import Batch
from .data import TrainingData
from .gradients import Pass, autocast
from .kinds import Kind, Model
from .processes import World
from .sampling import Draw

_QUESTIONS = 128
"""Questions that are encoded together with their candidates. A passage that several of them have is encoded once."""


@dataclass(frozen=True)
class JudgedPools:
    """The candidates of some questions, one question after the other; ignored ones are left out.

    Attributes:
        query_ids: the questions.
        query_rows: the question of each candidate, as a position in ``query_ids``; shape (candidates,).
        docids: the candidates.
        positive: whether each is a positive; shape (candidates,).
    """

    query_ids: list[str]
    query_rows: npt.NDArray[np.int64]
    docids: pa.Array
    positive: npt.NDArray[np.bool_]


Mean = Callable[[JudgedPools, npt.NDArray[np.float32], str], float]
"""From pools, the candidates' scores and a metric to its mean over the questions."""


@dataclass(frozen=True)
class DevInputs:
    """What a training is evaluated on.

    Attributes:
        labels: the labels.
        pools: the shards of the labelled pool.
        titles: whether the titles of passages are read.
        mean: computes the metric.
    """

    labels: Path
    pools: tuple[Path, ...]
    titles: bool
    mean: Mean


@dataclass(frozen=True)
class _Block:
    """Some questions with their candidates.

    Attributes:
        batch: how they go through the model.
        tokens: of each text.
        chunks: the texts that go through together.
        rows, columns: the score of each candidate in the batch; shape (candidates here,).
        places: the places of these candidates among all.
    """

    batch: Batch
    tokens: list[Any]
    chunks: list[list[int]]
    rows: torch.Tensor
    columns: torch.Tensor
    places: torch.Tensor


class DevSet:
    """The dev questions that have a positive; each process encodes a share of them.

    What the labels ignore is in no ranking: it is neither a hit nor before one. All texts become tokens here. Later the
    tokenizer belongs to the thread that prepares the next batch.

    Raises:
        InputError: no question has a positive, or some are trained on.
    """

    def __init__(
        self, data: TrainingData, trained_on: TrainingData, model: Model, kind: Kind, how: Pass, world: World
    ) -> None:
        shared = len(data.questions() & trained_on.questions())
        if shared:
            raise InputError(
                f"{shared:,} of the {len(data):,} questions of `trainings.*.dev.labels` are trained on too.",
                hint="label other questions: give the two pools different parts of the questions by "
                "`datasets.*.splits.*.part`, such as {percent: [0, 90]} and {percent: [90, 100]}.",
            )
        pools = {place: data.candidates(place) for place in range(len(data))}
        pools = {place: pool for place, pool in pools.items() if is_positive(pool.labels).any()}
        if not pools:
            raise InputError(
                "no question of `trainings.*.dev.labels` has a positive.", hint="name another label set there."
            )
        kept = [np.flatnonzero(~is_ignored(pool.labels)) for pool in pools.values()]
        sizes = np.array(list(map(len, kept)))
        self.skipped = len(data) - len(pools)
        self.ignored = sum(len(pool.docids) for pool in pools.values()) - int(sizes.sum())
        self.pools = JudgedPools(
            [pool.query_id for pool in pools.values()],
            np.repeat(np.arange(len(pools)), sizes),
            pa.array([pool.docids[each] for pool, own in zip(pools.values(), kept, strict=True) for each in own]),
            np.concatenate([is_positive(pool.labels[own]) for pool, own in zip(pools.values(), kept, strict=True)]),
        )
        self._how, self._world = how, world
        rows, starts, share = list(pools), np.cumsum(sizes) - sizes, world.share(len(pools))
        self._blocks = []
        for first in range(0, len(share), _QUESTIONS):
            block = share[first : first + _QUESTIONS]
            everything = [Draw(tuple(kept[question].tolist()), (), ()) for question in block]
            batch = kind.batch([pools[rows[question]] for question in block], everything)
            tokens = batch.token_ids(model, data, [rows[question] for question in block], range(batch.texts))
            self._blocks.append(
                _Block(
                    batch,
                    [array("i", each) if isinstance(each, list) else each for each in tokens],
                    how.chunks(list(map(len, tokens)), world.device),
                    torch.from_numpy(np.repeat(np.arange(len(block)), sizes[block])),
                    torch.tensor([column for columns in batch.columns for column in columns]),
                    torch.from_numpy(np.concatenate([starts[each] + np.arange(sizes[each]) for each in block])),
                )
            )

    @torch.no_grad()
    def scores(self, encoder: Model) -> npt.NDArray[np.float32]:
        """The score of every candidate, the same in each process; shape (candidates,)."""
        device = self._world.device
        scores = torch.zeros(len(self.pools.docids), device=device)
        idle = self._how.idle_passes(sum(len(block.chunks) for block in self._blocks), self._world)
        encoder.eval()
        for block in self._blocks:
            vectors = torch.empty(block.batch.texts, encoder.dimension, device=device)
            for chunk in block.chunks:
                inputs = encoder.pad([block.tokens[text] for text in chunk])
                with autocast(device, self._how.precision):
                    vectors[chunk] = encoder(*(tensor.to(device) for tensor in inputs))
            found = block.batch.scores(vectors)
            scores[block.places.to(device)] = found[block.rows.to(device), block.columns.to(device)]
        for _ in range(idle):
            with autocast(device, self._how.precision):
                encoder.idle(device)
        encoder.train()
        self._world.sum(scores)
        return scores.cpu().numpy()


class Selection:
    """The evaluations of a training: their curve, the weights of the best one, and whether to stop.

    The weights are files beside the checkpoints. Those of the best evaluation up to the last checkpoint stay until the
    next one, so that a killed training can go on from there.

    Args:
        settings: the settings.
        dev: the questions.
        mean: computes the metric.
        folder: the scratch folder.
        curve: step and value of each evaluation; it grows.
        world: the processes.
    """

    def __init__(
        self, settings: Dev, dev: DevSet, mean: Mean, folder: Path, curve: list[list[float]], world: World
    ) -> None:
        self.settings, self._dev, self._mean = settings, dev, mean
        self._folder, self._curve, self._world = folder, curve, world
        self.at_checkpoint()

    def evaluate(self, encoder: Model, step: int, *, last: bool) -> float:
        """Evaluate after a step; keep the weights if they are the best so far, but not those of the last step."""
        scores = self._dev.scores(encoder)
        mean = torch.zeros(1, dtype=torch.float64, device=self._world.device)
        if self._world.rank == 0:
            mean[0] = self._mean(self._dev.pools, scores, self.settings.metric)
        self._world.sum(mean)
        self._curve.append([step, mean.item()])
        if self.settings.keep == "best" and self.best[0] == step and not last:
            checkpoint.save_weights(self._file(step), encoder, self._world)
            self._remove_all_but(step, self._needed)
        return mean.item()

    @property
    def best(self) -> tuple[int, float]:
        """Step and value of the best evaluation, the earliest of several."""
        step, value = max(self._curve, key=lambda row: row[1])
        return int(step), value

    @property
    def stopped(self) -> bool:
        """Whether the training is over before its last step."""
        since = sum(step > self.best[0] for step, _ in self._curve) if self._curve else 0
        return 0 < self.settings.patience <= since

    def at_checkpoint(self) -> None:
        """Remove the weights that a training does not need that goes on from the present checkpoint."""
        self._needed = self.best[0] if self._curve else None
        self._remove_all_but(self._needed)

    def kept_step(self, step: int) -> int:
        """The step whose weights are the model, of a training that ended after ``step``."""
        return self.best[0] if self.settings.keep == "best" else step

    def best_weights(self, step: int) -> Path | None:
        """The file of the weights that are the model; None if those after the last ``step`` are."""
        kept = self.kept_step(step)
        return None if kept == step else self._file(kept)

    def record(self, step: int) -> dict[str, Any]:
        """The part of ``training.json``."""
        return {
            "labels": self.settings.labels,
            "metric": self.settings.metric,
            "questions": len(self._dev.pools.query_ids),
            "without_positive": self._dev.skipped,
            "ignored_passages": self._dev.ignored,
            "curve": self._curve,
            "best": dict(zip(("step", "value"), self.best, strict=True)),
            "kept_step": self.kept_step(step),
        }

    def _file(self, step: int) -> Path:
        return self._folder / f"best-{step:08d}.safetensors"

    def _remove_all_but(self, *steps: int | None) -> None:
        if self._world.rank:
            return
        kept = {self._file(step) for step in steps if step is not None}
        for file in set(self._folder.glob("best-*.safetensors")) - kept:
            file.unlink()
