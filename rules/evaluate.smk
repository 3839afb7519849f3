"""Takes: a run and judgements. Leaves: results/metrics/{backbone}/{run}/{testset}.json and per-query values."""


rule evaluate:
    """Score a run as trec_eval does, in all and query by query."""
    input:
        run="results/runs/{backbone}/{run}/{testset}.parquet",
        qrels=lambda wildcards: split_data("qrels", wildcards.testset, "testsets"),
    output:
        metrics="results/metrics/{backbone}/{run}/{testset}.json",
        per_query="results/metrics/{backbone}/{run}/{testset}.per-query.parquet",
    log:
        "logs/evaluate/{backbone}-{run}-{testset}.log",
    wildcard_constraints:
        backbone="|".join(map(re.escape, (BM25, *CONFIG.backbones))),
        run="|".join(map(re.escape, (BM25, UNTRAINED, *CONFIG.runs))),
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=4000,
    params:
        settings=lambda wildcards: canonical(
            {
                "backbone": wildcards.backbone,
                "run": wildcards.run,
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
