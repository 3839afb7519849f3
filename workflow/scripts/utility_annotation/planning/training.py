"""Trainings: the models, labels and pools that they start from."""

from __future__ import annotations

from collections.abc import Iterable

from ..settings import UNTRAINED, Backbone, Configuration, Reranker
from ..settings.reranking import of_each_seed
from . import labels


def of_all_seeds(configuration: Configuration, trainings: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """By training, reranked or selected run, those that stand under its name: one per seed; else it by itself."""
    *_, seeds = of_each_seed(configuration.reranked, configuration.selected, configuration.trainings)
    seeds |= {name: training.names(name) for name, training in configuration.trainings.items()}
    return {name: tuple(seeds[name].values()) if name in seeds else (name,) for name in trainings}


def starting_point(configuration: Configuration, backbone: str) -> Backbone | Reranker:
    """The backbone or the reranker of this name: what is trained."""
    return configuration.backbones.get(backbone) or configuration.rerankers[backbone]


def gpus(configuration: Configuration) -> int:
    """GPUs of a training."""
    return configuration.performance.train.gpus


def model(configuration: Configuration, *, backbone: str, training: str) -> str:
    """Folder of a trained model, or of the backbone itself for the untrained one."""
    if training == UNTRAINED:
        return f"data/models/{starting_point(configuration, backbone).model}"
    return f"results/models/{backbone}/{training}"


def starting_model(configuration: Configuration, *, backbone: str, training: str) -> str:
    """Folder of the model from which a training starts: its first stage's, or the backbone's."""
    first = configuration.trainings[training].init_from or UNTRAINED
    return model(configuration, backbone=backbone, training=first)


def label_file(configuration: Configuration, *, training: str) -> str:
    """The labels on which a training rests."""
    return labels.file(configuration.trainings[training].labels)


def pool_shards(configuration: Configuration, *, training: str) -> list[str]:
    """The shards of the pool on which a training rests."""
    return labels.pool_shards(configuration, labels=configuration.trainings[training].labels)


def dev_label_file(configuration: Configuration, *, training: str) -> list[str]:
    """The labels on which a training is evaluated while it runs; none if it is not."""
    dev = configuration.trainings[training].dev
    return [labels.file(dev.labels)] if dev else []


def dev_pool_shards(configuration: Configuration, *, training: str) -> list[str]:
    """The shards of the pool that they label."""
    dev = configuration.trainings[training].dev
    return labels.pool_shards(configuration, labels=dev.labels) if dev else []


def dev_pool_folder(configuration: Configuration, *, training: str) -> list[str]:
    """Folder of that pool."""
    dev = configuration.trainings[training].dev
    return [f"results/pools/{configuration.labels[dev.labels].pool}"] if dev else []


def pool_folder(configuration: Configuration, *, training: str) -> str:
    """Folder of that pool."""
    return f"results/pools/{configuration.labels[configuration.trainings[training].labels].pool}"
