"""Where the library meets Snakemake and SLURM: the only room that knows them. Nothing else imports from here."""
