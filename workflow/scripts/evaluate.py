"""Evaluate retrieval: judgements, metrics of a run, and means over test sets."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from utility_annotation.common.errors import run_script
from utility_annotation.common.files import write_json
from utility_annotation.io.schemas import PER_QUERY, QRELS, RUN
from utility_annotation.labels.settings import PEOPLE
from utility_annotation.planning import jobs, results
from utility_annotation.planning import retrieval as files
from utility_annotation.planning.command import Commands, configuration_of
from utility_annotation.planning.data import split_file
from utility_annotation.planning.labels import file as labels_file


def labels(arguments: argparse.Namespace) -> None:
    """Judge by the positives of a label set, beside human judgements or alone."""
    from utility_annotation.evaluation.merged_qrels import merge_qrels

    level = jobs.merge_qrels(configuration_of(arguments), testset=arguments.testset).relevance_level
    merge_qrels(arguments.qrels, arguments.labels, arguments.output, arguments.duplicates, level)


def answers(arguments: argparse.Namespace) -> None:
    """Judge the passages of a run by whether they hold an answer to their question."""
    from utility_annotation.evaluation.answer_match import match_answers

    settings = jobs.match_answers(configuration_of(arguments), testset=arguments.testset)
    match_answers(settings.metrics, arguments.run, arguments.answers, arguments.corpus, arguments.output)


def copies(arguments: argparse.Namespace) -> None:
    """Find the questions of a test set that are training questions too."""
    from utility_annotation.io.questions import find_training_copies

    training = files.training_questions(configuration_of(arguments))
    paths = {split: Path(path) for split, path in training.items()}
    find_training_copies(arguments.queries, paths, arguments.output)


def agreement(arguments: argparse.Namespace) -> None:
    """Count how far the judges of the same questions agree."""
    from utility_annotation.labels.judges import agreement as agree

    configuration, table = configuration_of(arguments), arguments.table
    metrics = list(map(Path, results.agreement_metrics(configuration, table=table)))
    groups = []
    for group in jobs.judge_agreement(configuration, table=table).groups:
        testset = configuration.testsets[next(iter(group.judges))]
        named = {name: Path(labels_file(name)) for name in group.judges.values() if name != PEOPLE}
        qrels = Path(split_file("qrels", testset.dataset, testset.split)) if PEOPLE in group.judges.values() else None
        groups.append(agree(group, named, qrels, metrics))
    write_json(arguments.output, {"groups": groups})


def run(arguments: argparse.Namespace) -> None:
    """Score a run as trec_eval does, in all and query by query."""
    from utility_annotation.evaluation.metrics import evaluate
    from utility_annotation.io.questions import nothing_left, repeated_queries

    settings = jobs.evaluate(configuration_of(arguments), testset=arguments.testset)
    qrels = QRELS.read(arguments.qrels)
    if arguments.copies is not None:
        repeated = pa.array(repeated_queries(arguments.copies), pa.string())
        qrels = qrels.filter(pc.invert(pc.is_in(qrels["query_id"], value_set=repeated)))
        if not qrels.num_rows:
            raise nothing_left(arguments.copies, settings.testset)
    result = evaluate(
        qrels,
        RUN.read(arguments.run),
        settings.metrics,
        relevance_level=settings.relevance_level,
    )
    means = result.means()
    PER_QUERY.write(arguments.output.with_suffix(".per-query.parquet"), result.per_query())
    figures: dict[str, Any] = {
        **_names(arguments.retriever),
        "testset": settings.testset,
        "queries": len(result.query_ids),
        "queries_missing_from_run": result.missing,
        "metrics": means,
    }
    write_json(arguments.output, figures)
    listed = ", ".join(f"{metric} {value:.4f}" for metric, value in means.items())
    logging.info("%d queries (%d missing from the run): %s", len(result.query_ids), result.missing, listed)


def average(arguments: argparse.Namespace) -> None:
    """Average a retriever's metrics over test sets."""
    from utility_annotation.evaluation.averages import average as mean

    configuration = configuration_of(arguments)
    names = {"retriever": arguments.retriever, "average": arguments.average}
    metrics = list(map(Path, files.average_metrics(configuration, **names)))
    per_query = list(map(Path, files.average_per_query(configuration, **names)))
    figures, values = mean(arguments.average, metrics, per_query)
    PER_QUERY.write(arguments.output.with_suffix(".per-query.parquet"), values)
    write_json(arguments.output, figures)


def _names(retriever: str) -> dict[str, str]:
    backbone, _, training = retriever.partition("/")
    return {"backbone": backbone, "training": training}


def main(argv: list[str] | None) -> None:
    """Command line; see ``--help``."""
    commands = Commands(__doc__)
    parser = commands.add(labels, "labels")
    parser.add_argument("--testset", required=True, help="a name from `testsets`")
    parser.add_argument("--qrels", type=Path, nargs="?", help="human judgements (parquet), if they are to count")
    parser.add_argument("--labels", required=True, type=Path, help="labels (parquet)")
    parser.add_argument("--duplicates", type=Path, nargs="?", help="copies that the labelled pool lacks (parquet)")
    parser.add_argument("--output", required=True, type=Path, help="judgements to write (parquet)")
    parser = commands.add(answers, "answers")
    parser.add_argument("--testset", required=True, help="a name from `testsets`")
    parser.add_argument("--run", required=True, type=Path, help="run (parquet)")
    parser.add_argument("--answers", required=True, type=Path, help="ground-truth answers (parquet)")
    parser.add_argument("--corpus", required=True, type=Path, help="corpus (parquet)")
    parser.add_argument("--output", required=True, type=Path, help="judgements to write (parquet)")
    parser = commands.add(copies, "copies")
    parser.add_argument("--queries", required=True, type=Path, help="questions of a test set (parquet)")
    parser.add_argument("--output", required=True, type=Path, help="those that are training questions too (parquet)")
    parser = commands.add(agreement, "agreement")
    parser.add_argument("--table", required=True, help="a name from `tables`")
    parser.add_argument("--output", required=True, type=Path, help="agreement of the judges of its test sets (JSON)")
    parser = commands.add(run, "run")
    parser.add_argument("--retriever", required=True, help="BACKBONE/TRAINING, bm25/bm25 or reranked/NAME")
    parser.add_argument("--testset", required=True, help="a name from `testsets`")
    parser.add_argument("--run", required=True, type=Path, help="run (parquet)")
    parser.add_argument("--qrels", required=True, type=Path, help="relevance judgements (parquet)")
    parser.add_argument("--copies", type=Path, nargs="?", help="questions to leave out (parquet of `copies`)")
    parser.add_argument("--output", required=True, type=Path, help="metrics (JSON); per-query values beside")
    parser = commands.add(average, "average")
    parser.add_argument("--retriever", required=True, help="BACKBONE/TRAINING, bm25/bm25 or reranked/NAME")
    parser.add_argument("--average", required=True, help="a name from `averages`")
    parser.add_argument("--output", required=True, type=Path, help="metrics (JSON); per-query values beside")
    commands.run(argv)


if __name__ == "__main__":
    run_script(main)
