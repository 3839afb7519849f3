"""The library behind the workflow's scripts.

It knows neither Snakemake nor SLURM: every function takes paths and typed settings and can be called from a test or
a notebook. Imports point downward only: ``errors``, ``files``, ``schemas`` and ``configuration`` are the ground.
"""
