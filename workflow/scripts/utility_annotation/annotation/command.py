"""What the command lines of the annotation stages share."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from ..configuration import Annotator, Performance, from_json
from ..progress import log_to_stderr
from .engines import open_engine
from .prompts import Cleaner, PromptTemplate
from .shard import Item, Stage, annotate
from .store import CompletionStore


def parser(description: str | None) -> argparse.ArgumentParser:
    """The arguments that every stage has."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--settings", required=True, help="the annotator, as JSON")
    parser.add_argument("--performance", default="{}", help="speed settings, as JSON")
    parser.add_argument("--model", type=Path, required=True, help="prepared model folder")
    parser.add_argument("--pool", type=Path, required=True, help="pool shard (parquet)")
    parser.add_argument("--prompt", type=Path, required=True, help="the stage's prompt template")
    parser.add_argument("--store", type=Path, required=True, help="folder of the completion store")
    parser.add_argument("--output", type=Path, required=True, help="annotation shard to write (parquet)")
    return parser


def run(
    arguments: argparse.Namespace,
    items: Sequence[Item],
    make_stage: Callable[[Annotator, PromptTemplate], Stage],
) -> None:
    """Open engine, template and store, and annotate the shard."""
    log_to_stderr()
    annotator = from_json(Annotator, arguments.settings)
    performance = from_json(Performance, arguments.performance)
    engine = open_engine(annotator, arguments.model, performance)
    cleaner = Cleaner(engine.special_tokens, annotator.passage_words)
    template = PromptTemplate(arguments.prompt, cleaner)
    with CompletionStore(arguments.store) as store:
        annotate(items, make_stage(annotator, template), engine, store, arguments.output)
