"""Takes: a ranking, and held-out labels with a reranker or an LLM. Leaves: the passages that are kept.

results/runs/selected/{selected}/{testset}.parquet, .trec and .json, and results/calibrations/ or results/selections/.
"""


rule score_pool:
    """Score the candidates of a pool's shard by a reranker."""
    input:
        model=plan.of(selection.model),
        pool="results/pools/{pool}/{shard}.parquet",
    output:
        scores="results/scores/{reranker}/{training}/{pool}/{shard}.parquet",
        summary="results/scores/{reranker}/{training}/{pool}/{shard}.json",
    log:
        "logs/score_pool/{reranker}-{training}-{pool}-{shard}.log",
    benchmark:
        "benchmarks/jobs/score_pool/{reranker}-{training}-{pool}-{shard}.tsv"
    conda:
        "../envs/core.yaml"
    threads: CONFIG.performance.threads
    resources:
        **plan.requests("score_pool", retrieval.gpus),
    params:
        script=plan.script("retrieve.py"),
        config=plan.configuration_file,
        settings=plan.settings(jobs.score_pool),
        code=plan.code("retrieve.py", "score_pool", entries.score_pool),
    shell:
        "python {params.script} score-pool --config {params.config} --reranker {wildcards.reranker}"
        " --pool {wildcards.pool} --model {input.model} --shard {input.pool} --output {output.scores} > {log} 2>&1"


rule calibrate:
    """Make a reranker's scores probabilities, by the labels of questions that it was not trained on."""
    input:
        labels="results/labels/{labels}.parquet",
        scores=plan.of(selection.scores),
        trained=plan.of(selection.trained_labels),
    output:
        "results/calibrations/{reranker}/{training}/{labels}.json",
    log:
        "logs/calibrate/{reranker}-{training}-{labels}.log",
    conda:
        "../envs/core.yaml"
    resources:
        **plan.requests("calibrate"),
    params:
        script=plan.script("retrieve.py"),
        config=plan.configuration_file,
        code=plan.code("retrieve.py", "calibrate"),
    shell:
        "python {params.script} calibrate --config {params.config} --reranker {wildcards.reranker}"
        " --training {wildcards.training} --labels {wildcards.labels} --held-out {input.labels}"
        " --scores {input.scores} --trained {input.trained} --output {output} > {log} 2>&1"


rule select:
    """Keep the first passages of a reranked run whose calibrated probability is high enough."""
    input:
        run=plan.of(selection.run),
        calibration=plan.of(selection.calibration),
    output:
        run="results/runs/selected/{selected}/{testset}.parquet",
        trec="results/runs/selected/{selected}/{testset}.trec",
        summary="results/runs/selected/{selected}/{testset}.json",
    log:
        "logs/select/{selected}-{testset}.log",
    wildcard_constraints:
        selected=plan.selected_by("labels"),
    conda:
        "../envs/core.yaml"
    resources:
        **plan.requests("select"),
    params:
        script=plan.script("retrieve.py"),
        config=plan.configuration_file,
        settings=plan.settings(jobs.select),
        code=plan.code("retrieve.py", "select", entries.select),
    shell:
        "python {params.script} select --config {params.config} --selected {wildcards.selected} --run {input.run}"
        " --calibration {input.calibration} --output {output.run} > {log} 2>&1"


rule select_by_llm:
    """Keep the passages that an LLM selects, as in the annotation; its replies are in its completion store."""
    input:
        model=plan.of(annotation.model, annotator=selection.annotator),
        run=plan.of(selection.run),
        queries=plan.of(retrieval.queries),
        corpus=plan.of(retrieval.corpus),
        prompts=plan.resource_of(selection.templates),
    output:
        run="results/runs/selected/{selected}/{testset}.parquet",
        trec="results/runs/selected/{selected}/{testset}.trec",
        summary="results/runs/selected/{selected}/{testset}.json",
        annotation=directory("results/selections/{selected}/{testset}"),
    log:
        "logs/select_by_llm/{selected}-{testset}.log",
    benchmark:
        "benchmarks/jobs/select_by_llm/{selected}-{testset}.tsv"
    wildcard_constraints:
        selected=plan.selected_by("annotator"),
    conda:
        plan.environment_of(
            annotation.in_environment_of_vllm, annotator=selection.annotator
        )
    threads: CONFIG.performance.threads
    resources:
        **plan.requests("select_by_llm", annotation.gpus, annotator=selection.annotator),
    params:
        script=plan.script("retrieve.py"),
        config=plan.configuration_file,
        settings=plan.settings(jobs.select_by_llm),
        python=plan.unwatched(annotation.python, annotator=selection.annotator),
        store=plan.unwatched(annotation.store, annotator=selection.annotator),
        code=plan.code("retrieve.py", "select_by_llm", entries.select_by_llm),
    shell:
        "{params.python:q} {params.script} select-by-llm --config {params.config} --selected {wildcards.selected}"
        " --model {input.model} --prompts {input.prompts} --run {input.run} --queries {input.queries}"
        " --corpus {input.corpus} --store {params.store} --annotation {output.annotation} --output {output.run}"
        " > {log} 2>&1"
