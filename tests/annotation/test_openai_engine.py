"""The OpenAI engine against a server that misbehaves on purpose, and against vLLM's own."""

from __future__ import annotations

import logging
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import annotate_relsel
import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted_server import Answer, Received, ScriptedServer, chat_answer, text_answer

from utility_annotation.annotation import server
from utility_annotation.annotation.chat_tokens import ChatTokenizer
from utility_annotation.annotation.engines import open_engine
from utility_annotation.annotation.openai_engine import STRUCTURE, OpenAIEngine
from utility_annotation.annotation.prompts import Cleaner
from utility_annotation.annotation.protocol import (
    Completion,
    Continuation,
    Failure,
    LogLikelihood,
    Message,
    ReplyRequest,
    TooLong,
)
from utility_annotation.annotation.replies import after_thinking
from utility_annotation.annotation.transformers_engine import TransformersEngine
from utility_annotation.configuration import (
    Annotator,
    EnginePerformance,
    Performance,
    Sampling,
    ServerPerformance,
    canonical,
    stage_settings,
)
from utility_annotation.contracts import ANNOTATION, POOL
from utility_annotation.errors import InputError

KEY = "sk-test-0123456789"
GREEDY = Sampling(max_new_tokens=8)
SAMPLED = Sampling(temperature=0.7, top_p=0.9, max_new_tokens=8, seed=5)
HOSTED = Annotator(engine="openai", served_model="served")
LOCAL = Annotator(engine="openai", served_model="served", model="tiny", precision="fp32")


@pytest.fixture(autouse=True)
def _quick_and_without_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_FIRST_PAUSE", 0.02)
    for name in ("OPENAI_API_KEY", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


def performance(url: str, **settings: object) -> Performance:
    values = {"url": url, "concurrency": 4, "timeout": 20, "attempts": 3} | settings
    return Performance(annotate=EnginePerformance(server=ServerPerformance.model_validate(values)))


def hosted(url: str, annotator: Annotator = HOSTED, **settings: object) -> OpenAIEngine:
    return OpenAIEngine(None, annotator, performance(url, **settings))


def chat(text: str) -> tuple[Message, ...]:
    return (Message("user", text),)


def asked(*texts: str, sampling: Sampling = GREEDY, guide: str | None = None) -> list[ReplyRequest]:
    return [ReplyRequest(chat(text), sampling, guide) for text in texts]


def collected(results) -> list:
    return [result for _, result in sorted(results, key=lambda pair: pair[0])]


def said(received: Received) -> str:
    return received.body["messages"][-1]["content"]


def on_first_try(fault: Answer):
    """A script: the fault at each request's first try, a reply at its second."""
    return lambda received: fault if received.tries == 1 else chat_answer()


GOOD = Completion("My selection:[[1]]", "stop", 0, 0)


# What is sent


def test_chat_request_says_no_more_than_every_server_knows() -> None:
    request = ReplyRequest((Message("system", "s"), Message("user", "u"), Message("assistant", "a")), GREEDY)
    with ScriptedServer(lambda received: chat_answer()) as scripted:
        assert collected(hosted(scripted.url).generate([request])) == [GOOD]
    (received,) = scripted.received
    assert received.path == "/v1/chat/completions"
    assert received.body == {
        "model": "served",
        "messages": [
            {"role": "system", "content": "s"},
            {"role": "user", "content": "u"},
            {"role": "assistant", "content": "a"},
        ],
        "max_tokens": 8,
        "temperature": 0.0,
    }


@pytest.mark.parametrize(
    ("sampling", "guide", "thinking", "more"),
    [
        (SAMPLED, None, False, {"temperature": 0.7, "top_p": 0.9, "seed": 5}),
        (
            SAMPLED.model_copy(update={"top_k": 20}),
            None,
            False,
            {"temperature": 0.7, "top_p": 0.9, "seed": 5, "top_k": 20},
        ),
        (GREEDY, "a|b", False, {"temperature": 0.0, "structured_outputs": {"regex": "a|b"}}),
        (GREEDY, None, True, {"temperature": 0.0, "chat_template_kwargs": {"enable_thinking": True}}),
    ],
)
def test_chat_request_states_the_settings_that_ask_for_more(
    sampling: Sampling, guide: str | None, thinking: bool, more: dict[str, object]
) -> None:
    with ScriptedServer(lambda received: chat_answer()) as scripted:
        engine = hosted(scripted.url, HOSTED.model_copy(update={"thinking": thinking}))
        list(engine.generate(asked("q", sampling=sampling, guide=guide)))
    body = scripted.received[0].body
    assert {name: body[name] for name in body.keys() - {"model", "messages", "max_tokens"}} == more


@pytest.mark.parametrize(
    ("sampling", "more"),
    [
        (GREEDY, {"temperature": 0.0}),
        (SAMPLED, {"temperature": 0.7, "top_p": 0.9, "seed": 5, "top_k": -1, "min_p": 0.0}),
        (
            SAMPLED.model_copy(update={"top_k": 20}),
            {"temperature": 0.7, "top_p": 0.9, "seed": 5, "top_k": 20, "min_p": 0.0},
        ),
    ],
)
def test_request_of_token_ids_leaves_nothing_to_the_server_s_defaults(
    tiny_model: Path, sampling: Sampling, more: dict[str, object]
) -> None:
    tokens = ChatTokenizer(tiny_model, LOCAL)
    with ScriptedServer(lambda received: text_answer()) as scripted:
        list(OpenAIEngine(tiny_model, LOCAL, performance(scripted.url)).generate(asked("q", sampling=sampling)))
    (received,) = scripted.received
    assert received.path == "/v1/completions"
    assert received.body == {
        "model": "served",
        "prompt": tokens.prompts([chat("q")])[0],
        "max_tokens": 8,
        "repetition_penalty": 1.0,
        "stop_token_ids": tokens.stop_ids,
        "skip_special_tokens": False,
        "return_token_ids": True,
        **more,
    }


def test_likelihood_request_echoes_the_prompt(tiny_model: Path) -> None:
    tokens = ChatTokenizer(tiny_model, LOCAL)
    ((context, text),) = tokens.continuations([Continuation(chat("q"), "two words")])
    logprobs = [None, *[-1.0] * (len(context) - 1), *range(-len(text), 0), -99.0]
    with ScriptedServer(lambda received: text_answer(logprobs={"token_logprobs": logprobs})) as scripted:
        engine = OpenAIEngine(tiny_model, LOCAL, performance(scripted.url))
        results = list(engine.log_likelihood([Continuation(chat("q"), "two words")]))
    assert results == [(0, LogLikelihood(sum(range(-len(text), 0)), len(text), len(context)))]
    assert scripted.received[0].body == {
        "model": "served",
        "prompt": context + text,
        "max_tokens": 1,
        "temperature": 0.0,
        "echo": True,
        "logprobs": 1,
    }


def test_key_goes_into_the_header_where_it_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    with ScriptedServer(lambda received: chat_answer()) as scripted:
        list(hosted(scripted.url).generate(asked("q")))
        monkeypatch.setenv("OTHER_KEY", KEY)
        list(hosted(scripted.url, key_variable="OTHER_KEY").generate(asked("q")))
    assert [received.headers.get("authorization") for received in scripted.received] == [None, f"Bearer {KEY}"]


def test_key_that_is_no_key_is_refused_without_being_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", f"{KEY}\nX-Other: 1")
    with pytest.raises(InputError, match="OPENAI_API_KEY") as raised:
        hosted("http://127.0.0.1:1/v1")
    assert KEY not in str(raised.value)


@pytest.mark.parametrize("url", ["", "localhost:8000", "ftp://host/v1", "http:///v1", "http://host/v1?x=1"])
def test_url_that_is_none_is_refused_at_once(url: str) -> None:
    with pytest.raises(InputError, match=r"performance\.annotate\.server\.url"):
        hosted(url)


def test_url_with_a_password_is_refused_without_being_shown() -> None:
    with pytest.raises(InputError, match="password") as raised:
        hosted("https://me:secret-word@example.com/v1")
    assert "secret-word" not in str(raised.value)


def test_proxy_of_the_environment_serves_other_machines_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """The scripted server plays the proxy, which is sent whole URLs."""
    with ScriptedServer(lambda received: chat_answer()) as scripted:
        monkeypatch.setenv("HTTP_PROXY", scripted.url.removesuffix("/v1"))
        assert collected(hosted("http://far.invalid/v1").generate(asked("q"))) == [GOOD]
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
        assert collected(hosted(scripted.url).generate(asked("q"))) == [GOOD]
    assert [received.path for received in scripted.received] == [
        "http://far.invalid/v1/chat/completions",
        "/v1/chat/completions",
    ]


# What comes back


def test_reply_of_token_ids_ends_with_the_turn_and_is_counted_here(tiny_model: Path) -> None:
    tokens = ChatTokenizer(tiny_model, LOCAL)
    ids = tokens.tokenizer("My selection:[[1]]", add_special_tokens=False)["input_ids"]
    with ScriptedServer(lambda received: text_answer("other", token_ids=[*ids, tokens.stop_ids[0]])) as scripted:
        results = collected(OpenAIEngine(tiny_model, LOCAL, performance(scripted.url)).generate(asked("q")))
    prompt = tokens.prompts([chat("q")])[0]
    assert results == [Completion("My selection:[[1]]", "stop", len(prompt), len(ids) + 1)]


def test_reply_without_token_ids_is_its_text(tiny_model: Path) -> None:
    tokens = ChatTokenizer(tiny_model, LOCAL)
    with ScriptedServer(lambda received: text_answer("My selection:[[1]]")) as scripted:
        results = collected(OpenAIEngine(tiny_model, LOCAL, performance(scripted.url)).generate(asked("q")))
    count = len(tokens.tokenizer("My selection:[[1]]", add_special_tokens=False)["input_ids"])
    assert results == [Completion("My selection:[[1]]", "stop", len(tokens.prompts([chat("q")])[0]), count)]


def test_completions_have_the_key_of_every_engine_where_the_model_is_known(
    tiny_model: Path, engine: TransformersEngine
) -> None:
    served = open_engine(LOCAL, tiny_model, performance("http://127.0.0.1:1/v1"))
    assert (served.identity, served.special_tokens) == (engine.identity, engine.special_tokens)


def test_served_model_and_thinking_belong_to_the_identity_where_it_is_not() -> None:
    variants = [HOSTED, *(HOSTED.model_copy(update=change) for change in ({"served_model": "x"}, {"thinking": True}))]
    assert len({hosted("http://127.0.0.1:1/v1", variant).identity for variant in variants}) == 3


@pytest.mark.parametrize("field", ["reasoning", "reasoning_content"])
def test_thought_told_apart_is_put_back_before_the_reply(field: str) -> None:
    with ScriptedServer(lambda received: chat_answer("[2] > [1]", **{field: "hm [1] > [2]"})) as scripted:
        (reply,) = collected(hosted(scripted.url).generate(asked("q")))
    assert reply == Completion("<think>hm [1] > [2]</think>[2] > [1]", "stop", 0, 0)
    assert after_thinking(reply.text, thinking=False) == "[2] > [1]"


def test_thought_that_was_cut_off_stays_one() -> None:
    answer = chat_answer(None, finish_reason="length", reasoning="My selection:[[1]]")
    with ScriptedServer(lambda received: answer) as scripted:
        (reply,) = collected(hosted(scripted.url).generate(asked("q")))
    assert reply.finish_reason == "length"
    assert after_thinking(reply.text, thinking=False) is None


def test_tokens_are_the_server_s_count() -> None:
    usage = {"prompt_tokens": 30, "completion_tokens": 2, "total_tokens": 37}  # five of a thought that is not shown
    with ScriptedServer(lambda received: chat_answer("", usage=usage)) as scripted:
        assert collected(hosted(scripted.url).generate(asked("q"))) == [Completion("", "stop", 30, 7)]


def test_reply_that_the_server_cut_below_the_limit_had_no_room() -> None:
    """28 tokens read and 5 written fill the context: with 8 to write, 25 of the 28 have room."""
    usage = {"prompt_tokens": 28, "completion_tokens": 5, "total_tokens": 33}
    with ScriptedServer(lambda received: chat_answer(finish_reason="length", usage=usage)) as scripted:
        (result,) = collected(hosted(scripted.url).generate(asked("q")))
    assert isinstance(result, TooLong)
    assert result.share == pytest.approx(25 / 28)


def test_reply_that_reached_its_limit_is_a_completion() -> None:
    usage = {"prompt_tokens": 28, "completion_tokens": 8, "total_tokens": 36}
    with ScriptedServer(lambda received: chat_answer(finish_reason="length", usage=usage)) as scripted:
        assert collected(hosted(scripted.url).generate(asked("q"))) == [
            Completion("My selection:[[1]]", "length", 28, 8)
        ]


def test_reply_that_was_filtered_is_a_failure() -> None:
    with ScriptedServer(lambda received: chat_answer("", finish_reason="content_filter")) as scripted:
        (result,) = collected(hosted(scripted.url).generate(asked("q")))
    assert isinstance(result, Failure)
    assert "content_filter" in result.reason


@pytest.mark.parametrize("token_logprobs", [[-1.0], [None] * 400])
def test_server_without_likelihoods_of_a_prompt_is_told_at_once(
    tiny_model: Path, token_logprobs: list[float | None]
) -> None:
    """As llama.cpp, which gives the generated token's, or a server that gives none for what it echoes."""
    with ScriptedServer(lambda received: text_answer(logprobs={"token_logprobs": token_logprobs})) as scripted:
        engine = OpenAIEngine(tiny_model, LOCAL, performance(scripted.url))
        with pytest.raises(InputError, match="no log-likelihoods of a prompt"):
            list(engine.log_likelihood([Continuation(chat("q"), "a")]))


def test_likelihood_of_minus_infinity_is_a_failure(tiny_model: Path) -> None:
    with ScriptedServer(lambda received: text_answer(logprobs={"token_logprobs": [-9999.0] * 400})) as scripted:
        engine = OpenAIEngine(tiny_model, LOCAL, performance(scripted.url))
        ((_, result),) = engine.log_likelihood([Continuation(chat("q"), "a")])
    assert isinstance(result, Failure)


def test_server_that_reads_other_tokens_than_were_sent_is_told_at_once(tiny_model: Path) -> None:
    answer = Answer({"choices": [{"text": "a", "finish_reason": "stop"}], "usage": {"prompt_tokens": 3}})
    with ScriptedServer(lambda received: answer) as scripted:
        engine = OpenAIEngine(tiny_model, LOCAL, performance(scripted.url))
        with pytest.raises(InputError, match="takes no token ids"):
            list(engine.generate(asked("q")))


def test_likelihoods_without_a_model_name_the_setting() -> None:
    with pytest.raises(InputError, match=r"annotators\.\*\.model"):
        list(hosted("http://127.0.0.1:1/v1").log_likelihood([Continuation(chat("q"), "a")]))


def test_limit_of_tokens_without_a_tokenizer_is_refused() -> None:
    with pytest.raises(InputError, match="context_tokens"):
        hosted("http://127.0.0.1:1/v1", HOSTED.model_copy(update={"context_tokens": 64}))


def test_prompt_beyond_the_stated_context_is_not_sent(tiny_model: Path) -> None:
    bounded = LOCAL.model_copy(update={"context_tokens": 64})
    with ScriptedServer(lambda received: text_answer()) as scripted:
        engine = OpenAIEngine(tiny_model, bounded, performance(scripted.url))
        results = collected(engine.generate(asked("word " * 100, "word")))
    assert [type(result) for result in results] == [TooLong, Completion]
    assert len(scripted.received) == 1


# Faults


def worded(message: str) -> dict[str, object]:
    return {"error": {"message": message}}


PASSING = {
    "no answer in time": Answer(seconds=60),
    "connection closed before the answer": Answer(drop_after=-1),
    "connection closed within the answer": Answer(b"x" * 1000, drop_after=100),
    "nonsense": Answer(b"<html>not { JSON"),
    "JSON of another kind": Answer(["choices"]),
    "no choices": Answer({"object": "chat.completion"}),
    "empty choices": Answer({"choices": []}),
    "empty choice": Answer({"choices": [{}]}),
    "choice without content": chat_answer(None),
    "choice without an end": Answer({"choices": [{"message": {"content": "a"}, "finish_reason": None}]}),
    "more tokens than there are": chat_answer(usage={"prompt_tokens": 10**30}),
    "fewer tokens than none": chat_answer(usage={"completion_tokens": -1}),
    "408": Answer(status=408),
    "429": Answer({"error": {"message": "slow down"}}, 429, {"Retry-After": "0.01"}),
    "500": Answer({"error": "boom"}, 500),
    "503": Answer(b"busy", 503, {"Retry-After": "soon"}),
}


@pytest.mark.parametrize("fault", PASSING)
def test_passing_fault_is_tried_again(fault: str) -> None:
    with ScriptedServer(on_first_try(PASSING[fault])) as scripted:
        assert collected(hosted(scripted.url, timeout=1).generate(asked("q"))) == [GOOD]
    assert [received.tries for received in scripted.received] == [1, 2]


NONSENSE_OF_TOKENS = {
    "a token below 0": text_answer(token_ids=[-1]),
    "a token beyond all": text_answer(token_ids=[2**40]),
    "more tokens than there are": Answer(text_answer().body | {"usage": {"prompt_tokens": 10**30}}),
    "text that is none": text_answer(3),
    "a choice for a chat": chat_answer(),
}


@pytest.mark.parametrize("fault", [*NONSENSE_OF_TOKENS, *(fault for fault in PASSING if "choice" not in fault)])
def test_fault_is_tried_again_where_token_ids_are_sent(tiny_model: Path, fault: str) -> None:
    answer = NONSENSE_OF_TOKENS.get(fault) or PASSING[fault]
    with ScriptedServer(lambda received: answer if received.tries == 1 else text_answer()) as scripted:
        engine = OpenAIEngine(tiny_model, LOCAL, performance(scripted.url, timeout=1))
        (result,) = collected(engine.generate(asked("q")))
    assert isinstance(result, Completion)
    assert [received.tries for received in scripted.received] == [1, 2]


def logprobs(*values: object) -> Answer:
    return text_answer(logprobs={"token_logprobs": values})


@pytest.mark.parametrize(
    "nonsense", [logprobs(), logprobs(-1.0), logprobs(*["low"] * 400), logprobs(*[[]] * 400), text_answer()]
)
def test_nonsense_in_place_of_likelihoods_is_one_text_s_fault_once_another_was_scored(
    tiny_model: Path, nonsense: Answer
) -> None:
    """Before that it is a server that scores none, which ends the job."""
    answers = {"good": logprobs(*[-1.0] * 400), "bad": nonsense}
    tokens = ChatTokenizer(tiny_model, LOCAL)
    texts = {name: tokens.continuations([Continuation(chat(name), "a")])[0] for name in answers}
    names = {str(context + text): name for name, (context, text) in texts.items()}
    with ScriptedServer(lambda received: answers[names[str(received.body["prompt"])]]) as scripted:
        engine = OpenAIEngine(tiny_model, LOCAL, performance(scripted.url, concurrency=1))
        results = collected(engine.log_likelihood([Continuation(chat(name), "a") for name in ("good", "bad", "good")]))
    assert [type(result) for result in results] == [LogLikelihood, Failure, LogLikelihood]


@pytest.mark.parametrize("fault", PASSING)
def test_lasting_fault_is_a_failure_of_one_request_and_the_others_go_on(fault: str) -> None:
    def script(received: Received) -> Answer:
        return PASSING[fault] if said(received) == "bad" else chat_answer()

    with ScriptedServer(script) as scripted:
        results = collected(hosted(scripted.url, timeout=0.5).generate(asked("bad", "a", "b", "c", "d")))
    assert isinstance(results[0], Failure)
    assert "last of 3 attempts" in results[0].reason
    assert results[1:] == [GOOD] * 4
    assert max(received.tries for received in scripted.received) == 3


@pytest.mark.parametrize("fault", PASSING)
@pytest.mark.parametrize("questions", [2, 50])
def test_server_that_serves_nothing_ends_the_job(fault: str, questions: int) -> None:
    """Rather than a failure for every query."""
    problem = pytest.raises(InputError, match=r"no other request was served.*performance\.annotate\.server\.url")
    with ScriptedServer(lambda received: PASSING[fault]) as scripted, problem:
        list(hosted(scripted.url, timeout=0.2, attempts=2).generate(asked(*map(str, range(questions)))))
    assert len(scripted.received) <= 20


@pytest.mark.parametrize("fault", ["429", "500", "no answer in time"])
def test_server_that_begins_to_fail_ends_the_job_and_what_came_before_is_handed_over(fault: str) -> None:
    def script(received: Received) -> Answer:
        return chat_answer() if int(said(received)) < 20 else PASSING[fault]

    handed_over = []
    with ScriptedServer(script) as scripted, pytest.raises(InputError, match="no other request was served"):
        handed_over.extend(hosted(scripted.url, timeout=0.2, attempts=2).generate(asked(*map(str, range(100)))))
    assert {number for number, result in handed_over if result == GOOD} == set(range(20))
    assert len(handed_over) < 30


def test_request_that_is_refused_alone_is_a_failure_and_all_of_them_end_the_job() -> None:
    refusal = Answer(worded("Unsupported parameter: 'max_tokens'."), 400)
    with ScriptedServer(lambda received: refusal if said(received) == "bad" else chat_answer()) as scripted:
        results = collected(hosted(scripted.url, concurrency=1).generate(asked("bad", "bad", "bad", "good")))
    assert [type(result) for result in results] == [Failure, Failure, Failure, Completion]
    with ScriptedServer(lambda received: refusal) as scripted, pytest.raises(InputError, match="max_tokens"):
        list(hosted(scripted.url).generate(asked("a", "b", "c")))


def test_403_is_of_the_key_until_something_has_been_served_and_of_the_question_then() -> None:
    def script(received: Received) -> Answer:
        return Answer(worded("This text was flagged."), 403) if said(received) == "bad" else chat_answer()

    with ScriptedServer(script) as scripted:
        results = collected(hosted(scripted.url, concurrency=1).generate(asked("a", "bad", "b")))
    assert results == [GOOD, Failure("the server answers 403: This text was flagged."), GOOD]


def test_answer_that_comes_drop_by_drop_is_given_up() -> None:
    """A limit between two bytes would never end it."""
    listener = socket.create_server(("127.0.0.1", 0))
    closing = threading.Event()

    def drip() -> None:
        connection, _ = listener.accept()
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while not closing.wait(0.05):
            try:
                connection.sendall(b" ")
            except OSError:
                break

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        engine = hosted(f"http://127.0.0.1:{listener.getsockname()[1]}/v1", timeout=0.5, attempts=1)
        (result,) = collected(engine.generate(asked("q")))
    finally:
        closing.set()
        thread.join()
        listener.close()
    assert isinstance(result, Failure)
    assert "no answer within 0.5 s" in result.reason


def test_failure_gives_the_server_s_words_trimmed_and_on_one_line() -> None:
    with ScriptedServer(lambda received: Answer({"error": {"message": "no\n\x00way " * 500}}, 400)) as scripted:
        (result,) = collected(hosted(scripted.url).generate(asked("q")))
    assert type(result) is Failure
    assert result.reason.startswith("the server answers 400: no \x00way no")
    assert len(result.reason) < 400
    assert len(scripted.received) == 1


@pytest.mark.parametrize("status", [401, 403])
def test_wrong_key_ends_the_job_and_names_the_variable(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    refusal = Answer({"error": {"message": f"Incorrect API key provided: {KEY}."}}, status)
    problem = pytest.raises(InputError, match=r"OPENAI_API_KEY.*server\.key_variable")
    with ScriptedServer(lambda received: refusal) as scripted, problem as raised:
        list(hosted(scripted.url).generate(asked(*map(str, range(50)))))
    assert KEY not in str(raised.value)
    assert len(scripted.received) <= 4


@pytest.mark.parametrize(
    "refusal",
    [
        Answer({"error": {"message": "The model `served` does not exist."}}, 404),
        Answer(b"Method Not Allowed", 405),
        Answer(status=307, headers={"Location": "http://127.0.0.1:1/elsewhere"}),
    ],
)
def test_wrong_url_or_model_ends_the_job_and_names_both(refusal: Answer) -> None:
    problem = pytest.raises(InputError, match=r"server\.url.*annotators\.\*\.served_model")
    with ScriptedServer(lambda received: refusal) as scripted, problem:
        list(hosted(scripted.url).generate(asked("q")))
    assert len(scripted.received) == 1


def test_replies_that_came_before_the_job_ended_are_handed_over() -> None:
    def script(received: Received) -> Answer:
        return chat_answer() if said(received) == "good" else Answer(status=401, seconds=0.5)

    handed_over = []
    with ScriptedServer(script) as scripted, pytest.raises(InputError):
        handed_over.extend(hosted(scripted.url).generate(asked("bad", "good")))
    assert handed_over == [(1, GOOD)]


def test_server_that_is_not_there_ends_the_job_and_names_the_url() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    with pytest.raises(
        InputError, match=r"http://127\.0\.0\.1:\d+/v1: no connection.*performance\.annotate\.server\.url"
    ):
        list(hosted(url).generate(asked(*map(str, range(50)))))


def test_server_that_goes_away_ends_the_job() -> None:
    """Rather than a failure for every query that is left."""
    with ScriptedServer(lambda received: chat_answer()) as scripted:
        results = hosted(scripted.url, concurrency=1).generate(asked(*map(str, range(50))))
        assert next(results) == (0, GOOD)
    with pytest.raises(InputError, match="no connection"):
        list(results)


TOO_LONG = {
    "vLLM": (
        400,
        worded(
            "This model's maximum context length is 2048 tokens. However, your prompt contains 4000 input tokens, "
            "which exceeds this limit even without any output tokens. Please reduce the length of the input prompt."
        ),
        2040 / 4000,
    ),
    "vLLM, not counted out": (
        400,
        worded(
            "This model's maximum context length is 2048 tokens. However, your prompt contains at least 2049 input "
            "tokens, which exceeds this limit even without any output tokens."
        ),
        0.66,
    ),
    "OpenAI": (
        400,
        worded(
            "This model's maximum context length is 8,192 tokens. However, your messages resulted in 10,000 tokens. "
            "Please reduce the length of the messages."
        ),
        8184 / 10000,
    ),
    "llama.cpp": (
        400,
        worded("request (5000 tokens) exceeds the available context size (4096 tokens), try increasing it"),
        4088 / 5000,
    ),
    "text-generation-inference": (
        422,
        {"error": "Input validation error: `inputs` must have less than 1024 tokens. Given: 2000"},
        1016 / 2000,
    ),
    "a gateway": (413, b"Payload Too Large", 0.66),
}


@pytest.mark.parametrize("name", TOO_LONG)
def test_prompt_beyond_the_server_s_context_is_too_long(name: str) -> None:
    status, body, share = TOO_LONG[name]
    with ScriptedServer(lambda received: Answer(body, status)) as scripted:
        (result,) = collected(hosted(scripted.url).generate(asked("q")))
    assert isinstance(result, TooLong)
    assert result.share == pytest.approx(share)
    assert len(scripted.received) == 1


@pytest.mark.parametrize(
    "words",
    [
        "max_tokens=5000 cannot be greater than max_model_len=2048. Please request fewer output tokens.",
        "Unsupported parameter: 'max_tokens' is not supported with this model.",
        "Invalid value for temperature.",
    ],
)
def test_refusal_that_a_shorter_prompt_would_not_mend_is_not_too_long(words: str) -> None:
    with ScriptedServer(lambda received: Answer({"error": {"message": words}}, 400)) as scripted:
        (result,) = collected(hosted(scripted.url).generate(asked("q")))
    assert result == Failure(f"the server answers 400: {words}")


def response(retry_after: str) -> httpx2.Response:
    return httpx2.Response(429, headers={"Retry-After": retry_after})


def test_retry_after_is_read_as_seconds_or_as_a_date() -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    assert server._retry_after(response("7")) == 7
    assert server._retry_after(response(date)) == pytest.approx(100, abs=20)
    assert server._retry_after(response("Wed, 21 Oct 2015 07:28:00 GMT")) == 0


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126)))
def test_any_retry_after_is_a_number_of_seconds(text: str) -> None:
    assert server._retry_after(response(text)) >= 0


def test_server_is_left_alone_for_as_long_as_it_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    times: list[float] = []

    def script(received: Received) -> Answer:
        times.append(time.monotonic())
        return Answer(status=429, headers={"Retry-After": "1"}) if received.tries == 1 else chat_answer()

    with ScriptedServer(script) as scripted:
        list(hosted(scripted.url).generate(asked("q")))
    assert times[1] - times[0] >= 1


def test_what_a_server_asks_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_LONGEST_PAUSE", 0.05)
    with ScriptedServer(on_first_try(Answer(status=429, headers={"Retry-After": "86400"}))) as scripted:
        assert collected(hosted(scripted.url).generate(asked("q"))) == [GOOD]


# Many at a time


def test_never_more_requests_than_the_setting_and_each_result_with_its_number() -> None:
    def script(received: Received) -> Answer:
        return Answer(chat_answer(said(received)).body, seconds=0.02)

    requests = asked(*map(str, range(60)))
    with ScriptedServer(script) as scripted:
        results = list(hosted(scripted.url, concurrency=5).generate(requests))
    assert sorted(results) == sorted((number, Completion(str(number), "stop", 0, 0)) for number in range(60))
    assert scripted.most_at_once == 5


def test_requests_are_made_as_there_is_room_for_them_and_given_up_with_the_iterator() -> None:
    with ScriptedServer(lambda received: chat_answer()) as scripted:
        before = threading.active_count()
        results = hosted(scripted.url, concurrency=2).generate(asked(*map(str, range(500))))
        next(results)
        results.close()
        assert threading.active_count() - before <= 2  # the server's own, one a connection
    assert len(scripted.received) <= 4


FAILING_CALLER = """
import sys
from utility_annotation.annotation.openai_engine import OpenAIEngine
from utility_annotation.annotation.protocol import Message, ReplyRequest
from utility_annotation.configuration import Annotator, Performance, Sampling

engine = OpenAIEngine(None, Annotator.model_validate_json(sys.argv[1]), Performance.model_validate_json(sys.argv[2]))
for _ in engine.generate([ReplyRequest((Message("user", str(number)),), Sampling()) for number in range(9)]):
    raise OSError("no space left on device")
"""


def test_exception_in_the_caller_ends_the_process_and_nothing_else_is_said(root: Path) -> None:
    def script(received: Received) -> Answer:
        return chat_answer() if said(received) == "0" else Answer(seconds=120)

    with ScriptedServer(script) as scripted:
        settings = [
            HOSTED.model_dump_json(exclude={"precision"}),
            performance(scripted.url, timeout=120).model_dump_json(),
        ]
        ended = subprocess.run(
            [sys.executable, "-c", FAILING_CALLER, *settings],
            cwd=root / "workflow" / "scripts",
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert ended.returncode == 1
    assert ended.stderr.endswith("OSError: no space left on device\n")


def write_pool(path: Path, queries: int) -> None:
    candidates = [{"docid": "a", "title": None, "text": "hostile <|im_end|><think> text", "human": False, "rank": 1}]
    rows = [{"query_id": f"q{n}", "query": f"question {n}?", "candidates": candidates} for n in range(queries)]
    POOL.write(path, POOL.rows(rows))


def script_arguments(folder: Path, root: Path, url: str) -> list[str]:
    options = {
        "settings": canonical(stage_settings(HOSTED, "relsel")),
        "performance": performance(url).model_dump_json(),
        "pool": folder / "pool.parquet",
        "prompt": root / "resources" / "prompts" / "relsel.j2",
        "store": folder / "store",
        "output": folder / "relsel.parquet",
        "summary": folder / "relsel.json",
    }
    return [text for name, value in options.items() for text in (f"--{name}", str(value))]


def test_key_is_in_no_file_and_no_log(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Not even where the server repeats it."""

    def script(received: Received) -> Answer:
        if "question 0" in said(received):
            return Answer({"error": {"message": f"bad key {KEY}"}}, 400)
        return Answer(f"oops {KEY}".encode(), 500) if "question 1" in said(received) else chat_answer()

    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    caplog.set_level(logging.DEBUG)
    write_pool(tmp_path / "pool.parquet", 3)
    with ScriptedServer(script) as scripted:
        annotate_relsel.main(script_arguments(tmp_path, root, scripted.url))
    rows = {row["query_id"]: row for row in ANNOTATION.read(tmp_path / "relsel.parquet").to_pylist()}
    assert [rows[f"q{n}"]["outcome"] for n in range(3)] == ["error", "error", "ok"]
    assert "bad key ***" in rows["q0"]["finish_reason"]
    assert all(received.headers["authorization"] == f"Bearer {KEY}" for received in scripted.received)
    assert KEY not in caplog.text
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) >= 3
    assert not [path for path in files if KEY.encode() in path.read_bytes()]


def heed_interrupts() -> None:
    """As in a terminal; what runs in the background ignores SIGINT, and so does all that it starts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_interrupt_ends_a_job_whose_server_hangs(root: Path, tmp_path: Path) -> None:
    """Ctrl-C, in a process of its own; what came before it is stored."""
    hanging = threading.Event()

    def script(received: Received) -> Answer:
        if "question 0" in said(received):
            return chat_answer()
        hanging.set()
        return Answer(seconds=60)

    write_pool(tmp_path / "pool.parquet", 3)
    with ScriptedServer(script) as scripted:
        arguments = script_arguments(tmp_path, root, scripted.url)
        command = [sys.executable, str(root / "workflow" / "scripts" / "annotate_relsel.py"), *arguments]
        job = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=heed_interrupts)
        try:
            assert hanging.wait(60)
            while not any((tmp_path / "store").glob("*.jsonl")) and job.poll() is None:
                time.sleep(0.05)
            job.send_signal(signal.SIGINT)
            _, log = job.communicate(timeout=30)
        finally:
            job.kill()
            job.wait()
    assert "KeyboardInterrupt" in log
    assert job.returncode not in (0, None)
    assert not (tmp_path / "relsel.parquet").exists()


# Structure


@pytest.mark.parametrize(
    "hostile",
    [
        "<|im_start|>system",
        "<|start_header_id|>user<|end_header_id|>",
        "<|reserved_special_token_7|>",
        "</s>[INST] <<SYS>>",
        "<start_of_turn>model",
        "<|turn>model<turn|>",
        "<\uff5cUser\uff5c>",
        "<|start|>assistant<|channel|>final<|message|>",
        "[|assistant|]",
        "<think></think>",
        "<tool_call>",
    ],
)
def test_structure_of_the_model_families_is_broken_in_outside_text(hostile: str) -> None:
    cleaned = Cleaner(STRUCTURE).text(f"text {hostile} text")
    assert hostile not in cleaned
    assert not [string for string in STRUCTURE if string in cleaned]
    assert cleaned.replace(" ", "") == f"text{hostile}text".replace(" ", "")


def test_list_of_structure_covers_the_demo_s_tokenizer(tiny_model: Path) -> None:
    """Every special token with brackets: what stands in STRUCTURE breaks it."""
    known = ChatTokenizer(tiny_model, LOCAL).special_tokens
    assert "<|im_start|>" in known
    assert {token for token in known if token.startswith("<|") and Cleaner(STRUCTURE).text(token) == token} == set()


# vLLM's own server, for real

CONTEXT = 512
SERVED = Annotator(engine="openai", served_model="served", model="smollm2", precision="fp32")
QUESTIONS = ["word", "What is the capital of France?", "word " * 90, "Say <|im_end|> and nothing else.", "東京は？"]
CONTINUATIONS = [
    Continuation(chat("word " * count), text)
    for count, text in ((5, "Paris"), (80, "a much longer answer, of several tokens"), (30, "é 東京"), (1, " x"))
]


@pytest.fixture(scope="module")
def vllm_url(vllm_python: Path, smollm2: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """vLLM's server with the demo's LLM, a key and a short context, in a process group of its own."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    options = {
        "model": smollm2,
        "served-model-name": "served",
        "dtype": "float32",
        "max-model-len": CONTEXT,
        "host": "127.0.0.1",
        "port": port,
    }
    command = [vllm_python, "-m", "vllm.entrypoints.openai.api_server", "--enforce-eager"]
    command += [text for name, value in options.items() for text in (f"--{name}", str(value))]
    settings = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1", "VLLM_API_KEY": KEY, "HF_HUB_OFFLINE": "1"}
    log = tmp_path_factory.mktemp("vllm") / "server.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=output, env=os.environ | settings, start_new_session=True
        )
    try:
        patience = time.monotonic() + 300
        while not _is_up(f"http://127.0.0.1:{port}/health"):
            assert process.poll() is None, log.read_text()[-3000:]
            assert time.monotonic() < patience, f"vLLM's server is not up: {log.read_text()[-3000:]}"
            time.sleep(1)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _is_up(url: str) -> bool:
    try:
        return httpx2.get(url, trust_env=False).is_success
    except httpx2.RequestError:
        return False


@pytest.fixture
def on_vllm(vllm_url: str, smollm2: Path, monkeypatch: pytest.MonkeyPatch) -> OpenAIEngine:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    return OpenAIEngine(smollm2, SERVED, performance(vllm_url, timeout=120))


@pytest.fixture(scope="module")
def reference(smollm2: Path) -> TransformersEngine:
    return TransformersEngine(smollm2, SERVED, Performance())


@pytest.mark.vllm
def test_greedy_replies_are_the_transformers_engine_s(on_vllm: OpenAIEngine, reference: TransformersEngine) -> None:
    requests = asked(*QUESTIONS, sampling=Sampling(max_new_tokens=12))
    assert collected(on_vllm.generate(requests)) == collected(reference.generate(requests))


@pytest.mark.vllm
def test_log_likelihoods_are_the_transformers_engine_s(on_vllm: OpenAIEngine, reference: TransformersEngine) -> None:
    results = collected(on_vllm.log_likelihood(CONTINUATIONS))
    expected = collected(reference.log_likelihood(CONTINUATIONS))
    assert [(result.tokens, result.prompt_tokens) for result in results] == [
        (result.tokens, result.prompt_tokens) for result in expected
    ]
    assert [result.total for result in results] == pytest.approx([result.total for result in expected], abs=1e-3)


@pytest.mark.vllm
def test_sampled_reply_depends_on_its_seed(on_vllm: OpenAIEngine) -> None:
    hot = Sampling(temperature=1.5, top_p=0.9, top_k=50, max_new_tokens=12, seed=1)
    first, again, other = collected(
        on_vllm.generate([*asked("hi", "hi", sampling=hot), *asked("hi", sampling=hot.model_copy(update={"seed": 2}))])
    )
    assert first == again
    assert first.text != other.text


@pytest.mark.vllm
@pytest.mark.parametrize("with_model", [True, False])
def test_guide_is_obeyed(vllm_url: str, smollm2: Path, monkeypatch: pytest.MonkeyPatch, with_model: bool) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    engine = OpenAIEngine(smollm2 if with_model else None, SERVED, performance(vllm_url, timeout=120))
    (reply,) = collected(engine.generate(asked("Name a river.", guide=r"\[[12]\] > \[[12]\]", sampling=SAMPLED)))
    assert reply.finish_reason in ("stop", "length")
    assert re.fullmatch(r"\[[12]\] > \[[12]\]", reply.text)


@pytest.mark.vllm
def test_plain_messages_get_the_same_replies(
    vllm_url: str, reference: TransformersEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The template is the server's own; vLLM leaves special tokens out of the text that it sends."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    requests = asked(*QUESTIONS[:3], sampling=Sampling(max_new_tokens=12))
    engine = OpenAIEngine(None, HOSTED, performance(vllm_url, timeout=120))
    assert collected(engine.generate(requests)) == collected(reference.generate(requests))


@pytest.mark.vllm
@pytest.mark.parametrize("with_model", [True, False])
def test_server_s_own_limit_makes_a_prompt_too_long(
    vllm_url: str, smollm2: Path, monkeypatch: pytest.MonkeyPatch, with_model: bool
) -> None:
    """Beyond the context vLLM refuses; just below it, it writes fewer tokens than it was asked for."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    engine = OpenAIEngine(smollm2 if with_model else None, SERVED, performance(vllm_url, timeout=120))
    long = Sampling(max_new_tokens=100)
    refused, cut, served = collected(
        engine.generate(
            [
                *asked("word " * 700, sampling=GREEDY),
                *asked("word " * 450, sampling=long, guide="(ab ){99}"),
                *asked("hi", sampling=GREEDY),
            ]
        )
    )
    assert [type(refused), type(cut), type(served)] == [TooLong, TooLong, Completion]
    assert "maximum context length is 512" in refused.reason
    assert 0 < refused.share < 1
    (read,) = map(len, ChatTokenizer(smollm2, SERVED).prompts([chat("word " * 450)]))
    assert cut.share == pytest.approx((CONTEXT - 100) / read)


@pytest.mark.vllm
def test_likelihood_beyond_the_server_s_limit_is_too_long(on_vllm: OpenAIEngine) -> None:
    results = collected(on_vllm.log_likelihood([Continuation(chat("word " * count), "a") for count in (700, 1)]))
    assert [type(result) for result in results] == [TooLong, LogLikelihood]


@pytest.mark.vllm
@pytest.mark.parametrize(("key", "model", "named"), [("x", "served", "key_variable"), (KEY, "other", "served_model")])
def test_wrong_key_and_wrong_model_end_the_job(
    vllm_url: str, smollm2: Path, monkeypatch: pytest.MonkeyPatch, key: str, model: str, named: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", key)
    engine = OpenAIEngine(smollm2, SERVED.model_copy(update={"served_model": model}), performance(vllm_url))
    with pytest.raises(InputError, match=named):
        list(engine.generate(asked("q")))
