"""Retrieval and its evaluation: what a test set is searched with and judged by."""

from __future__ import annotations

from collections.abc import Iterable

from ..common.errors import InputError
from ..pools.shards import shard_names
from ..settings import UNTRAINED, Backbone, Configuration
from . import data, labels, pools


def gpus(configuration: Configuration) -> int:
    """GPUs of a job that encodes or searches."""
    return configuration.performance.encode.gpus


def queries(configuration: Configuration, *, testset: str) -> str:
    """The questions of a test set."""
    settings = configuration.testsets[testset]
    return data.split_file("queries", settings.dataset, settings.split)


def answers(configuration: Configuration, *, testset: str) -> str:
    """The ground-truth answers of a test set."""
    settings = configuration.testsets[testset]
    return data.split_file("answers", settings.dataset, settings.split)


def corpus(configuration: Configuration, *, testset: str) -> str:
    """The corpus that is searched for a test set."""
    return data.corpus(configuration.testsets[testset].dataset)


def index(configuration: Configuration, *, testset: str) -> str:
    """The BM25 index of that corpus."""
    return f"results/bm25/{configuration.testsets[testset].dataset}"


def encoder(configuration: Configuration, *, backbone: str, testset: str) -> Backbone:
    """A backbone with the lengths of a test set in place of its own, where the test set has some."""
    settings = configuration.testsets[testset]
    lengths = {"query_length": settings.query_length, "passage_length": settings.passage_length}
    own = {key: length for key, length in lengths.items() if length is not None}
    return configuration.backbones[backbone].model_copy(update=own)


def vectors(configuration: Configuration, *, backbone: str, training: str, testset: str) -> list[str]:
    """The embeddings of that corpus, a file per shard."""
    return [f"{shard}.npy" for shard in _embeddings(configuration, backbone, training, testset)]


def docids(configuration: Configuration, *, backbone: str, training: str, testset: str) -> list[str]:
    """Their docids, a file per shard."""
    return [f"{shard}.docids.parquet" for shard in _embeddings(configuration, backbone, training, testset)]


def embeddings_folder(configuration: Configuration, *, backbone: str, training: str, testset: str) -> str:
    """The folder of both: the dataset's, with ``@`` and the passage length if that is not the backbone's."""
    length = encoder(configuration, backbone=backbone, testset=testset).passage_length
    suffix = "" if length == configuration.backbones[backbone].passage_length else f"@{length}"
    return f"results/embeddings/{backbone}/{training}/{configuration.testsets[testset].dataset}{suffix}"


def kept_vectors(configuration: Configuration, *, backbone: str, training: str, dataset: str, length: str) -> str:
    """The folder in which vectors outlive a run; empty if they do not: a trained model changes with its labels."""
    kept = configuration.performance.encode.keep_vectors and training == UNTRAINED
    documents = configuration.datasets[dataset].documents is not None
    return f"results/vectors/{backbone}/{dataset}{length}" if kept and documents else ""


def _embeddings(configuration: Configuration, backbone: str, training: str, testset: str) -> list[str]:
    folder = embeddings_folder(configuration, backbone=backbone, training=training, testset=testset)
    shards = configuration.datasets[configuration.testsets[testset].dataset].shards
    return [f"{folder}/{name}" for name in shard_names(shards)]


def external_files(configuration: Configuration, *, external_run: str, testset: str) -> list[str]:
    """The file of an external run on a test set.

    Raises:
        InputError: the run has none.
    """
    files = configuration.external_runs[external_run].files
    if testset not in files:
        raise InputError(
            f"external run {external_run} has no file for test set {testset}.",
            hint=f"name one at external_runs.{external_run}.files.{testset}.",
        )
    return [data.outside_file(configuration, files[testset])]


def external_testsets(configuration: Configuration, name: str) -> set[str]:
    """The test sets and averages on which an external run is evaluated."""
    found = set(configuration.external_runs[name].files)
    while new := {
        average
        for average, settings in configuration.averages.items()
        if average not in found and found.issuperset(settings.testsets)
    }:
        found |= new
    return found


def label_file(configuration: Configuration, *, testset: str) -> str:
    """The label set whose positives are relevant in a test set beside what its qrels say.

    Raises:
        InputError: the test set has no labels.
    """
    name = configuration.testsets[testset].labels
    if name is None:
        raise InputError(f"test set {testset} has no `labels`.", hint=f"give testsets.{testset}.labels a label set.")
    return labels.file(name)


def human_qrels(configuration: Configuration, *, testset: str) -> list[str]:
    """The human judgements that count beside the labels of a test set; none where the labels alone judge."""
    settings = configuration.testsets[testset]
    alone = settings.relevant == "labels"
    return [] if alone else [data.split_file("qrels", settings.dataset, settings.split)]


def label_duplicates(configuration: Configuration, *, testset: str) -> list[str]:
    """The copies that the labelled pool of a test set lacks."""
    name = configuration.testsets[testset].labels
    return [] if name is None else pools.duplicates(configuration, pool=configuration.labels[name].pool)


def qrels(configuration: Configuration, *, retriever: str, testset: str) -> str:
    """The judgements by which a run is evaluated: by its passages that hold an answer, those of a label set, with
    humans' or alone, or humans' alone.
    """
    settings = configuration.testsets[testset]
    if settings.relevant == "answers":
        return f"results/qrels/{retriever}/{testset}.parquet"
    if settings.labels is not None:
        return f"results/qrels/{testset}.parquet"
    return data.split_file("qrels", settings.dataset, settings.split)


def training_questions(configuration: Configuration) -> dict[str, str]:
    """By ``dataset/split``, the questions of every pool whose labels decide a training."""
    trainings = configuration.trainings.values()
    pools = {configuration.labels[labels].pool for each in trainings for labels in each.label_sets}
    splits = sorted({(configuration.pools[pool].dataset, configuration.pools[pool].split) for pool in pools})
    return {f"{dataset}/{split}": data.split_file("queries", dataset, split) for dataset, split in splits}


def training_copies(testset: str) -> str:
    """The questions of a test set that are among the training questions."""
    return f"results/training-copies/{testset}.parquet"


def dropped_copies(configuration: Configuration, *, testset: str) -> list[str]:
    """The same, where the figures of the test set leave them out."""
    dropped = configuration.testsets[testset].training_copies == "drop" and configuration.trainings
    return [training_copies(testset)] if dropped else []


def testsets_of(configuration: Configuration, names: Iterable[str]) -> list[str]:
    """The test sets among these names, and those of the averages among them."""
    found = list(dict.fromkeys(names))
    for name in found:  # grows by the members of averages
        members = configuration.averages[name].testsets if name in configuration.averages else ()
        found += [member for member in members if member not in found]
    return [name for name in found if name in configuration.testsets]


def average_metrics(configuration: Configuration, *, retriever: str, average: str) -> list[str]:
    """The metrics of each member of an average."""
    return [f"{member}.json" for member in _members(configuration, retriever, average)]


def average_per_query(configuration: Configuration, *, retriever: str, average: str) -> list[str]:
    """The per-query values of each member of an average, in the same order."""
    return [f"{member}.per-query.parquet" for member in _members(configuration, retriever, average)]


def _members(configuration: Configuration, retriever: str, average: str) -> list[str]:
    testsets = configuration.averages[average].testsets
    return [f"results/metrics/{retriever}/{testset}" for testset in testsets]
