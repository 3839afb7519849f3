"""Strict reading of an LLM's replies.

Only a line that consists of the requested form is read, and thoughts are skipped, so that numbers in a thought, an
explanation or a quoted passage count for nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from ..engines.protocol import Completion
from ..engines.thinking import after_thinking
from .votes import merge_rankings, merge_selections

_BEGUN = "my selection:"
_NUMBER = r"\[\s*[+-]?\d{1,9}\s*\]"
_LIST = rf"{_NUMBER}(?:\s*,\s*{_NUMBER})*"
_SELECTION = re.compile(
    rf"My selection:\s*(?P<list>\[\s*{_LIST}\s*\]|{_LIST}|\[\s*\]|\[\s*\[\s*\]\s*\])\s*\.?", re.IGNORECASE
)
_RANKING = re.compile(rf"(?P<list>{_NUMBER}(?:\s*>\s*{_NUMBER})*)\s*\.?")
_DIGITS = re.compile(r"[+-]?\d+")


@dataclass(frozen=True)
class Reading:
    """The content of a reply.

    Attributes:
        outcome: ok, empty (a selection of nothing), unparsable, or truncated (cut off before any content).
        numbers: the passages' numbers in reply order, each from 1 to n and at most once; none unless the outcome is ok.
    """

    outcome: str
    numbers: tuple[int, ...] = ()


class Reader(Protocol):
    """Reads a reply about passages 1…n."""

    def __call__(self, completion: Completion, n: int, *, thinking: bool = False) -> Reading: ...


@dataclass(frozen=True)
class ReplyForm:
    """A form of reply.

    Attributes:
        read: what a reply says.
        guide: the regular expression, for n passages, of the replies that structured outputs admit; each is readable.
        merge: one list of docids from those of several permutations.
    """

    read: Reader
    guide: Callable[[int], str]
    merge: Callable[[Sequence[Sequence[str]]], list[str]]


def read_selection(completion: Completion, n: int, *, thinking: bool = False) -> Reading:
    """Read ``My selection:[[i],[j],...]`` over passages 1…n.

    The form must fill a line of its own. Numbers outside 1…n are dropped; a selection of such numbers only is
    unparsable, and so are several lines that select differently. The line in which the token limit cut a reply off is
    not read; if it may have been a selection, nothing is.
    """
    text = after_thinking(completion.text, thinking=thinking)
    last = completion.text.rpartition("\n")[2].strip().casefold()
    if text and last and completion.finish_reason == "length":
        if last.startswith(_BEGUN) or _BEGUN.startswith(last):
            return _nothing_read(completion)
        text = text.rpartition("\n")[0]
    lists = [match["list"] for match in _full_lines(_SELECTION, text)]
    readings = {_valid_numbers(found, n) for found in lists}
    if len(readings) != 1:
        return _nothing_read(completion)
    (numbers,) = readings
    if numbers:
        return Reading("ok", numbers)
    return Reading("empty") if not any(_DIGITS.search(found) for found in lists) else _nothing_read(completion)


def read_ranking(completion: Completion, n: int, *, thinking: bool = False) -> Reading:
    """Read ``[i] > [j] > ...`` over passages 1…n; passages that the reply leaves out follow in their given order.

    The form must fill a line of its own and, where there are two passages or more, compare at least two. A reply that
    the token limit cut off is truncated: a ranking does not say where it ends.
    """
    text = after_thinking(completion.text, thinking=thinking)
    lists = [match["list"] for match in _full_lines(_RANKING, text) if n == 1 or ">" in match["list"]]
    readings = {_valid_numbers(found, n) for found in lists} - {()}
    if len(readings) != 1 or completion.finish_reason == "length":
        return _nothing_read(completion)
    (numbers,) = readings
    return Reading("ok", (*numbers, *(number for number in range(1, n + 1) if number not in numbers)))


def selection_guide(n: int) -> str:
    """``My selection:[]`` or ``My selection:[[i],[j],...]`` with at most n numbers from 1 to n."""
    number = _number_guide(n)
    return rf"My selection:\[({number}(,{number}){{0,{n - 1}}})?\]"


def ranking_guide(n: int) -> str:
    """``[i] > [j] > ...`` with n numbers from 1 to n. That they differ is more than a regular expression can ask."""
    number = _number_guide(n)
    return number + rf"( > {number}){{{n - 1}}}"


SELECTION = ReplyForm(read_selection, selection_guide, merge_selections)
RANKING = ReplyForm(read_ranking, ranking_guide, merge_rankings)


def _number_guide(n: int) -> str:
    return rf"\[({'|'.join(map(str, range(1, n + 1)))})\]"


def _full_lines(form: re.Pattern[str], text: str | None) -> list[re.Match[str]]:
    matches = (form.fullmatch(line.strip()) for line in (text or "").split("\n"))
    return [match for match in matches if match]


def _valid_numbers(found: str, n: int) -> tuple[int, ...]:
    """Numbers from 1 to n, each once, in order of first appearance."""
    numbers = (int(digits) for digits in _DIGITS.findall(found))
    return tuple(dict.fromkeys(number for number in numbers if 1 <= number <= n))


def _nothing_read(completion: Completion) -> Reading:
    return Reading("truncated" if completion.finish_reason == "length" else "unparsable")
