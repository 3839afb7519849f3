"""Takes: a folder of documents; what an LLM wrote about their passages.

Leaves: data/{dataset}/corpus.parquet with origins.parquet, and results/questions/{questions}/.
"""


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
    resources:
        **plan.requests("ingest_passages"),
    params:
        script=plan.script("ingest.py"),
        config=plan.configuration_file,
        settings=plan.settings(document_jobs.ingest_passages),
        code=plan.code("ingest.py", "passages"),
    shell:
        "python {params.script} passages --config {params.config} --dataset {wildcards.dataset}"
        " --documents data/{wildcards.dataset}/documents --tokenizer {input.tokenizer} --output {output.corpus}"
        " --origins {output.origins} --files {output.files} > {log} 2>&1"


rule read_questions:
    """Read the questions that an LLM wrote about a shard of passages, and ask the filters that look at each alone."""
    input:
        pool=plan.of(questions.pool_shard),
        replies=plan.of(questions.replies_of_shard),
        origins=plan.of(questions.origins),
    output:
        "results/questions/{questions}/read/{shard}.parquet",
    log:
        "logs/read_questions/{questions}-{shard}.log",
    conda:
        "../envs/core.yaml"
    resources:
        **plan.requests("read_questions"),
    params:
        script=plan.script("ingest.py"),
        config=plan.configuration_file,
        settings=plan.settings(document_jobs.read_questions),
        code=plan.code("ingest.py", "read"),
    shell:
        "python {params.script} read --config {params.config} --questions {wildcards.questions}"
        " --shard {wildcards.shard} --origins {input.origins} --output {output} > {log} 2>&1"


rule collect_questions:
    """Bring the questions of all shards together, and drop those that ask what another one asks."""
    input:
        plan.of(questions.shards),
    output:
        candidates="results/questions/{questions}/candidates.parquet",
        unfit="results/questions/{questions}/unfit.parquet",
    log:
        "logs/collect_questions/{questions}.log",
    conda:
        "../envs/core.yaml"
    resources:
        **plan.requests("collect_questions"),
    params:
        script=plan.script("ingest.py"),
        config=plan.configuration_file,
        code=plan.code("ingest.py", "collect"),
    shell:
        "python {params.script} collect --config {params.config} --questions {wildcards.questions}"
        " --output {output.candidates} --dropped {output.unfit} > {log} 2>&1"


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
    resources:
        **plan.requests("keep_questions"),
    params:
        script=plan.script("ingest.py"),
        config=plan.configuration_file,
        settings=plan.settings(document_jobs.keep_questions),
        code=plan.code("ingest.py", "keep"),
    shell:
        "python {params.script} keep --config {params.config} --questions {wildcards.questions}"
        " --candidates {input.candidates} --unfit {input.unfit} --run-file {input.run} --labels {input.labels}"
        " --output results/questions/{wildcards.questions} > {log} 2>&1"
