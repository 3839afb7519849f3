"""Tables and figures: the files that each shows, and the targets that make them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from ..labels.settings import PEOPLE, JudgedAlike
from ..settings import BM25, EXTERNAL, ON_TOP, UNTRAINED, Configuration, ResultsTable
from . import data, labels, reranking, retrieval, selection, training

REPORT = "results/report.html"

PUBLISHED = "paper/published.csv"
"""The paper's figures, below resources/."""


def cells(configuration: Configuration, table: str) -> list[str]:
    """The metrics files of a table's cells, without their suffixes: each training once in each column."""
    settings = configuration.tables[table]
    seeds = table_seeds(configuration, table=table)
    names = [name for row in settings.shown() for name in seeds[row.training]]
    trained = [f"{backbone}/{name}" for backbone in settings.backbones for name in dict.fromkeys(names)]
    rows = (row.partition("/") for row in settings.on_top())
    on_top = [f"{place}/{each}" for place, _, name in rows for each in seeds[name]]
    beside = [f"{kind}/{name}" for kind, _, name in settings.beside() if kind not in ON_TOP] + on_top
    evaluated = {
        f"{EXTERNAL}/{name}": retrieval.external_testsets(configuration, name) for name in settings.external_runs
    }
    for row in on_top:
        if run := reranking.external_run(configuration, row):
            evaluated[row] = retrieval.external_testsets(configuration, run)
    bm25 = [f"{BM25}/{BM25}"] if settings.bm25_answers else []
    found = [
        f"results/metrics/{row}/{testset}"
        for row in (*beside, *trained)
        for testset in settings.testsets
        if testset in evaluated.get(row, settings.testsets)
    ]
    answers = [
        f"results/rag/{row}/{qa}/{generator}/metrics"
        for row in dict.fromkeys((*bm25, *trained, *evaluated, *on_top))
        for qa in settings.qa
        if row not in evaluated or configuration.qa[qa].testset in evaluated[row]
        for generator in settings.generators
    ]
    return found + answers


def table_seeds(configuration: Configuration, *, table: str) -> dict[str, tuple[str, ...]]:
    """By training, reranked and selected run of a table, those of each seed."""
    settings = configuration.tables[table]
    return training.of_all_seeds(configuration, settings.names())


def line_chart_seeds(configuration: Configuration, *, line_chart: str) -> dict[str, tuple[str, ...]]:
    """The same of a line chart."""
    return training.of_all_seeds(configuration, configuration.line_charts[line_chart].trainings())


def cost_table_seeds(configuration: Configuration, *, cost_table: str) -> dict[str, tuple[str, ...]]:
    """The same of a cost table."""
    return training.of_all_seeds(configuration, configuration.cost_tables[cost_table].trainings)


def table_metrics(configuration: Configuration, *, table: str) -> list[str]:
    """The metrics files of a table."""
    return [f"{cell}.json" for cell in cells(configuration, table)]


def table_per_query(configuration: Configuration, *, table: str) -> list[str]:
    """The per-query files beside a table's metrics files."""
    return _per_query(table_metrics(configuration, table=table))


def judged_alike(configuration: Configuration, *, table: str) -> list[JudgedAlike]:
    """The test sets of a table that ask the same questions and have other judges."""
    groups: dict[tuple[str, str], dict[str, str]] = {}
    for name in retrieval.testsets_of(configuration, configuration.tables[table].testsets):
        settings = configuration.testsets[name]
        judge = {"labels": settings.labels, "qrels": None if settings.labels else PEOPLE}.get(settings.relevant)
        judges = groups.setdefault((settings.dataset, settings.split), {})
        if judge is not None and judge not in judges.values():
            judges[name] = judge
    levels = {name: settings.relevance_level for name, settings in configuration.testsets.items()}
    return [
        JudgedAlike(judges=judges, relevance_level=next((levels[name] for name in judges if judges[name] == PEOPLE), 1))
        for judges in groups.values()
        if len(judges) > 1
    ]


def agreement(configuration: Configuration, *, table: str) -> list[str]:
    """How far the judges of a table's test sets agree, where any questions have several."""
    return [f"results/agreement/{table}.json"] if judged_alike(configuration, table=table) else []


def agreements(configuration: Configuration) -> list[str]:
    """The same of all tables."""
    return _once(agreement(configuration, table=table) for table in configuration.tables)


def agreement_labels(configuration: Configuration, *, table: str) -> list[str]:
    """The label sets among these judges."""
    return list(map(labels.file, _judging(configuration, table)))


def _judging(configuration: Configuration, table: str) -> list[str]:
    found = [judge for each in judged_alike(configuration, table=table) for judge in each.judges.values()]
    return [name for name in dict.fromkeys(found) if name != PEOPLE]


def agreement_qrels(configuration: Configuration, *, table: str) -> list[str]:
    """The qrels of each group of :func:`judged_alike` in which people are a judge."""
    found = [
        data.split_file("qrels", configuration.testsets[name].dataset, configuration.testsets[name].split)
        for each in judged_alike(configuration, table=table)
        for name, judge in each.judges.items()
        if judge == PEOPLE
    ]
    return list(dict.fromkeys(found))


def agreement_metrics(configuration: Configuration, *, table: str) -> list[str]:
    """The metrics files of the table's rows on these test sets."""
    testsets = {name for each in judged_alike(configuration, table=table) for name in each.judges}
    members = [f"{Path(cell).parent}/{name}" for cell in cells(configuration, table) for name in testsets]
    shown = {Path(cell).parent for cell in cells(configuration, table) if cell.startswith("results/metrics/")}
    return sorted(f"{member}.json" for member in set(members) if Path(member).parent in shown)


def table_copies(configuration: Configuration, *, table: str) -> dict[str, list[str]]:
    """By test set or average of a table with trainings, the training questions that it has."""
    settings = configuration.tables[table]
    return {
        name: list(map(retrieval.training_copies, retrieval.testsets_of(configuration, [name])))
        for name in (settings.testsets if _models(configuration, settings) else ())
    }


def table_copies_files(configuration: Configuration, *, table: str) -> list[str]:
    """The files of all of them."""
    return _once(table_copies(configuration, table=table).values())


def table_labels(configuration: Configuration, *, table: str) -> dict[str, str]:
    """By training, reranked and selected run, the label set whose figures a table shows beside it; none without
    ``label_metrics``. That of a reranked run is its reranker's, and that of a selected run the one of its scores.
    """
    settings = configuration.tables[table]
    rerankers = {name: reranking.reranker(configuration, name)[1] for name in settings.reranked}
    rerankers |= {name: training for name in settings.selected if (training := selection.training(configuration, name))}
    own = {name: rerankers.get(name, name) for name in settings.names()}
    found = _labels(configuration, own.values(), settings.label_metrics)
    return {name: found[training] for name, training in own.items() if training in found}


def table_quality(configuration: Configuration, *, table: str) -> list[str]:
    """The quality files of these label sets."""
    return [labels.quality(name) for name in dict.fromkeys(table_labels(configuration, table=table).values())]


def line_chart_labels(configuration: Configuration, *, line_chart: str) -> dict[str, str]:
    """The same of a line chart."""
    chart = configuration.line_charts[line_chart]
    return _labels(configuration, chart.trainings(), chart.label_metrics)


def line_chart_quality(configuration: Configuration, *, line_chart: str) -> list[str]:
    """The same of a line chart."""
    return [
        labels.quality(name) for name in dict.fromkeys(line_chart_labels(configuration, line_chart=line_chart).values())
    ]


def _labels(configuration: Configuration, trainings: Iterable[str], metrics: Iterable[str]) -> dict[str, str]:
    known = configuration.trainings
    return {name: known[name].labels for name in trainings if name in known} if metrics else {}


def table_csv(table: str) -> str:
    """The tidy form of a table."""
    return f"results/tables/{table}.csv"


def table_published(configuration: Configuration, *, table: str) -> list[str]:
    """The paper's figures, where a table shows them beside ours."""
    return [PUBLISHED] if configuration.tables[table].published else []


def label_table_published(configuration: Configuration, *, label_table: str) -> list[str]:
    """The same of a table of labels."""
    return [PUBLISHED] if configuration.label_tables[label_table].published else []


def cost_table_published(configuration: Configuration, *, cost_table: str) -> list[str]:
    """The same of a table of costs."""
    return [PUBLISHED] if configuration.cost_tables[cost_table].published else []


def label_table_quality(configuration: Configuration, *, label_table: str) -> list[str]:
    """The quality files of a label table's label sets."""
    return list(map(labels.quality, configuration.label_tables[label_table].labels))


def label_chart_quality(configuration: Configuration, *, label_chart: str) -> list[str]:
    """The quality files of a label chart's label sets."""
    return list(map(labels.quality, configuration.label_charts[label_chart].labels))


def line_chart_metrics(configuration: Configuration, *, line_chart: str) -> list[str]:
    """The metrics files of a line chart's trainings."""
    chart = configuration.line_charts[line_chart]
    return _metrics(chart.backbone, line_chart_seeds(configuration, line_chart=line_chart), chart.testset)


def cost_table_metrics(configuration: Configuration, *, cost_table: str) -> list[str]:
    """The metrics files of a cost table's trainings."""
    table = configuration.cost_tables[cost_table]
    return _metrics(table.backbone, cost_table_seeds(configuration, cost_table=cost_table), table.testset)


def line_chart_per_query(configuration: Configuration, *, line_chart: str) -> list[str]:
    """The per-query files beside a line chart's metrics files."""
    return _per_query(line_chart_metrics(configuration, line_chart=line_chart))


def cost_table_per_query(configuration: Configuration, *, cost_table: str) -> list[str]:
    """The per-query files beside a cost table's metrics files."""
    return _per_query(cost_table_metrics(configuration, cost_table=cost_table))


def _per_query(metrics: Iterable[str]) -> list[str]:
    return [file.replace(".json", ".per-query.parquet") for file in metrics]


def _metrics(backbone: str, seeds: Mapping[str, Iterable[str]], testset: str) -> list[str]:
    return [f"results/metrics/{backbone}/{name}/{testset}.json" for names in seeds.values() for name in names]


def verdict(table: str) -> str:
    """The verdict of a table, as text; its figures and its picture stand beside it."""
    return f"results/verdicts/{table}.md"


def verdicts(configuration: Configuration) -> list[str]:
    """Every verdict."""
    return [verdict(name) for name, table in configuration.tables.items() if table.verdict]


def verdict_seeds(configuration: Configuration, *, table: str) -> dict[str, tuple[str, ...]]:
    """By training that a verdict shows, those of each seed: its own, then the baselines."""
    settings = configuration.tables[table]
    assert settings.verdict is not None, "the configuration requires it"
    shown = [settings.verdict, UNTRAINED, *([BM25] if settings.with_bm25 else [])]
    return training.of_all_seeds(configuration, shown)


def verdict_metric(configuration: Configuration, *, table: str) -> str:
    """The metric of a verdict: the first that the table shows of its first test set."""
    settings = configuration.tables[table]
    name = settings.testsets[0]
    while name in configuration.averages:
        name = configuration.averages[name].testsets[0]
    computed = configuration.testsets[name].metrics
    return next((metric for metric in settings.metrics if metric in computed), computed[0])


def verdict_metrics(configuration: Configuration, *, table: str) -> list[str]:
    """The metrics files of a verdict."""
    settings = configuration.tables[table]
    (testset, *_), (backbone, *_) = settings.testsets, settings.backbones
    seeds = verdict_seeds(configuration, table=table)
    return [
        f"results/metrics/{BM25 if name == BM25 else backbone}/{each}/{testset}.json"
        for name, names in seeds.items()
        for each in names
    ]


def verdict_per_query(configuration: Configuration, *, table: str) -> list[str]:
    """The per-query files beside them."""
    return _per_query(verdict_metrics(configuration, table=table))


def label_table_agreement(configuration: Configuration, *, label_table: str) -> list[str]:
    """How far the label sets of a label table agree with the one that it compares them with, if it does."""
    table = configuration.label_tables[label_table]
    if table.against is None:
        return []
    return [f"results/agreement/labels/{name}/{table.against}.json" for name in table.labels if name != table.against]


def _once(lists: Iterable[list[str]]) -> list[str]:
    return list(dict.fromkeys(file for files in lists for file in files))


def tables(configuration: Configuration) -> list[str]:
    """The names of all tables."""
    return [*configuration.label_tables, *configuration.tables, *configuration.cost_tables]


def charts(configuration: Configuration) -> list[str]:
    """The names of all charts; a table of retrieval has one too."""
    return [*configuration.tables, *configuration.label_charts, *configuration.line_charts]


def names(configuration: Configuration) -> list[str]:
    """Every table and every chart; each is a target of its name."""
    return list(dict.fromkeys([*tables(configuration), *charts(configuration)]))


def files(configuration: Configuration, name: str) -> list[str]:
    """The files of a table or a chart: what its target makes. A table with a verdict comes with the report."""
    found = [f"results/tables/{name}.md"] if name in tables(configuration) else []
    found += [f"results/figures/{name}.svg"] if name in charts(configuration) else []
    return [verdict(name), *found, REPORT] if verdict(name) in verdicts(configuration) else found


def all_tables(configuration: Configuration) -> list[str]:
    """Every table in every format."""
    return [f"results/tables/{name}.{suffix}" for name in tables(configuration) for suffix in ("md", "csv", "tex")]


def all_charts(configuration: Configuration) -> list[str]:
    """Every chart as SVG; the PNG is made beside it."""
    return [f"results/figures/{name}.svg" for name in charts(configuration)]


def all_figures(configuration: Configuration) -> list[str]:
    """Every chart, and the figures of labels and trainings."""
    drawn = [*(("positives", "positions", "training") if shown_trainings(configuration) else ())]
    drawn += ["calibration"] if shown_calibrations(configuration) else []
    return all_charts(configuration) + [f"results/figures/{name}.svg" for name in drawn]


def shown_calibrations(configuration: Configuration) -> list[str]:
    """The calibrations behind the selected runs that tables show, each once."""
    seeds = {name: table_seeds(configuration, table=name) for name in configuration.tables}
    shown = [
        each for name, table in configuration.tables.items() for one in table.selected for each in seeds[name][one]
    ]
    return list(dict.fromkeys(file for name in shown for file in selection.calibration(configuration, selected=name)))


def shown_trainings(configuration: Configuration) -> list[tuple[str, str]]:
    """(backbone, training) of every training that a table or a chart shows, those of all seeds among them."""
    seeds = shown_seeds(configuration)
    return [(backbone, each) for backbone, name in _shown(configuration) for each in seeds[name]]


def shown_seeds(configuration: Configuration) -> dict[str, tuple[str, ...]]:
    """By name of a training that a table or a chart shows, the trainings of each seed."""
    return training.of_all_seeds(configuration, (name for _, name in _shown(configuration)))


def _shown(configuration: Configuration) -> list[tuple[str, str]]:
    pairs = [pair for table in configuration.tables.values() for pair in _models(configuration, table)]
    pairs += [(table.backbone, name) for table in configuration.cost_tables.values() for name in table.trainings]
    for chart in configuration.line_charts.values():
        pairs += [(chart.backbone, name) for name in chart.trainings()]
    return [pair for pair in dict.fromkeys(pairs) if pair[1] != UNTRAINED]


def _models(configuration: Configuration, table: ResultsTable) -> list[tuple[str, str]]:
    """(backbone or reranker, training) of every trained model on which a row of a table rests."""
    pairs = [(backbone, row.training) for backbone in table.backbones for row in table.shown()]
    pairs += [pair for ranking in table.on_top() for pair in reranking.models(configuration, ranking)]
    return [pair for pair in pairs if pair[1] in configuration.trainings]


def shown_models(configuration: Configuration) -> list[str]:
    """Every trained model that a table or a chart shows."""
    return [
        training.model(configuration, backbone=backbone, training=name)
        for backbone, name in shown_trainings(configuration)
    ]


def shown_quality(configuration: Configuration) -> list[str]:
    """Quality files of the label sets on which the shown trainings rest."""
    sets = dict.fromkeys(configuration.trainings[name].labels for _, name in shown_trainings(configuration))
    return list(map(labels.quality, sets))
