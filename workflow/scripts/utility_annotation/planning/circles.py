"""Label sets, pools, models and rankings that come after themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter

from ..settings import Configuration, Labels, Pool, Questions, Reranked, Selected, Training
from . import questions, runs


def problems(configuration: Configuration) -> Iterator[str]:
    """One sentence for a circle, with all that is in it."""
    try:
        TopologicalSorter(_before(configuration)).prepare()
    except CycleError as error:
        circle: list[str] = error.args[1][1:]  # its last one is also its first
        begin = circle.index(min(circle))
        way = [*circle[begin:], *circle[: begin + 1]]
        yield f"{way[0]}: it comes after itself ({' → '.join(way)}): change one of these"


def _before(configuration: Configuration) -> dict[str, list[str]]:
    """What each section's entry rests on, such as ``labels.utilsel`` on ``pools.train``. Names that do not fit lead
    nowhere.
    """
    rankings: dict[str, Mapping[str, Reranked | Selected]] = {
        "reranked": configuration.reranked,
        "selected": configuration.selected,
    }
    return {
        **{f"trainings.{name}": _of_training(training) for name, training in configuration.trainings.items()},
        **{f"labels.{name}": _of_labels(configuration, labels) for name, labels in configuration.labels.items()},
        **{f"pools.{name}": _of_pool(configuration, pool) for name, pool in configuration.pools.items()},
        **{f"questions.{name}": _of_questions(configuration, each) for name, each in configuration.questions.items()},
        **{
            f"{section}.{name}": _of_ranking(configuration, ranking)
            for section, named in rankings.items()
            for name, ranking in named.items()
        },
    }


def _named(section: str, *names: str | None) -> list[str]:
    return [f"{section}.{name}" for name in names if name]


def _of_training(training: Training) -> list[str]:
    return _named("labels", *training.label_sets) + _named("trainings", training.init_from)


def _of_labels(configuration: Configuration, labels: Labels) -> list[str]:
    own = _named("pools", labels.pool) + _named("labels", *labels.of, labels.calibration)
    return own + _of_retriever(configuration, labels.reranker)


def _of_pool(configuration: Configuration, pool: Pool) -> list[str]:
    source = pool.source
    own = _named("pools", source.pool) + _named("labels", source.unsure)
    if source.sample is not None:
        return own
    own += _named("questions", *questions.of_split(configuration, pool.dataset, pool.split))
    return own + [name for each in source.retrievers for name in _of_retriever(configuration, each)]


def _of_questions(configuration: Configuration, settings: Questions) -> list[str]:
    own = _named("pools", settings.pool) + _named("labels", settings.answerable)
    return own + (_of_retriever(configuration, settings.round_trip.retriever) if settings.round_trip else [])


def _of_ranking(configuration: Configuration, ranking: Reranked | Selected) -> list[str]:
    found = _of_retriever(configuration, ranking.retriever)
    if isinstance(ranking, Selected):
        return found + _named("labels", ranking.labels)
    return found + _of_retriever(configuration, ranking.reranker or "")


def _of_retriever(configuration: Configuration, retriever: str) -> list[str]:
    """What a retriever or a reranker is: a ranking made from another one, or the training of a model."""
    if runs.made_from(configuration, retriever) is not None:
        return [retriever.replace("/", ".")]
    training = retriever.partition("/")[2]
    return _named("trainings", training if training in configuration.trainings else None)
