"""Takes: metrics, label quality, pools, annotation. Leaves: results/tables/{name}.md, .csv and .tex."""


rule results_table:
    """Retrievers against test sets and question answering, with significance marks, beside the paper's figures."""
    input:
        metrics=plan.of(results.table_metrics),
        per_query=plan.of(results.table_per_query),
        quality=plan.of(results.table_quality),
        copies=plan.of(results.table_copies_files),
        agreement=plan.of(results.agreement),
        published=plan.resource_of(results.table_published),
    output:
        markdown=report(
            "results/tables/{table}.md",
            caption="../resources/report/captions/results_table.rst",
            category="Tables",
            labels=plan.title("table", "tables", "table"),
        ),
        csv="results/tables/{table}.csv",
        latex="results/tables/{table}.tex",
    log:
        "logs/results_table/{table}.log",
    conda:
        "../envs/core.yaml"
    params:
        script=plan.script("table.py"),
        config=plan.configuration_file,
        settings=plan.settings(jobs.results_table),
        code=plan.code("table.py", "results"),
    shell:
        "python {params.script} results --config {params.config} --table {wildcards.table}"
        " --published {input.published} --output {output.markdown} > {log} 2>&1"


rule label_table:
    """Label sets against human labels (table 1 of the paper)."""
    input:
        quality=plan.of(results.label_table_quality),
        agreement=plan.of(results.label_table_agreement),
        records=plan.of(work.label_table_records),
        published=plan.resource_of(results.label_table_published),
    output:
        markdown=report(
            "results/tables/{label_table}.md",
            caption="../resources/report/captions/label_table.rst",
            category="Tables",
            labels=plan.title("table", "label_tables", "label_table"),
        ),
        csv="results/tables/{label_table}.csv",
        latex="results/tables/{label_table}.tex",
    log:
        "logs/label_table/{label_table}.log",
    conda:
        "../envs/core.yaml"
    params:
        script=plan.script("table.py"),
        config=plan.configuration_file,
        settings=plan.settings(jobs.label_table),
        code=plan.code("table.py", "labels"),
    shell:
        "python {params.script} labels --config {params.config} --table {wildcards.label_table}"
        " --published {input.published} --output {output.markdown} > {log} 2>&1"


rule cost_table:
    """What the labels of trainings cost, beside what the trainings reach (table 17 of the paper)."""
    input:
        metrics=plan.of(results.cost_table_metrics),
        per_query=plan.of(results.cost_table_per_query),
        records=plan.of(work.cost_table_records),
        published=plan.resource_of(results.cost_table_published),
    output:
        markdown=report(
            "results/tables/{cost_table}.md",
            caption="../resources/report/captions/cost_table.rst",
            category="Tables",
            labels=plan.title("table", "cost_tables", "cost_table"),
        ),
        csv="results/tables/{cost_table}.csv",
        latex="results/tables/{cost_table}.tex",
    log:
        "logs/cost_table/{cost_table}.log",
    conda:
        "../envs/core.yaml"
    params:
        script=plan.script("table.py"),
        config=plan.configuration_file,
        settings=plan.settings(jobs.cost_table),
        code=plan.code("table.py", "costs"),
    shell:
        "python {params.script} costs --config {params.config} --table {wildcards.cost_table}"
        " --published {input.published} --output {output.markdown} > {log} 2>&1"
