"""What a sentence-transformers folder says of its vectors must be what the backbone says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from tiny_bert import save_tiny_bert
from tiny_decoders import save_tiny_decoder

from utility_annotation.common.errors import InputError
from utility_annotation.settings import Backbone
from utility_annotation.training.encoder import Encoder


def saved(folder: Path, **own: object) -> Path:
    """A sentence-transformers folder that was saved with these settings."""
    Encoder.load(save_tiny_bert(folder.with_name("plain")), backbone(**own)).save(folder)
    return folder


def backbone(**keys: object) -> Backbone:
    return Backbone(model="tiny", query_length=16, passage_length=24, **keys)


DIFFERENCES = [
    (
        {"pooling": "mean"},
        {},
        r"say the pooling mean, but `backbones\.\*\.pooling` is cls\. Fix: set `pooling` to mean;",
    ),
    ({"normalize": True}, {}, r"`backbones\.\*\.normalize` is false\. Fix: set `normalize` to true;"),
    ({}, {"normalize": True}, r"`backbones\.\*\.normalize` is true\. Fix: set `normalize` to false;"),
    ({"query_prefix": "query: "}, {}, r"say the prompt 'query: ', but `backbones\.\*\.query_prefix` is ''"),
    (
        {"passage_prefix": "text: "},
        {"passage_prefix": "p: "},
        r"'text: ', but `backbones\.\*\.passage_prefix` is 'p: '",
    ),
    (
        {"dimension": 8},
        {},
        r"its first 8 components, but `backbones\.\*\.dimension` is all of them\. Fix: set .* to 8;",
    ),
    ({"dimension": 8}, {"dimension": 4}, r"its first 8 components, but `backbones\.\*\.dimension` is 4"),
]


@pytest.mark.parametrize(("own", "ours", "problem"), DIFFERENCES)
def test_settings_that_contradict_the_model_s_own_are_refused(tmp_path, own, ours, problem):
    folder = saved(tmp_path / "saved", **own)
    with pytest.raises(InputError, match=f"{problem}.*`backbones.*model_settings` to ignore"):
        Encoder.load(folder, backbone(**ours))
    assert Encoder.load(folder, backbone(**own))
    assert Encoder.load(folder, backbone(**ours, model_settings="ignore"))


def test_a_job_is_refused_for_the_settings_alone_that_it_reads(tmp_path):
    folder = saved(tmp_path / "saved", query_prefix="query: ")
    assert Encoder.load(
        folder, backbone().only("pooling", "passage_prefix", "passage_length", "normalize", "model_settings")
    )


def test_a_model_that_pools_without_its_prompt_is_refused_where_there_is_a_prefix(tmp_path):
    folder = saved(tmp_path / "saved", pooling="mean", query_prefix="query: ")
    path = folder / "1_Pooling" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"include_prompt": False}))
    ours = backbone(pooling="mean", query_prefix="query: ")
    with pytest.raises(InputError, match=r"leave the prompt out of the pooling, but .*pooling` mean .* `query_prefix`"):
        Encoder.load(folder, ours)
    passages = ours.only("pooling", "passage_prefix", "passage_length", "normalize", "model_settings")
    assert Encoder.load(folder, passages)
    path.write_text(json.dumps({"pooling_mode_lasttoken": True, "include_prompt": False}))
    assert Encoder.load(folder, backbone(pooling="last", query_prefix="query: ")), "the last token is none of a prompt"


def test_a_folder_like_qwen3_embedding_is_understood(tmp_path):
    instruction = "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery:"
    folder = save_tiny_decoder(tmp_path / "qwen", "qwen3", after=["<end>"], side="left")
    package = "sentence_transformers.models"
    for name, content in {
        "modules.json": [
            {"idx": 0, "name": "0", "path": "", "type": f"{package}.Transformer"},
            {"idx": 1, "name": "1", "path": "1_Pooling", "type": f"{package}.Pooling"},
            {"idx": 2, "name": "2", "path": "2_Normalize", "type": f"{package}.Normalize"},
        ],
        "1_Pooling/config.json": {
            "word_embedding_dimension": 32,
            "pooling_mode_cls_token": False,
            "pooling_mode_mean_tokens": False,
            "pooling_mode_lasttoken": True,
            "include_prompt": True,
        },
        "config_sentence_transformers.json": {
            "prompts": {"query": instruction, "document": ""},
            "default_prompt_name": None,
            "similarity_fn_name": "cosine",
        },
    }.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(json.dumps(content))
    right = {"pooling": "last", "append_eos": True, "normalize": True, "query_prefix": instruction}
    lengths = {"model": "tiny", "query_length": 64, "passage_length": 64}
    with pytest.raises(InputError, match="`query_prefix` and the special tokens are"):
        Encoder.load(folder, Backbone(**right, **lengths))  # a byte per token
    long = json.loads((folder / "config.json").read_text()) | {"max_position_embeddings": 32768}
    (folder / "config.json").write_text(json.dumps(long))
    lengths["query_length"] = 128
    assert Encoder.load(folder, Backbone(**right, **lengths))
    for key, wrong in {"pooling": "mean", "normalize": False, "query_prefix": instruction + " "}.items():
        with pytest.raises(InputError, match=rf"own files say .*`backbones\.\*\.{key}` is"):
            Encoder.load(folder, Backbone(**(right | {key: wrong}), **lengths))


@pytest.mark.parametrize("pooling", ["mean", "cls", "lasttoken", "max"])
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_folders_of_current_sentence_transformers_are_understood(tmp_path, pooling):
    from sentence_transformers import SentenceTransformer, models

    layers = [models.Transformer(str(save_tiny_bert(tmp_path / "plain"))), models.Pooling(16, pooling_mode=pooling)]
    SentenceTransformer(modules=[*layers, models.Normalize()], prompts={"query": "q: "}, device="cpu").save(
        str(tmp_path / "new")
    )
    agreed = {"normalize": True, "query_prefix": "q: "}
    ours = {"lasttoken": "last", "max": "mean"}.get(pooling, pooling)
    other = "cls" if pooling == "mean" else "mean"
    if pooling != "max":
        assert Encoder.load(tmp_path / "new", backbone(pooling=ours, **agreed))
    with pytest.raises(InputError, match=f"pooling {'max_tokens' if pooling == 'max' else ours}, but .* is {other}"):
        Encoder.load(tmp_path / "new", backbone(pooling=other, **agreed))


def test_a_layer_that_a_backbone_has_not_is_named(tmp_path):
    folder = saved(tmp_path / "saved")
    modules = json.loads((folder / "modules.json").read_text())
    modules.append({"idx": 2, "name": "2", "path": "2_Dense", "type": "sentence_transformers.models.Dense"})
    (folder / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(InputError, match=r"modules\.json has the layer 'Dense'"):
        Encoder.load(folder, backbone())
    assert Encoder.load(folder, backbone(model_settings="ignore"))


@pytest.mark.parametrize("normalize", [True, False])
def test_the_first_components_are_those_of_the_whole_vector_and_others_load_them(tmp_path, normalize):
    from sentence_transformers import SentenceTransformer

    texts = ["red stone", "blue river garden music", "x"]
    whole = Encoder.load(save_tiny_bert(tmp_path / "plain"), backbone(pooling="mean"))
    first = Encoder.load(tmp_path / "plain", backbone(pooling="mean", dimension=5, normalize=normalize))
    assert first.dimension == 5
    with torch.no_grad():
        vectors, found = (encoder(*encoder.pad(encoder.token_ids(texts, "passage"))) for encoder in (whole, first))
    expected = vectors[:, :5] / (vectors[:, :5].norm(dim=1, keepdim=True) if normalize else 1)
    torch.testing.assert_close(found, expected)
    first.save(tmp_path / "saved")
    theirs = SentenceTransformer(str(tmp_path / "saved"), device="cpu").encode(texts, convert_to_tensor=True)
    torch.testing.assert_close(theirs, found, rtol=1e-4, atol=1e-5)
    again = Encoder.load(tmp_path / "saved", first.backbone)
    with torch.no_grad():
        torch.testing.assert_close(again(*again.pad(again.token_ids(texts, "passage"))), found)


def test_a_dimension_larger_than_the_model_s_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"`backbones\.\*\.dimension` is 17, but .* 16 components.*Fix: .* at most 16"):
        Encoder.load(save_tiny_bert(tmp_path / "plain"), backbone(dimension=17))
    assert Encoder.load(tmp_path / "plain", backbone(dimension=16)).dimension == 16


@pytest.mark.parametrize("content", ["{}", "[", '[{"type": "x.Pooling", "path": "."}, 3]', ""])
def test_damaged_files_are_named(tmp_path, content):
    folder = save_tiny_bert(tmp_path / "plain")
    (folder / "modules.json").write_text(content)
    if content.startswith("[{"):
        assert Encoder.load(folder, backbone())
    else:
        with pytest.raises(InputError, match=r"modules\.json: this file is no JSON list"):
            Encoder.load(folder, backbone())
