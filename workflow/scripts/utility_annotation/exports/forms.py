"""The formats of exported labels: one entry per format."""

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
class ExportFormat:
    """A format of exported labels.

    Attributes:
        title: its name for readers.
        loading: the command or Python code that loads the files.
        writer: fills a folder with the files.
        files: the files that Hugging Face's ``datasets`` can load, by the name of their configuration; it loads one
            kind of file per configuration.
    """

    title: str
    loading: str
    writer: Callable[[Examples, Path], None]
    files: Mapping[str, str] = field(default_factory=dict)


FORMS: dict[str, ExportFormat] = {
    "tevatron": ExportFormat(
        title="Tevatron, version 1",
        loading="python -m tevatron.retriever.driver.train --dataset_path train.jsonl …",
        writer=writers.tevatron,
        files={"train": TRAIN},
    ),
    "tevatron-v2": ExportFormat(
        title="Tevatron, version 2",
        loading="python -m tevatron.retriever.driver.train --dataset_path train.jsonl --corpus_path corpus.jsonl …",
        writer=writers.tevatron_ids,
        files={"train": TRAIN, "corpus": "corpus.jsonl"},
    ),
    "sentence-transformers": ExportFormat(
        title="sentence-transformers",
        loading='train = load_dataset("parquet", data_files="train.parquet", split="train")\n'
        "SentenceTransformerTrainer(model, train_dataset=train, loss=MultipleNegativesRankingLoss(model))",
        writer=writers.sentence_transformers,
        files={"train": "train.parquet"},
    ),
    "flag-embedding": ExportFormat(
        title="FlagEmbedding",
        loading="python -m FlagEmbedding.finetune.embedder.encoder_only.base --train_data train.jsonl …",
        writer=writers.flag_embedding,
        files={"train": TRAIN},
    ),
    "beir": ExportFormat(
        title="BEIR",
        loading='GenericDataLoader(".").load(split="train")',
        writer=writers.beir,
        files={"corpus": "corpus.jsonl", "queries": "queries.jsonl"},
    ),
    "trec": ExportFormat(
        title="TREC",
        loading="trec_eval qrels.txt run.trec",
        writer=writers.trec,
    ),
}
"""By the name in a target: ``results/exports/labels/{labels}/{form}``."""
