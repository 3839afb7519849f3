"""Functions only: which annotations the report lets one look at, what their labels took, and the files for it."""

from utility_annotation.reporting.judges import Judge, judges_of_pools
from utility_annotation.reporting.work import work_settings


def shown_testsets() -> list[str]:
    """Test sets on which tables and charts show runs, by themselves or in an average."""
    testsets = [name for table in CONFIG.tables.values() for name in table.testsets]
    for section in (CONFIG.cost_tables, CONFIG.line_charts):
        testsets += [shown.testset for shown in section.values()]
    for name in testsets:  # grows by the members of averages
        members = CONFIG.averages[name].testsets if name in CONFIG.averages else ()
        testsets += [member for member in members if member not in testsets]
    return [name for name in dict.fromkeys(testsets) if name in CONFIG.testsets]


def shown_labels() -> list[str]:
    """Label sets behind the runs that are shown and their first stages, those that tables and charts show, and those by
    which retrieval is judged; by name, so that the order of the configuration's keys changes nothing.
    """
    runs = [run for _, run in shown_runs()]
    for run in runs:  # grows by the first stages
        first = CONFIG.trainings[run].init_from
        if first is not None and first not in runs:
            runs.append(first)
    labels = [CONFIG.trainings[run].labels for run in runs]
    for section in (CONFIG.label_tables, CONFIG.label_charts):
        labels += [name for shown in section.values() for name in shown.labels]
    labels += [CONFIG.testsets[name].labels for name in shown_testsets()]
    return sorted({name for name in labels if name is not None})


REPORT_PARTS = ("style.css", "annotations.html.j2", "annotations.js")
"""What the template of the report takes in from beside it."""

JUDGES = judges_of_pools(CONFIG, shown_labels())
"""Pool → who judged it; pools that only humans judged are left out."""


def report_cards() -> list[str]:
    """The cards of every pool that is looked at."""
    return expand(
        "results/report/cards/{pool}.json",
        pool=JUDGES if CONFIG.report.questions else [],
    )


def report_work() -> list[str]:
    """What the labels of every pool took that is looked at."""
    return expand("results/report/work/{pool}.json", pool=JUDGES)


def judged_stages(wildcards) -> list[Judge]:
    """The stages of the annotation of a pool."""
    return [judge for judge in JUDGES[wildcards.pool] if judge.stage is not None]


def judged_shards(suffix: str):
    """Function of the wildcards: a file of each shard of each stage of the annotation of a pool."""
    return lambda wildcards: [
        f"results/annotation/{wildcards.pool}/{judge.annotator}/{judge.stage}/{shard}{suffix}"
        for judge in judged_stages(wildcards)
        for shard in shard_names(CONFIG.pools[wildcards.pool].shards)
    ]


def judged_folders(wildcards) -> list[str]:
    """The folders of those shards: their files would be too many for a command line."""
    return [
        f"results/annotation/{wildcards.pool}/{judge.annotator}/{judge.stage}"
        for judge in judged_stages(wildcards)
    ]


def judged_labels(wildcards) -> list[str]:
    """The label sets from files that judge a pool."""
    names = [judge.labels for judge in JUDGES[wildcards.pool] if judge.labels]
    return expand("results/labels/{labels}.parquet", labels=names)


def pool_truth(wildcards) -> list[str]:
    """The ground-truth answers to a pool's questions, where its split has some."""
    pool = CONFIG.pools[wildcards.pool]
    answered = CONFIG.datasets[pool.dataset].splits[pool.split].answers is not None
    return [split_data("answers", wildcards.pool, "pools")] if answered else []


def card_settings(wildcards) -> str:
    """Which questions of a pool are shown, and whose judgements."""
    judges = [judge.model_dump(mode="json") for judge in JUDGES[wildcards.pool]]
    chosen = CONFIG.report.model_dump(mode="json")
    return canonical({"pool": wildcards.pool, "judges": judges} | chosen)


def pool_work_settings(wildcards) -> str:
    """The stages and label sets of a pool whose work is counted."""
    pool = wildcards.pool
    return canonical(work_settings(CONFIG, pool, JUDGES[pool], shown_labels()))


def title_of(heading: str, section: str, wildcard: str):
    """Function of the wildcards: how Snakemake's report calls a table or a figure that the configuration defines."""
    return lambda wildcards: {
        heading: getattr(CONFIG, section)[wildcards[wildcard]].title
    }


def number_of_shards(wildcards) -> int:
    """Of a pool."""
    return CONFIG.pools[wildcards.pool].shards
