"""Which prompt template of resources/prompts/ a stage reads, by the annotator's protocol or the style of answers."""

from __future__ import annotations

_LISTWISE = {
    "relsel": "relsel.j2",
    "answer": "answer.j2",
    "utilsel": "utilsel.j2",
    "utilrank": "utilrank.j2",
    "utilsel-truth": "utilsel.j2",
}
_POINTWISE = {
    "relsel": "pointwise_relevance.j2",
    "answer": "answer.j2",
    "utilsel": "pointwise_answer.j2",
    "utilrank": "pointwise_answer.j2",
    "utilsel-truth": "pointwise_answer.j2",
}


def template_name(stage: str, protocol: str) -> str:
    """The file name of a stage's template; REPLUG has one way only.

    Args:
        stage: relsel, answer, utilsel, utilrank, utilsel-truth or replug.
        protocol: listwise or pointwise.
    """
    if stage == "replug":
        return "replug.j2"
    return {"listwise": _LISTWISE, "pointwise": _POINTWISE}[protocol][stage]


def question_template_name(style: str) -> str:
    """The file name of the template for answers from retrieved passages.

    Args:
        style: short or sentence.
    """
    return f"qa_{style}.j2"
