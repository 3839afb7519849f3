"""Takes: a model or BM25, a corpus and questions. Leaves: results/runs/{backbone}/{training}/{testset}.parquet and .trec."""


rule encode:
    """Encode one shard of a corpus; the vectors go once every search that needs them is done."""
    input:
        model=encoder_model,
        corpus="data/{dataset}/corpus.parquet",
    output:
        vectors=temp("results/embeddings/{backbone}/{training}/{dataset}/{shard}.npy"),
        docids=temp(
            "results/embeddings/{backbone}/{training}/{dataset}/{shard}.docids.parquet"
        ),
    log:
        "logs/encode/{backbone}-{training}-{dataset}-{shard}.log",
    benchmark:
        "benchmarks/jobs/encode/{backbone}-{training}-{dataset}-{shard}.tsv"
    conda:
        "../envs/core.yaml"
    threads: CONFIG.performance.threads
    resources:
        mem_mb=growing(8000),
        runtime=growing(240),
        gpu=CONFIG.performance.encode.gpus,
    params:
        settings=lambda wildcards: canonical(
            {"backbone": backbone_settings(wildcards.backbone, "passage")}
        ),
        performance=performance,
        code=code("encode"),
    shell:
        "python workflow/scripts/encode.py --settings {params.settings:q} --performance {params.performance:q}"
        " --model {input.model} --corpus {input.corpus} --shard {wildcards.shard}"
        " --output-vectors {output.vectors} --output-docids {output.docids} > {log} 2>&1"


rule search:
    """Encode the questions and search the corpus exactly."""
    input:
        model=encoder_model,
        queries=lambda wildcards: split_data("queries", wildcards.testset, "testsets"),
        vectors=embedding_shards(".npy"),
        docids=embedding_shards(".docids.parquet"),
    output:
        run="results/runs/{backbone}/{training}/{testset}.parquet",
        trec="results/runs/{backbone}/{training}/{testset}.trec",
    log:
        "logs/search/{backbone}-{training}-{testset}.log",
    benchmark:
        "benchmarks/jobs/search/{backbone}-{training}-{testset}.tsv"
    priority: 1  # before further encoding: it lets embeddings go
    conda:
        "../envs/core.yaml"
    threads: CONFIG.performance.threads
    resources:
        mem_mb=growing(16000),
        runtime=growing(240),
        gpu=CONFIG.performance.encode.gpus,
    params:
        settings=lambda wildcards: canonical(
            {"backbone": backbone_settings(wildcards.backbone, "query")}
            | search_settings(wildcards.testset)
        ),
        performance=performance,
        code=code("search"),
    shell:
        "python workflow/scripts/search.py --settings {params.settings:q} --performance {params.performance:q}"
        " --model {input.model} --queries {input.queries} --vectors {input.vectors} --docids {input.docids}"
        " --output {output.run} --output-trec {output.trec} > {log} 2>&1"


rule bm25_index:
    """Index a corpus with Anserini."""
    input:
        "data/{dataset}/corpus.parquet",
    output:
        directory("results/bm25/{dataset}"),
    log:
        "logs/bm25_index/{dataset}.log",
    benchmark:
        "benchmarks/jobs/bm25_index/{dataset}.tsv"
    conda:
        "../envs/core.yaml"
    threads: CONFIG.performance.threads
    resources:
        mem_mb=growing(8000),
        runtime=growing(240),
    params:
        performance=performance,
        code=code("bm25_index"),
    shell:
        "python workflow/scripts/bm25_index.py --performance {params.performance:q} --corpus {input} --output {output}"
        " > {log} 2>&1"


rule bm25_search:
    """Search with BM25."""
    input:
        index=lambda wildcards: f"results/bm25/{CONFIG.testsets[wildcards.testset].dataset}",
        queries=lambda wildcards: split_data("queries", wildcards.testset, "testsets"),
    output:
        run=f"results/runs/{BM25}/{BM25}/{{testset}}.parquet",
        trec=f"results/runs/{BM25}/{BM25}/{{testset}}.trec",
    log:
        "logs/bm25_search/{testset}.log",
    benchmark:
        "benchmarks/jobs/bm25_search/{testset}.tsv"
    conda:
        "../envs/core.yaml"
    threads: CONFIG.performance.threads
    resources:
        mem_mb=growing(8000),
        runtime=growing(240),
    params:
        settings=lambda wildcards: canonical(
            {"bm25": CONFIG.bm25.model_dump(mode="json")}
            | search_settings(wildcards.testset)
        ),
        performance=performance,
        code=code("bm25_search"),
    shell:
        "python workflow/scripts/bm25_search.py --settings {params.settings:q} --performance {params.performance:q}"
        " --index {input.index} --queries {input.queries} --output {output.run} --output-trec {output.trec}"
        " > {log} 2>&1"
