"""Table of contents: configuration, stages, and one named target per result."""

import os
import sys
from pathlib import Path

from snakemake.utils import min_version

min_version("9.0")
HERE = Path(str(workflow.current_basedir))
sys.path.insert(0, str(HERE / "workflow" / "scripts"))

from utility_annotation.planning.rules import *
from utility_annotation.running import console, start

if "datasets" not in config:

    configfile: str(HERE / "config" / "config.yaml")


report: "resources/report/captions/workflow.rst"


plan = start.plan(config, workflow, HERE)
CONFIG = plan.configuration
TARGETS = plan.targets()
shown = console.attach(workflow, tables=results.tables(CONFIG))


resource_scopes:
    engine="local",  # a limit for each submitted group, not for all of them together


wildcard_constraints:
    **plan.wildcard_patterns(),


include: "rules/prepare.smk"
include: "rules/ingest.smk"
include: "rules/documents.smk"
include: "rules/pools.smk"
include: "rules/annotate.smk"
include: "rules/train.smk"
include: "rules/retrieve.smk"
include: "rules/select.smk"
include: "rules/evaluate.smk"
include: "rules/answers.smk"
include: "rules/tables.smk"
include: "rules/figures.smk"
include: "rules/report.smk"
include: "rules/refuse.smk"


onstart:
    start.before_first_job(plan, workflow)


onsuccess:
    shown and shown.succeed()


onerror:
    start.tell_what_failed(log)


rule all:
    """Every table, every figure and the report."""
    default_target: True
    input:
        TARGETS.pop("all"),


for name, files in TARGETS.items():

    rule:
        name:
            name
        input:
            files,
