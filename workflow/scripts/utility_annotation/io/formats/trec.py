"""TREC's qrels and runs: columns separated by white space, one row per line.

The module imports no pyarrow until a run is written, so that checking a configuration does not need it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ...common.files import atomic_write
from ...common.progress import Progress
from . import lines
from .fields import Row
from .rows import Judgement

_QRELS = ("query id", "iteration", "docid", "grade")


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


def write_run(run: Path | str, path: Path | str, tag: str) -> None:
    """Write a file of schema ``RUN`` as a TREC run; scores keep all their digits."""
    from ..schemas import RUN

    with (
        RUN.open(run) as file,
        atomic_write(path) as temporary,
        temporary.open("w", encoding="utf-8", newline="\n") as stream,
    ):
        progress = Progress("writing for TREC", file.metadata.num_rows, "rows", brief=True)
        for batch in file.iter_batches(batch_size=65536):
            progress.add(batch.num_rows)
            for query_id, docid, rank, score in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                stream.write(f"{query_id} Q0 {docid} {rank} {score!r} {tag}\n")
