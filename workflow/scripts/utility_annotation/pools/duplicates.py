"""Passages of one question that say the same: copies, of which a pool keeps one, and near-duplicates.

An LLM reads a copy as one more passage and names one of them by chance. In training, the copy of a positive would count
as a negative.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from ..common.errors import InputError
from ..common.progress import Progress
from ..io.passages import PassageStore
from ..io.schemas import DUPLICATES, QUERIES, passage_text
from .mining import Found, found_passages

_LOG = logging.getLogger(__name__)

NEAR = 0.8
"""Two passages are near-duplicates if they share at least this part of their word trigrams (Jaccard)."""

_TRIGRAM = 3
_BLOCK_QUERIES = 64
_SHOWN = 5
_WORD = re.compile(r"\w+")

Trigrams = frozenset[tuple[str, ...]]


class Duplicate(NamedTuple):
    """A passage that repeats an earlier one; word for word if ``copy``, with a ``similarity`` of 1."""

    docid: str
    duplicate_of: str
    similarity: float
    copy: bool


def name_duplicates(
    depth: int | None,
    queries: Path,
    qrels: Path | None,
    runs: Sequence[Path],
    corpus: Path,
    output: Path,
    relevance_level: int = 1,
) -> int:
    """Write the duplicates among each question's passages; return their number.

    The passages are those of the runs down to ``depth``, and the question's relevant ones.

    Args:
        depth: the number of passages read from each ranking; None reads all.
        queries: schema ``QUERIES``.
        qrels: schema ``QRELS``, or None for a split that has none.
        runs: schema ``RUN``, one per retriever.
        corpus: schema ``CORPUS``.
        output: schema ``DUPLICATES``.
        relevance_level: the lowest grade of a relevant passage.

    Raises:
        InputError: a run has a passage that the corpus lacks.
    """
    with QUERIES.open(queries) as file:
        progress = Progress("comparing passages", file.metadata.num_rows, "questions")
    counts: Counter[str] = Counter()
    pairs: Counter[tuple[str, str]] = Counter()
    found = found_passages(depth, queries, qrels, runs, corpus, relevance_level)
    with PassageStore(corpus, output.parent) as store, DUPLICATES.writer(output) as writer:
        while block := list(islice(found, _BLOCK_QUERIES)):
            texts = _texts(block, store, corpus)
            for question in block:
                docids = list(dict.fromkeys((*question.retrieved, *question.relevant)))
                duplicates = list(find_duplicates((docid, texts[docid]) for docid in docids))
                writer.write_rows([{"query_id": question.query_id, **each._asdict()} for each in duplicates])
                counts.update("copies" if each.copy else "near-duplicates" for each in duplicates)
                pairs.update((each.docid, each.duplicate_of) for each in duplicates)
            progress.add(len(block))
    for what in ("copies", "near-duplicates"):
        _LOG.info("%d %s among the passages found", counts[what], what)
    for (docid, other), times in pairs.most_common(_SHOWN):
        _LOG.info("%s repeats %s (in %d questions); %s has all duplicates", docid, other, times, output)
    return counts.total()


def find_duplicates(passages: Iterable[tuple[str, str]]) -> Iterator[Duplicate]:
    """Each passage that repeats an earlier one, with the earlier passage that is most similar.

    Copies have the same words in the same order; case, punctuation and white space do not matter. Near-duplicates are
    as similar as :data:`NEAR` says. A copy is compared with nothing else, since its original already is.

    Args:
        passages: (docid, text), in the order of comparison.
    """
    first: dict[tuple[str, ...], str] = {}
    kept: list[tuple[str, Trigrams]] = []
    for docid, text in passages:
        words = tuple(_WORD.findall(text.casefold()))
        original = first.setdefault(words, docid)
        if original != docid:
            yield Duplicate(docid, original, 1.0, True)
            continue
        trigrams = frozenset(zip(*(words[start:] for start in range(_TRIGRAM)), strict=False)) or frozenset((words,))
        similarity, _, like = max(
            ((_similarity(trigrams, other), -place, earlier) for place, (earlier, other) in enumerate(kept)),
            default=(0.0, 0, ""),
        )
        if similarity >= NEAR:
            yield Duplicate(docid, like, similarity, False)
        kept.append((docid, trigrams))


def _similarity(one: Trigrams, other: Trigrams) -> float:
    """The Jaccard similarity, or 0 if the sizes alone show that it is below :data:`NEAR`."""
    if min(len(one), len(other)) < NEAR * max(len(one), len(other)):
        return 0.0
    common = len(one & other)
    return common / (len(one) + len(other) - common)


def _texts(block: Sequence[Found], store: PassageStore, corpus: Path) -> dict[str, str]:
    """The text of each passage of some questions."""
    wanted = list(dict.fromkeys(docid for each in block for docid in (*each.retrieved, *each.relevant)))
    passages = store.find(wanted)
    for docid in wanted:
        if docid not in passages:
            raise InputError(
                f"passage {docid!r} was retrieved, but the corpus lacks it.",
                hint="correct the run if it is one of `external_runs`; else delete the runs of the dataset in "
                "results/runs/ and run the target again.",
                path=corpus,
            )
    return {docid: passage_text(*passage) for docid, passage in passages.items()}
