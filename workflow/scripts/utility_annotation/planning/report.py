"""The report: which annotations can be looked at in it, what their labels took, and the files for it."""

from __future__ import annotations

from ..labels.work import Work, work_of_labels
from ..pools.shards import shard_names
from ..reporting.judges import Judge, judges_of_pools
from ..settings import Configuration
from . import annotation, labels, results, retrieval, work

TEMPLATE = "report/report.html.j2"
PARTS = ("report/style.css", "report/annotations.html.j2", "report/annotations.js")
"""The page's template, and what it takes in from beside it; below resources/."""


def shown_testsets(configuration: Configuration) -> list[str]:
    """Test sets on which tables and charts show retrievers, by themselves or in an average."""
    shown = [name for table in configuration.tables.values() for name in table.testsets]
    shown += [table.testset for table in configuration.cost_tables.values()]
    shown += [chart.testset for chart in configuration.line_charts.values()]
    return retrieval.testsets_of(configuration, shown)


def shown_labels(configuration: Configuration) -> list[str]:
    """Label sets behind the trainings that are shown and their first stages, those that tables and charts show, and
    those by which retrieval is judged; by name, so that the order of the configuration's keys changes nothing.
    """
    trainings = [name for _, name in results.shown_trainings(configuration)]
    for name in trainings:  # grows by the first stages
        first = configuration.trainings[name].init_from
        if first is not None and first not in trainings:
            trainings.append(first)
    shown: list[str | None] = [configuration.trainings[name].labels for name in trainings]
    shown += [name for table in configuration.label_tables.values() for name in table.labels]
    shown += [name for chart in configuration.label_charts.values() for name in chart.labels]
    shown += [configuration.testsets[name].labels for name in shown_testsets(configuration)]
    return sorted({name for name in shown if name is not None})


def judges(configuration: Configuration) -> dict[str, list[Judge]]:
    """Pool → who judged it; pools that only humans judged are left out."""
    return judges_of_pools(configuration, shown_labels(configuration))


def samples(configuration: Configuration) -> list[str]:
    """The annotations of every pool that is looked at."""
    pools = judges(configuration) if configuration.report.questions else ()
    return [f"results/report/annotations/{pool}.json" for pool in pools]


def costs(configuration: Configuration) -> list[str]:
    """What the labels of every pool took that is looked at."""
    return [f"results/report/cost/{pool}.json" for pool in judges(configuration)]


def _stages(configuration: Configuration, pool: str) -> list[tuple[str, str]]:
    """(annotator, stage) of the annotation of a pool."""
    found = judges(configuration)[pool]
    return [
        (judge.annotator, judge.stage) for judge in found if judge.stage is not None and judge.annotator is not None
    ]


def annotation_shards(configuration: Configuration, *, pool: str) -> list[str]:
    """Each shard of each stage of the annotation of a pool."""
    return [
        annotation.shard_file(pool, annotator, stage, shard)
        for annotator, stage in _stages(configuration, pool)
        for shard in shard_names(configuration.pools[pool].shards)
    ]


def annotation_summaries(configuration: Configuration, *, pool: str) -> list[str]:
    """What the jobs of these shards did."""
    return [shard.removesuffix(".parquet") + ".json" for shard in annotation_shards(configuration, pool=pool)]


def paid(configuration: Configuration, *, pool: str) -> list[Work]:
    """The work behind the label sets of a pool that are shown."""
    own = [name for name in shown_labels(configuration) if configuration.labels[name].pool == pool]
    return [part for name in own for part in work_of_labels(configuration, name) or ()]


def records(configuration: Configuration, *, pool: str) -> list[str]:
    """The files that record it."""
    return work.record_files(configuration, paid(configuration, pool=pool))


def label_files(configuration: Configuration, *, pool: str) -> list[str]:
    """The label sets from files that judge a pool."""
    return [labels.file(judge.labels) for judge in judges(configuration)[pool] if judge.labels]


def tables(configuration: Configuration) -> list[str]:
    """All tables in the form in which the page reads them."""
    return list(map(results.table_csv, results.tables(configuration)))


def documents(configuration: Configuration) -> list[str]:
    """What became of the files of each folder of documents."""
    return [f"results/documents/{name}.json" for name, each in configuration.datasets.items() if each.documents]


def questions(configuration: Configuration) -> list[str]:
    """What became of the questions that an LLM wrote."""
    return [f"results/questions/{name}/summary.json" for name in configuration.questions]


def training_records(configuration: Configuration) -> list[str]:
    """What each shown training left beside its model."""
    return [f"{model}/training.json" for model in results.shown_models(configuration)]
