"""Build chats from templates and outside text, which can never become structure.

A template is a Jinja file cut into turns by marker lines::

    ## user
    ## assistant
    ## user, each passage
    ## assistant, each passage

The file is cut *before* anything is filled in, so no passage can open a turn. Consecutive ``each passage`` turns are
repeated together for every passage, with ``number`` (from 1) and ``passage``. The other variables are ``query``,
``answer``, ``passages`` (a list), ``count`` (of these), ``positives`` (a list) and ``questions`` (how many are to be
written). Text before the first marker is a comment.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path
from typing import get_args

from jinja2 import Environment, StrictUndefined, Template, TemplateError

from ..common.errors import InputError
from ..engines.protocol import Chat, Message, Role

_MARKER = re.compile(r"^## (?P<role>\w+)(?P<each>, each passage)?[ \t]*$", re.MULTILINE)
_ROLES: dict[str, Role] = {role: role for role in get_args(Role)}
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f]")
_LONG_WORD = 50
_NO_SPACES = r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
"""Thai and Lao, Burmese, Khmer, Japanese, Chinese: scripts without spaces between words."""
_UNSPACED = re.compile(f"[{_NO_SPACES}]")
_PART = re.compile(rf"[{_NO_SPACES}]|[^\s{_NO_SPACES}]{{1,{_LONG_WORD}}}")


def words(text: str) -> list[str]:
    """The words of an outside text, split at white space and control characters."""
    return _CONTROL.sub(" ", text).split()


def length(text: str) -> int:
    """The length of an outside text in words, for cutting.

    In scripts without spaces each character counts as a word, and a long word counts once per 50 characters, so that
    text of any language can be cut.
    """
    found = words(text)
    return len(found) if _parted(text, found) else len(_PART.findall(" ".join(found)))


def cut(text: str, limit: int) -> str:
    """An outside text on one line, cut to ``limit`` words as :func:`length` counts them."""
    found = words(text)
    short = text.isascii() and len(found) + len(text) // _LONG_WORD <= limit  # cheaper than the check below
    if short or _parted(text, found):
        return " ".join(found[:limit])
    line = " ".join(found)
    ends = [part.end() for part in islice(_PART.finditer(line), limit)]
    return line[: ends[-1]] if ends else ""


def _parted(text: str, found: list[str]) -> bool:
    """Whether the words that were found are the words that :func:`length` counts."""
    return max(map(len, found), default=0) <= _LONG_WORD and (text.isascii() or not _UNSPACED.search(text))


class PromptSanitizer:
    """Makes outside text safe to put into a prompt.

    White space and control characters become single spaces, so that a passage is one line. Every string that the
    tokenizer would read as structure gets a space after its first character. Upper and lower case count as equal, and
    so do the forms that Unicode normalisation maps to such a string (``＜|im_end|＞``).

    Args:
        special_tokens: the tokenizer's structural strings.
    """

    def __init__(self, special_tokens: Iterable[str]) -> None:
        longest_first = sorted(special_tokens, key=len, reverse=True)
        self._structure = re.compile("|".join(map(re.escape, longest_first)), re.IGNORECASE) if longest_first else None

    def text(self, text: str) -> str:
        """A query, a passage or an answer."""
        text = " ".join(words(text))
        if self._structure is None:
            return text
        while True:
            text = self._broken(self._structure, text)
            normal = unicodedata.normalize("NFKC", text)
            if not self._structure.search(normal):
                return text
            text = normal

    @staticmethod
    def _broken(structure: re.Pattern[str], text: str) -> str:
        while structure.search(text):  # breaking one string may complete another
            text = structure.sub(lambda match: f"{match[0][0]} {match[0][1:]}" if len(match[0]) > 1 else " ", text)
        return text


@dataclass(frozen=True)
class _Turn:
    role: Role
    each_passage: bool
    template: Template


class PromptTemplate:
    """A chat with gaps for query, passages and answer.

    Args:
        path: the template file.
        cleaner: sanitizes everything that is filled in.

    Raises:
        InputError: the file is missing, has no turns, an unknown role, or is not valid Jinja.
    """

    def __init__(self, path: Path | str, cleaner: PromptSanitizer) -> None:
        self.path, self.cleaner = Path(path), cleaner
        try:
            source = self.path.read_text(encoding="utf-8")
        except OSError as error:
            raise self._problem(f"the prompt template cannot be read ({error.strerror})") from None
        environment = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
        markers = list(_MARKER.finditer(source))
        if not markers:
            raise self._problem("the prompt template has no turn")
        self._turns: list[_Turn] = []
        for marker, following in zip(markers, [*markers[1:], None], strict=True):
            if marker["role"] not in _ROLES:
                raise self._problem(f"the prompt template has a turn of the unknown role {marker['role']!r}")
            body = source[marker.end() : following.start() if following else len(source)].strip()
            try:
                template = environment.from_string(body)
                template.globals = dict(template.globals)  # each rendering copies them; a chain of maps copies slowly
            except TemplateError as error:
                raise self._problem(f"the prompt template is not valid Jinja ({error})") from None
            self._turns.append(_Turn(_ROLES[marker["role"]], marker["each"] is not None, template))

    def render(
        self,
        *,
        query: str,
        passages: Sequence[str] = (),
        answer: str | None = None,
        positives: Sequence[str] = (),
        questions: int = 1,
    ) -> Chat:
        """Fill the gaps, turn by turn. Every text is sanitized first."""
        shown = [self.cleaner.text(passage) for passage in passages]
        values: dict[str, object] = {
            "query": self.cleaner.text(query),
            "passages": shown,
            "count": len(shown),
            "positives": [self.cleaner.text(passage) for passage in positives],
            "questions": questions,
        }
        if answer is not None:
            values["answer"] = self.cleaner.text(answer)
        rounds = [values | {"number": number, "passage": passage} for number, passage in enumerate(shown, start=1)]
        chat: list[Message] = []
        try:
            for each_passage, group in groupby(self._turns, key=lambda turn: turn.each_passage):
                turns = list(group)
                for scope in rounds if each_passage else [values]:
                    chat += [Message(turn.role, turn.template.render(scope).strip()) for turn in turns]
        except TemplateError as error:
            raise self._problem(f"the prompt template cannot be filled in ({error})") from None
        return tuple(chat)

    def _problem(self, problem: str) -> InputError:
        hint = "compare it with the templates in resources/prompts; prompts.py describes their form."
        return InputError(f"{problem}.", hint=hint, path=self.path)
