"""Pools: what they are built from, and their shards."""

from __future__ import annotations

from ..pools.shards import shard_names
from ..settings import Configuration
from . import data, documents, runs


def shards(configuration: Configuration, *, pool: str) -> list[str]:
    """A pool's shard files."""
    return [shard_file(pool, shard) for shard in shard_names(configuration.pools[pool].shards)]


def shard_file(pool: str, shard: str) -> str:
    """A shard file of a pool."""
    return f"results/pools/{pool}/{shard}.parquet"


def titles(configuration: Configuration, pool: str) -> bool:
    """Whether retrievers and rerankers read the titles of a pool's passages; a part does as its whole pool."""
    settings = configuration.pools[pool]
    return (configuration.pools[settings.source.pool] if settings.source.pool else settings).titles


def built(configuration: Configuration) -> list[str]:
    """The pools that are built from training rows, published or mined."""
    others = ("pool", "passages")
    return [name for name, pool in configuration.pools.items() if pool.source.format not in others]


def sampled(configuration: Configuration) -> list[str]:
    """The pools of passages without questions."""
    return [name for name, pool in configuration.pools.items() if pool.source.sample is not None]


def parts(configuration: Configuration) -> list[str]:
    """The pools that are parts of others."""
    return [name for name, pool in configuration.pools.items() if pool.source.pool is not None]


def parent_shards(configuration: Configuration, *, pool: str) -> list[str]:
    """The shards of the pool of which a pool is a part."""
    return shards(configuration, pool=str(configuration.pools[pool].source.pool))


def score_shards(configuration: Configuration, *, reranker: str, pool: str) -> list[str]:
    """The scores that a reranker, RERANKER/TRAINING, gives a pool's candidates, shard by shard."""
    names = shard_names(configuration.pools[pool].shards)
    return [f"results/scores/{reranker}/{pool}/{shard}.parquet" for shard in names]


def calibration(reranker: str, labels: str) -> str:
    """How the scores of a reranker, RERANKER/TRAINING, become probabilities, by a label set."""
    return f"results/calibrations/{reranker}/{labels}.json"


def unsure_scores(configuration: Configuration, *, pool: str) -> list[str]:
    """The scores of the selector that is unsure of a pool's questions, if it is made of such."""
    source = configuration.pools[pool].source
    if source.unsure is None or source.pool is None:
        return []
    return score_shards(configuration, reranker=configuration.labels[source.unsure].reranker, pool=source.pool)


def unsure_calibration(configuration: Configuration, *, pool: str) -> list[str]:
    """The calibration of that selector."""
    source = configuration.pools[pool].source
    if source.unsure is None:
        return []
    settings = configuration.labels[source.unsure]
    return [calibration(settings.reranker, str(settings.calibration))]


def source(configuration: Configuration, *, pool: str) -> str:
    """The training rows from which a pool is built: published ones, or those mined by this workflow."""
    return configuration.pools[pool].source.path or f"results/mined/{pool}.jsonl"


def source_files(configuration: Configuration, *, pool: str) -> list[str]:
    """The files of these rows."""
    return data.source_files(configuration, source(configuration, pool=pool))


def corpus(configuration: Configuration, *, pool: str) -> str:
    """The corpus to which a pool's passages belong."""
    return data.corpus(configuration.pools[pool].dataset)


def corpus_of_ids(configuration: Configuration, *, pool: str) -> list[str]:
    """The corpus that supplies the texts of a pool whose rows hold ids only."""
    return [] if configuration.pools[pool].source.carries_passages else [corpus(configuration, pool=pool)]


def queries(configuration: Configuration, *, pool: str) -> str:
    """The questions of a pool's split."""
    settings = configuration.pools[pool]
    return data.split_file("queries", settings.dataset, settings.split)


def qrels(configuration: Configuration, *, pool: str) -> list[str]:
    """The judgements of a pool's split, if there are any; only a merged pool does without."""
    settings = configuration.pools[pool]
    judged = configuration.datasets[settings.dataset].splits[settings.split].qrels is not None
    return [data.split_file("qrels", settings.dataset, settings.split)] if judged else []


def truth(configuration: Configuration, *, pool: str) -> list[str]:
    """The ground-truth answers to a pool's questions, where its split has some."""
    settings = configuration.pools[pool]
    answered = configuration.datasets[settings.dataset].splits[settings.split].answers is not None
    return [data.split_file("answers", settings.dataset, settings.split)] if answered else []


def origins(configuration: Configuration, *, pool: str) -> list[str]:
    """Where a pool's passages are from, where its dataset is made of documents."""
    dataset = configuration.pools[pool].dataset
    return [documents.origins(dataset)] if configuration.datasets[dataset].documents else []


def examples(configuration: Configuration, *, pool: str) -> list[str]:
    """The questions of a user's own that an LLM is shown beside the passages of a pool, if there are any."""
    source = configuration.pools[pool].source.examples
    return data.source_files(configuration, source.path, "queries.jsonl") if source else []


def duplicates(configuration: Configuration, *, pool: str) -> list[str]:
    """The duplicates of which a pool holds one each; none where it keeps them all."""
    dropped = configuration.pools[pool].source.duplicates == "drop"
    return [f"results/mined/{pool}.duplicates.parquet"] if dropped else []


def rankings(configuration: Configuration, *, pool: str) -> list[str]:
    """The runs whose passages a pool is made of, or takes as negatives."""
    settings = configuration.pools[pool].source
    assert settings.testset is not None, "the configuration requires it"
    testset = settings.testset
    return [runs.run(configuration, retriever=name, testset=testset) for name in settings.retrievers]
