"""How a small LLM scores passages, by several pointwise protocols: the parts of each score, on six public collections.

    python benchmarks/pointwise_scores.py FOLDER MODELS SCORES [NAME …] [--questions 24]   # hours on one core

FOLDER holds the collections as their publishers lay them out (see public_collections.py), MODELS the demo's prepared
models (data/models). SCORES gets one file of JSON lines per collection; a question that is there is not scored again.
pointwise.py chooses a protocol by them.

Each question has a pool: the first passages of BM25 and of the untrained dense retriever over the whole collection, by
turns. Only questions with a human positive and another passage in their pool count.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import random
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measure import ROOT
from public_collections import COLLECTIONS, write

sys.path.insert(0, str(ROOT / "workflow" / "scripts"))

from transformers import DynamicCache

from utility_annotation.annotation.prompts import PromptSanitizer, PromptTemplate
from utility_annotation.engines.protocol import Continuation, Message, ReplyRequest
from utility_annotation.engines.transformers_engine import TransformersEngine
from utility_annotation.io.formats import read_answers, read_judgements, read_passages, read_queries
from utility_annotation.io.schemas import CORPUS
from utility_annotation.retrieval import bm25
from utility_annotation.settings import Annotator, Backbone, Bm25, Performance, Sampling, Source
from utility_annotation.training.encoder import Encoder

POOL = 8
MINED = 50
"""Passages of each retriever, of which the pool takes the first."""
PASSAGE_WORDS = 100

Turns = tuple[tuple[str, str], ...]
BRIEF = ("system", "Answer briefly.")
PROMPTS: Mapping[str, Callable[[str, str], Turns]] = {
    "question": lambda question, passage: (
        BRIEF,
        ("user", f"{passage}\n\nWrite a question that this passage answers."),
    ),
    "search": lambda question, passage: (
        BRIEF,
        ("user", f"{passage}\n\nWhat would somebody search for to find this text?"),
    ),
    "both": lambda question, passage: (
        BRIEF,
        ("user", f"{passage}\n\nWrite a question that this passage answers, and the answer."),
    ),
    "answer": lambda question, passage: (
        BRIEF,
        ("user", f"{passage}\n\nQuestion: {question}\nAnswer the question briefly.".strip()),
    ),
    "answer-question-first": lambda question, passage: (
        BRIEF,
        ("user", f"Question: {question}\n\n{passage}\n\nAnswer the question briefly."),
    ),
    "yes": lambda question, passage: (
        BRIEF,
        ("user", f'{passage}\n\nDoes this passage answer the question "{question}"? Answer Yes or No.'),
    ),
    "yes-question-first": lambda question, passage: (
        BRIEF,
        ("user", f"Question: {question}\n\n{passage}\n\nDoes the passage answer the question? Answer Yes or No."),
    ),
}
"""A chat's turns, from question and passage. What is scored is the assistant's next turn."""


def pools(name: str, folder: Path, encoder: Path, questions: int) -> Iterator[dict[str, Any]]:
    """Questions in a random order that is always the same, each with its pool, until there are enough.

    Args:
        name: of ``COLLECTIONS``.
        folder: holds the publishers' folders.
        encoder: the prepared folder of the untrained retriever.
        questions: number of questions.

    Yields:
        Question, true answer (or None), and per passage: text, whether a human found it relevant, and its ranks by
        BM25 and by the untrained retriever, from 1 on; ``MINED + 1`` beyond the passages found.
    """
    with tempfile.TemporaryDirectory() as temporary:
        collection = write(name, folder, Path(temporary) / "raw")
        passages = {
            row.docid: f"{row.title or ''} {row.text}".strip() for row in read_passages(_source(collection.corpus))
        }
        texts = {row.query_id: row.text for row in read_queries(_source(collection.questions))}
        positives: dict[str, set[str]] = {}
        for row in read_judgements(_source(collection.qrels)):
            if row.grade >= collection.level:
                positives.setdefault(row.query_id, set()).add(row.docid)
        truths = {}
        if collection.answers is not None:
            truths = {row.query_id: row.answers[0] for row in read_answers(_source(collection.answers))}
        order = sorted(texts.keys() & positives.keys())
        random.Random(42).shuffle(order)
        lexical = _lexical(passages, {query_id: texts[query_id] for query_id in order}, Path(temporary))
    dense = _dense(passages, {query_id: texts[query_id] for query_id in order}, encoder)
    taken = 0
    for query_id in order:
        by_turns = [d for pair in zip_longest(lexical[query_id], dense[query_id]) for d in pair if d is not None]
        pool = list(dict.fromkeys(by_turns))[:POOL]
        relevant = [d in positives[query_id] for d in pool]
        if any(relevant) and not all(relevant):
            random.Random(query_id).shuffle(pool)
            yield {
                "query": texts[query_id],
                "truth": truths.get(query_id),
                "passages": [" ".join(passages[d].split()[:PASSAGE_WORDS]) for d in pool],
                "relevant": [d in positives[query_id] for d in pool],
                "bm25": [_rank(d, lexical[query_id]) for d in pool],
                "minilm": [_rank(d, dense[query_id]) for d in pool],
            }
            taken += 1
        if taken == questions:
            return


def _source(settings: Mapping[str, Any]) -> Source:
    return Source.model_validate(settings)


def _rank(docid: str, found: Sequence[str]) -> int:
    return found.index(docid) + 1 if docid in found else MINED + 1


def _lexical(passages: Mapping[str, str], queries: Mapping[str, str], folder: Path) -> dict[str, list[str]]:
    """BM25's first passages for each question, through the workflow's own index and search."""
    numbers = {str(number): docid for number, docid in enumerate(sorted(passages))}
    columns = {
        "docid": list(numbers),
        "title": [None] * len(numbers),
        "text": [passages[docid] for docid in numbers.values()],
    }
    CORPUS.write(folder / "corpus.parquet", CORPUS.table(columns))
    bm25.index(folder / "corpus.parquet", folder / "index", threads=1)
    hits = bm25.search(
        folder / "index", [*queries], [*queries.values()], Bm25(), depth=MINED, drop_query_document=False, threads=1
    )
    found: dict[str, list[str]] = {query_id: [] for query_id in queries}
    for hit in hits.to_pylist():
        found[hit["query_id"]].append(numbers[hit["docid"]])
    return found


def _dense(passages: Mapping[str, str], queries: Mapping[str, str], folder: Path) -> dict[str, list[str]]:
    """The untrained retriever's first passages for each question, by exact search."""
    backbone = Backbone(model="encoder", pooling="mean", normalize=True, passage_length=128, model_settings="ignore")
    encoder = Encoder.load(folder, backbone)

    def vectors(texts: Sequence[str], kind: Any) -> np.ndarray:
        ids = encoder.token_ids(texts, kind)
        order = sorted(range(len(ids)), key=lambda place: len(ids[place]))
        found = np.zeros((len(ids), encoder.dimension), np.float32)
        with torch.inference_mode():
            for start in range(0, len(order), 32):
                places = order[start : start + 32]
                found[places] = encoder.forward(*encoder.pad([ids[place] for place in places])).numpy()
        return found

    docids = sorted(passages)
    similarity = vectors([*queries.values()], "query") @ vectors([passages[docid] for docid in docids], "passage").T
    best = (-similarity).argsort(axis=1, kind="stable")[:, :MINED]
    return {query_id: [docids[place] for place in row] for query_id, row in zip(queries, best, strict=True)}


class Scorer:
    """Log-likelihoods and greedy replies of an LLM. What prompts have in common at their beginning is computed once.

    Args:
        folder: the prepared folder of an instruction-tuned model.
    """

    def __init__(self, folder: Path) -> None:
        annotator = Annotator(model="llm", protocol="pointwise", precision="fp32")
        self._engine = TransformersEngine(folder, annotator, Performance(threads=1))
        self._template = PromptTemplate(
            ROOT / "resources" / "prompts" / "answer.j2", PromptSanitizer(self._engine.special_tokens)
        )
        self._computed: list[tuple[list[int], Any]] = []

    def forget(self) -> None:
        """Drop what was computed of earlier prompts."""
        self._computed = []

    @torch.inference_mode()
    def log_likelihoods(self, turns: Turns, texts: Sequence[str]) -> list[tuple[float, int]]:
        """Sum of the log-likelihood (nats) and number of tokens of each text as the assistant's next turn."""
        chat = tuple(Message(*turn) for turn in turns)
        pairs = self._engine.tokens.continuations([Continuation(chat, text) for text in texts])
        context = pairs[0][0]
        first = self._context(context[:-1])  # the last token goes with each text, which its logits begin
        first.batch_repeat_interleave(len(pairs))
        tails = [[context[-1], *scored] for _, scored in pairs]
        longest = max(map(len, tails))
        ids = torch.tensor([tail + [0] * (longest - len(tail)) for tail in tails])
        seen = torch.tensor([[1] * (len(context) - 1 + len(tail)) + [0] * (longest - len(tail)) for tail in tails])
        logits = self._engine.model(input_ids=ids, attention_mask=seen, past_key_values=first).logits.log_softmax(-1)
        return [
            (math.fsum(float(logits[row, place, token]) for place, token in enumerate(scored)), len(scored))
            for row, (_, scored) in enumerate(pairs)
        ]

    def _context(self, ids: list[int]) -> Any:
        """The model's cache after a prompt, from the longest beginning that it has in common with an earlier one."""
        shared, cache = 0, None
        for earlier, computed in self._computed:
            common = next((i for i, (a, b) in enumerate(zip(ids, earlier, strict=False)) if a != b), None)
            common = min(len(ids), len(earlier)) if common is None else common
            if common > shared:
                shared, cache = common, computed
        shared = min(shared, len(ids) - 1)  # the model is always given a token
        cache = DynamicCache() if cache is None else copy.deepcopy(cache)
        if shared < cache.get_seq_length():
            cache.crop(shared - cache.get_seq_length())
        self._engine.model(input_ids=torch.tensor([ids[shared:]]), past_key_values=cache, logits_to_keep=1)
        self._computed.append((ids, cache))
        return copy.deepcopy(cache)

    def answer(self, question: str, passages: Sequence[str]) -> str:
        """A pseudo-answer by the workflow's own prompt, of at most 40 tokens."""
        return self._reply(self._template.render(query=question, passages=list(passages)))

    def reply(self, turns: Turns) -> str:
        """A greedy reply of at most 40 tokens."""
        return self._reply(tuple(Message(*turn) for turn in turns))

    def _reply(self, chat: Any) -> str:
        ((_, completion),) = self._engine.generate([ReplyRequest(chat, Sampling(temperature=0, max_new_tokens=40))])
        return str(completion.text).strip()


def score(scorer: Scorer, row: Mapping[str, Any]) -> dict[str, Any]:
    """A question's pool with the parts of every score, each (sum in nats, number of tokens).

    Returns:
        The row, and: ``question`` and ``search``: the question by passage, with (``…_alone``) no passage; ``answers``:
        the answers by kind (``half``: from the half of the pool with the best question likelihood; ``best``: from the
        best passage; ``brief``: the same by the prompt that scores; ``truth``); ``answer``, ``answer-question-first``:
        by kind, the answer by passage, and with no passage; ``both``: question and answer of kind ``best`` in one;
        ``yes``, ``yes-question-first``: by passage, the log-odds of "Yes" against "No" (nats).
    """
    question, passages = row["query"], row["passages"]
    scorer.forget()
    asked = {
        way: [scorer.log_likelihoods(PROMPTS[way](question, passage), [question])[0] for passage in passages]
        for way in ("question", "search")
    }
    order = sorted(range(len(passages)), key=lambda place: -asked["question"][place][0])
    best = passages[order[0]]
    answers = {
        "half": scorer.answer(question, [passages[place] for place in order[: len(order) // 2]]),
        "best": scorer.answer(question, [best]),
        "brief": scorer.reply(PROMPTS["answer"](question, best)),
        "truth": row["truth"] or "",
    }
    answers = {kind: text for kind, text in answers.items() if text}
    found: dict[str, Any] = {**row, **asked, "answers": answers}
    for way in ("question", "search"):
        found[f"{way}_alone"] = scorer.log_likelihoods(PROMPTS[way](question, ""), [question])[0]
    for way in ("answer", "answer-question-first"):
        given = [scorer.log_likelihoods(PROMPTS[way](question, passage), [*answers.values()]) for passage in passages]
        alone = scorer.log_likelihoods(PROMPTS[way](question, ""), [*answers.values()])
        found[way] = {kind: [values[place] for values in given] for place, kind in enumerate(answers)}
        found[f"{way}_alone"] = dict(zip(answers, alone, strict=True))
    together = f"{question} {answers['best']}"
    found["both"] = [scorer.log_likelihoods(PROMPTS["both"](question, passage), [together])[0] for passage in passages]
    for way in ("yes", "yes-question-first"):
        values = [scorer.log_likelihoods(PROMPTS[way](question, passage), ["Yes", "No"]) for passage in passages]
        found[way] = [yes[0] - no[0] for yes, no in values]
    return found


def main() -> None:
    """Command line; see ``--help``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("models", type=Path)
    parser.add_argument("scores", type=Path)
    parser.add_argument("names", nargs="*", default=[*COLLECTIONS], metavar="NAME", help=", ".join(COLLECTIONS))
    parser.add_argument("--questions", type=int, default=24)
    arguments = parser.parse_args()
    arguments.scores.mkdir(parents=True, exist_ok=True)
    scorer = Scorer(arguments.models / "smollm2-135m-instruct")
    for name in arguments.names:
        output = arguments.scores / f"{name}.jsonl"
        done = len(output.read_text().splitlines()) if output.is_file() else 0
        if done >= arguments.questions:
            continue
        found = pools(name, arguments.folder, arguments.models / "all-minilm-l6-v2", arguments.questions)
        for number, row in enumerate(found, 1):
            if number > done:
                with output.open("a") as file:
                    file.write(json.dumps(score(scorer, row)) + "\n")
                print(f"{name}: {number} questions scored", flush=True)


if __name__ == "__main__":
    main()
