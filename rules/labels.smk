"""Takes: pool and annotation shards, or labels of others. Leaves: results/labels/{labels}.parquet and results/quality/{labels}.json."""


rule merge_labels:
    """Merge what one source, or several label sets, say of a pool into the labels of every candidate."""
    input:
        pool=label_pool_shards,
        annotation=label_annotation_shards,
        members=label_members,
        file=watched(label_file),
    output:
        "results/labels/{labels}.parquet",
    log:
        "logs/merge_labels/{labels}.log",
    benchmark:
        "benchmarks/jobs/merge_labels/{labels}.tsv"
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=growing(4000),
    params:
        settings=lambda wildcards: canonical(CONFIG.labels[wildcards.labels]),
        content=content(label_file),
        code=code("merge_labels"),
    shell:
        "python workflow/scripts/merge_labels.py --settings {params.settings:q} --pool {input.pool}"
        " --annotation {input.annotation} --members {input.members} --output {output} > {log} 2>&1"


rule label_quality:
    """Compare labels with the human positives: precision, recall, agreement, position bias, outcomes."""
    input:
        labels="results/labels/{labels}.parquet",
        pool=label_pool_shards,
        annotation=label_annotation_shards,
        relevance=label_relevance_shards,
    output:
        "results/quality/{labels}.json",
    log:
        "logs/label_quality/{labels}.log",
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=growing(4000),
    params:
        settings=lambda wildcards: canonical(
            {"labels": wildcards.labels}
            | CONFIG.labels[wildcards.labels].model_dump(
                mode="json", include={"source", "annotator"}
            )
        ),
        code=code("label_quality"),
    shell:
        "python workflow/scripts/label_quality.py --settings {params.settings:q} --labels {input.labels}"
        " --pool {input.pool} --annotation {input.annotation} --relevance {input.relevance} --output {output}"
        " > {log} 2>&1"
