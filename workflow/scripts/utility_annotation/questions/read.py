"""Read the questions that an LLM wrote about a shard of passages, and ask the filters that look at each alone."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ..annotation.questions import of_column
from ..common.errors import InputError
from ..io.schemas import ANNOTATION, ORIGINS, POOL, READ_QUESTIONS, iter_rows
from .filters import Candidate, first_reason

_LOG = logging.getLogger(__name__)
_ROWS = 1024


def read_questions(pool: Path, replies: Mapping[str, Path], origins: Path | None, output: Path) -> int:
    """Write every question of a shard (schema ``READ_QUESTIONS``), with the filter that drops it, if one does.

    A ``query_id`` is the docid of the passage, the style, and the number of the question among those of one reply.

    Args:
        pool: the shard of the pool of passages.
        replies: by style, the annotation of the shard.
        origins: the documents of the passages; without it each passage is a document of its own.
        output: the file to write.

    Returns:
        How many questions no filter drops.

    Raises:
        InputError: the files do not belong together.
    """
    document_of = _documents(origins, pool) if origins else {}
    rows, kept = list[dict[str, Any]](), 0
    with READ_QUESTIONS.writer(output) as writer:
        for row in _written(pool, replies):
            row["document"] = document_of.get(row["docid"], row["docid"])
            rows.append(row)
            kept += not row["filter"]
            if len(rows) == _ROWS:
                writer.write_rows(rows)
                rows.clear()
        writer.write_rows(rows)
        _LOG.info("no filter of form drops %d of %d questions", kept, writer.rows_written)
    return kept


def _written(pool: Path, replies: Mapping[str, Path]) -> Iterator[dict[str, Any]]:
    """A row for each question, in the order of the pool; for an unreadable reply a row without a question."""
    by_style = {
        style: {row["query_id"]: row for row in iter_rows(ANNOTATION, [path])} for style, path in replies.items()
    }
    for passage in iter_rows(POOL, [pool]):
        docid, text = passage["query_id"], passage["candidates"][0]["text"]
        for style, rows in by_style.items():
            if docid not in rows:
                raise InputError(
                    f"passage {docid!r} has no reply.",
                    hint="delete the file and run its target again, so that it is made from this pool.",
                    path=replies[style],
                )
            reply = rows[docid]
            row = {"docid": docid, "grade": 1, "style": style}
            if reply["outcome"] != "ok":
                failed = {"filter": "reply", "reason": f"the reply was {reply['outcome']}"}
                yield row | {"query_id": f"{docid}:{style}:1", "text": "", "answers": [""], **failed}
                continue
            for number, (question, answer) in enumerate(of_column(reply["answer"]), 1):
                name, reason = first_reason(Candidate(question, answer, text))
                asked = {"query_id": f"{docid}:{style}:{number}", "text": question, "answers": [answer]}
                yield row | asked | {"filter": name, "reason": reason}


def _documents(origins: Path, pool: Path) -> dict[str, str]:
    """The documents of a shard's passages."""
    wanted = POOL.read(pool, ["query_id"])["query_id"]
    found: dict[str, str] = {}
    for batch in ORIGINS.batches(origins):
        own = batch.filter(pc.is_in(batch["docid"], value_set=wanted.cast(pa.string()).combine_chunks()))
        for row in own.select(["docid", "file", "name"]).to_pylist():
            found[row["docid"]] = f"{row['file']}:{row['name']}" if row["name"] else row["file"]
    return found
