"""Two retrievers compared question by question: who wins how often, where they differ, and on which questions most."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..common.errors import InputError
from ..common.importing import large_packages
from ..evaluation.samples import Sample, per_query_values
from ..evaluation.significance import compare, interval
from ..io.passages import find_passages
from ..io.schemas import QRELS, QUERIES, RUN, passage_text
from ..settings import BM25
from .markup import as_plain_text, markdown_table
from .settings import ComparisonSettings
from .tables import as_text, metric_name

with large_packages():
    import pandas as pd

_SHOWN = 5
"""Questions with the largest gains, and as many with the largest losses."""
_RELEVANT, _TOP, _WORDS = 5, 2, 60
"""Of each: relevant passages, top passages of each retriever, and words of a passage."""
_FEWEST = 2
"""A group of fewer questions has no interval."""


def compared_questions(
    settings: ComparisonSettings, per_query: Sequence[Path], qrels: Sequence[Path], queries: Path
) -> pd.DataFrame:
    """A line per question: its id, ``text``, values of ``first``, ``second`` and ``bm25`` in percent, ``difference``,
    ``words``, and ``positives``, the number of relevant passages. The largest gain of the first stands first.

    Args:
        settings: what is compared.
        per_query: the values of the first, the second and BM25 (schema ``PER_QUERY``).
        qrels: judgements (schema ``QRELS``); passages that any of them calls relevant count.
        queries: schema ``QUERIES``.
    """
    columns = ("first", "second", BM25)
    values = {name: per_query_values(path, settings.metric) for name, path in zip(columns, per_query, strict=True)}
    frame = 100 * pd.DataFrame(values).rename_axis("query_id")
    judged = pd.concat([QRELS.read(path).to_pandas() for path in qrels])
    relevant = judged[judged["grade"] >= settings.relevance_level].drop_duplicates(["query_id", "docid"])
    texts = QUERIES.read(queries).to_pandas().set_index("query_id")["text"]
    frame = frame.assign(
        text=texts.reindex(frame.index),
        difference=frame["first"] - frame["second"],
        positives=relevant.groupby("query_id").size().reindex(frame.index, fill_value=0),
    )
    frame["words"] = frame["text"].str.split().str.len()
    return frame.reset_index().sort_values(["difference", "query_id"], ascending=[False, True], ignore_index=True)


def summary(settings: ComparisonSettings, frame: pd.DataFrame) -> dict[str, Any]:
    """Wins, ties and losses of the first, the mean difference with its interval, and the same by groups of questions.

    Groups are by number of words (thirds), by number of relevant passages, and by whether BM25 finds any.

    Raises:
        InputError: there are fewer than two questions.
    """
    if len(frame) < _FEWEST:
        raise InputError(
            f"test set {settings.testset} has {len(frame)} judged question, too few to compare retrievers on.",
            hint="choose a test set with more questions.",
        )
    first, second = (Sample.of([[dict(zip(frame["query_id"], frame[name], strict=True))]]) for name in _COMPARED)
    found = compare(first, second)
    low, high = np.quantile(frame["words"], [1 / 3, 2 / 3])
    groups = {
        "words in the question": [
            (f"up to {low:.0f}", frame["words"] <= low),
            (f"{low:.0f} to {high:.0f}", (frame["words"] > low) & (frame["words"] <= high)),
            (f"more than {high:.0f}", frame["words"] > high),
        ],
        "relevant passages": [
            ("1", frame["positives"] <= 1),
            ("2 to 4", frame["positives"].between(2, 4)),
            ("5 or more", frame["positives"] > 4),
        ],
        "BM25": [("finds nothing", frame[BM25] == 0), ("finds some", frame[BM25] > 0)],
    }
    return {
        **settings.model_dump(mode="json"),
        "queries": len(frame),
        "values": {name: float(frame[name].mean()) for name in (*_COMPARED, BM25)},
        "wins": int((frame["difference"] > 0).sum()),
        "ties": int((frame["difference"] == 0).sum()),
        "losses": int((frame["difference"] < 0).sum()),
        "difference": {"value": found.gain, "low": found.low, "high": found.high, "p_value": found.p_value},
        "groups": [
            {"by": by, "group": name, **_of_group(frame[chosen])}
            for by, members in groups.items()
            for name, chosen in members
            if chosen.any()
        ],
    }


_COMPARED = ("first", "second")


def _of_group(frame: pd.DataFrame) -> dict[str, Any]:
    ends: tuple[float | None, float | None] = (None, None)
    if len(frame) >= _FEWEST:
        ends = interval(Sample.of([[dict(zip(frame["query_id"], frame["difference"], strict=True))]]))
    return {"queries": len(frame), "difference": float(frame["difference"].mean()), "low": ends[0], "high": ends[1]}


def examples(
    settings: ComparisonSettings, frame: pd.DataFrame, runs: Sequence[Path], qrels: Sequence[Path], corpus: Path
) -> list[dict[str, Any]]:
    """The questions with the largest differences, each with its relevant passages and the top ones of both retrievers.

    A passage has its ``grade`` (null if it is not judged) and its rank by each retriever (null if it is not retrieved).
    """
    gains, losses = frame[frame["difference"] > 0].head(_SHOWN), frame[frame["difference"] < 0].tail(_SHOWN)
    chosen = pd.concat([gains, losses[::-1]])
    ranks = [_ranks(path, chosen["query_id"]) for path in runs]
    judged = pd.concat([QRELS.read(path).to_pandas() for path in qrels])
    grades = {(row.query_id, row.docid): int(row.grade) for row in judged.itertuples()}
    listed: dict[str, list[str]] = {}
    for query_id in chosen["query_id"]:
        relevant = [d for (q, d), grade in grades.items() if q == query_id and grade >= settings.relevance_level]
        tops = [docid for each in ranks for docid in sorted(each[query_id], key=each[query_id].__getitem__)[:_TOP]]
        listed[query_id] = list(dict.fromkeys([*relevant[:_RELEVANT], *tops]))
    passages = find_passages(corpus, (docid for docids in listed.values() for docid in docids))
    return [
        {
            **{name: getattr(row, name) for name in ("query_id", "text", "first", "second", "positives")},
            "passages": [
                {
                    "docid": docid,
                    "text": _cut(passage_text(*passages[docid])),
                    "grade": grades.get((row.query_id, docid)),
                    "ranks": [each[row.query_id].get(docid) for each in ranks],
                }
                for docid in listed[row.query_id]
                if docid in passages
            ],
        }
        for row in chosen.itertuples()
    ]


def _ranks(run: Path, query_ids: pd.Series) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {query_id: {} for query_id in query_ids}
    for batch in RUN.batches(run, rows=100_000):
        lines = batch.to_pandas()
        for line in lines[lines["query_id"].isin(found)].itertuples():
            found[line.query_id][line.docid] = int(line.rank)
    return found


def _cut(text: str) -> str:
    words = text.split()
    return " ".join(words[:_WORDS]) + (" …" if len(words) > _WORDS else "")


def to_markdown(found: dict[str, Any]) -> str:
    """The comparison as a page."""
    metric, difference = metric_name(found["metric"]), found["difference"]
    ends = f"{as_text(difference['low'], 1, '+')} to {as_text(difference['high'], 1, '+')}"
    ours, theirs = (as_text(found["values"][name], 1) for name in _COMPARED)
    lines = [
        f"## {found['first']} and {found['second']} on {found['testset']}",
        "",
        f"{metric} over {found['queries']:,} questions: {ours} and {theirs}, a difference of "
        f"{as_text(difference['value'], 1, '+')} (95 % interval {ends}, p = {difference['p_value']:.3f}). "
        f"{found['first']} is better on {found['wins']:,} questions, worse on {found['losses']:,}, and equal on "
        f"{found['ties']:,}.",
        "",
    ]
    rows = [
        [
            *(each["by"], each["group"], f"{each['queries']:,}", as_text(each["difference"], 1, "+")),
            "" if each["low"] is None else f"{as_text(each['low'], 1, '+')} to {as_text(each['high'], 1, '+')}",
        ]
        for each in found["groups"]
    ]
    headings = ["questions by", "group", "questions", "difference", "95 % interval"]
    lines += markdown_table(headings, rows, texts=2, aligned=True)
    for each in found["examples"]:
        title = as_plain_text(f"{each['text']} ({each['query_id']})")
        lines += ["", f"### {title}: {each['first']:.1f} and {each['second']:.1f}", ""]
        rows = [
            [
                *("" if rank is None else str(rank) for rank in passage["ranks"]),
                "" if passage["grade"] is None else str(passage["grade"]),
                as_plain_text(passage["docid"]),
                as_plain_text(passage["text"]),
            ]
            for passage in each["passages"]
        ]
        lines += markdown_table(["rank 1", "rank 2", "grade", "docid", "passage"], rows, texts=5)
    return "\n".join([*lines, ""])
