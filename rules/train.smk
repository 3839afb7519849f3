"""Takes: labels, their pool and a model to start from. Leaves: results/models/{backbone}/{training}/."""


rule train:
    """Fine-tune a dense retriever; a second curriculum stage starts from its first stage's model.

    Checkpoints lie outside the outputs, so that a killed job goes on from the last one.
    """
    input:
        model=starting_model,
        labels=lambda wildcards: f"results/labels/{CONFIG.trainings[wildcards.training].labels}.parquet",
        pool=run_pool_shards,
    output:
        directory("results/models/{backbone}/{training}"),
    log:
        "logs/train/{backbone}-{training}.log",
    benchmark:
        "benchmarks/jobs/train/{backbone}-{training}.tsv"
    conda:
        "../envs/core.yaml"
    threads: CONFIG.performance.threads * max(1, CONFIG.performance.train.gpus)
    resources:
        mem_mb=growing(16000),
        runtime=growing(960),
        gpu=CONFIG.performance.train.gpus,
    params:
        settings=lambda wildcards: canonical(
            {
                "training": CONFIG.trainings[wildcards.training].model_dump(mode="json"),
                "backbone": CONFIG.backbones[wildcards.backbone].model_dump(
                    mode="json"
                ),
            }
        ),
        performance=performance,
        launcher=train_launcher,
        code=code("train"),
    shell:
        "{params.launcher} workflow/scripts/train.py --settings {params.settings:q} --performance {params.performance:q}"
        " --model {input.model} --labels {input.labels} --pool {input.pool}"
        " --checkpoints results/checkpoints/{wildcards.backbone}/{wildcards.training} --output {output} > {log} 2>&1"
