"""Answers from retrieved passages: an LLM answers each question from what a retriever ranked highest."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from utility_annotation.annotation import command
from utility_annotation.annotation.answers import AnswerStage
from utility_annotation.annotation.retrieved import read_retrieved
from utility_annotation.common.errors import run_script
from utility_annotation.common.progress import log_to_stderr
from utility_annotation.settings import Annotator, from_json


class Generator(Annotator):
    """An LLM that answers, and how many passages it is shown. How it is to answer stands in the prompt template."""

    passages: int = Field(ge=1)


def main(argv: list[str] | None) -> None:
    """Command line; see ``--help``."""
    parser = command.engine_parser(__doc__)
    parser.add_argument("--queries", type=Path, required=True, help="questions (parquet)")
    parser.add_argument("--truth", type=Path, required=True, help="ground-truth answers: which questions are asked")
    parser.add_argument("--run", type=Path, required=True, help="run (parquet)")
    parser.add_argument("--corpus", type=Path, required=True, help="passages (parquet)")
    arguments = parser.parse_args(argv)
    log_to_stderr()
    generator = from_json(Generator, arguments.settings)
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    items = read_retrieved(
        arguments.queries,
        arguments.truth,
        arguments.run,
        arguments.corpus,
        passages=generator.passages,
    )
    command.run(arguments, "retrieved-answer", items, AnswerStage, annotator=generator)


if __name__ == "__main__":
    run_script(main)
