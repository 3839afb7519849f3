"""The engine for servers of OpenAI's protocol: vLLM's, SGLang's, llama.cpp's, or a hosted one.

With a model folder (`annotators.*.model`) prompts are rendered and tokenised here and go to ``/completions`` as token
ids. Outside text cannot become structure, and a completion has the same key as with the other engines. The server must
run the same model and accept token ids as a prompt (vLLM, SGLang and llama.cpp do). The request states everything that
decides the reply, since servers have defaults of their own. Log-likelihoods use OpenAI's legacy protocol (``echo`` with
``logprobs``), which vLLM and SGLang have and llama.cpp has not.

Without a folder plain messages go to ``/chat/completions``, with the keys that every server knows. Settings can add
``top_k``; ``structured_outputs`` (vLLM's name); and ``chat_template_kwargs`` for a model that thinks first (vLLM,
SGLang, llama.cpp). The server decides precision, context length and the default of thinking. The limit of a reply is
sent as ``max_tokens``: every server obeys or refuses it (OpenAI's reasoning models refuse it), but some accept
``max_completion_tokens`` and ignore it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, Field, model_validator

from ..common.errors import InputError
from ..settings import Annotator, Performance, Sampling
from .chat_tokens import ChatTokenizer, Tokenised, annotator_fingerprint
from .protocol import Completion, Continuation, Failure, LogLikelihood, ReplyRequest, TooLong, scored
from .server import Question, Server

_PROMPTS_AT_A_TIME = 16
"""Prompts tokenised together: enough for the tokenizer's threads, few enough that no server waits."""

_NO_ROOM = re.compile(
    r"context[ _](length|size|window)|prompt is too long|reduce (the|your) (length|prompt|input)|`inputs`|"
    r"token count.* exceeds",
    re.IGNORECASE,
)
"""What servers say, beside the status, if a prompt exceeds their context."""
_NUMBER = re.compile(r"\b\d{1,3}(?:,\d{3})+\b|\b\d{2,}\b")
_UNKNOWN_SHARE = 0.66
_LEAST_LOG_PROBABILITY = -9999.0
"""Minus infinity in vLLM's JSON."""

_STRUCTURE = """
    <| |> [| |] <\uff5c \uff5c>
    <s> </s> <bos> <eos> <pad> <unk> <mask> <BOS_TOKEN> <EOS_TOKEN> <PAD> <UNK>
    <<SYS>> <</SYS>> [INST] [/INST] [SYSTEM_PROMPT] [/SYSTEM_PROMPT] [MODEL_SETTINGS] [/MODEL_SETTINGS]
    [PREFIX] [MIDDLE] [SUFFIX] [IMG] [IMG_BREAK] [IMG_END] [AUDIO]
    <start_of_turn> <end_of_turn> <start_of_image> <end_of_image> <image_soft_token> <extra_id_ <SPECIAL_
    <role> </role> [gMASK] [sMASK] <sop> <eop> ]~b] ]~!b[ [e~[
    [AVAILABLE_TOOLS] [/AVAILABLE_TOOLS] [TOOL_CALLS] [TOOL_RESULTS] [/TOOL_RESULTS] [TOOL_CONTENT] [ARGS] [CALL_ID]
    <tools> </tools> <tool_call> </tool_call> <tool_response> </tool_response> <function_call> </function_call>
    <think> </think> [THINK] [/THINK] <seed: </seed: \u25c1think\u25b7 \u25c1/think\u25b7
"""
_FAMILIES = {
    "MiniMax-Text": "<begin_of_document> <beginning_of_sentence> <end_of_sentence>",
    "LongCat": "<longcat_ </longcat_ [Round USER: ASSISTANT:",
    "Baichuan": "<reserved_",
    "InternLM 1": "<eoh> <eoa> <eosys> <TOKENS_UNUSED_",
}
"""Further models, as their makers describe them: MiniMax-Text's function call guide (MiniMaxAI/MiniMax-Text-01), the
card of meituan-longcat/LongCat-Flash-Chat, generation_utils.py of baichuan-inc/Baichuan2-13B-Chat, and
modeling_internlm.py of internlm/internlm-chat-7b. Kimi's (chat_template.jinja of moonshotai/Kimi-K2-Instruct) and
InternLM 2's are of the form ``<|…|>``."""
STRUCTURE = frozenset(" ".join((_STRUCTURE, *_FAMILIES.values())).split())
"""Strings that models read as structure, for a server whose tokenizer is unknown.

The first line has the beginnings and ends of the special tokens of whole families: ``<|…|>`` of ChatML, Llama 3 and 4,
Phi, Qwen, GLM, Granite, Command and Harmony, ``<|…>`` of Gemma 4, ``[|…|]`` of EXAONE, and DeepSeek's with full-width
bars. The others are common to many models, or belong to Llama 2 and Mistral, Gemma, Nemotron, Ling, GLM and MiniMax, to
tools and to thinking.
"""


class OpenAIEngine:
    """Serves requests through a server, several at a time.

    Tokens are counted here if the tokenizer is known; else they come from the server's ``usage``, or are 0 without it.

    Args:
        folder: a prepared model folder, which gives tokenizer and chat template; None for plain messages.
        annotator: its ``served_model_name``, ``thinking`` and ``max_model_len``.
        performance: the server's URL, and how to ask it.

    Raises:
        InputError: a setting that needs a folder without one, no URL, or a tokenizer that serves no chat.
    """

    def __init__(self, folder: Path | str | None, annotator: Annotator, performance: Performance) -> None:
        self._server = Server(*performance.annotate.server_of(annotator.served_model_name))
        self._way = _Messages(annotator) if folder is None else _TokenIds(folder, annotator)
        self.fingerprint = self._way.fingerprint
        self.special_tokens = self._way.special_tokens

    def generate(self, requests: Sequence[ReplyRequest]) -> Iterator[tuple[int, Completion | Failure]]:
        """See :class:`~.protocol.Engine`.

        Raises:
            InputError: the server cannot be reached, refuses the key, the URL or the model, or takes no token ids.
        """
        return self._server.ask(self._way.questions(requests))

    def log_likelihood(self, requests: Sequence[Continuation]) -> Iterator[tuple[int, LogLikelihood | Failure]]:
        """See :class:`~.protocol.Engine`.

        Raises:
            InputError: as above; the server gives no log-likelihoods of a prompt; or there is no model folder.
        """
        return self._server.ask(self._way.questions(requests))


_Natural = Annotated[int, Field(ge=0, lt=2**31)]


class _Usage(BaseModel):
    prompt_tokens: _Natural | None = None
    completion_tokens: _Natural | None = None
    total_tokens: _Natural | None = None

    @property
    def generated(self) -> int | None:
        """Tokens generated. ``completion_tokens`` may leave out a thought, the total does not."""
        if self.total_tokens is None or self.prompt_tokens is None:
            return self.completion_tokens
        return max(self.total_tokens - self.prompt_tokens, 0)


class _LogProbabilities(BaseModel):
    token_logprobs: list[float | None]


class _TextChoice(BaseModel):
    index: int = 0
    text: str
    finish_reason: str
    token_ids: list[_Natural] | None = None
    logprobs: _LogProbabilities | None = None


class _TextAnswer(BaseModel):
    choices: list[_TextChoice] = Field(min_length=1)
    usage: _Usage | None = None


_Choice = TypeVar("_Choice", "_TextChoice", "_ChatChoice")


class _Reply(BaseModel):
    content: str | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None

    @model_validator(mode="after")
    def _says_something(self) -> _Reply:
        if self.content is None and self.thought is None:
            raise ValueError("neither content nor reasoning")
        return self

    @property
    def thought(self) -> str | None:
        return self.reasoning_content or self.reasoning


class _ChatChoice(BaseModel):
    index: int = 0
    message: _Reply
    finish_reason: str


class _ChatAnswer(BaseModel):
    choices: list[_ChatChoice] = Field(min_length=1)
    usage: _Usage | None = None


class _TokenIds:
    """Prompts as token ids, to ``/completions``."""

    def __init__(self, folder: Path | str, annotator: Annotator) -> None:
        self.fingerprint = annotator_fingerprint(folder, annotator)
        self._tokens = ChatTokenizer(folder, annotator)
        self.special_tokens = self._tokens.special_tokens
        self._model = annotator.served_model_name

    def questions(self, requests: Sequence[Any]) -> Iterator[tuple[int, Question[Any] | Failure]]:
        for asked in self._tokens.tokenised(requests, _PROMPTS_AT_A_TIME):
            if isinstance(asked, tuple):
                yield asked
            elif isinstance(asked.request, Continuation):
                yield asked.index, self._likelihood(asked)
            else:
                yield asked.index, self._reply(asked.request, asked.ids)

    def _reply(self, request: ReplyRequest, prompt: list[int]) -> Question[Completion]:
        sampling = request.sampling
        body: dict[str, Any] = {
            "model": self._model,
            "prompt": prompt,
            "max_tokens": sampling.max_new_tokens,
            **_decoding(sampling),
            "repetition_penalty": 1.0,
            "stop_token_ids": self._tokens.stop_ids,
            "skip_special_tokens": False,
            "return_token_ids": True,
        }
        if sampling.temperature > 0:
            body |= {"top_k": sampling.top_k or -1, "min_p": 0.0}
        return Question(
            "completions",
            body | _guidance(request),
            partial(self._read_reply, prompt=prompt, limit=sampling.max_new_tokens),
            partial(_refused, new_tokens=sampling.max_new_tokens),
        )

    def _likelihood(self, asked: Tokenised) -> Question[LogLikelihood]:
        body = {"model": self._model, "prompt": asked.ids, "max_tokens": 1, "temperature": 0.0}
        return Question(
            "completions",
            body | {"echo": True, "logprobs": 1},
            partial(self._read_likelihood, asked=asked),
            partial(_refused, new_tokens=1),
        )

    def _read_reply(self, content: bytes, *, prompt: list[int], limit: int) -> Completion | Failure:
        answer = _TextAnswer.model_validate_json(content)
        choice, usage = _first(answer.choices), answer.usage or _Usage()
        _check_prompt(usage, len(prompt))
        if choice.token_ids is not None:
            completion = self._tokens.completion(prompt, choice.token_ids)
            return _finished(completion, choice.finish_reason, limit, len(choice.token_ids))
        generated = usage.generated
        counted = len(self._tokens.tokenizer(choice.text, add_special_tokens=False)["input_ids"])
        completion = Completion(choice.text, "stop", len(prompt), counted if generated is None else generated)
        return _finished(completion, choice.finish_reason, limit, generated)

    def _read_likelihood(self, content: bytes, *, asked: Tokenised) -> LogLikelihood | Failure:
        answer = _TextAnswer.model_validate_json(content)
        logprobs = _first(answer.choices).logprobs
        own = logprobs.token_logprobs[asked.context : len(asked.ids)] if logprobs else []
        found = [value for value in own if value is not None]
        if len(found) != len(asked.ids) - asked.context:
            raise InputError(
                "the server gives no log-likelihoods of a prompt (`echo` with `logprobs`).",
                hint="for likelihoods use a server that gives them, such as vLLM's, or another engine.",
            )
        _check_prompt(answer.usage or _Usage(), len(asked.ids))
        return scored(
            math.fsum(value if value > _LEAST_LOG_PROBABILITY else -math.inf for value in found),
            len(found),
            asked.context,
        )


class _Messages:
    """Chats as they are, to ``/chat/completions``."""

    special_tokens = STRUCTURE

    def __init__(self, annotator: Annotator) -> None:
        if annotator.max_model_len is not None:
            raise InputError(
                "`annotators.*.max_model_len` counts tokens, but this annotator names no tokenizer.",
                hint="give the annotator a `model`, or leave `max_model_len` to the server's own limit.",
            )
        self.fingerprint = f"openai/{annotator.served_model_name}/{'thinking' if annotator.thinking else 'plain'}"
        self._model, self._thinking = annotator.served_model_name, annotator.thinking

    def questions(self, requests: Sequence[Any]) -> Iterator[tuple[int, Question[Any] | Failure]]:
        if any(isinstance(request, Continuation) for request in requests):
            raise InputError(
                "log-likelihoods need a tokenizer, but the annotator names none.",
                hint="set `annotators.*.model` to the model that the server runs.",
            )
        return ((number, self._reply(request)) for number, request in enumerate(requests))

    def _reply(self, request: ReplyRequest) -> Question[Completion]:
        sampling = request.sampling
        body: dict[str, Any] = {
            "model": self._model,
            "messages": [{"role": message.role, "content": message.content} for message in request.chat],
            "max_tokens": sampling.max_new_tokens,
            **_decoding(sampling),
        }
        if sampling.temperature > 0 and sampling.top_k:
            body["top_k"] = sampling.top_k
        if self._thinking:
            body["chat_template_kwargs"] = {"enable_thinking": True}
        return Question(
            "chat/completions",
            body | _guidance(request),
            partial(self._read_reply, limit=sampling.max_new_tokens),
            partial(_refused, new_tokens=sampling.max_new_tokens),
        )

    def _read_reply(self, content: bytes, *, limit: int) -> Completion | Failure:
        answer = _ChatAnswer.model_validate_json(content)
        choice, usage = _first(answer.choices), answer.usage or _Usage()
        thought, text = choice.message.thought, choice.message.content or ""
        if thought:  # the server took it out of the reply; if the reply was cut off within it, nothing follows
            end = "" if choice.finish_reason == "length" and not text else "</think>"
            text = f"<think>{thought}{end}{text}"
        completion = Completion(text, "stop", usage.prompt_tokens or 0, usage.generated or 0)
        return _finished(completion, choice.finish_reason, limit, usage.generated)


def _first(choices: list[_Choice]) -> _Choice:
    """The choice of the lowest index; only one is asked for."""
    return min(choices, key=lambda choice: choice.index)


def _decoding(sampling: Sampling) -> dict[str, Any]:
    """Greedy decoding has no top-p and no seed."""
    if sampling.temperature == 0:
        return {"temperature": 0.0}
    return {"temperature": sampling.temperature, "top_p": sampling.top_p, "seed": sampling.seed}


def _guidance(request: ReplyRequest) -> dict[str, Any]:
    return {} if request.guide is None else {"structured_outputs": {"regex": request.guide}}


def _finished(completion: Completion, finish_reason: str, limit: int, generated: int | None) -> Completion | Failure:
    """A reply with its finish reason, checked by the number of generated tokens that the server states.

    A server may lower the limit to the room in its context (vLLM's does) instead of refusing the request. A reply cut
    off by that counts as too long, not as truncated.
    """
    if finish_reason == "stop":
        return replace(completion, finish_reason="stop")
    if finish_reason != "length":
        return Failure(f"the server ended the reply with the reason {finish_reason!r}")
    read = completion.prompt_tokens
    if generated and generated < limit and read:
        reason = f"{read} prompt tokens leave the server room for {generated} of {limit} new ones"
        return TooLong(reason, max(read + generated - limit, 0) / read)
    return replace(completion, finish_reason="length")


def _check_prompt(usage: _Usage, sent: int) -> None:
    if usage.prompt_tokens is not None and usage.prompt_tokens != sent:
        raise InputError(
            f"the server read {usage.prompt_tokens} prompt tokens where {sent} were sent: it takes no token ids.",
            hint="use a server that does, such as vLLM's, or leave out `annotators.*.model` to send plain messages.",
        )


def _refused(status: int, words: str, *, new_tokens: int) -> Failure:
    """A refusal of one request: too long if the server says so, with the room that its message states."""
    if status != 413 and not _NO_ROOM.search(words):
        return Failure(f"the server answers {status}: {words}")
    numbers = sorted({int(number.replace(",", "")) for number in _NUMBER.findall(words)})
    share = _UNKNOWN_SHARE
    if len(numbers) >= 2 and "at least" not in words:  # the two largest: what is needed, and the limit below it
        share = max(numbers[-2] - new_tokens, 0) / numbers[-1]
    return TooLong(f"the server answers {status}: {words}", share)
