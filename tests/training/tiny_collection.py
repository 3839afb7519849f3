"""A small pool with labels, as files, for the training tests."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from command_line import arguments, write_configuration
from tiny_bert import WORDS

from utility_annotation.io.schemas import LABELS, POOL

BACKBONE = {"model": "tiny", "query_length": 12, "passage_length": 24}


@dataclass
class Collection:
    """A pool in two shards and the labels of its queries."""

    folder: Path
    pool: dict[str, list[dict[str, Any]]]
    """query_id → candidates."""
    labels: dict[str, dict[str, float]]
    """query_id → docid → label."""
    ranks: dict[str, int] = field(default_factory=dict)
    """docid → rank, in whichever query's labels."""
    shards: list[Path] = field(default_factory=list)
    backbone: dict[str, Any] = field(default_factory=lambda: BACKBONE)
    reranker: dict[str, Any] | None = None
    """What is trained in place of the backbone."""
    query: str = "{} red stone"
    dev: Collection | None = None
    """Labelled questions that are not trained on."""

    @property
    def labels_path(self) -> Path:
        return self.folder / "labels.parquet"

    def write(self) -> Collection:
        rows = [
            {"query_id": key, "query": self.query.format(key), "candidates": pool} for key, pool in self.pool.items()
        ]
        half = len(rows) // 2
        self.shards = [self.folder / "0000-of-0002.parquet", self.folder / "0001-of-0002.parquet"]
        POOL.write(self.shards[0], POOL.rows(rows[:half]))
        POOL.write(self.shards[1], POOL.rows(rows[half:]))
        LABELS.write(
            self.labels_path,
            LABELS.rows(
                [
                    {
                        "query_id": query_id,
                        "docid": docid,
                        "label": label,
                        "rank": self.ranks.get(docid),
                        "source": "test",
                    }
                    for query_id, labels in self.labels.items()
                    for docid, label in labels.items()
                ]
            ),
        )
        return self

    def arguments(self, model: Path, name: str, training: dict[str, Any], performance: dict[str, Any]) -> list[str]:
        """The command line of train.py; configuration, checkpoints and output stand under ``name``."""
        soft = training.get("loss") == "kl"
        labels = {"source": "replug", "annotator": "judge"} if soft else {"source": "human"}
        pool = {"dataset": "data", "source": {"path": "rows.jsonl"}, "shards": len(self.shards)}
        dev = {"dev_labels": self.dev.labels_path, "dev_pool": self.dev.folder} if self.dev else {}
        config = write_configuration(
            self.folder / name / "config.yaml",
            pools={"test": pool, "dev": pool},
            labels={"test": {"pool": "test", **labels}, "dev": {"pool": "dev", "source": "human"}},
            backbones={} if self.reranker else {"tiny": self.backbone},
            rerankers={"tiny": self.reranker} if self.reranker else {},
            trainings={name: {"labels": "test", **training}},
            performance={"train": {"device": "cpu", **performance}},
        )
        return arguments(
            config=config,
            training=name,
            backbone="tiny",
            model=model,
            labels=self.labels_path,
            pool=self.folder,
            checkpoints=self.folder / name / "checkpoints",
            tensorboard=self.folder / name / "tensorboard",
            output=self.folder / name / "model",
            **dev,
        )


def make_collection(
    folder: Path, queries: int = 10, candidates: int = 8, *, scores: bool = False, prefix: str = "q", seed: int = 7
) -> Collection:
    """Random texts from a shared stock of passages; one human positive, 0 to 3 labelled positives a query."""
    folder.mkdir(exist_ok=True)
    generator = random.Random(seed)
    stock = [f"d{number}" for number in range(queries * 3)]
    text = {docid: " ".join(generator.choices(WORDS, k=generator.randint(2, 20))) for docid in stock}
    pool, labels = {}, {}
    for number in range(queries):
        docids = generator.sample(stock, candidates)
        human = generator.choice(docids)
        positives = generator.sample(docids, number % 4)
        pool[f"{prefix}{number}"] = [
            {"docid": docid, "title": None, "text": text[docid], "human": docid == human, "rank": rank}
            for rank, docid in enumerate(docids, start=1)
        ]
        labels[f"{prefix}{number}"] = {
            docid: generator.uniform(-9, -1) if scores else float(docid in positives) for docid in docids
        }
    return Collection(folder, pool, labels).write()
