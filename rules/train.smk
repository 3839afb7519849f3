"""Takes: labels, their pool and a model to start from. Leaves: results/models/{backbone}/{training}/."""


rule train:
    """Fine-tune a dense retriever or a reranker; a second curriculum stage starts from its first stage's model.

    Checkpoints lie outside the outputs, so that a killed job goes on from the last one.
    """
    input:
        model=plan.of(training.starting_model),
        labels=plan.of(training.label_file),
        pool=plan.of(training.pool_shards),
        dev_labels=plan.of(training.dev_label_file),
        dev_pool=plan.of(training.dev_pool_shards),
    output:
        directory("results/models/{backbone}/{training}"),
    log:
        "logs/train/{backbone}-{training}.log",
    benchmark:
        "benchmarks/jobs/train/{backbone}-{training}.tsv"
    wildcard_constraints:
        backbone=plan.trained,
    conda:
        "../envs/core.yaml"
    threads: CONFIG.performance.threads * max(1, CONFIG.performance.train.gpus)
    resources:
        **plan.requests("train", training.gpus),
    params:
        script=plan.script("train.py"),
        config=plan.configuration_file,
        settings=plan.settings(jobs.train),
        launcher=plan.launcher,
        pool=plan.unwatched(training.pool_folder),
        dev_pool=plan.unwatched(training.dev_pool_folder),
        code=plan.code("train.py", "train_retriever", entries.train),
    shell:
        "{params.launcher} {params.script} --config {params.config} --training {wildcards.training}"
        " --backbone {wildcards.backbone} --model {input.model} --labels {input.labels} --pool {params.pool}"
        " --dev-labels {input.dev_labels} --dev-pool {params.dev_pool}"
        " --tensorboard logs/tensorboard/{wildcards.backbone}/{wildcards.training}"
        " --checkpoints results/checkpoints/{wildcards.backbone}/{wildcards.training} --output {output} > {log} 2>&1"
