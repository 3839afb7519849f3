"""Takes: model sources, what publishers serve. Leaves: data/models/{model}/, raw/{download}/{file}, members of archives.

A file that lies there already, whoever put it there, is taken as it is.
"""


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
        **plan.requests("prepare_model"),
    params:
        script=plan.script("prepare.py"),
        config=plan.configuration_file,
        settings=plan.settings(jobs.prepare_model),
        code=plan.code("prepare.py", "model"),
    shell:
        "python {params.script} model --config {params.config} --model {wildcards.model} --output {output}"
        " > {log} 2>&1"


rule fetch:
    """Fetch a publisher's file, or link a copy of it, and check it."""

    # No digest of code: a change in the way of fetching does not change the file, which is large and checked.
    input:
        plan.watched(data.local_copy, ancient),
    output:
        "raw/{download}/{file}",
    log:
        "logs/fetch/{download}/{file}.log",
    wildcard_constraints:
        download="[^/]+",
        file=data.below_raw(data.fetched_files(CONFIG)),
    localrule: True  # the nodes of a cluster often reach no server
    conda:
        "../envs/core.yaml"
    params:
        script=plan.script("prepare.py"),
        config=plan.configuration_file,
        settings=plan.settings(jobs.fetch),
        content=plan.content(data.local_copy),
    shell:
        "python {params.script} download --config {params.config} --download {wildcards.download}"
        " --output {output:q} > {log:q} 2>&1"


rule fetch_hub_file:
    """Fetch a file of a data set on the Hugging Face hub and check it."""
    output:
        "{hub_place}",
    log:
        "logs/fetch_hub/{hub_place}.log",
    wildcard_constraints:
        hub_place=one_of(data.hub_places(CONFIG, several=False)),
    localrule: True  # the nodes of a cluster often do not reach the hub
    conda:
        "../envs/core.yaml"
    params:
        script=plan.script("prepare.py"),
        config=plan.configuration_file,
        address=plan.of(data.hub_address),
    shell:
        "python {params.script} files --config {params.config} --address {params.address:q}"
        " --output {output:q} > {log:q} 2>&1"


use rule fetch_hub_file as fetch_hub_folder with:
    output:
        directory("{hub_place}"),
    log:
        "logs/fetch_hub/{hub_place}.log",
    wildcard_constraints:
        hub_place=one_of(data.hub_places(CONFIG, several=True)),


rule unpack:
    """Unpack one member of a tar archive."""
    input:
        plan.of(data.fetched_file),
    output:
        "raw/{download}/{member}",
    log:
        "logs/unpack/{download}/{member}.log",
    benchmark:
        "benchmarks/jobs/unpack/{download}/{member}.tsv"
    wildcard_constraints:
        download="[^/]+",
        member=data.below_raw(data.members_to_unpack(CONFIG)),
    conda:
        "../envs/core.yaml"
    params:
        script=plan.script("prepare.py"),
        config=plan.configuration_file,
        code=plan.code("prepare.py", "member"),
    shell:
        "python {params.script} member --config {params.config} --archive {input:q}"
        " --member {wildcards.member:q} --output {output:q} > {log:q} 2>&1"
