"""Answer questions from retrieved passages, and score the answers."""

from __future__ import annotations

import argparse
import logging
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

from utility_annotation.common.errors import InputError, run_script
from utility_annotation.common.files import read_json, write_json
from utility_annotation.evaluation.answer_metrics import ANSWER_METRICS, BertScoreEncoder
from utility_annotation.io.schemas import ANNOTATION, PER_QUERY
from utility_annotation.planning import answers as files
from utility_annotation.planning import jobs
from utility_annotation.planning.command import Commands, configuration_of
from utility_annotation.settings import Performance, entry


def generate(arguments: argparse.Namespace) -> None:
    """Answer every question that has a ground-truth answer from the passages that the run ranks highest."""
    from utility_annotation.annotation.answers import AnswerStage
    from utility_annotation.annotation.command import StageJob, run
    from utility_annotation.retrieval.answering import answer
    from utility_annotation.retrieval.retrieved import read_retrieved

    configuration = configuration_of(arguments)
    settings = jobs.generate_answers(configuration, qa=arguments.qa, generator=arguments.generator)
    items = read_retrieved(
        Path(files.queries(configuration, qa=arguments.qa)),
        Path(files.truth(configuration, qa=arguments.qa)),
        Path(files.run(configuration, retriever=arguments.retriever, qa=arguments.qa)),
        Path(files.corpus(configuration, qa=arguments.qa)),
        passages=settings.passages,
        titles=settings.generator.titles,
    )
    output: Path = arguments.output
    job = StageJob(
        files.STAGE, arguments.model, arguments.prompt, arguments.store, output, output.with_name("summary.json")
    )
    work = partial(answer, abstain=settings.without_passages == "abstain")
    run(job, settings.generator, configuration.performance.of(arguments.generator), items, AnswerStage, work)


def evaluate(arguments: argparse.Namespace) -> None:
    """Score answers against ground truth, in all and question by question."""
    from utility_annotation.evaluation.answer_work import work_of_answers
    from utility_annotation.evaluation.answers import evaluate_answers
    from utility_annotation.io.answers import read_references
    from utility_annotation.io.questions import nothing_left, repeated_queries

    configuration = configuration_of(arguments)
    settings = jobs.evaluate_answers(configuration, qa=arguments.qa)
    encoder = None
    if any(entry(ANSWER_METRICS, metric, "metric of answers").needs_encoder for metric in settings.metrics):
        encoder = _encoder(settings.layer, arguments.model, configuration.performance)
    rows = ANNOTATION.read(arguments.answers, ["query_id", "outcome", "answer", "prompt_tokens"]).to_pylist()
    answers = {row["query_id"]: row["answer"] for row in rows}
    repeated = set() if arguments.copies is None else repeated_queries(arguments.copies)
    references = {key: texts for key, texts in read_references(arguments.truth).items() if key not in repeated}
    if repeated and not references:
        raise nothing_left(arguments.copies, configuration.qa[arguments.qa].testset)
    result = evaluate_answers(references, answers, settings.metrics, encoder)
    PER_QUERY.write(arguments.output.with_suffix(".per-query.parquet"), result.per_query())
    backbone, _, training = arguments.retriever.partition("/")
    names = {"retriever": arguments.retriever, "qa": arguments.qa, "generator": arguments.generator}
    work = files.work(configuration, **names)
    figures: dict[str, Any] = {
        "backbone": backbone,
        "training": training,
        "qa": arguments.qa,
        "generator": arguments.generator,
        "queries": len(result.query_ids),
        "outcomes": dict(sorted(Counter(row["outcome"] for row in rows).items())),
        "metrics": result.figures,
        "work": work_of_answers(rows, *map(read_json, arguments.work or map(Path, work))),
    }
    write_json(arguments.output, figures)
    listed = ", ".join(f"{metric} {value:.4f}" for metric, value in result.figures.items())
    logging.info("%d questions: %s", len(result.query_ids), listed)


def _encoder(layer: int | None, model: Path | None, performance: Performance) -> BertScoreEncoder:
    """The encoder of bert-score; torch is loaded for it alone."""
    from utility_annotation.common.devices import choose_device, use_threads

    if model is None or layer is None:
        raise InputError("bert-score needs a model and a layer.", hint="give --model and `qa.NAME.bert_score`.")
    use_threads(performance.threads)
    device = choose_device(performance.encode.device, performance.encode.gpus, "encode")
    return BertScoreEncoder(model, layer, device.type)


def main(argv: list[str] | None) -> None:
    """Command line; see ``--help``."""
    commands = Commands(__doc__)
    parser = commands.add(generate, "generate")
    parser.add_argument(
        "--retriever", required=True, help="such as BACKBONE/TRAINING or selected/NAME: whose passages are read"
    )
    parser.add_argument("--qa", required=True, help="a name from `qa`")
    parser.add_argument("--generator", required=True, help="a name from `annotators`")
    parser.add_argument("--model", type=Path, nargs="?", help="prepared model folder, if the generator has a model")
    parser.add_argument("--prompt", type=Path, required=True, help="the prompt template of the style of answers")
    parser.add_argument("--store", type=Path, required=True, help="folder of the completion store")
    parser.add_argument("--output", type=Path, required=True, help="answers (parquet); summary.json is written beside")
    parser = commands.add(evaluate, "evaluate")
    parser.add_argument("--retriever", required=True, help="such as BACKBONE/TRAINING or selected/NAME")
    parser.add_argument("--qa", required=True, help="a name from `qa`")
    parser.add_argument("--generator", required=True, help="a name from `annotators`")
    parser.add_argument("--model", type=Path, nargs="?", help="model folder, for bert-score")
    parser.add_argument("--answers", required=True, type=Path, help="answers (parquet)")
    parser.add_argument("--truth", required=True, type=Path, help="ground-truth answers (parquet)")
    parser.add_argument("--copies", type=Path, nargs="?", help="questions to leave out (parquet)")
    parser.add_argument(
        "--work", type=Path, nargs="*", help="what the jobs did, the generator's first; by default ours"
    )
    parser.add_argument("--output", required=True, type=Path, help="metrics (JSON); per-query values beside")
    commands.run(argv)


if __name__ == "__main__":
    run_script(main)
