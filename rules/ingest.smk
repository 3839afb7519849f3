"""Takes: files of the outside world. Leaves: data/{dataset}/corpus.parquet, queries/, qrels/ and answers/."""


rule ingest_corpus:
    """Read a corpus."""
    input:
        lambda wildcards: source_file(
            CONFIG.datasets[wildcards.dataset].corpus, "corpus.jsonl"
        ),
    output:
        "data/{dataset}/corpus.parquet",
    log:
        "logs/ingest_corpus/{dataset}.log",
    benchmark:
        "benchmarks/jobs/ingest_corpus/{dataset}.tsv"
    conda:
        "../envs/core.yaml"
    params:
        settings=corpus_settings,
        code=code("ingest_corpus"),
    shell:
        "python workflow/scripts/ingest_corpus.py --settings {params.settings:q} --output {output} > {log} 2>&1"


rule ingest_queries:
    """Read a split's questions."""
    input:
        lambda wildcards: source_file(split_of(wildcards).queries, "queries.jsonl"),
        lambda wildcards: (
            source_file(split_of(wildcards).qrels, f"qrels/{wildcards.split}.tsv")
            if split_of(wildcards).judged_only
            else []
        ),
        lambda wildcards: (
            source_file(split_of(wildcards).answers, "answers.jsonl")
            if split_of(wildcards).answered_only
            else []
        ),
    output:
        "data/{dataset}/queries/{split}.parquet",
    log:
        "logs/ingest_queries/{dataset}-{split}.log",
    conda:
        "../envs/core.yaml"
    params:
        settings=split_settings("queries"),
        code=code("ingest_queries"),
    shell:
        "python workflow/scripts/ingest_queries.py --settings {params.settings:q} --output {output} > {log} 2>&1"


rule ingest_qrels:
    """Read a split's judgements and check them against its questions and the corpus."""
    input:
        source=lambda wildcards: source_file(
            split_of(wildcards).qrels, f"qrels/{wildcards.split}.tsv"
        ),
        corpus="data/{dataset}/corpus.parquet",
        queries="data/{dataset}/queries/{split}.parquet",
    output:
        "data/{dataset}/qrels/{split}.parquet",
    log:
        "logs/ingest_qrels/{dataset}-{split}.log",
    conda:
        "../envs/core.yaml"
    params:
        settings=split_settings("qrels"),
        code=code("ingest_qrels"),
    shell:
        "python workflow/scripts/ingest_qrels.py --settings {params.settings:q} --corpus {input.corpus}"
        " --queries {input.queries} --output {output} > {log} 2>&1"


rule ingest_answers:
    """Read a split's ground-truth answers."""
    input:
        source=lambda wildcards: source_file(
            split_of(wildcards).answers, "answers.jsonl"
        ),
        queries="data/{dataset}/queries/{split}.parquet",
    output:
        "data/{dataset}/answers/{split}.parquet",
    log:
        "logs/ingest_answers/{dataset}-{split}.log",
    conda:
        "../envs/core.yaml"
    params:
        settings=split_settings("answers"),
        code=code("ingest_answers"),
    shell:
        "python workflow/scripts/ingest_answers.py --settings {params.settings:q} --queries {input.queries}"
        " --output {output} > {log} 2>&1"
