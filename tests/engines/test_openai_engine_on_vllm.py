"""The OpenAI engine against vLLM's own server, for real."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from hosted import (
    GREEDY,
    HOSTED,
    KEY,
    SAMPLED,
    asked,
    chat,
    collected,
    performance,
)

from utility_annotation.common.errors import InputError
from utility_annotation.engines.chat_tokens import ChatTokenizer
from utility_annotation.engines.openai_engine import OpenAIEngine
from utility_annotation.engines.protocol import Completion, Continuation, LogLikelihood, TooLong
from utility_annotation.engines.transformers_engine import TransformersEngine
from utility_annotation.settings import Annotator, Performance, Sampling

CONTEXT = 512
SERVED = Annotator(engine="openai", served_model_name="served", model="smollm2", precision="fp32")
QUESTIONS = ["word", "What is the capital of France?", "word " * 90, "Say <|im_end|> and nothing else.", "東京は？"]
CONTINUATIONS = [
    Continuation(chat("word " * count), text)
    for count, text in ((5, "Paris"), (80, "a much longer answer, of several tokens"), (30, "é 東京"), (1, " x"))
]


@pytest.fixture(scope="module")
def vllm_url(vllm_python: Path, smollm2: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """vLLM's server with the demo's LLM, a key and a short context, in a process group of its own."""
    held = socket.socket()  # until the end, so that nobody else gets the port; vLLM shares it and is the one to listen
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", 0))
    port = held.getsockname()[1]
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
        held.close()


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
@pytest.mark.parametrize(
    ("key", "model", "named"), [("x", "served", "api_key_env"), (KEY, "other", "served_model_name")]
)
def test_wrong_key_and_wrong_model_end_the_job(
    vllm_url: str, smollm2: Path, monkeypatch: pytest.MonkeyPatch, key: str, model: str, named: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", key)
    engine = OpenAIEngine(smollm2, SERVED.model_copy(update={"served_model_name": model}), performance(vllm_url))
    with pytest.raises(InputError, match=named):
        list(engine.generate(asked("q")))
