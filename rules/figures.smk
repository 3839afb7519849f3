"""Takes: tables, metrics, label quality, training records. Leaves: results/figures/{name}.svg and .png."""


rule plot_results:
    """A table's figures as bars."""
    input:
        results.table_csv("{table}"),
    output:
        svg=report(
            "results/figures/{table}.svg",
            caption="../resources/report/captions/plot_results.rst",
            category="Figures",
            labels=plan.title("figure", "tables", "table"),
        ),
        png="results/figures/{table}.png",
    log:
        "logs/plot_results/{table}.log",
    conda:
        "../envs/core.yaml"
    params:
        script=plan.script("plot.py"),
        config=plan.configuration_file,
        settings=plan.settings(jobs.results_table),
        code=plan.code("plot.py", "results"),
    shell:
        "python {params.script} results --config {params.config} --figure {wildcards.table} --output {output.svg}"
        " > {log} 2>&1"


rule plot_lines:
    """A metric by a number that trainings differ in (figures 3a and 3b of the paper)."""
    input:
        metrics=plan.of(results.line_chart_metrics),
        per_query=plan.of(results.line_chart_per_query),
        quality=plan.of(results.line_chart_quality),
    output:
        svg=report(
            "results/figures/{line_chart}.svg",
            caption="../resources/report/captions/plot_lines.rst",
            category="Figures",
            labels=plan.title("figure", "line_charts", "line_chart"),
        ),
        png="results/figures/{line_chart}.png",
        csv="results/figures/{line_chart}.csv",
    log:
        "logs/plot_lines/{line_chart}.log",
    conda:
        "../envs/core.yaml"
    params:
        script=plan.script("plot.py"),
        config=plan.configuration_file,
        settings=plan.settings(jobs.plot_lines),
        code=plan.code("plot.py", "lines"),
    shell:
        "python {params.script} lines --config {params.config} --figure {wildcards.line_chart} --output {output.svg}"
        " > {log} 2>&1"


rule plot_labels:
    """Distribution of positives per query of a chart's label sets (figure 2 of the paper)."""
    input:
        plan.of(results.label_chart_quality),
    output:
        svg=report(
            "results/figures/{label_chart}.svg",
            caption="../resources/report/captions/plot_labels.rst",
            category="Figures",
            labels=plan.title("figure", "label_charts", "label_chart"),
        ),
        png="results/figures/{label_chart}.png",
    log:
        "logs/plot_labels/{label_chart}.log",
    conda:
        "../envs/core.yaml"
    params:
        script=plan.script("plot.py"),
        config=plan.configuration_file,
        settings=plan.settings(jobs.plot_labels),
        code=plan.code("plot.py", "labels"),
    shell:
        "python {params.script} labels --config {params.config} --figure {wildcards.label_chart} --output {output.svg}"
        " > {log} 2>&1"


rule plot_positives:
    """Distribution of positives per query (figure 2 of the paper)."""
    input:
        results.shown_quality(CONFIG),
    output:
        svg=report(
            "results/figures/positives.svg",
            caption="../resources/report/captions/plot_positives.rst",
            category="Figures",
            labels={"figure": "Positives per query"},
        ),
        png="results/figures/positives.png",
    log:
        "logs/plot_positives.log",
    conda:
        "../envs/core.yaml"
    params:
        script=plan.script("plot.py"),
        config=plan.configuration_file,
        code=plan.code("plot.py", "positives"),
    shell:
        "python {params.script} positives --config {params.config} --output {output.svg}"
        " > {log} 2>&1"


rule plot_positions:
    """Where in the lists shown to the LLM the selected passages stand, and the human positives."""
    input:
        results.shown_quality(CONFIG),
    output:
        svg=report(
            "results/figures/positions.svg",
            caption="../resources/report/captions/plot_positions.rst",
            category="Figures",
            labels={"figure": "Positions"},
        ),
        png="results/figures/positions.png",
    log:
        "logs/plot_positions.log",
    conda:
        "../envs/core.yaml"
    params:
        script=plan.script("plot.py"),
        config=plan.configuration_file,
        code=plan.code("plot.py", "positions"),
    shell:
        "python {params.script} positions --config {params.config} --output {output.svg}"
        " > {log} 2>&1"


rule plot_training:
    """Training loss by step of every shown training, with the metric on its dev questions."""
    input:
        results.shown_models(CONFIG),
    output:
        svg=report(
            "results/figures/training.svg",
            caption="../resources/report/captions/plot_training.rst",
            category="Figures",
            labels={"figure": "Training loss"},
        ),
        png="results/figures/training.png",
    log:
        "logs/plot_training.log",
    conda:
        "../envs/core.yaml"
    params:
        script=plan.script("plot.py"),
        config=plan.configuration_file,
        code=plan.code("plot.py", "training"),
    shell:
        "python {params.script} training --config {params.config} --output {output.svg}"
        " > {log} 2>&1"


rule plot_calibration:
    """How often a passage of each probability is positive, for the calibrations of the selected runs that are shown."""
    input:
        results.shown_calibrations(CONFIG),
    output:
        svg=report(
            "results/figures/calibration.svg",
            caption="../resources/report/captions/plot_calibration.rst",
            category="Figures",
            labels={"figure": "Calibration"},
        ),
        png="results/figures/calibration.png",
    log:
        "logs/plot_calibration.log",
    conda:
        "../envs/core.yaml"
    params:
        script=plan.script("plot.py"),
        config=plan.configuration_file,
        code=plan.code("plot.py", "calibration"),
    shell:
        "python {params.script} calibration --config {params.config} --output {output.svg}"
        " > {log} 2>&1"
