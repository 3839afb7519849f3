"""Annotations as the report shows them: one card per question, laid out for the template."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from ..common.files import read_json
from ..settings import Configuration
from .judges import Judge

_HEAD_CHARACTERS, _WHOLE_CHARACTERS = 320, 420
"""Of a longer text so much is shown at first; one that is hardly longer is shown whole."""

# Control characters but tab and line feed, and what turns the direction of the text around it.
_INVISIBLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff]")


@dataclass(frozen=True)
class Text:
    """A text of others: its beginning, the rest, and how many characters were cut off when it was collected."""

    head: str
    rest: str
    left_out: int

    @classmethod
    def of(cls, cut: Mapping[str, Any]) -> Text:
        """A text as :func:`.marks.cut` left it; the beginning ends between two words, if it has some."""
        text = visible(cut["text"])
        if len(text) <= _WHOLE_CHARACTERS and not cut["left_out"]:
            return cls(text, "", 0)
        end = text.rfind(" ", _HEAD_CHARACTERS // 2, _HEAD_CHARACTERS)
        end = end if end > 0 else _HEAD_CHARACTERS
        return cls(text[:end], text[end:], cut["left_out"])

    @property
    def more(self) -> int:
        """Characters that are not shown at first."""
        return len(self.rest) + self.left_out


@dataclass(frozen=True)
class ShownJudge:
    """A judge as the page speaks of it.

    Attributes:
        title: its name, without the annotator where the pool has one only.
        counts: of all questions of the pool, by fact (see :func:`.judges.facts`); ``compared`` those that were.
        numbered: whether its replies call passages by their place in the list that was shown.
    """

    judge: Judge
    title: str
    counts: Mapping[str, int]
    numbered: bool

    @classmethod
    def of(cls, record: Mapping[str, Any], configuration: Configuration, *, alone: bool) -> ShownJudge:
        """From a record of :func:`.cards.collect`; ``alone`` is whether the pool has one annotator only."""
        judge = Judge.model_validate({name: record[name] for name in Judge.model_fields})
        counts: Counter[str] = Counter()
        for group, questions in record["counts"].items():
            found = group.split(" ")
            compared = ["compared"] if len(found) > 1 else []
            counts.update(dict.fromkeys([*found, *compared], questions))
        annotator = configuration.annotators.get(judge.annotator or "")
        numbered = annotator is not None and annotator.protocol == "listwise" and annotator.permutations == 1
        title = str(judge.stage) if alone and judge.stage else judge.name
        return cls(judge, title, counts, numbered and judge.rule is not None and not judge.soft)

    @property
    def marks(self) -> bool:
        """Whether it says something about single passages."""
        return self.judge.stage is None or self.judge.rule is not None

    def mark(self, mark: Mapping[str, Any] | None, number: int) -> str:
        """A mark in short: ✓ chosen, – shown and not chosen; the rank with a point, (the score), and, where it is not
        the passage's number, the [place] in the list.
        """
        if mark is None:
            return ""
        parts = ["✓"] if mark["positive"] else []
        if mark["rank"] is not None:
            parts.append(f"{mark['rank']}.")
        parts = parts or ["–"]
        if mark["score"] is not None:
            parts.append(f"({mark['score']:.2f})".replace("-", "−"))
        if self.numbered and mark["place"] not in (None, number):
            parts.append(f"[{mark['place']}]")
        return " ".join(parts)


@dataclass(frozen=True)
class ShownPool:
    """The cards of a pool; ``alone`` is whether it has one annotator only."""

    name: str
    questions: int
    alone: bool
    judges: list[ShownJudge]
    cards: Sequence[Mapping[str, Any]]

    @classmethod
    def read(cls, path: Path, configuration: Configuration) -> ShownPool:
        """Read a file of :func:`.cards.collect`."""
        record: Any = read_json(path)
        alone = len({judge["annotator"] for judge in record["judges"]} - {None}) == 1
        judges = [ShownJudge.of(judge, configuration, alone=alone) for judge in record["judges"]]
        return cls(record["pool"], record["questions"], alone, judges, record["cards"])

    def said(self, card: Mapping[str, Any]) -> list[tuple[ShownJudge, Mapping[str, Any]]]:
        """Who judged a card's question, and what they said."""
        return [(judge, said) for judge, said in zip(self.judges, card["judgements"], strict=True) if said is not None]

    def by_annotator(self, card: Mapping[str, Any]) -> list[tuple[str | None, list[tuple[ShownJudge, Any]]]]:
        """The same, annotator by annotator; None where a label set was read from a file."""
        groups = groupby(self.said(card), key=lambda pair: pair[0].judge.annotator)
        return [(annotator, list(pairs)) for annotator, pairs in groups]

    def tokens(self, card: Mapping[str, Any]) -> str:
        """All facts and events of a card for the page's filter, a line each: the judge's name, a colon, the fact."""
        return "\n".join(
            f"{judge.judge.name}:{fact}" for judge, said in self.said(card) for fact in (*said["facts"], *events(said))
        )


def events(said: Mapping[str, Any]) -> list[str]:
    """Other events of a stage: ``again`` (a request was repeated), ``cut`` (passages were cut to fit), ``whole`` (the
    whole pool was shown, because the relevance selection left nothing).
    """
    replies = said.get("replies", ())
    found = {
        "again": bool(replies) and said["attempts"] > len(replies),
        "cut": said.get("cut_words") is not None,
        "whole": said.get("whole_pool", False),
    }
    return [name for name, holds in found.items() if holds]


def visible(text: str) -> str:
    """A text with every character that would be unseen, or would turn the text around it, written as its number."""
    return _INVISIBLE.sub(lambda found: f"⟨U+{ord(found[0]):04X}⟩", text.replace("\r\n", "\n"))
