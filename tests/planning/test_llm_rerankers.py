"""Runs that an LLM reranks: what is wrong with them, their files and their seeds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from whole import WHOLE, at_places

from utility_annotation.common.errors import InputError
from utility_annotation.planning import reranking, runs
from utility_annotation.planning.loading import read_resolved, write_resolved

OURS = {"retriever": "bm25/bm25", "annotator": "list"}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (
            {"annotator": "lisst"},
            "reranked.new.annotator names 'lisst', which is not in `annotators` (did you mean 'list'",
        ),
        ({"reranker": "cross/human"}, "give one of `reranker` and `annotator`"),
        ({"annotator": None}, "give one of `reranker` and `annotator`"),
        ({"step": 21}, "a `step` of 21 leaves out passages between windows of 20"),
        ({"window": 1, "step": 1}, "window"),
        ({"annotator": "point", "window": 10}, "reranked.new.window has no effect under the protocol pointwise"),
        ({"annotator": None, "reranker": "cross/human", "step": 5}, "reranked.new.step has no effect with a reranker"),
    ],
)
def test_what_does_not_fit_is_one_clear_error(settings: dict[str, Any], expected: str) -> None:
    with pytest.raises(InputError) as error:
        at_places({"rerankers/cross": {"model": "bert"}, "reranked/new": OURS | settings})
    assert expected in str(error.value)


def test_likelihoods_need_the_model_of_the_annotator() -> None:
    with pytest.raises(InputError, match="asks for likelihoods, for which `model`"):
        at_places({"annotators/served/protocol": "pointwise"})


def test_the_prompt_is_that_of_the_annotator(tmp_path: Path, root: Path) -> None:
    names = {name: reranking.annotator(WHOLE, name) for name in ("by-list", "by-point", "by-served")}
    assert names == {"by-list": "list", "by-point": "point", "by-served": "served"}
    assert reranking.template(WHOLE, reranked="by-list") == "prompts/rerank.j2"
    assert reranking.template(WHOLE, reranked="by-point") == "prompts/pointwise_relevance.j2"
    (tmp_path / "rerank.j2").write_text("## user\n{{ query }}")
    own = at_places({"annotators/list/prompts": str(tmp_path)})
    assert reranking.template(own, reranked="by-list") == str(tmp_path / "rerank.j2")


def test_seeds_are_those_of_the_retriever_and_no_training_is_the_llms() -> None:
    several = at_places({"trainings/human/seeds": [42, 7]})
    assert several.reranked["by-list-seed7"].retriever == "encoder/human-seed7"
    assert several.reranked["by-list-seed7"].annotator == "list"
    assert "by-point-seed7" not in several.reranked
    assert reranking.models(WHOLE, "reranked/by-list") == [("encoder", "human")]
    assert reranking.models(WHOLE, "reranked/by-served") == []
    assert [*runs.stages(WHOLE, "reranked/by-served")][1:] == ["reranked/by-point", "bm25/bm25"]


def test_a_job_reads_what_the_plan_wrote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert read_resolved(write_resolved(WHOLE)).reranked == WHOLE.reranked
