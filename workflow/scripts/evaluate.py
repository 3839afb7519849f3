"""Evaluate a run against relevance judgements."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from utility_annotation.common.errors import run_script
from utility_annotation.common.files import write_json
from utility_annotation.common.progress import log_to_stderr
from utility_annotation.evaluation.metrics import evaluate
from utility_annotation.io.schemas import PER_QUERY, QRELS, RUN
from utility_annotation.settings import Settings, from_json


class EvaluateSettings(Settings):
    """What is evaluated, and how."""

    backbone: str
    training: str
    testset: str
    metrics: tuple[str, ...]
    relevance_level: int


def main(argv: list[str] | None) -> None:
    """Command line; see ``--help``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--settings", required=True, help="backbone, training, testset, metrics, relevance_level, as JSON"
    )
    parser.add_argument("--run", required=True, type=Path, help="run (parquet)")
    parser.add_argument("--qrels", required=True, type=Path, help="relevance judgements (parquet)")
    parser.add_argument("--output", required=True, type=Path, help="metrics (JSON)")
    parser.add_argument("--output-per-query", required=True, type=Path, help="the same, a value a query (parquet)")
    arguments = parser.parse_args(argv)
    log_to_stderr()
    settings = from_json(EvaluateSettings, arguments.settings)
    result = evaluate(
        QRELS.read(arguments.qrels),
        RUN.read(arguments.run),
        settings.metrics,
        relevance_level=settings.relevance_level,
    )
    means = result.means()
    PER_QUERY.write(arguments.output_per_query, result.per_query())
    write_json(
        arguments.output,
        {
            "backbone": settings.backbone,
            "training": settings.training,
            "testset": settings.testset,
            "queries": len(result.query_ids),
            "queries_missing_from_run": result.missing,
            "metrics": means,
        },
    )
    figures = ", ".join(f"{metric} {value:.4f}" for metric, value in means.items())
    logging.info("%d queries (%d missing from the run): %s", len(result.query_ids), result.missing, figures)


if __name__ == "__main__":
    run_script(main)
