"""Takes: runs, a corpus, ground-truth answers, a model. Leaves: results/rag/{backbone}/{training}/{qa}/{generator}/.

Answers are kept in the completion store of the generator, results/completions/{generator}/: where two retrievers find
the same passages for a question, its answer is generated once.
"""


rule generate_answers:
    """Answer every question that has a ground-truth answer from the passages that the run ranks highest."""
    input:
        model=annotator_model,
        queries=qa_data("queries"),
        truth=qa_data("answers"),
        run=qa_run,
        corpus=qa_corpus,
        prompt=qa_template,
    output:
        answers="results/rag/{backbone}/{training}/{qa}/{generator}/answers.parquet",
        summary="results/rag/{backbone}/{training}/{qa}/{generator}/summary.json",
    log:
        "logs/generate_answers/{backbone}-{training}-{qa}-{generator}.log",
    benchmark:
        "benchmarks/jobs/generate_answers/{backbone}-{training}-{qa}-{generator}.tsv"
    wildcard_constraints:
        backbone="|".join(map(re.escape, (BM25, *CONFIG.backbones))),
        run="|".join(map(re.escape, (BM25, UNTRAINED, *CONFIG.trainings))),
    group:
        "answers"
    conda:
        annotation_environment
    threads: CONFIG.performance.threads
    resources:
        mem_mb=growing(16000),
        runtime=growing(480),
        gpu=CONFIG.performance.annotate.gpus,
    params:
        settings=generator_settings,
        performance=performance,
        python=annotation_python,
        code=code("generate_answers"),
    shell:
        "{params.python:q} workflow/scripts/generate_answers.py --settings {params.settings:q}"
        " --performance {params.performance:q}"
        " --model {input.model} --queries {input.queries} --truth {input.truth} --run {input.run}"
        " --corpus {input.corpus} --prompt {input.prompt} --store results/completions/{wildcards.generator}"
        " --output {output.answers} --summary {output.summary} > {log} 2>&1"


rule evaluate_answers:
    """Score answers against ground truth, in all and question by question."""
    input:
        model=bert_score_model,
        answers="results/rag/{backbone}/{training}/{qa}/{generator}/answers.parquet",
        truth=qa_data("answers"),
    output:
        metrics="results/rag/{backbone}/{training}/{qa}/{generator}/metrics.json",
        per_query="results/rag/{backbone}/{training}/{qa}/{generator}/metrics.per-query.parquet",
    log:
        "logs/evaluate_answers/{backbone}-{training}-{qa}-{generator}.log",
    wildcard_constraints:
        backbone="|".join(map(re.escape, (BM25, *CONFIG.backbones))),
        run="|".join(map(re.escape, (BM25, UNTRAINED, *CONFIG.trainings))),
    group:
        "answers"
    conda:
        "../envs/core.yaml"
    threads: CONFIG.performance.threads
    resources:
        mem_mb=growing(8000),
        runtime=growing(120),
        gpu=bert_score_gpus,
    params:
        settings=answer_metrics,
        performance=performance,
        code=code("evaluate_answers"),
    shell:
        "python workflow/scripts/evaluate_answers.py --settings {params.settings:q}"
        " --performance {params.performance:q}"
        " --model {input.model} --answers {input.answers} --truth {input.truth}"
        " --output {output.metrics} --output-per-query {output.per_query} > {log} 2>&1"
