"""BM25 by Anserini: an index of a corpus, and searches in it."""

from __future__ import annotations

import logging
import re
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa

from ..common.errors import InputError
from ..common.files import atomic_write
from ..common.progress import counted
from ..io.schemas import CORPUS, passage_text
from ..settings import Bm25
from . import anserini
from .runs import rank

log = logging.getLogger(__name__)

_MEMORY_BUFFER_MB = 512
"""Lucene's buffer while indexing. Anserini's own default of 4 GB can exceed the JVM's heap, a quarter of the memory."""


def index(corpus: Path, folder: Path, *, threads: int, memory_mb: int | None = None) -> None:
    """Index a corpus (schema ``CORPUS``) into a Lucene index at ``folder``; ``title text`` where there is a title.

    A blank passage is in no index.

    Raises:
        InputError: Java or Anserini is not installed, Anserini failed, or the index does not open or lacks a passage.
    """
    with tempfile.TemporaryDirectory(dir=_existing(folder.parent)) as temporary, atomic_write(folder) as partial:
        passages = _write_collection(corpus, Path(temporary), files=threads)
        output = anserini.run(
            "io.anserini.index.IndexCollection",
            *("-collection", "JsonCollection", "-generator", "DefaultLuceneDocumentGenerator"),
            *("-input", temporary, "-index", str(partial)),
            *("-threads", str(threads), "-memoryBuffer", str(_MEMORY_BUFFER_MB)),
            memory_mb=memory_mb,
        )
        found = re.findall(r"- (indexed|empty): +([\d,]+)", output)
        counters = {name: int(value.replace(",", "")) for name, value in found}
        if sum(counters.values()) != passages:
            raise InputError(
                f"Anserini indexed {counters.get('indexed', 0)} of {passages} passages. {anserini.last_lines(output)}",
                hint="read its messages; most often the disk or the memory is full.",
                path=corpus,
            )
        _check_index(partial, counters["indexed"])
    log.info("indexed %d passages; %d are blank", counters["indexed"], counters["empty"])


def search(
    folder: Path,
    query_ids: Sequence[str],
    texts: Sequence[str],
    settings: Bm25,
    *,
    depth: int,
    drop_query_document: bool,
    threads: int,
    memory_mb: int | None = None,
) -> pa.Table:
    """Search an index that ``index`` made; a table of schema ``RUN``.

    Anserini gets row numbers in place of the query ids. A query that shares no term with the index has no row.

    Raises:
        InputError: Java or Anserini is not installed, or Anserini failed (as without an index) or searched only some
            of the queries.
    """
    with tempfile.TemporaryDirectory() as temporary:
        topics, output = Path(temporary, "topics.jsonl"), Path(temporary, "run.trec")
        with topics.open("wb") as stream:
            for row, text in enumerate(texts):
                stream.write(orjson.dumps({"qid": str(row), "title": text}, option=orjson.OPT_APPEND_NEWLINE))
        messages = anserini.run(
            "io.anserini.search.SearchCollection",
            *("-index", str(folder), "-topics", str(topics), "-topicReader", "JsonString", "-output", str(output)),
            *("-bm25", "-bm25.k1", str(settings.k1), "-bm25.b", str(settings.b)),
            *("-hits", str(depth + drop_query_document), "-threads", str(threads)),
            memory_mb=memory_mb,
        )
        searched = sum(map(int, re.findall(r"(\d+) queries processed in ", messages.replace(",", ""))))
        if searched != len(texts) or not output.is_file():  # Anserini's exit code is 0 even then
            raise InputError(
                f"Anserini searched {searched} of {len(texts)} questions. {anserini.last_lines(messages)}",
                hint="read its messages; build the index again if it is not there, or give the job more memory.",
                path=folder,
            )
        query_rows, docids, scores = _read_hits(output)
    log.info("searched %d queries", len(query_ids))
    return rank(query_ids, query_rows, docids, scores, depth=depth, drop_query_document=drop_query_document)


def _write_collection(corpus: Path, folder: Path, *, files: int) -> int:
    """Write the corpus as Anserini's JSON lines into ``files`` files (a thread reads each); the number of passages."""
    passages = 0
    with ExitStack() as stack:
        streams = [stack.enter_context((folder / f"{number:03d}.jsonl").open("wb")) for number in range(files)]
        for number, batch in enumerate(CORPUS.batches(corpus)):
            stream = streams[number % files]
            for row in batch.to_pylist():
                document = {"id": row["docid"], "contents": passage_text(row["title"], row["text"])}
                stream.write(orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE))
            passages += batch.num_rows
    return passages


def _read_hits(path: Path) -> tuple[np.ndarray, pa.Array, np.ndarray]:
    """The columns (query row, docid, score) of Anserini's run."""
    query_rows, docids, scores = [], [], []
    with path.open(encoding="utf-8", newline="\n") as stream:
        for line in counted(stream, "reading what was found", "passages"):
            query_row, _, docid, _, score, _ = line.split(" ")
            query_rows.append(int(query_row))
            docids.append(docid)
            scores.append(float(score))
    return np.array(query_rows, dtype=np.int64), pa.array(docids, pa.string()), np.array(scores, dtype=np.float64)


def _check_index(folder: Path, documents: int) -> None:
    """Open an index, which Anserini leaves incomplete on a full disk, and count what is in it."""
    statistics = anserini.run("io.anserini.index.IndexReaderUtils", "-index", str(folder), "-stats")
    found = re.search(r"^documents: +(\d+)", statistics.replace(",", ""), re.MULTILINE)
    if found is None or int(found[1]) != documents:
        raise InputError(
            f"the index does not hold the {documents} passages. {anserini.last_lines(statistics)}",
            hint="make room on the disk, and run again.",
            path=folder,
        )


def _existing(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
