"""How large things are: counted in the files that are here, else as published, and said which.

A file that a stage has made is counted by its parquet metadata. A source of the outside world of at most
:data:`_READ_WHOLE` bytes is read; of a larger one, and of one that is not here, the published size counts, and if there
is none, what its first lines let expect.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import islice
from math import prod
from pathlib import Path
from statistics import fmean
from typing import Any, TypeVar

import orjson
import pyarrow.parquet as pq

from ..annotation.items import Item, Passage, read_pool
from ..common.files import read_json
from ..io.formats import answer_key, read_answers, read_judgements, read_passages, read_queries, tevatron
from ..io.formats.lines import on_disk
from ..io.ingest import in_part
from ..io.schemas import ANNOTATION, CORPUS, QUERIES, iter_rows, passage_text
from ..pools.shards import choose, shard_names
from ..settings import Annotator, Configuration, Settings, Source, Split
from .rates import ModelSize, NotKnown
from .tables import ANY, KnownCorpus, KnownFile, KnownModel, KnownQuestions, KnownReplies, SizeTable
from .tokens import stand_in

COUNTED = "counted here"
"""Source of what is known from the files themselves."""

SAMPLED = "the file's size by that of its first lines"

_READ_WHOLE = 32 << 20
_SAMPLED_BYTES = 1 << 20
_SAMPLE = 32
"""Questions or passages that are looked at."""

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
    """A pool: its questions, candidates a question on average, and some questions as an LLM is shown them.

    Attributes:
        items: real ones, or a stand-in of the same size where the pool is not here.
        real: whether they are real.
    """

    questions: int
    candidates: float
    items: tuple[Item, ...]
    real: bool = True

    @property
    def words(self) -> float:
        """Words a candidate."""
        return fmean(self._words)

    @property
    def longest(self) -> float:
        """Words of the longest candidate of many; taken as twice the mean of a pool that is not here."""
        return max(self._words) if self.real else 2 * self.words

    @cached_property
    def _words(self) -> list[int]:
        return [len(passage.text.split()) for item in self.items for passage in item.passages]


@dataclass(frozen=True)
class Observed:
    """What an annotation of the same pool by the same annotator has shown so far, a question on average."""

    prompt_tokens: float
    new_tokens: float
    selected: float


class Sizes:
    """Answers how large something of a configuration is, and remembers where each answer came from.

    Args:
        configuration: the configuration.
        table: published sizes, those that come first winning.
        root: the folder in which the workflow runs.

    Attributes:
        origins: of each thing that was asked for, what was found and where.
    """

    def __init__(self, configuration: Configuration, table: SizeTable, root: Path = Path()) -> None:
        self._configuration, self._table, self._root = configuration, table, root
        self.origins: dict[str, Origin] = {}
        for name in ("corpus", "questions", "pool", "model", "replies", "observed"):  # each is asked for many times
            setattr(self, name, cache(getattr(self, name)))

    def corpus(self, dataset: str) -> Corpus:
        """A dataset's corpus.

        Raises:
            NotKnown: it is neither here nor published.
        """
        source = self._configuration.datasets[dataset].corpus
        what = f"corpus {dataset}"
        file = self._root / "data" / dataset / "corpus.parquet"
        if file.is_file():
            rows = next(CORPUS.batches(file, _SAMPLE * 8)).to_pylist()
            words = fmean(len(passage_text(row["title"], row["text"]).split()) for row in rows)
            found = Corpus(_rows(file), words)
            return self._noted(what, found, f"{found.passages:,} passages", COUNTED)
        if self._small(source.path):
            texts = [passage_text(passage.title, passage.text) for passage in self._read(read_passages, source)]
            found = Corpus(len(texts), fmean(len(text.split()) for text in texts))
            return self._noted(what, found, f"{found.passages:,} passages", COUNTED)
        known = _by_path(self._table.corpora, source.path)
        passages = None if known else _lines_by_sample(self._root / source.path)
        if passages is not None:
            sample = islice(self._read(read_passages, source), _SAMPLE * 8)
            words = fmean(len(passage_text(passage.title, passage.text).split()) for passage in sample)
            return self._noted(what, Corpus(passages, words), f"about {passages:,} passages", SAMPLED)
        if known is None:
            raise NotKnown(f"the size of {source.path} (give it under `corpora` of a file for --sizes)")
        return self._noted(what, Corpus(known.passages, known.words), f"{known.passages:,} passages", known.source)

    def questions(self, dataset: str, split: str) -> Questions:
        """A split's questions as far as its filters keep them.

        Raises:
            NotKnown: they are neither here nor published.
        """
        settings = self._configuration.datasets[dataset].splits[split]
        what = f"questions {dataset}/{split}"
        file = self._root / "data" / dataset / "queries" / f"{split}.parquet"
        if file.is_file():
            qrels = self._root / "data" / dataset / "qrels" / f"{split}.parquet"
            number = _rows(file)
            judgements = _rows(qrels) if qrels.is_file() else number
            texts = (row["text"] for row in islice(iter_rows(QUERIES, [file]), _SAMPLE))
            found = Questions(number, judgements, fmean(len(text.split()) for text in texts))
            return self._noted(what, found, f"{number:,} questions", COUNTED)
        sources = [settings.queries, *([settings.qrels] if settings.judged_only and settings.qrels else [])]
        sources += [settings.answers] if settings.answered_only and settings.answers else []
        if all(self._small(source.path) for source in sources):
            found = self._counted(settings)
            return self._noted(what, found, f"{found.questions:,} questions", COUNTED)
        return self._published_questions(what, settings)

    def pool(self, name: str) -> PoolSize:
        """A pool.

        Raises:
            NotKnown: what it is made of is neither here nor published.
        """
        pool = self._configuration.pools[name]
        what = f"pool {name}"
        shards = [self._root / "results" / "pools" / name / f"{shard}.parquet" for shard in shard_names(pool.shards)]
        if all(shard.is_file() for shard in shards):
            items = tuple(islice(read_pool(shards[0]), _SAMPLE))
            found = PoolSize(sum(map(_rows, shards)), fmean(len(item.passages) for item in items), items)
            return self._noted(what, found, f"{found.questions:,} questions", COUNTED)
        if pool.source.searched:
            questions = self.questions(pool.dataset, pool.split)
            corpus = self.corpus(pool.dataset)
            candidates = pool.size
            if pool.source.format == "merged" and pool.source.depth is not None:
                candidates = min(pool.size, pool.source.depth * len(pool.source.retrievers))
            found = PoolSize(
                questions.questions, candidates, _stand_ins(candidates, questions.words, corpus.words), real=False
            )
            return self._noted(
                what, found, f"{found.questions:,} questions, {candidates} candidates at most", "its split"
            )
        return self._training_rows(what, name)

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
        names = (
            settings.served_model_name,
            *(self.model(settings.model).names if settings.model else ()),
            annotator,
            ANY,
        )
        found = next((known for name in names for known in self._table.replies if known.model == name), None)
        if found is None:
            raise NotKnown(
                f"the number of passages that {annotator} selects (give it under `replies` of a file for --sizes)"
            )
        size = f"{found.answer_tokens:g} tokens an answer at most"
        if settings.protocol == "listwise":
            size = f"{found.relsel:g} passages relevant, {found.utilsel:g} useful, {size}"
        return self._noted(f"replies of {annotator}", found, size, found.source)

    def observed(self, pool: str, annotator: str, stage: str) -> Observed | None:
        """What the shards of a stage that are here tell; None without any."""
        folder = self._root / "results" / "annotation" / pool / annotator / stage
        shards = sorted(folder.glob("*.parquet"))
        if not shards:
            return None
        table = ANNOTATION.read(shards[0], ["docids", "prompt_tokens", "completion_tokens"])
        if not table.num_rows:
            return None
        selected = [len(docids) for docids in table["docids"].to_pylist() if docids is not None]
        found = Observed(
            fmean(table["prompt_tokens"].to_pylist()),
            fmean(table["completion_tokens"].to_pylist()),
            fmean(selected) if selected else 0.0,
        )
        size = f"{found.prompt_tokens:,.0f} prompt and {found.new_tokens:,.0f} new tokens a question"
        return self._noted(f"{stage} by {annotator} of {pool}", found, size, f"{COUNTED}, {shards[0].name}")

    def folder(self, model: str) -> Path | None:
        """Folder of a prepared model, if it is here."""
        folder = self._root / "data" / "models" / model
        return folder if folder.is_dir() else None

    def file_bytes(self, path: str) -> int:
        """Size of a file of the outside world, here or published.

        Raises:
            NotKnown: it is neither.
        """
        file = self._root / path
        if file.is_file():
            return file.stat().st_size
        known = _by_path(self._table.files, path)
        if known is None:
            raise NotKnown(f"the size of {path} (give it under `files` of a file for --sizes)")
        return known.bytes

    def template(self, name: str) -> Path:
        """A prompt template."""
        return self._root / "resources" / "prompts" / name

    def _training_rows(self, what: str, name: str) -> PoolSize:
        pool = self._configuration.pools[name]
        assert pool.source.path is not None, "the configuration asks for it"
        path = self._root / pool.source.path
        with_texts = pool.source.format == "tevatron"
        items: tuple[Item, ...] = ()
        if with_texts and on_disk(path).is_file():
            items = tuple(islice(_pool_items(path, pool.size, pool.titles), _SAMPLE))
        if items and self._small(pool.source.path):
            number = sum(1 for _ in tevatron.read_rows(path))
            found = PoolSize(number, fmean(len(item.passages) for item in items), items)
            return self._noted(what, found, f"{number:,} questions", COUNTED)
        known = _by_path(self._table.questions, pool.source.path)
        questions = _lines_by_sample(path) if items and known is None else None
        if questions is not None:
            found = PoolSize(questions, fmean(len(item.passages) for item in items), items)
            return self._noted(what, found, f"about {questions:,} questions", SAMPLED)
        if known is None:
            raise NotKnown(f"the size of {pool.source.path} (give it under `questions` of a file for --sizes)")
        real = bool(items)
        if not real:
            words = known.passage_words or self.corpus(pool.dataset).words
            items = _stand_ins(pool.size, known.words or 8, words)
        found = PoolSize(known.questions, fmean(len(item.passages) for item in items), items, real)
        return self._noted(what, found, f"{known.questions:,} questions", known.source)

    def _counted(self, split: Split) -> Questions:
        queries = list(self._read(read_queries, split.queries))
        judgements = (
            list(self._read(read_judgements, split.qrels)) if split.qrels and self._small(split.qrels.path) else []
        )
        if (part := split.part) is not None:
            queries = [query for query in queries if in_part(query.query_id, part)]
        if split.judged_only:
            judged = {judgement.query_id for judgement in judgements}
            queries = [query for query in queries if query.query_id in judged]
        if split.answered_only and (answers := split.answers) is not None:
            answered = {row.query_id for row in self._read(read_answers, answers) if row.answers}
            queries = [query for query in queries if answer_key(answers, query.query_id, query.text) in answered]
        words = fmean(len(query.text.split()) for query in queries) if queries else 0.0
        number = len(queries) if split.sample is None else min(len(queries), split.sample.queries)
        return Questions(number, len(judgements) or number, words)

    def _published_questions(self, what: str, split: Split) -> Questions:
        asked = _by_path(self._table.questions, split.queries.path)
        judged = _by_path(self._table.questions, split.qrels.path) if split.qrels else None
        known = judged if split.judged_only else asked
        if known is None:
            source = split.qrels if split.judged_only and split.qrels else split.queries
            raise NotKnown(f"the size of {source.path} (give it under `questions` of a file for --sizes)")
        number, remark, said = known.questions, "", known.source
        if split.answered_only and asked is not None and asked.answered is not None:
            number, said = asked.answered, asked.source
        elif split.answered_only:
            remark = " at most"
        if split.part is not None:
            low, high = split.part.percent
            number = round(number * (high - low) / 100)
        if split.sample is not None:
            number, remark, said = min(number, split.sample.queries), "", "the configuration's sample"
        words = known.words or (asked and asked.words) or 8
        judgements = judged.judgements if judged and judged.judgements else number
        return self._noted(what, Questions(number, judgements, words), f"{number:,} questions{remark}", said)

    def _noted(self, what: str, found: _Entry, size: str, source: str) -> _Entry:
        self.origins[what] = Origin(size=size, source=source)
        return found

    def _small(self, path: str) -> bool:
        file = on_disk(self._root / path)
        return file.exists() and (file.is_dir() or file.stat().st_size <= _READ_WHOLE)

    def _read(self, reader: Callable[[Source], Iterator[_Entry]], source: Source) -> Iterator[_Entry]:
        return reader(source.model_copy(update={"path": str(self._root / source.path)}))


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


def answers_tokens(annotator: Annotator, replies: KnownReplies) -> float:
    """New tokens of an answer, the thought included, within what the annotator's settings allow."""
    thought = replies.thinking_tokens if annotator.thinking else 0
    return min(replies.answer_tokens + thought, annotator.answer_sampling.max_new_tokens)


def _rows(file: Path) -> int:
    return pq.read_metadata(file).num_rows


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


def _pool_items(path: Path, size: int, titles: bool) -> Iterator[Item]:
    for row in tevatron.read_rows(path):
        shown = [docid for part in choose(row.positives, row.negatives, size) for docid in part]
        texts = [passage_text(title if titles else None, text) for title, text in map(row.passages.__getitem__, shown)]
        yield Item(row.query_id, row.query, tuple(map(Passage, shown, texts)))


def _stand_ins(candidates: float, query_words: float, passage_words: float) -> tuple[Item, ...]:
    passages = tuple(Passage(str(number), stand_in(passage_words, 7 * number)) for number in range(round(candidates)))
    return (Item("0", stand_in(query_words), passages, answer=stand_in(12)),)
