"""Functions only: what is checked before a job starts, so that a run which would fail, or do harm, does not begin."""

import os

from snakemake.logging import logger

from cluster_jobs import unfinished_jobs


def refuse_foreign_folder() -> None:
    """Stop where Snakemake could not keep its records: in the working folder of somebody else."""
    records = Path(".snakemake")
    if not os.access(records if records.exists() else Path(), os.W_OK):
        raise WorkflowError(
            f"{records.absolute()} cannot be written: the folder is read-only, or another user's. Training in a folder of your "
            "own (`cp -a` carries data/, results/, raw/ and .snakemake/ over), or have write permission given to you."
        )


def refuse_second_writer() -> None:
    """Stop before jobs that an earlier `snakemake`, killed since, left in SLURM's queue are joined by their doubles."""
    try:
        jobs = unfinished_jobs(Path())
    except (
        InputError
    ) as error:  # nor does SLURM take jobs, so only those of an earlier run could do harm
        logger.warning(str(error))
        return
    if jobs:
        raise WorkflowError(
            f"{len(jobs)} SLURM jobs of an earlier run in this folder are not finished: {' '.join(jobs)}. They write the "
            "files that this run would make. Let them end, or cancel them with `make cluster-cancel`; then start again."
        )


def refuse_outputs_without_access() -> None:
    """Stop where a planned job could not write what it makes, for instance below a read-only data/."""
    places = {
        Path(file).parent: (job.rule.name, file)
        for job in workflow.dag.needrun_jobs()
        for file in job.output
    }
    for folder, (rule, file) in places.items():
        existing = next(
            path
            for path in (folder, *folder.parents)
            if path.exists() or path.is_symlink()
        )
        if not os.access(existing, os.W_OK):
            raise WorkflowError(
                f"{existing} cannot be written, but {rule} is to make {file} there. Give yourself write permission, or see "
                "with a dry run (`-n`) why it is to be made: what is there and up to date needs no permission."
            )
