"""The entries of tables that a job uses: what of a table its rule is stale by.

Each function is named as its rule and gives ``MODULE:TABLE[KEY].FIELD``, or ``MODULE:TABLE`` for a table of which
nothing counts, see :func:`utility_annotation.common.code_digest.code_digest`. Another entry of a table makes no result
of the rule stale. Rules that take seconds, such as those of tables and figures, do without: for them all entries count.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..evaluation.metric_names import parse
from ..labels.sources import SOURCES
from ..settings import Backbone, Configuration, Reranker, Source
from . import selection
from .data import split_of
from .training import starting_point

_STAGES = "utility_annotation.annotation.stages:STAGES"
_SOURCES = "utility_annotation.labels.sources:SOURCES"
_FORMATS = "utility_annotation.io.formats:FORMATS"
_LOSSES = "utility_annotation.training.losses:LOSSES"
_KINDS = "utility_annotation.training.kinds:KINDS"
_SCORES = "utility_annotation.training.rerankers:SCORES"
_SCORERS = "utility_annotation.retrieval.scorers:SCORERS"
_METHODS = "utility_annotation.labels.calibration:METHODS"
_POOLINGS = "utility_annotation.training.pooling:POOLINGS"
_METRICS = "utility_annotation.evaluation.metric_names:METRICS"
_MEANS = "utility_annotation.evaluation.candidates:MEANS"
_EVALUATED = ("function", "uses_grades", "needs_cutoff")
_ANSWER_METRICS = "utility_annotation.evaluation.answer_metrics:ANSWER_METRICS"


def _reader(source: Source | None, kind: str) -> list[str]:
    """What reads one kind of rows of a source, and how its rows are joined."""
    return [] if source is None else [f"{_FORMATS}[{source.format}].{kind}", f"{_FORMATS}[{source.format}].key"]


def ingest_corpus(configuration: Configuration, *, dataset: str) -> list[str]:
    """The reader of a corpus."""
    return _reader(configuration.datasets[dataset].corpus, "passages")


def ingest_queries(configuration: Configuration, *, dataset: str, split: str) -> list[str]:
    """The reader of a split's questions, and of what decides which of them are kept."""
    settings = split_of(configuration, dataset, split)
    used = _reader(settings.queries, "queries")
    used += _reader(settings.qrels, "judgements") if settings.judged_only else []
    return used + (_reader(settings.answers, "answers") if settings.answered_only else [])


def ingest_qrels(configuration: Configuration, *, dataset: str, split: str) -> list[str]:
    """The reader of a split's judgements."""
    return _reader(split_of(configuration, dataset, split).qrels, "judgements")


def ingest_answers(configuration: Configuration, *, dataset: str, split: str) -> list[str]:
    """The reader of a split's answers."""
    return _reader(split_of(configuration, dataset, split).answers, "answers")


def annotate(configuration: Configuration, *, stage: str) -> list[str]:
    """What asks and reads the replies of a stage, and what it reads."""
    return [f"{_STAGES}[{stage}].make", f"{_STAGES}[{stage}].reads"]


def merge_labels(configuration: Configuration, *, labels: str) -> list[str]:
    """How a source's labels are made; the reader of a file only where there is one."""
    settings = configuration.labels[labels]
    of_source = f"{_SOURCES}[{settings.source}].make"
    made = of_source if settings.source in SOURCES else f"{_STAGES}[{settings.source}].labels"
    doubts = [f"{_STAGES}[{settings.ignore}].labels"] if settings.ignore else []
    method = _method(settings.method if settings.source == "selector" else None)
    metric = f"{_ANSWER_METRICS}[{settings.metric}].function" if settings.metric else _ANSWER_METRICS
    return [_SOURCES, _STAGES, _FORMATS, made, *doubts, method, metric, *_reader(settings.file, "judgements")]


def divide_pool(configuration: Configuration, *, pool: str) -> list[str]:
    """How the scores of a selector become probabilities, for a part of which it is unsure."""
    unsure = configuration.pools[pool].source.unsure
    return [_method(configuration.labels[unsure].method if unsure else None)]


def _method(name: str | None) -> str:
    return f"{_METHODS}[{name}].probabilities" if name else _METHODS


def label_quality(configuration: Configuration, *, labels: str) -> list[str]:
    """What kind of labels a source has, and whether its stage was shown a selection; not how it asks and reads."""
    source = configuration.labels[labels].source
    of_stage = [] if source in SOURCES else [f"{_STAGES}[{source}].labels", f"{_STAGES}[{source}].reads"]
    return [_SOURCES, _STAGES, _FORMATS, _METHODS, *of_stage]


def train(configuration: Configuration, *, backbone: str, training: str) -> list[str]:
    """What is trained, a training's loss and the metric of its evaluations, and a backbone's pooling."""
    settings = configuration.trainings[training]
    trained = starting_point(configuration, backbone)
    fields = ("function", "saved_as") if isinstance(trained, Backbone) else ()
    return [
        f"{_KINDS}[{type(trained).__name__}]",
        *(f"{_LOSSES}[{settings.loss}].{field}" for field in ("function", "positives", "soft_labels")),
        *([f"{_SCORES}[{trained.score}].load"] if isinstance(trained, Reranker) else [_SCORES]),
        *(f"{_POOLINGS}[{trained.pooling}].{field}" for field in fields if isinstance(trained, Backbone)),
        *([f"{_MEANS}[dev]", *_metrics([settings.dev.metric], *_EVALUATED)] if settings.dev else [_MEANS]),
    ]


def encode(configuration: Configuration, *, backbone: str) -> list[str]:
    """A backbone's pooling."""
    return [f"{_POOLINGS}[{configuration.backbones[backbone].pooling}].function"]


def rerank(configuration: Configuration, *, reranked: str) -> list[str]:
    """How a reranker, or a retriever in its place, gives a score."""
    name, _, _ = configuration.reranked[reranked].reranker.partition("/")
    return _scorer(configuration, name)


def score_pool(configuration: Configuration, *, reranker: str) -> list[str]:
    """How a reranker, or a retriever in its place, gives a score."""
    return _scorer(configuration, reranker)


def _scorer(configuration: Configuration, name: str) -> list[str]:
    trained = starting_point(configuration, name)
    if isinstance(trained, Reranker):
        how = [f"{_SCORES}[{trained.score}].load", _POOLINGS]
    else:
        how = [_SCORES, f"{_POOLINGS}[{trained.pooling}].function"]
    return [f"{_SCORERS}[{type(trained).__name__}]", *how]


def select(configuration: Configuration, *, selected: str) -> list[str]:
    """How scores become probabilities."""
    return [f"{_METHODS}[{configuration.selected[selected].method}].probabilities"]


def select_by_llm(configuration: Configuration, *, selected: str) -> list[str]:
    """What asks and reads the replies of each stage, and what it reads."""
    stages = selection.llm_stages(configuration, selected=selected)
    return [each for stage in stages for each in annotate(configuration, stage=stage)]


def match_answers(configuration: Configuration, *, testset: str) -> list[str]:
    """How far down a ranking the metrics of a test set look."""
    return _metrics(configuration.testsets[testset].metrics, "needs_cutoff")


def evaluate(configuration: Configuration, *, testset: str) -> list[str]:
    """The metrics of a test set."""
    return _metrics(configuration.testsets[testset].metrics, *_EVALUATED)


def evaluate_answers(configuration: Configuration, *, qa: str) -> list[str]:
    """The metrics of answers."""
    metrics = configuration.qa[qa].metrics
    return [f"{_ANSWER_METRICS}[{metric}].{field}" for metric in metrics for field in ("function", "needs_encoder")]


def _metrics(metrics: Iterable[str], *fields: str) -> list[str]:
    names = dict.fromkeys(parse(metric)[0] for metric in metrics)
    return [f"{_METRICS}[{name}].{field}" for name in names for field in fields]
