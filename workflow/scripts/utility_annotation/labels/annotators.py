"""Which LLMs made labels, and where the same LLM judges a test set and made the labels of a training shown on it."""

from __future__ import annotations

from collections.abc import Iterable

from ..settings import BM25, EXTERNAL, Configuration, JobSettings, Name, Reranked, Selected
from .settings import PEOPLE


class SharedJudge(JobSettings):
    """A test set whose judge also made labels of trainings: their figures on it favour what the judge favours."""

    testset: Name
    annotator: Name
    trainings: tuple[Name, ...]


def annotators_of_labels(configuration: Configuration, name: str) -> set[str]:
    """The annotators behind a label set, those of its members and of a selector's training included."""
    labels = configuration.labels[name]
    own = {labels.annotator} if labels.annotator else set()
    if labels.calibration is not None:
        own |= annotators_of_labels(configuration, labels.calibration)
        own |= annotators_of_training(configuration, labels.reranker.partition("/")[2])
    return own.union(*(annotators_of_labels(configuration, member) for member in labels.of))


def annotators_of_training(configuration: Configuration, name: str) -> set[str]:
    """The annotators behind the labels that decide a training and its first stages; none of an untrained backbone.

    Those of a reranked or selected run are those of its reranker's training, of the labels that calibrate its scores,
    or the LLM that orders or selects, and those of the ranking that it is made from.
    """
    found: set[str] = set()
    settings = configuration.reranked.get(name) or configuration.selected.get(name)
    if settings is not None:
        found |= {settings.annotator} if settings.annotator else set()
        found |= (
            annotators_of_labels(configuration, settings.labels)
            if isinstance(settings, Selected) and settings.labels
            else set()
        )
        rankings = [settings.retriever, *([settings.reranker] if isinstance(settings, Reranked) else [])]
        for place, _, training in (each.partition("/") for each in rankings):
            found |= set() if place in (BM25, EXTERNAL) else annotators_of_training(configuration, training)
    stage: str | None = name
    while stage in configuration.trainings:
        for labels in configuration.trainings[stage].label_sets:
            found |= annotators_of_labels(configuration, labels)
        stage = configuration.trainings[stage].init_from
    return found


def shared_judges(
    configuration: Configuration, trainings: Iterable[str], testsets: Iterable[str]
) -> tuple[SharedJudge, ...]:
    """The shared judges among these trainings and test sets; averages count as their test sets.

    Two annotators with the same weights, or the same name on their server, are the same LLM.
    """
    behind = {name: _llms(configuration, annotators_of_training(configuration, name)) for name in trainings}
    shared = []
    for testset in _single(configuration, testsets):
        labels = configuration.testsets[testset].labels
        for judge in sorted(annotators_of_labels(configuration, labels)) if labels else ():
            if same := tuple(name for name in behind if _llms(configuration, [judge]) & behind[name]):
                shared.append(SharedJudge(testset=testset, annotator=judge, trainings=same))
    return tuple(shared)


def judges_of_testset(configuration: Configuration, testset: str) -> tuple[str, ...]:
    """Who says what is relevant, as sentences name them; for an average, those of its test sets together."""
    found: list[str] = []
    for name in _single(configuration, [testset]):
        settings = configuration.testsets[name]
        found += {"qrels": [PEOPLE], "labels": [], "answers": ["the answers that passages hold"]}[settings.relevant]
        if settings.labels:
            annotators = sorted(annotators_of_labels(configuration, settings.labels))
            found += annotators or [f"the labels {settings.labels}"]
    return tuple(dict.fromkeys(found))


def _llms(configuration: Configuration, annotators: Iterable[str]) -> set[str]:
    found = (configuration.annotators[name] for name in annotators)
    return {each.served_model_name or str(each.model) for each in found}


def _single(configuration: Configuration, testsets: Iterable[str]) -> dict[str, None]:
    found: dict[str, None] = {}
    for name in testsets:
        average = configuration.averages.get(name)
        found |= {name: None} if average is None else _single(configuration, average.testsets)
    return found
