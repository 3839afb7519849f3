"""Takes: files of the outside world. Leaves: data/{dataset}/corpus.parquet, queries/, qrels/ and answers/."""


rule ingest_corpus:
    """Read a corpus."""
    input:
        plan.watched(data.corpus_files, ancient),
    output:
        "data/{dataset}/corpus.parquet",
    log:
        "logs/ingest_corpus/{dataset}.log",
    benchmark:
        "benchmarks/jobs/ingest_corpus/{dataset}.tsv"
    wildcard_constraints:
        dataset=plan.dataset_of("corpus"),
    conda:
        "../envs/core.yaml"
    params:
        script=plan.script("ingest.py"),
        config=plan.configuration_file,
        settings=plan.settings(jobs.ingest_corpus),
        content=plan.content(data.corpus_files),
        code=plan.code("ingest.py", "corpus", entries.ingest_corpus),
    shell:
        "python {params.script} corpus --config {params.config} --dataset {wildcards.dataset}"
        " --output {output} > {log} 2>&1"


rule ingest_queries:
    """Read a split's questions."""
    input:
        plan.watched(data.queries_files, ancient),
    output:
        "data/{dataset}/queries/{split}.parquet",
    log:
        "logs/ingest_queries/{dataset}-{split}.log",
    conda:
        "../envs/core.yaml"
    params:
        script=plan.script("ingest.py"),
        config=plan.configuration_file,
        settings=plan.settings(jobs.ingest_queries),
        content=plan.content(data.queries_files),
        code=plan.code("ingest.py", "queries", entries.ingest_queries),
    shell:
        "python {params.script} queries --config {params.config} --dataset {wildcards.dataset}"
        " --split {wildcards.split} --output {output} > {log} 2>&1"


rule ingest_qrels:
    """Read a split's judgements and check them against its questions and the corpus."""
    input:
        source=plan.watched(data.qrels_files, ancient),
        corpus="data/{dataset}/corpus.parquet",
        queries="data/{dataset}/queries/{split}.parquet",
    output:
        "data/{dataset}/qrels/{split}.parquet",
    log:
        "logs/ingest_qrels/{dataset}-{split}.log",
    conda:
        "../envs/core.yaml"
    params:
        script=plan.script("ingest.py"),
        config=plan.configuration_file,
        settings=plan.settings(jobs.ingest_qrels),
        content=plan.content(data.qrels_files),
        code=plan.code("ingest.py", "qrels", entries.ingest_qrels),
    shell:
        "python {params.script} qrels --config {params.config} --dataset {wildcards.dataset}"
        " --split {wildcards.split} --corpus {input.corpus} --queries {input.queries} --output {output} > {log} 2>&1"


rule ingest_answers:
    """Read a split's ground-truth answers."""
    input:
        source=plan.watched(data.answers_files, ancient),
        queries="data/{dataset}/queries/{split}.parquet",
    output:
        "data/{dataset}/answers/{split}.parquet",
    log:
        "logs/ingest_answers/{dataset}-{split}.log",
    conda:
        "../envs/core.yaml"
    params:
        script=plan.script("ingest.py"),
        config=plan.configuration_file,
        settings=plan.settings(jobs.ingest_answers),
        content=plan.content(data.answers_files),
        code=plan.code("ingest.py", "answers", entries.ingest_answers),
    shell:
        "python {params.script} answers --config {params.config} --dataset {wildcards.dataset}"
        " --split {wildcards.split} --queries {input.queries} --output {output} > {log} 2>&1"
