"""A server that misbehaves on purpose, and many questions at a time."""

from __future__ import annotations

import base64
import gzip
import logging
import signal
import socket
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise
from pathlib import Path

import annotate
import httpx2
import pytest
from hosted import (
    GOOD,
    HOSTED,
    KEY,
    LOCAL,
    annotated,
    asked,
    chat,
    collected,
    hosted,
    on_first_try,
    performance,
    said,
    script_arguments,
    write_pool,
)
from hypothesis import given
from hypothesis import strategies as st
from scripted_server import Answer, Received, ScriptedServer, chat_answer, text_answer

from utility_annotation.common.errors import InputError
from utility_annotation.engines import server
from utility_annotation.engines.chat_tokens import ChatTokenizer
from utility_annotation.engines.openai_engine import OpenAIEngine
from utility_annotation.engines.protocol import Completion, Continuation, Failure, LogLikelihood, TooLong
from utility_annotation.io.schemas import ANNOTATION
from utility_annotation.settings import ServerPerformance


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
def test_server_that_serves_nothing_ends_the_job(fault: str) -> None:
    """Rather than a failure for every query."""
    problem = pytest.raises(InputError, match=r"no other request was served.*performance\.annotate\.server\.url")
    with ScriptedServer(lambda received: PASSING[fault]) as scripted, problem:
        list(hosted(scripted.url, timeout=0.2, attempts=2).generate(asked(*map(str, range(50)))))
    assert len(scripted.received) <= 20


@pytest.mark.parametrize(("fault", "is_the_server_s"), [("429", True), ("503", True), ("500", False), ("408", False)])
def test_fault_of_a_lone_request_ends_the_job_where_it_says_nothing_of_the_request(
    fault: str, is_the_server_s: bool
) -> None:
    with ScriptedServer(lambda received: PASSING[fault]) as scripted:
        results = hosted(scripted.url, attempts=2).generate(asked("q"))
        if is_the_server_s:
            with pytest.raises(InputError, match="no other request was served"):
                list(results)
        else:
            assert [type(result) for result in collected(results)] == [Failure]


def test_server_that_is_at_work_on_others_is_not_given_up_for_one_that_it_turns_away() -> None:
    """As a limit of requests does while each takes its time: nothing is served meanwhile, but something will be."""

    def script(received: Received) -> Answer:
        return PASSING["429"] if said(received) == "too many" else Answer(chat_answer().body, seconds=1)

    with ScriptedServer(script) as scripted:
        results = collected(hosted(scripted.url, attempts=2).generate(asked("slow", "too many", "slow too")))
    assert [type(result) for result in results] == [Completion, Failure, Completion]


def test_requests_that_fail_among_others_never_end_the_job() -> None:
    def script(received: Received) -> Answer:
        return PASSING["500"] if int(said(received)) % 2 else chat_answer()

    with ScriptedServer(script) as scripted:
        results = collected(hosted(scripted.url, concurrency=1, attempts=1).generate(asked(*map(str, range(40)))))
    assert [type(result) for result in results] == [Completion, Failure] * 20


@pytest.mark.parametrize("fault", ["429", "500", "no answer in time"])
def test_server_that_begins_to_fail_ends_the_job_and_what_came_before_is_handed_over(fault: str) -> None:
    def script(received: Received) -> Answer:
        return chat_answer() if int(said(received)) < 20 else PASSING[fault]

    handed_over = []
    with ScriptedServer(script) as scripted, pytest.raises(InputError, match="no other request was served"):
        handed_over.extend(hosted(scripted.url, timeout=0.2, attempts=2).generate(asked(*map(str, range(100)))))
    assert {number for number, result in handed_over if result == GOOD} == set(range(20))
    assert len(handed_over) < 30


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
    assert result.reason.startswith(r"the server answers 400: no \x00way no")
    assert len(result.reason) < 400
    assert len(scripted.received) == 1


@pytest.mark.parametrize("status", [401, 403])
def test_wrong_key_ends_the_job_and_names_the_variable(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    refusal = Answer({"error": {"message": f"Incorrect API key provided: {KEY}."}}, status)
    problem = pytest.raises(InputError, match=r"OPENAI_API_KEY.*server\.api_key_env")
    with ScriptedServer(lambda received: refusal) as scripted, problem as raised:
        list(hosted(scripted.url).generate(asked(*map(str, range(50)))))
    assert KEY not in str(raised.value)
    assert len(scripted.received) <= 4


def test_a_model_with_a_server_of_its_own_is_asked_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUDGE_KEY", KEY)
    refusal = Answer({"error": {"message": "wrong key"}}, 401)
    with ScriptedServer(lambda received: chat_answer()) as common, ScriptedServer(lambda received: refusal) as own:
        servers = {"judge": ServerPerformance(url=own.url, api_key_env="JUDGE_KEY")}
        both = performance(common.url)
        both = both.model_copy(update={"annotate": both.annotate.model_copy(update={"servers": servers})})
        judge = HOSTED.model_copy(update={"served_model_name": "judge"})
        problem = r"JUDGE_KEY.*`performance\.annotate\.servers\.judge\.api_key_env`"
        with pytest.raises(InputError, match=problem):
            list(OpenAIEngine(None, judge, both).generate(asked("q")))
        assert (len(common.received), own.received[0].headers["authorization"]) == (0, f"Bearer {KEY}")
        list(OpenAIEngine(None, HOSTED, both).generate(asked("q")))
        assert (len(common.received), len(own.received)) == (1, 1)


@pytest.mark.parametrize(
    "refusal",
    [
        Answer({"error": {"message": "The model `served` does not exist."}}, 404),
        Answer(b"Method Not Allowed", 405),
        Answer(status=307, headers={"Location": "http://127.0.0.1:1/elsewhere"}),
    ],
)
def test_wrong_url_or_model_ends_the_job_and_names_both(refusal: Answer) -> None:
    problem = pytest.raises(InputError, match=r"server\.url.*annotators\.\*\.served_model_name")
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
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))  # nobody else gets the port, and nobody listens
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/v1"
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


def test_pauses_between_tries_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each doubles, and chance takes at most a half of it: without growth the last would be 0.1 s at most, not 0.4."""
    times: list[float] = []
    monkeypatch.setattr(server, "_FIRST_PAUSE", 0.1)

    def script(received: Received) -> Answer:
        times.append(time.monotonic())
        return Answer(status=503) if received.tries < 5 else chat_answer()

    with ScriptedServer(script) as scripted:
        assert collected(hosted(scripted.url, attempts=5).generate(asked("q"))) == [GOOD]
    pauses = [later - earlier for earlier, later in pairwise(times)]
    assert all(pause >= 0.05 * 2**number for number, pause in enumerate(pauses))


def test_what_a_server_asks_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_LONGEST_PAUSE", 0.05)
    with ScriptedServer(on_first_try(Answer(status=429, headers={"Retry-After": "86400"}))) as scripted:
        assert collected(hosted(scripted.url).generate(asked("q"))) == [GOOD]


@pytest.mark.parametrize("packed", [False, True])
def test_an_answer_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch, packed: bool) -> None:
    monkeypatch.setattr(server, "_LARGEST_ANSWER", 1 << 20)
    body = b" " * (1 << 22)
    endless = Answer(gzip.compress(body), headers={"Content-Encoding": "gzip"}) if packed else Answer(body)
    with ScriptedServer(on_first_try(endless)) as scripted:
        assert collected(hosted(scripted.url).generate(asked("q"))) == [GOOD]
    assert len(scripted.received) == 2


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"[" * 100_000, {}),
        (b'{"error": ' * 5000, {}),
        (b"\xff\xfe words", {"Content-Type": "text/plain; charset=klingon"}),
        (b"words", {"Content-Type": "text/plain; charset=utf-7,\x01"}),
        (b"words", {"Retry-After": "Thu, 99 Foo 99999999999 99:99:99 GMT"}),
        (b"words", {"Retry-After": "1e400"}),
    ],
)
@pytest.mark.parametrize("status", [400, 503])
def test_odd_refusals_are_failures_of_one_request(body: bytes, headers: dict[str, str], status: int) -> None:
    def script(received: Received) -> Answer:
        return Answer(body, status, headers) if said(received) == "odd" else chat_answer()

    with ScriptedServer(script) as scripted:
        good, odd = collected(hosted(scripted.url, attempts=1).generate(asked("good", "odd")))
    assert good == GOOD
    assert f"the server answers {status}" in odd.reason


@pytest.mark.parametrize("form", ["{key}", "Bearer {key}", "{base64}"])
def test_a_key_that_a_server_echoes_reaches_no_reply(monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    secrets = {"key": KEY, "base64": base64.b64encode(f"Bearer {KEY}".encode()).decode().rstrip("=")}
    with ScriptedServer(lambda received: chat_answer(f"you sent {form.format(**secrets)}!")) as scripted:
        (reply,) = collected(hosted(scripted.url).generate(asked("q")))
    assert reply.text.startswith("you sent ")
    assert reply.text.endswith("***!")
    assert not any(secret in reply.text for secret in secrets.values())


def test_text_of_a_server_steers_no_terminal() -> None:
    words = "\x1b[2Jerror: forged\u202e\nerror: another line"
    refusal = Answer({"error": words}, 401)
    with ScriptedServer(lambda received: refusal) as scripted, pytest.raises(InputError) as raised:
        list(hosted(scripted.url).generate(asked("q")))
    assert str(raised.value).isprintable()


@pytest.mark.parametrize("proxy", ["ftp://proxy", "http://proxy:port"])
def test_a_malformed_proxy_is_named(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    with pytest.raises(InputError, match="HTTPS_PROXY"):
        list(hosted("https://far.example/v1").generate(asked("q")))


@pytest.mark.parametrize("host", ["127.1", "localhost.", "[::ffff:127.0.0.1]", "0x7f.1", "[::1]", "127.8.9.10"])
def test_other_spellings_of_this_machine_use_no_proxy(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with ScriptedServer(lambda received: chat_answer()) as scripted:
        url = scripted.url.replace("127.0.0.1", host)
        engine = hosted(url, attempts=1)
        assert engine._server._local
        if host == "127.1":
            assert collected(engine.generate(asked("q"))) == [GOOD]


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
from utility_annotation.engines.openai_engine import OpenAIEngine
from utility_annotation.engines.protocol import Message, ReplyRequest
from utility_annotation.settings import Annotator, Performance, Sampling

engine = OpenAIEngine(None, Annotator.model_validate_json(sys.argv[1]), Performance.model_validate_json(sys.argv[2]))
for _ in engine.generate([ReplyRequest((Message("user", str(number)),), Sampling()) for number in range(9)]):
    raise OSError("no space left on device")
"""


@pytest.mark.process
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
    write_pool(tmp_path, 3)
    with ScriptedServer(script) as scripted:
        annotate.main(script_arguments(tmp_path, root, scripted.url))
    rows = {row["query_id"]: row for row in ANNOTATION.read(annotated(tmp_path)).to_pylist()}
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


@pytest.mark.process
def test_interrupt_ends_a_job_whose_server_hangs(root: Path, tmp_path: Path) -> None:
    """Ctrl-C, in a process of its own; what came before it is stored."""
    hanging = threading.Event()

    def script(received: Received) -> Answer:
        if "question 0" in said(received):
            return chat_answer()
        hanging.set()
        return Answer(seconds=60)

    write_pool(tmp_path, 3)
    with ScriptedServer(script) as scripted:
        arguments = script_arguments(tmp_path, root, scripted.url)
        command = [sys.executable, str(root / "workflow" / "scripts" / "annotate.py"), *arguments]
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
    assert not annotated(tmp_path).exists()


@pytest.mark.parametrize(("key", "masked"), [("EMPTY", False), ("1", False), ("k7z-1", False), ("k7z-12", True)])
def test_a_key_is_masked_by_its_length_alike_in_replies_and_in_messages(
    monkeypatch: pytest.MonkeyPatch, key: str, masked: bool
) -> None:
    """A short one is a placeholder that could be any word of a reply: ``[1]`` must stay what it is."""
    monkeypatch.setenv("OPENAI_API_KEY", key)
    with ScriptedServer(lambda received: chat_answer(f"says {key}.")) as scripted:
        ((_, reply),) = hosted(scripted.url).generate(asked("q"))
    refusal = Answer({"error": f"says {key}."}, 401)
    with ScriptedServer(lambda received: refusal) as scripted, pytest.raises(InputError) as raised:
        list(hosted(scripted.url).generate(asked("q")))
    shown = "says ***." if masked else f"says {key}."
    assert reply.text == shown
    assert shown in str(raised.value)
