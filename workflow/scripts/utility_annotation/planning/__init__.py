"""What rules ask of the configuration: the paths of files, the settings of jobs, and what a target needs.

It knows neither Snakemake nor a scheduler. :mod:`.loading` reads a configuration and :mod:`.references` checks its
names, :mod:`.jobs` says which settings a job has, :mod:`.plan` gathers what the rules call, and the other modules say,
one kind of result each, which files it is made from.
"""
