"""What the table of stages and the readers of their inputs and outcomes name, for those that load neither."""

TRUTH = "truth"
"""The entry of ``reads`` of a stage that gets the ground-truth answers of the pool's split."""

READABLE = ("ok", "empty")
"""The outcomes of a selection or a ranking that could be read."""
