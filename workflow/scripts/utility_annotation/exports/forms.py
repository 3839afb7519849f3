"""The forms in which labels are handed over: one entry a form, by the name that a target has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from . import writers
from .writers import TRAIN

if TYPE_CHECKING:
    from .examples import Examples


@dataclass(frozen=True)
class Form:
    """A form of labels.

    Attributes:
        title: for readers.
        loading: what loads the files: a command, or Python.
        writer: what fills a folder with the files.
        files: file names by the name of the part that Hugging Face's ``datasets`` loads them as, which takes files of
            one kind only from a folder; none where it cannot.
    """

    title: str
    loading: str
    writer: Callable[[Examples, Path], None]
    files: Mapping[str, str] = field(default_factory=dict)


FORMS: dict[str, Form] = {
    "tevatron": Form(
        title="Tevatron, version 1",
        loading="python -m tevatron.retriever.driver.train --dataset_path train.jsonl …",
        writer=writers.tevatron,
        files={"train": TRAIN},
    ),
    "tevatron-v2": Form(
        title="Tevatron, version 2",
        loading="python -m tevatron.retriever.driver.train --dataset_path train.jsonl --corpus_path corpus.jsonl …",
        writer=writers.tevatron_ids,
        files={"train": TRAIN, "corpus": "corpus.jsonl"},
    ),
    "sentence-transformers": Form(
        title="sentence-transformers",
        loading='train = load_dataset("parquet", data_files="train.parquet", split="train")\n'
        "SentenceTransformerTrainer(model, train_dataset=train, loss=MultipleNegativesRankingLoss(model))",
        writer=writers.sentence_transformers,
        files={"train": "train.parquet"},
    ),
    "flag-embedding": Form(
        title="FlagEmbedding",
        loading="python -m FlagEmbedding.finetune.embedder.encoder_only.base --train_data train.jsonl …",
        writer=writers.flag_embedding,
        files={"train": TRAIN},
    ),
    "beir": Form(
        title="BEIR",
        loading='GenericDataLoader(".").load(split="train")',
        writer=writers.beir,
        files={"corpus": "corpus.jsonl", "queries": "queries.jsonl"},
    ),
    "trec": Form(
        title="TREC",
        loading="trec_eval qrels.txt run.trec",
        writer=writers.trec,
    ),
}
"""By the name that a target has: ``results/exports/labels/{labels}/{form}``."""
