"""Make a corpus of passages out of documents that were read."""

from __future__ import annotations

import csv
import hashlib
import logging
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from ..common.errors import InputError
from ..common.files import atomic_write, write_json
from ..common.progress import Progress
from ..io.schemas import CORPUS, DOCUMENTS, ORIGINS, Writer, iter_rows
from ..io.spreadsheets import as_cell
from .blocks import Block
from .dividing import divided
from .folder import stem
from .passages import Passage, Splitter
from .repeated import Boilerplate, document_digest

_LOG = logging.getLogger(__name__)
_BLOCK_ROWS = 8192
_READ_ROWS = 16
_EXAMPLES, _EXAMPLE_CHARACTERS = 20, 200
_COLUMNS = ("file", "name", "outcome", "reason", "passages")
_UNSAFE = re.compile(r"[\s#%:]")
_DIGITS = 12
"""Hexadecimal digits of a passage's text in its id."""


class Outputs(NamedTuple):
    """Where a corpus goes: the corpus, the origins of its passages, the list of files, and a summary."""

    corpus: Path
    origins: Path
    files: Path
    summary: Path


def make_corpus(
    folder: str, shards: Sequence[Path], splitter: Splitter, outputs: Outputs, processes: int = 1
) -> dict[str, Any]:
    """Write the passages of all documents that were read; return the summary.

    Of several copies of a document the first is kept, in the order of shards and names. Boilerplate is left out.

    Args:
        folder: the documents, for messages.
        shards: files of schema ``DOCUMENTS``.
        splitter: divides a document.
        outputs: files to write.
        processes: that divide documents at a time.

    Raises:
        InputError: there is no passage.
    """
    counts, reasons, dropped = Counter[str](), Counter[str](), Counter[str]()
    documents = _without_repeated(shards, dropped)
    progress = Progress("dividing documents", counts_of(shards), "documents")
    with (
        CORPUS.writer(outputs.corpus) as corpus,
        ORIGINS.writer(outputs.origins) as origins,
        atomic_write(outputs.files) as listed,
        listed.open("w", newline="", encoding="utf-8") as stream,
    ):
        table = csv.writer(stream)
        table.writerow(_COLUMNS)
        writing = _Writing(corpus, origins)
        for row, passages in divided(documents, splitter, processes):
            counts[row["outcome"]] += 1
            if row["outcome"] in ("unreadable", "other"):
                reasons[row["reason"]] += 1
            writing.add(row, passages)
            cells = [row["file"], row["name"], row["outcome"], row["reason"], len(passages)]
            table.writerow(map(as_cell, cells))
            progress.add(1)
        writing.flush()
        if not corpus.rows_written:
            raise InputError(
                f"no document could be read{_why(reasons)}.",
                hint="put documents of the formats in docs/annotate-your-documents.md there.",
                path=folder,
            )
        summary = {
            "documents": dict(counts),
            "reasons": dict(reasons.most_common(_EXAMPLES)),
            "passages": corpus.rows_written,
            "boilerplate": {
                "blocks": dropped.total(),
                "examples": {text[:_EXAMPLE_CHARACTERS]: times for text, times in dropped.most_common(_EXAMPLES)},
            },
        }
        write_json(outputs.summary, summary)
    _LOG.info("%s: %d passages of %d documents", folder, summary["passages"], counts["read"])
    return summary


def counts_of(shards: Sequence[Path]) -> int:
    """The number of rows in all shards."""
    total = 0
    for shard in shards:
        with DOCUMENTS.open(shard) as file:
            total += file.metadata.num_rows
    return total


Place = tuple[str, str]
"""A document: its file, and its name in it."""


def _without_repeated(
    shards: Sequence[Path], dropped: Counter[str]
) -> Iterator[tuple[dict[str, Any], str, list[Block]]]:
    """Each row without its blocks, its title, and the blocks to divide; none if it was not read or is a copy.

    Args:
        shards: files of schema ``DOCUMENTS``.
        dropped: counts the boilerplate that is left out.
    """
    first_of, boilerplate = _look_for_repeated(shards)
    for row in iter_rows(DOCUMENTS, shards, _READ_ROWS):
        blocks, kept = _blocks(row), row | {"blocks": []}
        if row["outcome"] == "read":
            original = first_of[document_digest(row["title"], blocks)]
            if original != _place(row):
                kept |= {"outcome": "copy", "reason": f"a copy of {_shown(original)}"}
                blocks = []
            else:
                blocks, repeated = boilerplate.without(blocks)
                dropped.update(repeated)
        yield kept, _title(row), blocks


def _look_for_repeated(shards: Sequence[Path]) -> tuple[dict[bytes, Place], Boilerplate]:
    """The first document of each text, and the boilerplate of these."""
    first_of: dict[bytes, Place] = {}
    boilerplate = Boilerplate()
    for row in iter_rows(DOCUMENTS, shards, _READ_ROWS):
        if row["outcome"] == "read":
            blocks = _blocks(row)
            if first_of.setdefault(document_digest(row["title"], blocks), _place(row)) == _place(row):
                boilerplate.add(blocks)
    boilerplate.close()
    return first_of, boilerplate


class _Writing:
    """Gives passages their ids, and writes them in blocks."""

    def __init__(self, corpus: Writer, origins: Writer) -> None:
        self._corpus, self._origins = corpus, origins
        self._rows: list[dict[str, Any]] = []

    def add(self, row: dict[str, Any], passages: Iterable[Passage]) -> None:
        """The passages of a document."""
        given: Counter[str] = Counter()
        for passage in passages:
            docid = docid_of(row["file"], row["name"], passage)
            given[docid] += 1
            docid += f"-{given[docid]}" if given[docid] > 1 else ""
            of_passage = {"docid": docid, "headings": passage.headings, "page": passage.page}
            of_passage |= {"passage": passage.title or None, "text": passage.text}
            self._rows.append(of_passage | {"file": row["file"], "name": row["name"], "title": row["title"]})
        if len(self._rows) >= _BLOCK_ROWS:
            self.flush()

    def flush(self) -> None:
        """Write what was added."""
        names = [field.name for field in ORIGINS.schema]
        self._origins.write_rows([{name: row[name] for name in names} for row in self._rows])
        self._corpus.write_rows(
            [{"docid": row["docid"], "title": row["passage"], "text": row["text"]} for row in self._rows]
        )
        self._rows = []


def docid_of(file: str, name: str, passage: Passage) -> str:
    """The id of a passage: its document, and a digest of what it says. It changes with the passage alone.

    Characters that runs and qrels cannot hold are escaped as in a URL.
    """
    document = ":".join(_UNSAFE.sub(lambda found: quote(found[0]), part) for part in (file, name) if part)
    content = hashlib.blake2b(f"{passage.title}\n{passage.text}".encode(), digest_size=_DIGITS // 2).hexdigest()
    return f"{document}#{content}"


def _title(row: dict[str, Any]) -> str:
    """A document's own title, or the heading that stands above all others, or its file's name."""
    highest = {block["headings"][0] for block in row["blocks"] if block["headings"]}
    title: str = row["title"]
    return title or (highest.pop() if len(highest) == 1 else stem(row["file"]))


def _blocks(row: dict[str, Any]) -> list[Block]:
    return [Block(block["text"], tuple(block["headings"]), block["page"]) for block in row["blocks"]]


def _place(row: dict[str, Any]) -> Place:
    return row["file"], row["name"]


def _shown(place: Place) -> str:
    return ":".join(filter(None, place))


def _why(reasons: Counter[str]) -> str:
    return f" ({'; '.join(f'{number} × {reason}' for reason, number in reasons.most_common(3))})" if reasons else ""
