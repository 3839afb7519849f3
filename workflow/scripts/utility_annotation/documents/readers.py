"""The formats of documents: what reads a file, by the ending of its name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..common.errors import InputError
from ..io.compression import DAMAGED, ENDINGS, decompressed
from ..io.formats import jsonl
from .blocks import LARGEST, Document, Unreadable
from .markup import read_html, read_markdown
from .packed import read_docx, read_epub
from .pdf import read_pdf
from .plain import blocks_of_text, read_text


@dataclass(frozen=True)
class Reader:
    """What reads a format.

    Attributes:
        endings: of the names of its files.
        read: a document from the bytes of its file; None where a file holds several.
    """

    endings: tuple[str, ...]
    read: Callable[[bytes], Document] | None


READERS: dict[str, Reader] = {
    "markdown": Reader((".md", ".markdown"), read_markdown),
    "html": Reader((".html", ".htm", ".xhtml"), read_html),
    "text": Reader((".txt", ".text", ".rst"), read_text),
    "pdf": Reader((".pdf",), read_pdf),
    "docx": Reader((".docx",), read_docx),
    "epub": Reader((".epub",), read_epub),
    "jsonl": Reader((".jsonl",), None),
}
"""By format. Files may be compressed (gz, bz2, xz, zst)."""


def reader_of(file: str) -> Reader | None:
    """What reads a file of this name; None if nothing does."""
    name = file.lower()
    for ending in ENDINGS:
        name = name.removesuffix(ending)
    return next((reader for reader in READERS.values() if name.endswith(reader.endings)), None)


def read_document(reader: Reader, path: Path) -> Document:
    """The document of a file.

    Raises:
        Unreadable: it cannot be read.
    """
    assert reader.read is not None, "a file of several documents is read by read_several"
    data = _content(path)
    if not data.strip():
        raise Unreadable("it is empty")
    try:
        document = reader.read(data)
    except RecursionError:
        raise Unreadable("it is nested too deeply") from None
    except MemoryError:
        raise Unreadable("it needs too much memory") from None
    if not any(any(map(str.isalnum, block.text)) for block in document.blocks):
        raise Unreadable("it has no text")
    return document


def read_several(path: Path) -> Iterator[Document]:
    """The documents of a file that holds one per line.

    Raises:
        InputError: a bad line, or a docid that stands on an earlier line too.
    """
    line_of: dict[str, int] = {}
    for row in jsonl.read_passages(path):
        first = line_of.setdefault(row.docid, row.line)
        if first != row.line:
            raise InputError(
                f"the docid {row.docid!r} stands on line {first} already.",
                hint="give each document a docid of its own.",
                path=path,
                line=row.line,
            )
        yield Document(row.title or "", list(blocks_of_text(row.text)), name=row.docid)


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            found = decompressed(stream) if path.suffix.lower() in ENDINGS else stream
            data = found.read(LARGEST + 1)
    except DAMAGED as error:
        raise Unreadable(f"its compressed data are broken ({error})") from None
    except InputError as error:
        raise Unreadable(error.problem) from None
    except OSError as error:
        raise Unreadable(f"the system cannot read it ({error.strerror or error})") from None
    if len(data) > LARGEST:
        raise Unreadable(f"it is larger than {LARGEST >> 20} MiB")
    return data
