"""The training loop: AdamW over batches of labelled queries, in one process or in as many as torchrun starts."""

from __future__ import annotations

import hashlib
import importlib.metadata
import math
import platform
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist
from safetensors.torch import load_file
from torch import Tensor

from ..common.errors import InputError
from ..common.files import atomic_write, write_json
from ..common.prefetch import ahead
from ..common.progress import LOG, Progress
from ..settings import Backbone, Reranker, Training, TrainPerformance, canonical
from . import checkpoint, events, lora
from .batches import Batch
from .data import TrainingData, join
from .dev import DevInputs, DevSet, Selection
from .dropout import prepare
from .effort import EnergyMeter
from .gradients import Pass, backward, recompute_layers
from .kinds import KINDS, Kind, Model
from .losses import LOSSES
from .plan import TrainingPlan, make_plan
from .processes import World, processes
from .rerankers import warn_of_few_steps
from .sampling import draw
from .sharding import mesh_of, one_by_one, shard, whole

if TYPE_CHECKING:
    from peft import PeftModel

_SECONDS_BETWEEN_LINES = 10.0
"""The longest pause between progress lines if steps are slow."""


@dataclass(frozen=True)
class Inputs:
    """The files of a training.

    Attributes:
        model: the folder of the encoder that it starts from: a backbone, or another training's model (curriculum).
        labels: the labels.
        pools: the shards of the labelled pool.
        titles: whether the titles of passages are read.
        dev: what the training is evaluated on while it runs, if its settings say so.
    """

    model: Path
    labels: Path
    pools: tuple[Path, ...]
    titles: bool = True
    dev: DevInputs | None = None

    def digest(self, training: Training, backbone: Backbone | Reranker) -> str:
        """Identifies this training: two trainings share it only if all settings and file contents are equal."""
        dev = (self.dev.labels, *self.dev.pools) if self.dev else ()
        titles = f"{self.titles}{self.dev.titles if self.dev else ''}"
        digest = hashlib.sha256(f"{canonical(training)}{canonical(backbone)}{titles}".encode())
        for path in (*sorted(self.model.glob("*.safetensors")), self.labels, *self.pools, *dev):
            if path.is_file():
                with path.open("rb") as file:
                    digest.update(hashlib.file_digest(file, "sha256").digest())
        return digest.hexdigest()[:16]


def train(
    inputs: Inputs,
    training: Training,
    backbone: Backbone | Reranker,
    performance: TrainPerformance,
    *,
    checkpoints: Path,
    events_folder: Path,
    output: Path,
) -> None:
    """Train an encoder and write it to ``output``, a model folder with ``training.json``.

    An interrupted training continues from its last checkpoint if it is called again with the same settings and files.

    Args:
        inputs: model, labels, pool.
        training: the settings that decide the result.
        backbone: pooling, lengths, prefixes.
        performance: device, gradient caching, checkpoints, log.
        checkpoints: a scratch folder, removed on success.
        events_folder: where TensorBoard's files are, if the log has any.
        output: the model folder, written whole or not at all.

    Raises:
        InputError: unsuitable input, a loss or gradient that is not a number, or too little memory.
    """
    writer = events.library(performance.log_to)
    with processes(performance.device, performance.gpus) as world:
        if performance.fsdp and world.size == 1:
            raise InputError(
                "`performance.train.fsdp` is true, but the training has one process.",
                hint="start it by python -m torch.distributed.run --standalone --nproc-per-node GPUS, as the workflow "
                "does where `performance.train.gpus` is two or more.",
            )
        scratch = checkpoints / inputs.digest(training, backbone)
        if world.rank == 0:
            _prepare_scratch(inputs, checkpoints, scratch)
        if world.size > 1:
            dist.barrier()
        data = TrainingData(scratch / "data.arrow")
        plan = make_plan(data, training)
        with _memory(training, performance, world):
            encoder = _encoder(inputs, training, backbone, performance, world)
            trainer = _Trainer(encoder, _kind(backbone), data, plan, performance, world)
            trainer.state = checkpoint.restore(scratch, encoder, trainer.optimizer)
            if trainer.state.loss_scale:
                trainer.scaler.load_state_dict(trainer.state.loss_scale)
            trainer.watch(inputs.dev, scratch)
            if world.rank == 0:
                warn_of_few_steps(encoder.new_layers, plan.steps)
            with events.written(writer if world.rank == 0 else None, events_folder, trainer.state.step) as write:
                trainer.run(scratch, write)
        effort = trainer.state.effort.record(world)
        weights = checkpoint.weights(encoder, world)
        if world.rank == 0:
            best = trainer.selection.best_weights(trainer.state.step) if trainer.selection else None
            encoder, adapters = _loaded(inputs, training, backbone)
            checkpoint.give_weights(load_file(best) if best else weights, encoder)
            with atomic_write(output) as temporary:
                if adapters is None:
                    encoder.save(temporary)
                else:
                    lora.save(encoder, adapters, temporary)
                write_json(temporary / "training.json", _record(inputs, backbone, performance, trainer, effort))
            shutil.rmtree(checkpoints)


def _kind(backbone: Backbone | Reranker) -> Kind:
    return KINDS[type(backbone).__name__]


def _loaded(inputs: Inputs, training: Training, backbone: Backbone | Reranker) -> tuple[Model, PeftModel | None]:
    """The encoder as its folder has it, in fp32 on the CPU, with new adapters beside its weights if it has any."""
    encoder = _kind(backbone).load(inputs.model, backbone, training.seed)
    return encoder, lora.add(encoder, training.lora, training.seed) if training.lora else None


def _encoder(
    inputs: Inputs, training: Training, backbone: Backbone | Reranker, performance: TrainPerformance, world: World
) -> Model:
    """The encoder ready to be trained, on this process's device."""
    mesh = mesh_of(world) if performance.fsdp else None
    with one_by_one(world) if mesh else nullcontext():
        encoder, _ = _loaded(inputs, training, backbone)
        prepare(encoder.model)
        if training.lora:
            lora.store_frozen(encoder, training.precision)
        if performance.gradient_checkpointing:
            recompute_layers(encoder.model)
        if mesh:
            shard(encoder.model, mesh)
    return encoder.to(world.device).train()


@contextmanager
def _memory(training: Training, performance: TrainPerformance, world: World) -> Iterator[None]:
    """Say what helps where a training does not fit into memory."""
    try:
        yield
    except RuntimeError as error:
        if not isinstance(error, torch.OutOfMemoryError) and "allocate memory" not in str(error):
            raise
        reason = " ".join(str(error).split())
        chunk = performance.grad_cache_chunk
        ways = [f"lower `performance.train.grad_cache_chunk` (now {chunk})"] if chunk > 1 else []
        ways += ["set `performance.train.grad_cache_chunk` to a number such as 16"] if not chunk else []
        if not performance.gradient_checkpointing:
            ways.append("set `performance.train.gradient_checkpointing` to true")
        if world.size > 1 and not performance.fsdp and training.precision != "fp16":
            ways.append("set `performance.train.fsdp` to true")
        ways += ["train with `trainings.*.lora`, which makes another model"] if training.lora is None else []
        ways.append(f"take a {'GPU' if world.device.type == 'cuda' else 'machine'} with more memory")
        raise InputError(
            f"the training does not fit into the memory of {world.device} ({reason}).",
            hint=f"{', or '.join(ways)}. A change of `performance` lets it continue from its last checkpoint.",
        ) from None


def _prepare_scratch(inputs: Inputs, checkpoints: Path, scratch: Path) -> None:
    """Delete what a killed process or another training left; join labels and pool unless that is done."""
    scratch.mkdir(parents=True, exist_ok=True)
    for stale in (*(path for path in checkpoints.iterdir() if path != scratch), *scratch.glob(".*.partial")):
        shutil.rmtree(stale) if stale.is_dir() else stale.unlink()
    if not (scratch / "data.arrow").exists():
        join(inputs.labels, inputs.pools, scratch / "data.arrow", titles=inputs.titles)
    if inputs.dev and not (scratch / "dev.arrow").exists():
        join(inputs.dev.labels, inputs.dev.pools, scratch / "dev.arrow", titles=inputs.dev.titles)


class _Trainer:
    """The state of one process while it trains."""

    def __init__(
        self,
        encoder: Model,
        kind: Kind,
        data: TrainingData,
        plan: TrainingPlan,
        performance: TrainPerformance,
        world: World,
    ) -> None:
        self.encoder, self.kind, self.data, self.plan = encoder, kind, data, plan
        self.performance, self.world = performance, world
        self.settings = plan.training
        parameters = list(checkpoint.trained(encoder).values())
        matrices = [parameter for parameter in parameters if parameter.ndim > 1]
        vectors = [parameter for parameter in parameters if parameter.ndim <= 1]  # biases and layer norms do not decay
        self.parameters = parameters
        self.numbers = {
            name: sum(parameter.numel() for parameter in some)
            for name, some in (("trained", parameters), ("all", encoder.parameters()))
        }
        self.optimizer = torch.optim.AdamW(
            [
                {"params": matrices, "weight_decay": self.settings.weight_decay},
                {"params": vectors, "weight_decay": 0.0},
            ],
            lr=self.settings.learning_rate,
            fused=True,
        )
        self.scaler = torch.amp.GradScaler(world.device.type, enabled=self.settings.precision == "fp16")
        self.how = Pass(
            performance.grad_cache_chunk, self.settings.precision, self.settings.seed, sharded=performance.fsdp
        )
        self.state = checkpoint.TrainingState()
        self.selection: Selection | None = None

    def watch(self, dev: DevInputs | None, scratch: Path) -> None:
        """Evaluate on dev questions from the state of the last checkpoint on, if the settings say so."""
        settings = self.settings.dev
        if settings is None:
            return
        assert dev is not None, "who gives the settings gives the questions"
        data = TrainingData(scratch / "dev.arrow")
        questions = DevSet(data, self.data, self.encoder, self.kind, self.how, self.world)
        self.selection = Selection(settings, questions, dev.mean, scratch, self.state.dev, self.world)
        self._log(
            f"{settings.metric} on {len(questions.pools.query_ids)} dev questions ({questions.skipped} without a "
            f"positive skipped) every {settings.every} steps"
        )

    def run(self, scratch: Path, write: events.Write) -> None:
        """All steps from the last checkpoint to the end."""
        plan, state = self.plan, self.state
        queries = 0

        def details(seconds: float) -> Iterator[str]:
            _, epoch, loss, learning_rate = state.curve[-1]
            yield f"{queries / seconds:,.1f} queries a second"
            yield f"epoch {epoch} of {self.settings.epochs}"
            yield f"loss {loss:.4f}"
            yield f"learning rate {learning_rate:.2e}"

        progress = Progress("training", plan.steps, "steps", interval=_SECONDS_BETWEEN_LINES, details=details)
        progress.skip(state.step)
        self._log(
            f"{len(plan.queries)} queries ({plan.skipped} without a positive skipped), {plan.steps} steps of "
            f"{self.settings.global_batch_size} queries, {self.world.size} process(es) on {self.world.device.type}"
            + (f"; resuming after step {state.step}" if state.step else "")
        )
        seconds_before, energy = state.effort.seconds, EnergyMeter(self.world)
        if self.selection and not state.dev:
            self._evaluate(self.selection, write)
        over = self.selection is not None and self.selection.stopped
        for epoch, batch, token_ids in ahead(map(self._prepare, () if over else plan.batches(state.step))):
            learning_rate = plan.learning_rate(state.step)
            loss = self._step(batch, token_ids, epoch, learning_rate)
            state.step += 1
            state.curve.append([state.step, epoch + 1, loss, learning_rate])
            write(state.step, {"loss": loss, "learning_rate": learning_rate})
            state.effort.add(len(batch.positives), token_ids, self._chunks(token_ids), self.world)
            over = state.step == plan.steps
            if self.selection and (over or state.step % self.selection.settings.every == 0):
                self._evaluate(self.selection, write)
                over = over or self.selection.stopped
            state.effort.seconds = seconds_before + progress.seconds
            queries += len(batch.positives)
            kept = state.step % self.performance.checkpoint_steps == 0
            if kept or over:
                state.effort.joules += energy.joules()
            if self.world.rank == 0:
                progress.add(1, due=state.step % self.performance.log_steps == 0)
            if kept:
                state.loss_scale = self.scaler.state_dict()
                checkpoint.save(scratch, self.encoder, self.optimizer, state, self.world)
                if self.selection:
                    self.selection.at_checkpoint()
            if over:
                break
        if self.selection and self.selection.stopped:
            metric, (best, value) = self.selection.settings.metric, self.selection.best
            self._log(
                f"stopped after step {state.step} of {plan.steps}: {metric} has not risen since step {best}, where it "
                f"was {value:.4f}"
            )

    def _evaluate(self, selection: Selection, write: events.Write) -> None:
        began, step = time.monotonic(), self.state.step
        value = selection.evaluate(self.encoder, step, last=step == self.plan.steps)
        self.state.effort.evaluation += time.monotonic() - began
        metric, best = selection.settings.metric, selection.best
        write(step, {f"dev {metric}": value})
        beside = "the best so far" if best[0] == step else f"the best is {best[1]:.4f} after step {best[0]}"
        self._log(f"dev {metric} {value:.4f} after step {step} of {self.plan.steps}; {beside}")

    def _chunks(self, token_ids: Sequence[Any]) -> list[list[int]]:
        return self.how.chunks([len(ids) for ids in token_ids], self.world.device)

    def _prepare(self, step: tuple[int, list[int]]) -> tuple[int, Batch, list[Any]]:
        """Epoch, batch and token ids of this process's texts."""
        epoch, queries = step
        candidates = [self.data.candidates(query) for query in queries]
        draws = [
            draw(
                pool.query_id,
                pool.labels,
                pool.human,
                pool.ranks,
                self.settings,
                epoch=epoch,
                average=self.plan.average,
            )
            for pool in candidates
        ]
        batch = self.kind.batch(candidates, draws)
        ids = batch.token_ids(self.encoder, self.data, queries, self.world.share(batch.texts))
        return epoch, batch, ids

    def _step(self, batch: Batch, token_ids: Sequence[Any], epoch: int, learning_rate: float) -> float:
        device, settings = self.world.device, self.settings
        loss_entry = LOSSES[settings.loss]
        labels = batch.labels.to(device)
        others = (
            [labels / settings.answer_temperature] if loss_entry.soft_labels else [batch.negatives.to(device)]
        ) + ([labels] if loss_entry.graded else [])
        positives = batch.positives.to(device)

        def loss_of(vectors: Tensor) -> Tensor:
            return loss_entry.function(batch.scores(vectors) / settings.temperature, positives, *others)

        self.optimizer.zero_grad()
        loss = backward(
            self.encoder,
            token_ids,
            batch.texts,
            loss_of,
            self.how,
            self.world,
            step=self.state.step,
            scale=self.scaler.scale,
        )
        self._check_finite("loss", loss, epoch, learning_rate)
        self.scaler.unscale_(self.optimizer)
        norm = whole(torch.nn.utils.clip_grad_norm_(self.parameters, settings.max_grad_norm or math.inf)).item()
        if not self.scaler.is_enabled():
            self._check_finite("gradient norm", norm, epoch, learning_rate)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return loss

    def _check_finite(self, name: str, value: float, epoch: int, learning_rate: float) -> None:
        if not math.isfinite(value):
            training = self.settings
            raise InputError(
                f"the {name} is {value} at step {self.state.step + 1} of {self.plan.steps} (epoch {epoch + 1}, "
                f"learning rate {learning_rate:.2e}; {training.loss}, temperature {training.temperature}, "
                f"{training.precision}).",
                hint="try a lower learning_rate, a higher temperature, or precision bf16 or fp32; unless a setting "
                "changes, training continues from its last checkpoint.",
            )

    def _log(self, message: str) -> None:
        if self.world.rank == 0:
            LOG.info(message)


def _record(
    inputs: Inputs,
    backbone: Backbone | Reranker,
    performance: TrainPerformance,
    trainer: _Trainer,
    effort: dict[str, Any],
) -> dict[str, Any]:
    """The content of ``training.json``: all settings and the course of the training."""
    plan, state, world = trainer.plan, trainer.state, trainer.world
    return {
        "training": plan.training.model_dump(mode="json"),
        "backbone": backbone.model_dump(mode="json"),
        "performance": performance.model_dump(mode="json"),
        "inputs": inputs.digest(plan.training, backbone),
        "effective_batch": {
            "queries": min(plan.training.global_batch_size, len(plan.queries)),
            "passages_a_query": plan.training.train_group_size,
            "last_batch_queries": len(plan.queries) % plan.training.global_batch_size
            or plan.training.global_batch_size,
            "negatives": trainer.kind.negatives,
        },
        "processes": world.size,
        "device": torch.cuda.get_device_name(world.device) if world.device.type == "cuda" else "cpu",
        "queries": {"labelled": len(trainer.data), "used": len(plan.queries), "without_positive": plan.skipped},
        "ignored_passages": plan.ignored,
        "average_positives": plan.average,
        "parameters": trainer.numbers,
        "new_layers": list(trainer.encoder.new_layers),
        "steps": state.step,
        "planned_steps": plan.steps,
        "warmup_steps": plan.warmup,
        "optimizer": "AdamW",
        "schedule": "linear warm-up, linear decay",
        "seconds": round(state.effort.seconds, 1),
        "effort": effort,
        "curve_columns": ["step", "epoch", "loss", "learning_rate"],
        "curve": state.curve,
        **({"dev": trainer.selection.record(state.step)} if trainer.selection else {}),
        "versions": {
            "python": platform.python_version(),
            **{
                name: importlib.metadata.version(name)
                for name in ("torch", "transformers", "tokenizers", "safetensors", *["peft"] * bool(plan.training.lora))
            },
        },
    }
