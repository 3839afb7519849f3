"""The work behind labels that tables and verdicts show, and the files that record it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from ..labels.work import Work, work_of_labels, work_of_training
from ..pools.shards import shard_names
from ..settings import UNTRAINED, Configuration
from . import annotation, pools


class Recorded(NamedTuple):
    """What records work, for :class:`..labels.cost.Records`.

    Attributes:
        pools: the shards of pools on which humans worked.
        annotations: the shards that an LLM worked on; the summaries of their jobs stand beside them.
        selectors: by RERANKER/TRAINING and pool, the summaries of the jobs that scored the pool, and the training's
            record.
    """

    pools: list[Path]
    annotations: list[Path]
    selectors: dict[tuple[str, str], list[Path]]


def recorded(configuration: Configuration, paid: Iterable[Work]) -> Recorded:
    """What records this work."""
    work = list(paid)
    by_people = (part for part in work if part.annotator is None and not part.reranker)
    shards = {name: shard_names(pool.shards) for name, pool in configuration.pools.items()}
    annotations = (
        [annotation.shard_file(part.pool, part.annotator, part.kind, shard) for shard in shards[part.pool]]
        for part in work
        if part.annotator is not None
    )
    return Recorded(
        _paths(pools.shards(configuration, pool=part.pool) for part in by_people),
        _paths(annotations),
        {
            (part.reranker, part.pool): _paths([_selector_records(configuration, part)])
            for part in work
            if part.reranker
        },
    )


def _selector_records(configuration: Configuration, part: Work) -> list[str]:
    scores = pools.score_shards(configuration, reranker=part.reranker, pool=part.pool)
    trained = part.reranker.partition("/")[2] != UNTRAINED
    return [*_summaries(scores), *([f"results/models/{part.reranker}/training.json"] if trained else [])]


def record_files(configuration: Configuration, paid: Iterable[Work]) -> list[str]:
    """The same as inputs of a rule, with the summaries beside annotations; a model is a folder."""
    found = recorded(configuration, paid)
    files = [*map(str, found.pools), *map(str, found.annotations), *_summaries(map(str, found.annotations))]
    files += [str(path).removesuffix("/training.json") for paths in found.selectors.values() for path in paths]
    return list(dict.fromkeys(files))


def _paths(lists: Iterable[list[str]]) -> list[Path]:
    return list(map(Path, dict.fromkeys(file for files in lists for file in files)))


def _all_of(work: Mapping[str, list[Work] | None]) -> list[Work]:
    return [part for parts in work.values() for part in parts or ()]


def cost_table_work(configuration: Configuration, *, cost_table: str) -> dict[str, list[Work] | None]:
    """The work behind the labels of each training of a cost table."""
    names = configuration.cost_tables[cost_table].trainings
    return {name: work_of_training(configuration, name) for name in names}


def _paid(configuration: Configuration, cost_table: str) -> list[Work]:
    return _all_of(cost_table_work(configuration, cost_table=cost_table))


def cost_table_records(configuration: Configuration, *, cost_table: str) -> list[str]:
    """The files of :func:`recorded` behind the labels of a cost table."""
    return record_files(configuration, _paid(configuration, cost_table))


def cost_table_recorded(configuration: Configuration, *, cost_table: str) -> Recorded:
    """What records the work behind the labels of a cost table."""
    return recorded(configuration, _paid(configuration, cost_table))


def verdict_work(configuration: Configuration, *, table: str) -> list[Work] | None:
    """The work behind the labels of the training that a verdict is about; None if some came from a file."""
    return work_of_training(configuration, str(configuration.tables[table].verdict))


def verdict_records(configuration: Configuration, *, table: str) -> list[str]:
    """The files of :func:`recorded` behind these labels."""
    return record_files(configuration, verdict_work(configuration, table=table) or ())


def verdict_recorded(configuration: Configuration, *, table: str) -> Recorded:
    """What records the work behind these labels."""
    return recorded(configuration, verdict_work(configuration, table=table) or ())


def label_table_work(configuration: Configuration, *, label_table: str) -> dict[str, list[Work] | None]:
    """The work behind each label set of a label table that shows it."""
    table = configuration.label_tables[label_table]
    return {name: work_of_labels(configuration, name) for name in (table.labels if table.work else ())}


def label_table_records(configuration: Configuration, *, label_table: str) -> list[str]:
    """The files of :func:`recorded` behind the labels of a label table."""
    return record_files(configuration, _all_of(label_table_work(configuration, label_table=label_table)))


def label_table_recorded(configuration: Configuration, *, label_table: str) -> Recorded:
    """What records the work behind the labels of a label table."""
    return recorded(configuration, _all_of(label_table_work(configuration, label_table=label_table)))


def _summaries(shards: Iterable[str]) -> list[str]:
    return [shard.removesuffix(".parquet") + ".json" for shard in shards]
