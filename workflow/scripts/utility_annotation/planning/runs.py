"""Rankings: which file holds that of a retriever on a test set."""

from __future__ import annotations

from ..settings import EXTERNAL, RERANKED, Configuration, Testset


def run(configuration: Configuration, *, retriever: str, testset: str) -> str:
    """The ranking of a retriever on a test set.

    Test sets that differ in nothing that a search depends on have one run: that of the shortest name, the first of
    these. A run of others is a test set's own, and so is what a reranker makes of it.
    """
    first = retriever
    while first.startswith(f"{RERANKED}/"):
        first = configuration.reranked[first.removeprefix(f"{RERANKED}/")].retriever
    if not first.startswith(f"{EXTERNAL}/"):
        own = _searched(configuration.testsets[testset])
        same = [name for name, other in configuration.testsets.items() if _searched(other) == own]
        testset = min(same, key=lambda name: (len(name), name))
    return f"results/runs/{retriever}/{testset}.parquet"


def _searched(testset: Testset) -> Testset:
    """What a search depends on."""
    return testset.only("dataset", "split", "depth", "drop_query_document", "query_length", "passage_length")
