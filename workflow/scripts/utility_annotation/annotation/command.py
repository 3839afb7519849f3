"""One annotation job: open the engine, run a stage over its items, and record what the job did."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from ..common.files import write_json
from ..common.progress import waiting
from ..engines.opening import open_engine
from ..engines.protocol import Engine
from ..engines.store import CompletionStore
from ..engines.throughput import Speed, device_count, record_speed, recorded_speed
from ..settings import Annotator, Performance, Retries
from .items import Item
from .prompts import PromptSanitizer, PromptTemplate
from .shard import Stage, annotate


class Summarised(Protocol):
    """Counts of what was done."""

    def summary(self) -> dict[str, Any]:
        """The counts of :meth:`.progress.AnnotationProgress.summary`, and others."""
        ...


Work = Callable[[Sequence[Item], Any, Engine, CompletionStore, Retries, Path], Summarised]
"""What is done with the items, as :func:`~.shard.annotate` does it: it writes the file at the path.

The second argument is the stage, or the stages, that ``make_stage`` of :func:`run` made.
"""


@dataclass(frozen=True)
class StageJob:
    """The files of a job.

    Attributes:
        stage: the stage; the engine's speed is recorded by it.
        model: prepared model folder; None for an annotator without a model.
        prompt: the stage's prompt template.
        store: folder of the completion store.
        output: file to write (parquet): an annotation shard, or what other work makes.
        summary: what the job did, to write (JSON).
    """

    stage: str
    model: Path | None
    prompt: Path
    store: Path
    output: Path
    summary: Path


def run(
    job: StageJob,
    annotator: Annotator,
    performance: Performance,
    items: Sequence[Item],
    make_stage: Callable[[Annotator, PromptTemplate], Stage | Mapping[str, Stage]],
    work: Work = annotate,
) -> None:
    """Open engine, template and store, and annotate the items, or do other work with them.

    The summary holds the counts of :meth:`~.progress.AnnotationProgress.summary`, the seconds of loading the engine,
    and the GPUs that the job asked for (0 with a server, on a CPU, or on a GPU that no scheduler assigned). If the
    engine made nothing, ``earlier`` holds the recorded work of all earlier jobs of this annotator and stage, a
    :class:`~.throughput.Speed`.
    """
    job.output.parent.mkdir(parents=True, exist_ok=True)
    with CompletionStore(job.store) as store:  # before the engine: a full disk is an error at once
        start = time.monotonic()
        with waiting(f"opening engine {annotator.engine}"):
            engine = open_engine(annotator, job.model, performance)
        load_seconds = round(time.monotonic() - start, 3)
        stage = make_stage(annotator, PromptTemplate(job.prompt, PromptSanitizer(engine.special_tokens)))
        shown = [item.cut(annotator.passage_words) for item in items]
        progress = work(shown, stage, engine, store, annotator.retries, job.output)
    gpus = 0 if annotator.engine == "openai" else performance.annotate.gpus
    summary = progress.summary() | {"load_seconds": load_seconds, "gpus": gpus}
    made = summary["prompt_tokens"] + summary["new_tokens"]
    speed = Speed(made, summary["engine_seconds"] * device_count(summary))
    if made:
        record_speed(job.store, job.stage, speed)
    earlier = None if made else recorded_speed(job.store, job.stage)
    write_json(job.summary, summary | {"earlier": earlier and asdict(earlier)})
