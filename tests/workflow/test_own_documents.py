"""A folder of documents alone: config/own-documents.yaml, run from end to end with a server of the test as the LLM."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from scripted_server import Answer, Received, ScriptedServer
from workflow_copy import copy_of_repository, fast_environment, planned, snakemake

from utility_annotation.io.schemas import DROPPED_QUESTIONS, LABELS, POOL, WRITTEN_QUESTIONS

pytestmark = pytest.mark.snakemake

FILES = ("config/own-documents.yaml", "config/own-documents-small.yaml", "config/edited.yaml")
THINGS = ("anchor", "bakery", "compass", "dragon", "elevator", "forest", "garden", "harbour", "island", "jungle")
WITH_REAL = (*FILES, "config/own-documents-questions.yaml", "config/edited-real.yaml")
JOINED = ("real", "utilsel-real")
"""The trainings that real questions add."""
REAL = "please tell me about"
"""How each real question begins."""
LATER = "zeppelin"
"""The document that is added to the finished run."""
PLACES = ("in the north", "in the south")


def _reply(request: Received) -> Answer:
    """Asks about the thing of the passage, says too much about one of them, and picks the first two passages."""
    asked = request.body["messages"][-1]["content"]
    if "Question: ..." in asked:
        thing = next(each for each in (*THINGS, LATER) if each in asked)
        place = next(each for each in PLACES if each in asked)
        style = "keeper" if "search box" in asked else "who is the keeper of the"
        content = f"Question: {style} {thing} {place}\nAnswer: the keeper of the {thing}"
        if thing == THINGS[0] and place == PLACES[0]:
            content = "Question: What does this passage say about it?\nAnswer: a lot"
    elif re.search("selection", asked, re.IGNORECASE):
        content = "My selection:[[1],[2]]"
    else:
        content = "the keeper"
    message = {"message": {"role": "assistant", "content": content}, "finish_reason": "stop"}
    return Answer({"choices": [message], "usage": {"prompt_tokens": 9, "completion_tokens": 2}})


def _write(folder: Path, thing: str) -> None:
    sections = (f"## The {thing} {place}\n\n" + f"The {thing} {place} has a keeper. " * 6 for place in PLACES)
    (folder / f"{thing}.md").write_text(f"# All about the {thing}\n\n" + "\n\n".join(sections))


@pytest.fixture(scope="module")
def finished(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy with ten documents of two sections each, run."""
    folder = copy_of_repository(root, tmp_path_factory.mktemp("documents"))
    own = folder / "raw" / "own" / "documents"
    own.mkdir(parents=True)
    for thing in THINGS:
        _write(own, thing)
    llm = {"engine": "openai", "served_model_name": "judge", "model": None, "max_model_len": None}
    small = yaml.safe_load((folder / FILES[1]).read_text())
    (folder / FILES[1]).write_text(yaml.safe_dump(small | {"annotators": {}}))
    with ScriptedServer(_reply) as server:
        edited = {
            "datasets": {"own": {"documents": {"passage_length": 96, "overlap": 0}}},
            "annotators": {"llm": llm},
            "backbones": {"dense": {"query_length": 16, "passage_length": 96}},
            "pools": {"train": {"size": 4}, "held-out": {"source": {"depth": 3}}},
            "trainings": {"source": {"epochs": 1}, "utilsel": {"epochs": 1}},
            "questions": {"made": {"held_out": 50}},
            "performance": {"annotate": {"server": {"url": server.url}}},
        }
        (folder / "config" / "edited.yaml").write_text(yaml.safe_dump(edited))
        result = snakemake(folder, "own", "own-labels", "--cores", "2", "--configfile", *FILES, having=fast_environment)
    assert result.returncode == 0, result.stderr[-6000:] + result.stdout[-2000:]
    return folder


def test_questions_about_documents_are_divided_by_document(finished: Path) -> None:
    made = finished / "results" / "questions" / "made"
    train, held_out = (WRITTEN_QUESTIONS.read(made / f"{name}.parquet").to_pylist() for name in ("train", "held-out"))
    assert train
    assert held_out
    assert not {row["document"] for row in train} & {row["document"] for row in held_out}
    summary = json.loads((made / "summary.json").read_text())
    dropped = DROPPED_QUESTIONS.read(made / "dropped.parquet").to_pylist()
    passages = POOL.read(finished / "results" / "pools" / "passages" / "0000-of-0001.parquet", ["query_id"]).num_rows
    assert len(train) + len(held_out) + len(dropped) == 2 * passages
    assert summary["dropped"]["of-the-passage"] == 2  # both styles
    assert {row["filter"] for row in dropped} == set(summary["dropped"])


def test_both_trainings_stand_beside_the_untrained_retriever(finished: Path) -> None:
    text = (finished / "results" / "tables" / "own.csv").read_text()
    assert all(f"{row}," in text for row in ("bm25", "untrained", "source", "utilsel"))
    assert (finished / "results" / "verdicts" / "own.md").is_file()


def test_the_source_passage_is_among_the_candidates_and_a_label_of_its_own(finished: Path) -> None:
    sources = {row["query_id"]: row["docid"] for row in _train(finished)}
    rows = LABELS.read(finished / "results" / "labels" / "source.parquet").to_pylist()
    assert {row["query_id"]: row["docid"] for row in rows if row["label"] > 0} == sources


def _train(folder: Path) -> list[dict[str, str]]:
    return WRITTEN_QUESTIONS.read(folder / "results" / "questions" / "made" / "train.parquet").to_pylist()


def test_the_report_says_where_a_passage_is_from(finished: Path) -> None:
    cards = json.loads((finished / "results" / "report" / "annotations" / "train.json").read_text())["cards"]
    assert {passage["origin"] for card in cards for passage in card["passages"]} <= {f"{thing}.md" for thing in THINGS}


def test_nothing_is_left_to_do(finished: Path) -> None:
    assert not planned(finished, "own", "--configfile", *FILES)


def test_real_questions_that_join_are_all_that_is_paid_for(finished: Path) -> None:
    questions = [
        {"query_id": f"r{number}", "text": f"{REAL} the {thing} {place}"}
        for number, (thing, place) in enumerate((thing, place) for thing in THINGS for place in PLACES)
    ]
    (finished / "raw" / "own" / "questions.jsonl").write_text("".join(f"{json.dumps(each)}\n" for each in questions))
    with ScriptedServer(_reply) as server:
        edited = {
            "pools": {"real-train": {"size": 4}, "real-held-out": {"source": {"depth": 3}}},
            "trainings": {name: {"train_group_size": 4, "global_batch_size": 8, "epochs": 1} for name in JOINED},
            "performance": {"annotate": {"server": {"url": server.url}}},
        }
        (finished / WITH_REAL[-1]).write_text(yaml.safe_dump(edited))
        jobs = planned(finished, "own", "own-labels", "real", "--configfile", *WITH_REAL)
        result = snakemake(finished, "real", "--cores", "2", "--configfile", *WITH_REAL, having=fast_environment)
        assert result.returncode == 0, result.stderr[-3000:] + result.stdout[-2000:]
        asked = [json.dumps(request.body["messages"]) for request in server.received]
    assert jobs["train"] == len(JOINED)
    assert jobs["annotate_utilsel"] == len([rule for rule in jobs if rule.startswith("build_pool")]) == 2
    assert not jobs.keys() & {"ingest_passages", "bm25_index", "collect_questions", "keep_questions"}
    assert asked
    assert all(REAL in each for each in asked)
    text = (finished / "results" / "tables" / "real.csv").read_text()
    assert all(f"{row}," in text for row in ("untrained", "utilsel", *JOINED))


def test_a_document_that_is_added_is_all_that_is_paid_for(finished: Path) -> None:
    _write(finished / "raw" / "own" / "documents", LATER)
    edited = yaml.safe_load((finished / FILES[2]).read_text())
    with ScriptedServer(_reply) as server:
        edited["performance"]["annotate"]["server"]["url"] = server.url
        (finished / FILES[2]).write_text(yaml.safe_dump(edited))
        target = "results/questions/made/train.parquet"
        result = snakemake(finished, target, "--cores", "2", "--configfile", *FILES, having=fast_environment)
        assert result.returncode == 0, result.stderr[-3000:] + result.stdout[-2000:]
        asked = [json.dumps(request.body["messages"]) for request in server.received]
    assert asked
    assert all(LATER in each for each in asked)
    questions = [*_train(finished), *WRITTEN_QUESTIONS.read(finished / target.replace("train", "held-out")).to_pylist()]
    assert f"{LATER}.md" in {row["document"] for row in questions}
