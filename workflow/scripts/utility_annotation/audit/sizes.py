"""How large things are: counted in the files of the working folder, else as published, and said which.

A file that the workflow has made is counted by its parquet metadata. A source of the outside world of at most
:data:`_READ_WHOLE` bytes is read. For a larger one, and for one that is not here, the published size counts; where
there is none, the size of the file is divided by that of its first lines.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from math import prod
from pathlib import Path
from statistics import fmean
from typing import Any, TypeVar

import orjson
import pyarrow.parquet as pq

from ..annotation.items import Item, Passage, read_pool
from ..common.files import read_json
from ..io.formats import read_judgements, read_passages, tevatron
from ..io.formats.lines import on_disk
from ..io.ingest import kept_queries
from ..io.schemas import ANNOTATION, CORPUS, QUERIES, iter_rows, passage_text
from ..planning import annotation, data, pools
from ..pools.shards import choose
from ..settings import Configuration, Pool, Settings, Split
from .rates import ModelSize, NotKnown
from .tables import ANY, KnownCorpus, KnownFile, KnownModel, KnownQuestions, KnownReplies, SizeTable
from .tokens import stand_in

COUNTED = "counted here"
"""Source of what is known from the files themselves."""

SAMPLED = "estimated here: the file's size by that of its first lines"

_READ_WHOLE = 32 << 20
_SAMPLED_BYTES = 1 << 20
_SAMPLE = 32
"""Questions that are looked at."""
_SAMPLED_PASSAGES = 256

_Entry = TypeVar("_Entry")
_Known = TypeVar("_Known", KnownCorpus, KnownQuestions, KnownFile)


class Origin(Settings):
    """How large something is, and how that is known."""

    size: str
    source: str


@dataclass(frozen=True)
class Corpus:
    """A corpus: its passages, and their words (title included) on average."""

    passages: int
    words: float


@dataclass(frozen=True)
class Questions:
    """A split's questions, the judgements of them, and their words on average."""

    questions: int
    judgements: int
    words: float


@dataclass(frozen=True)
class PoolSize:
    """A pool: its questions, and some of them as an LLM is shown them.

    Attributes:
        items: real ones, or a stand-in of the same size where the pool is not here.
        candidates: candidates per question on average.
        words, longest: words of a candidate on average, and of the longest of many; that is taken as twice the average
            of a pool that is not here.
    """

    questions: int
    items: tuple[Item, ...]
    candidates: float
    words: float
    longest: float

    @classmethod
    def of(cls, questions: int, items: tuple[Item, ...], *, real: bool = True) -> PoolSize:
        """A pool of so many questions like these."""
        words = [len(passage.text.split()) for item in items for passage in item.passages]
        longest = max(words) if real else 2 * fmean(words)
        return cls(questions, items, fmean(len(item.passages) for item in items), fmean(words), longest)


@dataclass(frozen=True)
class Observed:
    """What an annotation of the same pool by the same annotator has shown so far, per question on average."""

    prompt_tokens: float
    new_tokens: float
    selected: float


class Sizes:
    """Answers how large something of a configuration is, and remembers where each answer came from.

    Args:
        configuration: the configuration.
        table: published sizes, those that come first winning.

    Attributes:
        origins: of each thing that was asked for, what was found and where.
    """

    def __init__(self, configuration: Configuration, table: SizeTable) -> None:
        self._configuration, self._table = configuration, table
        self.origins: dict[str, Origin] = {}
        for name in ("corpus", "questions", "pool", "model", "replies", "observed"):  # each is asked for many times
            setattr(self, name, cache(getattr(self, name)))

    def corpus(self, dataset: str) -> Corpus:
        """A dataset's corpus.

        Raises:
            NotKnown: it is neither here nor published.
        """
        source = self._configuration.datasets[dataset].corpus
        known = _by_path(self._table.corpora, source.path)
        file = Path(data.corpus(dataset))
        if file.is_file():
            number, origin = _rows(file), COUNTED
            rows = islice(iter_rows(CORPUS, [file]), _SAMPLED_PASSAGES)
            words = _words(passage_text(row["title"], row["text"]) for row in rows)
        elif found := _here(source.path, lambda: read_passages(source), known):
            number, passages, origin = found
            words = _words(passage_text(passage.title, passage.text) for passage in passages)
        elif known:
            number, words, origin = known.passages, known.words, known.source
        else:
            raise NotKnown(f"the size of {source.path} (give it under `corpora` of a file for --sizes)")
        return self._noted(f"corpus {dataset}", Corpus(number, words), f"{number:,} passages", origin)

    def questions(self, dataset: str, split: str) -> Questions:
        """A split's questions as far as its filters keep them.

        Raises:
            NotKnown: they are neither here nor published.
        """
        settings = self._configuration.datasets[dataset].splits[split]
        file, qrels = (Path(data.split_file(kind, dataset, split)) for kind in ("queries", "qrels"))
        sources = [settings.queries, *([settings.qrels] if settings.judged_only and settings.qrels else [])]
        sources += [settings.answers] if settings.answered_only and settings.answers else []
        origin, remark = COUNTED, ""
        if file.is_file():
            number = _rows(file)
            words = _words(row["text"] for row in islice(iter_rows(QUERIES, [file]), _SAMPLE))
            found = Questions(number, _rows(qrels) if qrels.is_file() else number, words)
        elif all(_small(source.path) for source in sources):
            found = self._counted_questions(settings)
        else:
            found, origin, remark = self._published_questions(settings)
        size = f"{found.questions:,} questions{remark}"
        return self._noted(f"questions {dataset}/{split}", found, size, origin)

    def pool(self, name: str) -> PoolSize:
        """A pool.

        Raises:
            NotKnown: what it is made of is neither here nor published.
        """
        settings, remark = self._configuration.pools[name], ""
        shards = list(map(Path, pools.shards(self._configuration, pool=name)))
        if all(shard.is_file() for shard in shards):
            items, origin = tuple(islice(read_pool(shards[0]), _SAMPLE)), COUNTED
            found = PoolSize.of(sum(map(_rows, shards)), items)
        elif settings.source.searched:
            questions, corpus = self.questions(settings.dataset, settings.split), self.corpus(settings.dataset)
            each, origin = settings.size, "its split"
            if settings.source.format == "merged" and settings.source.depth is not None:
                each = min(each, settings.source.depth * len(settings.source.retrievers))
            found = PoolSize.of(questions.questions, _stand_ins(each, questions.words, corpus.words), real=False)
            remark = f", {each} candidates at most"
        else:
            found, origin = self._training_rows(settings)
        return self._noted(f"pool {name}", found, f"{found.questions:,} questions{remark}", origin)

    def model(self, name: str) -> ModelSize:
        """A model; its size is None where no table has it and its folder is not here."""
        model = self._configuration.models[name]
        path = Path(model.path).name if model.path else None
        names = tuple(other for other in (model.hub, model.package, path, name) if other)
        folder = self.folder(name) or (Path(model.path) if model.path else None)
        known = measured(folder) if folder is not None else None
        known = known or next((known for known in self._table.models if known.model in names), None)
        if known is not None:
            self._noted(f"model {name}", known, f"{known.parameters / 1e6:,.0f} million parameters", known.source)
        return ModelSize(name, names, known)

    def replies(self, annotator: str) -> KnownReplies:
        """What an annotator's replies are like, as far as published.

        Raises:
            NotKnown: no table says it.
        """
        settings = self._configuration.annotators[annotator]
        own = self.model(settings.model).names if settings.model else ()
        names = (settings.served_model_name, *own, annotator, ANY)
        found = next((known for name in names for known in self._table.replies if known.model == name), None)
        if found is None:
            raise NotKnown(f"the length of {annotator}'s replies (give it under `replies` of a file for --sizes)")
        size = f"{found.answer_tokens:g} tokens per answer at most"
        if settings.protocol == "listwise":
            named = {stage: number for stage, number in found.selected.items() if stage != ANY}
            kept = [f"{number:g} by {stage}" for stage, number in named.items()]
            size = f"passages selected: {', '.join([*kept, f'{found.selected[ANY]:g} by any other stage'])}; {size}"
        return self._noted(f"replies of {annotator}", found, size, found.source)

    def observed(self, pool: str, annotator: str, stage: str) -> Observed | None:
        """What the shards of a stage that are here tell; None without any."""
        folder = Path(annotation.shard_file(pool, annotator, stage, "shard")).parent
        shards = sorted(folder.glob("*.parquet"))
        table = ANNOTATION.read(shards[0], ["docids", "prompt_tokens", "completion_tokens"]) if shards else None
        if table is None or not table.num_rows:
            return None
        selected = [len(docids) for docids in table["docids"].to_pylist() if docids is not None]
        read, written = (fmean(table[column].to_pylist()) for column in ("prompt_tokens", "completion_tokens"))
        found = Observed(read, written, fmean(selected) if selected else 0.0)
        size = f"{read:,.0f} prompt and {written:,.0f} new tokens per question"
        return self._noted(f"{stage} by {annotator} of {pool}", found, size, f"{COUNTED}, {shards[0].name}")

    def folder(self, model: str) -> Path | None:
        """Folder of a prepared model, if it is here."""
        folder = Path("data", "models", model)
        return folder if folder.is_dir() else None

    def file_bytes(self, path: str) -> int:
        """Size of a file of the outside world, here or published.

        Raises:
            NotKnown: it is neither.
        """
        file = Path(path)
        known = _by_path(self._table.files, path)
        if file.is_file():
            return file.stat().st_size
        if known is None:
            raise NotKnown(f"the size of {path} (give it under `files` of a file for --sizes)")
        return known.bytes

    def _training_rows(self, pool: Pool) -> tuple[PoolSize, str]:
        """A pool that is built from training rows, and how its size is known."""
        assert pool.source.path is not None, "the configuration asks for it"
        path, with_texts = Path(pool.source.path), pool.source.format == "tevatron"
        known = _by_path(self._table.questions, pool.source.path)
        if with_texts and (found := _here(pool.source.path, lambda: _pool_items(path, pool), known)):
            number, rows, origin = found
            return PoolSize.of(number, tuple(rows[:_SAMPLE])), origin
        if known is None:
            raise NotKnown(f"the size of {pool.source.path} (give it under `questions` of a file for --sizes)")
        if with_texts and on_disk(path).is_file():
            return PoolSize.of(known.questions, tuple(islice(_pool_items(path, pool), _SAMPLE))), known.source
        words = known.passage_words or self.corpus(pool.dataset).words
        items = _stand_ins(pool.size, known.words or 8, words)
        return PoolSize.of(known.questions, items, real=False), known.source

    def _counted_questions(self, split: Split) -> Questions:
        queries = list(kept_queries(split)())
        number = len(queries) if split.sample is None else min(len(queries), split.sample.queries)
        judged = split.qrels is not None and _small(split.qrels.path)
        judgements = sum(1 for _ in read_judgements(split.qrels)) if split.qrels and judged else 0
        return Questions(number, judgements or number, _words(query.text for query in queries))

    def _published_questions(self, split: Split) -> tuple[Questions, str, str]:
        """The questions, how their number is known, and a remark about it."""
        asked = _by_path(self._table.questions, split.queries.path)
        judged = _by_path(self._table.questions, split.qrels.path) if split.qrels else None
        known = judged if split.judged_only else asked
        if known is None:
            source = split.qrels if split.judged_only and split.qrels else split.queries
            raise NotKnown(f"the size of {source.path} (give it under `questions` of a file for --sizes)")
        number, remark, origin = known.questions, "", known.source
        if split.answered_only and asked is not None and asked.answered is not None:
            number, origin = asked.answered, asked.source
        elif split.answered_only:
            remark = " at most"
        if split.part is not None:
            low, high = split.part.percent
            number = round(number * (high - low) / 100)
        if split.sample is not None:
            number, remark, origin = min(number, split.sample.queries), "", "the configuration's sample"
        words = known.words or (asked and asked.words) or 8
        judgements = judged.judgements if judged and judged.judgements else number
        return Questions(number, judgements, words), origin, remark

    def _noted(self, what: str, found: _Entry, size: str, source: str) -> _Entry:
        self.origins[what] = Origin(size=size if source != SAMPLED else f"about {size}", source=source)
        return found


def measured(folder: Path) -> KnownModel | None:
    """The size of a model by the headers of its weights and its configuration; None where these do not tell."""
    weights, configuration = sorted(folder.glob("*.safetensors")), folder / "config.json"
    if not weights or not configuration.is_file():
        return None
    settings: Any = read_json(configuration)
    text = settings.get("text_config", settings)
    width = next((text[name] for name in ("hidden_size", "dim", "d_model", "n_embd") if name in text), None)
    vocabulary = text.get("vocab_size")
    if width is None or vocabulary is None:
        return None
    parameters = sum(map(_parameters, weights))
    writes = any(name.endswith("ForCausalLM") for name in settings.get("architectures") or ())
    tied = writes and text.get("tie_word_embeddings", settings.get("tie_word_embeddings", False))
    return KnownModel(
        model=folder.name,
        parameters=parameters,
        multiplied=parameters if tied else parameters - width * vocabulary,
        dimension=width,
        bytes=sum(file.stat().st_size for file in weights),
        source=COUNTED,
    )


def _parameters(weights: Path) -> int:
    """Parameters in a safetensors file, by its header: its length in 8 bytes, then JSON with each tensor's shape."""
    with weights.open("rb") as stream:
        header = orjson.loads(stream.read(int.from_bytes(stream.read(8), "little")))
    return sum(prod(tensor["shape"]) for name, tensor in header.items() if name != "__metadata__")


def _here(path: str, rows: Callable[[], Iterator[_Entry]], known: object) -> tuple[int, list[_Entry], str] | None:
    """The number of rows of a source, some of them, and how it is known; None where the source is not here, or is large
    and published.
    """
    if _small(path):
        counted = list(rows())
        return (len(counted), counted, COUNTED) if counted else None
    number = None if known else _lines_by_sample(Path(path))
    return None if number is None else (number, list(islice(rows(), _SAMPLED_PASSAGES)), SAMPLED)


def _small(path: str) -> bool:
    file = on_disk(Path(path))
    return file.exists() and (file.is_dir() or file.stat().st_size <= _READ_WHOLE)


def _rows(file: Path) -> int:
    return pq.read_metadata(file).num_rows


def _words(texts: Iterable[str]) -> float:
    """Words per text, on average; 0 without any."""
    found = [len(text.split()) for text in texts]
    return fmean(found) if found else 0.0


def _by_path(entries: Sequence[_Known], path: str) -> _Known | None:
    return next((entry for entry in entries if f"/{path}".endswith(f"/{entry.path}")), None)


def _lines_by_sample(path: Path) -> int | None:
    """Lines of a file, plain or gzip, by the bytes of its first; None where it is not here, or within a zip."""
    if not path.is_file():
        return None
    with path.open("rb") as file:
        packed = file.peek(2)[:2] == b"\x1f\x8b"
        lines = 0
        for _ in gzip.GzipFile(fileobj=file) if packed else file:
            lines += 1
            if file.tell() >= _SAMPLED_BYTES:
                break
        return round(path.stat().st_size * lines / file.tell()) if lines else None


def _pool_items(path: Path, pool: Pool) -> Iterator[Item]:
    for row in tevatron.read_rows(path):
        shown = [docid for part in choose(row.positives, row.negatives, pool.size) for docid in part]
        passages = map(row.passages.__getitem__, shown)
        texts = [passage_text(title if pool.titles else None, text) for title, text in passages]
        yield Item(row.query_id, row.query, tuple(map(Passage, shown, texts)))


def _stand_ins(candidates: float, query_words: float, passage_words: float) -> tuple[Item, ...]:
    passages = tuple(Passage(str(number), stand_in(passage_words, 7 * number)) for number in range(round(candidates)))
    return (Item("0", stand_in(query_words), passages, answer=stand_in(12)),)
