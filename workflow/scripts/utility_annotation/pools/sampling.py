"""A pool of passages without questions: a sample in which long documents do not dominate."""

from __future__ import annotations

import logging
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..annotation.prompts import length
from ..common.errors import InputError
from ..common.hashing import random_place
from ..io.formats import read_queries
from ..io.passages import find_passages
from ..io.schemas import CORPUS, ORIGINS, POOL
from ..settings import PoolSource
from .shards import shard_of

_LOG = logging.getLogger(__name__)
_EXAMPLES = 5
"""Questions that are shown beside a passage."""
_LEAST_WORDS = 20
"""A shorter passage, such as a reference to another place, says too little to ask about."""


def sample_passages(source: PoolSource, corpus: Path, origins: Path | None, outputs: Sequence[Path]) -> int:
    """Write the shards of a pool of format ``passages`` (schema ``POOL``); return the number of passages.

    A row's ``query_id`` is the docid of its passage. In place of a question it has examples of questions, if there are
    any, joined by ``|``: a random choice for each passage. The passages of each document have a random order. The first
    ones of all documents come before the second ones, and so on. Short passages are left out.

    Args:
        source: the pool's source.
        corpus: file of schema ``CORPUS``.
        origins: the documents of its passages (schema ``ORIGINS``); without it each passage is a document of its own.
        outputs: one file per shard.

    Raises:
        InputError: no passage is long enough.
    """
    document_of = dict(_documents(origins)) if origins else {}
    of_document: dict[str, list[tuple[float, str]]] = defaultdict(list)
    for batch in CORPUS.batches(corpus, rows=8192):
        for docid, text in zip(batch["docid"].to_pylist(), batch["text"].to_pylist(), strict=True):
            if length(text) >= _LEAST_WORDS:
                of_document[document_of.get(docid, docid)].append((random_place(docid, source.seed), docid))
    turns = [(turn, *each) for found in of_document.values() for turn, each in enumerate(sorted(found))]
    chosen = [docid for *_, docid in sorted(turns)[: source.sample]]
    if not chosen:
        raise InputError(
            f"no passage has {_LEAST_WORDS} words or more.",
            hint="raise the `passage_length` of the documents.",
            path=corpus,
        )
    passages = find_passages(corpus, chosen)
    examples = [query.text for query in read_queries(source.examples)] if source.examples else []
    shards: list[list[dict[str, object]]] = [[] for _ in outputs]
    for docid in chosen:
        title, text = passages[docid]
        candidate = {"docid": docid, "title": title, "text": text, "human": False, "rank": 1}
        shards[shard_of(docid, len(outputs))].append(
            {"query_id": docid, "query": _examples(docid, examples, source.seed), "candidates": [candidate]}
        )
    for output, rows in zip(outputs, shards, strict=True):
        POOL.write(output, POOL.rows(rows))
    _LOG.info("%d of %d passages, of %d documents", len(chosen), len(turns), len(of_document))
    return len(chosen)


def _examples(docid: str, questions: Sequence[str], seed: int) -> str:
    """Some questions for a passage, as one text."""
    chosen = random.Random(f"{seed}\n{docid}").sample(questions, min(_EXAMPLES, len(questions)))
    return " | ".join(" ".join(question.split()) for question in chosen)


def _documents(origins: Path) -> Iterator[tuple[str, str]]:
    """Each passage with its document."""
    for batch in ORIGINS.batches(origins, rows=8192):
        columns = (batch[name].to_pylist() for name in ("docid", "file", "name"))
        yield from ((docid, f"{file}\n{name}") for docid, file, name in zip(*columns, strict=True))
