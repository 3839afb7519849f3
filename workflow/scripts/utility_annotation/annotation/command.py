"""What the command lines of the annotation stages share."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from ..common.files import write_json
from ..common.progress import log_to_stderr, waiting
from ..engines.opening import open_engine
from ..engines.store import CompletionStore
from ..engines.throughput import Speed, device_count, record_speed, recorded_speed
from ..settings import Annotator, Performance, from_json
from .items import Item, keep_relevant, read_pool, with_answers
from .prompts import Cleaner, PromptTemplate
from .shard import Stage, annotate


def engine_parser(description: str | None) -> argparse.ArgumentParser:
    """The arguments of every script that asks an LLM."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--settings", required=True, help="the annotator, as JSON")
    parser.add_argument("--performance", default="{}", help="speed settings, as JSON")
    parser.add_argument("--model", type=Path, nargs="?", help="prepared model folder, if the annotator has a model")
    parser.add_argument("--prompt", type=Path, required=True, help="the stage's prompt template")
    parser.add_argument("--store", type=Path, required=True, help="folder of the completion store")
    parser.add_argument("--output", type=Path, required=True, help="annotation shard to write (parquet)")
    parser.add_argument("--summary", type=Path, required=True, help="what this job did, to write (JSON)")
    return parser


def parser(description: str | None) -> argparse.ArgumentParser:
    """The arguments that every annotation stage has."""
    parser = engine_parser(description)
    parser.add_argument("--pool", type=Path, required=True, help="pool shard (parquet)")
    return parser


def run(
    arguments: argparse.Namespace,
    stage_name: str,
    items: Sequence[Item],
    make_stage: Callable[[Annotator, PromptTemplate], Stage],
    *,
    annotator: Annotator | None = None,
) -> None:
    """Open engine, template and store, and annotate the shard.

    The summary holds the counts of :meth:`~.progress.Progress.summary`, the seconds in which the engine was loaded, and
    the GPUs that the job asked for (0 where it ran on a CPU, or on a GPU that it was not given by a scheduler). Where
    the engine had nothing to make, ``earlier`` says what it got through in all earlier jobs of this annotator and
    stage, as a :class:`~.engines.throughput.Speed`, if that is known.

    Args:
        arguments: those of :func:`engine_parser`.
        stage_name: the stage, by which its speed is kept.
        items: what the stage is shown.
        make_stage: the stage.
        annotator: where the settings hold more than the annotator: what was read from them.
    """
    log_to_stderr()
    annotator = annotator or from_json(Annotator, arguments.settings)
    performance = from_json(Performance, arguments.performance)
    with CompletionStore(arguments.store) as store:  # before the engine: a store without room is told at once
        start = time.monotonic()
        with waiting(f"opening engine {annotator.engine}"):
            engine = open_engine(annotator, arguments.model, performance)
        load_seconds = round(time.monotonic() - start, 3)
        stage = make_stage(annotator, PromptTemplate(arguments.prompt, Cleaner(engine.special_tokens)))
        shown = [item.cut(annotator.passage_words) for item in items]
        progress = annotate(shown, stage, engine, store, annotator.retries, arguments.output)
    summary = progress.summary() | {"load_seconds": load_seconds, "gpus": performance.annotate.gpus}
    made = summary["prompt_tokens"] + summary["new_tokens"]
    speed = Speed(made, summary["engine_seconds"] * device_count(summary))
    if made:
        record_speed(arguments.store, stage_name, speed)
    earlier = None if made else recorded_speed(arguments.store, stage_name)
    write_json(arguments.summary, summary | {"earlier": earlier and asdict(earlier)})


def judge_utility(
    description: str | None,
    argv: list[str] | None,
    stage_name: str,
    make_stage: Callable[[Annotator, PromptTemplate], Stage],
) -> None:
    """The whole command line of a stage that is shown the relevant passages and the pseudo-answer."""
    arguments_of = parser(description)
    arguments_of.add_argument("--relsel", type=Path, required=True, help="relevance selection of this shard (parquet)")
    arguments_of.add_argument("--answers", type=Path, required=True, help="pseudo-answers of this shard (parquet)")
    arguments = arguments_of.parse_args(argv)
    relevant = keep_relevant(read_pool(arguments.pool), arguments.relsel)
    run(arguments, stage_name, list(with_answers(relevant, arguments.answers)), make_stage)
