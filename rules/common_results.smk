"""Functions only: the files that label tables, cost tables and charts need, and their settings."""

from utility_annotation.labels import cost


def label_table_settings(wildcards) -> str:
    """A label table and what it shows of its label sets' settings."""
    table = CONFIG.label_tables[wildcards.label_table]
    shown = {
        name: CONFIG.labels[name].model_dump(
            mode="json", include={"source", "annotator", "top_percent"}
        )
        for name in table.labels
    }
    return canonical({"table": table.model_dump(mode="json"), "labels": shown})


def label_table_quality(wildcards) -> list[str]:
    """The quality files of a label table's label sets."""
    labels = CONFIG.label_tables[wildcards.label_table].labels
    return expand("results/quality/{labels}.json", labels=labels)


def label_chart_quality(wildcards) -> list[str]:
    """The quality files of a label chart's label sets."""
    labels = CONFIG.label_charts[wildcards.label_chart].labels
    return expand("results/quality/{labels}.json", labels=labels)


def metrics_of(settings, runs) -> list[str]:
    """Metrics files of runs of the backbone and test set that a cost table or a line chart shows."""
    return expand(
        "results/metrics/{backbone}/{training}/{testset}.json",
        backbone=settings.backbone,
        run=dict.fromkeys(runs),
        testset=settings.testset,
    )


def line_chart_metrics(wildcards) -> list[str]:
    """The metrics files of a line chart's runs."""
    chart = CONFIG.line_charts[wildcards.line_chart]
    points = [run for series in chart.series for run in series.points.values()]
    return metrics_of(chart, [*points, *chart.levels])


def cost_table_metrics(wildcards) -> list[str]:
    """The metrics files of a cost table's runs."""
    table = CONFIG.cost_tables[wildcards.cost_table]
    return metrics_of(table, table.trainings)


def cost_table_work(wildcards) -> dict:
    """The work behind the labels of each run of a cost table."""
    runs = CONFIG.cost_tables[wildcards.cost_table].trainings
    return {run: cost.work_of_training(CONFIG, run) for run in runs}


def cost_table_settings(wildcards) -> str:
    """A cost table, the prices, and the work behind the labels of each run."""
    work = {
        run: parts and [part.model_dump(mode="json") for part in parts]
        for run, parts in cost_table_work(wildcards).items()
    }
    table = CONFIG.cost_tables[wildcards.cost_table]
    return canonical(
        {
            "table": table.model_dump(mode="json"),
            "prices": CONFIG.cost.model_dump(mode="json"),
            "work": work,
        }
    )


def cost_table_shards(pattern: str, by_humans: bool):
    """Function of the wildcards: files by `pattern` for each shard that humans, or an LLM, worked on for the labels of
    a cost table.
    """

    def shards(wildcards) -> list[str]:
        work = [
            part
            for parts in cost_table_work(wildcards).values()
            for part in parts or ()
        ]
        files = [
            pattern.format(
                pool=part.pool, annotator=part.annotator, stage=part.kind, shard=shard
            )
            for part in work
            if (part.annotator is None) == by_humans
            for shard in shard_names(CONFIG.pools[part.pool].shards)
        ]
        return list(dict.fromkeys(files))

    return shards
