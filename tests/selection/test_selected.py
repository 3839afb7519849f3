"""Passages that are kept: by calibrated probabilities, by a function, and by an LLM in its stages."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import retrieve
from command_line import arguments, write_configuration
from hosted import HOSTED, performance
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scripted_server import Answer, Received, ScriptedServer, chat_answer

from utility_annotation.annotation.prompts import PromptSanitizer, PromptTemplate
from utility_annotation.common.errors import InputError
from utility_annotation.common.files import write_json
from utility_annotation.engines.protocol import Completion, Continuation, Failure, LogLikelihood, ReplyRequest
from utility_annotation.engines.store import CompletionStore
from utility_annotation.engines.throughput import device_seconds
from utility_annotation.io.schemas import ANNOTATION, CORPUS, QUERIES, RUN
from utility_annotation.labels.calibration import METHODS
from utility_annotation.retrieval.llm_reranking import first_passages
from utility_annotation.selection.by_llm import make_stages, select
from utility_annotation.selection.selected import counts, keep
from utility_annotation.selection.selected import select as select_by_scores
from utility_annotation.settings import Annotator, Retries

DOCIDS = [f"d{number}" for number in range(8)]
STAGES = ("relsel", "answer", "utilsel")
Rankings = dict[str, list[tuple[str, float]]]
"""By query, docids and scores, best first."""


def write_run(path: Path, rankings: Rankings) -> Path:
    rows = [
        {"query_id": query_id, "docid": docid, "rank": rank, "score": score}
        for query_id, hits in rankings.items()
        for rank, (docid, score) in enumerate(hits, 1)
    ]
    RUN.write(path, RUN.rows(rows))
    return path


def rows_of(run: Path) -> list[tuple[str, str, int, float]]:
    return [(row["query_id"], row["docid"], row["rank"], row["score"]) for row in RUN.read(run).to_pylist()]


SCORES = np.array([-2.0, -1, -1, 0, 1, 2, 2, 3])
POSITIVE = np.array([0, 1, 0, 0, 1, 1, 0, 1], np.bool_)
FITTED = {name: dict(method.fit(SCORES, POSITIVE)) for name, method in METHODS.items()}
CALIBRATION = {"methods": {name: {"fitted": fitted} for name, fitted in FITTED.items()}}
SCORE = st.integers(-12, 16).map(lambda number: number / 4)
RANKING = st.lists(SCORE, min_size=1, max_size=8).map(
    lambda scores: list(zip(DOCIDS, sorted(scores, reverse=True), strict=False))
)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rankings=st.dictionaries(st.sampled_from("abcd"), RANKING, max_size=4),
    method=st.sampled_from([*METHODS]),
    threshold=st.floats(0.01, 0.99),
    depth=st.integers(1, 9),
)
def test_the_first_passages_are_kept_as_they_are_as_far_as_depth_and_threshold_reach(
    tmp_path: Path, rankings: Rankings, method: str, threshold: float, depth: int
) -> None:
    run = write_run(tmp_path / "run.parquet", rankings)
    write_json(tmp_path / "calibration.json", CALIBRATION)
    table = select_by_scores(run, tmp_path / "calibration.json", method=method, threshold=threshold, depth=depth)
    expected, likely = [], METHODS[method].probabilities
    for query_id, hits in rankings.items():
        for rank, (docid, score) in enumerate(hits[:depth], 1):
            if likely(FITTED[method], np.array([score]))[0] < threshold:
                break
            expected.append((query_id, docid, rank, score))
    RUN.write(tmp_path / "kept.parquet", table)
    assert rows_of(tmp_path / "kept.parquet") == expected
    assert counts(run, table, depth) == {
        "queries": len(rankings),
        "passages": sum(min(depth, len(hits)) for hits in rankings.values()),
        "kept": len(expected),
        "empty": len(rankings) - len({query_id for query_id, *_ in expected}),
    }


def test_a_higher_threshold_keeps_a_part_of_what_a_lower_one_keeps(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run.parquet", {"a": list(zip(DOCIDS, SCORES[::-1].tolist(), strict=True))})
    write_json(tmp_path / "calibration.json", CALIBRATION)
    kept = [
        select_by_scores(run, tmp_path / "calibration.json", method="platt", threshold=threshold, depth=9).num_rows
        for threshold in np.linspace(0.05, 0.95, 30)
    ]
    assert kept == sorted(kept, reverse=True)
    assert len(set(kept)) > 2


def test_a_calibration_without_the_method_or_a_method_that_there_is_not_is_no_selection(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run.parquet", {"a": [("d1", 1.0)]})
    (tmp_path / "damaged.json").write_text("{}")
    with pytest.raises(InputError, match="has no methods"):
        select_by_scores(run, tmp_path / "damaged.json", method="platt", threshold=0.5, depth=3)
    with pytest.raises(InputError, match="plat"):
        select_by_scores(run, tmp_path / "damaged.json", method="plat", threshold=0.5, depth=3)


THREE: Rankings = {"b": [("d1", 3.0), ("d2", 2.0), ("d3", 2.0), ("d4", 1.0)], "a": [("d3", 9.0)], "c": [("d5", 1.0)]}


def test_what_a_function_keeps_is_ranked_from_one_in_its_order(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run.parquet", THREE)
    asked: dict[str, list[str]] = {}

    def kept(query_id: str, docids: list[str]) -> set[str]:
        asked[query_id] = docids
        return {"d4", "d3", "d2"}

    RUN.write(tmp_path / "kept.parquet", keep(run, kept, depth=3))
    assert asked == {"b": ["d1", "d2", "d3"], "a": ["d3"], "c": ["d5"]}, "none is told of what lies deeper"
    assert rows_of(tmp_path / "kept.parquet") == [("a", "d3", 1, 9.0), ("b", "d2", 1, 2.0), ("b", "d3", 2, 2.0)]


@pytest.mark.parametrize("rankings", [THREE, {}], ids=["of three questions", "of none"])
def test_nothing_that_is_kept_is_a_run_all_the_same(tmp_path: Path, rankings: Rankings) -> None:
    run = write_run(tmp_path / "run.parquet", rankings)
    write_json(tmp_path / "calibration.json", CALIBRATION)
    by_function = keep(run, lambda query_id, docids: set(), depth=3)
    by_scores = select_by_scores(run, tmp_path / "calibration.json", method="sigmoid", threshold=0.99999, depth=3)
    for table in (by_function, by_scores):
        RUN.write(tmp_path / "kept.parquet", table)
        assert rows_of(tmp_path / "kept.parquet") == []
        assert counts(run, table, 3)["empty"] == len(rankings)


def test_the_job_leaves_a_run_its_trec_file_and_counts(tmp_path: Path) -> None:
    config = write_configuration(
        tmp_path / "config.yaml",
        rerankers={"cross": {"model": "tiny"}},
        trainings={"useful": {"labels": "human"}},
        labels={"held": {"pool": "pool", "source": "utilsel", "annotator": "judge"}},
        reranked={"again": {"retriever": "bm25/bm25", "reranker": "cross/useful", "depth": 3}},
        selected={"sure": {"retriever": "reranked/again", "labels": "held", "method": "sigmoid", "depth": 3}},
    )
    run = write_run(tmp_path / "run.parquet", {"a": [("d1", 3.0), ("d2", 0.0), ("d3", -1.0)], "b": [("d1", -3.0)]})
    write_json(tmp_path / "calibration.json", CALIBRATION)
    output = tmp_path / "out" / "test.parquet"
    output.parent.mkdir()
    given = {"config": config, "selected": "sure", "run": run, "calibration": tmp_path / "calibration.json"}
    retrieve.main(arguments("select", **given, output=output))
    assert rows_of(output) == [("a", "d1", 1, 3.0), ("a", "d2", 2, 0.0)]
    assert [line.split()[2] for line in output.with_suffix(".trec").read_text().splitlines()] == ["d1", "d2"]
    assert json.loads(output.with_suffix(".json").read_text()) == {"queries": 2, "passages": 4, "kept": 2, "empty": 1}


Reply = str | Completion | Failure


def numbers_of(messages: Sequence[Any]) -> list[int]:
    """How useful each passage of a prompt is, in their order."""
    return [int(number) for message in messages for number in re.findall(r"worth (\d+)", message.content)]


def stage_of(prompt: str) -> str:
    if "Reference answer" in prompt:
        return "utilsel"
    return "answer" if "Answer the question from" in prompt else "relsel"


@dataclass
class Scripted:
    """An engine whose replies a test writes: from the stage, the question and how useful each passage is."""

    reply: Callable[[str, str, list[int]], Reply]
    asked: list[tuple[str, str, list[int]]] = field(default_factory=list)
    fingerprint: str = "scripted"
    special_tokens: frozenset[str] = frozenset()

    def generate(self, requests: Sequence[ReplyRequest]) -> Iterator[tuple[int, Completion | Failure]]:
        for index, request in enumerate(requests):
            text = "\n".join(message.content for message in request.chat)
            stage = (
                "utilsel"
                if "Reference answer" in text
                else "answer"
                if "Answer the question from" in text
                else "relsel"
            )
            (question,) = set(re.findall(r"question (\w)\?", text))
            self.asked.append((stage, question, numbers_of(request.chat)))
            said = self.reply(*self.asked[-1])
            yield index, Completion(said, "stop", 100, 10) if isinstance(said, str) else said

    def log_likelihood(self, requests: Sequence[Continuation]) -> Iterator[tuple[int, LogLikelihood | Failure]]:
        raise AssertionError("nothing asks for likelihoods")


def selection(numbers: Sequence[int], least: int) -> str:
    """The reply that selects the passages of so much use or more."""
    return f"My selection:[{','.join(f'[{place}]' for place, number in enumerate(numbers, 1) if number >= least)}]"


def obliging(stage: str, question: str, numbers: list[int]) -> Reply:
    """On topic from 3, of use from 5."""
    return "It is so." if stage == "answer" else selection(numbers, 3 if stage == "relsel" else 5)


@dataclass
class Selecting:
    """A selection by an LLM of the first passages of three questions."""

    folder: Path
    prompts: dict[str, Path]
    rankings: dict[str, list[str]] = field(default_factory=lambda: {"a": DOCIDS, "b": DOCIDS[6:2:-1], "c": ["d1"]})

    def __post_init__(self) -> None:
        questions = [{"query_id": name, "text": f"question {name}?"} for name in "abc"]
        QUERIES.write(self.folder / "queries.parquet", QUERIES.rows(questions))
        rows = [{"docid": docid, "title": None, "text": f"worth {docid[1:]} points"} for docid in DOCIDS]
        CORPUS.write(self.folder / "corpus.parquet", CORPUS.rows(rows))
        hits: Rankings = {
            name: [(docid, 50.0 - place) for place, docid in enumerate(docids)]
            for name, docids in self.rankings.items()
        }
        write_run(self.folder / "run.parquet", hits)

    def __call__(
        self, engine: Scripted, *, depth: int = 7, stages: Sequence[str] = STAGES
    ) -> tuple[dict[str, list[str]], dict[str, Any]]:
        """The docids that each query keeps, and the summary."""
        files = [self.folder / f"{name}.parquet" for name in ("queries", "run", "corpus")]
        items = first_passages(*files, depth=depth, titles=True)
        prompts = {name: self.prompts[name] for name in stages}
        template = PromptTemplate(prompts[stages[-1]], PromptSanitizer([]))
        annotation = self.folder / "annotation"
        annotation.mkdir(exist_ok=True)
        with CompletionStore(self.folder / "store") as store:
            work = select(
                items,
                make_stages(prompts, Annotator(model="tiny"), template),
                engine,
                store,
                Retries(max_retries=0),
                self.folder / "kept.parquet",
                run=files[1],
                depth=depth,
                folder=annotation,
            )
        found: dict[str, list[str]] = {}
        for query_id, docid, rank, score in rows_of(self.folder / "kept.parquet"):
            found.setdefault(query_id, []).append(docid)
            assert rank == len(found[query_id])
            assert score == 50.0 - self.rankings[query_id].index(docid)
        return found, work.summary()


@pytest.fixture
def selecting(tmp_path: Path, root: Path) -> Selecting:
    return Selecting(tmp_path, {name: root / "resources" / "prompts" / f"{name}.j2" for name in STAGES})


def test_what_the_last_stage_selects_is_kept_in_the_order_of_the_run(selecting: Selecting) -> None:
    engine = Scripted(obliging)
    found, summary = selecting(engine)
    assert found == {"a": ["d5", "d6"], "b": ["d6", "d5"]}
    assert ("relsel", "a", [0, 1, 2, 3, 4, 5, 6]) in engine.asked
    assert ("answer", "a", [3, 4, 5, 6]) in engine.asked
    assert ("utilsel", "a", [3, 4, 5, 6]) in engine.asked
    assert ("utilsel", "c", [1]) in engine.asked, "where none is on topic, all are shown"
    kept = {"queries": 3, "passages": 7 + 4 + 1, "kept": 4, "empty": 1, "kept_whole": 0}
    assert {name: summary[name] for name in kept} == kept
    assert summary["outcomes"] == {"ok": 2, "empty": 1}
    for stage in STAGES:
        rows = ANNOTATION.read(selecting.folder / "annotation" / f"{stage}.parquet")["query_id"].to_pylist()
        assert sorted(rows) == ["a", "b", "c"]


def test_the_summary_has_the_sums_of_all_stages_and_a_second_run_asks_nothing(selecting: Selecting) -> None:
    first, before = selecting(Scripted(obliging))
    work = {"requests": 9, "made": 9, "from_store": 0, "failed": 0, "prompt_tokens": 900, "new_tokens": 90}
    assert {name: before[name] for name in work} == work
    assert before["tokens"] == 990
    silent = Scripted(lambda *asked: Failure("nobody is there"))
    again, after = selecting(silent)
    assert silent.asked == []
    assert again == first
    work = {"requests": 9, "made": 0, "from_store": 9, "failed": 0, "prompt_tokens": 0, "new_tokens": 0}
    assert {name: after[name] for name in work} == work
    assert after["tokens"] == 990, "those of stored replies count"
    same = ("queries", "passages", "kept", "empty", "kept_whole", "outcomes")
    assert {name: after[name] for name in same} == {name: before[name] for name in same}


@pytest.mark.parametrize(
    "bad", ["I cannot say.", Completion("My selection:[[1],[", "length", 100, 10), Failure("broken")]
)
def test_where_nothing_can_be_read_all_passages_are_kept_and_the_question_is_counted(
    selecting: Selecting, caplog: pytest.LogCaptureFixture, bad: Reply
) -> None:
    engine = Scripted(lambda *asked: bad if asked[:2] == ("utilsel", "a") else obliging(*asked))
    found, summary = selecting(engine, depth=4)
    assert found == {"a": DOCIDS[:4], "b": ["d6", "d5"]}
    assert (summary["kept_whole"], summary["empty"], summary["kept"]) == (1, 1, 6)
    assert "1 of 3 questions keep all passages, for lack of a selection" in caplog.text


def test_an_earlier_stage_that_cannot_be_read_leaves_all_passages_to_the_next(selecting: Selecting) -> None:
    engine = Scripted(lambda *asked: "Hm." if asked[:2] == ("relsel", "a") else obliging(*asked))
    found, summary = selecting(engine)
    assert ("utilsel", "a", [0, 1, 2, 3, 4, 5, 6]) in engine.asked
    assert found["a"] == ["d5", "d6"]
    assert summary["kept_whole"] == 0


def test_a_selection_by_relevance_alone_is_one_stage(selecting: Selecting) -> None:
    engine = Scripted(obliging)
    found, summary = selecting(engine, stages=["relsel"])
    assert found == {"a": ["d3", "d4", "d5", "d6"], "b": DOCIDS[6:2:-1]}
    assert (summary["requests"], summary["tokens"]) == (3, 330)


def test_an_llm_that_finds_nothing_of_use_leaves_an_empty_run(selecting: Selecting) -> None:
    engine = Scripted(lambda stage, question, numbers: "So." if stage == "answer" else "My selection:[]")
    found, summary = selecting(engine)
    assert found == {}
    assert (summary["kept"], summary["empty"], summary["queries"], summary["kept_whole"]) == (0, 3, 3, 0)


def test_the_job_of_an_llm_leaves_a_run_and_a_summary_and_pays_for_no_reply_twice(
    selecting: Selecting, quick_servers: None
) -> None:
    def reply(received: Received) -> Answer:
        text = "\n".join(turn["content"] for turn in received.body["messages"])
        (question,) = set(re.findall(r"question (\w)\?", text))
        said = obliging(stage_of(text), question, [int(each) for each in re.findall(r"worth (\d+)", text)])
        return chat_answer(str(said), usage={"prompt_tokens": 50, "completion_tokens": 9})

    folder, summaries = selecting.folder, []
    output = folder / "out" / "test.parquet"
    with ScriptedServer(reply) as server:
        config = write_configuration(
            folder / "config.yaml",
            annotators={"hosted": HOSTED},
            selected={"chosen": {"retriever": "bm25/bm25", "annotator": "hosted", "depth": 7}},
            performance=performance(server.url),
        )
        files = {name: folder / f"{name}.parquet" for name in ("run", "queries", "corpus")}
        places = {"store": folder / "store", "annotation": folder / "annotation" / "test", "output": output}
        given = {"config": config, "selected": "chosen", "prompts": list(selecting.prompts.values())}
        for _ in range(2):
            retrieve.main(arguments("select-by-llm", **given, **files, **places))
            summaries.append(json.loads(output.with_suffix(".json").read_text()))
        assert len(server.received) == 9
    first, second = summaries
    assert [row[:3] for row in rows_of(output)] == [("a", "d5", 1), ("a", "d6", 2), ("b", "d6", 1), ("b", "d5", 2)]
    lines = [line.split() for line in output.with_suffix(".trec").read_text().splitlines()]
    assert [(line[0], line[2], line[-1]) for line in lines][:2] == [
        ("a", "d5", "selected-chosen"),
        ("a", "d6", "selected-chosen"),
    ]
    assert (first["made"], first["tokens"], first["kept"]) == (9, 9 * 59, 4)
    assert (second["made"], second["tokens"], second["kept"]) == (0, 9 * 59, 4)
    assert second["earlier"] is not None, "what the replies cost when they were asked for"
    seconds = device_seconds(first)
    assert seconds
    assert device_seconds(second) == pytest.approx(seconds, rel=0.3), "as long, up to rounded seconds"
