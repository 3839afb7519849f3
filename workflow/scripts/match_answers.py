"""Judge the passages of a run by whether they hold an answer to their question."""

from __future__ import annotations

import argparse
from pathlib import Path

from utility_annotation.common.errors import run_script
from utility_annotation.common.progress import log_to_stderr
from utility_annotation.evaluation.answer_match import match_answers
from utility_annotation.settings import Settings, from_json


class MatchSettings(Settings):
    """What decides how far down a ranking passages are judged."""

    metrics: tuple[str, ...]


def main(argv: list[str] | None) -> None:
    """Command line; see ``--help``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True, help='JSON: {"metrics": […]}')
    parser.add_argument("--run", required=True, type=Path, help="run (parquet)")
    parser.add_argument("--answers", required=True, type=Path, help="ground-truth answers (parquet)")
    parser.add_argument("--corpus", required=True, type=Path, help="corpus (parquet)")
    parser.add_argument("--output", required=True, type=Path, help="judgements to write (parquet)")
    arguments = parser.parse_args(argv)
    log_to_stderr()
    settings = from_json(MatchSettings, arguments.settings)
    match_answers(settings.metrics, arguments.run, arguments.answers, arguments.corpus, arguments.output)


if __name__ == "__main__":
    run_script(main)
