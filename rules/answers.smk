"""Takes: runs, a corpus, ground-truth answers, a model. Leaves: results/rag/{retriever}/{qa}/{generator}/.

Answers are kept in the completion store of the generator, results/completions/{generator}/: where two retrievers find
the same passages for a question, its answer is generated once.
"""


rule generate_answers:
    """Answer every question that has a ground-truth answer from the passages that the run ranks highest."""
    input:
        model=plan.of(annotation.generator_model),
        queries=plan.of(answers.queries),
        truth=plan.of(answers.truth),
        run=plan.of(answers.run),
        corpus=plan.of(answers.corpus),
        prompt=plan.resource_of(answers.template),
    output:
        answers="results/rag/{retriever}/{qa}/{generator}/answers.parquet",
        summary="results/rag/{retriever}/{qa}/{generator}/summary.json",
    log:
        "logs/generate_answers/{retriever}/{qa}-{generator}.log",
    benchmark:
        "benchmarks/jobs/generate_answers/{retriever}/{qa}-{generator}.tsv"
    group:
        "answers"
    conda:
        plan.environment_of(annotation.generates_with_vllm)
    threads: CONFIG.performance.threads
    resources:
        **plan.requests("generate_answers", annotation.generator_gpus),
    params:
        script=plan.script("answers.py"),
        config=plan.configuration_file,
        settings=plan.settings(jobs.generate_answers),
        python=plan.unwatched(annotation.generator_python),
        code=plan.code("answers.py", "generate"),
    shell:
        "{params.python:q} {params.script} generate --config {params.config}"
        " --retriever {wildcards.retriever} --qa {wildcards.qa} --generator {wildcards.generator}"
        " --model {input.model} --prompt {input.prompt} --store results/completions/{wildcards.generator} --output {output.answers} > {log} 2>&1"


rule evaluate_answers:
    """Score answers against ground truth, in all and question by question."""
    input:
        answers="results/rag/{retriever}/{qa}/{generator}/answers.parquet",
        truth=plan.of(answers.truth),
        model=plan.of(answers.bert_score_model),
        copies=plan.of(answers.dropped_copies),
    output:
        metrics="results/rag/{retriever}/{qa}/{generator}/metrics.json",
        per_query="results/rag/{retriever}/{qa}/{generator}/metrics.per-query.parquet",
    log:
        "logs/evaluate_answers/{retriever}/{qa}-{generator}.log",
    group:
        "answers"
    conda:
        "../envs/core.yaml"
    threads: CONFIG.performance.threads
    resources:
        **plan.requests("evaluate_answers", answers.bert_score_gpus),
    params:
        script=plan.script("answers.py"),
        config=plan.configuration_file,
        settings=plan.settings(jobs.evaluate_answers),
        code=plan.code("answers.py", "evaluate", entries.evaluate_answers),
    shell:
        "python {params.script} evaluate --config {params.config} --retriever {wildcards.retriever}"
        " --qa {wildcards.qa} --generator {wildcards.generator} --model {input.model} --answers {input.answers}"
        " --truth {input.truth} --copies {input.copies} --output {output.metrics} > {log} 2>&1"
