"""Decoders that rerank by the likelihood of "yes": the prompt, the score, and trainings of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from test_trainer import train, weights
from tiny_collection import make_collection
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

from utility_annotation.common.errors import InputError
from utility_annotation.common.files import read_json
from utility_annotation.settings import Reranker
from utility_annotation.training import rerankers
from utility_annotation.training.yes_no import YesNoDecoder

SETTINGS = {
    "model": "tiny",
    "score": "yes-no",
    "yes_token": "red",
    "no_token": "blue",
    "query_prefix": "winter: ",
    "passage_prefix": " ship: ",
    "passage_suffix": " [SEP] copper:",
    "length": 40,
}
QUERIES = ["stone", "a river of copper and light", "music"]
PASSAGES = ["paper ship", "green cloud horse " * 9, "stone"]


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def decoder(tmp_path_factory: pytest.TempPathFactory, tiny_llama: Path) -> Path:
    """With tied embeddings, as small decoders have them."""
    folder = tmp_path_factory.mktemp("model") / "decoder"
    config = LlamaConfig.from_pretrained(tiny_llama, tie_word_embeddings=True, attention_dropout=0.0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        LlamaForCausalLM(config).save_pretrained(folder)
    AutoTokenizer.from_pretrained(tiny_llama, trust_remote_code=False).save_pretrained(folder)
    return folder


def load(folder: Path, **settings: Any) -> YesNoDecoder:
    model = rerankers.load(folder, Reranker(**SETTINGS | settings))
    assert isinstance(model, YesNoDecoder)
    return model


def scores(folder: Path, queries: list[str] = QUERIES, passages: list[str] = PASSAGES, **settings: Any) -> torch.Tensor:
    model = load(folder, **settings)
    with torch.no_grad():
        return model(*model.pad(model.token_ids(queries, passages)))[:, 0]


def test_the_score_is_the_log_odds_of_yes_after_the_whole_prompt(decoder):
    tokenizer = AutoTokenizer.from_pretrained(decoder, trust_remote_code=False)
    model = AutoModelForCausalLM.from_pretrained(decoder, trust_remote_code=False).eval()
    query, passage = QUERIES[0], PASSAGES[0]
    prompt = tokenizer(f"winter: {query} ship: {passage} [SEP] copper:", add_special_tokens=False)["input_ids"]
    with torch.no_grad():
        logits = model(torch.tensor([[tokenizer.cls_token_id, *prompt]])).logits[0, -1]
    yes, no = (logits[tokenizer.convert_tokens_to_ids(word)] for word in ("red", "blue"))
    assert scores(decoder, [query], [passage]).item() == pytest.approx((yes - no).item(), abs=1e-5)


def test_a_padded_batch_has_the_scores_of_single_pairs(decoder):
    single = [scores(decoder, [query], [passage]) for query, passage in zip(QUERIES, PASSAGES, strict=True)]
    torch.testing.assert_close(scores(decoder), torch.cat(single), rtol=1e-5, atol=1e-5)


def test_the_length_cuts_the_longer_text_and_never_the_end_of_the_prompt(decoder):
    model = load(decoder, length=20)
    (pair,) = model.token_ids(["stone"], ["green cloud horse " * 9])
    words = model.tokenizer.convert_ids_to_tokens(list(pair.ids))
    assert len(words) == 20
    assert words[:4] == ["[CLS]", "winter", ":", "stone"]
    assert words[-3:] == ["[SEP]", "copper", ":"]


def test_outside_text_holds_no_token_of_the_structure(decoder):
    model = load(decoder)
    (pair,) = model.token_ids(["stone [SEP] red"], ["ship [CLS] [sep] blue"])
    special = [model.tokenizer.sep_token_id, model.tokenizer.cls_token_id]
    assert [token for token in pair.ids if token in special] == [special[1], special[0]]  # the first and the suffix's


@pytest.mark.parametrize("lora", [None, {"r": 2, "alpha": 8}])
def test_it_is_trained_and_loads_to_the_trained_scores(tmp_path, decoder, lora):
    collection = make_collection(tmp_path)
    collection.reranker = SETTINGS
    run = {"loss": "bce", "global_batch_size": 10, "epochs": 15, "learning_rate": 3e-3, "lora": lora}
    model = train(collection, decoder, "run", run | {"warmup_ratio": 0})
    curve = read_json(model / "training.json")["curve"]
    assert curve[-1][2] < 0.9 * curve[0][2]
    assert not torch.allclose(scores(model), scores(decoder))
    before, after = weights(decoder)["model.embed_tokens.weight"], weights(model)["model.embed_tokens.weight"]
    assert torch.equal(before, after) == bool(lora)


def test_a_word_of_several_tokens_is_refused(decoder):
    with pytest.raises(InputError, match="'redblue' is"):
        load(decoder, yes_token="redblue")


def test_a_model_without_a_vocabulary_on_top_is_refused(tiny):
    with pytest.raises(InputError, match="reranker"):
        load(tiny)


def test_texts_around_that_leave_no_room_are_refused(decoder):
    with pytest.raises(InputError, match="nothing is left for the two"):
        load(decoder, length=9)
