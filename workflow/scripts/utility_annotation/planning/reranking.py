"""Rankings that a reranker orders again: the model, the first stage and the passages that it reads."""

from __future__ import annotations

from collections.abc import Iterator

from ..settings import RERANKED, UNTRAINED, Configuration
from . import runs, training


def name_of(retriever: str) -> str | None:
    """The name in ``reranked`` of a retriever; None for one that is there without a reranker."""
    place, _, name = retriever.partition("/")
    return name if place == RERANKED else None


def stages(configuration: Configuration, retriever: str) -> Iterator[str]:
    """A retriever, and those whose rankings it orders again, the first stage last."""
    while True:
        yield retriever
        settings = configuration.reranked.get(name_of(retriever) or "")
        if settings is None:
            return
        retriever = settings.retriever


def trainings(configuration: Configuration, retriever: str) -> list[str]:
    """The trainings on whose models a retriever rests, through every stage."""
    names = []
    for stage in stages(configuration, retriever):
        settings = configuration.reranked.get(name_of(stage) or "")
        place, _, name = (settings.reranker if settings else stage).partition("/")
        if place in configuration.backbones or place in configuration.rerankers:
            names.append(name)
    return [name for name in names if name in configuration.trainings and name != UNTRAINED]


def run(configuration: Configuration, *, reranked: str, testset: str) -> str:
    """The ranking that is ordered again."""
    return runs.run(configuration, retriever=configuration.reranked[reranked].retriever, testset=testset)


def model(configuration: Configuration, *, reranked: str) -> str:
    """Folder of the reranker's model."""
    backbone, _, name = configuration.reranked[reranked].reranker.partition("/")
    return training.model(configuration, backbone=backbone, training=name)
