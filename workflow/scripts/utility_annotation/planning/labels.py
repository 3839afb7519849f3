"""Label sets: the files that they are merged from and compared with."""

from __future__ import annotations

from ..annotation.stages import STAGES
from ..common.errors import InputError
from ..labels.sources import is_measured, is_narrowed, is_soft, members_of
from ..settings import Configuration
from . import annotation, data, pools


def file(labels: str) -> str:
    """Path of a label set."""
    return f"results/labels/{labels}.parquet"


def quality(labels: str) -> str:
    """Path of what a label set is worth beside human labels."""
    return f"results/quality/{labels}.json"


def pool_shards(configuration: Configuration, *, labels: str) -> list[str]:
    """The shards of the pool that a label set labels."""
    return pools.shards(configuration, pool=configuration.labels[labels].pool)


def annotation_shards(configuration: Configuration, *, labels: str) -> list[str]:
    """The annotation shards from which a label set is merged; none where no LLM of ours makes it."""
    settings = configuration.labels[labels]
    return annotation.shards(configuration, settings, settings.source) if settings.source in STAGES else []


def doubt_shards(configuration: Configuration, *, labels: str) -> list[str]:
    """The shards of the stage whose selection a label set ignores where it is not positive; none where it ignores
    nothing.
    """
    settings = configuration.labels[labels]
    return annotation.shards(configuration, settings, settings.ignore) if settings.ignore is not None else []


def relevance_shards(configuration: Configuration, *, labels: str) -> list[str]:
    """The relevance selection that decided which candidates the last stage of a label set was shown, if one did."""
    settings = configuration.labels[labels]
    return annotation.shards(configuration, settings, "relsel") if is_narrowed(settings.source) else []


def members(configuration: Configuration, *, labels: str) -> list[str]:
    """The label files that a label set is made of."""
    return [file(member) for member in configuration.labels[labels].of]


def people(configuration: Configuration, *, labels: str) -> list[str]:
    """The judgements of people with which the grades of a label set are compared.

    Raises:
        InputError: there are none, or its labels are no grades.
    """
    settings = configuration.labels[labels]
    judgements = pools.qrels(configuration, pool=settings.pool)
    if is_soft(settings.source) or not judgements:
        why = "they are likelihoods" if judgements else f"the split of pool {settings.pool} has no `qrels`"
        raise InputError(f"labels {labels} cannot be compared with people: {why}.", hint="compare other labels.")
    return judgements


def voters(configuration: Configuration, *, labels: str) -> list[str]:
    """The label files whose votes a label set counts."""
    voted = members_of(configuration.labels[labels].source) == "voters"
    return members(configuration, labels=labels) if voted else []


def scores(configuration: Configuration, *, labels: str) -> list[str]:
    """The scores by which a selector labels a pool, if it does."""
    settings = configuration.labels[labels]
    if settings.source != "selector":
        return []
    return pools.score_shards(configuration, reranker=settings.reranker, pool=settings.pool)


def calibration(configuration: Configuration, *, labels: str) -> list[str]:
    """How these scores become probabilities."""
    settings = configuration.labels[labels]
    return [pools.calibration(settings.reranker, str(settings.calibration))] if settings.source == "selector" else []


def truth(configuration: Configuration, *, labels: str) -> list[str]:
    """The ground-truth answers with which a metric compares those of an annotation; none where no metric does."""
    settings = configuration.labels[labels]
    pool = configuration.pools[settings.pool]
    return [data.split_file("answers", pool.dataset, pool.split)] if is_measured(settings.source) else []


def outside_files(configuration: Configuration, *, labels: str) -> list[str]:
    """The files of the outside world from which a label set is read, if it is."""
    source = configuration.labels[labels].file
    return data.source_files(configuration, source.path) if source else []


def everything(configuration: Configuration) -> list[str]:
    """Every label set with its quality."""
    return [path for name in configuration.labels for path in (file(name), quality(name))]
