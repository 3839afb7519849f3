"""Takes: labels, their pool and quality; trained models and their metrics.
Leaves: results/exports/labels/{labels}/{export_format}/ and results/exports/models/{backbone}/{training}/.
"""


rule export_labels:
    """A label set in a format of others, with a card."""
    input:
        labels="results/labels/{labels}.parquet",
        pool=label_pool_shards,
        quality="results/quality/{labels}.json",
    output:
        directory("results/exports/labels/{labels}/{export_format}"),
    log:
        "logs/export_labels/{labels}-{export_format}.log",
    conda:
        "../envs/core.yaml"
    params:
        settings=export_settings,
        code=code("export_labels"),
    shell:
        "python workflow/scripts/export_labels.py --settings {params.settings:q} --format {wildcards.export_format}"
        " --labels {input.labels} --pool {input.pool} --quality {input.quality} --output {output} > {log} 2>&1"


rule export_model:
    """A trained retriever with a card."""
    input:
        model="results/models/{backbone}/{training}",
        metrics=shown_metrics,
    output:
        directory("results/exports/models/{backbone}/{training}"),
    log:
        "logs/export_model/{backbone}-{training}.log",
    conda:
        "../envs/core.yaml"
    params:
        settings=model_export_settings,
        code=code("export_model"),
    shell:
        "python workflow/scripts/export_model.py --settings {params.settings:q} --model {input.model}"
        " --metrics {input.metrics} --output {output} > {log} 2>&1"
