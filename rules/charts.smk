"""Takes: metrics, label quality. Leaves: results/figures/{line_chart} and {label_chart}, as SVG and PNG."""


rule plot_lines:
    """A metric by a number that runs differ in (figures 3a and 3b of the paper)."""
    input:
        metrics=line_chart_metrics,
    output:
        svg=report(
            "results/figures/{line_chart}.svg",
            caption="../resources/report/captions/plot_lines.rst",
            category="Figures",
            labels=title_of("figure", "line_charts", "line_chart"),
        ),
        png="results/figures/{line_chart}.png",
        csv="results/figures/{line_chart}.csv",
    log:
        "logs/plot_lines/{line_chart}.log",
    conda:
        "../envs/core.yaml"
    params:
        settings=lambda wildcards: canonical(CONFIG.line_charts[wildcards.line_chart]),
        code=code("plot_lines"),
    shell:
        "python workflow/scripts/plot_lines.py --settings {params.settings:q} --metrics {input.metrics}"
        " --output-svg {output.svg} --output-png {output.png} --output-csv {output.csv} > {log} 2>&1"


rule plot_labels:
    """Distribution of positives a query of a chart's label sets (figure 2 of the paper)."""
    input:
        quality=label_chart_quality,
    output:
        svg=report(
            "results/figures/{label_chart}.svg",
            caption="../resources/report/captions/plot_labels.rst",
            category="Figures",
            labels=title_of("figure", "label_charts", "label_chart"),
        ),
        png="results/figures/{label_chart}.png",
    log:
        "logs/plot_labels/{label_chart}.log",
    conda:
        "../envs/core.yaml"
    params:
        settings=lambda wildcards: canonical(CONFIG.label_charts[wildcards.label_chart]),
        code=code("plot_labels"),
    shell:
        "python workflow/scripts/plot_labels.py --settings {params.settings:q} --quality {input.quality}"
        " --output-svg {output.svg} --output-png {output.png} > {log} 2>&1"
