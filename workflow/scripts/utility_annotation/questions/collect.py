"""Read the questions that an LLM wrote, and drop what no search is needed to judge."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..annotation.questions import Written
from ..common.errors import InputError
from ..io.questions import question_key
from ..io.schemas import ANNOTATION, DROPPED_QUESTIONS, ORIGINS, POOL, WRITTEN_QUESTIONS, iter_rows
from .filters import FILTERS, Candidate

_LOG = logging.getLogger(__name__)
_SHOWN = 3


def collect(
    pools: Sequence[Path],
    replies: Mapping[str, Sequence[Path]],
    origins: Path | None,
    output: Path,
    dropped: Path,
) -> Counter[str]:
    """Write the candidates (schema ``WRITTEN_QUESTIONS``) and what was dropped (``DROPPED_QUESTIONS``).

    Of questions that ask the same (:func:`~..io.questions.question_key`) the first is kept, in the order of the pool.

    Args:
        pools: the shards of the pool of passages.
        replies: by style, the annotation of each shard.
        origins: the documents of the passages; without it each passage is a document of its own.
        output: file of the candidates.
        dropped: file of the others, each with the filter and the reason.

    Returns:
        How many each filter dropped; ``kept`` for those that none did.

    Raises:
        InputError: nothing is left, or the files do not belong together.
    """
    document_of = _documents(origins) if origins else {}
    kept, left, counts = list[dict[str, Any]](), list[dict[str, Any]](), Counter[str]()
    seen: dict[str, str] = {}
    for row, passage in _written(pools, replies):
        row["document"] = document_of.get(row["docid"], row["docid"])
        name, reason = _verdict(row, passage, seen)
        counts[name or "kept"] += 1
        if name:
            left.append(row | {"filter": name, "reason": reason})
        else:
            kept.append(row)
    tell_dropped(left)
    if not kept:
        raise InputError(
            f"no question is left ({told(counts)}).",
            hint="look at the examples in the log, then at the prompts (resources/prompts/question_*.j2) and the LLM.",
        )
    DROPPED_QUESTIONS.write(dropped, DROPPED_QUESTIONS.rows(left))
    WRITTEN_QUESTIONS.write(output, WRITTEN_QUESTIONS.rows(kept))
    _LOG.info("%d of %d written questions are candidates", len(kept), counts.total())
    return counts


def tell_dropped(rows: Sequence[Mapping[str, Any]]) -> None:
    """Show some dropped questions of each filter in the log."""
    for name in dict.fromkeys(row["filter"] for row in rows):
        own = [row for row in rows if row["filter"] == name]
        for row in own[:_SHOWN]:
            _LOG.info("dropped by %s (%d in all): %r, as %s", name, len(own), row["text"], row["reason"])


def told(counts: Mapping[str, int]) -> str:
    """Counts by name, for a message."""
    return ", ".join(f"{name}: {number}" for name, number in counts.items()) or "none was written"


def _written(pools: Sequence[Path], replies: Mapping[str, Sequence[Path]]) -> Iterator[tuple[dict[str, Any], str]]:
    """A row for each passage and style, with the text of the passage."""
    for number, pool in enumerate(pools):
        by_style = {
            style: {row["query_id"]: row for row in iter_rows(ANNOTATION, [shards[number]])}
            for style, shards in replies.items()
        }
        for passage in iter_rows(POOL, [pool]):
            docid = passage["query_id"]
            for style, rows in by_style.items():
                if docid not in rows:
                    raise InputError(
                        f"passage {docid!r} has no reply.",
                        hint="delete the file and run its target again, so that it is made from this pool.",
                        path=replies[style][number],
                    )
                reply = rows[docid]
                written = Written.of(reply["answer"] or "")
                row: dict[str, Any] = {
                    "query_id": f"{docid}:{style}",
                    "text": written.question,
                    "answers": [written.answer],
                }
                row |= {"docid": docid, "grade": 1, "style": style, "outcome": reply["outcome"]}
                yield row, passage["candidates"][0]["text"]


def _verdict(row: dict[str, Any], passage: str, seen: dict[str, str]) -> tuple[str, str]:
    """The filter that drops a question and the reason; both empty if none does."""
    outcome = row.pop("outcome")
    if outcome != "ok":
        return "reply", f"the reply was {outcome}"
    candidate = Candidate(row["text"], row["answers"][0], passage)
    for name, each in FILTERS.items():
        if reason := each(candidate):
            return name, reason
    first = seen.setdefault(question_key(row["text"]), row["query_id"])
    return ("", "") if first == row["query_id"] else ("repeated", f"it asks the same as {first}")


def _documents(origins: Path) -> dict[str, str]:
    table = ORIGINS.read(origins, ["docid", "file", "name"]).to_pydict()
    rows = zip(table["docid"], table["file"], table["name"], strict=True)
    return {docid: f"{file}:{name}" if name else file for docid, file, name in rows}
