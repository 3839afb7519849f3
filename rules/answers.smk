"""What LLMs make of runs. Takes: runs, a corpus, ground-truth answers, a model.

Leaves: results/rag/{retriever}/{qa}/{generator}/, and results/runs/reranked/{reranked}/ of an LLM that reranks.

Answers are kept in the completion store of the generator, results/completions/{generator}/: where two retrievers find
the same passages for a question, its answer is generated once.
"""


rule rerank_by_llm:
    """Order the first passages of a ranking again, by an LLM; its replies are in its completion store."""
    input:
        model=plan.of(annotation.model, annotator=reranking.annotator),
        run=plan.of(reranking.run),
        queries=plan.of(retrieval.queries),
        corpus=plan.of(retrieval.corpus),
        prompt=plan.resource_of(reranking.template),
    output:
        run="results/runs/reranked/{reranked}/{testset}.parquet",
        trec="results/runs/reranked/{reranked}/{testset}.trec",
        summary="results/runs/reranked/{reranked}/{testset}.json",
    log:
        "logs/rerank_by_llm/{reranked}-{testset}.log",
    benchmark:
        "benchmarks/jobs/rerank_by_llm/{reranked}-{testset}.tsv"
    wildcard_constraints:
        reranked=plan.reranked_by("annotator"),
    conda:
        plan.environment_of(
            annotation.in_environment_of_vllm, annotator=reranking.annotator
        )
    threads: CONFIG.performance.threads
    resources:
        **plan.requests("rerank_by_llm", annotation.gpus, annotator=reranking.annotator),
    params:
        script=plan.script("retrieve.py"),
        config=plan.configuration_file,
        settings=plan.settings(jobs.rerank_by_llm),
        python=plan.unwatched(annotation.python, annotator=reranking.annotator),
        store=plan.unwatched(annotation.store, annotator=reranking.annotator),
        code=plan.code("retrieve.py", "rerank_by_llm"),
    shell:
        "{params.python:q} {params.script} rerank-by-llm --config {params.config} --reranked {wildcards.reranked}"
        " --model {input.model} --prompt {input.prompt} --run {input.run} --queries {input.queries}"
        " --corpus {input.corpus} --store {params.store} --output {output.run} > {log} 2>&1"


rule generate_answers:
    """Answer every question that has a ground-truth answer from the passages that the run ranks highest."""
    input:
        model=plan.of(annotation.model, annotator=answers.generator),
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
        plan.environment_of(
            annotation.in_environment_of_vllm, annotator=answers.generator
        )
    threads: CONFIG.performance.threads
    resources:
        **plan.requests(
            "generate_answers", annotation.gpus, annotator=answers.generator
        ),
    params:
        script=plan.script("answers.py"),
        config=plan.configuration_file,
        settings=plan.settings(jobs.generate_answers),
        python=plan.unwatched(annotation.python, annotator=answers.generator),
        code=plan.code("answers.py", "generate"),
    shell:
        "{params.python:q} {params.script} generate --config {params.config}"
        " --retriever {wildcards.retriever} --qa {wildcards.qa} --generator {wildcards.generator}"
        " --model {input.model} --prompt {input.prompt} --store results/completions/{wildcards.generator}"
        " --output {output.answers} > {log} 2>&1"


rule evaluate_answers:
    """Score answers against ground truth, in all and question by question."""
    input:
        answers="results/rag/{retriever}/{qa}/{generator}/answers.parquet",
        truth=plan.of(answers.truth),
        model=plan.of(answers.bert_score_model),
        copies=plan.of(answers.dropped_copies),
        work=plan.of(answers.work),
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
