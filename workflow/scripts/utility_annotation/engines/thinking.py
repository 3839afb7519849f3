"""What reasoning models think before they reply, by the marks that their chat templates put around it."""

from __future__ import annotations

import re

_TAG = r"(?:\w+:)?(?:think(?:ing)?|thought|reasoning)(?::\w+)?"
_THINKING = {
    f"<{_TAG}>": f"</{_TAG}>",
    r"\[THINK\]": r"\[/THINK\]",
    "\u25c1think\u25b7": "\u25c1/think\u25b7",
    r"<\|START_THINKING\|>": r"<\|END_THINKING\|>",
    r"<\|channel>thought": r"<channel\|>",
    r"<\|channel\|>analysis<\|message\|>": r"<\|channel\|>final<\|message\|>",
}
"""What opens and ends a thought: most models' (Seed's, MiniMax's and Hunyuan's have a name in it; some chat models
write another word); Mistral's; Kimi's; Cohere's; the channels of Gemma and of gpt-oss. Regular expressions."""
_START_OF_THINKING = re.compile("|".join(_THINKING))
_END_OF_THINKING = re.compile("|".join(_THINKING.values()))
_OPEN_AT_THE_END = re.compile(rf"(?:{_START_OF_THINKING.pattern})\s*\Z")


def after_thinking(text: str, *, thinking: bool) -> str | None:
    """The part of a reply that counts: what follows the last end of a thought (``</think>``, say).

    Args:
        text: the whole reply.
        thinking: whether the model was asked to think; then a reply in which no thought ends is all thought.

    Returns:
        The part after the thinking, stripped, or None where the thinking never ended.
    """
    ends = [end.end() for end in _END_OF_THINKING.finditer(text)]
    rest = text[ends[-1] :] if ends else text
    if (thinking and not ends) or _START_OF_THINKING.search(rest):
        return None
    return rest.strip()


def begins_to_think(prompt: str) -> bool:
    """Whether a prompt opens a thought at its end, so that the reply begins in one."""
    return _OPEN_AT_THE_END.search(prompt) is not None
