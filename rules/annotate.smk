"""Takes: pool shards, a model. Leaves: results/annotation/{pool}/{annotator}/{stage}/{shard}.parquet.

The stages of a shard form a group: one allocation on a cluster, in which `engine` keeps them one after the other, so
that they share its GPU. Completions are kept outside the outputs, in results/completions/{annotator}/, so that no stage,
shard count or crash pays for one twice.
"""


rule annotate_relsel:
    """Relevance selection: which candidates are on topic."""
    input:
        model=annotator_model,
        pool="results/pools/{pool}/{shard}.parquet",
        prompt=prompt_template("relsel"),
    output:
        shard="results/annotation/{pool}/{annotator}/relsel/{shard}.parquet",
        summary="results/annotation/{pool}/{annotator}/relsel/{shard}.json",
    log:
        "logs/annotate_relsel/{pool}-{annotator}-{shard}.log",
    benchmark:
        "benchmarks/jobs/annotate_relsel/{pool}-{annotator}-{shard}.tsv"
    group:
        "annotate"
    conda:
        annotation_environment
    threads: CONFIG.performance.threads
    resources:
        mem_mb=growing(16000),
        runtime=growing(360),
        gpu=CONFIG.performance.annotate.gpus,
        engine=1,
    params:
        settings=annotation_settings("relsel"),
        performance=performance,
        python=annotation_python,
        code=code("annotate_relsel"),
    shell:
        "{params.python:q} workflow/scripts/annotate_relsel.py --settings {params.settings:q}"
        " --performance {params.performance:q}"
        " --model {input.model} --pool {input.pool} --prompt {input.prompt}"
        " --store results/completions/{wildcards.annotator} --output {output.shard} --summary {output.summary} > {log} 2>&1"


rule annotate_answer:
    """Pseudo-answer from the relevance selection."""
    input:
        model=annotator_model,
        pool="results/pools/{pool}/{shard}.parquet",
        relsel="results/annotation/{pool}/{annotator}/relsel/{shard}.parquet",
        prompt=prompt_template("answer"),
    output:
        shard="results/annotation/{pool}/{annotator}/answer/{shard}.parquet",
        summary="results/annotation/{pool}/{annotator}/answer/{shard}.json",
    log:
        "logs/annotate_answer/{pool}-{annotator}-{shard}.log",
    benchmark:
        "benchmarks/jobs/annotate_answer/{pool}-{annotator}-{shard}.tsv"
    group:
        "annotate"
    conda:
        annotation_environment
    threads: CONFIG.performance.threads
    resources:
        mem_mb=growing(16000),
        runtime=growing(120),
        gpu=CONFIG.performance.annotate.gpus,
        engine=1,
    params:
        settings=annotation_settings("answer"),
        performance=performance,
        python=annotation_python,
        code=code("annotate_answer"),
    shell:
        "{params.python:q} workflow/scripts/annotate_answer.py --settings {params.settings:q}"
        " --performance {params.performance:q}"
        " --model {input.model} --pool {input.pool} --relsel {input.relsel} --prompt {input.prompt}"
        " --store results/completions/{wildcards.annotator} --output {output.shard} --summary {output.summary} > {log} 2>&1"


rule annotate_utilsel:
    """Utility selection: which of the relevant candidates help to produce the pseudo-answer."""
    input:
        model=annotator_model,
        pool="results/pools/{pool}/{shard}.parquet",
        relsel="results/annotation/{pool}/{annotator}/relsel/{shard}.parquet",
        answers="results/annotation/{pool}/{annotator}/answer/{shard}.parquet",
        prompt=prompt_template("utilsel"),
    output:
        shard="results/annotation/{pool}/{annotator}/utilsel/{shard}.parquet",
        summary="results/annotation/{pool}/{annotator}/utilsel/{shard}.json",
    log:
        "logs/annotate_utilsel/{pool}-{annotator}-{shard}.log",
    benchmark:
        "benchmarks/jobs/annotate_utilsel/{pool}-{annotator}-{shard}.tsv"
    group:
        "annotate"
    conda:
        annotation_environment
    threads: CONFIG.performance.threads
    resources:
        mem_mb=growing(16000),
        runtime=growing(180),
        gpu=CONFIG.performance.annotate.gpus,
        engine=1,
    params:
        settings=annotation_settings("utilsel"),
        performance=performance,
        python=annotation_python,
        code=code("annotate_utilsel"),
    shell:
        "{params.python:q} workflow/scripts/annotate_utilsel.py --settings {params.settings:q}"
        " --performance {params.performance:q}"
        " --model {input.model} --pool {input.pool} --relsel {input.relsel} --answers {input.answers}"
        " --prompt {input.prompt} --store results/completions/{wildcards.annotator} --output {output.shard}"
        " --summary {output.summary} > {log} 2>&1"


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
        shard="results/annotation/{pool}/{annotator}/utilrank/{shard}.parquet",
        summary="results/annotation/{pool}/{annotator}/utilrank/{shard}.json",
    log:
        "logs/annotate_utilrank/{pool}-{annotator}-{shard}.log",
    benchmark:
        "benchmarks/jobs/annotate_utilrank/{pool}-{annotator}-{shard}.tsv"
    group:
        "annotate"
    conda:
        annotation_environment
    threads: CONFIG.performance.threads
    resources:
        mem_mb=growing(16000),
        runtime=growing(180),
        gpu=CONFIG.performance.annotate.gpus,
        engine=1,
    params:
        settings=annotation_settings("utilrank"),
        performance=performance,
        python=annotation_python,
        code=code("annotate_utilrank"),
    shell:
        "{params.python:q} workflow/scripts/annotate_utilrank.py --settings {params.settings:q}"
        " --performance {params.performance:q}"
        " --model {input.model} --pool {input.pool} --relsel {input.relsel} --answers {input.answers}"
        " --prompt {input.prompt} --store results/completions/{wildcards.annotator} --output {output.shard}"
        " --summary {output.summary} > {log} 2>&1"


rule annotate_replug:
    """REPLUG: the log-likelihood of the ground-truth answer given each candidate alone."""
    input:
        model=annotator_model,
        pool="results/pools/{pool}/{shard}.parquet",
        truth=lambda wildcards: split_data("answers", wildcards.pool, "pools"),
        prompt=prompt_template("replug"),
    output:
        shard="results/annotation/{pool}/{annotator}/replug/{shard}.parquet",
        summary="results/annotation/{pool}/{annotator}/replug/{shard}.json",
    log:
        "logs/annotate_replug/{pool}-{annotator}-{shard}.log",
    benchmark:
        "benchmarks/jobs/annotate_replug/{pool}-{annotator}-{shard}.tsv"
    conda:
        annotation_environment
    threads: CONFIG.performance.threads
    resources:
        mem_mb=growing(16000),
        runtime=growing(720),
        gpu=CONFIG.performance.annotate.gpus,
    params:
        settings=annotation_settings("replug"),
        performance=performance,
        python=annotation_python,
        code=code("annotate_replug"),
    shell:
        "{params.python:q} workflow/scripts/annotate_replug.py --settings {params.settings:q}"
        " --performance {params.performance:q}"
        " --model {input.model} --pool {input.pool} --truth {input.truth} --prompt {input.prompt}"
        " --store results/completions/{wildcards.annotator} --output {output.shard} --summary {output.summary} > {log} 2>&1"


rule annotate_utilsel_truth:
    """Utility selection from the whole pool, given the ground-truth answer."""
    input:
        model=annotator_model,
        pool="results/pools/{pool}/{shard}.parquet",
        truth=lambda wildcards: split_data("answers", wildcards.pool, "pools"),
        prompt=prompt_template("utilsel-truth"),
    output:
        shard="results/annotation/{pool}/{annotator}/utilsel-truth/{shard}.parquet",
        summary="results/annotation/{pool}/{annotator}/utilsel-truth/{shard}.json",
    log:
        "logs/annotate_utilsel_truth/{pool}-{annotator}-{shard}.log",
    benchmark:
        "benchmarks/jobs/annotate_utilsel_truth/{pool}-{annotator}-{shard}.tsv"
    conda:
        annotation_environment
    threads: CONFIG.performance.threads
    resources:
        mem_mb=growing(16000),
        runtime=growing(360),
        gpu=CONFIG.performance.annotate.gpus,
    params:
        settings=annotation_settings("utilsel-truth"),
        performance=performance,
        python=annotation_python,
        code=code("annotate_utilsel_truth"),
    shell:
        "{params.python:q} workflow/scripts/annotate_utilsel_truth.py --settings {params.settings:q}"
        " --performance {params.performance:q}"
        " --model {input.model} --pool {input.pool} --truth {input.truth} --prompt {input.prompt}"
        " --store results/completions/{wildcards.annotator} --output {output.shard} --summary {output.summary} > {log} 2>&1"
