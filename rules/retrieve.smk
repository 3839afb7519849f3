"""Takes: a model or BM25, a corpus and questions. Leaves: results/runs/{retriever}/{testset}.parquet and .trec."""

vectors_file = temp if CONFIG.performance.encode.temporary_vectors else str


rule encode:
    """Encode one shard of a corpus; temporary vectors go once every search that needs them is done."""
    input:
        model=plan.of(training.model),
        corpus="data/{dataset}/corpus.parquet",
    output:
        vectors=vectors_file(
            "results/embeddings/{backbone}/{training}/{dataset}{length}/{shard}.npy"
        ),
        docids=vectors_file(
            "results/embeddings/{backbone}/{training}/{dataset}{length}/{shard}.docids.parquet"
        ),
    log:
        "logs/encode/{backbone}-{training}-{dataset}{length}-{shard}.log",
    benchmark:
        "benchmarks/jobs/encode/{backbone}-{training}-{dataset}{length}-{shard}.tsv"
    conda:
        "../envs/core.yaml"
    threads: CONFIG.performance.threads
    resources:
        **plan.requests("encode", retrieval.gpus),
    params:
        script=plan.script("retrieve.py"),
        config=plan.configuration_file,
        settings=plan.settings(jobs.encode),
        kept=plan.unwatched(retrieval.kept_vectors),
        code=plan.code("retrieve.py", "encode", entries.encode),
    shell:
        "python {params.script} encode --config {params.config} --backbone {wildcards.backbone}"
        " --length={wildcards.length} --model {input.model} --corpus {input.corpus} --shard {wildcards.shard}"
        " --kept {params.kept}"
        " --output results/embeddings/{wildcards.backbone}/{wildcards.training}/{wildcards.dataset}{wildcards.length}"
        " > {log} 2>&1"


rule search:
    """Encode the questions and search the corpus exactly."""
    input:
        model=plan.of(training.model),
        queries=plan.of(retrieval.queries),
        vectors=plan.of(retrieval.vectors),
        docids=plan.of(retrieval.docids),
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
        **plan.requests("search", retrieval.gpus),
    params:
        script=plan.script("retrieve.py"),
        config=plan.configuration_file,
        settings=plan.settings(jobs.search),
        code=plan.code("retrieve.py", "search", entries.encode),
    shell:
        "python {params.script} search --config {params.config} --backbone {wildcards.backbone}"
        " --training {wildcards.training} --testset {wildcards.testset} --model {input.model}"
        " --queries {input.queries} --output {output.run} > {log} 2>&1"


rule rerank:
    """Order the first passages of a ranking again, by a cross-encoder."""
    input:
        model=plan.of(reranking.model),
        run=plan.of(reranking.run),
        queries=plan.of(retrieval.queries),
        corpus=plan.of(retrieval.corpus),
    output:
        run="results/runs/reranked/{reranked}/{testset}.parquet",
        trec="results/runs/reranked/{reranked}/{testset}.trec",
        summary="results/runs/reranked/{reranked}/{testset}.json",
    log:
        "logs/rerank/{reranked}-{testset}.log",
    benchmark:
        "benchmarks/jobs/rerank/{reranked}-{testset}.tsv"
    wildcard_constraints:
        reranked=plan.reranked_by("reranker"),
    conda:
        "../envs/core.yaml"
    threads: CONFIG.performance.threads
    resources:
        **plan.requests("rerank", retrieval.gpus),
    params:
        script=plan.script("retrieve.py"),
        config=plan.configuration_file,
        settings=plan.settings(jobs.rerank),
        code=plan.code("retrieve.py", "rerank", entries.rerank),
    shell:
        "python {params.script} rerank --config {params.config} --reranked {wildcards.reranked} --model {input.model}"
        " --run {input.run} --queries {input.queries} --corpus {input.corpus} --output {output.run} > {log} 2>&1"


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
        **plan.requests("bm25_index"),
    params:
        script=plan.script("retrieve.py"),
        config=plan.configuration_file,
        code=plan.code("retrieve.py", "bm25_index"),
    shell:
        "python {params.script} bm25-index --config {params.config} --corpus {input} --output {output}"
        " --memory {resources.mem_mb} > {log} 2>&1"


rule bm25_search:
    """Search with BM25, or with a variant of it."""
    input:
        index=plan.of(retrieval.index),
        queries=plan.of(retrieval.queries),
    output:
        run="results/runs/bm25/{bm25}/{testset}.parquet",
        trec="results/runs/bm25/{bm25}/{testset}.trec",
    log:
        "logs/bm25_search/{bm25}-{testset}.log",
    benchmark:
        "benchmarks/jobs/bm25_search/{bm25}-{testset}.tsv"
    conda:
        "../envs/core.yaml"
    threads: CONFIG.performance.threads
    resources:
        **plan.requests("bm25_search"),
    params:
        script=plan.script("retrieve.py"),
        config=plan.configuration_file,
        settings=plan.settings(jobs.bm25_search),
        code=plan.code("retrieve.py", "bm25_search"),
    shell:
        "python {params.script} bm25-search --config {params.config} --bm25 {wildcards.bm25}"
        " --testset {wildcards.testset} --index {input.index} --queries {input.queries} --output {output.run}"
        " --memory {resources.mem_mb} > {log} 2>&1"


rule read_external_run:
    """Take over a run that others made."""
    input:
        file=plan.watched(retrieval.external_files, ancient),
        queries=plan.of(retrieval.queries),
    output:
        "results/runs/external/{external_run}/{testset}.parquet",
    log:
        "logs/read_external_run/{external_run}-{testset}.log",
    conda:
        "../envs/core.yaml"
    resources:
        **plan.requests("read_external_run"),
    params:
        script=plan.script("retrieve.py"),
        config=plan.configuration_file,
        settings=plan.settings(jobs.read_external_run),
        content=plan.content(retrieval.external_files),
        code=plan.code("retrieve.py", "read_external_run"),
    shell:
        "python {params.script} read-external-run --config {params.config}"
        " --external-run {wildcards.external_run} --testset {wildcards.testset} --queries {input.queries}"
        " --output {output} > {log} 2>&1"
