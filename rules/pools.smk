"""Takes: positives and hard negatives, or runs. Leaves: results/pools/{pool}/{shard}.parquet.

One rule a pool, as the number of its shards, and so of its outputs, is the pool's own.
"""


rule find_duplicates:
    """Name the passages found for a question that say the same, word for word or nearly."""
    input:
        queries=lambda wildcards: split_data("queries", wildcards.pool, "pools"),
        qrels=mined_qrels,
        runs=mined_runs,
        corpus=lambda wildcards: f"data/{CONFIG.pools[wildcards.pool].dataset}/corpus.parquet",
    output:
        "results/mined/{pool}.duplicates.parquet",
    log:
        "logs/find_duplicates/{pool}.log",
    conda:
        "../envs/core.yaml"
    params:
        settings=lambda wildcards: canonical(
            {"depth": CONFIG.pools[wildcards.pool].source.depth}
        ),
        code=code("find_duplicates"),
    shell:
        "python workflow/scripts/find_duplicates.py --settings {params.settings:q} --queries {input.queries}"
        " --qrels {input.qrels} --runs {input.runs} --corpus {input.corpus} --output {output} > {log} 2>&1"


rule mine_negatives:
    """Rows of ids from human judgements and the passages that retrievers rank highest."""
    input:
        queries=lambda wildcards: split_data("queries", wildcards.pool, "pools"),
        qrels=mined_qrels,
        runs=mined_runs,
        duplicates=lambda wildcards: pool_duplicates(wildcards.pool),
    output:
        "results/mined/{pool}.jsonl",
    log:
        "logs/mine_negatives/{pool}.log",
    conda:
        "../envs/core.yaml"
    params:
        settings=mining_settings,
        code=code("mine_negatives"),
    shell:
        "python workflow/scripts/mine_negatives.py --settings {params.settings:q} --queries {input.queries}"
        " --qrels {input.qrels} --runs {input.runs} --duplicates {input.duplicates} --output {output} > {log} 2>&1"


for pool in CONFIG.pools:

    rule:
        name:
            f"build_pool_{pool}"
        input:
            source=watched(pool_files(pool)),
            corpus=(
                []
                if CONFIG.pools[pool].source.format == "tevatron"
                else f"data/{CONFIG.pools[pool].dataset}/corpus.parquet"
            ),
        output:
            pool_shards(pool),
        log:
            f"logs/build_pool/{pool}.log",
        benchmark:
            f"benchmarks/jobs/build_pool/{pool}.tsv"
        conda:
            "../envs/core.yaml"
        params:
            settings=pool_settings(pool),
            content=content(pool_files(pool)),
            code=code("build_pool"),
        shell:
            "python workflow/scripts/build_pool.py --settings {params.settings:q}"
            " $([ -z '{input.corpus}' ] || echo --corpus '{input.corpus}') --output {output} > {log} 2>&1"
