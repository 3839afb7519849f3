"""Takes: metrics, label quality, training records. Leaves: results/figures/ of labels and trainings, results/report.html."""


rule plot_positives:
    """Distribution of positives a query (figure 2 of the paper)."""
    input:
        shown_label_quality(),
    output:
        svg=report("results/figures/positives.svg", category="Figures"),
        png="results/figures/positives.png",
    log:
        "logs/plot_positives.log",
    conda:
        "../envs/core.yaml"
    params:
        code=code("plot_positives"),
    shell:
        "python workflow/scripts/plot_positives.py --quality {input} --output-svg {output.svg}"
        " --output-png {output.png} > {log} 2>&1"


rule plot_positions:
    """Where in the lists shown to the LLM the selected passages stand, and the human positives."""
    input:
        shown_label_quality(),
    output:
        svg=report("results/figures/positions.svg", category="Figures"),
        png="results/figures/positions.png",
    log:
        "logs/plot_positions.log",
    conda:
        "../envs/core.yaml"
    params:
        code=code("plot_positions"),
    shell:
        "python workflow/scripts/plot_positions.py --quality {input} --output-svg {output.svg}"
        " --output-png {output.png} > {log} 2>&1"


rule plot_training:
    """Training loss by step of every shown run."""
    input:
        all_trained_models(),
    output:
        svg=report("results/figures/training.svg", category="Figures"),
        png="results/figures/training.png",
    log:
        "logs/plot_training.log",
    conda:
        "../envs/core.yaml"
    params:
        training=lambda wildcards, input: [f"{model}/training.json" for model in input],
        code=code("plot_training"),
    shell:
        "python workflow/scripts/plot_training.py --training {params.training} --output-svg {output.svg}"
        " --output-png {output.png} > {log} 2>&1"


rule write_report:
    """One page, readable offline: what was run, the labels, the retrievers, the figures."""
    input:
        quality=shown_label_quality(),
        tables=expand("results/tables/{table}.csv", table=CONFIG.tables),
        label_tables=expand("results/tables/{table}.md", table=CONFIG.label_tables),
        cost_tables=expand("results/tables/{table}.md", table=CONFIG.cost_tables),
        figures=all_figures(),
        models=all_trained_models(),
        template="resources/report/report.html.j2",
    output:
        report("results/report.html", category="Report"),
    log:
        "logs/report.log",
    conda:
        "../envs/core.yaml"
    params:
        settings=canonical(CONFIG.model_dump(mode="json", exclude={"performance"})),
        training=lambda wildcards, input: [
            f"{model}/training.json" for model in input.models
        ],
        code=code("write_report"),
    shell:
        "python workflow/scripts/write_report.py --settings {params.settings:q} --quality {input.quality}"
        " --tables {input.tables} --label-tables {input.label_tables} --cost-tables {input.cost_tables}"
        " --figures {input.figures} --training {params.training}"
        " --template {input.template} --output {output} > {log} 2>&1"
