"""What the command lines of the annotation stages share."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from ..configuration import Annotator, Performance
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
    parser.add_argument("--prompts", type=Path, required=True, help="folder of prompt templates")
    parser.add_argument("--store", type=Path, required=True, help="folder of the completion store")
    parser.add_argument("--output", type=Path, required=True, help="annotation shard to write (parquet)")
    return parser


def run(
    arguments: argparse.Namespace,
    items: Sequence[Item],
    template_name: Callable[[Annotator], str],
    make_stage: Callable[[Annotator, PromptTemplate], Stage],
) -> None:
    """Open engine, template and store, and annotate the shard."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    annotator = Annotator.model_validate_json(arguments.settings)
    performance = Performance.model_validate_json(arguments.performance)
    engine = open_engine(annotator, arguments.model, performance)
    cleaner = Cleaner(engine.special_tokens, annotator.passage_words)
    template = PromptTemplate(arguments.prompts / template_name(annotator), cleaner)
    with CompletionStore(arguments.store) as store:
        annotate(items, make_stage(annotator, template), engine, store, arguments.output)
