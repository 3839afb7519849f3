"""The counts that corpus BLEU is computed from; reading their names needs no large package."""

MAX_ORDER = 4
"""BLEU-1 to BLEU-4 are computed."""

BLEU_COUNTS = (
    "bleu-answer-length",
    "bleu-reference-length",
    *(f"bleu-{what}-{order}" for what in ("correct", "guessed") for order in range(1, MAX_ORDER + 1)),
)
"""The counts of an answer: its words, those of the reference of the closest length, and its n-grams by order."""
