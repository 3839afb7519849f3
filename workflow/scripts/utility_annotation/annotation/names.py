"""What the table of stages and the readers of their inputs both name."""

TRUTH = "truth"
"""The entry of ``reads`` of a stage that gets the ground-truth answers of the pool's split."""
