"""What a planned run will take, before it starts, and how that compares with what it took.

It knows neither Snakemake nor a scheduler: :mod:`.plan` holds the jobs that :mod:`..running.dry_run` reads from a dry
run, :mod:`.sizes` says how large things are and :mod:`.rates` how fast, :mod:`.workload` what each job has to do,
:mod:`.estimate` how long that takes, :mod:`.schedule` in which time on how many GPUs and with how much disk.
:mod:`.report` sums it up, :mod:`.page` writes it down, and :mod:`.actual` compares it with the records of the jobs.
"""
