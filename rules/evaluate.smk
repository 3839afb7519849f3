"""Takes: a run and judgements. Leaves: results/metrics/{backbone}/{training}/{testset}.json and per-query values, and averages."""


rule evaluate:
    """Score a run as trec_eval does, in all and query by query."""
    input:
        run="results/runs/{backbone}/{training}/{testset}.parquet",
        qrels=testset_qrels,
    output:
        metrics="results/metrics/{backbone}/{training}/{testset}.json",
        per_query="results/metrics/{backbone}/{training}/{testset}.per-query.parquet",
    log:
        "logs/evaluate/{backbone}-{training}-{testset}.log",
    wildcard_constraints:
        backbone="|".join(map(re.escape, (BM25, *CONFIG.backbones))),
        run="|".join(map(re.escape, (BM25, UNTRAINED, *CONFIG.trainings))),
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=growing(4000),
    params:
        settings=lambda wildcards: canonical(
            {
                "backbone": wildcards.backbone,
                "training": wildcards.training,
                "testset": wildcards.testset,
            }
            | CONFIG.testsets[wildcards.testset].model_dump(
                mode="json", include={"metrics", "relevance_level"}
            )
        ),
        code=code("evaluate"),
    shell:
        "python workflow/scripts/evaluate.py --settings {params.settings:q} --run {input.run} --qrels {input.qrels}"
        " --output {output.metrics} --output-per-query {output.per_query} > {log} 2>&1"


rule average_metrics:
    """The mean of a run's metrics over several test sets, each counting the same."""
    input:
        metrics=average_members(".json"),
        per_query=average_members(".per-query.parquet"),
    output:
        metrics="results/metrics/{backbone}/{training}/{average}.json",
        per_query="results/metrics/{backbone}/{training}/{average}.per-query.parquet",
    log:
        "logs/average_metrics/{backbone}-{training}-{average}.log",
    wildcard_constraints:
        backbone="|".join(map(re.escape, (BM25, *CONFIG.backbones))),
        run="|".join(map(re.escape, (BM25, UNTRAINED, *CONFIG.trainings))),
    conda:
        "../envs/core.yaml"
    params:
        settings=lambda wildcards: canonical({"average": wildcards.average}),
        code=code("average_metrics"),
    shell:
        "python workflow/scripts/average_metrics.py --settings {params.settings:q} --metrics {input.metrics}"
        " --per-query {input.per_query} --output {output.metrics} --output-per-query {output.per_query} > {log} 2>&1"
