"""The work behind labels, as far as the configuration tells it: what is paid for, query by query."""

from __future__ import annotations

from ..annotation.stages import STAGES
from ..settings import Configuration, JobSettings, Labels, Name, QuerySubset
from .sources import SOURCES, members_of, needs_truth, stages_of


class Work(JobSettings):
    """Something that is paid for per query.

    ``judgements``: humans judge the passages of a pool; ``answers``: humans answer its questions; ``selector``: a
    reranker is trained, and scores the pool; otherwise a stage of the annotation.
    """

    kind: Name
    pool: Name
    annotator: Name | None = None
    reranker: str = ""
    """Of kind ``selector``: RERANKER/TRAINING, which scores the pool."""
    queries: tuple[QuerySubset, ...] = ()
    """The queries of the pool that are in each of these parts."""


def work_of_training(configuration: Configuration, training: str) -> list[Work] | None:
    """The work behind the labels that decide a training and those it starts from; None if some came from a file."""
    work: list[Work] = []
    stage: str | None = training
    while stage is not None:
        for labels in configuration.trainings[stage].label_sets:
            of_labels = work_of_labels(configuration, labels)
            if of_labels is None:
                return None
            work += of_labels
        stage = configuration.trainings[stage].init_from
    return work


def work_of_labels(configuration: Configuration, name: str, within: tuple[QuerySubset, ...] = ()) -> list[Work] | None:
    """The work behind a label set for the queries in all of these parts; None if some labels came from a file."""
    labels = configuration.labels[name]
    queries = (*within, labels.queries)
    if labels.source == "file":
        return None
    if kind := members_of(labels.source):
        of_member = () if kind == "in turn" else queries  # a part of the pool is no share of a member's own part
        members = [work_of_labels(configuration, member, of_member) for member in labels.of]
        return None if None in members else [work for member in members for work in member or ()]
    if labels.source == "selector":
        return _work_of_selector(configuration, labels)
    if labels.source in SOURCES:
        return [Work(kind="judgements", pool=labels.pool, queries=queries)]
    assert labels.annotator is not None, "the configuration requires it"
    protocol = configuration.annotators[labels.annotator].protocol
    # a stage that finds another's likelihoods in the store computes nothing itself
    stages = [name for name in stages_of(labels, protocol) if STAGES[name].way(protocol).shares is None]
    kinds = (*(["answers"] if needs_truth(labels.source) else []), *stages)
    return [
        Work(kind=kind, pool=labels.pool, annotator=None if kind == "answers" else labels.annotator, queries=queries)
        for kind in kinds
    ]


def _work_of_selector(configuration: Configuration, labels: Labels) -> list[Work] | None:
    """What its reranker's training and calibration took, and its own training and scoring."""
    _, _, training = labels.reranker.partition("/")
    parts = [
        work_of_training(configuration, training) if training in configuration.trainings else [],
        work_of_labels(configuration, str(labels.calibration)),
    ]
    own = Work(kind="selector", pool=labels.pool, reranker=labels.reranker)
    return None if None in parts else [own, *(work for part in parts for work in part or ())]
