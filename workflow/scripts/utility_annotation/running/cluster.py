"""The SLURM jobs that an earlier `snakemake`, now gone, left in a folder."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from pathlib import Path

from ..common.errors import InputError

SUBMITTED = re.compile(r"(?:.+_)?[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""The name of a job that Snakemake submitted: the id of its run, after a prefix that the user may have chosen."""


def unfinished_jobs(folder: Path) -> list[str]:
    """The ids of the user's SLURM jobs, but this process's own, that some `snakemake` submitted from a folder.

    Raises:
        InputError: SLURM does not answer.
    """
    if shutil.which("squeue") is None:
        return []
    command = ["squeue", "--me", "--noheader", "--format=%i|%j|%Z"]
    try:
        asked = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        raise InputError(
            f"SLURM does not answer ({' '.join(str(error.stderr or error).split())}), so whether jobs of an earlier "
            "run still write into this folder is not known.",
            hint="make sure that there are none, or wait for SLURM.",
        ) from None
    jobs = (line.split("|", 2) for line in asked.stdout.splitlines())
    here = (job for job, name, at in jobs if SUBMITTED.fullmatch(name) and Path(at).exists() and folder.samefile(at))
    return [job for job in here if job != os.environ.get("SLURM_JOB_ID")]


def cancel(folder: Path, patience: float) -> list[str]:
    """Cancel these jobs, wait until they are gone, and return their ids.

    Raises:
        InputError: some are still there after ``patience`` seconds.
    """
    jobs = unfinished_jobs(folder)
    if jobs:
        subprocess.run(["scancel", *jobs], check=True)
    deadline = time.monotonic() + patience
    while left := unfinished_jobs(folder):
        if time.monotonic() > deadline:
            raise InputError(
                f"{len(left)} jobs are still there {patience:.0f} s after they were cancelled: {' '.join(left)}.",
                hint="look at them with `squeue --me`, and call this again once they are gone.",
            )
        time.sleep(0.5)
    return jobs
