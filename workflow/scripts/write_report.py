"""The report page: what was run, labels and their cost, results, figures, trainings, and annotations to look at."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from utility_annotation.common.errors import run_script
from utility_annotation.common.files import read_json, write_text
from utility_annotation.common.progress import log_to_stderr
from utility_annotation.reporting.page import render
from utility_annotation.reporting.trainings import TrainingRecord
from utility_annotation.settings import Configuration, from_json


def main(argv: list[str] | None) -> None:
    """Command line; see ``--help``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True, help="the configuration, as JSON")
    parser.add_argument("--quality", nargs="*", type=Path, default=[], help="quality of label sets (JSON)")
    parser.add_argument("--tables", nargs="*", type=Path, default=[], help="tables (CSV), named as configured")
    parser.add_argument("--label-tables", nargs="*", type=Path, default=[], help="tables of label sets (Markdown)")
    parser.add_argument("--cost-tables", nargs="*", type=Path, default=[], help="tables of costs (Markdown)")
    parser.add_argument("--figures", nargs="*", type=Path, default=[], help="figures (SVG)")
    parser.add_argument("--training", nargs="*", type=Path, default=[], help="…/{backbone}/{training}/training.json")
    parser.add_argument("--work", nargs="*", type=Path, default=[], help="what the labels of a pool took (JSON)")
    parser.add_argument("--cards", nargs="*", type=Path, default=[], help="annotations of a pool to look at (JSON)")
    parser.add_argument(
        "--template", required=True, type=Path, help="Jinja template of the page, with its style and script beside it"
    )
    parser.add_argument("--output", required=True, type=Path, help="the page (HTML)")
    arguments = parser.parse_args(argv)
    log_to_stderr()
    qualities: list[Any] = [read_json(path) for path in arguments.quality]
    page = render(
        arguments.template,
        from_json(Configuration, arguments.settings),
        qualities,
        arguments.tables,
        arguments.label_tables,
        arguments.cost_tables,
        arguments.figures,
        [TrainingRecord.read(path) for path in arguments.training],
        arguments.work,
        arguments.cards,
    )
    write_text(arguments.output, page)


if __name__ == "__main__":
    run_script(main)
