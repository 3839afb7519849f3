"""The shared encoder: what goes in, what comes out, and that sentence-transformers agrees."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_bert import WORDS, save_tiny_bert

from utility_annotation.common.errors import InputError
from utility_annotation.settings import Backbone
from utility_annotation.training.encoder import Encoder, length_batches

TEXTS = ["red river", "copper cloud stone winter garden music horse", "x", ""]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_bert(tmp_path_factory.mktemp("encoder") / "tiny")


def backbone(**keys: object) -> Backbone:
    return Backbone(model="tiny", query_length=16, passage_length=24, **keys)


def encode(encoder: Encoder, texts: list[str], kind: str) -> torch.Tensor:
    with torch.no_grad():
        return encoder(*encoder.pad(encoder.token_ids(texts, kind)))


@pytest.mark.parametrize("pooling", ["cls", "mean"])
@pytest.mark.parametrize("normalize", [False, True])
def test_sentence_transformers_reads_the_saved_folder_to_the_same_vectors(folder, tmp_path, pooling, normalize):
    from sentence_transformers import SentenceTransformer

    encoder = Encoder.load(
        folder,
        backbone(pooling=pooling, normalize=normalize, query_prefix="query: ", passage_prefix="passage: "),
    )
    encoder.save(tmp_path / "saved")
    other = SentenceTransformer(str(tmp_path / "saved"), device="cpu")
    long_passage = " ".join(WORDS * 4)
    for kind, texts in (("query", TEXTS), ("passage", [*TEXTS, long_passage])):
        theirs = other.encode(texts, prompt_name=kind, convert_to_tensor=True)
        torch.testing.assert_close(encode(encoder, texts, kind), theirs.float(), rtol=1e-5, atol=1e-5)
    assert other.max_seq_length == 24


def test_a_saved_encoder_loads_to_the_same_vectors(folder, tmp_path):
    encoder = Encoder.load(folder, backbone())
    encoder.save(tmp_path / "saved")
    again = Encoder.load(tmp_path / "saved", backbone())
    assert torch.equal(encode(encoder, TEXTS, "passage"), encode(again, TEXTS, "passage"))
    assert not list((tmp_path / "saved").glob("*.bin"))


def test_token_ids_hold_prefix_and_length_of_their_kind(folder):
    encoder = Encoder.load(folder, backbone(query_prefix="red ", passage_prefix="blue "))
    long_text = " ".join(WORDS * 3)
    query, passage = (encoder.token_ids([long_text], kind)[0] for kind in ("query", "passage"))
    assert (len(query), len(passage)) == (16, 24)
    assert encoder.tokenizer.convert_ids_to_tokens(query[:3]) == ["[CLS]", "red", "red"]
    assert encoder.tokenizer.convert_ids_to_tokens(passage[:3]) == ["[CLS]", "blue", "red"]
    assert query[-1] == passage[-1] == encoder.tokenizer.sep_token_id


def test_padding_does_not_change_a_vector(folder):
    for pooling in ("cls", "mean"):
        encoder = Encoder.load(folder, backbone(pooling=pooling))
        together = encode(encoder, TEXTS, "passage")
        alone = torch.cat([encode(encoder, [text], "passage") for text in TEXTS])
        torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-5)


def test_mean_pooling_is_the_mean_over_real_tokens(folder):
    encoder = Encoder.load(folder, backbone(pooling="mean"))
    input_ids, mask = encoder.pad(encoder.token_ids(["red", "red blue green"], "query"))
    hidden = encoder.model(input_ids=input_ids, attention_mask=mask).last_hidden_state
    torch.testing.assert_close(encoder(input_ids, mask)[0], hidden[0, :3].mean(dim=0))


def test_vectors_are_fp32_and_unit_length_under_bf16(folder):
    encoder = Encoder.load(folder, backbone(normalize=True))
    with torch.autocast("cpu", torch.bfloat16):
        vectors = encode(encoder, TEXTS, "query")
    assert vectors.dtype == torch.float32
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(len(TEXTS)))


def test_missing_encoder_weights_are_an_error(folder, tmp_path):
    from safetensors.torch import load_file, save_file

    broken = save_tiny_bert(tmp_path / "broken")
    tensors = load_file(broken / "model.safetensors")
    save_file(
        {key: value for key, value in tensors.items() if "layer.1." not in key},
        broken / "model.safetensors",
        metadata={"format": "pt"},
    )
    with pytest.raises(InputError, match=r"encoder\.layer\.1\..* missing"):
        Encoder.load(broken, backbone())


def test_a_folder_without_a_model_is_named(tmp_path):
    with pytest.raises(InputError, match=str(tmp_path)):
        Encoder.load(tmp_path, backbone())


def test_a_length_beyond_the_model_is_refused(folder):
    with pytest.raises(InputError, match="passage_length is 65, but the model has 64 positions"):
        Encoder.load(folder, Backbone(model="tiny", passage_length=65))


@given(st.lists(st.integers(1, 40)), st.integers(1, 200))
def test_length_batches_hold_each_text_once_within_the_budget(lengths, tokens):
    batches = length_batches(lengths, tokens)
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(lengths[index] for index in batch) <= tokens
    flat = [lengths[index] for batch in batches for index in batch]
    assert flat == sorted(flat, reverse=True)


def seq2seq(folder: Path) -> None:
    from transformers import T5Config, T5ForConditionalGeneration

    T5ForConditionalGeneration(
        T5Config(vocab_size=64, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2)
    ).save_pretrained(folder)


def bart(folder: Path) -> None:
    """It encodes without a decoder's input, and would give its decoder's vectors."""
    from transformers import BartConfig, BartModel

    BartModel(
        BartConfig(
            vocab_size=64,
            d_model=16,
            encoder_layers=1,
            decoder_layers=1,
            encoder_attention_heads=2,
            decoder_attention_heads=2,
            encoder_ffn_dim=16,
            decoder_ffn_dim=16,
        )
    ).save_pretrained(folder)


def images(folder: Path) -> None:
    from transformers import ViTConfig, ViTModel

    ViTModel(
        ViTConfig(
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=16,
            image_size=16,
            patch_size=8,
        )
    ).save_pretrained(folder)


@pytest.mark.parametrize(
    ("save", "problem"),
    [
        (seq2seq, r"\(t5\) is an encoder with a decoder"),
        (bart, r"\(bart\) is an encoder with a decoder"),
        (images, r"\(vit\) is no text encoder"),
    ],
)
def test_a_model_that_is_no_text_encoder_is_refused(tmp_path, save, problem):
    save(save_tiny_bert(tmp_path / "odd"))
    with pytest.raises(InputError, match=problem):
        Encoder.load(tmp_path / "odd", backbone(pooling="mean"))


def test_a_quantised_model_is_no_backbone(folder, tmp_path):
    broken = save_tiny_bert(tmp_path / "broken")
    config = json.loads((broken / "config.json").read_text())
    config["quantization_config"] = {"quant_method": "gptq", "bits": 4}
    (broken / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match="quantised"):
        Encoder.load(broken, backbone())


def test_weights_that_do_not_fit_are_an_error_without_a_traceback(tmp_path):
    broken = save_tiny_bert(tmp_path / "broken")
    config = json.loads((broken / "config.json").read_text())
    (broken / "config.json").write_text(json.dumps(config | {"intermediate_size": 48}))
    with pytest.raises(InputError, match="cannot be loaded"):
        Encoder.load(broken, backbone())
