"""Takes: labels, their pool and quality; trained models and their metrics.
Leaves: results/exports/labels/{labels}/{export_format}/ and results/exports/models/{backbone}/{training}/.
"""


rule export_labels:
    """A label set in a format of others, with a card."""
    input:
        labels="results/labels/{labels}.parquet",
        pool=plan.of(labels.pool_shards),
        quality="results/quality/{labels}.json",
    output:
        directory("results/exports/labels/{labels}/{export_format}"),
    log:
        "logs/export_labels/{labels}-{export_format}.log",
    conda:
        "../envs/core.yaml"
    params:
        script=plan.script("export.py"),
        config=plan.configuration_file,
        settings=plan.settings(jobs.export_labels),
        code=plan.code("export.py", "labels"),
    shell:
        "python {params.script} labels --config {params.config} --labels {wildcards.labels}"
        " --format {wildcards.export_format} --output {output} > {log} 2>&1"


rule export_model:
    """A trained retriever or reranker with a card."""
    input:
        model="results/models/{backbone}/{training}",
        metrics=plan.of(exports.shown_metrics),
        calibrations=plan.of(exports.calibrations),
    output:
        directory("results/exports/models/{backbone}/{training}"),
    log:
        "logs/export_model/{backbone}-{training}.log",
    wildcard_constraints:
        backbone=plan.trained,
    conda:
        "../envs/core.yaml"
    params:
        script=plan.script("export.py"),
        config=plan.configuration_file,
        settings=plan.settings(jobs.export_model),
        code=plan.code("export.py", "model"),
    shell:
        "python {params.script} model --config {params.config} --backbone {wildcards.backbone}"
        " --training {wildcards.training} --model {input.model} --output {output} > {log} 2>&1"
