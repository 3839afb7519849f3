"""Answers from passages: a question without any is asked or left, and all that was read is counted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from utility_annotation.annotation.answers import AnswerStage
from utility_annotation.annotation.items import Item, Passage
from utility_annotation.annotation.prompts import PromptSanitizer, PromptTemplate
from utility_annotation.engines.protocol import Completion, Continuation, Failure, LogLikelihood, ReplyRequest
from utility_annotation.engines.store import CompletionStore
from utility_annotation.io.schemas import ABSTAINED, ANNOTATION
from utility_annotation.retrieval.answering import answer
from utility_annotation.settings import Annotator, Retries

ITEMS = [
    Item("q3", "who?", (Passage("d1", "red stone"), Passage("d2", "blue ship"))),
    Item("q1", "when?", ()),
    Item("q4", "where?", (Passage("d1", "red stone"),)),
    Item("q2", "why?", ()),
]


@dataclass
class Scripted:
    """An engine that replies with the number of passages that it was shown; it fails where a test says so."""

    broken: str = "no question"
    asked: list[str] = field(default_factory=list)
    fingerprint: str = "scripted"
    special_tokens: frozenset[str] = frozenset()

    def generate(self, requests: Sequence[ReplyRequest]) -> Iterator[tuple[int, Completion | Failure]]:
        for index, request in enumerate(requests):
            text = "\n".join(message.content for message in request.chat)
            self.asked.append(text)
            if self.broken in text:
                yield index, Failure("broken")
            else:
                yield index, Completion(f"{text.count('Passage ')} passages", "stop", 50, 5)

    def log_likelihood(self, requests: Sequence[Continuation]) -> Iterator[tuple[int, LogLikelihood | Failure]]:
        raise AssertionError("nothing asks for likelihoods")


@dataclass
class Answering:
    """The answers to questions, in a folder with a store."""

    folder: Path
    template: PromptTemplate

    def __call__(
        self, engine: Scripted, *, abstain: bool, items: Sequence[Item] = ITEMS
    ) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """The rows of the answers, and the summary."""
        output = self.folder / "answers.parquet"
        stage = AnswerStage(Annotator(model="tiny"), self.template)
        with CompletionStore(self.folder / "store") as store:
            progress = answer(items, stage, engine, store, Retries(max_retries=0), output, abstain=abstain)
        return ANNOTATION.read(output).to_pylist(), progress.summary()


@pytest.fixture
def answering(tmp_path: Path, root: Path) -> Answering:
    template = PromptTemplate(root / "resources" / "prompts" / "qa_short.j2", PromptSanitizer([]))
    return Answering(tmp_path, template)


def test_who_abstains_is_asked_only_where_there_are_passages(answering: Answering) -> None:
    engine = Scripted()
    rows, summary = answering(engine, abstain=True)
    assert [(row["query_id"], row["outcome"], row["answer"]) for row in rows] == [
        ("q3", "ok", "2 passages"),
        ("q1", ABSTAINED, None),
        ("q4", "ok", "1 passages"),
        ("q2", ABSTAINED, None),
    ]
    assert len(engine.asked) == 2
    assert not any("when?" in text or "why?" in text for text in engine.asked)
    assert [(row["prompt_tokens"], row["completion_tokens"], row["attempts"]) for row in rows] == [
        (50, 5, 1),
        (0, 0, 0),
    ] * 2
    assert all(row["replies"] == [] for row in rows[1::2])
    assert summary["outcomes"] == {ABSTAINED: 2, "ok": 2}
    counts = {"queries": 4, "requests": 2, "made": 2, "passages": 3, "without_passages": 2, "tokens": 110}
    assert {name: summary[name] for name in counts} == counts


def test_otherwise_a_question_without_passages_is_asked_by_itself(answering: Answering) -> None:
    engine = Scripted()
    rows, summary = answering(engine, abstain=False)
    assert [(row["query_id"], row["answer"]) for row in rows] == [
        ("q3", "2 passages"),
        ("q1", "0 passages"),
        ("q4", "1 passages"),
        ("q2", "0 passages"),
    ]
    (text,) = (text for text in engine.asked if "when?" in text)
    assert "passages that you are given" not in text
    assert summary["outcomes"] == {"ok": 4}
    counts = {"queries": 4, "requests": 4, "made": 4, "passages": 3, "without_passages": 2, "tokens": 220}
    assert {name: summary[name] for name in counts} == counts


@pytest.mark.parametrize("abstain", [True, False])
def test_stored_replies_are_not_asked_for_again_and_their_tokens_count(answering: Answering, abstain: bool) -> None:
    before, first = answering(Scripted(), abstain=abstain)
    silent = Scripted()
    again, second = answering(silent, abstain=abstain)
    assert silent.asked == []
    assert again == before
    assert (second["made"], second["prompt_tokens"], second["from_store"]) == (0, 0, first["made"])
    same = ("tokens", "passages", "without_passages", "outcomes", "queries")
    assert {name: second[name] for name in same} == {name: first[name] for name in same}


def test_a_failure_is_no_abstention(answering: Answering) -> None:
    rows, summary = answering(Scripted(broken="where?"), abstain=True)
    assert [row["outcome"] for row in rows] == ["ok", ABSTAINED, "error", ABSTAINED]
    assert summary["outcomes"] == {ABSTAINED: 2, "error": 1, "ok": 1}
    assert summary["tokens"] == 55


def test_where_every_question_is_without_passages_nothing_is_asked(answering: Answering) -> None:
    engine = Scripted()
    rows, summary = answering(engine, abstain=True, items=[ITEMS[1], ITEMS[3]])
    assert engine.asked == []
    assert [(row["query_id"], row["outcome"]) for row in rows] == [("q1", ABSTAINED), ("q2", ABSTAINED)]
    assert (summary["queries"], summary["tokens"], summary["without_passages"]) == (2, 0, 2)
