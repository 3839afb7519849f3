"""Two retrievers question by question."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import report as script
from configured import write_configuration

from utility_annotation.common.errors import InputError
from utility_annotation.io.schemas import CORPUS, PER_QUERY, QRELS, QUERIES, RUN
from utility_annotation.reporting.comparison import compared_questions, examples, summary, to_markdown
from utility_annotation.reporting.settings import ComparisonSettings

SETTINGS = ComparisonSettings(first="b/ours", second="b/theirs", testset="dev", metric="mrr@10", relevance_level=1)
TEXTS = {"q1": "short one", "q2": "a longer question of six words", "q3": "=rain", "q4": "is <b>this</b> bold"}
FIRST = {"q1": 1.0, "q2": 0.0, "q3": 0.5, "q4": 1.0}
SECOND = {"q1": 0.5, "q2": 1.0, "q3": 0.5, "q4": 0.0}
BM25 = {"q1": 0.0, "q2": 0.0, "q3": 1.0, "q4": 0.0}
JUDGED = {"q1": {"d1": 1}, "q2": {"d1": 1, "d2": 2, "d3": 0}, "q3": {"d3": 1}, "q4": {"d9": 1}}


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Any]:
    """Everything that a comparison reads."""
    paths = [tmp_path / name for name in ("first.parquet", "second.parquet", "bm25.parquet")]
    for path, values in zip(paths, (FIRST, SECOND, BM25), strict=True):
        rows = [{"query_id": key, "metric": "mrr@10", "value": value} for key, value in values.items()]
        PER_QUERY.write(path, PER_QUERY.rows(rows))
    rows = [{"query_id": q, "docid": d, "grade": grade} for q, found in JUDGED.items() for d, grade in found.items()]
    QRELS.write(tmp_path / "qrels.parquet", QRELS.rows(rows))
    QUERIES.write(tmp_path / "queries.parquet", QUERIES.table({"query_id": list(TEXTS), "text": list(TEXTS.values())}))
    runs = [tmp_path / "run1.parquet", tmp_path / "run2.parquet"]
    for path, order in zip(runs, (["d9", "d1", "d2"], ["d2", "d1", "d9"]), strict=True):
        rows = [
            {"query_id": query_id, "docid": docid, "rank": rank, "score": -float(rank)}
            for query_id in TEXTS
            for rank, docid in enumerate(order, 1)
        ]
        RUN.write(path, RUN.rows(rows))
    docids = ["d1", "d2", "d3", "d9"]
    columns = {"docid": docids, "title": ["T", None, None, None], "text": ["one", "two", "three", "*nine* " * 70]}
    CORPUS.write(tmp_path / "corpus.parquet", CORPUS.table(columns))
    return {
        "per_query": paths,
        "qrels": [tmp_path / "qrels.parquet"],
        "queries": tmp_path / "queries.parquet",
        "runs": runs,
        "corpus": tmp_path / "corpus.parquet",
    }


@pytest.fixture
def frame(files: dict[str, Any]) -> pd.DataFrame:
    return compared_questions(SETTINGS, files["per_query"], files["qrels"], files["queries"])


def test_a_line_per_question_the_largest_gain_first(frame: pd.DataFrame) -> None:
    assert list(frame["query_id"]) == ["q4", "q1", "q3", "q2"]
    assert list(frame["difference"]) == [100, 50, 0, -100]
    assert list(frame["positives"]) == [1, 1, 1, 2]
    assert list(frame["words"]) == [3, 2, 1, 6]


def test_wins_ties_losses_and_groups_are_counted(frame: pd.DataFrame) -> None:
    found = summary(SETTINGS, frame)
    assert (found["wins"], found["ties"], found["losses"]) == (2, 1, 1)
    assert found["difference"]["value"] == pytest.approx(12.5)
    groups = {(each["by"], each["group"]): (each["queries"], each["difference"]) for each in found["groups"]}
    assert groups["BM25", "finds nothing"] == (3, pytest.approx(50 / 3))
    assert groups["BM25", "finds some"] == (1, 0)
    assert groups["relevant passages", "2 to 4"] == (1, -100)
    assert sum(queries for (by, _), (queries, _) in groups.items() if by == "words in the question") == 4


def test_examples_show_relevant_passages_with_both_ranks(files: dict[str, Any], frame: pd.DataFrame) -> None:
    found = examples(SETTINGS, frame, files["runs"], files["qrels"], files["corpus"])
    assert [each["query_id"] for each in found] == ["q4", "q1", "q2"]
    passages = {passage["docid"]: passage for passage in found[2]["passages"]}
    assert (passages["d2"]["grade"], passages["d2"]["ranks"]) == (2, [3, 1])
    assert passages["d9"]["grade"] is None
    assert passages["d1"]["text"] == "T one"
    assert "d3" not in passages


def test_one_question_is_too_few(frame: pd.DataFrame) -> None:
    with pytest.raises(InputError, match="1 judged question, too few"):
        summary(SETTINGS, frame.head(1))


def test_the_text_of_others_is_no_markup_in_the_page(files: dict[str, Any], frame: pd.DataFrame) -> None:
    found = summary(SETTINGS, frame)
    found["examples"] = examples(SETTINGS, frame, files["runs"], files["qrels"], files["corpus"])
    page = to_markdown(found)
    assert r"\<b\>this\</b\>" in page
    assert "*nine*" not in page.replace(r"\*nine\*", "")


def test_the_script_writes_page_table_and_figures(
    files: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    places = {
        "results/metrics/minilm/human/dev.per-query.parquet": files["per_query"][0],
        "results/metrics/minilm/untrained/dev.per-query.parquet": files["per_query"][1],
        "results/metrics/bm25/bm25/dev.per-query.parquet": files["per_query"][2],
        "results/runs/minilm/human/dev.parquet": files["runs"][0],
        "results/runs/minilm/untrained/dev.parquet": files["runs"][1],
        "data/d/qrels/dev.parquet": files["qrels"][0],
        "data/d/queries/dev.parquet": files["queries"],
        "data/d/corpus.parquet": files["corpus"],
    }
    testset = {"dataset": "d", "split": "dev", "metrics": ["mrr@10"]}
    config = write_configuration(tmp_path, testsets={"dev": testset})
    for place, file in places.items():
        Path(place).parent.mkdir(parents=True, exist_ok=True)
        Path(place).write_bytes(file.read_bytes())
    names = ["--first", "minilm/human", "--second", "minilm/untrained", "--testset", "dev"]
    script.main(["compare", "--config", config, *names, "--output", "page.md"])
    assert "better on 2 questions" in Path("page.md").read_text()
    assert json.loads(Path("page.json").read_text())["losses"] == 1
    table = pd.read_csv("page.csv")
    assert list(table["query_id"]) == ["q4", "q1", "q3", "q2"]
    assert list(table["text"]) == [TEXTS["q4"], TEXTS["q1"], "'=rain", TEXTS["q2"]]
    assert list(table["difference"]) == [100, 50, 0, -100]
