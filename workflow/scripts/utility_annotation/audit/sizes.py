"""How large things are: counted in the files that the workflow has made, else as published, else by their lines."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from statistics import fmean
from zipfile import ZipFile

import pyarrow.parquet as pq

from ..annotation.items import Item, Passage, read_pool
from ..common.errors import InputError
from ..documents import folder
from ..io.archives import on_disk
from ..io.formats.lines import iter_lines
from ..io.schemas import CORPUS, QUERIES, iter_rows, passage_text
from ..planning import data, documents, pools, questions
from ..planning.resources import PLAIN_BYTES_A_WORD
from ..settings import Configuration
from .rates import NotKnown
from .tables import ANY, KnownFile, KnownModel, KnownReplies, SizeTable
from .tokens import stand_in

_SAMPLE = 32
"""Questions or passages that are looked at."""
_LINES = 10_000
"""Lines of a user's file that are read at most."""
_COMPRESSED = (".gz", ".bz2", ".xz", ".zst")
_QUERY_WORDS = 8
"""Of a question where no table tells."""


@dataclass(frozen=True)
class Texts:
    """Passages (titles included) or questions: how many, and their words on average."""

    number: int
    words: float


@dataclass(frozen=True)
class PoolSize:
    """A pool: its questions, and some of them as an LLM is shown them.

    Attributes:
        items: real ones, or a stand-in of the same size where the pool is not here.
    """

    questions: int
    items: tuple[Item, ...]

    @property
    def candidates(self) -> float:
        """Candidates per question on average."""
        return fmean(len(item.passages) for item in self.items)

    @property
    def words(self) -> float:
        """Words of a candidate on average."""
        return _words(passage.text for item in self.items for passage in item.passages)

    @property
    def query_words(self) -> float:
        """Words of a question on average."""
        return _words(item.query for item in self.items)


UNSURE_SHARE = 0.3
"""The share of questions of which a selector is assumed to be unsure, before it has scored them."""


class Sizes:
    """Answers how large something of a configuration is; NotKnown is raised where it is neither here nor published.

    Attributes:
        assumed: what was answered by an assumption so far, a sentence each.
    """

    def __init__(self, configuration: Configuration, table: SizeTable) -> None:
        self._configuration, self._table = configuration, table
        self.assumed: list[str] = []
        for name in ("corpus", "questions", "pool"):  # each is asked for many times
            setattr(self, name, cache(getattr(self, name)))

    def corpus(self, dataset: str) -> Texts:
        """A dataset's corpus."""
        file, source = Path(data.corpus(dataset)), self._configuration.datasets[dataset].corpus
        if file.is_file():
            rows = iter_rows(CORPUS, [file])
            return Texts(_rows(file), _words(passage_text(row["title"], row["text"]) for row in islice(rows, _SAMPLE)))
        if source is None:  # documents, which have not been divided yet
            raise NotKnown(f"the number of passages, which is known when {file} is made")
        known = self._known(source.path)
        if known is None or known.rows is None or known.words is None:
            raise _not_known(source.path, file)
        return Texts(known.rows, known.words)

    def documents(self, dataset: str) -> int:
        """Bytes of a dataset's documents."""
        place = Path(documents.of(self._configuration, dataset).path)
        if not place.is_dir():
            raise _not_known(str(place), place)
        return sum(size for size, _ in folder.state(place, folder.files(place)).values())

    def questions(self, dataset: str, split: str) -> Texts:
        """A split's questions, or no fewer than its filters keep of them."""
        file = Path(data.split_file("queries", dataset, split))
        if file.is_file():
            return Texts(_rows(file), _words(row["text"] for row in islice(iter_rows(QUERIES, [file]), _SAMPLE)))
        settings = self._configuration.datasets[dataset].splits[split]
        if written := questions.share_of(self._configuration, settings.queries.path):
            return Texts(self._written(*written), _QUERY_WORDS)
        asked = self._known(settings.queries.path)
        judged = self._known(settings.qrels.path) if settings.qrels and settings.judged_only else None
        known = [each for each in (asked, judged) if each is not None]
        if not known:
            raise _not_known(settings.queries.path, file)
        number = (asked and asked.answered if settings.answered_only else None) or min(each.rows or 0 for each in known)
        if settings.part is not None:
            low, high = settings.part.percent
            number = round(number * (high - low) / 100)
        if settings.sample is not None:
            number = min(number, settings.sample.queries)
        return Texts(number, next((each.words for each in known if each.words), _QUERY_WORDS))

    def _written(self, name: str, share: float) -> int:
        """Questions that an LLM writes: all that are asked for, as if no filter dropped any."""
        settings = self._configuration.questions[name]
        of_passage = self._configuration.annotators[settings.annotator].questions_per_passage
        number = self.pool(settings.pool).questions * len(settings.styles) * of_passage
        assumption = f"no filter drops any of the {number:,} written questions {name!r}; fewer will be annotated"
        self.assumed += [assumption] * (assumption not in self.assumed)
        return max(1, round(share * number))

    def pool(self, name: str) -> PoolSize:
        """A pool."""
        settings = self._configuration.pools[name]
        if settings.source.pool is not None:
            return self._part(name, self.pool(settings.source.pool))
        shards = list(map(Path, pools.shards(self._configuration, pool=name)))
        if all(shard.is_file() for shard in shards):
            return PoolSize(sum(map(_rows, shards)), tuple(islice(read_pool(shards[0]), _SAMPLE)))
        if settings.source.sample is not None:
            passages = self.corpus(settings.dataset)
            return PoolSize(min(settings.source.sample, passages.number), _stand_ins(1, 0, passages.words))
        if settings.source.path is not None:  # training rows
            known = self._known(settings.source.path)
            if known is None or known.rows is None:
                raise _not_known(settings.source.path, shards[0])
            asked = known.words if known.passage_words else None
            words = known.passage_words or self.corpus(settings.dataset).words
            return PoolSize(known.rows, _stand_ins(settings.size, asked or _QUERY_WORDS, words))
        questions, corpus = self.questions(settings.dataset, settings.split), self.corpus(settings.dataset)
        each = settings.size
        if settings.source.format == "merged" and settings.source.depth is not None:
            each = min(each, settings.source.depth * len(settings.source.retrievers))
        return PoolSize(questions.number, _stand_ins(each, questions.words, corpus.words))

    def _part(self, name: str, whole: PoolSize) -> PoolSize:
        """A part of a pool, by its share and not by its files: these are of an earlier share, if that was changed."""
        source = self._configuration.pools[name].source
        places = source.share(whole.questions)
        share = max(1, places.stop - places.start)
        if source.unsure is None:
            return PoolSize(share, whole.items)
        number = self._unsure(name)
        if number is None:
            number = max(1, round(UNSURE_SHARE * share))
            self.assumed.append(
                f"the selector {source.unsure!r} is unsure of {100 * UNSURE_SHARE:g} % of {share:,} questions, so that "
                f"pool {name!r} has {number:,}"
            )
        return PoolSize(number, whole.items)

    def _unsure(self, name: str) -> int | None:
        """The questions of a part of which a selector is unsure; None where its probabilities are not here."""
        from ..labels.by_selector import of_shards  # here, as few plans count by them
        from ..pools.divide import chosen

        configuration, source = self._configuration, self._configuration.pools[name].source
        parents = list(map(Path, pools.parent_shards(configuration, pool=name)))
        scores = list(map(Path, pools.unsure_scores(configuration, pool=name)))
        (calibration,) = map(Path, pools.unsure_calibration(configuration, pool=name))
        if not all(path.is_file() for path in (*parents, *scores, calibration)):
            return None
        method = configuration.labels[str(source.unsure)].method
        try:
            return len(chosen(source, parents, of_shards(method, scores, calibration)))
        except InputError:  # they are of another pool, and the run makes them again
            return None

    def labelled(self, name: str) -> float:
        """The questions of a label set; a cascade has no more than its members together."""
        settings = self._configuration.labels[name]
        number: float = self.pool(settings.pool).questions
        if settings.source == "cascade":
            number = min(number, sum(map(self.labelled, settings.of)))
        return number * settings.queries.percent / 100

    def names(self, model: str) -> tuple[str, ...]:
        """What tables may call a model: its hub name, its package, its folder, or its name in the configuration."""
        settings = self._configuration.models[model]
        names = (settings.hub, settings.package, settings.path and Path(settings.path).name, model)
        return tuple(filter(None, names))

    def model(self, name: str) -> KnownModel:
        """A model."""
        found = next((known for known in self._table.models if known.model in self.names(name)), None)
        if found is None:
            raise NotKnown(f"the size of model {name} (give it under `models` of a file for --sizes)")
        return found

    def replies(self, annotator: str) -> KnownReplies:
        """What an annotator's replies are like."""
        settings = self._configuration.annotators[annotator]
        own = self.names(settings.model) if settings.model else ()
        names = (settings.served_model_name, *own, annotator, ANY)
        found = next((known for name in names for known in self._table.replies if known.model == name), None)
        if found is None:
            raise NotKnown(f"the length of {annotator}'s replies (give it under `replies` of a file for --sizes)")
        return found

    def file_bytes(self, path: str) -> int:
        """A file of the outside world."""
        if Path(path).is_file():
            return Path(path).stat().st_size
        known = self._known(path, "bytes")
        if known is None or known.bytes is None:
            raise _not_known(path, Path(path))
        return known.bytes

    def _known(self, path: str, figure: str = "rows") -> KnownFile | None:
        """The first entry for a file that tells this figure, or its lines where it is here and no table has it."""
        fitting = (entry for entry in self._table.files if f"/{path}".endswith(f"/{entry.path}"))
        known = next((entry for entry in fitting if getattr(entry, figure) is not None), None)
        return known or (_lines(Path(path)) if figure == "rows" else None)


def _lines(path: Path) -> KnownFile | None:
    """A file of the user's, taken to have a text on each line; None where it is not here, or has no lines.

    Only the first lines of a large file are read: its size tells how many there are.
    """
    container = on_disk(path)
    if not container.is_file() or path.suffix in (".parquet", ".zip"):
        return None
    first = [line for _, line in islice(iter_lines(path), _LINES)]
    if not first:
        return None
    rows, words = len(first), fmean(map(len, first)) / PLAIN_BYTES_A_WORD
    if rows == _LINES:
        text = b"\n".join(first)
        if container != path:
            size, read = ZipFile(container).getinfo(path.relative_to(container).as_posix()).file_size, len(text)
        else:
            size, read = path.stat().st_size, len(zlib.compress(text) if path.suffix in _COMPRESSED else text)
        rows = max(rows, round(rows * size / read))
    return KnownFile(path=str(path), rows=rows, words=words, source="its lines")


def _rows(file: Path) -> int:
    return pq.read_metadata(file).num_rows


def _words(texts: Iterable[str]) -> float:
    """Words per text, on average."""
    return fmean(len(text.split()) for text in texts)


def _not_known(source: str, made: Path) -> NotKnown:
    return NotKnown(f"the size of {source} (make {made} first, or give it under `files` of a file for --sizes)")


def _stand_ins(candidates: float, query_words: float, passage_words: float) -> tuple[Item, ...]:
    passages = tuple(
        Passage(str(number), stand_in(passage_words, 7 * number), human=number == 0)
        for number in range(round(candidates))
    )
    return (Item("0", stand_in(query_words), passages, answer=stand_in(12)),)
