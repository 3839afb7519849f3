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
from sentence_transformers.base.modules import Normalize, Transformer
from sentence_transformers.sentence_transformer.modules import Pooling

PASSAGE_LENGTH = 256


def load(folder: Path, pooling: str) -> SentenceTransformer:
    """Its own model folder; or with pooling last a decoder's, whose vectors are scaled to length 1.

    A passage is text: otherwise it would become a message by the decoder's chat template.
    """
    if pooling == "mean":
        return SentenceTransformer(str(folder), device="cpu")
    text = {"text": {"method": "forward", "method_output_name": "last_hidden_state"}}
    transformer = Transformer(str(folder), modality_config=text, module_output_name="token_embeddings")
    last = Pooling(transformer.get_embedding_dimension(), "lasttoken")
    return SentenceTransformer(modules=[transformer, last, Normalize()], device="cpu")


def main() -> None:
    """Encode."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("model", "corpus", "output"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--batch-size", type=int, default=32, help="sentence-transformers' own default")
    parser.add_argument("--pooling", default="mean", help="mean, or last of a decoder")
    arguments = parser.parse_args()
    model = load(arguments.model, arguments.pooling)
    model.max_seq_length = min(model.max_seq_length, PASSAGE_LENGTH)
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
