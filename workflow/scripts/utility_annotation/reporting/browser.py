"""Annotations as the report shows them: one card per question."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ..common.files import read_json

_HEAD_CHARACTERS, _WHOLE_CHARACTERS = 320, 420
"""Of a longer text so much is shown at first; one that is hardly longer is shown whole."""

# Control characters but tab and line feed, and what turns the direction of the text around it.
_INVISIBLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff]")


class Text(NamedTuple):
    """A text of others: its beginning, the rest, and how many characters were cut off when it was collected."""

    head: str
    rest: str
    left_out: int

    @classmethod
    def of(cls, cut: Mapping[str, Any]) -> Text:
        """A text as :func:`.cards.cut` left it; the beginning ends between two words, if it has some."""
        text = visible(cut["text"])
        if len(text) <= _WHOLE_CHARACTERS and not cut["left_out"]:
            return cls(text, "", 0)
        end = max(0, text.rfind(" ", _HEAD_CHARACTERS // 2, _HEAD_CHARACTERS)) or _HEAD_CHARACTERS
        return cls(text[:end], text[end:], cut["left_out"])


def read_sample(path: Path) -> dict[str, Any]:
    """A file of :func:`.cards.collect`, with what else its page needs.

    ``alone`` is whether the pool has one annotator only; then the ``title`` of a judge does without it. A card gets
    ``said``, who judged its question and what they said, and ``tokens``, all facts and events for the page's filter, a
    line each: the judge's name, a colon, the fact.
    """
    sample: dict[str, Any] = read_json(path, "judges", "cards")
    sample["alone"] = len({judge["annotator"] for judge in sample["judges"]} - {None}) == 1
    for judge in sample["judges"]:
        judge["title"] = judge["stage"] if sample["alone"] and judge["stage"] else judge["name"]
    for card in sample["cards"]:
        pairs = zip(sample["judges"], card["judgements"], strict=True)
        card["said"] = [(judge, said) for judge, said in pairs if said is not None]
        card["tokens"] = "\n".join(
            f"{judge['name']}:{fact}" for judge, said in card["said"] for fact in (*said["facts"], *said["events"])
        )
    return sample


def visible(text: str) -> str:
    """A text with every character that would be unseen, or would turn the text around it, written as its number."""
    return _INVISIBLE.sub(lambda found: f"⟨U+{ord(found[0]):04X}⟩", text.replace("\r\n", "\n"))
