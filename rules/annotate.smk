"""Takes: pool shards, a model. Leaves: results/annotation/{pool}/{annotator}/{stage}/{shard}.parquet.

One rule per stage of the table in annotation/stages.py. The stages of a shard form a group: one allocation on a cluster,
in which `engine` keeps them one after the other, so that they share its GPU. Completions are kept outside the outputs,
in results/completions/{annotator}/, so that no stage, shard count or crash pays for one twice.
"""

for stage, entry in STAGES.items():
    rule_name = annotation.rule(stage)

    rule:
        name:
            rule_name
        input:
            model=plan.of(annotation.model),
            pool="results/pools/{pool}/{shard}.parquet",
            earlier=plan.of(annotation.earlier, stage=stage),
            truth=plan.of(annotation.truth, stage=stage),
            shared=plan.marked(annotation.shared, ancient, stage=stage),
            prompt=plan.resource_of(annotation.template, stage=stage),
        output:
            shard=f"results/annotation/{{pool}}/{{annotator}}/{stage}/{{shard}}.parquet",
            summary=f"results/annotation/{{pool}}/{{annotator}}/{stage}/{{shard}}.json",
        log:
            f"logs/{rule_name}/{{pool}}-{{annotator}}-{{shard}}.log",
        benchmark:
            f"benchmarks/jobs/{rule_name}/{{pool}}-{{annotator}}-{{shard}}.tsv"
        group:
            "annotate"
        conda:
            plan.environment_of(annotation.in_environment_of_vllm)
        threads: CONFIG.performance.threads
        resources:
            **plan.requests(rule_name, annotation.gpus),
            engine=1,
        params:
            script=plan.script("annotate.py"),
            config=plan.configuration_file,
            stage=stage,
            settings=plan.settings(jobs.annotate, stage=stage),
            python=plan.unwatched(annotation.python),
            code=plan.code("annotate.py", "annotate", entries.annotate, stage=stage),
        shell:
            "{params.python:q} {params.script} --config {params.config} --stage {params.stage}"
            " --annotator {wildcards.annotator} --model {input.model} --prompt {input.prompt}"
            " --pool results/pools/{wildcards.pool} --shard {wildcards.shard} --truth {input.truth}"
            " --store results/completions/{wildcards.annotator}"
            " --annotation results/annotation/{wildcards.pool}/{wildcards.annotator} > {log} 2>&1"
