"""Downloads and datasets: which files of the outside world they are read from, and where they are kept."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ..common.errors import InputError
from ..io.archives import JSON_LINES, PARQUET, is_tar, on_disk, shards
from ..settings import Configuration, HubFiles, Split
from ..settings.hub import hub_files

_MEMBERS = {"queries": "queries.jsonl", "qrels": "qrels/{split}.tsv", "answers": "answers.jsonl"}
"""Where a folder of BeIR's form has what a split is read from."""


def outside_settings(configuration: Configuration) -> Iterator[tuple[str, str]]:
    """Every setting that names a file of the outside world, with that file's path."""
    for name, dataset in configuration.datasets.items():
        if dataset.corpus is not None:
            yield f"datasets.{name}.corpus.path", dataset.corpus.path
        if dataset.documents is not None:
            yield f"datasets.{name}.documents.path", dataset.documents.path
        for part, split in dataset.splits.items():
            for kind in _MEMBERS:
                if (source := getattr(split, kind)) is not None:
                    yield f"datasets.{name}.splits.{part}.{kind}.path", source.path
    for name, pool in configuration.pools.items():
        if pool.source.path is not None:
            yield f"pools.{name}.source.path", pool.source.path
        if pool.source.examples is not None:
            yield f"pools.{name}.source.examples.path", pool.source.examples.path
    for name, labels in configuration.labels.items():
        if labels.file is not None:
            yield f"labels.{name}.file.path", labels.file.path
    for name, run in configuration.external_runs.items():
        for testset, path in run.files.items():
            yield f"external_runs.{name}.files.{testset}", path


def download_of(configuration: Configuration, path: str) -> tuple[str, str] | None:
    """The download to which a path leads, and what follows ``raw/NAME/`` in it; None for any other path."""
    match Path(path).parts:
        case ("raw", name, first, *rest) if name in configuration.downloads and ".." not in (first, *rest):
            return name, "/".join((first, *rest))
    return None


def fetched_file(configuration: Configuration, *, download: str) -> str:
    """Where a download is kept."""
    return f"raw/{download}/{configuration.downloads[download].file}"


def fetched_files(configuration: Configuration) -> dict[str, set[str]]:
    """The file of each download."""
    return {name: {download.file} for name, download in configuration.downloads.items()}


def members_to_unpack(configuration: Configuration) -> dict[str, set[str]]:
    """The members of each tar download that the configuration names.

    A member that lies there while its archive does not is taken as it is: nothing is fetched to unpack it again.
    """
    kept = {name: fetched_file(configuration, download=name) for name in configuration.downloads}
    members: dict[str, set[str]] = {name: set() for name, file in kept.items() if is_tar(file)}
    for _, path in outside_settings(configuration):
        name, member = download_of(configuration, path) or ("", "")
        if name in members and member != configuration.downloads[name].file:
            alone = Path("raw", name, member).exists() and not Path(kept[name]).exists()
            members[name] |= set() if alone else {member}
    return members


def hub_places(configuration: Configuration, *, several: bool) -> dict[str, HubFiles]:
    """Files (or, of folders and patterns, several) that the configuration takes from the hub, by their place."""
    found = filter(None, (hub_files(path) for _, path in outside_settings(configuration)))
    return {wanted.place: wanted for wanted in found if wanted.several == several}


def hub_address(configuration: Configuration, *, hub_place: str) -> str:
    """The address of what is kept at a place."""
    found = hub_files(hub_place)
    assert found is not None, "the rule's wildcard is one of hub_places"
    return found.address


def below_raw(files: dict[str, set[str]]) -> str:
    """Pattern of a file after ``raw/{download}/``: of those given, by download, and only behind their own download."""
    alternatives = (
        f"(?<=^raw/{re.escape(download)}/)(?:{'|'.join(map(re.escape, sorted(names)))})"
        for download, names in files.items()
        if names
    )
    return "|".join(alternatives) or "(?!)"


def outside_file(configuration: Configuration, path: str) -> str:
    """The file that a path of the outside world needs: the zip that holds it, or the file itself, fetched or not.

    Of a folder or a pattern on the hub it is the folder that is fetched.
    """
    on_hub = hub_files(path)
    if on_hub is not None:
        return on_hub.place
    found = download_of(configuration, path)
    if found is not None:
        name, rest = found
        kept = configuration.downloads[name].file
        if kept.endswith(".zip") and rest.startswith(f"{kept}/"):
            return fetched_file(configuration, download=name)
    return str(on_disk(Path(path)))


def source_files(configuration: Configuration, path: str, member: str = "") -> list[str]:
    """The files to watch for a source: a folder's member, the files of a folder or pattern, or ``outside_file``."""
    if hub_files(path) is not None:
        return [outside_file(configuration, path)]
    inside = Path(path) / member
    if inside.is_file():
        return [str(inside)]
    return [str(file) for file in shards(Path(path), PARQUET, JSON_LINES)] or [outside_file(configuration, path)]


def is_given(configuration: Configuration, file: str) -> bool:
    """Whether a file is a user's own: it is there, and no rule makes it."""
    made = (
        download_of(configuration, file) is not None
        or hub_files(file) is not None
        or Path(file).parts[0] in ("data", "results")
    )
    return not made and Path(file).is_file()


def local_copy(configuration: Configuration, *, download: str) -> list[str]:
    """A copy of the user's that stands for a download."""
    local = configuration.downloads[download].local
    return [] if local is None else [local]


def corpus_files(configuration: Configuration, *, dataset: str) -> list[str]:
    """What a corpus is read from."""
    corpus = configuration.datasets[dataset].corpus
    assert corpus is not None, "the rule is for datasets that have a corpus"
    return source_files(configuration, corpus.path, "corpus.jsonl")


def queries_files(configuration: Configuration, *, dataset: str, split: str) -> list[str]:
    """What a split's questions are read from, and what decides which of them are kept."""
    settings = split_of(configuration, dataset, split)
    kinds = ["queries"] + ["qrels"] * settings.judged_only + ["answers"] * settings.answered_only
    return _split_files(configuration, dataset, split, kinds)


def qrels_files(configuration: Configuration, *, dataset: str, split: str) -> list[str]:
    """What a split's judgements are read from."""
    return _split_files(configuration, dataset, split, ["qrels"])


def answers_files(configuration: Configuration, *, dataset: str, split: str) -> list[str]:
    """What a split's ground-truth answers are read from."""
    return _split_files(configuration, dataset, split, ["answers"])


def _split_files(configuration: Configuration, dataset: str, split: str, kinds: list[str]) -> list[str]:
    sources = {kind: getattr(split_of(configuration, dataset, split), kind) for kind in kinds}
    return [
        file
        for kind, source in sources.items()
        if source is not None
        for file in source_files(configuration, source.path, _MEMBERS[kind].format(split=split))
    ]


def split_of(configuration: Configuration, dataset: str, split: str) -> Split:
    """A split of a dataset.

    Raises:
        InputError: the dataset has no such split.
    """
    splits = configuration.datasets[dataset].splits
    if split not in splits:
        raise InputError(
            f"dataset {dataset} has no split {split}.", hint=f"ask for one of its splits: {', '.join(splits)}."
        )
    return splits[split]


def corpus(dataset: str) -> str:
    """Path of a dataset's corpus."""
    return f"data/{dataset}/corpus.parquet"


def split_file(kind: str, dataset: str, split: str) -> str:
    """Path of the queries, qrels or answers of a split."""
    return f"data/{dataset}/{kind}/{split}.parquet"
