"""Trained retrievers handed over: the folder that others load, and its card."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import export as script
import numpy as np
import pytest
import torch
from command_line import arguments, write_configuration
from huggingface_hub import ModelCard
from tiny_bert import save_tiny_bert
from tiny_decoders import save_tiny_decoder
from transformers import AutoConfig, AutoModelForCausalLM

from utility_annotation.exports.models import ModelExportSettings, export_model
from utility_annotation.labels.calibration import METHODS
from utility_annotation.settings import Backbone, Lora, Reranker, Training
from utility_annotation.training import rerankers
from utility_annotation.training.encoder import Encoder

SETTINGS: dict[str, Any] = {
    "name": "useful-cl20",
    "labels": {"pool": "small", "source": "human"},
    "init_from": {"pool": "small", "source": "utilsel", "annotator": "judge"},
    "source": {"hub": "some/Encoder"},
}
BACKBONE = {
    "model": "tiny",
    "pooling": "mean",
    "normalize": True,
    "query_length": 12,
    "passage_length": 24,
    "query_prefix": "query: ",
}
RERANKER = {"model": "tiny", "length": 32, "query_prefix": "query: ", "passage_prefix": 'the "passage": '}
RERANKERS: dict[str, dict[str, Any]] = {
    "prefixes": RERANKER,
    "no prefixes": {"model": "tiny", "length": 32},
    "decoder": {
        "model": "tiny",
        "score": "yes-no",
        "length": 64,
        "query_prefix": "Q: ",
        "passage_prefix": "\nP: ",
        "passage_suffix": "<end>\n",
        "yes_token": "y",
        "no_token": "n",
    },
}
RUN = {"labels": "human-20", "init_from": "useful", "loss": "summarglh", "temperature": 0.05, "epochs": 2}
TEXTS = ["red stone", "a blue river and a cloud", "horse"]


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    """A model folder as training leaves it."""
    folder = tmp_path / "model"
    Encoder.load(save_tiny_bert(tmp_path / "tiny"), Backbone(**BACKBONE)).save(folder)
    return with_record(folder, Backbone(**BACKBONE))


@pytest.fixture(params=RERANKERS)
def reranker(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """The model folder of a reranker."""
    folder, settings = tmp_path / "model", Reranker(**RERANKERS[request.param])
    if settings.score == "yes-no":
        tiny = save_tiny_decoder(tmp_path / "tiny", before=["<s>"])
        config = AutoConfig.from_pretrained(tiny, trust_remote_code=False)
        AutoModelForCausalLM.from_config(config).save_pretrained(tiny)  # with a layer for the next token
    else:
        tiny = save_tiny_bert(tmp_path / "tiny")
    rerankers.load(tiny, settings, seed=1).save(folder)
    return with_record(folder, settings)


def with_record(folder: Path, settings: Backbone | Reranker) -> Path:
    record = {
        "training": Training(**RUN).model_dump(mode="json"),
        "backbone": settings.model_dump(mode="json"),
        "effective_batch": {"queries": 128, "passages_a_query": 16, "negatives": "own and in-batch"},
        "processes": 8,
        "queries": {"labelled": 1010, "used": 1000, "without_positive": 10},
        "steps": 16,
        "optimizer": "AdamW",
        "schedule": "linear warm-up, linear decay",
    }
    (folder / "training.json").write_text(json.dumps(record))
    (folder / ".snakemake_timestamp").touch()
    return folder


def export(trained: Path, metrics: list[dict[str, Any]], **changed: Any) -> Path:
    paths = [trained.with_name(f"{number}.json") for number in range(len(metrics))]
    for path, figures in zip(paths, metrics, strict=True):
        path.write_text(json.dumps(figures))
    output = trained.with_name("exported")
    export_model(ModelExportSettings.model_validate(SETTINGS | changed), trained, paths, output)
    return output


METRICS = [
    {"testset": "dev", "metrics": {"mrr@10": 0.3525, "recall@1000": 0.97}},
    {"testset": "beir-mean", "metrics": {"ndcg@10": 0.4}},
]


def test_the_card_says_by_which_questions_the_weights_were_chosen(trained: Path) -> None:
    record = json.loads((trained / "training.json").read_text())
    dev = {"labels": "dev-labels", "metric": "ndcg@10", "questions": 1200, "curve": [[0, 0.5], [8, 0.614]]}
    (trained / "training.json").write_text(json.dumps(record | {"dev": dev | {"kept_step": 8}, "planned_steps": 64}))
    card = (export(trained, METRICS) / "README.md").read_text()
    assert "| the weights after step 8, with ndcg@10 61.4 % on 1,200 questions of labels dev-labels" in card
    assert "| 16 of 64 in 2 epoch(s)" in card


def test_the_card_states_data_loss_effective_batch_and_metrics(trained: Path) -> None:
    card = ModelCard.load(export(trained, METRICS) / "README.md")
    assert card.data.library_name == "sentence-transformers"
    assert card.data.base_model == "some/Encoder"
    for row in (
        "| starts from | training useful, which started from some/Encoder |",
        "| labels of that first stage | utility selection: the passages on topic that an LLM found of use",
        "| labels | human-20 of pool small: the human positives of the pool |",
        "| questions | 1,000 (10 more have no positive) |",
        "| loss | summarglh, temperature 0.05 |",
        "| effective batch | 128 questions × 16 passages, over 8 process(es); negatives: own and in-batch |",
        "| dev | mrr@10 | 35.2 |",
        "| dev | recall@1000 | 97.0 |",
        "| beir-mean | ndcg@10 | 40.0 |",
    ):
        assert row in card.text


@pytest.mark.parametrize("keys", [{"append_eos": True}, {"attention": "bidirectional"}, {}])
def test_the_card_says_which_transformers_a_decoder_needs(trained: Path, keys: dict[str, Any]) -> None:
    record = json.loads((trained / "training.json").read_text())
    record["backbone"] |= keys
    (trained / "training.json").write_text(json.dumps(record))
    card = (export(trained, METRICS) / "README.md").read_text()
    assert ("transformers must be version 5.2 or later" in card) == bool(keys)


def test_the_script_finds_labels_and_the_metrics_of_every_table_that_shows_the_model(
    trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A test set that two tables show counts once."""
    monkeypatch.chdir(trained.parent)
    metrics = trained.with_name("results") / "metrics" / "encoder" / "useful-cl20"
    metrics.mkdir(parents=True)
    (metrics / "dev.json").write_text(json.dumps(METRICS[0]))
    group = {"trainings": ["useful", "useful-cl20"]}
    table = {"title": "A", "backbones": ["encoder"], "groups": [group], "testsets": ["dev"], "baseline": None}
    config = write_configuration(
        trained.with_name("config.yaml"),
        models={"tiny": SETTINGS["source"]},
        backbones={"encoder": BACKBONE},
        labels={
            "human-20": {"pool": "pool", "source": "human"},
            "useful": {"pool": "pool", "source": "utilsel", "annotator": "judge"},
        },
        trainings={"useful": {"labels": "useful"}, "useful-cl20": RUN},
        testsets={"dev": {"dataset": "data", "split": "train"}},
        tables={"a": table, "b": table | {"title": "B"}},
    )
    output = trained.with_name("exported")
    names = {"backbone": "encoder", "training": "useful-cl20"}
    script.main(arguments("model", config=config, **names, model=trained, output=output))
    written = ModelCard.load(output / "README.md").text
    assert written.count("| dev | mrr@10 | 35.2 |") == 1
    assert "| labels | human-20 of pool pool: the human positives of the pool |" in written
    assert "| starts from | training useful, which started from some/Encoder |" in written


def test_a_model_that_no_table_shows_has_no_figures(trained: Path) -> None:
    assert "Evaluation" not in ModelCard.load(export(trained, []) / "README.md").text


def test_the_card_says_which_matrices_were_trained(trained: Path) -> None:
    record = json.loads((trained / "training.json").read_text())
    record["training"] |= {"lora": Lora(r=8, dropout=0.05, targets=("query", "value")).model_dump(mode="json")}
    record["parameters"] = {"trained": 12_288, "all": 22_725_504}
    (trained / "training.json").write_text(json.dumps(record))
    (trained / "adapter").mkdir()
    (trained / "adapter" / "adapter_config.json").write_text("{}")
    folder = export(trained, METRICS)
    row = "LoRA of rank 8, alpha 32 and dropout 0.05 on query, value: 12,288 of 22,725,504 parameters; merged here,"
    assert f"| trained weights | {row} and alone in `adapter/` |" in ModelCard.load(folder / "README.md").text
    assert (folder / "adapter" / "adapter_config.json").read_text() == "{}"


def test_a_backbone_of_no_hub_is_named_without_a_link(trained: Path) -> None:
    card = ModelCard.load(export(trained, [], source={"package": "some-package"}) / "README.md")
    assert card.data.base_model is None
    assert "started from some-package" in card.text


def test_the_code_on_the_card_loads_it_with_the_vectors_of_our_encoder(
    trained: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = export(trained, METRICS)
    code = ModelCard.load(folder / "README.md").text.partition("```python\n")[2].partition("```")[0]
    names: dict[str, Any] = {}
    exec(code.replace("this/folder", str(folder)), names)
    vectors = names["model"].encode(TEXTS, convert_to_tensor=True).cpu()
    ours = Encoder.load(trained, Backbone(**BACKBONE)).eval()
    with torch.no_grad():
        expected = ours(*ours.pad(ours.token_ids(TEXTS, "passage")))
    torch.testing.assert_close(vectors, expected, atol=1e-5, rtol=1e-4)
    assert "query: " in code


def test_transformers_loads_it(trained: Path) -> None:
    from transformers import AutoModel, AutoTokenizer

    folder = export(trained, METRICS)
    before, after = (AutoModel.from_pretrained(path).state_dict() for path in (trained, folder))
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert AutoTokenizer.from_pretrained(folder)("red stone").input_ids


def test_only_what_belongs_to_the_model_is_handed_over(trained: Path) -> None:
    files = {path.relative_to(trained) for path in trained.rglob("*")} - {Path(".snakemake_timestamp")}
    folder = export(trained, METRICS)
    assert {path.relative_to(folder) for path in folder.rglob("*")} == files | {Path("README.md")}


OF_RERANKER = {"orders": {"again": "the first 100 passages of bm25/bm25", "more": "the first 20 passages of e/human"}}
ORDERED = [
    {"backbone": "reranked", "training": name, "testset": "dev", "metrics": {"ndcg@10": value}}
    for name, value in (("again", 0.5), ("more", 0.75))
]


@pytest.mark.parametrize(
    ("reranker", "tags"),
    [
        ("prefixes", ["sentence-transformers", "cross-encoder", "reranker"]),
        ("decoder", ["transformers", "reranker"]),
    ],
    indirect=["reranker"],
)
def test_the_card_of_a_reranker_says_what_it_is_and_what_it_orders(reranker: Path, tags: list[str]) -> None:
    card = ModelCard.load(export(reranker, ORDERED, **OF_RERANKER) / "README.md")
    assert (card.data.library_name, card.data.pipeline_tag, card.data.tags) == (tags[0], "text-ranking", tags)
    assert "# useful-cl20: a reranker, tiny trained on labels human-20" in card.text
    assert "| the first 100 passages of bm25/bm25 | dev | ndcg@10 | 50.0 |" in card.text
    assert "| the first 20 passages of e/human | dev | ndcg@10 | 75.0 |" in card.text
    assert "inner product" not in card.text


def test_the_card_of_a_retriever_tells_its_search_from_what_it_orders(trained: Path) -> None:
    searched = {"backbone": "e", "training": "useful-cl20", "testset": "dev", "metrics": {"ndcg@10": 0.25}}
    card = ModelCard.load(export(trained, [searched, *ORDERED], **OF_RERANKER) / "README.md")
    assert "| all passages | dev | ndcg@10 | 25.0 |" in card.text
    assert "| the first 100 passages of bm25/bm25 | dev | ndcg@10 | 50.0 |" in card.text


def test_the_code_on_the_card_of_a_reranker_gives_our_scores(
    reranker: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Reranker(**json.loads((reranker / "training.json").read_text())["backbone"])
    folder = export(reranker, [])
    code = ModelCard.load(folder / "README.md").text.partition("```python\n")[2].partition("```")[0]
    capsys.readouterr()
    exec(code.replace("this/folder", str(folder)), {})
    shown = float(capsys.readouterr().out)
    ours = rerankers.load(reranker, settings)
    with torch.no_grad():
        (expected,) = ours(*ours.pad(ours.token_ids(["a question"], ["a title and a text"])))
    assert shown == pytest.approx(float(expected), abs=1e-5)
    assert f"to {settings.length} tokens" in code


@pytest.mark.parametrize("reranker", ["prefixes"], indirect=True)
def test_the_script_finds_the_metrics_of_what_a_reranker_orders(
    reranker: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(reranker.parent)
    metrics = reranker.with_name("results") / "metrics" / "reranked" / "again"
    metrics.mkdir(parents=True)
    (metrics / "dev.json").write_text(json.dumps(ORDERED[0]))
    config = write_configuration(
        reranker.with_name("config.yaml"),
        models={"tiny": SETTINGS["source"]},
        rerankers={"cross": RERANKER},
        labels={"human-20": {"pool": "pool", "source": "human"}},
        trainings={"few": {"labels": "human-20"}},
        reranked={"again": {"retriever": "bm25/bm25", "reranker": "cross/few"}},
        testsets={"dev": {"dataset": "data", "split": "train"}},
        tables={"a": {"title": "A", "reranked": ["again"], "testsets": ["dev"], "baseline": None}},
    )
    output = reranker.with_name("exported")
    names = {"backbone": "cross", "training": "few"}
    script.main(arguments("model", config=config, **names, model=reranker, output=output))
    row = "| the first 100 passages of bm25/bm25 | dev | ndcg@10 | 50.0 |"
    assert row in ModelCard.load(output / "README.md").text


@pytest.mark.parametrize("reranker", ["prefixes"], indirect=True)
@pytest.mark.parametrize("method", METHODS)
def test_the_code_on_the_card_of_a_selector_gives_our_probabilities(reranker: Path, method: str) -> None:
    scores = np.array([-2.0, -1.0, -0.5, 0.0, 1.0, 2.0])
    fitted = METHODS[method].fit(scores, np.array([False, False, True, False, True, True]))
    calibration = reranker.with_name("held-out.json")
    calibration.write_text(json.dumps({"methods": {method: {"fitted": fitted}}}))
    settings = SETTINGS | {"selects": {"sure": {"labels": "held-out", "method": method, "threshold": 0.4}}}
    folder = reranker.with_name("exported")
    export_model(ModelExportSettings.model_validate(settings), reranker, [], folder, [calibration])
    card = ModelCard.load(folder / "README.md").text
    code = card.partition("## How to select passages (sure)")[2].partition("```python\n")[2].partition("```")[0]
    names: dict[str, Any] = {"score": np.array([-1.7, 0.2, 3.0])}
    exec(code.replace("this/folder", str(folder)), names)
    expected = METHODS[method].probabilities(fitted, names["score"])
    np.testing.assert_allclose(names["probability"], expected)
    assert names["kept"].tolist() == (expected >= 0.4).tolist()
