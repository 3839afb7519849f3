"""A corpus's vectors by SentenceTransformer.encode, as an fp16 ``.npy`` in the corpus's order.

Timed are reading the corpus, encoding, and writing the vectors; one batch to warm up is not.

    python benchmarks/programs/encode_sentence_transformers.py --model FOLDER --corpus FILE.parquet --output FILE.npy
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from sentence_transformers import SentenceTransformer


def main() -> None:
    """Encode."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("model", "corpus", "output"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--batch-size", type=int, default=32, help="sentence-transformers' own default")
    arguments = parser.parse_args()
    model = SentenceTransformer(str(arguments.model), device="cpu")
    model.encode(["a batch to warm up"] * arguments.batch_size, batch_size=arguments.batch_size)
    start = time.perf_counter()
    corpus = pq.read_table(arguments.corpus, columns=["title", "text"])
    titles, bodies = corpus["title"].to_pylist(), corpus["text"].to_pylist()
    texts = [f"{title} {text}" if title else text for title, text in zip(titles, bodies, strict=True)]
    vectors = model.encode(texts, batch_size=arguments.batch_size, show_progress_bar=False)
    np.save(arguments.output, vectors.astype(np.float16))
    seconds = time.perf_counter() - start
    tokens = sum(map(len, model.tokenizer(texts, truncation=True, max_length=model.max_seq_length)["input_ids"]))
    print(json.dumps({"tokens": tokens, "work_seconds": seconds}))


if __name__ == "__main__":
    main()
