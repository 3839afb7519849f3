"""Cross-encoders: their scores, what sentence-transformers makes of their folders, and whole trainings."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
import train as script
from peft import PeftModel
from safetensors.torch import load_file, save_file
from several import run_processes
from test_dev import CHOSEN
from test_trainer import RUN, train, weights
from tiny_bert import WORDS
from tiny_collection import Collection, make_collection
from transformers import AutoModel, BertConfig, BertForSequenceClassification

from utility_annotation.common.errors import InputError
from utility_annotation.common.files import read_json
from utility_annotation.settings import Reranker
from utility_annotation.training import rerankers
from utility_annotation.training.cross_encoder import CrossEncoder

SETTINGS = {"model": "tiny", "length": 32}
QUERIES = ["red stone", "blue", "a river of copper and light in the winter garden", "music"]
PASSAGES = ["paper ship", "green cloud horse " * 9, "stone", "winter: music music"]


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def pairs(collection: Collection) -> Collection:
    collection.reranker = SETTINGS
    return collection


@pytest.fixture(scope="module", params=["tiny", "tiny_llama"])
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT and a decoder."""
    collection = make_collection(tmp_path_factory.mktemp(request.param))
    collection.reranker = SETTINGS
    return train(collection, request.getfixturevalue(request.param), "run")


def scores(model: Path, queries: list[str] = QUERIES, passages: list[str] = PASSAGES, **settings: Any) -> torch.Tensor:
    cross_encoder = CrossEncoder.load(model, Reranker(**SETTINGS | settings))
    with torch.no_grad():
        return cross_encoder(*cross_encoder.pad(cross_encoder.token_ids(queries, passages)))[:, 0]


def test_a_padded_batch_has_the_scores_of_single_pairs(trained):
    single = [scores(trained, [query], [passage]) for query, passage in zip(QUERIES, PASSAGES, strict=True)]
    torch.testing.assert_close(scores(trained), torch.cat(single), rtol=1e-5, atol=1e-5)
    assert len(set(scores(trained).tolist())) == len(QUERIES)


def test_sentence_transformers_loads_the_folder_to_the_same_scores(trained):
    from sentence_transformers import CrossEncoder as Theirs

    found = Theirs(str(trained), trust_remote_code=False).predict(list(zip(QUERIES, PASSAGES, strict=True)))
    torch.testing.assert_close(torch.from_numpy(found), scores(trained), rtol=1e-4, atol=1e-5)


def test_a_query_and_a_passage_have_their_prefixes(trained):
    prefixed = scores(trained, query_prefix="blue: ", passage_prefix="red ")
    by_hand = scores(trained, [f"blue: {query}" for query in QUERIES], [f"red {passage}" for passage in PASSAGES])
    torch.testing.assert_close(prefixed, by_hand, rtol=0, atol=0)
    assert not torch.allclose(prefixed, scores(trained))


@pytest.mark.parametrize(
    ("loss", "to"),
    [(loss, 0.8) for loss in ("summarglh", "jointlh", "lsepair", "bce", "lambdaloss", "kl")] + [("listnet", 0.99)],
)
def test_every_loss_falls(tmp_path, tiny_still, loss, to):
    """That of ListNet cannot fall below the entropy of the labels' softmax."""
    collection = make_collection(tmp_path, scores=loss == "kl")
    collection.reranker = SETTINGS
    run = {"loss": loss, "train_group_size": 8, "global_batch_size": 10, "epochs": 15, "learning_rate": 3e-3}
    curve = read_json(train(collection, tiny_still, "run", run | {"warmup_ratio": 0}) / "training.json")["curve"]
    assert curve[-1][2] < to * curve[0][2]


def test_the_first_loss_is_that_of_each_querys_own_passages(tmp_path, tiny_still):
    """All candidates of all queries in one step, so that nothing is drawn: the loss by hand from single scores."""
    collection = make_collection(tmp_path, queries=4, candidates=5)
    collection.reranker = SETTINGS
    run = {"train_group_size": 5, "global_batch_size": 4, "epochs": 1, "seed": 3}
    first = read_json(train(collection, tiny_still, "run", run) / "training.json")["curve"][0][2]
    start = CrossEncoder.load(tiny_still, Reranker(**SETTINGS), seed=3)
    terms = []
    for query_id, pool in collection.pool.items():
        labels = [collection.labels[query_id][candidate["docid"]] for candidate in pool]
        found = start.token_ids([collection.query.format(query_id)] * len(pool), [each["text"] for each in pool])
        with torch.no_grad():
            probability = start(*start.pad(found))[:, 0].softmax(dim=0)
        if any(labels):
            terms.append(-probability[torch.tensor(labels) > 0].sum().log())
    assert first == pytest.approx(torch.stack(terms).mean().item(), rel=1e-5)


def test_the_record_names_the_negatives_and_the_settings(pairs, tiny):
    record = read_json(train(pairs, tiny, "run") / "training.json")
    assert record["effective_batch"]["negatives"] == "own"
    assert record["backbone"] == Reranker(**SETTINGS).model_dump(mode="json")
    # 7 queries with a positive, 4 passages each, twice; a pair is one text
    assert record["effort"]["texts"] == 7 * 4 * 2


def test_a_new_layer_that_few_steps_train_is_warned_of(pairs, tiny, monkeypatch, caplog, root):
    assert f"fewer than {rerankers.FEW_STEPS} steps" in (root / "docs" / "rerank.md").read_text()

    def warned(model: Path, name: str) -> tuple[list[str], list[str]]:
        """The warnings of a training of six steps, and the layers that its record calls new."""
        caplog.clear()
        record = read_json(train(pairs, model, name) / "training.json")
        assert record["steps"] == 6
        return [each.message for each in caplog.records if each.levelname == "WARNING"], record["new_layers"]

    (warning,), new = warned(tiny, "few")
    assert "the layer for the score is new (classifier), and 6 steps are few to train it" in warning
    assert new == ["classifier"]
    assert warned(pairs.folder / "few" / "model", "second") == ([], []), "the first stage has the layer"
    monkeypatch.setattr(rerankers, "FEW_STEPS", 6)
    assert warned(tiny, "enough") == ([], ["classifier"])
    pairs.reranker = None
    assert warned(tiny, "retriever") == ([], [])


def test_another_seed_has_another_first_layer_and_the_same_seed_the_same(tiny):
    first, again, other = (
        CrossEncoder.load(tiny, Reranker(**SETTINGS), seed=seed).model.classifier.weight for seed in (1, 1, 2)
    )
    torch.testing.assert_close(again, first, rtol=0, atol=0)
    assert not torch.equal(other, first)


def test_a_second_stage_goes_on_from_the_first(pairs, tiny_still):
    first = train(pairs, tiny_still, "first")
    frozen = train(pairs, first, "second", {"learning_rate": 1e-12, "seed": 9, "epochs": 1})
    torch.testing.assert_close(scores(frozen), scores(first), rtol=1e-5, atol=1e-6)


SHIFTED = {"loss": "bce"}
"""A softmax gives the score's bias no gradient but float noise, which AdamW makes as large as others."""


def test_gradient_caching_gives_the_same_model(pairs, tiny):
    found = [scores(train(pairs, tiny, str(chunk), SHIFTED, grad_cache_chunk=chunk)) for chunk in (0, 3)]
    torch.testing.assert_close(*found, rtol=1e-3, atol=1e-3)


@pytest.mark.process
@pytest.mark.parametrize("fsdp", [False, True])
def test_two_processes_give_the_same_model(pairs, tiny_still, fsdp):
    performance = {"fsdp": fsdp, "gpus": 2 * fsdp}
    run_processes(2, script.main, pairs.arguments(tiny_still, "together", RUN | SHIFTED, performance))
    together, alone = pairs.folder / "together" / "model", train(pairs, tiny_still, "alone", SHIFTED)
    torch.testing.assert_close(scores(together), scores(alone), rtol=1e-3, atol=1e-3)


def test_dev_questions_are_scored_and_the_best_weights_kept(pairs, tiny, tmp_path):
    pairs.dev = make_collection(tmp_path / "dev", queries=9, prefix="dev", seed=3)
    record = read_json(train(pairs, tiny, "run", CHOSEN) / "training.json")["dev"]
    assert record["questions"] == 6
    assert len({value for _, value in record["curve"]}) > 1
    kept = scores(pairs.folder / "run" / "model")
    assert record["kept_step"] == max(record["curve"], key=lambda row: row[1])[0]
    assert torch.isfinite(kept).all()


def test_the_dev_metric_is_that_of_the_models_own_scores(pairs, tiny_still, tmp_path):
    """The value after the last step, computed again from the written model: MRR of the first positive."""
    pairs.dev = make_collection(tmp_path / "dev", queries=9, prefix="dev", seed=3)
    run = {"dev": {"labels": "dev", "every": 100, "metric": "mrr@8"}}
    model = train(pairs, tiny_still, "run", run)
    reciprocal = []
    for query_id, pool in pairs.dev.pool.items():
        labels = pairs.dev.labels[query_id]
        if any(labels.values()):
            found = scores(model, [pairs.dev.query.format(query_id)] * len(pool), [each["text"] for each in pool])
            order = sorted(zip(found.tolist(), (each["docid"] for each in pool), strict=True), reverse=True)
            reciprocal.append(next(1 / rank for rank, (_, docid) in enumerate(order, 1) if labels[docid]))
    curve = read_json(model / "training.json")["dev"]["curve"]
    assert curve[-1][1] == pytest.approx(sum(reciprocal) / len(reciprocal), rel=1e-6)


def test_lora_trains_the_matrices_and_the_layer_of_the_score(pairs, tiny):
    model = train(pairs, tiny, "run", {"lora": {"r": 2, "alpha": 8}})
    start, found = CrossEncoder.load(tiny, Reranker(**SETTINGS), seed=42), weights(model)
    for name, before in start.model.state_dict().items():
        matrix = before.ndim == 2 and "embeddings" not in name
        assert torch.equal(found[name], before) != (matrix or name.startswith("classifier.")), name
    second = train(pairs, model, "second", {"lora": {"r": 2, "alpha": 8}})
    assert not torch.equal(weights(second)["classifier.weight"], found["classifier.weight"])


def test_the_adapter_on_the_start_gives_the_scores_of_the_merged_model(pairs, tiny):
    model = train(pairs, tiny, "run", {"lora": {"r": 2, "alpha": 8}, "epochs": 6})
    apart = CrossEncoder.load(tiny, Reranker(**SETTINGS), seed=77)  # another first layer, which the adapter replaces
    apart.model = PeftModel.from_pretrained(apart.model, model / "adapter").eval()
    with torch.no_grad():
        found = apart(*apart.pad(apart.token_ids(QUERIES, PASSAGES)))[:, 0]
    torch.testing.assert_close(found, scores(model), rtol=1e-4, atol=1e-5)


def save_changed(folder: Path, source: Path, change: Any) -> Path:
    shutil.copytree(source, folder)
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    return folder


def test_a_model_without_a_layer_for_the_score_cannot_rerank(tiny):
    with pytest.raises(InputError, match="no layer for a score"):
        CrossEncoder.load(tiny, Reranker(**SETTINGS))


def test_missing_weights_of_the_transformer_are_an_error(tiny, tmp_path):
    folder = save_changed(tmp_path / "cut", tiny, lambda tensors: tensors.pop("encoder.layer.1.output.dense.weight"))
    with pytest.raises(InputError, match=r"layer\.1\.output\.dense\.weight are missing"):
        CrossEncoder.load(folder, Reranker(**SETTINGS), seed=1)


def test_a_missing_pooler_is_new_and_trained(pairs, tiny, tmp_path):
    def drop(tensors: dict[str, torch.Tensor]) -> None:
        for name in [name for name in tensors if name.startswith("pooler.")]:
            del tensors[name]

    folder = save_changed(tmp_path / "bare", tiny, drop)
    assert CrossEncoder.load(folder, Reranker(**SETTINGS), seed=1).head == ("classifier", "bert.pooler")
    assert torch.isfinite(scores(train(pairs, folder, "run", {"lora": {"r": 2}}))).all()


def test_a_model_of_several_classes_is_refused(tiny, tmp_path):
    folder = tmp_path / "classes"
    shutil.copytree(tiny, folder)
    BertForSequenceClassification(BertConfig.from_pretrained(tiny, num_labels=3)).save_pretrained(folder)
    with pytest.raises(InputError, match="3 classes"):
        CrossEncoder.load(folder, Reranker(**SETTINGS), seed=1)


def test_a_length_beyond_the_positions_is_refused(tiny):
    with pytest.raises(InputError, match="length is 65, but the model has 64 positions"):
        CrossEncoder.load(tiny, Reranker(model="tiny", length=65), seed=1)


def test_prefixes_that_leave_no_room_are_refused(tiny):
    with pytest.raises(InputError, match="nothing is left for the texts"):
        CrossEncoder.load(tiny, Reranker(model="tiny", length=10, query_prefix=" ".join(WORDS)), seed=1)


def test_a_decoder_needs_its_weights(tiny_llama, tmp_path):
    AutoModel.from_pretrained(tiny_llama, trust_remote_code=False)  # it is a whole model
    folder = save_changed(tmp_path / "cut", tiny_llama, lambda tensors: tensors.pop("layers.1.mlp.up_proj.weight"))
    with pytest.raises(InputError, match="are missing"):
        CrossEncoder.load(folder, Reranker(**SETTINGS), seed=1)
