"""Runs that an LLM orders again: by windows, by likelihoods, and as the job that the rule runs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
import retrieve
from command_line import arguments, write_configuration
from hosted import HOSTED, performance, said
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scripted_server import Answer, Received, ScriptedServer, chat_answer

from utility_annotation.annotation.prompts import PromptSanitizer, PromptTemplate
from utility_annotation.common.errors import InputError
from utility_annotation.engines.protocol import (
    Chat,
    Completion,
    Continuation,
    Failure,
    LogLikelihood,
    ReplyRequest,
)
from utility_annotation.engines.store import CompletionStore
from utility_annotation.io.schemas import CORPUS, QUERIES, RUN
from utility_annotation.retrieval.llm_reranking import first_passages, rerank, reranking_stage, windows
from utility_annotation.settings import Annotator, Retries

DOCIDS = [f"d{number:02}" for number in range(30)]
"""The text of each passage tells its number, which is how relevant it is."""
Reply = str | Completion | Failure


class Scripted:
    """An engine whose replies and likelihoods a test writes."""

    fingerprint = "scripted"
    special_tokens: frozenset[str] = frozenset()

    def __init__(self, reply: Callable[[list[int]], Reply]) -> None:
        self.reply = reply
        self.asked = 0

    def generate(self, requests: Sequence[ReplyRequest]) -> Iterator[tuple[int, Completion | Failure]]:
        for index, request in enumerate(requests):
            self.asked += 1
            said = self.reply(shown(request.chat))
            yield index, Completion(said, "stop", 100, 10) if isinstance(said, str) else said

    def log_likelihood(self, requests: Sequence[Continuation]) -> Iterator[tuple[int, LogLikelihood | Failure]]:
        for index, request in enumerate(requests):
            self.asked += 1
            (number,) = shown(request.context)
            said = self.reply([number])
            yield index, said if isinstance(said, Failure) else LogLikelihood(float(said), 2, 50)


def shown(chat: Chat) -> list[int]:
    """How relevant each passage of a prompt is, in their order."""
    return [int(number) for message in chat for number in re.findall(r"worth (\d+)", message.content)]


def best_first(numbers: list[int]) -> str:
    places = sorted(range(len(numbers)), key=lambda place: -numbers[place])
    return " > ".join(f"[{place + 1}]" for place in places)


@pytest.fixture
def template(root: Path) -> PromptTemplate:
    return PromptTemplate(root / "resources" / "prompts" / "rerank.j2", PromptSanitizer([]))


@pytest.fixture
def likelihood(root: Path) -> PromptTemplate:
    return PromptTemplate(root / "resources" / "prompts" / "pointwise_relevance.j2", PromptSanitizer([]))


def write(folder: Path, rankings: dict[str, list[str]]) -> None:
    """Questions, the corpus and a run of these rankings."""
    QUERIES.write(
        folder / "queries.parquet", QUERIES.rows([{"query_id": name, "text": f"question {name}?"} for name in "abc"])
    )
    rows = [{"docid": docid, "title": None, "text": f"worth {int(docid[1:])} points"} for docid in DOCIDS]
    CORPUS.write(folder / "corpus.parquet", CORPUS.rows(rows))
    run = [
        {"query_id": query_id, "docid": docid, "rank": rank, "score": 100.0 - rank}
        for query_id, docids in rankings.items()
        for rank, docid in enumerate(docids, 1)
    ]
    RUN.write(folder / "run.parquet", RUN.rows(run))


def reranked(
    folder: Path,
    engine: Scripted,
    prompt: PromptTemplate,
    annotator: Annotator,
    depth: int,
    *between: int,
    store: str = "store",
) -> tuple[dict[str, list[tuple[str, float]]], dict[str, Any]]:
    """(docid, score) of each query in the new run, and the summary."""
    files = [folder / f"{name}.parquet" for name in ("queries", "run", "corpus")]
    items = first_passages(*files, depth=depth, titles=True)
    window, step = between or (None, None)
    with CompletionStore(folder / store) as kept:
        progress = rerank(
            items,
            reranking_stage(annotator, prompt),
            engine,
            kept,
            Retries(max_retries=0),
            folder / "new.parquet",
            run=files[1],
            depth=depth,
            window=window,
            step=step,
        )
    found: dict[str, list[tuple[str, float]]] = {}
    for row in RUN.read(folder / "new.parquet").to_pylist():
        found.setdefault(row["query_id"], []).append((row["docid"], row["score"]))
        assert row["rank"] == len(found[row["query_id"]])
    return found, progress.summary()


LISTWISE = Annotator(model="tiny")
POINTWISE = Annotator(model="tiny", protocol="pointwise")


@pytest.mark.parametrize(
    ("number", "window", "step", "expected"),
    [
        (100, 20, 10, [(80 - 10 * turn, 100 - 10 * turn) for turn in range(9)]),
        (25, 20, 10, [(5, 25), (0, 15)]),
        (20, 20, 10, [(0, 20)]),
        (7, 20, 10, [(0, 7)]),
        (41, 20, 20, [(21, 41), (1, 21)]),
        (1, 20, 10, []),
        (0, 20, 10, []),
    ],
)
def test_windows_go_from_the_bottom_to_the_top(
    number: int, window: int, step: int, expected: list[tuple[int, int]]
) -> None:
    assert [(each.start, each.stop) for each in windows(number, window, step)] == expected


def test_windows_move_the_relevant_passages_from_the_bottom_to_the_top(tmp_path: Path, template) -> None:
    write(tmp_path, {"a": DOCIDS, "b": DOCIDS[:5]})
    engine = Scripted(best_first)
    found, summary = reranked(tmp_path, engine, template, LISTWISE, 25, 8, 4)
    ranked = [docid for docid, _ in found["a"]]
    assert ranked[:4] == ["d24", "d23", "d22", "d21"], "as many as the windows share"
    assert ranked[25:] == DOCIDS[25:]
    assert [docid for docid, _ in found["b"]] == DOCIDS[4::-1]
    scores = [score for _, score in found["a"]]
    assert scores == [*range(25, 0, -1), *range(0, -5, -1)]
    assert summary["queries"] == 2
    assert summary["windows"] == summary["made"] == engine.asked == 6 + 1


@pytest.mark.parametrize(
    ("bad", "outcome"),
    [
        ("I cannot say.", "unparsable"),
        (Completion("[3] > [2] >", "length", 9, 9), "truncated"),
        (Failure("broken"), "error"),
    ],
)
def test_a_window_without_a_readable_reply_keeps_its_order_and_is_counted(
    tmp_path: Path, template, caplog: pytest.LogCaptureFixture, bad: Reply, outcome: str
) -> None:
    write(tmp_path, {"a": DOCIDS[:6], "b": DOCIDS[6:12]})
    engine = Scripted(lambda numbers: bad if 0 in numbers else best_first(numbers))
    found, summary = reranked(tmp_path, engine, template, LISTWISE, 6, 4, 2)
    assert [docid for docid, _ in found["a"]] == ["d00", "d01", "d05", "d04", "d03", "d02"]
    assert [docid for docid, _ in found["b"]] == ["d11", "d10", "d07", "d06", "d09", "d08"]
    assert summary["outcomes"] == {outcome: 1, "ok": 3}
    assert "1 of 4 windows keep their order" in caplog.text


def test_the_same_windows_are_asked_about_once(tmp_path: Path, template) -> None:
    write(tmp_path, {"a": DOCIDS[:6], "b": DOCIDS[6:12]})
    before = reranked(tmp_path, Scripted(best_first), template, LISTWISE, 6, 4, 2)
    silent = Scripted(lambda numbers: Failure("nobody is there"))
    again = reranked(tmp_path, silent, template, LISTWISE, 6, 4, 2)
    assert silent.asked == 0
    assert again[0] == before[0]
    assert (again[1]["made"], again[1]["from_store"]) == (0, 4)


def test_likelihoods_are_the_scores_and_the_order(tmp_path: Path, likelihood) -> None:
    worth = {number: -float((number * 7) % 11) - 0.5 for number in range(30)}
    write(tmp_path, {"a": DOCIDS[:12], "b": DOCIDS[5:8]})
    engine = Scripted(lambda numbers: str(2 * worth[numbers[0]]))
    found, summary = reranked(tmp_path, engine, likelihood, POINTWISE, 9)
    first = sorted(DOCIDS[:9], key=lambda docid: (worth[int(docid[1:])], docid), reverse=True)
    assert found["a"][:9] == [(docid, worth[int(docid[1:])]) for docid in first]
    assert found["a"][9:] == [("d09", -12.0), ("d10", -13.0), ("d11", -14.0)]
    assert summary["made"] == engine.asked == 9 + 3


def test_a_query_of_which_a_likelihood_failed_keeps_its_order(tmp_path: Path, likelihood) -> None:
    write(tmp_path, {"a": DOCIDS[:4], "b": DOCIDS[4:8]})
    engine = Scripted(lambda numbers: Failure("broken") if numbers == [2] else str(float(numbers[0])))
    found, summary = reranked(tmp_path, engine, likelihood, POINTWISE, 3)
    assert [docid for docid, _ in found["a"]] == DOCIDS[:4]
    assert [docid for docid, _ in found["b"]] == ["d06", "d05", "d04", "d07"]
    assert summary["outcomes"] == {"error": 1, "ok": 1}


READABLE: dict[str, Callable[[list[int]], Reply]] = {
    "all": best_first,
    "some": lambda numbers: f"[{len(numbers)}] > [1]",
    "twice": lambda numbers: "[2] > [2] > [1] > [99]",
}
UNREADABLE: dict[str, Callable[[list[int]], Reply]] = {
    "prose": lambda numbers: "They are all fine.",
    "cut off": lambda numbers: Completion("[2] > [1] >", "length", 9, 9),
    "failed": lambda numbers: Failure("broken"),
}


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.data(),
    depth=st.integers(1, 14),
    window=st.integers(2, 6),
    kinds=st.lists(st.sampled_from([*READABLE, *UNREADABLE]), min_size=1, max_size=9),
)
def test_whatever_the_replies_no_passage_is_lost_and_the_tail_keeps_its_order(
    tmp_path: Path, template, data: st.DataObject, depth: int, window: int, kinds: list[str]
) -> None:
    some = st.permutations(DOCIDS[:12]).flatmap(lambda docids: st.integers(1, 12).map(lambda number: docids[:number]))
    rankings = data.draw(st.dictionaries(st.sampled_from("abc"), some, min_size=1))
    step = data.draw(st.integers(1, window))
    write(tmp_path, rankings)
    turns = cycle(kinds)
    engine = Scripted(lambda numbers: (READABLE | UNREADABLE)[next(turns)](numbers))
    store = f"store-{data.draw(st.uuids())}"
    try:
        found, summary = reranked(tmp_path, engine, template, LISTWISE, depth, window, step, store=store)
    except InputError:
        assert not READABLE.keys() & set(kinds[: engine.asked])
        return
    assert found.keys() == rankings.keys()
    for query_id, docids in rankings.items():
        ranked = [docid for docid, _ in found[query_id]]
        assert sorted(ranked[:depth]) == sorted(docids[:depth])
        assert ranked[depth:] == docids[depth:]
        scores = [score for _, score in found[query_id]]
        assert scores == sorted(set(scores), reverse=True)
    assert sum(summary["outcomes"].values()) == summary["windows"]


def job(root: Path, folder: Path, prompt: str, model: Path | None = None, **sections: Any) -> dict[str, Any]:
    """The script as its rule calls it; the summary that it wrote."""
    config = write_configuration(folder / "config.yaml", **sections)
    files = {name: folder / f"{name}.parquet" for name in ("run", "queries", "corpus")}
    places = {"store": folder / "store", "output": folder / "out" / "test.parquet"}
    given = {"config": config, "reranked": "again", "prompt": root / "resources" / "prompts" / prompt}
    retrieve.main(arguments("rerank-by-llm", **given, **({"model": model} if model else {}), **files, **places))
    summary: dict[str, Any] = json.loads((folder / "out" / "test.json").read_text())
    return summary


def test_a_job_leaves_a_run_and_a_summary_and_pays_for_no_window_twice(
    root: Path, tmp_path: Path, quick_servers: None
) -> None:
    def answer(received: Received) -> Answer:
        turns = " ".join(turn["content"] for turn in received.body["messages"])
        numbers = [int(each) for each in re.findall(r"worth (\d+)", turns)]
        assert "question a?" in said(received)
        return chat_answer(best_first(numbers), usage={"prompt_tokens": 50, "completion_tokens": 9})

    write(tmp_path, {"a": DOCIDS[:10]})
    again = {"again": {"retriever": "bm25/bm25", "annotator": "hosted", "depth": 8, "window": 4, "step": 2}}
    with ScriptedServer(answer) as server:
        own = {"annotators": {"hosted": HOSTED}, "reranked": again, "performance": performance(server.url)}
        first = job(root, tmp_path, "rerank.j2", **own)
        asked = len(server.received)
        lines = (tmp_path / "out" / "test.trec").read_text().splitlines()
        second = job(root, tmp_path, "rerank.j2", **own)
        assert asked == len(server.received) == 3
    assert (first["made"], second["made"], second["from_store"]) == (3, 0, 3)
    assert second["earlier"] is not None, "what the windows cost when they were asked about"
    assert [line.split()[2] for line in lines][:2] == ["d07", "d06"]
    assert [line.split()[2] for line in lines][8:] == ["d08", "d09"]
    assert lines[0].split()[-1] == "reranked-again"
    assert (tmp_path / "out" / "test.trec").read_text().splitlines() == lines


def test_a_job_of_a_pointwise_annotator_orders_by_the_models_likelihoods(
    root: Path, tmp_path: Path, tiny_model: Path
) -> None:
    write(tmp_path, {"a": DOCIDS[:6], "b": DOCIDS[6:8]})
    summary = job(
        root,
        tmp_path,
        "pointwise_relevance.j2",
        tiny_model,
        annotators={"judge": Annotator(model="tiny", precision="fp32", protocol="pointwise")},
        reranked={"again": {"retriever": "bm25/bm25", "annotator": "judge", "depth": 4}},
        performance={"annotate": {"batch_tokens": 4096, "device": "cpu"}, "threads": 2},
    )
    rows = [row for row in RUN.read(tmp_path / "out" / "test.parquet").to_pylist() if row["query_id"] == "a"]
    scores = [row["score"] for row in rows]
    assert scores == sorted(scores, reverse=True)
    assert all(score < 0 for score in scores[:4])
    assert sorted(row["docid"] for row in rows[:4]) == DOCIDS[:4]
    assert [row["docid"] for row in rows[4:]] == DOCIDS[4:6]
    assert (summary["made"], summary["queries"], summary["outcomes"]) == (6, 2, {"ok": 2})


def test_a_query_that_the_questions_lack_is_named(tmp_path: Path) -> None:
    write(tmp_path, {"z": DOCIDS[:2]})
    files = [tmp_path / f"{name}.parquet" for name in ("queries", "run", "corpus")]
    with pytest.raises(InputError, match="query 'z'"):
        first_passages(*files, depth=2, titles=True)
