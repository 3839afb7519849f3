"""Takes: metrics of retrieval and of question answering. Leaves: results/tables/{table} and its bars in results/figures/."""


rule results_table:
    """Retrievers against test sets and question answering, with significance marks, beside the paper's figures."""
    input:
        metrics=table_metrics,
        per_query=table_per_query,
        published=published_figures("tables", "table"),
    output:
        markdown=report(
            "results/tables/{table}.md",
            caption="../resources/report/captions/results_table.rst",
            category="Tables",
            labels=title_of("table", "tables", "table"),
        ),
        csv="results/tables/{table}.csv",
        latex="results/tables/{table}.tex",
    log:
        "logs/results_table/{table}.log",
    conda:
        "../envs/core.yaml"
    params:
        settings=lambda wildcards: canonical(CONFIG.tables[wildcards.table]),
        code=code("results_table"),
    shell:
        "python workflow/scripts/results_table.py --settings {params.settings:q} --metrics {input.metrics}"
        " --per-query {input.per_query} --published {input.published} --output-markdown {output.markdown}"
        " --output-csv {output.csv} --output-latex {output.latex} > {log} 2>&1"


rule plot_results:
    """A table's figures as bars."""
    input:
        metrics=table_metrics,
    output:
        svg=report(
            "results/figures/{table}.svg",
            caption="../resources/report/captions/plot_results.rst",
            category="Figures",
            labels=title_of("figure", "tables", "table"),
        ),
        png="results/figures/{table}.png",
    log:
        "logs/plot_results/{table}.log",
    conda:
        "../envs/core.yaml"
    params:
        settings=lambda wildcards: canonical(CONFIG.tables[wildcards.table]),
        code=code("plot_results"),
    shell:
        "python workflow/scripts/plot_results.py --settings {params.settings:q} --metrics {input.metrics}"
        " --output-svg {output.svg} --output-png {output.png} > {log} 2>&1"
