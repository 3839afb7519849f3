"""The settings of every job that a configuration can ask for, by rule."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterable, Iterator
from itertools import product
from typing import Any

from utility_annotation.annotation.stages import STAGES
from utility_annotation.labels.sources import is_soft
from utility_annotation.planning import document_jobs, jobs, report
from utility_annotation.settings import BM25, Configuration, Settings, canonical

Names = tuple[tuple[str, str], ...]
"""The wildcards of a job with their values."""

RULES: dict[str, Callable[..., Settings]] = {
    name: function
    for module in (jobs, document_jobs)
    for name, function in vars(module).items()
    if inspect.isfunction(function) and function.__module__ == module.__name__ and not name.startswith("_")
}
"""Every rule that has settings."""


def every_job(configuration: Configuration, rule: str) -> Iterator[Names]:
    """The wildcards of each job of a rule."""
    parameters = list(inspect.signature(RULES[rule]).parameters)[1:]
    for values in product(*(_values(configuration, rule, parameter) for parameter in parameters)):
        names = dict(zip(parameters, values, strict=True))
        if "split" in names and names["split"] not in configuration.datasets[names["dataset"]].splits:
            continue
        if "external_run" in names and names["testset"] not in configuration.external_runs[names["external_run"]].files:
            continue
        yield tuple(names.items())


def _values(configuration: Configuration, rule: str, parameter: str) -> Iterable[str]:
    if rule in ("ingest_corpus", "ingest_documents", "ingest_passages"):
        kind = "corpus" if rule == "ingest_corpus" else "documents"
        return [name for name, dataset in configuration.datasets.items() if getattr(dataset, kind)]
    if rule in ("sample_annotations", "annotation_cost"):
        return report.judges(configuration)
    if rule == "export_labels":
        return [name for name, labels in configuration.labels.items() if not is_soft(labels.source)]
    if rule in ("build_pool", "divide_pool", "sample_passages"):
        own = {"divide_pool": ["pool"], "sample_passages": ["passages"]}
        formats = own.get(rule, ["tevatron", "tevatron-ids", "dpr", "retrieved", "merged"])
        return [name for name, pool in configuration.pools.items() if pool.source.format in formats]
    if rule == "score_pool" and parameter == "pool":
        scored = {each.pool for each in configuration.labels.values() if each.source == "selector"}
        calibrated = {each.labels for each in configuration.selected.values() if each.labels}
        return scored | {configuration.labels[name].pool for name in calibrated}
    if rule in ("find_duplicates", "mine_negatives"):
        return [name for name, pool in configuration.pools.items() if pool.source.searched]
    if rule == "write_verdict":
        return [name for name, table in configuration.tables.items() if table.verdict]
    if rule == "match_answers":
        return [name for name, testset in configuration.testsets.items() if testset.relevant == "answers"]
    if parameter in ("first", "second"):
        return ["bm25/bm25"] if parameter == "first" else ["encoder/untrained"]
    if parameter == "stage":
        return STAGES
    if parameter == "split":
        return {split for dataset in configuration.datasets.values() for split in dataset.splits}
    if parameter == "bm25":
        return BM25, *configuration.bm25_variants
    if parameter == "length":
        return "", "@99"
    if rule in ("rerank", "rerank_by_llm"):
        return [name for name, each in configuration.reranked.items() if bool(each.reranker) == (rule == "rerank")]
    if rule in ("select", "select_by_llm"):
        return [name for name, each in configuration.selected.items() if bool(each.labels) == (rule == "select")]
    if parameter == "backbone" and rule in ("train", "export_model"):
        return [*configuration.backbones, *configuration.rerankers]
    own = {
        "generator": "annotators",
        "labels": "labels",
        "qa": "qa",
        "reranked": "reranked",
        "selected": "selected",
        "questions": "questions",
    }
    section = own.get(parameter, f"{parameter}s")
    return getattr(configuration, section)


def settings_of(configuration: Configuration) -> dict[tuple[str, Names], str]:
    """The canonical JSON of each job of each rule."""
    return {
        (rule, names): canonical(RULES[rule](configuration, **dict(names)))
        for rule in RULES
        for names in every_job(configuration, rule)
    }


def stale_rules(before: Configuration, after: Configuration) -> set[str]:
    """The rules that have a job whose settings differ, of those that both configurations have."""
    old, new = settings_of(before), settings_of(after)
    return {rule for rule, names in old.keys() & new.keys() if old[rule, names] != new[rule, names]}


def keys(settings: Settings) -> set[str]:
    """The keys of the settings' JSON, dotted for those of a section that is not whole."""
    return set(_keys(settings, json.loads(canonical(settings)), ""))


def _shown(settings: Settings) -> set[str]:
    """The keys of a whole section's JSON, which lacks those that are left out while they are unset."""
    fields = type(settings).model_fields.items()
    return {name for name, field in fields if not (field.exclude_if and field.exclude_if(getattr(settings, name)))}


def _keys(settings: Any, values: dict[str, Any], prefix: str) -> Iterator[str]:
    for name, value in values.items():
        inner = getattr(settings, name)
        if isinstance(inner, Settings) and set(value) != _shown(inner):
            yield from _keys(inner, value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"
