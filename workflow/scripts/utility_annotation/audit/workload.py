"""What each job has to do, in the units that rates count, and what it leaves on the disk.

``REQUESTS`` of :mod:`..planning.resources` says for each rule how its work is counted. What GPUs do and what LLMs read
and write is counted closely; the work of CPUs by how many rows a job goes through. Annotation stages are counted by
their entries in ``STAGES``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from math import ceil, floor, inf
from pathlib import Path
from statistics import fmean

from ..annotation.items import Item, Passage
from ..annotation.prompts import PromptSanitizer, PromptTemplate
from ..annotation.stages import STAGES
from ..engines.protocol import Failure, ReplyRequest
from ..planning import annotation, answers, documents, jobs, reranking, retrieval, selection
from ..planning.resources import REQUESTS, RUN_BYTES, Closely, Reads
from ..planning.training import starting_point
from ..settings import Annotator, Backbone, Configuration, Reranker
from .plan import Estimate, Job
from .rates import SERVER, Amount, NotKnown, Rates, own_name
from .sizes import Sizes, Texts
from .tokens import WORDS_TO_TOKENS, Counter, counter, prompt_tokens, stand_in

_REPLY_BYTES, _LIKELIHOOD_BYTES = 600, 150
"""A record of the completion store: of a reply, and of a likelihood."""
_LORA_SHARE = 4 / 6
"""Of a training's operations: frozen weights have no gradient."""
_COMPARED_TEXTS = 3
"""What BERTScore reads for a question: an answer, and two references or so."""
_TRUTH_WORDS = 12
"""A ground-truth answer: MS MARCO's are a short sentence."""
_PAIR_SPECIALS = 3
"""Tokens around a query and a passage that are read together: BERT's."""
_SMALL_BYTES = 50_000

_LISTWISE_PASSAGE_TOKENS, _RANKED_PASSAGE_TOKENS, _FORM_TOKENS = 3, 4, 6
"""A selection names a passage as ``[12],``, a ranking as ``[12] > ``; the first opens with ``My selection:``."""

_START, _START_ENCODER = Amount("start", 1), Amount("start-encoder", 1)

_STAGE_OF = {annotation.rule(stage): stage for stage in STAGES}


@dataclass(frozen=True)
class Asked:
    """What is asked of an LLM for one question, on average."""

    requests: float = 0
    prompt_tokens: float = 0
    new_tokens: float = 0
    scored: bool = False
    """Whether it is asked for likelihoods, not for replies."""


class Workloads:
    """Estimates what a job of a configuration takes.

    Args:
        configuration: the configuration.
        sizes, rates: how large things are, and how fast work is done.
        resources: the folder of the prompt templates.
        counter: what counts the tokens of the model in a folder.
    """

    def __init__(
        self,
        configuration: Configuration,
        sizes: Sizes,
        rates: Rates,
        resources: Path,
        counter: Callable[[Path], Counter] = counter,
    ) -> None:
        self.configuration, self.sizes, self._rates, self._resources = configuration, sizes, rates, resources
        self._counter_of = counter
        for name in ("asked", "_answered", "_reranked", "_chosen"):  # each is asked for by many jobs
            setattr(self, name, cache(getattr(self, name)))

    def estimate(self, job: Job) -> Estimate:
        """What a job takes, as far as it is known."""
        try:
            if job.stage not in REQUESTS:
                raise NotKnown(f"an entry of rule {job.rule} (in planning/resources.py)")
            work = REQUESTS[job.stage].work
            if work is None:
                return self._taking(job, (_START,), (_SMALL_BYTES,) * len(job.outputs))
            return self._reading(job, work) if isinstance(work, Reads) else _COUNTED[work](self, job)
        except NotKnown as problem:
            return Estimate(job=job, seconds=None, unknown=str(problem))

    def _taking(self, job: Job, amounts: Sequence[Amount], sizes: tuple[float, ...], **figures: float) -> Estimate:
        seconds, unknown = None, ""
        try:
            seconds = self._rates.time(amounts, gpus=job.gpus, threads=job.threads)
        except NotKnown as problem:
            unknown = str(problem)
        return Estimate(job=job, seconds=seconds, bytes=sizes, unknown=unknown, **figures)

    def _reading(self, job: Job, reads: Reads) -> Estimate:
        """The coarse work of a CPU."""
        number, words = self._gone_through(job, reads.what)
        leaves = number * (reads.bytes_each + words * reads.bytes_a_word)
        each = leaves / len(job.outputs) if leaves else _SMALL_BYTES
        amounts = (_START, Amount("texts" if reads.texts else "rows", number))
        return self._taking(job, amounts, (each,) * len(job.outputs))

    def _gone_through(self, job: Job, what: str) -> tuple[float, float]:
        """How many of these a job goes through, and the words of each."""
        names = job.wildcards
        if what == "candidates":
            labels = names.get("labels", "")
            if labels in self.configuration.labels:
                pool, questions = self.sizes.pool(self.configuration.labels[labels].pool), self.sizes.labelled(labels)
            else:
                pool = self.sizes.pool(names.get("pool", job.rule.removeprefix(f"{job.stage}_")))
                questions = pool.questions
            return questions * pool.candidates, pool.words
        if what == "hits":
            return self._hits(names["testset"]), 0
        dataset = names["dataset"]
        texts = self.sizes.corpus(dataset) if what == "passages" else self.sizes.questions(dataset, names["split"])
        return texts.number, texts.words

    def _searched(self, testset: str) -> tuple[Texts, Texts]:
        """The questions and the passages of a test set."""
        settings = self.configuration.testsets[testset]
        return self.sizes.questions(settings.dataset, settings.split), self.sizes.corpus(settings.dataset)

    def _hits(self, testset: str) -> int:
        """Rows of a run at most."""
        questions, passages = self._searched(testset)
        return questions.number * min(self.configuration.testsets[testset].depth, passages.number)

    def _file(self, job: Job) -> Estimate:
        download = self.configuration.downloads.get(job.wildcards.get("download", ""))  # None: from the hub
        fetched = download is not None and "member" not in job.wildcards
        size = (download.bytes if download is not None and fetched else None) or self.sizes.file_bytes(
            job.outputs[0].path
        )
        return self._taking(
            job, (_START, Amount("copy", size)), (0 if download is not None and fetched and download.local else size,)
        )

    def _model(self, job: Job) -> Estimate:
        size = self.sizes.model(job.wildcards["model"]).bytes
        return self._taking(job, (_START_ENCODER, Amount("copy", size)), (size,))

    def _documents(self, job: Job) -> Estimate:
        dataset, divided = job.wildcards["dataset"], "shard" not in job.wildcards
        size = self.sizes.documents(dataset)
        read = size if divided else size / documents.of(self.configuration, dataset).shards
        work = Amount("divide" if divided else "parse", read)
        return self._taking(job, (_START_ENCODER if divided else _START, work), (read / 4,) + (0,) * divided * 3)

    def _annotation(self, job: Job) -> Estimate:
        pool, annotator, stage = job.wildcards["pool"], job.wildcards["annotator"], _STAGE_OF[job.rule]
        asked, size = self.asked(pool, annotator, stage), self.sizes.pool(pool)
        questions = size.questions / self.configuration.pools[pool].shards
        row = 250 + (12 * size.candidates if asked.scored else 0)
        return self._by_llm(job, annotator, stage, asked, questions, (questions * row, 1000))

    def _answering(self, job: Job) -> Estimate:
        qa, generator = job.wildcards["qa"], job.wildcards["generator"]
        questions, _ = self._searched(self.configuration.qa[qa].testset)
        asked, outputs = self._answered(qa, generator), (questions.number * 400, 1000)
        return self._by_llm(job, generator, answers.STAGE, asked, questions.number, outputs)

    def _llm_reranking(self, job: Job) -> Estimate:
        reranked, testset = job.wildcards["reranked"], job.wildcards["testset"]
        questions, _ = self._searched(testset)
        asked, hits = self._reranked(reranked, testset), self._hits(testset) * RUN_BYTES / 2
        annotator = reranking.annotator(self.configuration, reranked)
        return self._by_llm(job, annotator, reranking.STAGE, asked, questions.number, (hits, hits, 1000))

    def _llm_selection(self, job: Job) -> Estimate:
        selected, testset = job.wildcards["selected"], job.wildcards["testset"]
        questions, hits = self._searched(testset)[0], self._hits(testset) * RUN_BYTES / 2
        annotator, asked = selection.annotator(self.configuration, selected), self._chosen(selected, testset)
        return self._by_llm(job, annotator, selection.STAGE, asked, questions.number, (hits, hits, 1000, hits))

    def _chosen(self, selected: str, testset: str) -> Asked:
        """What a selection asks an annotator for one question, in all its stages."""
        settings = jobs.select_by_llm(self.configuration, selected=selected)
        annotator = selection.annotator(self.configuration, selected)
        item = self._found(testset, settings.depth, settings.annotator.passage_words)
        each = [self._asked(annotator, stage, [item], len(item.passages)) for stage in settings.stages]
        return Asked(
            sum(one.requests for one in each),
            sum(one.prompt_tokens for one in each),
            sum(one.new_tokens for one in each),
            scored=all(one.scored for one in each),
        )

    def _found(self, testset: str, depth: int, words: int) -> Item:
        """A question of a test set with the first passages of a ranking, as a stand-in."""
        questions, corpus = self._searched(testset)
        shown = min(depth, self.configuration.testsets[testset].depth, corpus.number)
        long = min(corpus.words, words)
        return Item(
            "", stand_in(questions.words), tuple(Passage(str(each), stand_in(long, each)) for each in range(shown))
        )

    def _by_llm(
        self, job: Job, annotator: str, stage: str, asked: Asked, questions: float, outputs: tuple[float, ...]
    ) -> Estimate:
        settings = self.configuration.annotators[annotator]
        read, written = questions * asked.prompt_tokens, questions * asked.new_tokens
        if settings.engine == "openai":
            amounts, device, model = [_START], SERVER, None
            names: tuple[str, ...] = (settings.served_model_name or annotator, annotator)
        else:
            assert settings.model is not None, "only a server does without"
            device, model, names = None, self.sizes.model(settings.model), self.sizes.names(settings.model)
            amounts = [Amount("start-llm", 1), Amount("load", model.bytes)]
        cache = None
        if model is not None and model.cache_bytes is not None and asked.requests:
            cache = (asked.prompt_tokens + asked.new_tokens) / asked.requests * model.cache_bytes
        memory_fraction = self.configuration.performance.annotate.memory_fraction
        for work, tokens in (("likelihood" if asked.scored else "prompt", read), ("reply", written)):
            called = (own_name(annotator, stage), *names)
            amounts.append(Amount(work, tokens, model, called, device, cache, memory_fraction))
        return self._taking(
            job,
            amounts,
            outputs,
            prompt_tokens=read,
            new_tokens=written,
            stored=questions * asked.requests * (_LIKELIHOOD_BYTES if asked.scored else _REPLY_BYTES),
        )

    def asked(self, pool: str, annotator: str, stage: str) -> Asked:
        """What a stage asks an annotator for one question of a pool."""
        size = self.sizes.pool(pool)
        return self._asked(annotator, stage, size.items, size.candidates)

    def _asked(self, annotator: str, stage: str, items: Sequence[Item], candidates: float) -> Asked:
        """What a stage asks an annotator for one of these questions, by the stage's own code."""
        settings = self.configuration.annotators[annotator]
        entry, way = STAGES[stage], STAGES[stage].way(settings.protocol)
        if way.shares:
            return Asked(scored=True)  # the likelihoods of that stage, from the completion store
        shown, words = candidates, float(_TRUTH_WORDS)
        for earlier in entry.reads:
            if earlier == "answer":
                words = self._answer_tokens(annotator, thinks=False) / WORDS_TO_TOKENS
            elif earlier == "relsel":
                shown = self._selected(annotator, earlier, shown)
        template = self._template(annotation.template(self.configuration, stage=stage, annotator=annotator))
        made = entry.make(settings, template)
        items = [replace(item, answer=stand_in(words)) for item in items]
        count = self._counter(settings)

        def of_passages(number: int) -> tuple[float, float]:
            shorter = [replace(item, passages=item.passages[:number]).cut(settings.passage_words) for item in items]
            requests = [() if isinstance(each, Failure) else each for each in map(made.requests, shorter)]
            return fmean(map(len, requests)), fmean(prompt_tokens(each, count) for each in requests)

        # a fraction of a passage counts in proportion
        low, high, share = of_passages(floor(shown)), of_passages(ceil(shown)), shown - floor(shown)
        requests, read = (below + share * (above - below) for below, above in zip(low, high, strict=True))
        written = 0.0 if way.reply is None else requests * self._reply_tokens(annotator, stage, shown)
        return Asked(requests, read, written, scored=way.reply is None)

    def _answered(self, qa: str, generator: str) -> Asked:
        """What question answering asks a generator for one question."""
        task, settings = self.configuration.qa[qa], self.configuration.annotators[generator]
        questions, corpus = self._searched(task.testset)
        words = min(corpus.words, settings.passage_words)
        passages = [stand_in(words, number) for number in range(task.passages)]
        template = self._template(answers.template(self.configuration, qa=qa, generator=generator))
        chat = template.render(query=stand_in(questions.words), passages=passages)
        read = prompt_tokens([ReplyRequest(chat, settings.answer_sampling)], self._counter(settings))
        return Asked(1, read, self._answer_tokens(generator))

    def _reranked(self, reranked: str, testset: str) -> Asked:
        """What reranking asks an annotator for one question, by its own code."""
        from ..retrieval.llm_reranking import reranking_stage, windows  # here, so that a plan loads no stage

        settings = jobs.rerank_by_llm(self.configuration, reranked=reranked)
        annotator = reranking.annotator(self.configuration, reranked)
        item = self._found(testset, settings.depth, settings.annotator.passage_words)
        shown = len(item.passages)
        template = self._template(reranking.template(self.configuration, reranked=reranked))
        stage = reranking_stage(settings.annotator, template)
        read, requests, written, scored = 0.0, 0, 0.0, settings.window is None
        together = (
            windows(shown, settings.window, settings.step) if settings.window and settings.step else [slice(shown)]
        )
        for part in together:
            asked = stage.requests(replace(item, passages=item.passages[part]))
            assert not isinstance(asked, Failure), "it needs no answer"
            read, requests = read + prompt_tokens(asked, self._counter(settings.annotator)), requests + len(asked)
            ranked = _RANKED_PASSAGE_TOKENS * len(item.passages[part])
            written += 0 if scored else len(asked) * self._with_thought(annotator, ranked)
        return Asked(requests, read, written, scored)

    def _selected(self, annotator: str, stage: str, candidates: float) -> float:
        """Passages that a stage selects of so many of a question's pool."""
        settings = self.configuration.annotators[annotator]
        if "pointwise.relevant_percent" in STAGES[stage].way(settings.protocol).settings:
            return max(1, floor(settings.pointwise.relevant_percent * candidates / 100))
        replies = self.sizes.replies(annotator)
        return min(replies.selected.get(stage, replies.selected_otherwise), candidates)

    def _reply_tokens(self, annotator: str, stage: str, shown: float) -> float:
        """New tokens of one reply, a thought included."""
        settings = self.configuration.annotators[annotator]
        reply = STAGES[stage].way(settings.protocol).reply
        if reply == "answer":
            return self._answer_tokens(annotator)
        if reply == "questions":
            more = settings.questions_per_passage - 1
            return self._answer_tokens(annotator) + more * self._answer_tokens(annotator, thinks=False)
        if reply == "selection":
            named = _FORM_TOKENS + _LISTWISE_PASSAGE_TOKENS * self._selected(annotator, stage, shown)
        else:
            named = _RANKED_PASSAGE_TOKENS * (shown if reply == "ranking" else 1)
        return self._with_thought(annotator, named)

    def _with_thought(self, annotator: str, named: float) -> float:
        """New tokens of a selection or a ranking, a thought included, as far as the annotator's limit goes."""
        settings = self.configuration.annotators[annotator]
        thought = self.sizes.replies(annotator).thinking_tokens if settings.thinking else 0
        return min(named + thought, settings.sampling.max_new_tokens)

    def _answer_tokens(self, annotator: str, *, thinks: bool = True) -> float:
        """New tokens of an answer, with the thought before it or without, as far as the annotator's limit goes."""
        settings, replies = self.configuration.annotators[annotator], self.sizes.replies(annotator)
        thought = replies.thinking_tokens if thinks and settings.thinking else 0
        return min(replies.answer_tokens + thought, settings.answer_sampling.max_new_tokens)

    def _template(self, path: str) -> PromptTemplate:
        return PromptTemplate(self._resources / path, PromptSanitizer(()))

    def _counter(self, settings: Annotator) -> Counter:
        return self._counter_of(Path("data", "models", settings.model or ""))

    def _training(self, job: Job) -> Estimate:
        training = self.configuration.trainings[job.wildcards["training"]]
        trained = starting_point(self.configuration, job.wildcards["backbone"])
        questions, tokens = self._read_by_encoder(training.labels, trained, training.train_group_size)
        share = _LORA_SHARE if training.lora else 1
        amounts = [_START_ENCODER, self._encoder("train", training.epochs * tokens * share, trained.model)]
        if training.dev:
            times = 2 + training.epochs * questions / training.global_batch_size / training.dev.every
            _, tokens = self._read_by_encoder(training.dev.labels, trained)
            amounts.append(self._encoder("encode", times * tokens, trained.model))
        weights = self.sizes.model(trained.model).parameters * 4
        return self._taking(job, amounts, (weights,))

    def _read_by_encoder(self, labels: str, trained: Backbone | Reranker, passages: float = inf) -> tuple[float, float]:
        """The questions of a label set; tokens of them and of at most so many candidates of each.

        A reranker reads the question again with each candidate.
        """
        pool = self.sizes.pool(self.configuration.labels[labels].pool)
        questions = self.sizes.labelled(labels)
        shown = min(passages, pool.candidates)
        longest = 2 * pool.words  # a batch is padded to the longest passage of it
        if isinstance(trained, Reranker):
            return questions, questions * shown * _pair_tokens(trained, pool.query_words, longest)
        passage_tokens = min(trained.passage_length, longest * WORDS_TO_TOKENS + 2)
        return questions, questions * (shown * passage_tokens + trained.query_length)

    def _encoding(self, job: Job) -> Estimate:
        dataset, length = job.wildcards["dataset"], job.wildcards["length"]
        backbone = jobs.encode(self.configuration, backbone=job.wildcards["backbone"], length=length)
        corpus = self.sizes.corpus(dataset)
        passages = corpus.number / self.configuration.datasets[dataset].shards
        tokens = passages * min(backbone.passage_length, corpus.words * WORDS_TO_TOKENS + 2)
        vectors = passages * (backbone.dimension or self.sizes.model(backbone.model).dimension) * 2
        amounts = (_START_ENCODER, self._encoder("encode", tokens, backbone.model))
        return self._taking(job, amounts, (vectors, passages * 6))

    def _search(self, job: Job) -> Estimate:
        names = {name: job.wildcards[name] for name in ("backbone", "testset")}
        backbone = retrieval.encoder(self.configuration, **names)
        questions, corpus = self._searched(names["testset"])
        figures = corpus.number * (backbone.dimension or self.sizes.model(backbone.model).dimension)
        tokens = questions.number * min(backbone.query_length, questions.words * WORDS_TO_TOKENS + 2)
        amounts = (
            _START_ENCODER,
            self._encoder("encode", tokens, backbone.model),
            Amount("load", figures * 2),
            Amount("score", 2.0 * questions.number * figures),
        )
        return self._taking(job, amounts, (self._hits(names["testset"]) * RUN_BYTES / 2,) * 2)

    def _reranking(self, job: Job) -> Estimate:
        testset, settings = (
            job.wildcards["testset"],
            jobs.rerank(self.configuration, reranked=job.wildcards["reranked"]),
        )
        questions, corpus = self._searched(testset)
        hits = self._hits(testset)
        pairs = min(questions.number * settings.depth, hits)
        tokens = pairs * _pair_tokens(settings.reranker, questions.words, corpus.words)
        amounts = (_START_ENCODER, self._encoder("encode", tokens, settings.reranker.model))
        return self._taking(job, amounts, (hits * RUN_BYTES / 2, hits * RUN_BYTES / 2, 1000))

    def _scoring(self, job: Job) -> Estimate:
        reranker, pool = starting_point(self.configuration, job.wildcards["reranker"]), job.wildcards["pool"]
        size = self.sizes.pool(pool)
        pairs = size.questions * size.candidates / self.configuration.pools[pool].shards
        tokens = pairs * _pair_tokens(reranker, size.query_words, size.words)
        amounts = (_START_ENCODER, self._encoder("encode", tokens, reranker.model))
        return self._taking(job, amounts, (pairs * 8, 100))

    def _answer_evaluation(self, job: Job) -> Estimate:
        task = self.configuration.qa[job.wildcards["qa"]]
        questions, _ = self._searched(task.testset)
        amounts = [_START, Amount("rows", questions.number)]
        if task.bert_score is not None:
            tokens = questions.number * _COMPARED_TEXTS * self._answer_tokens(job.wildcards["generator"])
            amounts = [_START_ENCODER, self._encoder("encode", tokens, task.bert_score.model)]
        return self._taking(job, amounts, (1000, questions.number * len(task.metrics) * 12))

    def _encoder(self, work: str, tokens: float, model: str) -> Amount:
        return Amount(work, tokens, self.sizes.model(model), self.sizes.names(model))


def _pair_tokens(reranker: Reranker | Backbone, query_words: float, passage_words: float) -> float:
    """Tokens of a question and a passage that a reranker reads together, or a retriever apart."""
    if isinstance(reranker, Backbone):
        lengths = ((query_words, reranker.query_length), (passage_words, reranker.passage_length))
        return sum(min(length, words * WORDS_TO_TOKENS + 2) for words, length in lengths)
    return min(reranker.length, (query_words + passage_words) * WORDS_TO_TOKENS + _PAIR_SPECIALS)


_COUNTED: Mapping[Closely, Callable[[Workloads, Job], Estimate]] = {
    "file": Workloads._file,
    "model": Workloads._model,
    "documents": Workloads._documents,
    "annotation": Workloads._annotation,
    "training": Workloads._training,
    "encoding": Workloads._encoding,
    "search": Workloads._search,
    "reranking": Workloads._reranking,
    "llm-reranking": Workloads._llm_reranking,
    "scoring": Workloads._scoring,
    "llm-selection": Workloads._llm_selection,
    "answering": Workloads._answering,
    "answer-evaluation": Workloads._answer_evaluation,
}
