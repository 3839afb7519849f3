"""Questions that an LLM writes: the files that they are read from and kept in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..annotation.stages import QUESTION, STAGES
from ..pools.shards import shard_names
from ..settings import Configuration, Questions
from ..settings.base import nearest
from . import annotation, labels, pools

STYLES = tuple(name.removeprefix(QUESTION) for name in STAGES if name.startswith(QUESTION))


def folder(questions: str) -> str:
    """Where questions are kept."""
    return f"results/questions/{questions}"


def of(configuration: Configuration, questions: str) -> Questions:
    """The settings of questions."""
    return configuration.questions[questions]


def shards(configuration: Configuration, *, questions: str) -> list[str]:
    """What was read of each shard of the passages."""
    names = shard_names(configuration.pools[of(configuration, questions).pool].shards)
    return [f"{folder(questions)}/read/{name}.parquet" for name in names]


def pool_shard(configuration: Configuration, *, questions: str, shard: str) -> str:
    """A shard of the passages."""
    return pools.shard_file(of(configuration, questions).pool, shard)


def origins(configuration: Configuration, *, questions: str) -> list[str]:
    """The documents of the passages, if they are from some."""
    return pools.origins(configuration, pool=of(configuration, questions).pool)


def replies(configuration: Configuration, questions: str, shard: str) -> dict[str, str]:
    """By style, the annotation of a shard."""
    settings = of(configuration, questions)
    return {
        style: annotation.shard_file(settings.pool, settings.annotator, f"{QUESTION}{style}", shard)
        for style in settings.styles
    }


def replies_of_shard(configuration: Configuration, *, questions: str, shard: str) -> list[str]:
    """All of these."""
    return [*replies(configuration, questions, shard).values()]


def run(configuration: Configuration, *, questions: str) -> list[str]:
    """The ranking of the round trip, if there is one."""
    trip = of(configuration, questions).round_trip
    return [] if trip is None else [f"results/runs/{trip.retriever}/{trip.testset}.parquet"]


def answerable(configuration: Configuration, *, questions: str) -> list[str]:
    """The labels of the candidates, if these must be answerable."""
    named = of(configuration, questions).answerable
    return [] if named is None else [labels.file(named)]


def of_split(configuration: Configuration, dataset: str, split: str) -> Iterator[str]:
    """The questions that a split has of those that are kept; none where its files are others."""
    members = configuration.datasets[dataset].splits if dataset in configuration.datasets else {}
    sources = (members[split].queries, members[split].qrels, members[split].answers) if split in members else ()
    paths = {Path(source.path) for source in sources if source is not None}
    for name in configuration.questions:
        if paths & {Path(folder(name), part) for part in ("train.parquet", "held-out.parquet")}:
            yield name


def share_of(configuration: Configuration, path: str) -> tuple[str, float] | None:
    """Whose questions a file has, and which share of all that are written if no filter drops one; None for others."""
    for name, settings in configuration.questions.items():
        held_out = settings.held_out / 100
        shares = {"candidates.parquet": 1.0, "train.parquet": 1 - held_out, "held-out.parquet": held_out}
        for file, share in shares.items():
            if Path(path) == Path(folder(name), file):
                return name, share
    return None


def problems(configuration: Configuration) -> Iterator[str]:
    """One sentence for each setting of questions that leads nowhere or does not fit."""
    for name, settings in configuration.questions.items():
        place = f"questions.{name}"
        for key, value, section in (
            ("pool", settings.pool, "pools"),
            ("annotator", settings.annotator, "annotators"),
            ("answerable", settings.answerable, "labels"),
            ("round_trip.testset", settings.round_trip.testset if settings.round_trip else None, "testsets"),
        ):
            known = getattr(configuration, section)
            if value is not None and value not in known:
                yield f"{place}.{key} names {value!r}, which is not in `{section}`{nearest(value, known)}"
        for style in settings.styles:
            if style not in STYLES:
                yield f"{place}.styles names {style!r}, which is no style{nearest(style, STYLES)}"
        pool = configuration.pools.get(settings.pool)
        if pool is not None and pool.source.sample is None:
            yield f"{place}.pool: pools.{settings.pool} is not of format passages"
        yield from _candidates(configuration, name, settings)
    for name, each in configuration.labels.items():
        pool = configuration.pools.get(each.pool)
        if pool is not None and pool.source.sample is not None:
            yield f"labels.{name}.pool: pools.{each.pool} has passages without questions, so nothing can be labelled"


def _candidates(configuration: Configuration, name: str, settings: Questions) -> Iterator[str]:
    """The filters must look at the candidates of these questions."""
    file, place = f"{folder(name)}/candidates.parquet", f"questions.{name}"
    asked: list[tuple[str, str, str]] = []
    trip = settings.round_trip
    if trip is not None and trip.testset in configuration.testsets:
        testset = configuration.testsets[trip.testset]
        asked.append((f"{place}.round_trip.testset", testset.dataset, testset.split))
        if trip.depth > testset.depth:
            yield f"{place}.round_trip.depth is greater than that of testsets.{trip.testset}, {testset.depth}"
    if settings.answerable in configuration.labels:
        pool = configuration.pools.get(configuration.labels[settings.answerable].pool)
        if pool is not None:
            asked.append((f"{place}.answerable", pool.dataset, pool.split))
    for key, dataset, split in asked:
        found = configuration.datasets[dataset].splits.get(split) if dataset in configuration.datasets else None
        if found is not None and Path(found.queries.path) != Path(file):
            yield f"{key} is about other questions: `queries` of datasets.{dataset}.splits.{split} must be {file}"
