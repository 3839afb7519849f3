"""Strict reading of an LLM's replies.

Only lines that consist of the requested form are read, and thoughts are skipped, so that numbers in a thought, an
explanation or a quoted passage count for nothing. Markdown around the form is no part of it: bold, code, a code fence,
a bullet or an escape. A form that is wrapped over several lines is read whole or not at all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from ..engines.protocol import Completion
from ..engines.thinking import after_thinking
from .votes import merge_rankings, merge_selections

_BEGUN = "myselection:"
_DIGITS = re.compile(r"[+-]?\d+")
_FENCE = re.compile(r"\s*(?:`{3,}|~{3,})\s*\w*\s*")
_OTHER_SIGNS = str.maketrans("\uff1a\uff0c\uff1e\uff3b\uff3d", ":,>[]")
_ESCAPE = re.compile(r"\\(?=[\[\]>*_`.-])")
_BULLET = re.compile(r"(?:[-+•]|\d{1,3}[.)]) (?=\D)")
_EMPHASIS = re.compile(r"(?<!\d)[*_`]+(?!\d)")
_OPEN = re.compile(r"(?:(?:^|[\]\d]) ?[,>]|\[)\Z")
"""What decorates a line; and the end of a line that goes on in the next: a separator after a number, or a bracket."""


class _Form(NamedTuple):
    """A requested form, for lines of single spaces.

    Attributes:
        label: the words before it.
        piece: a part of it.
        whole: all of it; the group ``list`` has its numbers.
    """

    label: re.Pattern[str]
    piece: re.Pattern[str]
    whole: re.Pattern[str]


def _form(label: str, content: str, *, labelled: bool) -> _Form:
    patterns = (
        label,
        rf"(?:{label})?(?=.*[\[\]\d])[\[\]\d ,>+.-]+",
        rf"(?:{label} ?){'' if labelled else '?'}(?P<list>{content}) ?\.?",
    )
    return _Form(*(re.compile(pattern, re.IGNORECASE) for pattern in patterns))


_INTEGER = r"[+-]?\d{1,9}"
_NUMBER = rf"\[ ?{_INTEGER} ?\]"
_GROUP = rf"\[ ?{_INTEGER}(?: ?, ?{_INTEGER})* ?,? ?\]"
_NESTED = rf"\[ ?(?:{_INTEGER}|{_GROUP})(?: ?, ?(?:{_INTEGER}|{_GROUP}))* ?,? ?\]"
_LIST = rf"{_NESTED}|{_GROUP}(?: ?, ?{_GROUP})*|\[ ?\]|\[ ?\[ ?\] ?\]"
_SELECTION = _form(r"my selection ?:", _LIST, labelled=True)
_VERDICT = tuple(_form(rf"{label} ?:", _LIST, labelled=True) for label in ("better", "worse"))
_RLHN = tuple(
    re.compile(rf"<{label}>[^\[\]<]*\[(?P<list>[^\[\]<]*)\]\s*</{label}>", re.IGNORECASE)
    for label in ("better", "worse")
)
"""What each list of a verdict is called; and how the replies that RLHN's authors published write it."""
_RANKED = r"(?:(?:my|the|final) )*(?:ranking|order|answer) ?:"
_RANKING = _form(_RANKED, rf"{_NUMBER}(?: ?> ?{_NUMBER})+", labelled=False)
_SINGLE = _form(_RANKED, rf"{_NUMBER}(?: ?> ?{_NUMBER})*", labelled=False)
"""A ranking compares two passages or more; of a single passage it may name that alone."""


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
        complete: whether passages that no reply names follow the list.
    """

    read: Reader
    guide: Callable[[int], str]
    merge: Callable[[Sequence[Sequence[str]]], list[str]]
    complete: bool = False


def read_selection(completion: Completion, n: int, *, thinking: bool = False) -> Reading:
    """Read ``My selection:[[i],[j],...]`` over passages 1…n, with ``[i,j]`` and ``[i],[j]`` for the list too.

    Nothing else may stand on its lines. Numbers outside 1…n are dropped; a selection of such numbers only is
    unparsable, and so are several selections that differ. If the token limit cut the reply off, a selection is read
    only if a later line has begun that cannot belong to it, nor be another selection.
    """
    text = after_thinking(completion.text, thinking=thinking) or ""
    if completion.finish_reason == "length":
        last = plain_line(completion.text.rpartition("\n")[2]).casefold().replace(" ", "")
        if not last[:1].isalpha() or last.startswith(_BEGUN) or _BEGUN.startswith(last):
            return _nothing_read(completion)
        text = text.rpartition("\n")[0]
    return _read(completion, _lists(_SELECTION, text), n)


def read_ranking(completion: Completion, n: int, *, thinking: bool = False) -> Reading:
    """Read ``[i] > [j] > ...`` over passages 1…n, with or without a label such as ``Ranking:``.

    The reading has the passages that the reply names, which may be only some. Nothing else may stand on the ranking's
    lines and, where there are two passages or more, it must compare at least two. Several rankings that differ are
    unparsable. A reply that the token limit cut off is truncated: a ranking does not say where it ends.
    """
    text = after_thinking(completion.text, thinking=thinking) or ""
    if completion.finish_reason == "length":
        return _nothing_read(completion)
    return _read(completion, _lists(_SINGLE if n == 1 else _RANKING, text), n)


def read_verdict(
    completion: Completion, n: int, *, thinking: bool = False
) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """Read ``Better: [[i],...]`` and ``Worse: [[j],...]`` over passages 1…n; a passage in both is better.

    Nothing else may stand on their lines. The verdicts of RLHN's published replies are read as well, such as
    ``<better> Preferred over ground truth: [Doc (2)] </better>``. Numbers outside 1…n are dropped. None if one of the
    two is missing or stands twice with other numbers, if a list has such numbers only, or if the reply was cut off.
    """
    if completion.finish_reason == "length":
        return None
    text = after_thinking(completion.text, thinking=thinking) or ""
    lists = [_lists(form, text) for form in _VERDICT]
    if not any(lists):
        lists = [[match["list"] for match in form.finditer(text)] for form in _RLHN]
    readings = [{_valid_numbers(found, n) for found in several} for several in lists]
    if any(len(reading) != 1 for reading in readings):
        return None
    better, worse = (reading.pop() for reading in readings)
    for numbers, several in zip((better, worse), lists, strict=True):
        if not numbers and any(_DIGITS.search(found) for found in several):
            return None
    return better, tuple(number for number in worse if number not in better)


def verdict_guide(n: int) -> str:
    """Both lines, each with at most n numbers from 1 to n."""
    number = _number_guide(n)
    numbers = rf"\[({number}(,{number}){{0,{n - 1}}})?\]"
    return f"Better: {numbers}\nWorse: {numbers}"


def selection_guide(n: int) -> str:
    """``My selection:[]`` or ``My selection:[[i],[j],...]`` with at most n numbers from 1 to n."""
    number = _number_guide(n)
    return rf"My selection:\[({number}(,{number}){{0,{n - 1}}})?\]"


def ranking_guide(n: int) -> str:
    """``[i] > [j] > ...`` with n numbers from 1 to n. That they differ is more than a regular expression can ask."""
    number = _number_guide(n)
    return number + rf"( > {number}){{{n - 1}}}"


SELECTION = ReplyForm(read_selection, selection_guide, merge_selections)
RANKING = ReplyForm(read_ranking, ranking_guide, merge_rankings, complete=True)


def _number_guide(n: int) -> str:
    return rf"\[({'|'.join(map(str, range(1, n + 1)))})\]"


def _read(completion: Completion, lists: Sequence[str], n: int) -> Reading:
    """The content of the forms found in a reply, if they agree."""
    readings = {_valid_numbers(found, n) for found in lists}
    if len(readings) != 1:
        return _nothing_read(completion)
    (numbers,) = readings
    if numbers:
        return Reading("ok", numbers)
    return Reading("empty") if not any(_DIGITS.search(found) for found in lists) else _nothing_read(completion)


def _lists(form: _Form, text: str) -> list[str]:
    """The lists of all forms in a text, each in one line or wrapped over several."""
    blocks: list[list[str]] = []
    for line in filter(None, map(plain_line, text.split("\n"))):
        if blocks and _continues(form, blocks[-1], line):
            blocks[-1].append(line)
        else:
            blocks.append([line])
    return [match["list"] for match in map(form.whole.fullmatch, map(" ".join, blocks)) if match]


def _continues(form: _Form, before: Sequence[str], line: str) -> bool:
    """Whether a line may continue the lines before it. If that makes no form of them, none of them is read."""
    if form.label.match(line):
        return False
    if _OPEN.search(before[-1]) or form.label.fullmatch(before[-1]) or line[0] in ",>]":
        return True
    pieces = form.piece.fullmatch(before[-1]) and form.piece.fullmatch(line)
    return bool(pieces) and not (form.whole.fullmatch(line) and form.whole.fullmatch(" ".join(before)))


def plain_line(line: str) -> str:
    """A line without Markdown around its words, and with single spaces; blank if it opens or ends a code block."""
    if _FENCE.fullmatch(line):
        return ""
    line = _ESCAPE.sub("", line.translate(_OTHER_SIGNS).replace("&gt;", ">"))
    line = _BULLET.sub("", " ".join(line.split()).strip("#*_`$ "), count=1)
    return " ".join(_EMPHASIS.sub("", line).split())


def _valid_numbers(found: str, n: int) -> tuple[int, ...]:
    """Numbers from 1 to n, each once, in order of first appearance."""
    numbers = (int(digits) for digits in _DIGITS.findall(found))
    return tuple(dict.fromkeys(number for number in numbers if 1 <= number <= n))


def _nothing_read(completion: Completion) -> Reading:
    return Reading("truncated" if completion.finish_reason == "length" else "unparsable")
