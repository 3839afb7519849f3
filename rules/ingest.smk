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


rule ingest_documents:
    """Read a shard of the files of a folder of documents; what these hold makes it stale, and not when they changed."""
    input:
        plan.marked(documents.place, ancient),
    output:
        "data/{dataset}/documents/{shard}.parquet",
    log:
        "logs/ingest_documents/{dataset}-{shard}.log",
    benchmark:
        "benchmarks/jobs/ingest_documents/{dataset}-{shard}.tsv"
    wildcard_constraints:
        dataset=plan.dataset_of("documents"),
    conda:
        "../envs/core.yaml"
    threads: CONFIG.performance.threads
    resources:
        **plan.requests("ingest_documents"),
    params:
        script=plan.script("ingest.py"),
        config=plan.configuration_file,
        settings=plan.settings(document_jobs.ingest_documents),
        content=plan.of(documents.content),
        code=plan.code("ingest.py", "documents"),
    shell:
        "python {params.script} documents --config {params.config} --dataset {wildcards.dataset}"
        " --shard {wildcards.shard} --output {output} > {log} 2>&1"


rule ingest_passages:
    """Divide the documents of a folder into passages, and tell of each file what became of it."""
    input:
        documents=plan.of(documents.shards),
        tokenizer=plan.of(documents.tokenizer),
    output:
        corpus="data/{dataset}/corpus.parquet",
        origins="data/{dataset}/origins.parquet",
        files="results/documents/{dataset}.csv",
        summary="results/documents/{dataset}.json",
    log:
        "logs/ingest_passages/{dataset}.log",
    benchmark:
        "benchmarks/jobs/ingest_passages/{dataset}.tsv"
    wildcard_constraints:
        dataset=plan.dataset_of("documents"),
    conda:
        "../envs/core.yaml"
    threads: CONFIG.performance.threads
    params:
        script=plan.script("ingest.py"),
        config=plan.configuration_file,
        settings=plan.settings(document_jobs.ingest_passages),
        code=plan.code("ingest.py", "passages"),
    shell:
        "python {params.script} passages --config {params.config} --dataset {wildcards.dataset}"
        " --documents data/{wildcards.dataset}/documents --tokenizer {input.tokenizer} --output {output.corpus}"
        " --origins {output.origins} --files {output.files} > {log} 2>&1"


rule collect_questions:
    """Read the questions that an LLM wrote about passages, and drop what no search is needed to judge."""
    input:
        pool=plan.of(questions.pool_shards),
        replies=plan.of(questions.annotation_shards),
        origins=plan.of(questions.origins),
    output:
        candidates="results/questions/{questions}/candidates.parquet",
        unfit="results/questions/{questions}/unfit.parquet",
    log:
        "logs/collect_questions/{questions}.log",
    conda:
        "../envs/core.yaml"
    params:
        script=plan.script("ingest.py"),
        config=plan.configuration_file,
        settings=plan.settings(document_jobs.collect_questions),
        code=plan.code("ingest.py", "collect"),
    shell:
        "python {params.script} collect --config {params.config} --questions {wildcards.questions}"
        " --origins {input.origins} --output {output.candidates} --dropped {output.unfit} > {log} 2>&1"


rule keep_questions:
    """Keep the questions that a search and an LLM confirm, and divide them by document."""
    input:
        candidates="results/questions/{questions}/candidates.parquet",
        unfit="results/questions/{questions}/unfit.parquet",
        run=plan.of(questions.run),
        labels=plan.of(questions.answerable),
    output:
        train="results/questions/{questions}/train.parquet",
        held_out="results/questions/{questions}/held-out.parquet",
        dropped="results/questions/{questions}/dropped.parquet",
        summary="results/questions/{questions}/summary.json",
    log:
        "logs/keep_questions/{questions}.log",
    conda:
        "../envs/core.yaml"
    params:
        script=plan.script("ingest.py"),
        config=plan.configuration_file,
        settings=plan.settings(document_jobs.keep_questions),
        code=plan.code("ingest.py", "keep"),
    shell:
        "python {params.script} keep --config {params.config} --questions {wildcards.questions}"
        " --candidates {input.candidates} --unfit {input.unfit} --run-file {input.run} --labels {input.labels}"
        " --output results/questions/{wildcards.questions} > {log} 2>&1"


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
