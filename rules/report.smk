"""Takes: metrics, label quality, training records, annotations; labels with their pool, trained models.

Leaves: results/verdicts, results/report.html, and what users take elsewhere:
results/exports/labels/{labels}/{export_format}/ and results/exports/models/{backbone}/{training}/.
"""


rule sample_annotations:
    """Questions of a pool with their passages and all that humans and annotators said of them."""
    input:
        pool=plan.of(pools.shards),
        annotation=plan.of(report_files.annotation_shards),
        labels=plan.of(report_files.label_files),
        truth=plan.of(pools.truth),
        origins=plan.of(pools.origins),
    output:
        "results/report/annotations/{pool}.json",
    log:
        "logs/sample_annotations/{pool}.log",
    conda:
        "../envs/core.yaml"
    resources:
        **plan.requests("sample_annotations"),
    params:
        script=plan.script("report.py"),
        config=plan.configuration_file,
        settings=plan.settings(jobs.sample_annotations),
        code=plan.code("report.py", "sample"),
    shell:
        "python {params.script} sample --config {params.config} --pool {wildcards.pool} --output {output}"
        " > {log} 2>&1"


rule annotation_cost:
    """What the labels of a pool took: requests, tokens and hours of each stage of their annotation."""
    input:
        pool=plan.of(pools.shards),
        annotation=plan.of(report_files.annotation_shards),
        summaries=plan.of(report_files.annotation_summaries),
        records=plan.of(report_files.records),
    output:
        "results/report/cost/{pool}.json",
    log:
        "logs/annotation_cost/{pool}.log",
    conda:
        "../envs/core.yaml"
    resources:
        **plan.requests("annotation_cost"),
    params:
        script=plan.script("report.py"),
        config=plan.configuration_file,
        settings=plan.settings(jobs.annotation_cost),
        code=plan.code("report.py", "cost"),
    shell:
        "python {params.script} cost --config {params.config} --pool {wildcards.pool} --output {output}"
        " > {log} 2>&1"


rule write_verdict:
    """What the training of a table's verdict gained, with an interval, by whose judgement and at what cost."""
    input:
        metrics=plan.of(results.verdict_metrics),
        per_query=plan.of(results.verdict_per_query),
        records=plan.of(work.verdict_records),
    output:
        text="results/verdicts/{table}.md",
        figures="results/verdicts/{table}.json",
        picture=report(
            "results/verdicts/{table}.svg",
            caption="../resources/report/captions/verdict.rst",
            category="Report",
            labels=plan.title("verdict", "tables", "table"),
        ),
        image="results/verdicts/{table}.png",
    log:
        "logs/write_verdict/{table}.log",
    conda:
        "../envs/core.yaml"
    params:
        script=plan.script("report.py"),
        config=plan.configuration_file,
        settings=plan.settings(jobs.write_verdict),
        code=plan.code("report.py", "verdict"),
    shell:
        "python {params.script} verdict --config {params.config} --table {wildcards.table} --output {output.text}"
        " > {log} 2>&1"


rule compare_retrievers:
    """Two retrievers question by question: who wins how often, where they differ, and on which questions most."""
    input:
        per_query=plan.of(comparisons.per_query),
        runs=plan.of(comparisons.rankings),
        qrels=plan.of(comparisons.qrels),
        queries=plan.of(retrieval.queries),
        corpus=plan.of(retrieval.corpus),
    output:
        page="results/comparisons/{first}-vs-{second}/{testset}.md",
        table="results/comparisons/{first}-vs-{second}/{testset}.csv",
        figures="results/comparisons/{first}-vs-{second}/{testset}.json",
    log:
        "logs/compare_retrievers/{first}-vs-{second}/{testset}.log",
    conda:
        "../envs/core.yaml"
    resources:
        **plan.requests("compare_retrievers"),
    params:
        script=plan.script("report.py"),
        config=plan.configuration_file,
        settings=plan.settings(jobs.compare_retrievers),
        code=plan.code("report.py", "compare"),
    shell:
        "python {params.script} compare --config {params.config} --first {wildcards.first} --second {wildcards.second}"
        " --testset {wildcards.testset} --output {output.page} > {log} 2>&1"


rule write_report:
    """One page, readable offline: what was run, the labels, the retrievers, the figures, annotations to look at."""
    input:
        quality=results.shown_quality(CONFIG),
        tables=report_files.tables(CONFIG),
        figures=results.all_figures(CONFIG),
        models=results.shown_models(CONFIG),
        work=report_files.costs(CONFIG),
        samples=report_files.samples(CONFIG),
        verdicts=results.verdicts(CONFIG),
        agreements=results.agreements(CONFIG),
        comparisons=comparisons.shown(CONFIG),
        documents=report_files.documents(CONFIG),
        questions=report_files.questions(CONFIG),
        template=plan.resource(report_files.TEMPLATE),
        parts=list(map(plan.resource, report_files.PARTS)),
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
        script=plan.script("report.py"),
        config=plan.configuration_file,
        settings=plan.settings(jobs.write_report),
        code=plan.code("report.py", "page"),
    shell:
        "python {params.script} page --config {params.config} --template {input.template} --output {output}"
        " > {log} 2>&1"


rule export_labels:
    """A label set in a format of others, with a card."""
    input:
        labels="results/labels/{labels}.parquet",
        pool=plan.of(labels.pool_shards),
        quality="results/quality/{labels}.json",
    output:
        directory("results/exports/labels/{labels}/{export_format}"),
    log:
        "logs/export_labels/{labels}-{export_format}.log",
    conda:
        "../envs/core.yaml"
    params:
        script=plan.script("export.py"),
        config=plan.configuration_file,
        settings=plan.settings(jobs.export_labels),
        code=plan.code("export.py", "labels"),
    shell:
        "python {params.script} labels --config {params.config} --labels {wildcards.labels}"
        " --format {wildcards.export_format} --output {output} > {log} 2>&1"


rule export_model:
    """A trained retriever or reranker with a card."""
    input:
        model="results/models/{backbone}/{training}",
        metrics=plan.of(exports.shown_metrics),
        calibrations=plan.of(exports.calibrations),
    output:
        directory("results/exports/models/{backbone}/{training}"),
    log:
        "logs/export_model/{backbone}-{training}.log",
    wildcard_constraints:
        backbone=plan.trained,
    conda:
        "../envs/core.yaml"
    params:
        script=plan.script("export.py"),
        config=plan.configuration_file,
        settings=plan.settings(jobs.export_model),
        code=plan.code("export.py", "model"),
    shell:
        "python {params.script} model --config {params.config} --backbone {wildcards.backbone}"
        " --training {wildcards.training} --model {input.model} --output {output} > {log} 2>&1"
