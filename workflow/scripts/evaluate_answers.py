"""Evaluate an LLM's answers against ground-truth answers."""

from __future__ import annotations

import argparse
import logging
from collections import Counter
from pathlib import Path

from utility_annotation.common.errors import InputError, run_script
from utility_annotation.common.files import write_json
from utility_annotation.common.progress import log_to_stderr
from utility_annotation.evaluation.answers import Encoder, evaluate_answers
from utility_annotation.io.answers import read_references
from utility_annotation.io.schemas import ANNOTATION, PER_QUERY
from utility_annotation.settings import Performance, Settings, from_json


class EvaluateAnswersSettings(Settings):
    """What is evaluated, and how; ``layer`` is that of bert-score."""

    backbone: str
    training: str
    qa: str
    generator: str
    metrics: tuple[str, ...]
    layer: int | None = None


def encoder_of(settings: EvaluateAnswersSettings, model: Path | None, performance: Performance) -> Encoder:
    """The encoder of bert-score; torch is loaded for it alone."""
    from utility_annotation.common.devices import choose_device, use_threads

    if model is None or settings.layer is None:
        raise InputError("bert-score needs a model and a layer.", hint="give --model, and `layer` in --settings.")
    use_threads(performance.threads)
    device = choose_device(performance.encode.device, performance.encode.gpus, "encode")
    return Encoder(model, settings.layer, device.type)


def main(argv: list[str] | None) -> None:
    """Command line; see ``--help``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--settings", required=True, help="backbone, training, qa, generator, metrics, layer (of bert-score), as JSON"
    )
    parser.add_argument("--performance", default="{}", help="section `performance`, as JSON: threads, encode.device")
    parser.add_argument("--model", type=Path, nargs="?", help="model folder, for bert-score")
    parser.add_argument("--answers", required=True, type=Path, help="answers (parquet)")
    parser.add_argument("--truth", required=True, type=Path, help="ground-truth answers (parquet)")
    parser.add_argument("--output", required=True, type=Path, help="metrics (JSON)")
    parser.add_argument("--output-per-query", required=True, type=Path, help="the same, a value a query (parquet)")
    arguments = parser.parse_args(argv)
    log_to_stderr()
    settings = from_json(EvaluateAnswersSettings, arguments.settings)
    performance = from_json(Performance, arguments.performance)
    rows = ANNOTATION.read(arguments.answers, ["query_id", "outcome", "answer"]).to_pylist()
    result = evaluate_answers(
        read_references(arguments.truth),
        {row["query_id"]: row["answer"] for row in rows},
        settings.metrics,
        encoder_of(settings, arguments.model, performance) if "bert-score" in settings.metrics else None,
    )
    PER_QUERY.write(arguments.output_per_query, result.per_query())
    write_json(
        arguments.output,
        {
            "backbone": settings.backbone,
            "training": settings.training,
            "qa": settings.qa,
            "generator": settings.generator,
            "queries": len(result.query_ids),
            "outcomes": dict(sorted(Counter(row["outcome"] for row in rows).items())),
            "metrics": result.figures,
        },
    )
    figures = ", ".join(f"{metric} {value:.4f}" for metric, value in result.figures.items())
    logging.info("%d questions: %s", len(result.query_ids), figures)


if __name__ == "__main__":
    run_script(main)
