"""What answers take: passages and tokens that the LLM reads, questions without an answer, and seconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..engines.throughput import device_seconds
from ..io.schemas import ABSTAINED

UNITS: Mapping[str, tuple[str, int]] = {
    "passages": ("Passages", 1),
    "tokens": ("Tokens", 0),
    "abstained": ("Abstained", 1),
    "seconds": ("Seconds", 2),
    "usd_per_1000": ("USD per 1,000", 2),
}
"""By the name in ``tables.*.answer_work``: its label, and with how many decimals it is shown."""


def work_of_answers(
    rows: Sequence[Mapping[str, Any]], generation: Mapping[str, Any], *chosen: Mapping[str, Any]
) -> dict[str, float | None]:
    """Means over questions, ready for JSON.

    Args:
        rows: of every question, ``outcome`` and ``prompt_tokens``.
        generation: the summary of the job that answered, see :class:`..retrieval.answering.AnsweringProgress`.
        chosen: the summaries of the jobs that reranked or selected the passages.

    Returns:
        ``passages`` and ``tokens`` that the LLM was given, the share ``abstained``, and the ``seconds`` of one device
        that choosing and answering took, without loading models and without searching; null where no speed is recorded.
    """
    parts = [(generation, len(rows)), *((each, each["queries"]) for each in chosen if "seconds" in each)]
    seconds = [None if (found := device_seconds(each)) is None else found / max(asked, 1) for each, asked in parts]
    return {
        "passages": generation["passages"] / len(rows),
        "tokens": sum(row["prompt_tokens"] for row in rows) / len(rows),
        "abstained": sum(row["outcome"] == ABSTAINED for row in rows) / len(rows),
        "seconds": None if None in seconds else sum(each or 0 for each in seconds),
    }
