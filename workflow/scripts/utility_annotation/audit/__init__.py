"""What a planned run will take, before it starts, and how that compares with what it took.

It knows neither Snakemake nor a scheduler: :mod:`..running.dry_run` reads the jobs of :mod:`.plan` from a dry run,
:mod:`.sizes` says how large things are and :mod:`.rates` how fast, and :mod:`.workload` what each job takes.
:mod:`.page` writes it down, and :mod:`.actual` compares it with the records of the jobs.
"""
