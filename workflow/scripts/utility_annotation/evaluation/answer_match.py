"""Judgements of retrieved passages by whether they hold an answer, as DPR decides it.

V. Karpukhin et al., *Dense Passage Retrieval for Open-Domain Question Answering*, EMNLP 2020: a retriever's top-k
accuracy is the share of questions for which one of its first k passages has the tokens of an answer in a row. Tokens
are runs of letters, digits and marks, or single other characters except spaces and control characters, of the text in
Unicode normal form D, in lower case. The title does not count.
"""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import regex

from ..common.errors import InputError
from ..common.progress import counted
from ..io.answers import read_references
from ..io.passages import find_passages
from ..io.schemas import QRELS
from ..retrieval.runs import read_rankings, search_again
from .metric_names import largest_cutoff

_LOG = logging.getLogger(__name__)

_TOKEN = regex.compile(r"[\p{L}\p{N}\p{M}]+|[^\p{Z}\p{C}]")
_BETWEEN = "\x00"
"""A control character, which no token holds."""
_BLOCK_QUERIES = 256

NO_PASSAGE = ""
"""The docid in the judgements of a question without any retrieved passage; no passage can have it."""


def tokens(text: str) -> list[str]:
    """The tokens of a text, in lower case."""
    return [token.lower() for token in _TOKEN.findall(unicodedata.normalize("NFD", text))]


class AnswerMatcher:
    """Looks for the answers to one question.

    Args:
        answers: the answers; one without a token is never found.
    """

    def __init__(self, answers: Iterable[str]) -> None:
        self._answers = [_joined(found) for answer in answers if (found := tokens(answer))]

    def is_in(self, text: str) -> bool:
        """Whether a text has all tokens of some answer in a row."""
        whole = _joined(tokens(text))
        return any(answer in whole for answer in self._answers)


def _joined(parts: Sequence[str]) -> str:
    return _BETWEEN + _BETWEEN.join(parts) + _BETWEEN


def match_answers(metrics: Sequence[str], run: Path, answers: Path, corpus: Path, output: Path) -> None:
    """Judge what a run retrieved: grade 1 for a passage that holds an answer to its question, 0 for the others.

    Each question with an answer gets a judgement of every passage down to the largest cutoff of the metrics. If the run
    has no passage for it, it gets one judgement of grade 0 with the docid :data:`NO_PASSAGE`, so that it counts as a
    failure of the run. Questions without an answer are ignored.

    Args:
        metrics: the metrics to compute, see :func:`~.metrics.evaluate`.
        run: schema ``RUN``.
        answers: schema ``ANSWERS``.
        corpus: schema ``CORPUS``.
        output: the judgements, schema ``QRELS``, to write.

    Raises:
        InputError: no question has an answer, the run has a passage that the corpus lacks, or a metric is unknown.
    """
    matchers = {query_id: AnswerMatcher(texts) for query_id, texts in read_references(answers).items()}
    if not matchers:
        raise InputError("no question has an answer.", hint="name a split whose questions have some.", path=answers)
    rankings = read_rankings(run, largest_cutoff(metrics))
    bare = [query_id for query_id in matchers if query_id not in rankings]
    texts = find_passages(corpus, (docid for query_id in matchers for docid in rankings.get(query_id, [])))
    found = [query_id for query_id in matchers if query_id in rankings]
    hits = 0
    with QRELS.writer(output) as writer:
        for query_ids in counted(
            _blocks(found),
            "looking for answers",
            f"blocks of {_BLOCK_QUERIES:,} queries",
            -(-len(found) // _BLOCK_QUERIES),
        ):
            rows: list[dict[str, Any]] = []
            for query_id in query_ids:
                for docid in rankings[query_id]:
                    if docid not in texts:
                        raise InputError(
                            f"passage {docid!r} is not in the corpus ({corpus}).",
                            hint=search_again(run),
                            path=run,
                        )
                    holds = matchers[query_id].is_in(texts[docid][1])
                    hits += holds
                    rows.append({"query_id": query_id, "docid": docid, "grade": int(holds)})
            writer.write_rows(rows)
        writer.write_rows([{"query_id": query_id, "docid": NO_PASSAGE, "grade": 0} for query_id in bare])
        judged = writer.rows_written
    _LOG.info(
        "%d of %d passages hold an answer to their question; %d of %d questions have no passage",
        hits,
        judged - len(bare),
        len(bare),
        len(matchers),
    )


def _blocks(query_ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(query_ids), _BLOCK_QUERIES):
        yield query_ids[start : start + _BLOCK_QUERIES]
