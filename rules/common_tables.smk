"""Functions only: what tables, figures and the report show, and the files that they need for it."""


def table_cells(table: str) -> list[str]:
    """`backbone/run/testset` of every cell of a table."""
    settings = CONFIG.tables[table]
    rows = [f"{BM25}/{BM25}"] if settings.with_bm25 else []
    rows += expand("{backbone}/{run}", backbone=settings.backbones, run=settings.runs)
    return expand("{row}/{testset}", row=rows, testset=settings.testsets)


def table_metrics(wildcards) -> list[str]:
    """The metrics files of a table."""
    return [f"results/metrics/{cell}.json" for cell in table_cells(wildcards.table)]


def table_per_query(wildcards) -> list[str]:
    """The per-query files of a table, in the order of its metrics files."""
    return [
        f"results/metrics/{cell}.per-query.parquet"
        for cell in table_cells(wildcards.table)
    ]


def all_tables() -> list[str]:
    """Every table in every format."""
    return expand(
        "results/tables/{table}.{suffix}", table=CONFIG.tables, suffix=("md", "csv")
    )


def shown_runs() -> list[tuple[str, str]]:
    """(backbone, run) of every training that a table shows."""
    pairs = (
        (b, run)
        for table in CONFIG.tables.values()
        for b in table.backbones
        for run in table.runs
    )
    return [pair for pair in dict.fromkeys(pairs) if pair[1] != UNTRAINED]


def all_trained_models() -> list[str]:
    """Every trained model that a table shows."""
    return [model_folder(backbone, run) for backbone, run in shown_runs()]


def shown_label_quality() -> list[str]:
    """Quality files of the label sets on which the shown runs are trained."""
    labels = dict.fromkeys(CONFIG.runs[run].labels for _, run in shown_runs())
    return expand("results/quality/{labels}.json", labels=labels)


def all_figures() -> list[str]:
    """Every figure as SVG; the PNG is made beside it."""
    figures = [*CONFIG.tables]
    if shown_runs():
        figures += ["positives", "positions", "training"]
    return expand("results/figures/{figure}.svg", figure=figures)
