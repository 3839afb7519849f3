"""The forms in which labels are handed over, as far as a target, a card and a reader know them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

TRAIN = "train.jsonl"


@dataclass(frozen=True)
class Form:
    """A form of labels.

    Attributes:
        title: for readers.
        loading: what loads the files: a command, or Python.
        files: file names by the name of the part that Hugging Face's ``datasets`` loads them as, which takes files of
            one kind only from a folder; none where it cannot.
    """

    title: str
    loading: str
    files: Mapping[str, str] = field(default_factory=dict)


FORMS: Mapping[str, Form] = {
    "tevatron": Form(
        "Tevatron, version 1",
        "python -m tevatron.retriever.driver.train --dataset_path train.jsonl …",
        {"train": TRAIN},
    ),
    "tevatron-v2": Form(
        "Tevatron, version 2",
        "python -m tevatron.retriever.driver.train --dataset_path train.jsonl --corpus_path corpus.jsonl …",
        {"train": TRAIN, "corpus": "corpus.jsonl"},
    ),
    "sentence-transformers": Form(
        "sentence-transformers",
        'train = load_dataset("parquet", data_files="train.parquet", split="train")\n'
        "SentenceTransformerTrainer(model, train_dataset=train, loss=MultipleNegativesRankingLoss(model))",
        {"train": "train.parquet"},
    ),
    "flag-embedding": Form(
        "FlagEmbedding",
        "python -m FlagEmbedding.finetune.embedder.encoder_only.base --train_data train.jsonl …",
        {"train": TRAIN},
    ),
    "beir": Form(
        "BEIR",
        'GenericDataLoader(".").load(split="train")',
        {"corpus": "corpus.jsonl", "queries": "queries.jsonl"},
    ),
    "trec": Form("TREC", "trec_eval qrels.txt run.trec"),
}
"""By the name that a target has."""
