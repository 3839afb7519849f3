"""Backbones that are decoders: the last token, the end of a text, attention, and that sentence-transformers agrees."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from tiny_decoders import save_tiny_decoder

from utility_annotation.common.errors import InputError
from utility_annotation.settings import Backbone
from utility_annotation.training.dropout import prepare
from utility_annotation.training.encoder import Encoder
from utility_annotation.training.gradients import Pass, backward
from utility_annotation.training.losses import LOSSES
from utility_annotation.training.pooling import POOLINGS
from utility_annotation.training.processes import processes

TEXTS = ["red river", "x", "copper cloud stone winter garden", "a text that the length cuts off, as it is long"]
INSTRUCTION = "Do it\nQ: "
PAD, BOS, EOS, END = range(4)


def backbone(**keys: object) -> Backbone:
    return Backbone(**{"model": "tiny", "pooling": "last", "query_length": 24, "passage_length": 32} | keys)


def encode(encoder: Encoder, texts: list[str], kind: str = "passage") -> torch.Tensor:
    with torch.no_grad():
        return encoder(*encoder.pad(encoder.token_ids(texts, kind)))


def assert_sentence_transformers_agrees(
    encoder: Encoder, saved: Path, texts: list[str] = TEXTS, *, kind: str = "passage", difference: float = 2e-5
) -> None:
    from sentence_transformers import SentenceTransformer

    encoder.save(saved)
    other = SentenceTransformer(str(saved), device="cpu")
    theirs = other.encode(texts, prompt_name=kind, convert_to_tensor=True)
    torch.testing.assert_close(encode(encoder, texts, kind), theirs, rtol=1e-4, atol=difference)


@pytest.mark.parametrize("attention", ["own", "bidirectional"])
@pytest.mark.parametrize("architecture", ["llama", "qwen3", "gemma2", "gemma3", "gpt2", "modernbert"])
def test_neither_padding_nor_its_side_changes_a_vector(tmp_path, architecture, attention):
    folder = save_tiny_decoder(tmp_path / "tiny", architecture, side="left")
    encoder = Encoder.load(folder, backbone(append_eos=True, attention=attention))
    alone = torch.cat([encode(encoder, [text]) for text in TEXTS])
    torch.testing.assert_close(encode(encoder, TEXTS), alone, rtol=1e-5, atol=1e-5)
    assert_sentence_transformers_agrees(encoder, tmp_path / "saved")


@pytest.mark.parametrize("pooling", ["cls", "mean", "last"])
def test_poolings_find_their_tokens_on_either_side_of_the_padding(pooling):
    hidden = torch.randn(2, 5, 3)
    right = torch.tensor([[1, 1, 0, 0, 0], [1, 1, 1, 1, 1]])
    function = POOLINGS[pooling].function
    left = torch.stack([hidden[0].roll(3, dims=0), hidden[1]])
    assert torch.equal(function(left, right.flip(1)), function(hidden, right))
    expected = {"cls": hidden[0, 0], "mean": hidden[0, :2].mean(dim=0), "last": hidden[0, 1]}
    torch.testing.assert_close(function(hidden, right)[0], expected[pooling])


def test_cls_pooling_of_a_causal_model_is_refused(tmp_path):
    """All texts begin with the same token, so all vectors would be equal."""
    folder = save_tiny_decoder(tmp_path / "tiny", before=["<s>"])
    with pytest.raises(InputError, match=r"tiny: in this model \(llama\).*`pooling` to mean or last"):
        Encoder.load(folder, backbone(pooling="cls"))
    for keys in ({"pooling": "mean"}, {}, {"pooling": "cls", "attention": "bidirectional"}):
        vectors = encode(Encoder.load(folder, backbone(**keys)), TEXTS)
        assert (vectors[0] - vectors[1]).abs().max() > 1e-3


@pytest.mark.parametrize("architecture", ["llama", "qwen3", "gemma2", "gemma3", "gpt2"])
def test_bidirectional_attention_lets_every_token_see_those_after_it(tmp_path, architecture):
    folder = save_tiny_decoder(tmp_path / "tiny", architecture)
    for attention, sees in (("own", False), ("bidirectional", True)):
        model = Encoder.load(folder, backbone(attention=attention)).model
        for padding in (0, 2):
            ids = torch.tensor([[5, 6, 7, 8, *[PAD] * padding], [5, 6, 7, 9, *[PAD] * padding]])
            with torch.no_grad():
                hidden = model(input_ids=ids, attention_mask=(ids != PAD).long()).last_hidden_state
            differences = (hidden[0] - hidden[1])[:3].abs().amax(dim=1)
            assert ((differences > 1e-3) == sees).all(), (attention, padding)


def test_a_saved_model_keeps_bidirectional_attention(tmp_path):
    folder = save_tiny_decoder(tmp_path / "tiny")
    encoder = Encoder.load(folder, backbone(attention="bidirectional"))
    encoder.save(tmp_path / "saved")
    assert json.loads((tmp_path / "saved" / "config.json").read_text())["is_causal"] is False
    for attention in ("own", "bidirectional"):
        again = encode(Encoder.load(tmp_path / "saved", backbone(attention=attention)), TEXTS)
        torch.testing.assert_close(again, encode(encoder, TEXTS))
    assert (encode(Encoder.load(folder, backbone()), TEXTS) - again).abs().max() > 1e-3


def test_a_model_that_reads_images_too_is_refused(tmp_path: Path) -> None:
    folder = save_tiny_decoder(tmp_path / "tiny", "gemma3-with-images")
    with pytest.raises(InputError, match=r"\(gemma3\) reads more than text.*Fix: set `backbones\.\*\.model`"):
        Encoder.load(folder, Backbone(model="tiny", pooling="last"))


def test_attention_that_cannot_be_bidirectional_is_refused(tmp_path):
    folder = save_tiny_decoder(tmp_path / "tiny", "mamba")
    with pytest.raises(InputError, match=r"\(mamba\) no token can see .* Fix: set `backbones\.\*\.attention` to own"):
        Encoder.load(folder, backbone(attention="bidirectional"))


@pytest.mark.parametrize(
    ("before", "after", "appended"),
    [
        ((), (), [EOS]),
        (("<s>",), (), [EOS]),
        (("<s>",), ("</s>",), [EOS]),
        ((), ("<end>",), [END]),  # as Qwen3-Embedding, whose end of a text is not its eos_token
    ],
)
@pytest.mark.parametrize("side", ["left", "right"])
def test_each_text_ends_with_one_token_that_is_never_cut(tmp_path, before, after, appended, side):
    folder = save_tiny_decoder(tmp_path / "tiny", before=before, after=after, side=side)
    encoder = Encoder.load(folder, backbone(append_eos=True))
    encoder.save(tmp_path / "saved")
    for each in (encoder, Encoder.load(tmp_path / "saved", backbone(append_eos=True))):
        short, long = each.token_ids(["ab", "ab" * 40], "passage")
        bare = each.tokenizer("ab", add_special_tokens=False)["input_ids"]
        begins = [BOS] * len(before)
        assert short == [*begins, *bare, *appended]
        assert long == [*begins, *(bare * 40)[: 31 - len(begins)], *appended]
    assert_sentence_transformers_agrees(encoder, tmp_path / "again")


def test_without_append_eos_the_tokenizer_stays_as_it_is(tmp_path):
    encoder = Encoder.load(save_tiny_decoder(tmp_path / "tiny"), backbone())
    assert EOS not in encoder.token_ids(["ab"], "passage")[0]


def test_a_tokenizer_without_an_end_cannot_append_it(tmp_path):
    folder = save_tiny_decoder(tmp_path / "tiny", eos=None)
    assert Encoder.load(folder, backbone())
    with pytest.raises(InputError, match=r"tokenizer has no end-of-sequence token\. Fix: .*append_eos` to false"):
        Encoder.load(folder, backbone(append_eos=True))


def test_a_tokenizer_that_cannot_be_saved_with_its_end_is_refused(tmp_path):
    """One that is written in Python has no part that a saved folder could carry."""
    from transformers import CTRLTokenizer

    folder = save_tiny_decoder(tmp_path / "tiny")
    for path in folder.glob("tokenizer*"):
        path.unlink()
    (tmp_path / "vocab.json").write_text(json.dumps({"<unk>": 0, "</s>": 1, "a</w>": 2}))
    (tmp_path / "merges.txt").write_text("#version: 0.2\n")
    CTRLTokenizer(str(tmp_path / "vocab.json"), str(tmp_path / "merges.txt"), eos_token="</s>").save_pretrained(folder)
    assert Encoder.load(folder, backbone())
    with pytest.raises(InputError, match=r"\(CTRLTokenizer\) cannot be made to end texts with '</s>'"):
        Encoder.load(folder, backbone(append_eos=True))


def test_the_end_of_a_text_is_the_padding_where_there_is_none(tmp_path):
    encoder = Encoder.load(save_tiny_decoder(tmp_path / "tiny", pad=None), backbone(append_eos=True))
    input_ids, mask = encoder.pad(encoder.token_ids(["a", "abc"], "passage"))
    assert input_ids[0].tolist()[1:] == [EOS, EOS, EOS]
    assert mask[0].tolist() == [1, 1, 0, 0]
    assert_sentence_transformers_agrees(encoder, tmp_path / "saved")


def test_a_tokenizer_that_can_pad_with_nothing_is_refused(tmp_path):
    folder = save_tiny_decoder(tmp_path / "tiny", pad=None, eos=None)
    with pytest.raises(InputError, match=r"neither a padding token nor an end-of-sequence token\. Fix: set pad_token"):
        Encoder.load(folder, backbone())


def test_a_pass_keeps_no_keys_and_values(tmp_path):
    """They are for generating, and would fill the memory."""
    encoder = Encoder.load(save_tiny_decoder(tmp_path / "tiny"), backbone())
    assert encoder.model(torch.tensor([[5, 6]])).past_key_values is None


def test_a_token_that_the_model_does_not_know_is_refused(tmp_path):
    """Such as a padding token that somebody added to the tokenizer alone."""
    from transformers import AutoTokenizer

    folder = save_tiny_decoder(tmp_path / "tiny")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens([f"new{number}" for number in range(60)])
    tokenizer.add_special_tokens({"pad_token": "[PAD]"})
    tokenizer.save_pretrained(folder)
    with pytest.raises(InputError, match=r"no vector of the tokenizer's token '\[PAD\]'\. Fix: .*pad_token"):
        Encoder.load(folder, backbone())


@pytest.mark.parametrize("pooling", ["mean", "last"])
def test_a_text_without_tokens_has_the_vector_0(tmp_path, pooling):
    folder = save_tiny_decoder(tmp_path / "tiny", pad=None)
    encoder = Encoder.load(folder, backbone(pooling=pooling, normalize=True))
    assert torch.equal(encode(encoder, [""]), torch.zeros(1, 32))
    assert_sentence_transformers_agrees(encoder, tmp_path / "saved", ["red", ""])


def test_line_breaks_and_spaces_of_a_prefix_reach_the_model(tmp_path):
    keys = {"query_prefix": INSTRUCTION, "passage_prefix": "  P:\n\n", "query_length": 32}
    encoder = Encoder.load(save_tiny_decoder(tmp_path / "tiny", before=["<s>"]), backbone(**keys))
    for kind, prefix in (("query", INSTRUCTION), ("passage", "  P:\n\n")):
        assert encoder.tokenizer.decode(encoder.token_ids(["ab"], kind)[0]) == f"<s>{prefix}ab"
        assert_sentence_transformers_agrees(encoder, tmp_path / kind, kind=kind)
    assert Encoder.load(tmp_path / "query", backbone(**keys)), "its own files agree"


@pytest.mark.parametrize("kind", ["query", "passage"])
def test_a_prefix_that_leaves_no_room_is_refused(tmp_path, kind):
    folder = save_tiny_decoder(tmp_path / "tiny", before=["<s>"], side="left")
    keys = {f"{kind}_prefix": INSTRUCTION, "append_eos": True}
    used = len(INSTRUCTION) + 2
    with pytest.raises(InputError, match=rf"`{kind}_prefix` and the special tokens are {used} tokens.*{kind}_length"):
        Encoder.load(folder, backbone(**keys, **{f"{kind}_length": used}))
    encoder = Encoder.load(folder, backbone(**keys, **{f"{kind}_length": used + 1}))
    assert encoder.tokenizer.decode(encoder.token_ids(["abc"], kind)[0]) == f"<s>{INSTRUCTION}a</s>"
    other = "passage" if kind == "query" else "query"
    job = backbone(**keys, **{f"{kind}_length": 4}).only("pooling", "append_eos", f"{other}_prefix", f"{other}_length")
    assert Encoder.load(folder, job)


@pytest.mark.slow
def test_batches_of_a_real_decoder_have_the_vectors_of_single_texts(smollm2, tmp_path):
    for attention in ("own", "bidirectional"):
        keys = {"append_eos": True, "attention": attention, "normalize": True, "query_prefix": INSTRUCTION}
        encoder = Encoder.load(smollm2, backbone(**keys))
        alone = torch.cat([encode(encoder, [text]) for text in TEXTS])
        torch.testing.assert_close(encode(encoder, TEXTS), alone, rtol=0, atol=1e-4)
        assert_sentence_transformers_agrees(encoder, tmp_path / attention, kind="query", difference=1e-4)


def gradients(encoder: Encoder, loss: str, chunk: int | None) -> dict[str, torch.Tensor]:
    """Of one step with two queries and three passages; by plain back-propagation without a chunk."""
    positives = torch.tensor([[True, True, False], [False, False, True]])
    ids = encoder.token_ids(TEXTS[:2], "query") + encoder.token_ids([*TEXTS[2:], "music"], "passage")

    def loss_of(vectors: torch.Tensor) -> torch.Tensor:
        return LOSSES[loss].function(vectors[:2] @ vectors[2:].T, positives, ~positives)

    encoder.zero_grad()
    if chunk is None:
        loss_of(encoder(*encoder.pad(ids))).backward()
    else:
        with processes("cpu") as world:
            backward(encoder, ids, len(ids), loss_of, Pass(chunk, "fp32", seed=3), world, step=0)
    return {name: value.grad.clone() for name, value in encoder.named_parameters() if value.grad is not None}


@pytest.mark.parametrize("loss", ["jointlh", "summarglh", "lsepair"])
@pytest.mark.parametrize("attention", ["own", "bidirectional"])
def test_gradient_caching_leaves_the_gradient_of_a_decoder(tmp_path, loss, attention):
    folder = save_tiny_decoder(tmp_path / "tiny")
    encoder = Encoder.load(folder, backbone(append_eos=True, attention=attention, normalize=True)).train()
    prepare(encoder.model)
    plain = gradients(encoder, loss, None)
    assert sum(value.abs().sum() for value in plain.values()) > 1
    for chunk in (0, 1, 2):
        torch.testing.assert_close(gradients(encoder, loss, chunk), plain, rtol=1e-4, atol=1e-5)
