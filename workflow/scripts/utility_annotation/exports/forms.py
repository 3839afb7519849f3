"""The formats of exported labels: a function per format, which fills a folder, and its entry in the table of them all.

TREC and BEIR hold judgements of every query. The other formats hold training examples: a query without a positive or
without a negative is left out, because other trainers refuse empty lists. pyarrow is imported only for the format that
needs it, so that planning does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from .examples import Example, Examples, Passage

_TRAIN = "train.jsonl"
_ROWS = 10_000
"""Rows per row group of parquet."""


@dataclass(frozen=True)
class ExportFormat:
    """A format of exported labels.

    Attributes:
        title: its name for readers.
        loading: the command or Python code that loads the files.
        writer: fills a folder with the files.
        files: the files that Hugging Face's ``datasets`` can load, by the name of their configuration; it loads one
            kind of file per configuration.
        trains: whether the files hold training examples, each with a positive and a negative.
        ignored: what the files do with ignored passages; completes "N candidates are ignored: …" in the card.
    """

    title: str
    loading: str
    writer: Callable[[Examples, Path], None]
    files: Mapping[str, str] = field(default_factory=dict)
    trains: bool = False
    ignored: str = "they are not in these files"


def _tevatron(examples: Examples, folder: Path) -> None:
    """Rows with the passages in them."""

    def passages(of: list[Passage]) -> list[Passage]:
        return [{"docid": each["docid"], "title": each["title"] or "", "text": each["text"]} for each in of]

    _write_jsonl(
        folder / _TRAIN,
        (
            {
                "query_id": example.query_id,
                "query": example.query,
                "positive_passages": passages(example.positives),
                "negative_passages": passages(example.negatives),
            }
            for example in examples
        ),
    )


def _tevatron_ids(examples: Examples, folder: Path) -> None:
    """Rows of ids, and a corpus whose texts include their titles, since that version reads no title."""
    _write_jsonl(
        folder / _TRAIN,
        (
            {
                "query_id": example.query_id,
                "query_text": example.query,
                "positive_document_ids": [passage["docid"] for passage in example.positives],
                "negative_document_ids": [passage["docid"] for passage in example.negatives],
            }
            for example in examples
        ),
    )
    corpus = _passages(examples)
    _write_jsonl(folder / "corpus.jsonl", ({"docid": each["docid"], "text": _text(each)} for each in corpus))


def _sentence_transformers(examples: Examples, folder: Path) -> None:
    """A row per positive: anchor, positive, and up to five negatives.

    The columns are as many as the query with the most negatives fills. A query with fewer has them again.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    negatives = min(5, max(len(example.negatives) for example in examples))
    columns = ["anchor", "positive", *(f"negative_{number + 1}" for number in range(negatives))]
    schema = pa.schema([pa.field(column, pa.string(), nullable=False) for column in columns])
    with pq.ParquetWriter(folder / "train.parquet", schema, compression="zstd") as writer:
        rows: list[dict[str, str]] = []
        for example in examples:
            others = map(_text, islice(cycle(example.negatives), negatives))
            shared = dict(zip(columns, (example.query, "", *others), strict=True))
            rows += [shared | {"positive": _text(positive)} for positive in example.positives]
            if len(rows) >= _ROWS:
                writer.write_table(pa.Table.from_pylist(rows, schema))
                rows = []
        writer.write_table(pa.Table.from_pylist(rows, schema))


def _flag_embedding(examples: Examples, folder: Path) -> None:
    """Rows of texts."""
    rows = (
        {"query": each.query, "pos": list(map(_text, each.positives)), "neg": list(map(_text, each.negatives))}
        for each in examples
    )
    _write_jsonl(folder / _TRAIN, rows)


_SELECT = (
    "Here are {number} passages, each after its number in brackets.\n\n{passages}\n\nQuestion: {query}\n\nWhich of "
    "these passages help to answer the question? Write their numbers as My selection:[[i],[j],...], the most useful "
    "one first, or My selection:[] if none helps."
)
"""The task of a generative selector; its replies have the form in which the annotation reads selections."""


def _trl(examples: Examples, folder: Path) -> None:
    """Conversations: a question with its judged pool, and the numbers of the positives as the reply.

    A passage that is shown and not in the reply would count as negative, so ignored ones are not shown.
    """

    def conversation(example: Example) -> dict[str, Any]:
        numbers = {passage["docid"]: number for number, passage in enumerate(example.judged, 1)}
        # one line each, so that no passage can look like another one's number
        lines = [f"[{number}] {' '.join(_text(each).split())}" for number, each in enumerate(example.judged, 1)]
        query = " ".join(example.query.split())
        task = _SELECT.format(number=len(lines), passages="\n".join(lines), query=query)
        chosen = ",".join(f"[{numbers[passage['docid']]}]" for passage in example.positives)
        return {
            "prompt": [{"role": "user", "content": task}],
            "completion": [{"role": "assistant", "content": f"My selection:[{chosen}]"}],
        }

    _write_jsonl(folder / _TRAIN, map(conversation, examples))


def _beir(examples: Examples, folder: Path) -> None:
    """Corpus (the pool's passages), queries, and the positives as qrels."""
    pool = _passages(examples, ignored=True)
    rows = ({"_id": each["docid"], "title": each["title"] or "", "text": each["text"]} for each in pool)
    _write_jsonl(folder / "corpus.jsonl", rows)
    _write_jsonl(folder / "queries.jsonl", ({"_id": each.query_id, "text": each.query} for each in examples))
    (folder / "qrels").mkdir()
    with (folder / "qrels" / "train.tsv").open("w", encoding="utf-8") as file:
        file.write("query-id\tcorpus-id\tscore\n")
        for example in examples:
            graded = zip(example.positives, example.grades, strict=True)
            file.writelines(f"{example.query_id}\t{passage['docid']}\t{grade}\n" for passage, grade in graded)


def _trec(examples: Examples, folder: Path) -> None:
    """Qrels with every judged candidate, and the topics."""
    with (folder / "qrels.txt").open("w", encoding="utf-8") as file:
        for example in examples:
            positives = zip(example.positives, example.grades, strict=True)
            for passage, grade in (*positives, *((passage, 0) for passage in example.negatives)):
                file.write(f"{example.query_id} 0 {passage['docid']} {grade}\n")
    with (folder / "topics.tsv").open("w", encoding="utf-8") as file:
        file.writelines(f"{example.query_id}\t{' '.join(example.query.split())}\n" for example in examples)


def _text(passage: Passage) -> str:
    """Title and text, as models read them."""
    from ..io.schemas import passage_text

    return passage_text(passage["title"], passage["text"])


def _passages(examples: Iterable[Example], *, ignored: bool = False) -> Iterator[Passage]:
    """Every passage once, in order of first appearance; on demand those that are ignored wherever they appear, too."""
    seen: set[str] = set()
    for example in examples:
        for passage in (*example.positives, *example.negatives, *(example.ignored if ignored else ())):
            if passage["docid"] not in seen:
                seen.add(passage["docid"])
                yield passage


def _write_jsonl(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write one JSON object per line."""
    with path.open("wb") as file:
        file.writelines(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows)


FORMS: dict[str, ExportFormat] = {
    "tevatron": ExportFormat(
        "Tevatron, version 1",
        "python -m tevatron.retriever.driver.train --dataset_path train.jsonl …",
        _tevatron,
        {"train": _TRAIN},
        trains=True,
    ),
    "tevatron-v2": ExportFormat(
        "Tevatron, version 2",
        "python -m tevatron.retriever.driver.train --dataset_path train.jsonl --corpus_path corpus.jsonl …",
        _tevatron_ids,
        {"train": _TRAIN, "corpus": "corpus.jsonl"},
        trains=True,
    ),
    "sentence-transformers": ExportFormat(
        "sentence-transformers",
        'train = load_dataset("parquet", data_files="train.parquet", split="train")\n'
        "# a query has a row per positive, so a batch must not hold a query twice\n"
        'args = SentenceTransformerTrainingArguments("out", batch_sampler=BatchSamplers.NO_DUPLICATES)\n'
        "loss = MultipleNegativesRankingLoss(model)\n"
        "SentenceTransformerTrainer(model, args, train_dataset=train, loss=loss).train()",
        _sentence_transformers,
        {"train": "train.parquet"},
        trains=True,
    ),
    "flag-embedding": ExportFormat(
        "FlagEmbedding",
        "python -m FlagEmbedding.finetune.embedder.encoder_only.base --train_data train.jsonl …",
        _flag_embedding,
        {"train": _TRAIN},
        trains=True,
    ),
    "trl": ExportFormat(
        "TRL (conversations for a generative selector)",
        'train = load_dataset("json", data_files="train.jsonl", split="train")\n'
        "SFTTrainer(model, train_dataset=train).train()",
        _trl,
        {"train": _TRAIN},
    ),
    "beir": ExportFormat(
        "BEIR",
        'GenericDataLoader(".").load(split="train")',
        _beir,
        {"corpus": "corpus.jsonl", "queries": "queries.jsonl"},
        ignored="the corpus has them, and the qrels do not, as for any passage without a judgement",
    ),
    "trec": ExportFormat(
        "TREC",
        "trec_eval qrels.txt run.trec",
        _trec,
        ignored="the qrels have no line for them, so that they are unjudged",
    ),
}
"""By the name in a target: ``results/exports/labels/{labels}/{form}``."""
