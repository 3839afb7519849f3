"""Takes: pool and annotation shards, or labels of others. Leaves: results/labels/{labels}.parquet, results/quality/."""


rule merge_labels:
    """Merge what one source, or several label sets, say of a pool into the labels of every candidate."""
    input:
        pool=plan.of(labels.pool_shards),
        annotation=plan.of(labels.annotation_shards),
        doubts=plan.of(labels.doubt_shards),
        members=plan.of(labels.members),
        scores=plan.of(labels.scores),
        calibration=plan.of(labels.calibration),
        file=plan.watched(labels.outside_files, ancient),
    output:
        "results/labels/{labels}.parquet",
    log:
        "logs/merge_labels/{labels}.log",
    benchmark:
        "benchmarks/jobs/merge_labels/{labels}.tsv"
    conda:
        "../envs/core.yaml"
    resources:
        **plan.requests("merge_labels"),
    params:
        script=plan.script("label.py"),
        config=plan.configuration_file,
        settings=plan.settings(jobs.merge_labels),
        content=plan.content(labels.outside_files),
        code=plan.code("label.py", "merge", entries.merge_labels),
    shell:
        "python {params.script} merge --config {params.config} --labels {wildcards.labels} --output {output}"
        " > {log} 2>&1"


rule label_quality:
    """Compare labels with the human positives: precision, recall, agreement, position bias, outcomes."""
    input:
        labels="results/labels/{labels}.parquet",
        pool=plan.of(labels.pool_shards),
        annotation=plan.of(labels.annotation_shards),
        relevance=plan.of(labels.relevance_shards),
        members=plan.of(labels.voters),
    output:
        "results/quality/{labels}.json",
    log:
        "logs/label_quality/{labels}.log",
    conda:
        "../envs/core.yaml"
    resources:
        **plan.requests("label_quality"),
    params:
        script=plan.script("label.py"),
        config=plan.configuration_file,
        settings=plan.settings(jobs.label_quality),
        code=plan.code("label.py", "quality", entries.label_quality),
    shell:
        "python {params.script} quality --config {params.config} --labels {wildcards.labels} --output {output}"
        " > {log} 2>&1"


rule label_agreement:
    """Compare labels with another label set: kappa, and precision and recall of its positives."""
    input:
        labels="results/labels/{labels}.parquet",
        against="results/labels/{against}.parquet",
    output:
        "results/agreement/labels/{labels}/{against}.json",
    log:
        "logs/label_agreement/{labels}-{against}.log",
    conda:
        "../envs/core.yaml"
    resources:
        **plan.requests("label_agreement"),
    params:
        script=plan.script("label.py"),
        config=plan.configuration_file,
        code=plan.code("label.py", "agreement"),
    shell:
        "python {params.script} agreement --config {params.config} --names {wildcards.labels} {wildcards.against}"
        " --output {output} > {log} 2>&1"


rule grade_agreement:
    """Compare the grades of labels with those of people: weighted kappa, alpha, and where the labels are higher."""
    input:
        labels="results/labels/{labels}.parquet",
        pool=plan.of(labels.pool_shards),
        people=plan.of(labels.people),
    output:
        "results/agreement/grades/{labels}.json",
    log:
        "logs/grade_agreement/{labels}.log",
    conda:
        "../envs/core.yaml"
    resources:
        **plan.requests("grade_agreement"),
    params:
        script=plan.script("label.py"),
        config=plan.configuration_file,
        code=plan.code("label.py", "grades"),
    shell:
        "python {params.script} grades --config {params.config} --labels {wildcards.labels} --output {output}"
        " > {log} 2>&1"
