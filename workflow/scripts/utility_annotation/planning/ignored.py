"""Settings that can have no effect beside others. They are errors: whoever set them expects one."""

from __future__ import annotations

from collections.abc import Iterator

from ..labels.sources import descriptions, keys_of
from ..settings import Configuration, Settings
from ..training.losses import LOSSES
from ..training.rerankers import SCORES
from . import reranking

_OF_SOME_SOURCES = tuple(dict.fromkeys(key for source in descriptions() for key in keys_of(source)))
"""The keys of a label set that some sources read."""


def problems(configuration: Configuration) -> Iterator[str]:
    """One sentence for each setting that differs from its default and that no job would read."""
    for place, settings, keys, why in _without_effect(configuration):
        for key in keys:
            if getattr(settings, key) != type(settings).model_fields[key].get_default(call_default_factory=True):
                yield f"{place}.{key} has no effect {why}: remove the key"


def _without_effect(configuration: Configuration) -> Iterator[tuple[str, Settings, tuple[str, ...], str]]:
    for name, model in configuration.models.items():
        if model.hub is None:
            yield f"models.{name}", model, ("revision",), "without `hub`"
    for name, dataset in configuration.datasets.items():
        for part, split in dataset.splits.items():
            place = f"datasets.{name}.splits.{part}"
            if split.qrels is None:
                yield place, split, ("unknown_passages",), "without `qrels`"
            if split.qrels is None and split.answers is None:
                yield place, split, ("unknown_queries",), "without `qrels` and `answers`"
    for name, pool in configuration.pools.items():
        if not pool.source.searched:
            why = f"on rows of format {pool.source.format}"
            yield f"pools.{name}.source", pool.source, ("depth", "retrievers"), why
        if pool.source.sample is not None:
            yield f"pools.{name}", pool, ("size", "seed", "relevance_level", "titles"), "on passages without a question"
            of_parts = ("percent", "unsure", "between")
            yield f"pools.{name}.source", pool.source, of_parts, "with a source of format passages"
        elif pool.source.pool is None:
            keys = ("percent", "seed", "unsure", "between")
            yield f"pools.{name}.source", pool.source, keys, f"with a source of format {pool.source.format}"
        else:
            yield f"pools.{name}", pool, ("size", "seed", "relevance_level", "titles"), "on a part of another pool"
            if pool.source.unsure is None:
                yield f"pools.{name}.source", pool.source, ("between",), "without `unsure`"
    for name, annotator in configuration.annotators.items():
        unread = "sampling" if annotator.protocol == "pointwise" else "pointwise"
        yield f"annotators.{name}", annotator, (unread,), f"under the protocol {annotator.protocol}"
    for name, labels in configuration.labels.items():
        of_others = tuple(key for key in _OF_SOME_SOURCES if key not in keys_of(labels.source))
        yield f"labels.{name}", labels, of_others, f"on labels of source {labels.source}"
        if labels.voting != "share" and "voting" not in of_others:
            yield f"labels.{name}", labels, ("weights",), f"with voting: {labels.voting}"
        if labels.ignore == labels.source:
            yield f"labels.{name}", labels, ("ignore",), f"on labels of source {labels.source}"
    for name, reranker in configuration.rerankers.items():
        others = tuple(key for score, way in SCORES.items() if score != reranker.score for key in way.settings)
        yield f"rerankers.{name}", reranker, others, f"with score {reranker.score}"
    for name, reranked in configuration.reranked.items():
        judge = configuration.annotators.get(reranked.annotator or "")
        if reranked.reranker or (judge is not None and judge.protocol == "pointwise"):
            why = "with a reranker" if reranked.reranker else "under the protocol pointwise"
            yield f"reranked.{name}", reranked, ("window", "step"), why
    for name, selected in configuration.selected.items():
        if selected.annotator is not None:
            yield f"selected.{name}", selected, ("method", "threshold"), "with an annotator"
        else:
            yield f"selected.{name}", selected, ("stage",), "with `labels`"
    for name, training in configuration.trainings.items():
        loss = LOSSES.get(training.loss)
        if loss is not None and (loss.soft_labels or loss.positives != "several"):
            yield f"trainings.{name}", training, ("positives",), f"with loss {training.loss}"
        if loss is not None and not loss.soft_labels:
            yield f"trainings.{name}", training, ("answer_temperature",), f"with loss {training.loss}"
    for name, table in configuration.tables.items():
        compared = any(group.second_baseline for group in table.groups) or reranking.first_stages(
            configuration, table=name
        )
        if table.baseline is None and not compared:
            yield f"tables.{name}", table, ("significance_level", "correction"), "without a baseline"
        known = [each for each in table.reranked if each in configuration.reranked]
        rerankers = [reranking.reranker(configuration, each)[1] for each in known]
        if configuration.trainings.keys().isdisjoint([*(row.training for row in table.shown()), *rerankers]):
            yield f"tables.{name}", table, ("label_metrics",), "without trainings"
