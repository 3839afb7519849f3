"""The schema of every file that one stage hands to the next, checked on write and on read.

This is the one place for column names. A stage writes a table through its schema, which refuses a table that does not
fit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ..common.errors import InputError
from ..common.files import REGENERATE, atomic_write
from ..common.hashing import row_hashes
from ..common.progress import Progress
from .row_groups import batches


class RepeatedKey(InputError):
    """A combination of a schema's unique columns repeats; ``key`` holds it, by column."""

    def __init__(self, key: Mapping[str, Any], count: int, name: str, path: Path) -> None:
        self.key = dict(key)
        found = ", ".join(f"{column} {value!r}" for column, value in key.items())
        super().__init__(
            f"{found} occurs {count} times in the {name}.",
            hint="keep one of these rows in the input and remove the others.",
            path=path,
        )


@dataclass(frozen=True)
class Schema:
    """A named parquet schema.

    Attributes:
        name: what the file holds, for messages.
        schema: columns and types; a field with ``nullable=False`` must have no null.
        unique: columns whose combination must not repeat within one file.
    """

    name: str
    schema: pa.Schema
    unique: tuple[str, ...] = ()

    def table(self, columns: Mapping[str, Any]) -> pa.Table:
        """Build a table of this schema from columns of Python lists or arrays."""
        return pa.table(dict(columns), schema=self.schema)

    def rows(self, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
        """Build a table of this schema from rows; a missing key is a null."""
        return pa.Table.from_pylist(list(rows), schema=self.schema)

    def write(self, path: Path | str, table: pa.Table) -> None:
        """Check ``table`` and write it to ``path`` (temporary name, then rename)."""
        with self.writer(path) as writer:
            writer.write(table)

    def writer(self, path: Path | str) -> Writer:
        """Open a streaming writer; use it as a context manager."""
        return Writer(self, Path(path))

    def read(self, path: Path | str, columns: Sequence[str] | None = None) -> pa.Table:
        """Read a file of this schema, all columns or some.

        Raises:
            InputError: the file is missing, is no parquet file, or does not have this schema.
        """
        with self.open(path) as file:
            return file.read(columns=list(columns) if columns is not None else None).cast(
                self.schema if columns is None else pa.schema([self.schema.field(name) for name in columns])
            )

    def batches(self, path: Path | str, rows: int = 1024) -> Iterator[pa.RecordBatch]:
        """Read a file of this schema piece by piece, at most ``rows`` rows each, in flat memory."""
        with self.open(path) as file:
            progress = Progress(f"reading {path}", file.metadata.num_rows, "rows", brief=True)
            for batch in batches(file, rows=rows):
                yield batch
                progress.add(batch.num_rows)

    @contextmanager
    def open(self, path: Path | str) -> Iterator[pq.ParquetFile]:
        """Open a file, check its schema against this schema, and close it at the end of the ``with`` block.

        Raises:
            InputError: as :meth:`read`; a page's checksum is wrong, on opening or within the block.
        """
        try:
            with self._open(path) as file:
                yield file
        except (pa.ArrowException, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:  # the system's, not Arrow's
                raise
            raise InputError(f"this {self.name} file is damaged ({error}).", hint=REGENERATE, path=path) from None

    def _open(self, path: Path | str) -> pq.ParquetFile:
        try:
            file = pq.ParquetFile(path, page_checksum_verification=True)
        except FileNotFoundError:
            raise InputError(
                f"there is no {self.name} file.", hint="run the target that makes it.", path=path
            ) from None
        except (pa.ArrowInvalid, OSError) as error:
            raise InputError(f"not a readable {self.name} file ({error}).", hint=REGENERATE, path=path) from None
        found = file.schema_arrow
        if found.names != self.schema.names or any(
            found.field(name).type != self.schema.field(name).type for name in found.names
        ):
            file.close()
            lacks = [field for field in self.schema if field.name not in found.names]
            if lacks and len(found) + len(lacks) == len(self.schema):
                raise InputError(
                    f"this {self.name} file is of another version: it lacks {_describe(lacks)}.",
                    hint=REGENERATE,
                    path=path,
                )
            raise InputError(
                f"this is no {self.name} file: it has {_describe(found)}, not {_describe(self.schema)}.",
                hint=REGENERATE,
                path=path,
            )
        return file

    def check(self, table: pa.Table, path: Path | str) -> None:
        """Raise InputError if ``table`` does not fit this schema (types, nulls)."""
        if not table.schema.equals(self.schema, check_metadata=False):
            raise InputError(
                f"a {self.name} file needs {_describe(self.schema)}, not {_describe(table.schema)}.",
                hint="this is a bug in the stage that writes it; please report it.",
                path=path,
            )
        for field in self.schema:
            if not field.nullable and table[field.name].null_count:
                raise InputError(
                    f"column {field.name} of a {self.name} file has {table[field.name].null_count} empty cells.",
                    hint="check the input of the stage that writes it: a value is missing there.",
                    path=path,
                )


class Writer:
    """Writes a schema's file row group by row group; the file appears only if all goes well.

    Uniqueness is checked over the whole file at the end: first by 64-bit hashes, then by value for rows that share a
    hash. Memory stays at a few words per row, and a hash collision raises no error.
    """

    def __init__(self, schema: Schema, path: Path) -> None:
        self.schema, self.path = schema, path
        self.rows_written = 0
        self._keys: list[Any] = []

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._temporary = stack.enter_context(atomic_write(self.path))
            self._writer = pq.ParquetWriter(
                self._temporary, self.schema.schema, compression="zstd", write_page_checksum=True
            )
            self._context = stack.pop_all()
        return self

    def write(self, table: pa.Table) -> None:
        """Append a table (any number of rows)."""
        self.schema.check(table, self.path)
        if self.schema.unique:
            self._keys.append(row_hashes(table.select(list(self.schema.unique))))
        try:
            self._writer.write_table(table)
        except pa.ArrowInvalid as error:  # an empty cell within a list or struct
            raise InputError(
                f"a {self.schema.name} file cannot hold these rows ({error}).",
                hint="check the input of the stage that writes it: a value is missing there.",
                path=self.path,
            ) from None
        self.rows_written += table.num_rows

    def write_rows(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Append rows given as mappings."""
        self.write(self.schema.rows(rows))

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        if error is not None:
            try:
                self._writer.close()
            finally:
                self._context.__exit__(kind, error, trace)
            return
        with self._context:  # an error in this block leaves no file either
            self._writer.close()
            self._check_unique()

    def _check_unique(self) -> None:
        if not self._keys:
            return
        hashes = np.concatenate(self._keys)
        ordered = np.sort(hashes)
        shared = ordered[1:][ordered[1:] == ordered[:-1]]
        if not len(shared):
            return
        names = list(self.schema.unique)
        suspects = pq.read_table(self._temporary, columns=names).filter(pa.array(np.isin(hashes, shared)))
        counts = suspects.group_by(names).aggregate([([], "count_all")])
        repeated = counts.filter(pc.greater(counts["count_all"], 1)).slice(0, 1).to_pylist()
        if repeated:
            raise RepeatedKey(
                {name: repeated[0][name] for name in names}, repeated[0]["count_all"], self.schema.name, self.path
            )


def _describe(fields: Iterable[pa.Field]) -> str:
    return "columns " + ", ".join(f"{field.name} ({field.type})" for field in fields)


def _schema(*fields: tuple[str, pa.DataType] | pa.Field) -> pa.Schema:
    return pa.schema([field if isinstance(field, pa.Field) else pa.field(*field, nullable=False) for field in fields])


_STRING = pa.string()
_OPTIONAL_TITLE = pa.field("title", _STRING)

CORPUS = Schema("corpus", _schema(("docid", _STRING), _OPTIONAL_TITLE, ("text", _STRING)), unique=("docid",))
BLOCK = pa.struct(
    [
        pa.field("text", _STRING, nullable=False),
        pa.field("headings", pa.list_(_STRING), nullable=False),
        pa.field("page", pa.int32()),
    ]
)
DOCUMENTS = Schema(
    "documents",
    _schema(
        ("file", _STRING),
        ("name", _STRING),
        ("outcome", _STRING),
        ("reason", _STRING),
        ("title", _STRING),
        ("blocks", pa.list_(BLOCK)),
    ),
    unique=("file", "name"),
)
"""One row per document of a folder, and per file that is none. ``name``: of one of several documents in a file, or
empty. ``outcome``: read, unreadable, or other (a format that nothing reads); ``reason`` says why, or what of a document
could not be read."""

ORIGINS = Schema(
    "origins of passages",
    _schema(
        ("docid", _STRING),
        ("file", _STRING),
        ("name", _STRING),
        ("title", _STRING),
        ("headings", pa.list_(_STRING)),
        pa.field("page", pa.int32()),
    ),
    unique=("docid",),
)
"""Where in a folder of documents each passage is from: its document, with that one's title, its headings, and the page
on which it begins, from 1."""

QUERIES = Schema("queries", _schema(("query_id", _STRING), ("text", _STRING)), unique=("query_id",))
QRELS = Schema(
    "qrels", _schema(("query_id", _STRING), ("docid", _STRING), ("grade", pa.int32())), unique=("query_id", "docid")
)
ANSWERS = Schema("answers", _schema(("query_id", _STRING), ("answers", pa.list_(_STRING))), unique=("query_id",))

_WRITTEN = (
    ("query_id", _STRING),
    ("text", _STRING),
    ("answers", pa.list_(_STRING)),
    ("docid", _STRING),
    ("grade", pa.int32()),
    ("document", _STRING),
    ("style", _STRING),
)
WRITTEN_QUESTIONS = Schema("written questions", _schema(*_WRITTEN), unique=("query_id",))
"""One row per question that an LLM wrote about a passage, with its answer: as format parquet a source of questions,
judgements and answers. ``grade`` is 1."""
DROPPED_QUESTIONS = Schema(
    "dropped questions", _schema(*_WRITTEN, ("filter", _STRING), ("reason", _STRING)), unique=("query_id",)
)
"""The same for what a filter dropped, with its name and the reason. The question of an unreadable reply is empty."""
READ_QUESTIONS = Schema("read questions", DROPPED_QUESTIONS.schema, unique=("query_id",))
"""The same for all that was written about a shard of passages: ``filter`` and ``reason`` are empty where none drops the
question."""

CANDIDATE = pa.struct(
    [
        pa.field("docid", _STRING, nullable=False),
        _OPTIONAL_TITLE,
        pa.field("text", _STRING, nullable=False),
        pa.field("human", pa.bool_(), nullable=False),
        pa.field("rank", pa.int32(), nullable=False),
    ]
)
"""``rank``: place in the source's own list (the pool is shuffled): from 1, human positives before negatives."""
POOL = Schema(
    "pool",
    _schema(("query_id", _STRING), ("query", _STRING), ("candidates", pa.list_(CANDIDATE))),
    unique=("query_id",),
)

OUTCOMES = ("ok", "empty", "unparsable", "truncated", "error")
"""The result of one query in one stage. ``empty`` is a valid selection of nothing; ``unparsable`` is no selection."""

ABSTAINED = "abstained"
"""The outcome of a question that an LLM was not asked to answer, for lack of a passage."""

ANNOTATION = Schema(
    "annotation",
    _schema(
        ("query_id", _STRING),
        ("outcome", _STRING),
        pa.field("docids", pa.list_(_STRING)),
        pa.field("named", pa.int32()),
        pa.field("answer", _STRING),
        pa.field("scores", pa.list_(pa.struct([("docid", _STRING), ("score", pa.float64())]))),
        ("whole_pool", pa.bool_()),
        ("replies", pa.list_(_STRING)),
        ("attempts", pa.int32()),
        pa.field("cut_words", pa.int32()),
        ("prompt_tokens", pa.int64()),
        ("completion_tokens", pa.int64()),
        pa.field("finish_reason", _STRING),
    ),
    unique=("query_id",),
)
"""One row per query and stage. ``docids``: the selection or ranking in reply order (relsel, utilsel, utilrank);
``named``: how many of a ranking's docids the replies name; ``answer``: the pseudo-answer; ``scores``: one score per
candidate (pointwise protocol, replug). ``whole_pool`` is true where an empty or failed relevance selection made the
stage fall back to the whole pool.
:func:`utility_annotation.annotation.shard.annotate` writes and explains all columns."""

LABELS = Schema(
    "labels",
    _schema(
        ("query_id", _STRING),
        ("docid", _STRING),
        ("label", pa.float32()),
        pa.field("rank", pa.int32()),
        ("source", _STRING),
    ),
    unique=("query_id", "docid"),
)
"""One row per candidate of the pool, so that the negatives and what is ignored are there too. ``label`` is a value of
:mod:`.label_values`, and for replug the log-likelihood of the ground-truth answer given the candidate (nats). ``rank``
is the candidate's place in the labeller's list, from 1: an LLM's selection or ranking, the human positives, the lines
of a file. A union has its members' lists one after the other. The rank is null for a candidate that is on no list.
``source`` is that of the label set, or in a cascade the member that decided."""

SCORES = Schema(
    "scores of candidates",
    _schema(("query_id", _STRING), ("docid", _STRING), ("score", pa.float32())),
    unique=("query_id", "docid"),
)
"""A reranker's raw score of each candidate of a pool's shard, in its order."""

DOCIDS = Schema("docids", _schema(("docid", _STRING)), unique=("docid",))
"""The passages of a file of vectors, row by row."""

RUN = Schema(
    "run",
    _schema(("query_id", _STRING), ("docid", _STRING), ("rank", pa.int32()), ("score", pa.float64())),
    unique=("query_id", "docid"),
)
"""Ranks count from 1; ties in score are ordered by docid descending, as in trec_eval."""

DUPLICATES = Schema(
    "duplicates",
    _schema(
        ("query_id", _STRING),
        ("docid", _STRING),
        ("duplicate_of", _STRING),
        ("similarity", pa.float64()),
        ("copy", pa.bool_()),
    ),
    unique=("query_id", "docid"),
)
"""One row per passage that repeats another one found for the same query: word for word if ``copy``, else nearly, with
the Jaccard similarity of their word trigrams."""

TRAINING_COPIES = Schema(
    "copies of training questions",
    _schema(
        ("query_id", _STRING),
        ("text", _STRING),
        ("split", _STRING),
        ("training_query_id", _STRING),
        ("training_text", _STRING),
    ),
    unique=("query_id",),
)
"""One row per question of a test set that a retriever may have been trained on, with the first such training question
and the ``dataset/split`` that has it."""

PER_QUERY = Schema(
    "per-query metrics",
    _schema(("query_id", _STRING), ("metric", _STRING), ("value", pa.float64())),
    unique=("query_id", "metric"),
)


def passage_text(title: str | None, text: str) -> str:
    """The text of a passage that models read: ``title text``, or the text alone if there is no title."""
    return f"{title} {text}" if title else text


def iter_rows(schema: Schema, paths: Iterable[Path | str], rows: int = 1024) -> Iterator[dict[str, Any]]:
    """Every row of several files of one schema, as dictionaries, in flat memory."""
    for path in paths:
        for batch in schema.batches(path, rows):
            yield from batch.to_pylist()
