"""Takes: positives and hard negatives, or runs. Leaves: results/pools/{pool}/{shard}.parquet.

One rule per pool builds it, as the number of its shards, and so of its outputs, is the pool's own.
"""


rule find_duplicates:
    """Name the passages found for a question that say the same, word for word or nearly."""
    input:
        queries=plan.of(pools.queries),
        qrels=plan.of(pools.qrels),
        runs=plan.of(pools.rankings),
        corpus=plan.of(pools.corpus),
    output:
        "results/mined/{pool}.duplicates.parquet",
    log:
        "logs/find_duplicates/{pool}.log",
    conda:
        "../envs/core.yaml"
    params:
        script=plan.script("pool.py"),
        config=plan.configuration_file,
        settings=plan.settings(jobs.find_duplicates),
        code=plan.code("pool.py", "duplicates"),
    shell:
        "python {params.script} duplicates --config {params.config} --pool {wildcards.pool}"
        " --queries {input.queries} --qrels {input.qrels} --corpus {input.corpus} --output {output} > {log} 2>&1"


rule mine_negatives:
    """Rows of ids from human judgements and the passages that retrievers rank highest."""
    input:
        queries=plan.of(pools.queries),
        qrels=plan.of(pools.qrels),
        runs=plan.of(pools.rankings),
        corpus=plan.of(pools.corpus),
        duplicates=plan.of(pools.duplicates),
    output:
        "results/mined/{pool}.jsonl",
    log:
        "logs/mine_negatives/{pool}.log",
    conda:
        "../envs/core.yaml"
    params:
        script=plan.script("pool.py"),
        config=plan.configuration_file,
        settings=plan.settings(jobs.mine_negatives),
        code=plan.code("pool.py", "negatives"),
    shell:
        "python {params.script} negatives --config {params.config} --pool {wildcards.pool}"
        " --queries {input.queries} --qrels {input.qrels} --corpus {input.corpus} --duplicates {input.duplicates}"
        " --output {output} > {log} 2>&1"


for pool in pools.built(CONFIG):

    rule:
        name:
            f"build_pool_{pool}"
        input:
            source=plan.watched(pools.source_files, ancient, pool=pool),
            corpus=pools.corpus_of_ids(CONFIG, pool=pool),
        output:
            pools.shards(CONFIG, pool=pool),
        log:
            f"logs/build_pool/{pool}.log",
        benchmark:
            f"benchmarks/jobs/build_pool/{pool}.tsv"
        conda:
            "../envs/core.yaml"
        params:
            script=plan.script("pool.py"),
            config=plan.configuration_file,
            pool=pool,
            settings=plan.settings(jobs.build_pool, pool=pool),
            content=plan.content(pools.source_files, pool=pool),
            code=plan.code("pool.py", "build"),
        shell:
            "python {params.script} build --config {params.config} --pool {params.pool}"
            " --corpus {input.corpus} --output results/pools/{params.pool} > {log} 2>&1"


for pool in pools.sampled(CONFIG):

    rule:
        name:
            f"sample_passages_{pool}"
        input:
            corpus=pools.corpus(CONFIG, pool=pool),
            origins=pools.origins(CONFIG, pool=pool),
            examples=plan.watched(pools.examples, ancient, pool=pool),
        output:
            pools.shards(CONFIG, pool=pool),
        log:
            f"logs/sample_passages/{pool}.log",
        conda:
            "../envs/core.yaml"
        params:
            script=plan.script("pool.py"),
            config=plan.configuration_file,
            pool=pool,
            settings=plan.settings(document_jobs.sample_passages, pool=pool),
            content=plan.content(pools.examples, pool=pool),
            code=plan.code("pool.py", "sample"),
        shell:
            "python {params.script} sample --config {params.config} --pool {params.pool} --corpus {input.corpus}"
            " --origins {input.origins} --output results/pools/{params.pool} > {log} 2>&1"


for pool in pools.parts(CONFIG):

    rule:
        name:
            f"divide_pool_{pool}"
        input:
            parent=pools.parent_shards(CONFIG, pool=pool),
            scores=pools.unsure_scores(CONFIG, pool=pool),
            calibration=pools.unsure_calibration(CONFIG, pool=pool),
        output:
            pools.shards(CONFIG, pool=pool),
        log:
            f"logs/divide_pool/{pool}.log",
        conda:
            "../envs/core.yaml"
        params:
            script=plan.script("pool.py"),
            config=plan.configuration_file,
            pool=pool,
            settings=plan.settings(jobs.divide_pool, pool=pool),
            code=plan.code("pool.py", "divide", entries.divide_pool, pool=pool),
        shell:
            "python {params.script} divide --config {params.config} --pool {params.pool}"
            " --output results/pools/{params.pool} > {log} 2>&1"
