"""BEIR datasets: a folder or zip with ``corpus.jsonl``, ``queries.jsonl`` and ``qrels/{split}.tsv``, or one such file.

A zip is read in place. A path may lead on into it, which is how one of several qrels files, or one of CQADupStack's
forums, is named: ``scifact.zip/scifact/qrels/test.tsv``, ``cqadupstack.zip/cqadupstack/android``.
"""

from __future__ import annotations

import fnmatch
import zipfile
from collections.abc import Iterator
from pathlib import Path

from ...common.errors import InputError
from ..archives import is_data
from ..compression import ENDINGS, opened_zip
from . import jsonl, lines
from .fields import Row, is_grade
from .rows import Judgement, PassageRow, Query

_QRELS = ("query-id", "corpus-id", "score")


def read_passages(path: Path) -> Iterator[PassageRow]:
    """``corpus.jsonl``: ``{"_id": …, "title": …, "text": …}``."""
    return jsonl.read_passages(locate(path, "corpus.jsonl"), {"docid": "_id"})


def read_queries(path: Path) -> Iterator[Query]:
    """``queries.jsonl``: ``{"_id": …, "text": …}``."""
    return jsonl.read_queries(locate(path, "queries.jsonl"), {"query_id": "_id"})


def read_judgements(path: Path) -> Iterator[Judgement]:
    """``qrels/{split}.tsv``: query id, docid, grade between tabs, under a header line."""
    path = locate(path, "qrels/*.tsv")
    rows = lines.iter_lines(path)
    for number, line in rows:
        if is_grade(lines.columns(line, _QRELS, path, number)[2]):
            raise InputError(
                "this is a judgement where BEIR has its header line.",
                hint="put `query-id`, `corpus-id`, `score`, separated by tabs, on a line before it.",
                path=path,
                line=number,
            )
        break
    for number, line in rows:
        row = Row(path, number, dict(zip(_QRELS, lines.columns(line, _QRELS, path, number), strict=True)))
        yield Judgement(number, row.identifier("query-id"), row.identifier("corpus-id"), row.grade("score"))


def locate(path: Path, pattern: str) -> Path:
    """The one file named ``pattern`` (compressed or not) in a BEIR folder or zip; any other path is the file itself.

    In a zip, the dataset's folder may stand around its files. Hidden files are passed over.

    Raises:
        InputError: the folder or zip has no such file, or several.
    """
    container = lines.on_disk(path)
    if container.is_dir():
        found = [file for ending in ("", *ENDINGS) for file in container.glob(pattern + ending) if is_data(file.name)]
    elif zipfile.is_zipfile(container):
        inner = "" if container == path else path.relative_to(container).as_posix()
        with opened_zip(container) as archive:
            names = archive.namelist()
        if inner in names:
            return path
        found = [container / name for name in names if is_data(name) and _is_in(name, inner, pattern)]
    else:
        return path
    if len(found) != 1:
        several = ", ".join(sorted(map(str, found)))
        raise InputError(
            f"there are several files {pattern} ({several})." if found else f"there is no file {pattern} in it.",
            hint=f"set `path` to {'one of these' if found else 'the file itself, or to a BEIR folder or zip'}.",
            path=path,
        )
    return found[0]


def _is_in(name: str, inner: str, pattern: str) -> bool:
    """Whether a zip's member fits the pattern in the folder ``inner``, with the dataset's folder around it or not."""
    stem = next((name.removesuffix(ending) for ending in ENDINGS if name.endswith(ending)), name)
    wanted = f"{inner}/{pattern}" if inner else pattern
    depth = wanted.count("/")
    return any(
        candidate.count("/") == depth and fnmatch.fnmatchcase(candidate, wanted)
        for candidate in (stem, stem.partition("/")[2])
    )
