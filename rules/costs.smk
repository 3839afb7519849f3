"""Takes: label quality, pools, annotation, metrics. Leaves: results/tables/{label_table} and {cost_table}."""


rule label_table:
    """Label sets against human labels (table 1 of the paper)."""
    input:
        quality=label_table_quality,
        published=published_figures("label_tables", "label_table"),
    output:
        markdown=report(
            "results/tables/{label_table}.md",
            caption="../resources/report/captions/label_table.rst",
            category="Tables",
            labels=title_of("table", "label_tables", "label_table"),
        ),
        csv="results/tables/{label_table}.csv",
        latex="results/tables/{label_table}.tex",
    log:
        "logs/label_table/{label_table}.log",
    conda:
        "../envs/core.yaml"
    params:
        settings=label_table_settings,
        code=code("label_table"),
    shell:
        "python workflow/scripts/label_table.py --settings {params.settings:q} --quality {input.quality}"
        " --published {input.published} --output-markdown {output.markdown} --output-csv {output.csv}"
        " --output-latex {output.latex} > {log} 2>&1"


rule cost_table:
    """What the labels of runs cost, beside what the runs reach (table 17 of the paper)."""
    input:
        metrics=cost_table_metrics,
        pool=cost_table_shards("results/pools/{pool}/{shard}.parquet", by_humans=True),
        annotation=cost_table_shards(
            "results/annotation/{pool}/{annotator}/{stage}/{shard}.parquet",
            by_humans=False,
        ),
        summaries=cost_table_shards(
            "results/annotation/{pool}/{annotator}/{stage}/{shard}.json",
            by_humans=False,
        ),
        published=published_figures("cost_tables", "cost_table"),
    output:
        markdown=report(
            "results/tables/{cost_table}.md",
            caption="../resources/report/captions/cost_table.rst",
            category="Tables",
            labels=title_of("table", "cost_tables", "cost_table"),
        ),
        csv="results/tables/{cost_table}.csv",
        latex="results/tables/{cost_table}.tex",
    log:
        "logs/cost_table/{cost_table}.log",
    conda:
        "../envs/core.yaml"
    params:
        settings=cost_table_settings,
        code=code("cost_table"),
    shell:
        "python workflow/scripts/cost_table.py --settings {params.settings:q} --metrics {input.metrics}"
        " --pool {input.pool} --annotation {input.annotation} --published {input.published}"
        " --output-markdown {output.markdown} --output-csv {output.csv} --output-latex {output.latex} > {log} 2>&1"
