"""A model's chat template: chats as text, and the strings that open and close turns in it.

A template is somebody else's program in a sandbox. It can refuse a chat, fail, or run without end; each becomes an
error that names the model.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from threading import Thread
from typing import Any

from ..common.errors import InputError
from .protocol import Chat, Message, Role

_SECONDS = 20
"""What a first, short chat may take; it takes milliseconds."""
_DATE = {
    **{"%d": "26", "%-d": "26", "%e": "26", "%m": "07", "%-m": "7", "%y": "24", "%Y": "2024", "%j": "208"},
    **{"%b": "Jul", "%B": "July", "%a": "Fri", "%A": "Friday", "%F": "2024-07-26"},
    **{"%H": "00", "%M": "00", "%S": "00", "%I": "12", "%p": "AM", "%T": "00:00:00", "%z": "+0000", "%Z": "UTC"},
}
"""The date that a template gets, so that a prompt is the same on every day. Llama's templates have it where none is
given."""
_CLOCK = "strftime_now"
_FIXED_CLOCK = "".join(
    (
        f"{{%- macro {_CLOCK}(format) -%}}{{{{ format",
        *(f"|replace('{code}', '{value}')" for code, value in _DATE.items()),
        " }}{%- endmacro %}{{ '' }}",
    )
)
_TURNS = tuple(f"outside{number}text" for number in range(4))
_ROLES: tuple[Role, ...] = ("system", "user", "assistant", "user")
_TRIAL = tuple(Message(role, text) for role, text in zip(_ROLES, _TURNS, strict=True))
_BRACKETED = re.compile(r"<+[^<>\s]*>+|\[+[^\[\]\s]*\]+")


class ChatTemplate:
    """The chat template of a tokenizer.

    A template that knows no system role gets the system's text at the beginning of the first user turn.

    Args:
        tokenizer: has a chat template.
        folder: the model's folder, for messages.
        thinking: whether the model is to think (ignored by a template without it).

    Raises:
        InputError: the template is no valid one, refuses even a single question, or does not end.
    """

    def __init__(self, tokenizer: Any, folder: Path, *, thinking: bool) -> None:
        self._tokenizer, self._folder, self._thinking = tokenizer, folder, thinking
        self._source, self._merges_system = "", False
        trial = Thread(target=self._try, daemon=True)
        self._trial = ""
        self._failure: InputError | None = None
        trial.start()
        trial.join(_SECONDS)
        if trial.is_alive():
            raise InputError(
                f"the model's chat template has not ended after {_SECONDS} seconds.",
                hint="take the model's original chat template.",
                path=folder,
            )
        if self._failure is not None:
            raise self._failure

    def texts(self, chats: Iterable[Chat]) -> list[str]:
        """Chats as text, up to where the assistant's next turn begins.

        Raises:
            InputError: the template refuses a chat, or fails.
        """
        return [self._text(self._merged(chat) if self._merges_system else chat) for chat in chats]

    def markers(self, tokens: Iterable[str]) -> frozenset[str]:
        """What stands between the turns of a chat, beside these tokens: ``[INST]`` or ``USER:``, say.

        A bracketed word is a marker, and so is the rest of its line if it has punctuation, such as ``### Response:``.
        A bare word is none: ``user`` is structure in a line of its own only, and outside text has no lines.
        """
        longest_first = sorted(filter(str.strip, tokens), key=len, reverse=True)
        known = re.compile("|".join(map(re.escape, (*_TURNS, *longest_first))))
        found: set[str] = set()
        for line in known.sub("\n", self._trial).splitlines():
            rest = " ".join(_BRACKETED.sub(" ", line).split())
            found.update(_BRACKETED.findall(line), [rest] if re.search(r"[^\w\s]", rest) else [])
        return frozenset(marker for marker in found if any(map(str.isalpha, marker)))

    def _try(self) -> None:
        try:
            self._source = self._without_clock()
            self._text(_TRIAL[1:2])
            try:
                self._merges_system = _TURNS[0] not in self._text(_TRIAL[:2])
            except InputError:
                self._merges_system = True
            try:
                (self._trial,) = self.texts([_TRIAL])
            except InputError:  # it knows no turn of the assistant
                (self._trial,) = self.texts([_TRIAL[:2]])
        except InputError as error:
            self._failure = error

    def _text(self, chat: Chat) -> str:
        try:
            return str(
                self._tokenizer.apply_chat_template(
                    [{"role": message.role, "content": message.content} for message in chat],
                    chat_template=self._source,
                    tokenize=False,
                    add_generation_prompt=True,
                    enable_thinking=self._thinking,
                )
            )
        except Exception as error:  # whatever the template's program does
            raise self._refusal(error) from None

    def _without_clock(self) -> str:
        try:
            source = str(self._tokenizer.get_chat_template())
        except Exception as error:
            raise self._refusal(error) from None
        return _FIXED_CLOCK + source if _CLOCK in source else source

    def _refusal(self, error: Exception) -> InputError:
        words = " ".join(str(error).split()) or type(error).__name__
        return InputError(
            f"the model's chat template refuses the prompt ({words}).",
            hint="give the prompt template the roles that this model knows, or correct its chat_template.jinja.",
            path=self._folder,
        )

    @staticmethod
    def _merged(chat: Chat) -> Chat:
        if [message.role for message in chat[:2]] != ["system", "user"]:
            return chat
        return (Message("user", f"{chat[0].content}\n\n{chat[1].content}"), *chat[2:])
