"""rlhn, snippet and arhn: false negatives among the candidates become positives, and doubtful ones are ignored.

The scores of a row are 1 for a positive, 0 for a negative and null for a passage that is doubtful. Both methods compare
the other candidates with the human positives of the pool, and need at least one. The prompts are our own.

- rlhn: N. Thakur et al., *Fixing Data That Hurts Performance*, 2025 (arXiv 2505.16967). One prompt asks which
  candidates answer the question as well as the human positives or better (false negatives), and which are relevant but
  worse. Here the latter are doubtful.
- arhn: H. Choi et al., *ARHN*, 2026 (arXiv 2604.11092). One prompt per passage asks for the piece of it that answers
  the question (snippet). Another prompt orders the passages by how directly they answer it. Those before the first
  human positive are positives. Of the others, those with a snippet are doubtful.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from ..engines.protocol import Completion, Continuation, Failure, LogLikelihood, ReplyRequest
from ..engines.thinking import after_thinking
from ..settings import Annotator
from .items import Item, Passage
from .listwise import Listwise
from .pointwise import Likelihoods
from .prompts import PromptTemplate, words
from .replies import RANKING, plain_line, read_verdict, verdict_guide
from .shard import Stage

_NO_POSITIVE = Failure("the question has no human positive to compare with")
_SNIPPET = re.compile(r"(?:answer|snippet) ?: ?(?P<text>.*)", re.IGNORECASE)
_NOTHING = {"none", "no answer", "n/a", "[]"}
_SIGNS = " .\"'“”‘’…()[]"


def relabelling_stage(annotator: Annotator, template: PromptTemplate) -> Stage:
    """rlhn, by the annotator's protocol."""
    if annotator.protocol == "listwise":
        return Relabelling(annotator, template)
    return RelabellingLikelihood(annotator.pointwise.margin, template)


def verdict_column(
    passages: Sequence[Passage], positive: AbstractSet[str], doubtful: AbstractSet[str]
) -> list[dict[str, Any]]:
    """The scores of a row: human positives and ``positive`` have 1, other ``doubtful`` ones null, the rest 0."""
    column = []
    for passage in passages:
        wanted = passage.human or passage.docid in positive
        score = 1.0 if wanted else None if passage.docid in doubtful else 0.0
        column.append({"docid": passage.docid, "score": score})
    return column


class Relabelling:
    """One chat with the human positives and, numbered, the other candidates.

    Args:
        annotator: sampling, thinking and structured outputs.
        template: the prompt.
    """

    votes = False

    def __init__(self, annotator: Annotator, template: PromptTemplate) -> None:
        self._annotator, self._template = annotator, template

    def requests(self, item: Item) -> list[ReplyRequest] | Failure:
        """One chat; none if every candidate is a human positive."""
        positives, others = _divided(item)
        if not positives:
            return _NO_POSITIVE
        chat = self._template.render(
            query=item.query,
            passages=[passage.text for passage in others],
            positives=[passage.text for passage in positives],
        )
        guide = verdict_guide(len(others)) if self._annotator.structured_outputs else None
        return [ReplyRequest(chat, self._annotator.sampling, guide)] if others else []

    def unreadable(self, item: Item, results: Sequence[Completion]) -> list[int]:
        """The reply, if it lacks the form."""
        return [0] if results and self.row(item, results)["outcome"] == "unparsable" else []

    def row(self, item: Item, results: Sequence[Completion]) -> dict[str, Any]:
        """The verdict on every candidate."""
        _, others = _divided(item)
        if not results:
            return {"outcome": "ok", "scores": verdict_column(item.passages, frozenset(), frozenset())}
        (completion,) = results
        verdict = read_verdict(completion, len(others), thinking=self._annotator.thinking)
        found = {"replies": [completion.text], "finish_reason": completion.finish_reason}
        if verdict is None:
            return found | {"outcome": "truncated" if completion.finish_reason == "length" else "unparsable"}
        better, worse = ({others[number - 1].docid for number in numbers} for numbers in verdict)
        return found | {"outcome": "ok", "scores": verdict_column(item.passages, better, worse)}


class RelabellingLikelihood(Likelihoods):
    """For models that are too small to reply in a form: the question's likelihood given each candidate is compared.

    A candidate is a positive if the question is at least as likely given it as given the best human positive, and
    doubtful if it is at most ``margin`` below (nats per token).

    Args:
        margin: see above.
        template: the prompt with one passage; the question is the assistant's next turn.
    """

    def __init__(self, margin: float, template: PromptTemplate) -> None:
        self._margin, self._template = margin, template

    def requests(self, item: Item) -> list[Continuation] | Failure:
        """One continuation per passage."""
        if not _divided(item)[0]:
            return _NO_POSITIVE
        question = self._template.cleaner.text(item.query)
        return [
            Continuation(self._template.render(query=item.query, passages=[passage.text]), question)
            for passage in item.passages
        ]

    def row(self, item: Item, results: Sequence[LogLikelihood]) -> dict[str, Any]:
        """The verdict on every candidate."""
        means = {passage.docid: result.mean for passage, result in zip(item.passages, results, strict=True)}
        best = max(means[passage.docid] for passage in item.passages if passage.human)
        positive = {docid for docid, mean in means.items() if mean >= best}
        doubtful = {docid for docid, mean in means.items() if mean >= best - self._margin}
        return {"outcome": "ok", "scores": verdict_column(item.passages, positive, doubtful)}


def read_snippet(completion: Completion, passage: str, *, thinking: bool = False) -> float | None:
    """Whether a reply names a piece of a passage: 1, or 0 for ``Answer: none``.

    None if the reply has no line ``Answer: …``, or if what the line says does not stand in the passage, whatever the
    case and the signs around it. The last line of a reply that was cut off is not read.
    """
    lines = (after_thinking(completion.text, thinking=thinking) or "").split("\n")
    whole = lines[:-1] if completion.finish_reason == "length" else lines
    found = [match["text"] for line in whole if (match := _SNIPPET.fullmatch(plain_line(line)))]
    if len(found) != 1:
        return None
    said = " ".join(words(found[0].casefold().strip(_SIGNS)))
    if said in _NOTHING:
        return 0.0
    return 1.0 if said and said in " ".join(words(passage.casefold())) else None


class Snippets:
    """One chat per passage, whose reply is the piece of it that answers the question.

    Args:
        annotator: sampling of answers, and thinking.
        template: the prompt, with one passage.
    """

    votes = False

    def __init__(self, annotator: Annotator, template: PromptTemplate) -> None:
        self._sampling, self._thinking = annotator.answer_sampling, annotator.thinking
        self._template = template

    def requests(self, item: Item) -> list[ReplyRequest]:
        """One chat per passage."""
        chats = (self._template.render(query=item.query, passages=[passage.text]) for passage in item.passages)
        return [ReplyRequest(chat, self._sampling) for chat in chats]

    def unreadable(self, item: Item, results: Sequence[Completion]) -> list[int]:
        """The passages whose reply has no snippet of theirs, and does not say that there is none."""
        return [place for place, found in enumerate(self._found(item, results)) if found is None]

    def row(self, item: Item, results: Sequence[Completion]) -> dict[str, Any]:
        """1 for a passage with a snippet, 0 for one without, null where the reply cannot be read."""
        found = self._found(item, results)
        readable = any(score is not None for score in found)
        scores = zip(item.passages, found, strict=True)
        return {
            "outcome": "ok" if readable else "unparsable",
            "scores": [{"docid": passage.docid, "score": score} for passage, score in scores] if readable else None,
            "replies": [result.text for result in results],
            "finish_reason": results[-1].finish_reason,
        }

    def _found(self, item: Item, results: Sequence[Completion]) -> list[float | None]:
        pairs = zip(item.passages, results, strict=True)
        return [read_snippet(result, passage.text, thinking=self._thinking) for passage, result in pairs]


class AnswerRanking(Listwise):
    """arhn's second prompt: all passages, which the reply orders by how directly they answer the question.

    Args:
        annotator: as for a ranking.
        template: the prompt.
    """

    def __init__(self, annotator: Annotator, template: PromptTemplate) -> None:
        super().__init__(annotator, template, RANKING)

    def requests(self, item: Item) -> Sequence[ReplyRequest] | Failure:
        """One chat per permutation."""
        return super().requests(item) if _divided(item)[0] else _NO_POSITIVE

    def row(self, item: Item, results: Sequence[Completion | Failure]) -> dict[str, Any]:
        """The order, and the verdict on every candidate; one that no reply names is behind those that are named."""
        row = super().row(item, results)
        if row["docids"] is None:
            return row
        human = {passage.docid for passage in item.passages if passage.human}
        ordered = row["docids"][: row["named"]]
        first = next((place for place, docid in enumerate(ordered) if docid in human), None)
        before = set() if first is None else set(ordered[:first])
        return row | {"scores": verdict_column(item.passages, before, _with_snippet(item.scores))}


def _with_snippet(scores: Mapping[str, float | None]) -> set[str]:
    """The passages that answer the question, or of which it is not known."""
    return {docid for docid, score in scores.items() if score != 0}


def _divided(item: Item) -> tuple[list[Passage], list[Passage]]:
    """The human positives and the other candidates."""
    positives = [passage for passage in item.passages if passage.human]
    return positives, [passage for passage in item.passages if not passage.human]
