"""Takes: published positives and hard negatives. Leaves: results/pools/{pool}/{shard}.parquet.

One rule a pool, as the number of its shards, and so of its outputs, is the pool's own.
"""

for pool in CONFIG.pools:

    rule:
        name:
            f"build_pool_{pool}"
        input:
            source=CONFIG.pools[pool].source.path,
            corpus=(
                f"data/{CONFIG.pools[pool].dataset}/corpus.parquet"
                if CONFIG.pools[pool].source.format == "tevatron-ids"
                else []
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
            settings=canonical(CONFIG.pools[pool]),
            code=code("build_pool"),
        shell:
            "python workflow/scripts/build_pool.py --settings {params.settings:q}"
            " $([ -z '{input.corpus}' ] || echo --corpus '{input.corpus}') --output {output} > {log} 2>&1"
