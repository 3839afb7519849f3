"""Write the report: a sample of the annotations, what labels took, verdicts, comparisons, and the page itself."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

from utility_annotation.common.errors import run_script
from utility_annotation.common.files import atomic_write, write_json, write_text
from utility_annotation.io.spreadsheets import as_cell
from utility_annotation.planning import comparisons, jobs, pools, results, retrieval, work
from utility_annotation.planning import report as files
from utility_annotation.planning.command import Commands, configuration_of


def sample(arguments: argparse.Namespace) -> None:
    """Collect questions of a pool with their passages and all that humans and annotators said of them."""
    from utility_annotation.reporting.cards import collect

    configuration, pool = configuration_of(arguments), arguments.pool
    truth = next(map(Path, pools.truth(configuration, pool=pool)), None)
    origins = next(map(Path, pools.origins(configuration, pool=pool)), None)
    settings, shards = jobs.sample_annotations(configuration, pool=pool), configuration.pools[pool].shards
    write_json(arguments.output, collect(settings, Path("results"), shards, truth, origins))


def cost(arguments: argparse.Namespace) -> None:
    """Count what the labels of a pool took: requests, tokens and hours of each stage of their annotation."""
    from utility_annotation.labels.cost import Records
    from utility_annotation.reporting.work import annotation_cost

    configuration, pool = configuration_of(arguments), arguments.pool
    settings = jobs.annotation_cost(configuration, pool=pool)
    behind = work.recorded(configuration, files.paid(configuration, pool=pool))
    annotations = dict.fromkeys([*_paths(files.annotation_shards(configuration, pool=pool)), *behind.annotations])
    records = Records(behind.pools, annotations, behind.selectors)
    write_json(arguments.output, annotation_cost(settings, records))


def verdict(arguments: argparse.Namespace) -> None:
    """Say what the training of a table's verdict gained, with an interval, by whose judgement and at what cost."""
    from utility_annotation.labels.cost import Records
    from utility_annotation.reporting.figures import plot_verdict
    from utility_annotation.reporting.verdict import judge, sentences

    configuration, table = configuration_of(arguments), arguments.table
    records = Records(*work.verdict_recorded(configuration, table=table))
    settings = jobs.write_verdict(configuration, table=table)
    found = judge(settings, results.verdict_metrics(configuration, table=table), records)
    write_json(arguments.output.with_suffix(".json"), found)
    plot_verdict(found, arguments.output.with_suffix(".svg"))
    write_text(arguments.output, " ".join(sentences(found)) + "\n")


def compare(arguments: argparse.Namespace) -> None:
    """Compare two retrievers question by question."""
    from utility_annotation.reporting import comparison

    configuration = configuration_of(arguments)
    names = {"first": arguments.first, "second": arguments.second, "testset": arguments.testset}
    settings = jobs.compare_retrievers(configuration, **names)
    qrels = _paths(comparisons.qrels(configuration, **names))
    queries = Path(retrieval.queries(configuration, testset=arguments.testset))
    corpus = Path(retrieval.corpus(configuration, testset=arguments.testset))
    per_query = _paths(comparisons.per_query(configuration, **names))
    frame = comparison.compared_questions(settings, per_query, qrels, queries)
    rankings = _paths(comparisons.rankings(configuration, **names))
    found = comparison.summary(settings, frame)
    found["examples"] = comparison.examples(settings, frame, rankings, qrels, corpus)
    with atomic_write(arguments.output.with_suffix(".csv")) as temporary:
        frame.map(as_cell).to_csv(temporary, index=False, lineterminator="\n")
    write_json(arguments.output.with_suffix(".json"), found)
    write_text(arguments.output, comparison.to_markdown(found))


def page(arguments: argparse.Namespace) -> None:
    """Write one page, readable offline: what was run, the labels, the retrievers, the figures, annotations."""
    from utility_annotation.reporting.page import render

    configuration = configuration_of(arguments)
    html = render(
        arguments.template,
        configuration,
        quality=_paths(results.shown_quality(configuration)),
        tables=_paths(files.tables(configuration)),
        figures=_paths(results.all_figures(configuration)),
        trainings=_paths(files.training_records(configuration)),
        costs=_paths(files.costs(configuration)),
        samples=_paths(files.samples(configuration)),
        verdicts=_paths(results.verdicts(configuration)),
        comparisons=_paths(comparisons.shown(configuration)),
        agreements=_paths(results.agreements(configuration)),
        documents=_paths(files.documents(configuration)),
        questions=_paths(files.questions(configuration)),
    )
    write_text(arguments.output, html)


def _paths(names: Iterable[str]) -> list[Path]:
    return list(map(Path, names))


def main(argv: list[str] | None) -> None:
    """Command line; see ``--help``."""
    commands = Commands(__doc__)
    for run in (sample, cost):
        parser = commands.add(run, run.__name__)
        parser.add_argument("--pool", required=True, help="a name from `pools`")
        parser.add_argument("--output", required=True, type=Path, help="file to write (JSON)")
    parser = commands.add(verdict, "verdict")
    parser.add_argument("--table", required=True, help="a name from `tables` whose `verdict` is set")
    parser.add_argument("--output", required=True, type=Path, help="text to write; .json, .svg and .png beside it")
    parser = commands.add(compare, "compare")
    for name in ("first", "second"):
        known = "BACKBONE/TRAINING, bm25/bm25, external/NAME or reranked/NAME"
        parser.add_argument(f"--{name}", required=True, help=known)
    parser.add_argument("--testset", required=True, help="a name from `testsets`")
    parser.add_argument("--output", required=True, type=Path, help="page to write (Markdown); .csv and .json beside it")
    parser = commands.add(page, "page")
    parser.add_argument("--template", required=True, type=Path, help="Jinja template, with its style and script beside")
    parser.add_argument("--output", required=True, type=Path, help="the page (HTML)")
    commands.run(argv)


if __name__ == "__main__":
    run_script(main)
