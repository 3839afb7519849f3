"""Read a shard of a folder of documents: every file becomes rows that say what it holds, or why it cannot be read."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from ..common.errors import InputError
from ..common.progress import Progress
from ..io.schemas import DOCUMENTS
from . import folder as folders
from .blocks import Document, Unreadable, one_line
from .readers import read_document, read_several, reader_of
from .workers import SECONDS, each

_LOG = logging.getLogger(__name__)
_BLOCK_ROWS, _BLOCK_CHARACTERS = 1024, 1 << 24

_REASON = 500
"""Characters of a reason; a parser may quote what it fails at."""

_NO_TEXT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
"""Control characters and halves of characters, which no parquet file or prompt should hold."""

_INVISIBLE = re.compile("[\u00ad\ufeff]")
"""Where a word may be divided, and the mark of an encoding; models do not know a word with them."""

Row = dict[str, Any]


def read_documents(folder: Path, shard: str, output: Path, *, processes: int) -> int:
    """Write the documents of a shard (schema ``DOCUMENTS``), files by name; return how many were read.

    What cannot be read stops nothing: its row says why.

    Args:
        folder: the folder of documents.
        shard: such as ``0003-of-0064``.
        output: file to write.
        processes: that read files at a time.

    Raises:
        InputError: a file changed, came or went meanwhile; nothing is then written.
    """
    names = folders.of_shard(folders.files(folder), shard)
    before, read = folders.state(folder, names), 0
    progress = Progress(f"reading documents {shard}", len(names), "files")
    with DOCUMENTS.writer(output) as writer:
        block, characters = list[Row](), 0
        for rows in _rows_of_files(folder, names, processes):
            for row in rows:
                read += row["outcome"] == "read"
                if row["outcome"] == "unreadable":
                    _LOG.warning("%s: %s", row["file"], row["reason"])
                block.append(row)
                characters += sum(len(each["text"]) for each in row["blocks"])
                if len(block) >= _BLOCK_ROWS or characters > _BLOCK_CHARACTERS:
                    writer.write_rows(block)
                    block, characters = [], 0
            progress.add(1)
        writer.write_rows(block)
        after = folders.of_shard(folders.files(folder), shard)
        changed = before.items() ^ folders.state(folder, after).items()
        if changed:
            raise InputError(
                f"{folders.shown(min(changed)[0])} changed while the folder was read.",
                hint="run again when nothing writes into the folder.",
                path=folder,
            )
    return read


def rows_of_file(folder: Path, name: str) -> list[Row]:
    """The row of a file that holds one document, or none."""
    reader = reader_of(name)
    if reader is None:
        return [_row(name, "other", f"no reader for *{folders.shown(Path(name).suffix or Path(name).name)}")]
    try:
        return [_row_of(name, read_document(reader, folder / name))]
    except Unreadable as error:
        return [_row(name, "unreadable", str(error))]
    except Exception as error:  # a parser's own fault must not stop the other files
        _LOG.debug("%s", name, exc_info=True)
        return [_row(name, "unreadable", f"its reader failed ({type(error).__name__}: {error})")]


def rows_of_several(folder: Path, name: str) -> Iterator[Row]:
    """The rows of a file that holds several documents, up to the first bad line."""
    read = 0
    try:
        for document in read_several(folder / name):
            yield _row_of(name, document)
            read += 1
        if not read:
            yield _row(name, "unreadable", "it is empty")
    except InputError as error:
        line = "" if error.line is None else f"line {error.line}: "
        yield _row(name, "unreadable", f"{line}{error.problem} {read} documents before it were read")
    except OSError as error:
        yield _row(name, "unreadable", f"the system cannot read it ({error.strerror or error})")


def _rows_of_files(folder: Path, names: list[str], processes: int) -> Iterator[Iterator[Row]]:
    """Files with one document are read in processes of their own, as what parses them is large."""
    several = [name for name in names if (reader := reader_of(name)) and reader.read is None]
    single = sorted(set(names) - set(several))
    for name, rows in each(partial(rows_of_file, folder), single, processes):
        failed = f"its reader crashed, needed too much memory, or took more than {SECONDS} seconds"
        yield iter(rows or [_row(name, "unreadable", failed)])
    for name in several:
        yield rows_of_several(folder, name)


def _row_of(name: str, document: Document) -> Row:
    blocks = [
        {"text": _clean(block.text), "headings": list(map(_clean, block.headings)), "page": block.page}
        for block in document.blocks
    ]
    return _row(name, "read", document.note) | {
        "name": document.name,
        "title": _clean(document.title),
        "blocks": blocks,
    }


def _clean(text: str) -> str:
    return _NO_TEXT.sub(" ", _INVISIBLE.sub("", text))


def _row(name: str, outcome: str, reason: str) -> Row:
    return {
        "file": folders.shown(name),
        "name": "",
        "outcome": outcome,
        "reason": one_line(_clean(reason))[:_REASON],
        "title": "",
        "blocks": [],
    }
