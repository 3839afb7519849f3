"""TREC's qrels and runs: columns separated by white space, one row per line.

The module imports no pyarrow until a run is written, so that checking a configuration does not need it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

from ...common.errors import InputError
from ...common.files import atomic_write
from ...common.progress import Progress
from ..row_groups import batches
from . import lines
from .fields import Row
from .rows import Hit, Judgement

_QRELS = ("query id", "iteration", "docid", "grade")
_RUN = ("query id", "Q0", "docid", "rank", "score", "tag")


def read_judgements(path: Path) -> Iterator[Judgement]:
    """Qrels: query id, an unused column, docid, grade. Lines that begin with ``#`` are comments, as in trec_eval."""
    for number, line in lines.iter_lines(path):
        text = lines.decode(line, path, number)
        if text.startswith("#"):
            continue
        columns = text.split()
        if len(columns) != len(_QRELS):
            raise lines.wrong_columns(len(columns), _QRELS, path, number, "blanks or tabs")
        yield Judgement(number, columns[0], columns[2], Row(path, number, {"grade": columns[3]}).grade("grade"))


def read_run(path: Path) -> Iterator[Hit]:
    """A run: query id, an unused column, docid, rank, score, tag."""
    for number, line in lines.iter_lines(path):
        columns = lines.decode(line, path, number).split()
        if len(columns) != len(_RUN):
            raise lines.wrong_columns(len(columns), _RUN, path, number, "blanks or tabs")
        query_id, _, docid, _, text, _ = columns
        try:
            score = float(text)
        except ValueError:
            score = math.nan
        if not math.isfinite(score):
            raise InputError(f"the score {text!r} is no number.", hint="correct the line.", path=path, line=number)
        yield Hit(number, query_id, docid, score)


def write_run(run: Path | str, path: Path | str, tag: str) -> None:
    """Write a file of schema ``RUN`` as a TREC run; scores keep all their digits."""
    from ..schemas import RUN

    with (
        RUN.open(run) as file,
        atomic_write(path) as temporary,
        temporary.open("w", encoding="utf-8", newline="\n") as stream,
    ):
        progress = Progress("writing for TREC", file.metadata.num_rows, "rows", brief=True)
        for batch in batches(file):
            progress.add(batch.num_rows)
            for query_id, docid, rank, score in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                stream.write(f"{query_id} Q0 {docid} {rank} {score!r} {tag}\n")
