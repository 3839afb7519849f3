"""Folders of documents: where they are, what makes them stale, and where what was read of them is kept."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

from ..common.errors import InputError
from ..documents import folder
from ..pools.shards import shard_names
from ..settings import Configuration, Documents
from ..settings.base import nearest

_DIGESTS = ".snakemake/content"


def of(configuration: Configuration, dataset: str) -> Documents:
    """The documents of a dataset that is made from some."""
    documents = configuration.datasets[dataset].documents
    assert documents is not None, "the rules of documents are for datasets that have some"
    return documents


def place(configuration: Configuration, *, dataset: str) -> list[str]:
    """The folder of a dataset's documents."""
    return [of(configuration, dataset).path]


def content(configuration: Configuration, *, dataset: str, shard: str) -> str:
    """A digest of the names and contents of a shard's files: what was read of others is stale."""
    path = Path(of(configuration, dataset).path)
    if path.exists() and not path.is_dir():
        raise InputError(
            "this is a file, and documents are read from a folder.",
            hint=f"name its folder in `datasets.{dataset}.documents.path`; a file of passages is a `corpus`.",
            path=path,
        )
    return folder.digest(path, folder.of_shard(_files(path.absolute()), shard), _DIGESTS)


@cache
def _files(path: Path) -> list[str]:
    """The files of a folder, which are looked for once and not for each of its shards."""
    return folder.files(path)


def shards(configuration: Configuration, *, dataset: str) -> list[str]:
    """What was read of each shard."""
    names = shard_names(of(configuration, dataset).shards)
    return [f"data/{dataset}/documents/{shard}.parquet" for shard in names]


def origins(dataset: str) -> str:
    """Where a dataset's passages are from."""
    return f"data/{dataset}/origins.parquet"


def tokenizer(configuration: Configuration, *, dataset: str) -> str:
    """The folder of the model whose tokens are counted."""
    return f"data/models/{of(configuration, dataset).tokenizer}"


def problems(configuration: Configuration) -> Iterator[str]:
    """One sentence for each setting of documents that leads nowhere or does not fit."""
    for name, dataset in configuration.datasets.items():
        documents, place = dataset.documents, f"datasets.{name}.documents"
        if documents is None:
            continue
        if documents.tokenizer not in configuration.models:
            known = nearest(documents.tokenizer, configuration.models)
            yield f"{place}.tokenizer names {documents.tokenizer!r}, which is not in `models`{known}"
        for backbone, settings in configuration.backbones.items():
            if settings.model == documents.tokenizer and settings.passage_length < documents.passage_length:
                yield (
                    f"{place}.passage_length is {documents.passage_length}, but backbones.{backbone} reads "
                    f"{settings.passage_length} tokens of a passage: lower the one, or raise "
                    f"backbones.{backbone}.passage_length"
                )
