"""Takes: a run and judgements. Leaves: results/qrels/ where a test set asks for more than its split's qrels, and
results/metrics/{retriever}/{testset}.json with per-query values, and averages.

Which judgements a test set is evaluated by is decided in one place, `qrels` of planning/retrieval.py.
"""


rule merge_qrels:
    """The positives of the test set's labels, with human judgements or alone, for the questions that are labelled."""
    input:
        qrels=plan.of(retrieval.human_qrels),
        labels=plan.of(retrieval.label_file),
        duplicates=plan.of(retrieval.label_duplicates),
    output:
        "results/qrels/{testset}.parquet",
    log:
        "logs/merge_qrels/{testset}.log",
    conda:
        "../envs/core.yaml"
    resources:
        **plan.requests("merge_qrels"),
    params:
        script=plan.script("evaluate.py"),
        config=plan.configuration_file,
        settings=plan.settings(jobs.merge_qrels),
        code=plan.code("evaluate.py", "labels"),
    shell:
        "python {params.script} labels --config {params.config} --testset {wildcards.testset} --qrels {input.qrels}"
        " --labels {input.labels} --duplicates {input.duplicates} --output {output} > {log} 2>&1"


rule match_answers:
    """Which of the passages that a run retrieved hold an answer to their question."""
    input:
        run=plan.of(runs.run),
        answers=plan.of(retrieval.answers),
        corpus=plan.of(retrieval.corpus),
    output:
        "results/qrels/{retriever}/{testset}.parquet",
    log:
        "logs/match_answers/{retriever}/{testset}.log",
    benchmark:
        "benchmarks/jobs/match_answers/{retriever}/{testset}.tsv"
    conda:
        "../envs/core.yaml"
    resources:
        **plan.requests("match_answers"),
    params:
        script=plan.script("evaluate.py"),
        config=plan.configuration_file,
        settings=plan.settings(jobs.match_answers),
        code=plan.code("evaluate.py", "answers", entries.match_answers),
    shell:
        "python {params.script} answers --config {params.config} --testset {wildcards.testset}"
        " --run {input.run} --answers {input.answers} --corpus {input.corpus} --output {output} > {log} 2>&1"


rule find_training_copies:
    """Which questions of a test set are training questions too."""
    input:
        queries=plan.of(retrieval.queries),
        training=list(retrieval.training_questions(CONFIG).values()),
    output:
        "results/training-copies/{testset}.parquet",
    log:
        "logs/find_training_copies/{testset}.log",
    conda:
        "../envs/core.yaml"
    resources:
        **plan.requests("find_training_copies"),
    params:
        script=plan.script("evaluate.py"),
        config=plan.configuration_file,
        code=plan.code("evaluate.py", "copies"),
    shell:
        "python {params.script} copies --config {params.config} --queries {input.queries} --output {output}"
        " > {log} 2>&1"


rule judge_agreement:
    """How far the judges of the same questions agree, on passages and on which retriever is better."""
    input:
        labels=plan.of(results.agreement_labels),
        qrels=plan.of(results.agreement_qrels),
        metrics=plan.of(results.agreement_metrics),
    output:
        "results/agreement/{table}.json",
    log:
        "logs/judge_agreement/{table}.log",
    conda:
        "../envs/core.yaml"
    resources:
        **plan.requests("judge_agreement"),
    params:
        script=plan.script("evaluate.py"),
        config=plan.configuration_file,
        settings=plan.settings(jobs.judge_agreement),
        code=plan.code("evaluate.py", "agreement"),
    shell:
        "python {params.script} agreement --config {params.config} --table {wildcards.table} --output {output}"
        " > {log} 2>&1"


rule evaluate:
    """Score a run as trec_eval does, in all and query by query."""
    input:
        run=plan.of(runs.run),
        qrels=plan.of(retrieval.qrels),
        copies=plan.of(retrieval.dropped_copies),
    output:
        metrics="results/metrics/{retriever}/{testset}.json",
        per_query="results/metrics/{retriever}/{testset}.per-query.parquet",
    log:
        "logs/evaluate/{retriever}/{testset}.log",
    conda:
        "../envs/core.yaml"
    resources:
        **plan.requests("evaluate"),
    params:
        script=plan.script("evaluate.py"),
        config=plan.configuration_file,
        settings=plan.settings(jobs.evaluate),
        code=plan.code("evaluate.py", "run", entries.evaluate),
    shell:
        "python {params.script} run --config {params.config} --retriever {wildcards.retriever}"
        " --testset {wildcards.testset} --run {input.run} --qrels {input.qrels} --copies {input.copies}"
        " --output {output.metrics} > {log} 2>&1"


rule average_metrics:
    """Average a retriever's metrics over test sets."""
    input:
        metrics=plan.of(retrieval.average_metrics),
        per_query=plan.of(retrieval.average_per_query),
    output:
        metrics="results/metrics/{retriever}/{average}.json",
        per_query="results/metrics/{retriever}/{average}.per-query.parquet",
    log:
        "logs/average_metrics/{retriever}/{average}.log",
    conda:
        "../envs/core.yaml"
    params:
        script=plan.script("evaluate.py"),
        config=plan.configuration_file,
        code=plan.code("evaluate.py", "average"),
    shell:
        "python {params.script} average --config {params.config} --retriever {wildcards.retriever}"
        " --average {wildcards.average} --output {output.metrics} > {log} 2>&1"
