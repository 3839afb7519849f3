"""The one table of annotation stages.

A new stage is one entry here and one template in resources/prompts/. Its rule, its label source, its cost, its rows in
the report and in the audit derive from the entry.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ..settings import Annotator
from .label_rules import GAINS, GRADES, LIKELIHOODS, SELECTED, TOP_RANKED, VERDICTS, LabelRule
from .names import TRUTH

if TYPE_CHECKING:
    from .prompts import PromptTemplate
    from .shard import Stage

EVERY_STAGE = ("model", "engine", "served_model_name", "protocol", "passage_words", "titles", "max_model_len")
"""Keys of an annotator that decide the result of every stage; with a local model, ``precision`` too."""

_REPLY = ("sampling", "thinking", "retries", "structured_outputs")
_SELECTION_REPLY = (*_REPLY, "permutations")
ANSWER_REPLY = ("answer_sampling", "thinking", "retries")
_QUESTION_REPLY = (*ANSWER_REPLY, "questions_per_passage")
"""Keys that decide a reply; one that is asked for several times; an answer; and written questions."""


@dataclass(frozen=True)
class Way:
    """How a stage asks under one protocol.

    Attributes:
        template: its prompt, a file of resources/prompts/.
        reply: the kind of reply, which decides its length: a selection, a ranking, a grade, an answer, or
            questions with their answers; None if the stage asks for likelihoods.
        settings: further keys of the annotator that decide its result; dotted for a key of a section.
        shares: the stage that computes the same likelihoods, which this one finds in the completion store.
    """

    template: str
    reply: Literal["selection", "ranking", "grade", "answer", "questions"] | None = None
    settings: tuple[str, ...] = ()
    shares: str | None = None


@dataclass(frozen=True)
class StageEntry:
    """An annotation stage.

    Attributes:
        description: what its labels are, or what it makes; ends a sentence such as "a passage is positive by …".
        reads: what it reads beside the pool: earlier stages of the same annotator, or ``TRUTH``.
        listwise, pointwise: how it asks under each protocol.
        make: makes the object that asks and reads replies, from the annotator and the prompt template.
        labels: how its result becomes labels; None for a stage whose result is not about passages.
        runtime: minutes that its job asks a scheduler for where the audit does not know how long it takes.
    """

    description: str
    reads: tuple[str, ...]
    listwise: Way
    pointwise: Way
    make: Callable[[Annotator, PromptTemplate], Stage]
    labels: LabelRule | None
    runtime: int

    def way(self, protocol: str) -> Way:
        """How it asks under a protocol: listwise or pointwise."""
        return {"listwise": self.listwise, "pointwise": self.pointwise}[protocol]

    @property
    def narrowed(self) -> bool:
        """Whether a relevance selection narrows the passages that it shows."""
        return "relsel" in self.reads


def _relevance(annotator: Annotator, prompt: PromptTemplate) -> Stage:
    from .relevance import relevance_stage  # here, as below, so that a plan and other jobs load no stage

    return relevance_stage(annotator, prompt)


def _answer(annotator: Annotator, prompt: PromptTemplate) -> Stage:
    from .answers import AnswerStage

    return AnswerStage(annotator, prompt)


def _selection(annotator: Annotator, prompt: PromptTemplate) -> Stage:
    from .utility import selection_stage

    return selection_stage(annotator, prompt)


def _ranking(annotator: Annotator, prompt: PromptTemplate) -> Stage:
    from .utility import ranking_stage

    return ranking_stage(annotator, prompt)


def _replug(annotator: Annotator, prompt: PromptTemplate) -> Stage:
    from .replug import replug_stage

    return replug_stage(annotator, prompt)


def _relevance_grade(annotator: Annotator, prompt: PromptTemplate) -> Stage:
    from .grades import grading_stage

    return grading_stage(annotator, prompt, needs_answer=False)


def _utility_grade(annotator: Annotator, prompt: PromptTemplate) -> Stage:
    from .grades import grading_stage

    return grading_stage(annotator, prompt, needs_answer=True)


def _relabelling(annotator: Annotator, prompt: PromptTemplate) -> Stage:
    from .denoising import relabelling_stage

    return relabelling_stage(annotator, prompt)


def _snippets(annotator: Annotator, prompt: PromptTemplate) -> Stage:
    from .denoising import Snippets

    return Snippets(annotator, prompt)


def _answer_ranking(annotator: Annotator, prompt: PromptTemplate) -> Stage:
    from .denoising import AnswerRanking

    return AnswerRanking(annotator, prompt)


def _answers_alone(annotator: Annotator, prompt: PromptTemplate) -> Stage:
    from .gains import AnswersAlone

    return AnswersAlone(annotator, prompt)


def _question(annotator: Annotator, prompt: PromptTemplate) -> Stage:
    from .questions import QuestionStage

    return QuestionStage(annotator, prompt)


QUESTION = "question-"
"""How the names of the stages begin that write questions about passages; the rest is the style."""


STAGES: Mapping[str, StageEntry] = {
    "relsel": StageEntry(
        description="relevance selection: the passages that an LLM found on topic",
        reads=(),
        listwise=Way("relsel.j2", "selection", _SELECTION_REPLY),
        pointwise=Way("pointwise_relevance.j2", settings=("pointwise.relevant_percent",)),
        make=_relevance,
        labels=SELECTED,
        runtime=360,
    ),
    "answer": StageEntry(
        description="pseudo-answer: an answer that an LLM wrote from the passages on topic",
        reads=("relsel",),
        listwise=Way("answer.j2", "answer", ANSWER_REPLY),
        pointwise=Way("pointwise_answer.j2", "answer", (*ANSWER_REPLY, "pointwise.answer_passages")),
        make=_answer,
        labels=None,
        runtime=120,
    ),
    "utilsel": StageEntry(
        description="utility selection: the passages on topic that an LLM found of use for a pseudo-answer of its own",
        reads=("relsel", "answer"),
        listwise=Way("utilsel.j2", "selection", _SELECTION_REPLY),
        pointwise=Way("pointwise_answer.j2", settings=("pointwise.gain_weight", "pointwise.margin")),
        make=_selection,
        labels=SELECTED,
        runtime=180,
    ),
    "utilrank": StageEntry(
        description="utility ranking: the head of the list in which an LLM ordered the passages on topic by their "
        "utility",
        reads=("relsel", "answer"),
        listwise=Way("utilrank.j2", "ranking", _SELECTION_REPLY),
        pointwise=Way("pointwise_answer.j2", settings=("pointwise.gain_weight",), shares="utilsel"),
        make=_ranking,
        labels=TOP_RANKED,
        runtime=180,
    ),
    "utilsel-truth": StageEntry(
        description="utility selection from the whole pool, given the ground-truth answer",
        reads=(TRUTH,),
        listwise=Way("utilsel.j2", "selection", _SELECTION_REPLY),
        pointwise=Way("pointwise_answer.j2", settings=("pointwise.gain_weight", "pointwise.margin")),
        make=_selection,
        labels=SELECTED,
        runtime=360,
    ),
    "replug": StageEntry(
        description="REPLUG's likelihoods of the ground-truth answer given each candidate alone",
        reads=(TRUTH,),
        listwise=Way("replug.j2"),
        pointwise=Way("replug.j2"),
        make=_replug,
        labels=LIKELIHOODS,
        runtime=720,
    ),
    "umbrela": StageEntry(
        description="relevance grades from 0 to 3, one passage at a time, by the scale of UMBRELA",
        reads=(),
        listwise=Way("umbrela.j2", "grade", _REPLY),
        pointwise=Way("umbrela.j2"),
        make=_relevance_grade,
        labels=GRADES,
        runtime=720,
    ),
    "utilgrade": StageEntry(
        description="utility grades from 0 to 3 of the passages on topic, one at a time, for a pseudo-answer",
        reads=("relsel", "answer"),
        listwise=Way("utilgrade.j2", "grade", _REPLY),
        pointwise=Way("utilgrade.j2"),
        make=_utility_grade,
        labels=GRADES,
        runtime=360,
    ),
    "rlhn": StageEntry(
        description="the human positives, and what an LLM found to answer the question as well (RLHN)",
        reads=(),
        listwise=Way("rlhn.j2", "selection", _REPLY),
        pointwise=Way("pointwise_relevance.j2", settings=("pointwise.margin",)),
        make=_relabelling,
        labels=VERDICTS,
        runtime=360,
    ),
    "snippet": StageEntry(
        description="the passages in which an LLM found a piece that answers the question",
        reads=(),
        listwise=Way("snippet.j2", "answer", ANSWER_REPLY),
        pointwise=Way("snippet.j2", "answer", ANSWER_REPLY),
        make=_snippets,
        labels=VERDICTS,
        runtime=720,
    ),
    "arhn": StageEntry(
        description="the human positives, and what an LLM ranked before them by how directly it answers (ARHN)",
        reads=("snippet",),
        listwise=Way("arhn.j2", "ranking", _SELECTION_REPLY),
        pointwise=Way("arhn.j2", "ranking", _SELECTION_REPLY),
        make=_answer_ranking,
        labels=VERDICTS,
        runtime=360,
    ),
    "gain-short": StageEntry(
        description="the gain: how much better an LLM answers in a few words with a passage than without any",
        reads=(),
        listwise=Way("qa_short.j2", "answer", ANSWER_REPLY),
        pointwise=Way("qa_short.j2", "answer", ANSWER_REPLY),
        make=_answers_alone,
        labels=GAINS,
        runtime=720,
    ),
    "gain-sentence": StageEntry(
        description="the gain: how much better an LLM answers in full sentences with a passage than without any",
        reads=(),
        listwise=Way("qa_sentence.j2", "answer", ANSWER_REPLY),
        pointwise=Way("qa_sentence.j2", "answer", ANSWER_REPLY),
        make=_answers_alone,
        labels=GAINS,
        runtime=720,
    ),
    "question-natural": StageEntry(
        description="questions about a passage as a person would ask them",
        reads=(),
        listwise=Way("question_natural.j2", "questions", _QUESTION_REPLY),
        pointwise=Way("pointwise_question_natural.j2", "questions", _QUESTION_REPLY),
        make=_question,
        labels=None,
        runtime=360,
    ),
    "question-keyword": StageEntry(
        description="questions about a passage in a few keywords each",
        reads=(),
        listwise=Way("question_keyword.j2", "questions", _QUESTION_REPLY),
        pointwise=Way("pointwise_question_keyword.j2", "questions", _QUESTION_REPLY),
        make=_question,
        labels=None,
        runtime=360,
    ),
    "question-multi-part": StageEntry(
        description="questions about a passage that ask for two things each",
        reads=(),
        listwise=Way("question_multi_part.j2", "questions", _QUESTION_REPLY),
        pointwise=Way("pointwise_question_multi_part.j2", "questions", _QUESTION_REPLY),
        make=_question,
        labels=None,
        runtime=360,
    ),
}
"""By name, in the order of the annotation: a stage comes after those that it reads."""


RERANKING: Mapping[str, Way] = {
    "listwise": Way("rerank.j2", "ranking", _SELECTION_REPLY),
    "pointwise": Way("pointwise_relevance.j2"),
}
"""How an annotator is asked to order a ranking again, by its protocol."""


def chain(stage: str, protocol: str) -> Iterator[str]:
    """A stage and all stages that it needs, in the table's order.

    If it shares another stage's likelihoods under this protocol, that stage is among them.
    """
    needed = {stage}
    for name in reversed(list(STAGES)):
        if name in needed:
            entry = STAGES[name]
            shared = entry.way(protocol).shares
            needed.update(reads for reads in entry.reads if reads != TRUTH)
            needed.update([shared] if shared else [])
    return (name for name in STAGES if name in needed)
