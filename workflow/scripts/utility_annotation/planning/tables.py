"""What the configuration names in the library's tables: losses, poolings, formats and metrics.

An entry of a table is all that a new loss or format needs: it is accepted here, and described in the reference.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

from ..annotation.stages import STAGES
from ..common.errors import InputError
from ..evaluation.answer_metrics import ANSWER_METRICS, AnswerMetric
from ..evaluation.answer_work import WORK
from ..evaluation.metric_names import METRICS, parse
from ..io.formats import FORMATS, Kind, wrong_columns, wrong_ids
from ..labels.calibration import METHODS
from ..labels.sources import SOURCES, descriptions, is_soft, rule_of
from ..settings import Configuration, Labels, QuestionAnswering, Source, Testset, Training
from ..settings.base import nearest
from ..training.losses import LOSSES
from ..training.pooling import POOLINGS
from ..training.rerankers import SCORES
from .selection import selecting_stages

_HELD: dict[str, Kind] = {"queries": "queries", "qrels": "judgements", "answers": "answers"}
"""What the source under each key of a split holds."""


class _Described(Protocol):
    @property
    def description(self) -> str: ...


def choices() -> dict[str, dict[str, str]]:
    """For each setting that names an entry of a table, the names with their descriptions; ``*`` is any name."""
    return {
        "datasets.*.corpus.format": _descriptions(_holding("passages")),
        **{f"datasets.*.splits.*.{key}.format": _descriptions(_holding(kind)) for key, kind in _HELD.items()},
        "pools.*.source.examples.format": _descriptions(_holding("queries")),
        "labels.*.source": descriptions(),
        "labels.*.ignore": {stage: STAGES[stage].description for stage in selecting_stages()},
        "labels.*.metric": _descriptions(of_one_answer()),
        "labels.*.file.format": _descriptions(_holding("judgements")),
        "backbones.*.pooling": _descriptions(POOLINGS),
        "rerankers.*.score": _descriptions(SCORES),
        **dict.fromkeys(("selected.*.method", "labels.*.method"), _descriptions(METHODS)),
        "trainings.*.loss": _descriptions(LOSSES),
        "testsets.*.metrics": _descriptions(METRICS),
        "qa.*.metrics": _descriptions(ANSWER_METRICS),
        "tables.*.answer_work": _descriptions(WORK),
    }


def of_one_answer() -> dict[str, AnswerMetric]:
    """The metrics that say of a single answer how good it is, and need no encoder."""
    return {name: metric for name, metric in ANSWER_METRICS.items() if not metric.needs_encoder and not metric.pooled}


def _descriptions(table: Mapping[str, _Described]) -> dict[str, str]:
    return {name: entry.description for name, entry in table.items()}


def _holding(kind: Kind) -> dict[str, _Described]:
    return {name: form for name, form in FORMATS.items() if form.holds(kind)}


def problems(configuration: Configuration) -> Iterator[str]:
    """One sentence for each name that is in no table, and for each that does not fit what stands beside it."""
    for name, dataset in configuration.datasets.items():
        yield from _source(f"datasets.{name}.corpus", dataset.corpus, "passages")
        for part, split in dataset.splits.items():
            for key, kind in _HELD.items():
                yield from _source(f"datasets.{name}.splits.{part}.{key}", getattr(split, key), kind)
    for name, pool in configuration.pools.items():
        yield from _source(f"pools.{name}.source.examples", pool.source.examples, "queries")
    for name, labels in configuration.labels.items():
        yield from _unknown(f"labels.{name}.source", labels.source, descriptions(), "sources of labels")
        yield from _source(f"labels.{name}.file", labels.file, "judgements")
        if labels.source in descriptions() and (labels.source in STAGES) != (labels.annotator is not None):
            needs = "need" if labels.source in STAGES else "must have no"
            yield f"labels.{name}: labels of source {labels.source} {needs} `annotator`"
        yield from _needed(f"labels.{name}", labels)
        rule = rule_of(labels.source)
        if rule is not None and rule.graded and labels.relevance_level > rule.highest:
            yield (
                f"labels.{name}.relevance_level is {labels.relevance_level}, and the highest grade of source "
                f"{labels.source} is {rule.highest}"
            )
        if rule is not None and rule.measured:
            known = of_one_answer()
            if labels.metric is None:
                yield f"labels.{name}: labels of source {labels.source} need `metric`; known: {', '.join(known)}"
            else:
                yield from _unknown(f"labels.{name}.metric", labels.metric, known, "metrics of a single answer")
        if labels.ignore is not None:
            yield from _unknown(f"labels.{name}.ignore", labels.ignore, selecting_stages(), "stages that select")
            if is_soft(labels.source):
                yield f"labels.{name}.ignore: labels of source {labels.source} are likelihoods, which cannot be ignored"
    for name, backbone in configuration.backbones.items():
        yield from _unknown(f"backbones.{name}.pooling", backbone.pooling, POOLINGS, "poolings")
    for name, reranker in configuration.rerankers.items():
        yield from _unknown(f"rerankers.{name}.score", reranker.score, SCORES, "ways to score")
    for section in ("selected", "labels"):
        for name, calibrated in getattr(configuration, section).items():
            yield from _unknown(f"{section}.{name}.method", calibrated.method, METHODS, "methods of calibration")
    for name, training in configuration.trainings.items():
        yield from _training(configuration, f"trainings.{name}", training)
    for name, testset in configuration.testsets.items():
        yield from _testset(f"testsets.{name}", testset)
    for name, table in configuration.tables.items():
        for work in table.answer_work:
            yield from _unknown(f"tables.{name}.answer_work", work, WORK, "columns about the work")
    for name, task in configuration.qa.items():
        yield from _question_answering(f"qa.{name}", task)


def _needed(place: str, labels: Labels) -> Iterator[str]:
    """Keys without which a source has no labels, and those that only others need."""
    needed = SOURCES[labels.source].needs if labels.source in SOURCES else ()
    for key in dict.fromkeys(key for source in SOURCES.values() for key in source.needs):
        if bool(getattr(labels, key)) != (key in needed):
            yield f"{place}: labels of source {labels.source} {'need' if key in needed else 'have no'} `{key}`"
    if len(labels.of) == 1:
        yield f"{place}.of: name two label sets or more"


def _unknown(place: str, name: str, table: Iterable[str], kind: str) -> Iterator[str]:
    known = list(table)
    if name not in known:
        hint = nearest(name, known)
        names = "" if ", ".join(known) in hint else f"; known: {', '.join(known)}"
        yield f"{place} names {name!r}, which is not one of the {kind}{hint}{names}"


def _source(place: str, source: Source | None, kind: Kind) -> Iterator[str]:
    if source is None:
        return
    if source.format not in FORMATS:
        yield from _unknown(f"{place}.format", source.format, _holding(kind), "formats")
    elif not FORMATS[source.format].holds(kind):
        yield (
            f"{place}.format names {source.format!r}, which holds no {kind}; those that do: {', '.join(_holding(kind))}"
        )
    elif source.columns and not FORMATS[source.format].columns:
        yield f"{place}: {wrong_columns(source.format)}"
    elif problem := wrong_ids(source, kind):
        yield f"{place}: {problem}"


def _training(configuration: Configuration, place: str, training: Training) -> Iterator[str]:
    yield from _unknown(f"{place}.loss", training.loss, LOSSES, "losses")
    labels = configuration.labels.get(training.labels)
    loss = LOSSES.get(training.loss)
    if labels is not None and loss is not None and loss.soft_labels != is_soft(labels.source):
        soft = [name for name, each in LOSSES.items() if each.soft_labels]
        yield (
            f"{place}: loss {' or '.join(soft)} goes with labels that are likelihoods (source replug), and these with "
            "no other loss"
        )
    if training.dev:
        try:
            parse(training.dev.metric)
        except InputError as error:
            yield _metric_problem(f"{place}.dev.metric", error)


def _metric_problem(place: str, error: InputError) -> str:
    return f"{place}: {error.problem.removesuffix('.')}; {error.hint.removesuffix('.')}"


def _testset(place: str, testset: Testset) -> Iterator[str]:
    unfit = []
    for metric in testset.metrics:
        try:
            name, cutoff = parse(metric)
        except InputError as error:
            yield _metric_problem(f"{place}.metrics", error)
            continue
        if METRICS[name].needs_all_relevant:
            unfit.append(metric)
        if cutoff > testset.depth:
            yield f"{place}.metrics: {metric} looks further down than `depth`, {testset.depth}"
    if testset.relevant == "answers" and unfit:
        fit = [name for name, metric in METRICS.items() if not metric.needs_all_relevant]
        yield (
            f"{place}.metrics: {', '.join(unfit)}: with relevant: answers only retrieved passages are judged, so "
            f"the number of relevant ones is unknown; use one of {', '.join(fit)}"
        )


def _question_answering(place: str, task: QuestionAnswering) -> Iterator[str]:
    for metric in task.metrics:
        yield from _unknown(f"{place}.metrics", metric, ANSWER_METRICS, "metrics of answers")
    needing = [name for name, metric in ANSWER_METRICS.items() if metric.needs_encoder]
    if any(metric in needing for metric in task.metrics) != (task.bert_score is not None):
        yield f"{place}: the metric {' or '.join(needing)} needs `bert_score`, and the others do not"
