"""Takes: what publishers serve, or copies of it. Leaves: raw/{download}/{file}, and the members of its tar archives.

A file that lies there already, whoever put it there, is taken as it is.
"""


rule fetch:
    """Fetch a publisher's file, or link a copy of it, and check it."""

    # No digest of code: a change in the way of fetching does not change the file, which is large and checked.
    input:
        watched(local_copy),
    output:
        "raw/{download}/{file}",
    log:
        "logs/fetch/{download}/{file}.log",
    wildcard_constraints:
        download="[^/]+",
        file=below_raw({name: {it.file} for name, it in CONFIG.downloads.items()}),
    localrule: True  # the nodes of a cluster often reach no server
    conda:
        "../envs/core.yaml"
    params:
        settings=lambda wildcards: canonical(CONFIG.downloads[wildcards.download]),
        content=content(local_copy),
    shell:
        "python workflow/scripts/fetch.py --settings {params.settings:q} --output {output:q} > {log:q} 2>&1"


rule unpack:
    """Unpack one member of a tar archive."""
    input:
        lambda wildcards: fetched_file(wildcards.download),
    output:
        "raw/{download}/{member}",
    log:
        "logs/unpack/{download}/{member}.log",
    benchmark:
        "benchmarks/jobs/unpack/{download}/{member}.tsv"
    wildcard_constraints:
        download="[^/]+",
        member=below_raw(members_to_unpack()),
    conda:
        "../envs/core.yaml"
    params:
        code=code("unpack"),
    shell:
        "python workflow/scripts/unpack.py --archive {input:q} --member {wildcards.member:q} --output {output:q}"
        " > {log:q} 2>&1"
