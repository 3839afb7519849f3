"""Rankings: which file holds that of a retriever on a test set."""

from __future__ import annotations

from collections.abc import Iterator

from ..settings import EXTERNAL, RERANKED, SELECTED, Configuration, Reranked, Selected, Testset


def made_from(configuration: Configuration, retriever: str) -> Reranked | Selected | None:
    """How a retriever's ranking is made from another one; None for one that is there by itself."""
    place, _, name = retriever.partition("/")
    if place == RERANKED:
        return configuration.reranked.get(name)
    return configuration.selected.get(name) if place == SELECTED else None


def stages(configuration: Configuration, retriever: str) -> Iterator[str]:
    """A retriever, and those from whose rankings its own is made, the first stage last."""
    while True:
        yield retriever
        settings = made_from(configuration, retriever)
        if settings is None:
            return
        retriever = settings.retriever


def run(configuration: Configuration, *, retriever: str, testset: str) -> str:
    """The ranking of a retriever on a test set.

    Test sets that differ in nothing that a search depends on have one run: that of the shortest name, the first of
    these. A run of others is a test set's own, and so is what is made of it.
    """
    *_, first = stages(configuration, retriever)
    if not first.startswith(f"{EXTERNAL}/"):
        own = _searched(configuration.testsets[testset])
        same = [name for name, other in configuration.testsets.items() if _searched(other) == own]
        testset = min(same, key=lambda name: (len(name), name))
    return f"results/runs/{retriever}/{testset}.parquet"


def _searched(testset: Testset) -> Testset:
    """What a search depends on."""
    return testset.only("dataset", "split", "depth", "drop_query_document", "query_length", "passage_length")
