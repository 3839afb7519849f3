"""Weights of prepared models: pickles become safetensors without being run, and damaged weights are noticed."""

from __future__ import annotations

import json
import os
import pickle
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_bert import save_tiny_bert

from utility_annotation.common.errors import InputError
from utility_annotation.io import models
from utility_annotation.settings import Backbone, Model
from utility_annotation.training.encoder import Encoder

Tensors = dict[str, torch.Tensor]


@pytest.fixture
def original(tmp_path: Path) -> Path:
    return save_tiny_bert(tmp_path / "original")


@pytest.fixture
def pickled(original: Path, tmp_path: Path) -> Callable[..., Path]:
    """The same model with its weights in pickles: one per part, with an index if there are several."""

    def save(*parts: object, legacy: bool = False) -> Path:
        folder = save_tiny_bert(tmp_path / "pickled")
        (folder / "model.safetensors").unlink()
        names = [f"pytorch_model-{part:05}-of-{len(parts):05}.bin" for part in range(1, len(parts) + 1)]
        if len(parts) == 1:
            names = ["pytorch_model.bin"]
        else:
            weight_map = {key: name for name, part in zip(names, parts, strict=True) for key in part}
            (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": weight_map}))
        for name, part in zip(names, parts, strict=True):
            torch.save(part, folder / name, _use_new_zipfile_serialization=not legacy)
        return folder

    return save


@pytest.fixture
def tensors(original: Path) -> Tensors:
    return load_file(original / "model.safetensors")


def prepared(source: Path) -> Path:
    output = source.with_name("prepared")
    models.prepare(Model(path=str(source)), output)
    return output


def vectors(folder: Path) -> torch.Tensor:
    encoder = Encoder.load(folder, Backbone(model="tiny", query_length=16, passage_length=16))
    with torch.no_grad():
        return encoder(*encoder.pad(encoder.token_ids(["red river", "copper"], "query")))


@pytest.mark.parametrize("legacy", [False, True])
def test_a_pickled_model_gives_the_same_vectors(original, pickled, tensors, legacy):
    folder = prepared(pickled(tensors, legacy=legacy))
    assert torch.equal(vectors(folder), vectors(original))
    assert not [path for path in folder.rglob("*") if ".bin" in path.name]


def test_a_model_in_several_pickles_gives_the_same_vectors(original, pickled, tensors):
    names = sorted(tensors)
    folder = prepared(pickled({key: tensors[key] for key in names[:20]}, {key: tensors[key] for key in names[20:]}))
    assert torch.equal(vectors(folder), vectors(original))
    assert {path.name for path in folder.glob("model*")} == {
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
        "model.safetensors.index.json",
    }


def test_a_masked_language_model_of_old_gives_its_encoder_s_vectors(original, pickled, tensors):
    """RetroMAE's form: a prefix, a head tied to the embeddings, a buffer, and the norms' older names."""
    saved = {
        f"bert.{name.replace('Norm.weight', 'Norm.gamma').replace('Norm.bias', 'Norm.beta')}": tensor
        for name, tensor in tensors.items()
    }
    saved["cls.predictions.decoder.weight"] = tensors["embeddings.word_embeddings.weight"]
    saved["bert.embeddings.position_ids"] = torch.arange(64)[None]
    assert torch.equal(vectors(prepared(pickled(saved))), vectors(original))


def test_tied_and_transposed_tensors_are_kept(pickled, tensors):
    embeddings = tensors["embeddings.word_embeddings.weight"]
    more = {"decoder.weight": embeddings, "turned": embeddings.T, "part": embeddings[:3]}
    converted = load_file(prepared(pickled(tensors | more)) / "model.safetensors")
    for name, tensor in (tensors | more).items():
        assert torch.equal(converted[name], tensor)


class Attack:
    """What an attacker puts into a pickle: a call that runs while it is read."""

    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.witness),)


@pytest.mark.parametrize("form", ["zip", "legacy", "pickle"])
@pytest.mark.parametrize("variable", [None, "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"])
def test_a_pickle_that_runs_code_is_refused_and_nothing_runs(
    pickled, tensors, tmp_path, monkeypatch, form: str, variable: str | None
) -> None:
    if variable:
        monkeypatch.setenv(variable, "1")
    witness = tmp_path / "it-ran"
    hostile = tensors | {"pooler.dense.bias": Attack(witness)}
    source = pickled(hostile, legacy=form == "legacy")
    if form == "pickle":
        (source / "pytorch_model.bin").write_bytes(pickle.dumps(hostile))
    with pytest.raises(InputError, match=r"pytorch_model\.bin: these pickled weights are refused: ") as refusal:
        prepared(source)
    assert form == "pickle" or "reading it would run 'posix.mkdir'. Nothing of the file was run." in str(refusal.value)
    assert not witness.exists()
    assert not (tmp_path / "prepared").exists()
    if form == "pickle":
        pickle.loads((source / "pytorch_model.bin").read_bytes())
    else:
        torch.load(source / "pytorch_model.bin", weights_only=False)
    assert witness.exists(), "the attack is no attack"


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("pooler.dense.bias", torch.full((16,), torch.nan), "infinite or no numbers"),
        ("pooler.dense.bias", torch.full((16,), torch.inf, dtype=torch.float16), "infinite or no numbers"),
        ("pooler.dense.bias", [1.0], "holds list instead of a tensor"),
        (3, torch.ones(1), "3 is no name of a tensor"),
        ("pooler.dense.bias", torch.eye(16).to_sparse(), "no dense tensor"),
        ("pooler.dense.bias", torch.ones(1).expand(10**12), "claims more numbers"),
        ("pooler.dense.bias", torch.ones(17), r"has the shape \[17\], but config\.json describes \[16\]"),
        ("pooler.dense.bias", torch.ones(16, dtype=torch.int8), r"is quantised \(I8\), but config\.json"),
    ],
)
def test_a_pickle_that_holds_something_else_than_the_model_is_refused(pickled, tensors, name, value, problem):
    with pytest.raises(InputError, match=problem):
        prepared(pickled(tensors | {name: value}))


@pytest.mark.parametrize("content", [b"", b"no pickle", b"PK\3\4 no zip"])
def test_a_damaged_pickle_is_named(pickled, tensors, content):
    folder = pickled(tensors)
    (folder / "pytorch_model.bin").write_bytes(content)
    with pytest.raises(InputError, match=r"pytorch_model\.bin: these pickled weights are refused: it is damaged"):
        prepared(folder)


@pytest.mark.parametrize("stated", ["../outside.bin", "pytorch_model-00003-of-00002.bin", 3])
def test_an_index_of_files_that_are_not_there_is_refused(pickled, tensors, stated):
    (folder := pickled(tensors, {"more": torch.ones(1)})).with_name("outside.bin").write_bytes(b"pickle")
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": {"more": stated}}))
    with pytest.raises(InputError, match=r"index\.json: this index names files that are not there"):
        prepared(folder)


def test_an_index_of_tensors_that_are_not_there_is_refused(pickled, tensors):
    folder = pickled(tensors, {"more": torch.ones(1)})
    index = json.loads((path := folder / "pytorch_model.bin.index.json").read_text())
    path.write_text(json.dumps({"weight_map": index["weight_map"] | {"lost": "pytorch_model-00001-of-00002.bin"}}))
    with pytest.raises(InputError, match="lack 'lost'"):
        prepared(folder)


@pytest.mark.parametrize("kept", [0, 7, 500, -1])
def test_safetensors_that_are_cut_are_noticed_while_the_model_is_prepared(original, kept):
    path = original / "model.safetensors"
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(InputError, match=r"model\.safetensors: the weights are damaged or cut short"):
        prepared(original)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({}, "holds no weights"),
        ({"pooler.dense.weight": torch.ones(16, 15)}, r"has the shape \[16, 15\]"),
        ({"bert.pooler.dense.weight": torch.ones(16, 15)}, r"has the shape \[16, 15\]"),
        ({"pooler.dense.weight": torch.ones(16, 16, dtype=torch.int8)}, "quantised"),
    ],
)
def test_safetensors_of_another_form_are_noticed_while_the_model_is_prepared(original, change, problem):
    save_file(change, original / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match=problem):
        prepared(original)


def test_a_missing_file_of_several_is_noticed_while_the_model_is_prepared(original):
    weight_map = {"a": "model.safetensors", "b": "model-00002-of-00002.safetensors"}
    (original / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    with pytest.raises(InputError, match=r"'model-00002-of-00002\.safetensors' is missing"):
        prepared(original)


@pytest.mark.parametrize("content", ["[]", "{}", '{"weight_map": []}', '{"weight_map": {"a": 3}}', '{"weight_map"'])
def test_an_index_of_another_form_is_named(original, content):
    (original / "model.safetensors.index.json").write_text(content)
    with pytest.raises(InputError, match=r"model\.safetensors\.index\.json: "):
        prepared(original)


@pytest.mark.parametrize("name", ["tokenizer.json", "generation_config.json", "modules.json", "1_Pooling/config.json"])
def test_json_that_is_cut_is_noticed_while_the_model_is_prepared(original, name):
    (original / name).parent.mkdir(exist_ok=True)
    (original / name).write_text('{"version": "1.0", "added_to')
    with pytest.raises(InputError, match=rf"{name}: this file is no JSON"):
        prepared(original)


@pytest.mark.parametrize(
    "content", ["[]", "3", "", "{", '{"model_type": "unheard-of"}', '{"model_type": "bert", "hidden_size": "x"}']
)
def test_a_configuration_that_describes_no_model_is_named(original, content):
    (original / "config.json").write_text(content)
    with pytest.raises(InputError, match=r"config\.json: (this file is no JSON|transformers cannot build)"):
        prepared(original)


def test_one_call_reads_pickles_and_no_model_brings_code(root: Path) -> None:
    files = [file for folder in ("workflow", "benchmarks") for file in (root / folder).rglob("*.py")]
    sources = {path: path.read_text(encoding="utf-8") for path in files}
    assert [path.name for path, text in sources.items() for _ in re.finditer(r"torch\.load\(", text)] == ["weights.py"]
    for path, text in sources.items():
        assert not re.search(
            r"^\s*(import|from) (pickle|dill|joblib|cloudpickle|marshal|shelve)\b", text, re.MULTILINE
        ), path
        assert not re.search(r"allow_pickle=(?!False)|trust_remote_code=(?!False)", text), path
        text = text.replace('("this/folder")', "")  # the code on a model's card
        loading = re.findall(
            r"(?<!class )\b(?:(?:Auto\w+|auto_class)\.from_(?:pretrained|config)|CrossEncoder|LLM)\(", text
        )
        assert len(loading) == text.count("trust_remote_code=False"), path
