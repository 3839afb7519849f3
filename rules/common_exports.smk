"""Functions only: what is handed over, and what its cards tell."""


def export_settings(wildcards) -> str:
    """A label set with what made it, as far as its card tells."""
    labels = CONFIG.labels[wildcards.labels]
    if labels.source == "replug":
        raise WorkflowError(
            f"labels {wildcards.labels} are likelihoods of REPLUG, of which none is a positive: they cannot be exported."
        )
    annotator = CONFIG.annotators[labels.annotator] if labels.annotator else None
    model = CONFIG.models[annotator.model] if annotator and annotator.model else None
    return canonical(
        {
            "name": wildcards.labels,
            "labels": labels.model_dump(mode="json"),
            "pool": CONFIG.pools[labels.pool].model_dump(mode="json"),
            "annotator": annotator and annotator.model_dump(mode="json"),
            "model": model and model.model_dump(mode="json"),
        }
    )


def shown_metrics(wildcards) -> list[str]:
    """The retrieval metrics of a model in every table that shows it."""
    folder = f"results/metrics/{wildcards.backbone}/{wildcards.training}/"
    cells = dict.fromkeys(
        cell for table in CONFIG.tables for cell in table_cells(table)
    )
    return [f"{cell}.json" for cell in cells if cell.startswith(folder)]


def model_export_settings(wildcards) -> str:
    """What a model's card tells of its labels and of its backbone's origin."""
    run = CONFIG.trainings[wildcards.training]
    first = CONFIG.trainings[training.init_from].labels if training.init_from else None
    source = CONFIG.models[CONFIG.backbones[wildcards.backbone].model]
    return canonical(
        {
            "name": wildcards.training,
            "labels": CONFIG.labels[training.labels].model_dump(mode="json"),
            "init_from": first and CONFIG.labels[first].model_dump(mode="json"),
            "source": source.model_dump(mode="json"),
        }
    )
