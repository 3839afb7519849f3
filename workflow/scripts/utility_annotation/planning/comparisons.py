"""Two retrievers compared question by question on a test set: what that reads."""

from __future__ import annotations

from ..common.errors import InputError
from ..settings import BM25, Configuration
from . import retrieval, runs


def file(first: str, second: str, testset: str) -> str:
    """A comparison as a page; its figures, and a table of all questions, stand beside it."""
    return f"results/comparisons/{first}-vs-{second}/{testset}.md"


def shown(configuration: Configuration) -> list[str]:
    """The comparisons that the report shows."""
    return [file(each.first, each.second, each.testset) for each in configuration.report.comparisons]


def per_query(configuration: Configuration, *, first: str, second: str, testset: str) -> list[str]:
    """The values of both retrievers and of BM25 by question.

    Raises:
        InputError: the two are the same.
    """
    if first == second:
        raise InputError(f"{first} is compared with itself.", hint="name two retrievers.")
    return [f"results/metrics/{name}/{testset}.per-query.parquet" for name in (first, second, f"{BM25}/{BM25}")]


def rankings(configuration: Configuration, *, first: str, second: str, testset: str) -> list[str]:
    """The rankings of both retrievers."""
    return [runs.run(configuration, retriever=name, testset=testset) for name in (first, second)]


def qrels(configuration: Configuration, *, first: str, second: str, testset: str) -> list[str]:
    """The judgements of both: one file, but where a passage is relevant that holds an answer."""
    found = [retrieval.qrels(configuration, retriever=name, testset=testset) for name in (first, second)]
    return list(dict.fromkeys(found))
