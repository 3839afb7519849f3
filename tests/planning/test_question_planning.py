"""Written questions in a configuration."""

from __future__ import annotations

from typing import Any

import pytest
from whole import WHOLE, at_places

from utility_annotation.common.errors import InputError
from utility_annotation.planning import questions


def test_questions_are_read_from_the_replies_of_each_style() -> None:
    shard = "0000-of-0001"
    assert questions.replies(WHOLE, "made", shard) == {
        style: f"results/annotation/passages/list/question-{style}/{shard}.parquet" for style in ("natural", "keyword")
    }
    assert questions.pool_shard(WHOLE, questions="made", shard=shard) == f"results/pools/passages/{shard}.parquet"
    assert questions.shards(WHOLE, questions="made") == [f"results/questions/made/read/{shard}.parquet"]
    assert questions.origins(WHOLE, questions="made") == ["data/written/origins.parquet"]


def test_the_filters_read_a_run_and_labels_where_they_are_asked_for() -> None:
    assert questions.run(WHOLE, questions="made") == ["results/runs/bm25/bm25/made.parquet"]
    assert questions.answerable(WHOLE, questions="made") == ["results/labels/answerable.parquet"]
    without = at_places({"questions/made/round_trip": None, "questions/made/answerable": None})
    assert questions.run(without, questions="made") == questions.answerable(without, questions="made") == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"questions/made/pool": "pasages"}, r"questions\.made\.pool names 'pasages'.*did you mean 'passages'"),
        ({"questions/made/pool": "rows"}, r"pools\.rows is not of format passages"),
        ({"questions/made/annotator": "nobody"}, r"annotator names 'nobody'"),
        ({"questions/made/styles": ["natral"]}, r"'natral', which is no style.*did you mean 'natural'"),
        ({"questions/made/styles": ["natural", "natural"]}, "names one twice"),
        ({"questions/made/round_trip/testset": "dev"}, "is about other questions"),
        ({"questions/made/round_trip/depth": 500}, r"greater than that of testsets\.made, 100"),
        ({"questions/made/answerable": "useful"}, "is about other questions"),
        ({"questions/made/held_out": 100}, "less than 100"),
        ({"labels/useful/pool": "passages"}, "passages without questions, so nothing can be labelled"),
        ({"pools/passages/source/sample": None}, "needs `sample`"),
        ({"pools/passages/source/path": "x"}, "has no `path`"),
        ({"pools/rows/source/sample": 5}, "others have none"),
        ({"pools/rows/source/examples": {"format": "jsonl", "path": "x"}}, "only a source of format passages"),
        ({"pools/passages/source/examples": {"format": "tevatron", "path": "x"}}, "which holds no queries"),
        ({"pools/passages/size": 5}, "has no effect on passages without a question"),
        ({"pools/passages/source/percent": [0, 5]}, "has no effect with a source of format passages"),
    ],
)
def test_what_does_not_fit_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        at_places(changes)


def test_questions_that_come_after_themselves_are_refused() -> None:
    source = {"format": "parquet", "path": "results/questions/made/train.parquet"}
    kept = {
        "datasets/written/splits/kept": {"queries": source, "qrels": source},
        "testsets/kept": {"dataset": "written", "split": "kept"},
        "pools/kept": {"dataset": "written", "split": "kept", "source": {"format": "retrieved", "testset": "kept"}},
        "labels/kept": {"pool": "kept", "source": "human"},
        "trainings/kept": {"labels": "kept", "loss": "singlelh"},
    }
    at_places(kept)
    with pytest.raises(InputError, match=r"labels\.kept: it comes after itself .*questions\.made"):
        at_places(kept | {"questions/made/round_trip/retriever": "encoder/kept"})
