"""Tell whether a run could start, before a GPU hour is spent: what is ready, what is not, and how to fix it.

snakemake check table2 --configfile config/paper.yaml

calls this with its other arguments. Targets beside `check` are what is checked; without any, it is all tables, figures
and the report. Nothing is made, fetched or submitted.
"""

from __future__ import annotations

import logging
import shutil
import sys
from pathlib import Path

from utility_annotation.common.errors import InputError, run_script
from utility_annotation.common.progress import LOG, waiting
from utility_annotation.readiness.checks import look
from utility_annotation.readiness.rows import Row, not_ready, table
from utility_annotation.readiness.run import Run
from utility_annotation.running import partitions
from utility_annotation.running.cluster import unfinished_jobs
from utility_annotation.running.dry_run import planned


def main(argv: list[str] | None) -> None:
    """Command line: that of `snakemake`."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    LOG.setLevel(logging.INFO)
    with waiting("planning"):
        plan = planned(sys.argv[1:] if argv is None else argv)
    submits, found, known = plan.options.executor == "slurm", list[Row](), None
    asked: list[partitions.Request] = []
    try:
        known = partitions.of_slurm()
        if unfinished := known and unfinished_jobs(Path()):
            fix = "let them end, or cancel them with `make cluster-cancel`."
            found.append(
                Row("folder", "", "not ready", f"{len(unfinished)} SLURM jobs of an earlier run are in it", fix)
            )
        if submits and known is None:
            raise InputError("there is no SLURM on this machine.", hint="call this where `sbatch` works.")
        asked = partitions.requests(plan)
    except InputError as error:
        if submits:
            found.append(not_ready("SLURM", "", error))
    methods = {str(method) for method in plan.options.software_deployment_method}
    run = Run(
        configuration=plan.configuration,
        jobs=plan.jobs,
        workflow=Path(__file__).resolve().parents[2],
        submits=submits,
        conda="conda" in methods or bool(plan.options.use_conda),
        requests=asked,
        partitions=known,
        found=found,
    )
    with waiting("looking"):
        rows = look(run)
    print(table(rows, shutil.get_terminal_size((110, 24)).columns))
    if any(row.state == "not ready" for row in rows):
        sys.exit(1)


if __name__ == "__main__":
    run_script(main)
