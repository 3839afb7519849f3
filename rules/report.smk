"""Takes: metrics, label quality, training records, annotations. Leaves: results/figures/ of labels and trainings,
results/report.html.
"""


rule plot_positives:
    """Distribution of positives a query (figure 2 of the paper)."""
    input:
        shown_label_quality(),
    output:
        svg=report(
            "results/figures/positives.svg",
            caption="../resources/report/captions/plot_positives.rst",
            category="Figures",
            labels={"figure": "Positives a query"},
        ),
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
        code=code("plot_positions"),
    shell:
        "python workflow/scripts/plot_positions.py --quality {input} --output-svg {output.svg}"
        " --output-png {output.png} > {log} 2>&1"


rule plot_training:
    """Training loss by step of every shown run."""
    input:
        all_trained_models(),
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
        training=lambda wildcards, input: [f"{model}/training.json" for model in input],
        code=code("plot_training"),
    shell:
        "python workflow/scripts/plot_training.py --training {params.training} --output-svg {output.svg}"
        " --output-png {output.png} > {log} 2>&1"


rule sample_annotations:
    """Questions of a pool with their passages and all that humans and annotators said of them.

    The shards are given as folders, as their files would be too many for a command line.
    """
    input:
        pool=lambda wildcards: pool_shards(wildcards.pool),
        annotation=judged_shards(".parquet"),
        labels=judged_labels,
        truth=pool_truth,
    output:
        "results/report/cards/{pool}.json",
    log:
        "logs/sample_annotations/{pool}.log",
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=growing(2000),
    params:
        settings=card_settings,
        shards=number_of_shards,
        code=code("sample_annotations"),
    shell:
        "python workflow/scripts/sample_annotations.py --settings {params.settings:q} --pool results/pools/{wildcards.pool}"
        " --shards {params.shards} --annotation results/annotation/{wildcards.pool} --labels results/labels"
        " --truth {input.truth} --output {output} > {log} 2>&1"


rule annotation_cost:
    """What the labels of a pool took: requests, tokens and hours of each stage of their annotation."""
    input:
        pool=lambda wildcards: pool_shards(wildcards.pool),
        annotation=judged_shards(".parquet"),
        summaries=judged_shards(".json"),
    output:
        "results/report/work/{pool}.json",
    log:
        "logs/annotation_cost/{pool}.log",
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=growing(2000),
    params:
        settings=pool_work_settings,
        shards=number_of_shards,
        folders=judged_folders,
        code=code("annotation_cost"),
    shell:
        "python workflow/scripts/annotation_cost.py --settings {params.settings:q} --pool results/pools/{wildcards.pool}"
        " --shards {params.shards} --annotation {params.folders} --output {output} > {log} 2>&1"


rule write_report:
    """One page, readable offline: what was run, the labels, the retrievers, the figures, annotations to look at."""
    input:
        quality=shown_label_quality(),
        tables=expand("results/tables/{table}.csv", table=CONFIG.tables),
        label_tables=expand("results/tables/{table}.md", table=CONFIG.label_tables),
        cost_tables=expand("results/tables/{table}.md", table=CONFIG.cost_tables),
        figures=all_figures(),
        models=all_trained_models(),
        work=report_work(),
        cards=report_cards(),
        template="resources/report/report.html.j2",
        parts=expand("resources/report/{part}", part=REPORT_PARTS),
    output:
        report(
            "results/report.html",
            caption="../resources/report/captions/report.rst",
            category="Report",
            labels={"page": "Report"},
        ),
    log:
        "logs/report.log",
    conda:
        "../envs/core.yaml"
    params:
        settings=canonical(
            CONFIG.model_dump(
                mode="json", exclude={"performance"}, exclude_defaults=True
            )
        ),
        training=lambda wildcards, input: [
            f"{model}/training.json" for model in input.models
        ],
        code=code("write_report"),
    shell:
        "python workflow/scripts/write_report.py --settings {params.settings:q} --quality {input.quality}"
        " --tables {input.tables} --label-tables {input.label_tables} --cost-tables {input.cost_tables}"
        " --figures {input.figures} --training {params.training} --work {input.work} --cards {input.cards}"
        " --template {input.template} --output {output} > {log} 2>&1"
