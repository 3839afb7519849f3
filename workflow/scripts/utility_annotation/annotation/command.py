"""One job that asks an LLM: the engine is opened, a stage is run over its items, and what was done is recorded."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ..common.files import write_json
from ..common.progress import waiting
from ..engines.opening import open_engine
from ..engines.store import CompletionStore
from ..engines.throughput import Speed, device_count, record_speed, recorded_speed
from ..settings import Annotator, Performance
from .items import Item
from .prompts import Cleaner, PromptTemplate
from .shard import Stage, annotate


@dataclass(frozen=True)
class Job:
    """The files of a job.

    Attributes:
        stage: the stage, by which its speed is kept.
        model: prepared model folder; None for an annotator without a model.
        prompt: the stage's prompt template.
        store: folder of the completion store.
        output: annotation shard to write (parquet).
        summary: what the job did, to write (JSON).
    """

    stage: str
    model: Path | None
    prompt: Path
    store: Path
    output: Path
    summary: Path


def run(
    job: Job,
    annotator: Annotator,
    performance: Performance,
    items: Sequence[Item],
    make_stage: Callable[[Annotator, PromptTemplate], Stage],
) -> None:
    """Open engine, template and store, and annotate the items.

    The summary holds the counts of :meth:`~.progress.Progress.summary`, the seconds in which the engine was loaded, and
    the GPUs that the job asked for (0 where it ran on a CPU, or on a GPU that it was not given by a scheduler). Where
    the engine had nothing to make, ``earlier`` says what it got through in all earlier jobs of this annotator and
    stage, as a :class:`~.throughput.Speed`, if that is known.
    """
    job.output.parent.mkdir(parents=True, exist_ok=True)
    with CompletionStore(job.store) as store:  # before the engine: a store without room is told at once
        start = time.monotonic()
        with waiting(f"opening engine {annotator.engine}"):
            engine = open_engine(annotator, job.model, performance)
        load_seconds = round(time.monotonic() - start, 3)
        stage = make_stage(annotator, PromptTemplate(job.prompt, Cleaner(engine.special_tokens)))
        shown = [item.cut(annotator.passage_words) for item in items]
        progress = annotate(shown, stage, engine, store, annotator.retries, job.output)
    summary = progress.summary() | {"load_seconds": load_seconds, "gpus": performance.annotate.gpus}
    made = summary["prompt_tokens"] + summary["new_tokens"]
    speed = Speed(made, summary["engine_seconds"] * device_count(summary))
    if made:
        record_speed(job.store, job.stage, speed)
    earlier = None if made else recorded_speed(job.store, job.stage)
    write_json(job.summary, summary | {"earlier": earlier and asdict(earlier)})
