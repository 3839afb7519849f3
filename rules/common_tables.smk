"""Functions only: what tables, figures and the report show, and the files that they need for it."""


def table_cells(table: str) -> list[str]:
    """The metrics files of a table's cells, without their suffixes: each run once in each column."""
    settings = CONFIG.tables[table]
    rows = [f"{BM25}/{BM25}"] if settings.with_bm25 else []
    trained = expand(
        "{backbone}/{training}",
        backbone=settings.backbones,
        run=dict.fromkeys(row.training for row in settings.shown()),
    )
    retrieval = expand(
        "results/metrics/{row}/{testset}", row=rows + trained, testset=settings.testsets
    )
    answers = expand(
        "results/rag/{row}/{qa}/{generator}/metrics",
        row=trained,
        qa=settings.qa,
        generator=settings.generators,
    )
    return retrieval + answers


def table_metrics(wildcards) -> list[str]:
    """The metrics files of a table."""
    return [f"{cell}.json" for cell in table_cells(wildcards.table)]


def table_per_query(wildcards) -> list[str]:
    """The per-query files of a table, in the order of its metrics files."""
    return [f"{cell}.per-query.parquet" for cell in table_cells(wildcards.table)]


def published_figures(section: str, wildcard: str):
    """Function of the wildcards: the paper's figures, where a table of a section shows them beside ours."""

    def files(wildcards) -> list[str]:
        table = getattr(CONFIG, section)[wildcards[wildcard]]
        return ["resources/paper/published.csv"] if table.published else []

    return files


def average_members(suffix: str):
    """Function of the wildcards: a file of each member of an average."""
    return lambda wildcards: expand(
        "results/metrics/{backbone}/{training}/{testset}{suffix}",
        backbone=wildcards.backbone,
        run=wildcards.training,
        testset=CONFIG.averages[wildcards.average].testsets,
        suffix=suffix,
    )


def results_files(name: str) -> list[str]:
    """The files of a table or a figure: what its target makes."""
    tables = [CONFIG.tables, CONFIG.label_tables, CONFIG.cost_tables]
    figures = [CONFIG.tables, CONFIG.line_charts, CONFIG.label_charts]
    files = [f"results/tables/{name}.md"] * any(name in kind for kind in tables)
    return files + [f"results/figures/{name}.svg"] * any(
        name in kind for kind in figures
    )


def results_names() -> list[str]:
    """Every table and every chart; each is a target of its name."""
    return [
        *CONFIG.label_tables,
        *CONFIG.tables,
        *CONFIG.cost_tables,
        *CONFIG.label_charts,
        *CONFIG.line_charts,
    ]


def all_tables() -> list[str]:
    """Every table in every format."""
    names = [*CONFIG.label_tables, *CONFIG.tables, *CONFIG.cost_tables]
    return expand(
        "results/tables/{table}.{suffix}", table=names, suffix=("md", "csv", "tex")
    )


def shown_runs() -> list[tuple[str, str]]:
    """(backbone, run) of every training that a table or a chart shows."""
    pairs = [
        (backbone, row.training)
        for table in CONFIG.tables.values()
        for backbone in table.backbones
        for row in table.shown()
    ]
    pairs += [(t.backbone, run) for t in CONFIG.cost_tables.values() for run in t.runs]
    for chart in CONFIG.line_charts.values():
        drawn = [run for series in chart.series for run in series.points.values()]
        pairs += [(chart.backbone, run) for run in (*drawn, *chart.levels)]
    return [pair for pair in dict.fromkeys(pairs) if pair[1] != UNTRAINED]


def all_trained_models() -> list[str]:
    """Every trained model that a table or a chart shows."""
    return [model_folder(backbone, run) for backbone, run in shown_runs()]


def shown_label_quality() -> list[str]:
    """Quality files of the label sets on which the shown runs are trained."""
    labels = dict.fromkeys(CONFIG.trainings[run].labels for _, run in shown_runs())
    return expand("results/quality/{labels}.json", labels=labels)


def charts() -> list[str]:
    """Every chart as SVG; the PNG is made beside it."""
    names = [*CONFIG.tables, *CONFIG.label_charts, *CONFIG.line_charts]
    return expand("results/figures/{figure}.svg", figure=names)


def all_figures() -> list[str]:
    """Every chart, and the figures of labels and trainings."""
    drawn = ["positives", "positions", "training"] if shown_runs() else []
    return charts() + expand("results/figures/{figure}.svg", figure=drawn)
