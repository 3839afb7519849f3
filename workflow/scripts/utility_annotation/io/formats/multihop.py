"""Questions that come with their passages, of which some support the answer: HotpotQA, MuSiQue.

A passage has no id there. Its docid is a digest of its title and text, so a passage that several questions share is one
passage of the corpus, and has the same docid in every file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

from .fields import Row
from .rows import Judgement, PassageRow

Context = list[tuple[str | None, str]]
"""Title and text of a question's passages."""


def passages(contexts: Iterable[tuple[Row, Context]]) -> Iterator[PassageRow]:
    """The passages of all questions, each once, in the file's order. Memory holds their docids."""
    seen: set[str] = set()
    for row, context in contexts:
        for title, text in context:
            docid = docid_of(title, text)
            if docid not in seen:
                seen.add(docid)
                yield PassageRow(row.line, docid, title, text)


def judgements(supports: Iterable[tuple[Row, str, Context]]) -> Iterator[Judgement]:
    """The supporting passages of each question, with grade 1 and once per question.

    Args:
        supports: row, query id and supporting passages of each question.
    """
    for row, query_id, context in supports:
        for docid in dict.fromkeys(docid_of(title, text) for title, text in context):
            yield Judgement(row.line, query_id, docid, 1)


def docid_of(title: str | None, text: str) -> str:
    """The docid of a passage: 16 hexadecimal digits."""
    return hashlib.sha256(f"{title or ''}\n{text}".encode()).hexdigest()[:16]
