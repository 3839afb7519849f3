"""Which pointwise protocol suits a small LLM: ways of scoring passages, judged by human positives on six collections.

    python benchmarks/pointwise.py SCORES    # the files of pointwise_scores.py; writes results/pointwise.json
    python benchmarks/pointwise.py --table   # the record as Markdown

A way of scoring orders the passages of a pool. It is judged by average precision; beside it stand the share of
questions whose first passage is relevant, and precision and recall of the passages it selects. Weights are chosen by
mean average precision and rules of selection by mean F1, both on all collections but one, and judged on that one, for
each collection in turn. Means are over a collection's questions, then over collections. The demo's collection has no
part in it.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

import numpy as np
from measure import RESULTS, ROOT, machine, write_record

sys.path.insert(0, str(ROOT / "workflow" / "scripts"))

from utility_annotation.common.files import read_json

RECORD = RESULTS / "pointwise.json"
WEIGHTS = (0.1, 0.25, 0.5, 1.0, 2.0, 4.0)
ANSWERS = {
    "half": "from the better half of the pool",
    "best": "from the best passage",
    "brief": "briefly, from the best",
}
ORDERS = {"answer": "passage first", "answer-question-first": "question first"}
RESAMPLES = 2000

Row = Mapping[str, Any]
Way = Callable[[Row], Sequence[float]]


def mean(way: str) -> Way:
    """Mean log-likelihood (nats per token) of the text by passage."""
    return lambda row: [total / tokens for total, tokens in row[way]]


def own_subtracted(way: str) -> Way:
    """The same less the text's mean log-likelihood without a passage, one number per question."""

    def score(row: Row) -> list[float]:
        total, tokens = row[f"{way}_alone"]
        return [value - total / tokens for value in mean(way)(row)]

    return score


def gain(kind: str, order: str, *, summed: bool = False) -> Way:
    """Gain in the answer's log-likelihood that a passage brings (nats per token, or in sum)."""

    def score(row: Row) -> list[float]:
        if kind not in row["answers"]:
            return [0.0] * len(row["passages"])
        alone, tokens = row[f"{order}_alone"][kind]
        return [(total - alone) / (1 if summed else tokens) for total, _ in row[order][kind]]

    return score


def plus(first: Way, second: Way, weight: float) -> Way:
    """One score and another times a weight."""
    return lambda row: [a + weight * b for a, b in zip(first(row), second(row), strict=True)]


def summed(way: str) -> Way:
    """Log-likelihood of the text by passage, in sum (nats)."""
    return lambda row: [total for total, _ in row[way]]


def _families() -> dict[str, dict[str, Way]]:
    """Ways by family, and in a family by the weight or text that is chosen."""
    families: dict[str, dict[str, Way]] = {
        "BM25": {"": lambda row: [-float(rank) for rank in row["bm25"]]},
        "MiniLM": {"": lambda row: [-float(rank) for rank in row["minilm"]]},
        "question": {"": mean("question")},
        "question, own likelihood subtracted": {"": own_subtracted("question")},
        "question, asked as a search": {"": mean("search")},
        "question and answer in one text": {"": mean("both")},
        "yes, passage first": {"": lambda row: row["yes"]},
        "yes, question first": {"": lambda row: row["yes-question-first"]},
    }
    for order, place in ORDERS.items():
        for kind, origin in ANSWERS.items():
            families[f"gain, {origin}, {place}"] = {"": gain(kind, order)}
            families[f"question + gain, {origin}, {place}"] = {
                f"{weight}": plus(mean("question"), gain(kind, order), weight) for weight in WEIGHTS
            }
            families[f"question + gain in sum, {origin}, {place}"] = {
                f"{weight}": plus(summed("question"), gain(kind, order, summed=True), weight) for weight in WEIGHTS
            }
        families[f"gain, the true answer, {place}"] = {"": gain("truth", order)}
    families["question + question as a search"] = {
        f"{weight}": plus(mean("question"), mean("search"), weight) for weight in WEIGHTS
    }
    families["question + yes, question first"] = {
        f"{weight}": plus(mean("question"), lambda row: row["yes-question-first"], weight) for weight in WEIGHTS
    }
    return families


FAMILIES = _families()
NEEDS_TRUTH = {name for name in FAMILIES if "true answer" in name}


class Rule(NamedTuple):
    """Which passages are positive: within ``value`` of the best, above ``value``, or the best ``value`` percent."""

    kind: str
    value: float

    def chosen(self, scores: Sequence[float]) -> list[int]:
        """Places of the passages it selects."""
        order = sorted(range(len(scores)), key=lambda place: -scores[place])
        if self.kind == "percent":
            return order[: max(1, int(self.value * len(order) / 100))]
        lowest = scores[order[0]] - self.value if self.kind == "margin" else self.value
        return [place for place in order if scores[place] >= lowest]


RULES = (
    *(Rule("margin", value) for value in (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8, 1.5, 3.0, 6.0)),
    *(Rule("above", value) for value in (0.0, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5)),
    *(Rule("percent", value) for value in (25.0, 37.5, 50.0)),
)


def average_precision(row: Row, scores: Sequence[float]) -> float:
    """Of the pool in the order of the scores; equal scores keep the pool's random order."""
    order = sorted(range(len(scores)), key=lambda place: -scores[place])
    places = [rank for rank, place in enumerate(order, 1) if row["relevant"][place]]
    return fmean(found / rank for found, rank in enumerate(places, 1))


def first_is_relevant(row: Row, scores: Sequence[float]) -> float:
    """1 if the passage with the highest score is relevant, else 0."""
    return float(row["relevant"][max(range(len(scores)), key=lambda place: scores[place])])


def selection(row: Row, scores: Sequence[float], rule: Rule) -> tuple[float, float, float]:
    """Precision, recall and F1 of the passages that a rule selects; 0 where it selects none."""
    chosen = rule.chosen(scores)
    right = sum(row["relevant"][place] for place in chosen)
    if not right:
        return 0.0, 0.0, 0.0
    precision, recall = right / len(chosen), right / sum(row["relevant"])
    return precision, recall, 2 * precision * recall / (precision + recall)


def study(rows: Mapping[str, Sequence[Row]]) -> dict[str, Any]:
    """Every family, with its weight and rule chosen without the collection that judges them.

    Args:
        rows: by collection, its questions as pointwise_scores.py leaves them.
    """
    judged = {
        family: Judged(
            {name: part for name, part in rows.items() if family not in NEEDS_TRUTH or part[0]["truth"]}, ways
        )
        for family, ways in FAMILIES.items()
    }
    found = {family: judgement.record() for family, judgement in judged.items()}
    rivals = [family for family in FAMILIES if family not in (*NEEDS_TRUTH, "BM25", "MiniLM")]
    best = max(rivals, key=lambda family: found[family]["mean"]["average_precision"])
    for family in FAMILIES:
        if family not in NEEDS_TRUTH:
            found[family]["behind_the_best"] = _interval(judged[best].left_out(), judged[family].left_out())
    return {
        "questions": {name: len(part) for name, part in rows.items()},
        "relevant_share": {
            name: _percent(fmean(fmean(row["relevant"]) for row in part)) for name, part in rows.items()
        },
        "best": best,
        "families": found,
    }


class Judged:
    """A family of ways on some collections, and what is chosen on them.

    Args:
        rows: by collection, its questions.
        ways: the family's ways by weight.
    """

    def __init__(self, rows: Mapping[str, Sequence[Row]], ways: Mapping[str, Way]) -> None:
        self.rows = rows
        self.scores = {
            key: {name: [way(row) for row in part] for name, part in rows.items()} for key, way in ways.items()
        }
        self.precision = {key: self._of_each(key, average_precision) for key in ways}

    def _of_each(self, key: str, figure: Callable[[Row, Sequence[float]], Any]) -> dict[str, list[Any]]:
        return {name: list(map(figure, part, self.scores[key][name])) for name, part in self.rows.items()}

    def choice(self, names: Sequence[str]) -> tuple[str, Rule]:
        """The weight and the rule that are best on these collections."""
        key = _best(self.precision, names)
        f1 = {
            rule: self._of_each(key, lambda row, scores, rule=rule: selection(row, scores, rule)[2]) for rule in RULES
        }
        return key, _best(f1, names)

    def left_out(self) -> dict[str, list[float]]:
        """By collection, its questions' average precision with the weight that the others choose."""
        return {name: self.precision[self.choice(self._others(name))[0]][name] for name in self.rows}

    def _others(self, name: str) -> list[str]:
        return [other for other in self.rows if other != name]

    def record(self) -> dict[str, Any]:
        """What is chosen on all collections; and for each, its figures with what the others choose, and their mean."""
        key, rule = self.choice([*self.rows])
        left_out = {name: self._figures(name, *self.choice(self._others(name))) for name in self.rows}
        figures = ("average_precision", "first", "precision", "recall", "f1")
        return {
            "weight": key,
            "rule": rule._asdict(),
            "left_out": left_out,
            "mean": {figure: round(fmean(found[figure] for found in left_out.values()), 1) for figure in figures},
        }

    def _figures(self, name: str, key: str, rule: Rule) -> dict[str, Any]:
        pairs = list(zip(self.rows[name], self.scores[key][name], strict=True))
        parts = np.mean([selection(row, scores, rule) for row, scores in pairs], axis=0)
        return {
            "weight": key,
            "rule": rule._asdict(),
            "average_precision": _percent(fmean(self.precision[key][name])),
            "first": _percent(fmean(first_is_relevant(row, scores) for row, scores in pairs)),
            **dict(zip(("precision", "recall", "f1"), map(_percent, parts), strict=True)),
        }


def _best(values: Mapping[Any, Mapping[str, Sequence[float]]], names: Sequence[str]) -> Any:
    """The key whose values are highest, in the mean over collections of the mean over their questions."""
    return max(values, key=lambda key: fmean(fmean(values[key][name]) for name in names))


def _percent(value: float) -> float:
    return round(100 * float(value), 1)


def _interval(first: Mapping[str, Sequence[float]], second: Mapping[str, Sequence[float]]) -> list[float]:
    """Mean difference in average precision (points), and its 95 % bootstrap interval over questions."""
    generator = np.random.default_rng(0)
    differences = {name: np.array(first[name]) - np.array(second[name]) for name in first}
    resampled = [
        fmean(float(generator.choice(part, len(part)).mean()) for part in differences.values())
        for _ in range(RESAMPLES)
    ]
    middle = fmean(float(part.mean()) for part in differences.values())
    return [_percent(value) for value in (middle, *np.percentile(resampled, [2.5, 97.5]))]


def table(record: Mapping[str, Any]) -> str:
    """The record as Markdown, the best way first."""
    lines = [
        "| way of scoring | weight | selects | average precision | first | precision | recall | behind the best |",
        "| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    families = sorted(record["families"].items(), key=lambda item: -item[1]["mean"]["average_precision"])
    for family, found in families:
        rule, means = found["rule"], found["mean"]
        behind = found.get("behind_the_best")
        lines.append(
            f"| {family} | {found['weight']} | {rule['kind']} {rule['value']:g} | {means['average_precision']} "
            f"| {means['first']} | {means['precision']} | {means['recall']} "
            f"| {'' if behind is None else f'{behind[0]} [{behind[1]}, {behind[2]}]'} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Command line; see ``--help``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scores", type=Path, nargs="?")
    parser.add_argument("--table", action="store_true")
    arguments = parser.parse_args()
    if arguments.scores is not None:
        files = sorted(arguments.scores.glob("*.jsonl"))
        rows = {path.stem: [json.loads(line) for line in path.read_text().splitlines()] for path in files}
        write_record(RECORD, {"machine": machine(), **study(rows)})
    print(table(read_json(RECORD)))


if __name__ == "__main__":
    main()
