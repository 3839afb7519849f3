"""Takes: a configured model source. Leaves: a Hugging Face model folder, data/models/{model}/."""


rule prepare_model:
    """Bring a model (from an installed package, a local folder or the hub) into one folder of safetensors."""
    output:
        directory("data/models/{model}"),
    log:
        "logs/prepare_model/{model}.log",
    benchmark:
        "benchmarks/jobs/prepare_model/{model}.tsv"
    localrule: True  # the nodes of a cluster often do not reach the hub
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=growing(6000),
    params:
        settings=lambda wildcards: canonical(CONFIG.models[wildcards.model]),
        code=code("prepare_model"),
    shell:
        "python workflow/scripts/prepare_model.py --settings {params.settings:q} --output {output} > {log} 2>&1"
