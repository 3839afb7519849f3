"""BERTScore against its authors' own entry point, and where that one fails."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import answers as script
import bert_score as package
import pytest
from command_line import arguments, write_configuration
from tiny_bert import save_tiny_bert
from transformers import AutoTokenizer, RobertaConfig, RobertaModel, RobertaTokenizer

from utility_annotation.common.errors import InputError
from utility_annotation.common.files import write_json
from utility_annotation.evaluation.answers import BertScoreEncoder, evaluate_answers
from utility_annotation.evaluation.bertscore import bert_score
from utility_annotation.io.schemas import ANNOTATION
from utility_annotation.io.schemas import ANSWERS as TRUTH

ANSWERS = ["red ship", "a green garden by the river", "winter music", "stone"]
REFERENCES = [["blue ship", "red horse"], ["garden"], ["paper light", "copper", "winter music"], ["a stone"]]


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT whose tokenizer states no longest text."""
    return save_tiny_bert(tmp_path_factory.mktemp("bert") / "tiny")


@pytest.fixture(scope="module")
def roberta(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A RoBERTa of 64 positions that reads letters one by one, and a word's first letter with the space before it."""
    folder = tmp_path_factory.mktemp("roberta") / "tiny"
    letters = [*"abcdefghijklmnopqrstuvwxyz", "Ġ"]
    spaced = [f"Ġ{letter}" for letter in letters[:-1]]
    vocabulary = {
        token: place for place, token in enumerate(["<s>", "<pad>", "</s>", "<unk>", "<mask>", *letters, *spaced])
    }
    tokenizer = RobertaTokenizer(vocabulary, [("Ġ", letter) for letter in letters[:-1]])
    config = RobertaConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=66,
        initializer_range=0.5,
    )
    RobertaModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def of_package(folder: Path, tmp_path: Path, layer: int, **tokenizer_settings: object) -> list[float]:
    """The package's own F1, given a tokenizer with which it works."""
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    tokenizer = AutoTokenizer.from_pretrained(folder, model_max_length=64, **tokenizer_settings)
    tokenizer.save_pretrained(copy)
    return package.score(ANSWERS, REFERENCES, model_type=str(copy), num_layers=layer, device="cpu")[2].tolist()


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_it_is_the_packages_own_figure(bert: Path, tmp_path: Path, layer: int) -> None:
    scores = bert_score(ANSWERS, REFERENCES, bert, layer=layer, device="cpu")
    assert scores.tolist() == pytest.approx(of_package(bert, tmp_path, layer), abs=1e-6)


def test_robertas_first_word_has_its_space(roberta: Path, tmp_path: Path) -> None:
    scores = bert_score(ANSWERS, REFERENCES, roberta, layer=1, device="cpu")
    assert scores.tolist() == pytest.approx(of_package(roberta, tmp_path, 1, add_prefix_space=True), abs=1e-6)


@pytest.mark.parametrize("name", ["bert", "roberta"])
def test_a_text_longer_than_the_model_is_cut(name: str, request: pytest.FixtureRequest) -> None:
    folder = request.getfixturevalue(name)
    long = "stone " * 200
    assert bert_score([long], [[long]], folder, layer=1, device="cpu") == pytest.approx([1], abs=1e-5)


def test_blank_and_failed_answers_score_nothing_and_the_others_what_they_scored(bert: Path) -> None:
    alone = bert_score(["red ship"], [["blue ship"]], bert, layer=1, device="cpu")
    blank = bert_score([" ", "red ship"], [["ship"], ["blue ship"]], bert, layer=1, device="cpu")
    assert blank.tolist() == pytest.approx([0, alone[0]], abs=1e-6)
    references = {"failed": ["ship"], "given": ["blue ship"]}
    result = evaluate_answers(
        references, {"failed": None, "given": "red ship"}, ("bert-score",), BertScoreEncoder(bert, 1, "cpu")
    )
    assert result.values["bert-score"].tolist() == pytest.approx([0, alone[0]], abs=1e-6)
    assert bert_score([""], [["ship"]], bert, layer=1, device="cpu").tolist() == [0]


def test_a_layer_that_the_model_lacks_is_named(bert: Path) -> None:
    with pytest.raises(InputError, match="between 0 and 2"):
        bert_score(["red"], [["blue"]], bert, layer=3, device="cpu")


def run_script(folder: Path, performance: dict[str, Any] | None = None, **more: object) -> dict[str, Any]:
    """The script as its rule calls it, on one answer; the metrics that it wrote."""
    row = {"query_id": "q", "outcome": "ok", "answer": "red ship", "whole_pool": False, "replies": ["red ship"]}
    counts = {"attempts": 1, "prompt_tokens": 1, "completion_tokens": 1}
    ANNOTATION.write(folder / "answers.parquet", ANNOTATION.rows([row | counts]))
    TRUTH.write(folder / "truth.parquet", TRUTH.rows([{"query_id": "q", "answers": ["blue ship"]}]))
    task = {"testset": "test", "metrics": ["f1", "bert-score"], "bert_score": {"model": "tiny", "layer": 1}}
    summary = {"prompt_tokens": 1, "new_tokens": 1, "tokens": 2, "engine_seconds": 1, "gpus": 0, "earlier": None}
    write_json(folder / "summary.json", summary | {"passages": 1})
    config = write_configuration(folder / "config.yaml", qa={"t": task}, performance=performance or {})
    script.main(
        arguments(
            "evaluate",
            config=config,
            retriever="encoder/human",
            qa="t",
            generator="judge",
            answers=folder / "answers.parquet",
            truth=folder / "truth.parquet",
            work=folder / "summary.json",
            output=folder / "metrics.json",
            **more,
        )
    )
    return json.loads((folder / "metrics.json").read_text())["metrics"]


def test_the_script_takes_the_model_folder_where_it_needs_one(bert: Path, tmp_path: Path) -> None:
    alone = bert_score(["red ship"], [["blue ship"]], bert, layer=1, device="cpu")
    performance = {"threads": 2, "encode": {"device": "cpu"}}
    metrics = run_script(tmp_path, model=bert, performance=performance)
    assert metrics == {"f1": 0.5, "bert-score": pytest.approx(alone[0], abs=1e-6)}
    with pytest.raises(InputError, match="needs a model and a layer"):
        run_script(tmp_path)
