"""TREC's qrels and runs: columns between white space, one row a line.

What pyarrow reads and writes is imported where it is used, so that a configuration is checked without it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...common.errors import InputError
from ...common.files import atomic_write
from ...common.progress import Progress
from . import fields, lines
from .rows import Judgement

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

_QRELS = ("query id", "iteration", "docid", "grade")
_RUN = ("query id", "Q0", "docid", "rank", "score", "run tag")


def read_judgements(path: Path) -> Iterator[Judgement]:
    """Qrels: query id, an unused column, docid, grade. Lines that begin with ``#`` are comments, as in trec_eval."""
    for number, line in lines.iter_lines(path):
        text = lines.decode(line, path, number)
        if text.startswith("#"):
            continue
        columns = text.split()
        if len(columns) != len(_QRELS):
            raise lines.wrong_columns(len(columns), _QRELS, path, number, "blanks or tabs")
        yield Judgement(number, columns[0], columns[2], fields.grade(columns[3], path, number))


def read_run(path: Path) -> pa.Table:
    """A run as a table of schema ``RUN``: queries as they first appear, each ranked anew.

    As in trec_eval the score alone decides the rank, in single precision, ties by docid descending; the file's rank
    column is not used.

    Raises:
        InputError: a wrong column count, a score that is no number, or a passage that stands twice for one query.
    """
    import numpy as np

    from ..schemas import RUN

    rows: list[tuple[int, str, float, str]] = []
    first_seen: dict[str, int] = {}
    first_line: dict[tuple[str, str], int] = {}
    for number, line in lines.iter_lines(path):
        columns = lines.decode(line, path, number).split(None, len(_RUN) - 1)
        if len(columns) != len(_RUN):
            raise lines.wrong_columns(len(columns), _RUN, path, number, "blanks or tabs")
        query_id, _, docid, _, score, _ = columns
        earlier = first_line.setdefault((query_id, docid), number)
        if earlier != number:
            raise InputError(
                f"docid {docid!r} stands here and already on line {earlier} for query {query_id!r}.",
                hint="keep one of the two lines.",
                path=path,
                line=number,
            )
        rows.append((first_seen.setdefault(query_id, len(first_seen)), query_id, _score(score, path, number), docid))
    rows.sort(key=lambda row: row[3], reverse=True)
    with np.errstate(over="ignore"):  # beyond single precision is infinite, there as here
        rows.sort(key=lambda row: (row[0], -np.float32(row[2])))
    ranks: list[int] = []
    for index, row in enumerate(rows):
        ranks.append(ranks[-1] + 1 if index and rows[index - 1][0] == row[0] else 1)
    return RUN.table(
        {
            "query_id": [query_id for _, query_id, _, _ in rows],
            "docid": [docid for _, _, _, docid in rows],
            "rank": ranks,
            "score": [score for _, _, score, _ in rows],
        }
    )


def write_judgements(qrels: Path | str, path: Path | str) -> None:
    """Write a file of schema ``QRELS`` as TREC qrels."""
    from ..schemas import QRELS

    with QRELS.open(qrels) as file:
        _write((f"{query_id} 0 {docid} {grade}\n" for query_id, docid, grade in _rows(file)), path)


def write_run(run: Path | str, path: Path | str, tag: str) -> None:
    """Write a file of schema ``RUN`` as a TREC run; scores keep all their digits."""
    from ..schemas import RUN

    with RUN.open(run) as file:
        _write(
            (f"{query_id} Q0 {docid} {rank} {score!r} {tag}\n" for query_id, docid, rank, score in _rows(file)), path
        )


def _rows(file: pq.ParquetFile) -> Iterator[tuple[Any, ...]]:
    """The rows of a file that begins with query_id and docid, neither of which may hold white space."""
    progress = Progress("writing for TREC", file.metadata.num_rows, "rows", brief=True)
    for batch in file.iter_batches(batch_size=65536):
        progress.add(batch.num_rows)
        for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            if len(row[0].split()) != 1 or len(row[1].split()) != 1:
                raise InputError(
                    f"query {row[0]!r} or docid {row[1]!r} is empty or holds white space, TREC's separator.",
                    hint="use ids without white space in the corpus and the queries.",
                )
            yield row


def _write(rows: Iterable[str], path: Path | str) -> None:
    with atomic_write(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as stream:
        stream.writelines(rows)


def _score(text: str, path: Path, line: int) -> float:
    try:
        score = float(text)
    except ValueError:
        score = math.nan
    if math.isnan(score):
        raise InputError(f"score {text[:40]!r} is not a number.", hint="give every row a score.", path=path, line=line)
    return score
