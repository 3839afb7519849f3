"""The settings of each job that makes passages and questions of documents, as :mod:`.jobs` has those of all others."""

from __future__ import annotations

from ..settings import Configuration, Dataset, Documents, Pool, Questions
from . import documents


def ingest_documents(configuration: Configuration, *, dataset: str) -> Documents:
    """Where documents are."""
    return documents.of(configuration, dataset).only("path")


def ingest_passages(configuration: Configuration, *, dataset: str) -> Dataset:
    """A dataset as far as the passages of its documents depend on it."""
    return configuration.datasets[dataset].only(
        "documents.path", "documents.passage_length", "documents.overlap", "titles"
    )


def read_questions(configuration: Configuration, *, questions: str) -> Questions:
    """Which of an LLM's replies become questions."""
    return configuration.questions[questions].only("styles")


def keep_questions(configuration: Configuration, *, questions: str) -> Questions:
    """What of the candidates is kept; which files the filters read decides the input files."""
    settings = configuration.questions[questions]
    trip = ("round_trip.depth", "round_trip.retriever") if settings.round_trip else ()
    return settings.only("answerable", "held_out", "seed", *trip)


def sample_passages(configuration: Configuration, *, pool: str) -> Pool:
    """A pool of passages as far as its rows depend on it."""
    return configuration.pools[pool].only("source.sample", "source.seed", "source.examples", "shards")
