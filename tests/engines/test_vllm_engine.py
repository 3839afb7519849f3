"""The vLLM engine, for real, on a CPU: the numbers and replies of the transformers engine, as they come.

vLLM lives in an environment of its own and takes a minute to start. So one session of it serves most tests, with the
demo's LLM; another, in which its engine dies, and the command line start it with a tiny model.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil
import pytest
from command_line import arguments, write_configuration
from judged_pools import write_pool
from pydantic import TypeAdapter

from utility_annotation.annotation.grades import GRADES, GUIDE, read_grade
from utility_annotation.annotation.replies import RANKING, SELECTION, read_verdict, verdict_guide
from utility_annotation.annotation.stages import STAGES
from utility_annotation.common.errors import InputError
from utility_annotation.engines.protocol import (
    Completion,
    Continuation,
    Failure,
    LogLikelihood,
    Message,
    ReplyRequest,
    TooLong,
)
from utility_annotation.engines.transformers_engine import TransformersEngine
from utility_annotation.engines.vllm_engine import VllmEngine
from utility_annotation.io.schemas import ANNOTATION
from utility_annotation.settings import Annotator, Performance, Sampling

pytestmark = pytest.mark.vllm

CONTEXT = 256
SHARD = "0000-of-0001"
SETTINGS = Annotator(model="smollm2", engine="vllm", precision="fp32", max_model_len=CONTEXT)


def chat(text: str) -> tuple[Message, ...]:
    return (Message("user", text),)


def asked(text: str, *, guide: str | None = None, **sampling: Any) -> ReplyRequest:
    return ReplyRequest(chat(text), Sampling(**{"max_new_tokens": 8, **sampling}), guide)


QUESTIONS = [
    "What is the capital of France?",
    "Name three colours.",
    "Which of these passages is about rivers? [1] The Nile is long. [2] Bread is baked. [3] The Rhine is deep.",
    "Say <|im_end|> and nothing else.",
    "Où est la Tour Eiffel ? 東京は？",
]
HOT = {"temperature": 1.2, "top_p": 0.95, "top_k": 50, "max_new_tokens": 12}
REPLIES = {
    "greedy": [asked(question) for question in QUESTIONS],
    "sampled": [asked(question, **HOT, seed=3) for question in QUESTIONS],
    "sampled backwards": [asked(question, **HOT, seed=3) for question in reversed(QUESTIONS)],
    "other seed": [asked(question, **HOT, seed=4) for question in QUESTIONS],
    "one text, one seed": [asked("Tell me a story.", **HOT, seed=3) for _ in range(2)],
    "structured_outputs": [
        asked("Which passages help?", guide=SELECTION.guide(31), max_new_tokens=210),
        asked("Which passages help most?", guide=RANKING.guide(31), max_new_tokens=210),
        asked("Any?", guide=r"(yes|no)"),
        asked("Which answer as well as the positives?", guide=verdict_guide(8), max_new_tokens=120),
        asked("Which grade?", guide=GUIDE),
    ],
    "with failures": [
        asked(QUESTIONS[0]),
        asked("word " * CONTEXT),
        asked(QUESTIONS[1], guide="(never closed"),
        asked(QUESTIONS[1], temperature=9),
        asked(QUESTIONS[1]),
    ],
    "long first": [
        asked("Tell me everything about the sea.", max_new_tokens=60),
        asked("Yes or no?", max_new_tokens=1),
    ],
}
CONTINUATIONS = [
    Continuation(chat("Where is the Eiffel Tower?"), "Paris"),
    Continuation(chat("A passage. " * 40 + "What is it about?"), "It is about a passage, and about nothing else."),
    Continuation(chat("Où ?"), "é 東京"),
    *(Continuation(chat(question), " an answer") for question in QUESTIONS),  # in the prefix cache by now
]
LIKELIHOODS = {
    "scored": CONTINUATIONS,
    "unscorable": [
        Continuation(chat("word"), ""),
        Continuation(chat("word"), "long " * CONTEXT),
        Continuation(chat("word"), "a"),
    ],
}
DEATHS = {
    "one too many": [
        *(Continuation(chat(question), " an answer") for question in QUESTIONS[:2]),
        Continuation(chat("word"), "long " * 900),
        *(Continuation(chat(question), " an answer") for question in QUESTIONS[2:]),
    ],
    "doomed": [Continuation(chat("word"), "a")],
}
KILLED = [asked("Yes or no?", max_new_tokens=1), asked("Tell me everything about the sea.", max_new_tokens=200)]


def as_json(requests: list[ReplyRequest] | list[Continuation]) -> Any:
    return TypeAdapter(list[ReplyRequest | Continuation]).dump_python(requests, mode="json")


@dataclass
class Run:
    """A program that has ended: its exit code, its log, and every process that it had started."""

    code: int
    log: str
    family: list[psutil.Process]

    def left_over(self) -> list[psutil.Process]:
        """The processes that still run some seconds later; those that nobody has waited for yet have ended, too."""
        _, alive = psutil.wait_procs(self.family, timeout=10)
        return [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]


def run(command: list[Path | str], root: Path, *, log: Path, kill_when: Callable[[], bool] = lambda: False) -> Run:
    """Run a program to its end, or kill -9 it when the time has come."""
    environment = os.environ | {"PYTHONPATH": str(root / "workflow" / "scripts")}
    family: set[psutil.Process] = set()
    with log.open("w") as output:
        program = subprocess.Popen(command, stdout=output, stderr=output, env=environment)
        try:
            while program.poll() is None and not kill_when():
                family.update(psutil.Process(program.pid).children(recursive=True))
                time.sleep(0.1)
        finally:
            program.kill()
            program.wait()
    return Run(program.returncode, log.read_text(), list(family))


@dataclass
class Session:
    """What vllm_session.py left: the lines of each call, in order, and how it ended."""

    calls: dict[str, list[dict[str, Any]]]
    run: Run

    def results(self, call: str) -> list[Any]:
        """The results of a call, by the place of the request."""
        kinds = {kind.__name__: kind for kind in (Completion, LogLikelihood, Failure, TooLong)}
        lines = sorted((dict(line) for line in self.calls[call]), key=lambda line: line.pop("index"))
        return [kinds[line.pop("kind")](**line) for line in lines]


def run_session(program: str, job: dict[str, Any], interpreter: Path, root: Path, folder: Path) -> Session:
    """Run one of the programs beside this file."""
    (folder / "job.json").write_text(json.dumps(job))
    command = [interpreter, Path(__file__).with_name(program), folder / "job.json", folder / "results"]
    ended = run(command, root, log=folder / "log")
    calls: dict[str, list[dict[str, Any]]] = {}
    for line in (folder / "results").read_text().splitlines():
        fields = json.loads(line)
        calls.setdefault(fields.pop("call"), []).append(fields)
    assert calls, ended.log[-4000:]
    return Session(calls, ended)


@pytest.fixture(scope="session")
def session(vllm_python: Path, root: Path, smollm2: Path, tmp_path_factory: pytest.TempPathFactory) -> Session:
    job = {
        "model": str(smollm2),
        "annotator": SETTINGS.model_dump(mode="json"),
        "generate": {call: as_json(requests) for call, requests in REPLIES.items()},
        "log_likelihood": {call: as_json(requests) for call, requests in LIKELIHOODS.items()},
        "killed": as_json(KILLED),
    }
    return run_session("vllm_session.py", job, vllm_python, root, tmp_path_factory.mktemp("vllm"))


@pytest.fixture(scope="session")
def deaths(vllm_python: Path, root: Path, tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Session:
    job = {
        "model": str(tiny_model),
        "annotator": SETTINGS.model_copy(update={"max_model_len": 1024}).model_dump(mode="json"),
        "requests": {call: as_json(requests) for call, requests in DEATHS.items()},
    }
    return run_session("vllm_deaths.py", job, vllm_python, root, tmp_path_factory.mktemp("deaths"))


@pytest.fixture(scope="session")
def transformers_engine(smollm2: Path) -> TransformersEngine:
    return TransformersEngine(smollm2, SETTINGS, Performance())


def by_place(results: Iterable[tuple[int, Any]]) -> list[Any]:
    return [result for _, result in sorted(results, key=lambda pair: pair[0])]


def test_greedy_replies_are_those_of_the_transformers_engine(
    session: Session, transformers_engine: TransformersEngine
) -> None:
    """In fp32, token for token; in half precision the two may part at a near-tie."""
    assert session.results("greedy") == by_place(transformers_engine.generate(REPLIES["greedy"]))


def test_log_likelihoods_are_those_of_the_transformers_engine(
    session: Session, transformers_engine: TransformersEngine
) -> None:
    expected = by_place(transformers_engine.log_likelihood(CONTINUATIONS))
    for ours, theirs in zip(session.results("scored"), expected, strict=True):
        assert ours.total == pytest.approx(theirs.total, abs=1e-3)
        assert (ours.tokens, ours.prompt_tokens) == (theirs.tokens, theirs.prompt_tokens)


def test_both_engines_share_what_is_stored(session: Session, transformers_engine: TransformersEngine) -> None:
    assert session.calls["fingerprint"] == [{"text": transformers_engine.fingerprint}]


def test_sampled_reply_depends_on_its_seed_and_prompt_alone(session: Session) -> None:
    sampled = session.results("sampled")
    assert sampled == session.results("sampled backwards")[::-1]
    assert sampled != session.results("other seed")
    one, same = session.results("one text, one seed")
    assert one == same


def test_guided_reply_has_the_form_and_ends_its_turn(session: Session) -> None:
    """The forms of the stages, some for as many passages as the paper shows, among others."""
    selection, ranking, answer, verdict, grade = replies = session.results("structured_outputs")
    assert SELECTION.read(selection, 31).outcome in ("ok", "empty")
    assert re.fullmatch(RANKING.guide(31), ranking.text)
    assert RANKING.read(ranking, 31).outcome == "ok"
    assert answer.text in ("yes", "no")
    assert read_verdict(verdict, 8) is not None
    assert read_grade(grade) in GRADES
    assert {reply.finish_reason for reply in replies} == {"stop"}


def test_request_that_fails_costs_no_other_its_result(session: Session) -> None:
    results = session.results("with failures")
    assert [type(result) for result in results] == [Completion, TooLong, Failure, Failure, Completion]
    assert [results[0], results[4]] == session.results("greedy")[:2]
    assert results[1].share < 1
    assert "refuses" in results[2].reason
    assert "temperature" in results[3].reason


def test_text_that_cannot_be_scored_costs_no_other_its_likelihood(session: Session) -> None:
    assert [type(result) for result in session.results("unscorable")] == [Failure, TooLong, LogLikelihood]


def test_result_is_handed_over_as_soon_as_it_is_there(session: Session) -> None:
    assert [line["index"] for line in session.calls["long first"]] == [1, 0]


def test_killed_engine_is_started_again_and_serves_what_it_held(session: Session) -> None:
    assert [line["index"] for line in session.calls["killed"]] == [0, 1]
    assert [type(result) for result in session.results("killed")] == [Completion, Completion]
    assert session.run.code == 0, session.run.log[-4000:]
    assert "vLLM's engine crashed" in session.run.log
    assert session.run.left_over() == []


def test_request_that_exhausts_memory_is_an_outcome_and_the_rest_go_on(
    deaths: Session, tiny_model: Path, annotator: Annotator
) -> None:
    """A real allocation failure: the logits of one long text are more than the engine's processes may have."""
    results = deaths.results("one too many")
    expected = by_place(TransformersEngine(tiny_model, annotator, Performance()).log_likelihood(DEATHS["one too many"]))
    assert [type(result) for result in results] == [LogLikelihood] * 2 + [Failure] + [LogLikelihood] * 3
    assert "alone" in results[2].reason
    for place in (0, 1, 3, 4, 5):
        assert results[place].total == pytest.approx(expected[place].total, abs=1e-3)
    assert deaths.calls["starts"] == [{"number": 3}]  # dead with all of them, dead with this one, well with the rest


def test_engine_that_dies_of_everything_ends_the_job_with_what_to_do(deaths: Session) -> None:
    assert "doomed" not in deaths.calls
    assert deaths.run.code == 1
    assert re.search(r"error: vLLM's engine crashed \d times in a row", deaths.run.log)
    assert deaths.run.left_over() == []


PRIVATE_PARTS = """
import inspect
from vllm.v1.engine.core_client import MPClient, SyncMPClient

start, read = inspect.getsource(SyncMPClient.__init__), inspect.getsource(SyncMPClient.get_output)
assert "self.outputs_queue = queue.Queue" in start, "the queue has gone"
assert "self.output_queue_thread = Thread(" in start, "the thread has gone"
assert "self.outputs_queue.get()" in read and "raise self._format_exception(outputs)" in read, "step waits otherwise"
assert "outputs_queue" not in inspect.getsource(MPClient.start_engine_core_monitor), "vLLM wakes step up itself"
assert "output_queue_thread" not in inspect.getsource(MPClient.shutdown), "vLLM waits for the thread itself"
"""
"""What the engine takes for granted of vLLM's private parts, and why it needs them."""


def test_private_parts_of_vllm_are_as_the_engine_uses_them(vllm_python: Path) -> None:
    """Where this fails after an update of vLLM, change or remove what uses ``vllm_engine._client``."""
    subprocess.run([vllm_python, "-c", PRIVATE_PARTS], check=True)


def test_build_for_a_gpu_asks_for_one(session: Session) -> None:
    assert re.search(r"finds none.*performance\.annotate\.python", session.calls["without a GPU"][0]["text"])


@pytest.mark.skipif(find_spec("vllm") is not None, reason="this interpreter has vLLM")
def test_interpreter_without_vllm_is_told_which_setting_helps(tiny_model: Path) -> None:
    with pytest.raises(InputError, match=r"no working vLLM.*performance\.annotate\.python"):
        VllmEngine(tiny_model, SETTINGS, Performance())


def test_vllm_s_environment_has_what_the_annotation_scripts_import(vllm_python: Path, root: Path) -> None:
    scripts = root / "workflow" / "scripts"
    subprocess.run([vllm_python, "-c", "import annotate, answers"], cwd=scripts, check=True)


def relsel_command(
    interpreter: Path | str, root: Path, model: Path, pool: Path, settings: Annotator, **performance: Any
) -> list[Path | str]:
    """annotate.py with the stage relsel on the only shard of a pool; all that it leaves lies beside the pool."""
    config = write_configuration(
        pool.with_name(f"{settings.engine}.yaml"), annotators={"judge": settings}, performance=performance
    )
    options = arguments(
        config=config,
        stage="relsel",
        annotator="judge",
        model=model,
        pool=pool,
        shard=SHARD,
        prompt=root / "resources" / "prompts" / STAGES["relsel"].way("pointwise").template,
        store=pool.with_name(f"store-{settings.engine}"),
        annotation=pool.with_name(settings.engine),
    )
    return [interpreter, root / "workflow" / "scripts" / "annotate.py", *options]


def annotated(folder: Path, engine: str) -> Path:
    """The shard that a job writes."""
    return folder / engine / "relsel" / f"{SHARD}.parquet"


POINTWISE = Annotator(model="tiny", engine="vllm", precision="fp32", protocol="pointwise", max_model_len=512)


def test_model_split_over_two_workers_scores_as_transformers_does(
    vllm_python: Path, root: Path, tiny_model: Path, tmp_path: Path
) -> None:
    """Tensor parallelism, by the setting that on a cluster asks for two GPUs; here each worker is a CPU's."""
    write_pool(tmp_path / "pool", {"q": [(f"d{letter}", False) for letter in "abcd"]})
    rows = []
    for interpreter, engine, annotate in (
        (vllm_python, "vllm", {"gpus": 2}),
        (sys.executable, "transformers", {"device": "cpu"}),
    ):
        settings = POINTWISE.model_copy(update={"engine": engine})
        command = relsel_command(
            interpreter, root, tiny_model, tmp_path / "pool", settings, threads=1, annotate=annotate
        )
        ended = run(command, root, log=tmp_path / "log")
        assert ended.code == 0, ended.log[-4000:]
        assert ended.left_over() == []
        assert ("tensor_parallel_size=2" in ended.log) == (engine == "vllm")
        rows += ANNOTATION.read(annotated(tmp_path, engine)).to_pylist()
    split, whole = rows
    assert [score["score"] for score in split["scores"]] == pytest.approx(
        [score["score"] for score in whole["scores"]], abs=1e-3
    )
    assert split["docids"] == whole["docids"]


def test_shard_killed_half_way_leaves_no_process_and_resumes(
    vllm_python: Path, root: Path, tiny_model: Path, tmp_path: Path
) -> None:
    requests = 600
    pool = {f"q{number}": [(f"d{number}{letter}", False) for letter in "abcd"] for number in range(requests // 4)}
    write_pool(tmp_path / "pool", pool)
    command = relsel_command(vllm_python, root, tiny_model, tmp_path / "pool", POINTWISE)

    def stored() -> int:
        return sum(file.read_bytes().count(b"\n") for file in (tmp_path / "store-vllm").glob("*.jsonl"))

    first = run(command, root, log=tmp_path / "first.log", kill_when=lambda: stored() >= 100)
    kept = stored()
    assert 100 <= kept < requests, first.log[-4000:]
    assert first.code == -signal.SIGKILL
    assert first.family
    assert first.left_over() == []
    assert not annotated(tmp_path, "vllm").exists()

    second = run(command, root, log=tmp_path / "second.log")
    assert second.code == 0, second.log[-4000:]
    assert second.left_over() == []
    summary = json.loads(annotated(tmp_path, "vllm").with_suffix(".json").read_text())
    assert (summary["from_store"], summary["made"]) == (kept, requests - kept)
    assert stored() == requests
    assert {row["outcome"] for row in ANNOTATION.read(annotated(tmp_path, "vllm")).to_pylist()} == {"ok"}
