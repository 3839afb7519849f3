"""Takes: pool shards, a model. Leaves: results/annotation/{pool}/{annotator}/{stage}/{shard}.parquet.

The stages of a shard form a group: one allocation on a cluster. Completions are kept outside the outputs, in
results/completions/{annotator}/, so that no stage, shard count or crash pays for one twice.
"""


rule annotate_relsel:
    """Relevance selection: which candidates are on topic."""
    input:
        model=annotator_model,
        pool="results/pools/{pool}/{shard}.parquet",
        prompt=prompt_template("relsel"),
    output:
        "results/annotation/{pool}/{annotator}/relsel/{shard}.parquet",
    log:
        "logs/annotate_relsel/{pool}-{annotator}-{shard}.log",
    benchmark:
        "benchmarks/jobs/annotate_relsel/{pool}-{annotator}-{shard}.tsv"
    group:
        "annotate"
    conda:
        "../envs/core.yaml"
    threads: CONFIG.performance.threads
    resources:
        mem_mb=8000,
        gpu=CONFIG.performance.annotate.gpus,
    params:
        settings=annotation_settings("relsel"),
        performance=performance,
        code=code("annotate_relsel"),
    shell:
        "python workflow/scripts/annotate_relsel.py --settings {params.settings:q} --performance {params.performance:q}"
        " --model {input.model} --pool {input.pool} --prompt {input.prompt}"
        " --store results/completions/{wildcards.annotator} --output {output} > {log} 2>&1"


rule annotate_answer:
    """Pseudo-answer from the relevance selection."""
    input:
        model=annotator_model,
        pool="results/pools/{pool}/{shard}.parquet",
        relsel="results/annotation/{pool}/{annotator}/relsel/{shard}.parquet",
        prompt=prompt_template("answer"),
    output:
        "results/annotation/{pool}/{annotator}/answer/{shard}.parquet",
    log:
        "logs/annotate_answer/{pool}-{annotator}-{shard}.log",
    benchmark:
        "benchmarks/jobs/annotate_answer/{pool}-{annotator}-{shard}.tsv"
    group:
        "annotate"
    conda:
        "../envs/core.yaml"
    threads: CONFIG.performance.threads
    resources:
        mem_mb=8000,
        gpu=CONFIG.performance.annotate.gpus,
    params:
        settings=annotation_settings("answer"),
        performance=performance,
        code=code("annotate_answer"),
    shell:
        "python workflow/scripts/annotate_answer.py --settings {params.settings:q} --performance {params.performance:q}"
        " --model {input.model} --pool {input.pool} --relsel {input.relsel} --prompt {input.prompt}"
        " --store results/completions/{wildcards.annotator} --output {output} > {log} 2>&1"


rule annotate_utilsel:
    """Utility selection: which of the relevant candidates help to produce the pseudo-answer."""
    input:
        model=annotator_model,
        pool="results/pools/{pool}/{shard}.parquet",
        relsel="results/annotation/{pool}/{annotator}/relsel/{shard}.parquet",
        answers="results/annotation/{pool}/{annotator}/answer/{shard}.parquet",
        prompt=prompt_template("utilsel"),
    output:
        "results/annotation/{pool}/{annotator}/utilsel/{shard}.parquet",
    log:
        "logs/annotate_utilsel/{pool}-{annotator}-{shard}.log",
    benchmark:
        "benchmarks/jobs/annotate_utilsel/{pool}-{annotator}-{shard}.tsv"
    group:
        "annotate"
    conda:
        "../envs/core.yaml"
    threads: CONFIG.performance.threads
    resources:
        mem_mb=8000,
        gpu=CONFIG.performance.annotate.gpus,
    params:
        settings=annotation_settings("utilsel"),
        performance=performance,
        code=code("annotate_utilsel"),
    shell:
        "python workflow/scripts/annotate_utilsel.py --settings {params.settings:q} --performance {params.performance:q}"
        " --model {input.model} --pool {input.pool} --relsel {input.relsel} --answers {input.answers}"
        " --prompt {input.prompt} --store results/completions/{wildcards.annotator} --output {output}"
        " > {log} 2>&1"


rule annotate_utilrank:
    """Utility ranking: the relevant candidates in order of their utility.

    Under the pointwise protocol it rests on the very likelihoods of utility selection, so it waits for these and finds
    them in the store.
    """
    input:
        model=annotator_model,
        pool="results/pools/{pool}/{shard}.parquet",
        relsel="results/annotation/{pool}/{annotator}/relsel/{shard}.parquet",
        answers="results/annotation/{pool}/{annotator}/answer/{shard}.parquet",
        prompt=prompt_template("utilrank"),
        stored=same_likelihoods,
    output:
        "results/annotation/{pool}/{annotator}/utilrank/{shard}.parquet",
    log:
        "logs/annotate_utilrank/{pool}-{annotator}-{shard}.log",
    benchmark:
        "benchmarks/jobs/annotate_utilrank/{pool}-{annotator}-{shard}.tsv"
    group:
        "annotate"
    conda:
        "../envs/core.yaml"
    threads: CONFIG.performance.threads
    resources:
        mem_mb=8000,
        gpu=CONFIG.performance.annotate.gpus,
    params:
        settings=annotation_settings("utilrank"),
        performance=performance,
        code=code("annotate_utilrank"),
    shell:
        "python workflow/scripts/annotate_utilrank.py --settings {params.settings:q} --performance {params.performance:q}"
        " --model {input.model} --pool {input.pool} --relsel {input.relsel} --answers {input.answers}"
        " --prompt {input.prompt} --store results/completions/{wildcards.annotator} --output {output}"
        " > {log} 2>&1"


rule annotate_replug:
    """REPLUG: the log-likelihood of the ground-truth answer given each candidate alone."""
    input:
        model=annotator_model,
        pool="results/pools/{pool}/{shard}.parquet",
        truth=lambda wildcards: split_data("answers", wildcards.pool, "pools"),
        prompt=prompt_template("replug"),
    output:
        "results/annotation/{pool}/{annotator}/replug/{shard}.parquet",
    log:
        "logs/annotate_replug/{pool}-{annotator}-{shard}.log",
    benchmark:
        "benchmarks/jobs/annotate_replug/{pool}-{annotator}-{shard}.tsv"
    conda:
        "../envs/core.yaml"
    threads: CONFIG.performance.threads
    resources:
        mem_mb=8000,
        gpu=CONFIG.performance.annotate.gpus,
    params:
        settings=annotation_settings("replug"),
        performance=performance,
        code=code("annotate_replug"),
    shell:
        "python workflow/scripts/annotate_replug.py --settings {params.settings:q} --performance {params.performance:q}"
        " --model {input.model} --pool {input.pool} --truth {input.truth} --prompt {input.prompt}"
        " --store results/completions/{wildcards.annotator} --output {output} > {log} 2>&1"
