"""What answers take: passages and tokens that the LLM reads, questions without an answer, seconds and their price."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..settings import Cost

Figures = Mapping[str, float | None]
"""Those of :func:`work_of_answers`."""


@dataclass(frozen=True)
class AnswerWork:
    """A column about what an answer takes.

    Attributes:
        label: its name in tables.
        decimals: with how many it is shown.
        description: for the reference of the configuration.
        value: what is shown, from the figures and the prices; None where it is not known.
    """

    label: str
    decimals: int
    description: str
    value: Callable[[Figures, Cost | None], float | None]


def _usd(found: Figures, prices: Cost | None) -> float | None:
    seconds = found["seconds"]
    return None if seconds is None or prices is None else 1000 * seconds / 3600 * prices.gpu_hour_usd


WORK: Mapping[str, AnswerWork] = {
    "passages": AnswerWork("Passages", 1, "passages that the LLM reads", lambda found, _: found["passages"]),
    "tokens": AnswerWork(
        "Tokens",
        0,
        "tokens of its prompt, by which the table's chart then shows the metrics too",
        lambda found, _: found["tokens"],
    ),
    "abstained": AnswerWork(
        "Abstained",
        1,
        "percentage without an answer, for lack of a passage",
        lambda found, _: 100 * (found["abstained"] or 0),
    ),
    "seconds": AnswerWork(
        "Seconds", 2, "seconds of one GPU, to choose passages and to answer", lambda found, _: found["seconds"]
    ),
    "usd_per_1000": AnswerWork("USD per 1,000", 2, "the price of these seconds for 1,000 questions", _usd),
}
"""By the name in ``tables.*.answer_work``."""


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
    from ..engines.throughput import device_seconds  # here, so that names are checked without these packages
    from ..io.schemas import ABSTAINED

    parts = [(generation, len(rows)), *((each, each["queries"]) for each in chosen if "seconds" in each)]
    seconds = [None if (found := device_seconds(each)) is None else found / max(asked, 1) for each, asked in parts]
    return {
        "passages": generation["passages"] / len(rows),
        "tokens": sum(row["prompt_tokens"] for row in rows) / len(rows),
        "abstained": sum(row["outcome"] == ABSTAINED for row in rows) / len(rows),
        "seconds": None if None in seconds else sum(each or 0 for each in seconds),
    }
