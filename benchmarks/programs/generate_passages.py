"""Generated text for the measurements of encoding, reranking and training: passages of mixed length, the demo's words.

A passage has 10 to 250 words, 50 in the middle (log-normal, as in MS MARCO); a query has 4 to 12. The same arguments
give the same file.

    python benchmarks/programs/generate_passages.py corpus FILE.parquet --passages 20000
    python benchmarks/programs/generate_passages.py run FOLDER --queries 80
    python benchmarks/programs/generate_passages.py batches FILE.json --batches 8 --queries 32 --passages 8
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "workflow" / "scripts"))

from utility_annotation.io.schemas import CORPUS, QUERIES, RUN

RETRIEVED = 100
"""Passages of a query in a run."""
DEMO = Path(__file__).resolve().parents[2] / "resources" / "demo" / "beir" / "corpus.jsonl"


class Texts:
    """An endless source of passages and queries."""

    def __init__(self, seed: int) -> None:
        self.source = random.Random(seed)
        with DEMO.open(encoding="utf-8") as lines:
            self.words = [word for line in lines for word in json.loads(line)["text"].split()]

    def passages(self, count: int) -> list[str]:
        """Passages of mixed length."""
        return [self._text(min(max(round(self.source.lognormvariate(3.91, 0.6)), 10), 250)) for _ in range(count)]

    def queries(self, count: int) -> list[str]:
        """Queries."""
        return [self._text(self.source.randint(4, 12)) for _ in range(count)]

    def _text(self, words: int) -> str:
        return " ".join(self.source.choices(self.words, k=words))


def write_corpus(path: Path, passages: int) -> None:
    """A corpus without titles."""
    texts = Texts(0).passages(passages)
    CORPUS.write(
        path, CORPUS.table({"docid": [str(row) for row in range(passages)], "title": [None] * passages, "text": texts})
    )


def write_run(folder: Path, queries: int) -> None:
    """A run in which no two queries share a passage, with its queries and corpus."""
    folder.mkdir(exist_ok=True)
    write_corpus(folder / "corpus.parquet", queries * RETRIEVED)
    texts = Texts(2).queries(queries)
    QUERIES.write(
        folder / "queries.parquet", QUERIES.table({"query_id": list(map(str, range(queries))), "text": texts})
    )
    rows, ranks = range(queries * RETRIEVED), list(range(1, RETRIEVED + 1)) * queries
    columns = {"query_id": [str(row // RETRIEVED) for row in rows], "docid": list(map(str, rows)), "rank": ranks}
    RUN.write(folder / "run.parquet", RUN.table(columns | {"score": [-float(rank) for rank in ranks]}))


def batches(count: int, queries: int, passages: int) -> Iterator[dict[str, list]]:
    """Batches of queries with their passages, the positive first: ``{"queries": [...], "passages": [[...], ...]}``."""
    texts = Texts(1)
    for _ in range(count):
        yield {"queries": texts.queries(queries), "passages": [texts.passages(passages) for _ in range(queries)]}


def main() -> None:
    """Command line; see the module's description."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    kinds = parser.add_subparsers(dest="kind", required=True)
    corpus = kinds.add_parser("corpus")
    corpus.add_argument("path", type=Path)
    corpus.add_argument("--passages", type=int, required=True)
    run = kinds.add_parser("run")
    run.add_argument("path", type=Path)
    run.add_argument("--queries", type=int, required=True)
    training = kinds.add_parser("batches")
    training.add_argument("path", type=Path)
    training.add_argument("--batches", type=int, required=True)
    training.add_argument("--queries", type=int, default=32)
    training.add_argument("--passages", type=int, default=8, help="of a query, one of them its positive")
    arguments = parser.parse_args()
    if arguments.kind == "corpus":
        write_corpus(arguments.path, arguments.passages)
    elif arguments.kind == "run":
        write_run(arguments.path, arguments.queries)
    else:
        content = list(batches(arguments.batches, arguments.queries, arguments.passages))
        arguments.path.write_text(json.dumps(content), encoding="utf-8")


if __name__ == "__main__":
    main()
