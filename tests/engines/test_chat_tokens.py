"""Chats as token ids: limits, ends of turns, and tokenizers that lack something."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from utility_annotation.common.errors import InputError
from utility_annotation.engines.chat_tokens import ChatTokenizer
from utility_annotation.engines.protocol import Message, ReplyRequest, TooLong
from utility_annotation.engines.transformers_engine import TransformersEngine
from utility_annotation.settings import Annotator, Performance, Sampling

CHAT = (Message("user", "hello"),)


@pytest.fixture
def altered(tiny_model: Path, tmp_path: Path) -> Callable[..., Path]:
    """A copy of the tiny model with other settings in one of its JSON files; None removes a setting."""

    def alter(name: str, **settings: object) -> Path:
        folder = tmp_path / "altered"
        if not folder.exists():
            shutil.copytree(tiny_model, folder)
        path = folder / name
        values = json.loads(path.read_text()) | settings
        path.write_text(json.dumps({key: value for key, value in values.items() if value is not None}))
        return folder

    return alter


def test_tokenizer_without_a_pad_token_serves_all_the_same(
    altered: Callable[..., Path], tiny_model: Path, annotator: Annotator
) -> None:
    folder = altered("tokenizer_config.json", pad_token=None)
    altered("generation_config.json", pad_token_id=None)
    assert ChatTokenizer(folder, annotator).tokenizer.pad_token is None
    requests = [ReplyRequest((Message("user", text),), Sampling(max_new_tokens=4)) for text in ("one", "two " * 9)]
    without, with_one = (
        dict(TransformersEngine(model, annotator, Performance()).generate(requests)) for model in (folder, tiny_model)
    )
    assert without == with_one


def test_model_that_does_not_say_how_a_turn_ends_is_refused(altered: Callable[..., Path], annotator: Annotator) -> None:
    folder = altered("tokenizer_config.json", eos_token=None)
    altered("generation_config.json", eos_token_id=None)
    with pytest.raises(InputError, match=r"which token ends a turn.*generation_config\.json"):
        ChatTokenizer(folder, annotator)


def test_room_is_the_least_of_the_model_s_limits_and_the_user_s(
    altered: Callable[..., Path], tiny_model: Path, annotator: Annotator
) -> None:
    assert ChatTokenizer(tiny_model, annotator).max_tokens == 1024
    assert ChatTokenizer(tiny_model, annotator.model_copy(update={"max_model_len": 100})).max_tokens == 100
    assert ChatTokenizer(tiny_model, annotator.model_copy(update={"max_model_len": 5000})).max_tokens == 1024
    assert ChatTokenizer(altered("tokenizer_config.json", model_max_length=64), annotator).max_tokens == 64


def test_prompts_without_room_say_how_much_of_them_there_is_room_for(tiny_model: Path, annotator: Annotator) -> None:
    tokens = ChatTokenizer(tiny_model, annotator.model_copy(update={"max_model_len": 100}))
    requests = [
        ReplyRequest((Message("user", text),), Sampling(max_new_tokens=20)) for text in ("hello", "hello " * 99)
    ]
    served, failed = tokens.tokenised(requests, 2)
    length = len(tokens.prompts([requests[1].chat])[0])
    assert (served.index, served.ids) == (0, tokens.prompts([requests[0].chat])[0])
    assert failed == (1, TooLong(f"{length} prompt tokens, but the model has room for 80", 80 / length))


def test_reply_ends_with_the_turn_and_says_so(tiny_model: Path, annotator: Annotator) -> None:
    tokens = ChatTokenizer(tiny_model, annotator)
    word = tokens.tokenizer("hello", add_special_tokens=False)["input_ids"]
    (stop,) = tokens.stop_ids
    ended, cut_off = tokens.completion([0, 0], [*word, stop]), tokens.completion([0, 0], word)
    assert (ended.text, ended.finish_reason, ended.prompt_tokens) == ("hello", "stop", 2)
    assert (cut_off.text, cut_off.finish_reason) == ("hello", "length")
    assert ended.completion_tokens == cut_off.completion_tokens + 1 == len(word) + 1


@pytest.mark.parametrize(
    "end", ["<think>\\n", "<think>", "[THINK]", "<seed:think>", "\u25c1think\u25b7", "<|START_THINKING|>"]
)
def test_template_that_opens_a_thought_is_refused_where_the_model_is_not_to_think(
    altered: Callable[..., Path], annotator: Annotator, end: str
) -> None:
    """Else a thought that is cut off would be read as the reply."""
    folder = altered("generation_config.json")
    (folder / "chat_template.jinja").write_text(f"{{{{ 'say </think> when <think> is over' + '{end}' }}}}")
    with pytest.raises(InputError, match=rf"{folder}: this model always thinks.*`annotators\.\*\.thinking` to true"):
        ChatTokenizer(folder, annotator)
    ChatTokenizer(folder, annotator.model_copy(update={"thinking": True}))


def test_template_that_opens_and_ends_a_thought_is_taken(altered: Callable[..., Path], annotator: Annotator) -> None:
    folder = altered("generation_config.json")
    (folder / "chat_template.jinja").write_text("{{ 'hello <think>\\n\\n</think>\\n\\n' }}")
    assert ChatTokenizer(folder, annotator).prompts([CHAT])


def test_thinking_reaches_a_template_that_knows_it(altered: Callable[..., Path], annotator: Annotator) -> None:
    folder = altered("generation_config.json")
    (folder / "chat_template.jinja").write_text("{{ 'deep' if enable_thinking else 'quick' }}")
    texts = []
    for thinking in (True, False):
        tokens = ChatTokenizer(folder, annotator.model_copy(update={"thinking": thinking}))
        texts.append(tokens.tokenizer.decode(tokens.prompts([CHAT])[0]))
    assert texts == ["deep", "quick"]
