"""Whether a planned run can start: what it needs from elsewhere and from this machine, before anything is spent.

:mod:`.checks` has the table of all kinds of checks. They read and ask only. It knows neither Snakemake nor SLURM:
:mod:`..running` hands over the plan and the partitions.
"""
