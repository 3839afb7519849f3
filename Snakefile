"""Table of contents: configuration, stages, and one named target per result."""

import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.utils import min_version

min_version("9.0")
sys.path.insert(0, str(Path(workflow.basedir) / "workflow" / "scripts"))

from utility_annotation.common import console

if Path(workflow.basedir).resolve() != Path.cwd():
    raise WorkflowError(
        f"run `snakemake` in the folder of its Snakefile: `cd {workflow.basedir}`, without --snakefile and --directory."
    )


if "datasets" not in config:

    configfile: "config/config.yaml"


report: "resources/report/captions/workflow.rst"


include: "rules/common.smk"
include: "rules/common_data.smk"
include: "rules/common_labels.smk"
include: "rules/common_rag.smk"
include: "rules/common_tables.smk"
include: "rules/common_results.smk"
include: "rules/common_report.smk"
include: "rules/common_exports.smk"
include: "rules/common_missing.smk"
include: "rules/common_start.smk"
include: "rules/common_end.smk"


resource_scopes:
    engine="local",  # a limit for each submitted group, not for all of them together


if not workflow.is_main_process:  # within a submitted group, which is told no limit
    workflow.register_resource("engine", 1)

refuse_foreign_folder()


wildcard_constraints:
    **wildcard_patterns(),


include: "rules/models.smk"
include: "rules/fetch.smk"
include: "rules/ingest.smk"
include: "rules/pools.smk"
include: "rules/annotate.smk"
include: "rules/labels.smk"
include: "rules/train.smk"
include: "rules/retrieve.smk"
include: "rules/judgements.smk"
include: "rules/evaluate.smk"
include: "rules/rag.smk"
include: "rules/tables.smk"
include: "rules/report.smk"
include: "rules/charts.smk"
include: "rules/costs.smk"
include: "rules/exports.smk"
include: "rules/missing.smk"


onstart:
    refuse_second_writer()
    refuse_outputs_without_access()
    refuse_foreign_python()
    refuse_missing_interpreter()


CONSOLE = console.attach(workflow, tables=results_names())


onsuccess:
    if CONSOLE:
        CONSOLE.succeed()


onerror:
    tell_what_failed(log)


rule all:
    """Every table, every figure and the report."""
    default_target: True
    input:
        all_tables(),
        all_figures(),
        "results/report.html",


rule labels:
    """The labels of every configured label set, with their quality against human labels."""
    input:
        expand("results/labels/{labels}.parquet", labels=CONFIG.labels),
        expand("results/quality/{labels}.json", labels=CONFIG.labels),


rule models:
    """Every configured run, trained on every backbone that a table shows it with."""
    input:
        all_trained_models(),


rule tables:
    """Every configured table."""
    input:
        all_tables(),


rule figures:
    """Every figure."""
    input:
        all_figures(),


rule paper:
    """Every table and every chart of the configuration, each of which is a target of its own name as well."""
    input:
        all_tables(),
        charts(),


for name in results_names():

    rule:
        name:
            name
        input:
            results_files(name),
