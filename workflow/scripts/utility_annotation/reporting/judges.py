"""Who judges the passages of a pool, and how each judgement compares with that of humans."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Set
from typing import Any

from pydantic import Field

from ..annotation.label_rules import LabelRule
from ..annotation.names import READABLE
from ..annotation.stages import STAGES
from ..labels.sources import is_measured, stages_of
from ..settings import Configuration, JobSettings, Labels, Name


class Judge(JobSettings):
    """A stage of an annotation, or a label set that was read from a file."""

    stage: Name | None = None
    annotator: Name | None = None
    labels: Name | None = None
    top_percent: float | None = None
    """utilrank: the share of the ranked list that is positive; where label sets differ in it, that of the first."""
    relevance_level: int = Field(1, exclude_if=lambda level: level == 1)
    """The lowest grade that is positive; where label sets differ in it, that of the first."""
    shares: Name | None = None
    """The stage whose likelihoods it takes, which computes them."""
    ignore: Name | None = Field(None, exclude_if=lambda stage: stage is None)
    """The stage whose selection a label set ignores where it is not positive; where several do, that of the first."""

    @property
    def name(self) -> str:
        """As it is called in the report."""
        return self.labels or f"{self.stage} · {self.annotator}"

    @property
    def folder(self) -> str:
        """The folder of the stage's shards within the annotation of a pool."""
        return f"{self.annotator}/{self.stage}"

    @property
    def narrowed_by(self) -> str | None:
        """The relevance selection that decided which passages the stage was shown, if one did."""
        return "relsel" if self.stage is not None and STAGES[self.stage].narrowed else None

    @property
    def rule(self) -> LabelRule | None:
        """How the stage's result becomes labels; None for a stage that by itself says nothing about passages."""
        rule = None if self.stage is None else STAGES[self.stage].labels
        return None if rule is not None and rule.measured else rule

    @property
    def soft(self) -> bool:
        """Whether the stage gives likelihoods, of which none is a positive."""
        return self.rule is not None and self.rule.soft

    @property
    def graded(self) -> bool:
        """Whether the stage gives grades."""
        return self.rule is not None and self.rule.graded

    @property
    def ranked(self) -> bool:
        """Whether the stage puts all that it was shown in an order."""
        return self.rule is not None and self.rule.ranked

    def positives(self, row: Mapping[str, Any]) -> list[str] | None:
        """The passages that count as chosen, of those that were listed; None where nothing was listed, or chosen."""
        if self.graded:
            scored = row["scores"]
            level = self.relevance_level
            return scored and [each["docid"] for each in scored if each["score"] is not None and each["score"] >= level]
        docids = listed(row)
        if self.labels or docids is None:
            return docids
        return None if self.rule is None else self.rule.positives(docids, self.top_percent or 0)

    def doubts(self, row: Mapping[str, Any] | None) -> set[str]:
        """The passages that the stage ``ignore`` selected, by its row; none where it has none, or could not be read."""
        return set(Judge(stage=self.ignore).positives(row) or ()) if self.ignore and row else set()

    def compared(self, row: Mapping[str, Any], human: Collection[str]) -> list[str] | None:
        """The passages that are compared with those that humans marked: the positives of an annotation's row.

        Of likelihoods as many of the best as humans marked, though none is a positive.
        """
        return best(row["scores"], len(human)) if self.soft else self.positives(row)


def listed(row: Mapping[str, Any]) -> list[str] | None:
    """The docids of a row, without those that were added to complete a ranking."""
    return None if row["docids"] is None else row["docids"][: row.get("named")]


def best(scores: Collection[Mapping[str, Any]] | None, count: int) -> list[str] | None:
    """The passages with the highest scores, best first; None where there are no scores."""
    ordered = sorted(scores or (), key=lambda entry: -entry["score"])
    return [entry["docid"] for entry in ordered[:count]] if ordered else None


def facts(outcome: str, positives: Collection[str] | None, human: Set[str]) -> tuple[str, ...]:
    """What a reader can look for: the outcome, and how a choice compares with the passages that humans marked.

    ``same``: these and no others; ``adds``: some that humans did not mark; ``misses``: not all that they marked, which
    an empty selection does too. Nothing is compared where there was no choice, or where humans marked nothing.
    """
    if positives is None or outcome not in READABLE or not human:
        return (outcome,)
    chosen = frozenset(positives)
    compared = (("same", chosen == human), ("adds", bool(chosen - human)), ("misses", bool(human - chosen)))
    return (outcome, *(name for name, holds in compared if holds))


def judges_of_pools(configuration: Configuration, labels: Iterable[str]) -> dict[str, list[Judge]]:
    """Pool → who judged it, for these label sets: annotator by annotator, each along its stages, files last.

    A union brings its members. Pools that only humans judged are left out.
    """
    pools: dict[str, dict[str, Judge]] = {}
    names = list(labels)
    for name in names:  # grows by the members of unions
        settings = configuration.labels[name]
        names += settings.of
        for judge in _judges(configuration, name, settings):
            known = pools.setdefault(settings.pool, {}).setdefault(judge.name, judge)
            if judge.ignore and not known.ignore:
                pools[settings.pool][judge.name] = known.model_copy(update={"ignore": judge.ignore})
    order = [*STAGES, None]
    found = {}
    for pool, judges in pools.items():
        annotators = [judge.annotator for judge in judges.values()]
        found[pool] = sorted(
            judges.values(),
            key=lambda judge: (judge.stage is None, annotators.index(judge.annotator), order.index(judge.stage)),
        )
    return found


def _judges(configuration: Configuration, name: str, labels: Labels) -> Iterator[Judge]:
    if labels.source == "file" or is_measured(labels.source):
        yield Judge(labels=name)
    if labels.annotator is None:
        return
    annotator = configuration.annotators[labels.annotator]
    for stage in stages_of(labels, annotator.protocol):
        rule = STAGES[stage].labels
        yield Judge(
            stage=stage,
            annotator=labels.annotator,
            top_percent=labels.top_percent if rule is not None and rule.ranked else None,
            relevance_level=labels.relevance_level if rule is not None and rule.graded else 1,
            shares=STAGES[stage].way(annotator.protocol).shares,
            ignore=labels.ignore if stage == labels.source else None,
        )
