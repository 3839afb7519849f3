"""Takes: pool shards, a model; labels of others. Leaves: results/annotation/{pool}/{annotator}/{stage}/{shard}.parquet,
results/labels/{labels}.parquet, results/quality/ and results/agreement/ of labels.

One rule per stage of the table in annotation/stages.py. The stages of a shard form a group: one allocation on a cluster,
in which `engine` keeps them one after the other, so that they share its GPU. Completions are kept outside the outputs,
in results/completions/{annotator}/, so that no stage, shard count or crash pays for one twice.
"""

for stage, entry in STAGES.items():
    rule_name = annotation.rule(stage)

    rule:
        name:
            rule_name
        input:
            model=plan.of(annotation.model),
            pool="results/pools/{pool}/{shard}.parquet",
            earlier=plan.of(annotation.earlier, stage=stage),
            truth=plan.of(annotation.truth, stage=stage),
            shared=plan.marked(annotation.shared, ancient, stage=stage),
            prompt=plan.resource_of(annotation.template, stage=stage),
        output:
            shard=f"results/annotation/{{pool}}/{{annotator}}/{stage}/{{shard}}.parquet",
            summary=f"results/annotation/{{pool}}/{{annotator}}/{stage}/{{shard}}.json",
        log:
            f"logs/{rule_name}/{{pool}}-{{annotator}}-{{shard}}.log",
        benchmark:
            f"benchmarks/jobs/{rule_name}/{{pool}}-{{annotator}}-{{shard}}.tsv"
        group:
            "annotate"
        conda:
            plan.environment_of(annotation.in_environment_of_vllm)
        threads: CONFIG.performance.threads
        resources:
            **plan.requests(rule_name, annotation.gpus),
            engine=1,
        params:
            script=plan.script("annotate.py"),
            config=plan.configuration_file,
            stage=stage,
            settings=plan.settings(jobs.annotate, stage=stage),
            python=plan.unwatched(annotation.python),
            code=plan.code("annotate.py", "annotate", entries.annotate, stage=stage),
        shell:
            "{params.python:q} {params.script} --config {params.config} --stage {params.stage}"
            " --annotator {wildcards.annotator} --model {input.model} --prompt {input.prompt}"
            " --pool results/pools/{wildcards.pool} --shard {wildcards.shard} --truth {input.truth}"
            " --store results/completions/{wildcards.annotator}"
            " --annotation results/annotation/{wildcards.pool}/{wildcards.annotator} > {log} 2>&1"


rule merge_labels:
    """Merge what one source, or several label sets, say of a pool into the labels of every candidate."""
    input:
        pool=plan.of(labels.pool_shards),
        annotation=plan.of(labels.annotation_shards),
        doubts=plan.of(labels.doubt_shards),
        members=plan.of(labels.members),
        scores=plan.of(labels.scores),
        calibration=plan.of(labels.calibration),
        truth=plan.of(labels.truth),
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
