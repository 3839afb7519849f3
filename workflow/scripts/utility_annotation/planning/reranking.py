"""Rankings that a reranker or an LLM orders again: the model, the first stage and the passages that it reads."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from ..annotation.stages import RERANKING
from ..settings import EXTERNAL, Configuration, Reranked
from . import annotation, retrieval, runs, training

STAGE = "reranking"
"""The name by which the speed of an LLM that reranks is kept in the completion store."""


def external_run(configuration: Configuration, retriever: str) -> str | None:
    """The run of others from which a retriever's ranking is made, if its first stage is one that there is."""
    *_, first = runs.stages(configuration, retriever)
    place, _, name = first.partition("/")
    return name if place == EXTERNAL and name in configuration.external_runs else None


def by_backbone(configuration: Configuration, retriever: str) -> bool:
    """Whether a backbone searches for a retriever."""
    *_, first = runs.stages(configuration, retriever)
    return first.partition("/")[0] in configuration.backbones


def models(configuration: Configuration, retriever: str) -> list[tuple[str, str]]:
    """(backbone or reranker, training) of the models on which a retriever rests, through every stage."""
    found = []
    for stage in runs.stages(configuration, retriever):
        settings = runs.made_from(configuration, stage)
        place, _, name = (settings.reranker if isinstance(settings, Reranked) else stage).partition("/")
        if place in configuration.backbones or place in configuration.rerankers:
            found.append((place, name))
    return found


def reranker(configuration: Configuration, reranked: str) -> tuple[str, str]:
    """(reranker, training) of a reranked run."""
    place, _, name = configuration.reranked[reranked].reranker.partition("/")
    return place, name


def first_stages(configuration: Configuration, *, table: str) -> dict[str, tuple[str, str]]:
    """By reranked or selected run of a table, the row that it is made from: (backbone, training). None where the table
    lacks it.
    """
    settings = configuration.tables[table]
    rows = {(backbone, row.training) for backbone in settings.backbones for row in settings.shown()}
    rows |= {(place, name) for place, _, name in settings.beside()}
    found: dict[str, tuple[str, str]] = {}
    for ranking in settings.on_top():
        if (made := runs.made_from(configuration, ranking)) is not None:
            place, _, first = made.retriever.partition("/")
            found |= {ranking.partition("/")[2]: (place, first)} if (place, first) in rows else {}
    return found


def problems(configuration: Configuration) -> Iterator[str]:
    """One sentence for each reranked or selected run that is shown or pooled and is to read more passages than are
    retrieved.
    """
    shown = {
        (ranking, testset)
        for table in configuration.tables.values()
        for ranking in table.on_top()
        for testset in chain(
            table.testsets, (configuration.qa[task].testset for task in table.qa if task in configuration.qa)
        )
    }
    shown |= {
        (retriever, pool.source.testset)
        for pool in configuration.pools.values()
        for retriever in pool.source.retrievers
        if pool.source.testset
    }
    shown |= {
        (each, shown.testset) for shown in configuration.report.comparisons for each in (shown.first, shown.second)
    }
    for retriever, testset in sorted(shown):
        for stage in runs.stages(configuration, retriever):
            settings = runs.made_from(configuration, stage)
            for member in retrieval.testsets_of(configuration, [testset]):
                depth = configuration.testsets[member].depth
                if settings is not None and depth < settings.depth:
                    place = f"{stage.replace('/', '.')}.depth"
                    yield f"{place} is {settings.depth}, but testsets.{member} retrieves {depth} passages"


def run(configuration: Configuration, *, reranked: str, testset: str) -> str:
    """The ranking that is ordered again."""
    return runs.run(configuration, retriever=configuration.reranked[reranked].retriever, testset=testset)


def model(configuration: Configuration, *, reranked: str) -> str:
    """Folder of the reranker's model."""
    backbone, name = reranker(configuration, reranked)
    return training.model(configuration, backbone=backbone, training=name)


def annotator(configuration: Configuration, reranked: str) -> str:
    """The LLM that orders a ranking again."""
    return str(configuration.reranked[reranked].annotator)


def template(configuration: Configuration, *, reranked: str) -> str:
    """The prompt under the LLM's protocol, see :func:`.annotation.prompt`."""
    name = annotator(configuration, reranked)
    return annotation.prompt(configuration, name, RERANKING[configuration.annotators[name].protocol].template)
