"""Takes: files of the outside world. Leaves: data/{dataset}/corpus.parquet, queries/, qrels/ and answers/."""


rule ingest_corpus:
    """Read a corpus."""
    input:
        watched(corpus_files),
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
        content=content(corpus_files),
        code=code("ingest_corpus"),
    shell:
        "python workflow/scripts/ingest_corpus.py --settings {params.settings:q} --output {output} > {log} 2>&1"


rule ingest_queries:
    """Read a split's questions."""
    input:
        watched(queries_files),
    output:
        "data/{dataset}/queries/{split}.parquet",
    log:
        "logs/ingest_queries/{dataset}-{split}.log",
    conda:
        "../envs/core.yaml"
    params:
        settings=split_settings("queries"),
        content=content(queries_files),
        code=code("ingest_queries"),
    shell:
        "python workflow/scripts/ingest_queries.py --settings {params.settings:q} --output {output} > {log} 2>&1"


rule ingest_qrels:
    """Read a split's judgements and check them against its questions and the corpus."""
    input:
        source=watched(split_files("qrels")),
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
        content=content(split_files("qrels")),
        code=code("ingest_qrels"),
    shell:
        "python workflow/scripts/ingest_qrels.py --settings {params.settings:q} --corpus {input.corpus}"
        " --queries {input.queries} --output {output} > {log} 2>&1"


rule ingest_answers:
    """Read a split's ground-truth answers."""
    input:
        source=watched(split_files("answers")),
        queries="data/{dataset}/queries/{split}.parquet",
    output:
        "data/{dataset}/answers/{split}.parquet",
    log:
        "logs/ingest_answers/{dataset}-{split}.log",
    conda:
        "../envs/core.yaml"
    params:
        settings=split_settings("answers"),
        content=content(split_files("answers")),
        code=code("ingest_answers"),
    shell:
        "python workflow/scripts/ingest_answers.py --settings {params.settings:q} --queries {input.queries}"
        " --output {output} > {log} 2>&1"
