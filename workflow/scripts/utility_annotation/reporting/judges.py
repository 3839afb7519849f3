"""Who judges the passages of a pool, and how each judgement compares with that of humans."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Set

from ..annotation.label_rules import LabelRule
from ..annotation.stages import STAGES, chain
from ..settings import Configuration, JobSettings, Labels, Name


class Judge(JobSettings):
    """A stage of an annotation, or a label set that was read from a file."""

    stage: Name | None = None
    annotator: Name | None = None
    labels: Name | None = None
    top_percent: float | None = None
    """utilrank: the share of the ranked list that is positive; where label sets differ in it, that of the first."""

    @property
    def name(self) -> str:
        """As it is called in the report."""
        return self.labels or f"{self.stage} · {self.annotator}"

    @property
    def narrowed_by(self) -> str | None:
        """The relevance selection that decided which passages the stage was shown, if one did."""
        if self.stage is None or not STAGES[self.stage].narrowed:
            return None
        return next(name for name in STAGES[self.stage].reads if name in STAGES and STAGES[name].labels is not None)

    @property
    def rule(self) -> LabelRule | None:
        """How the stage's result becomes labels; None for a stage that says nothing about passages."""
        return None if self.stage is None else STAGES[self.stage].labels

    @property
    def soft(self) -> bool:
        """Whether the stage gives likelihoods, of which none is a positive."""
        return self.rule is not None and self.rule.soft

    @property
    def ranked(self) -> bool:
        """Whether the stage puts all that it was shown in an order."""
        return self.rule is not None and self.rule.ranked

    def positives(self, docids: list[str] | None) -> list[str] | None:
        """The passages that count as chosen, of those that were listed; None where nothing was listed, or chosen."""
        if docids is None or self.rule is None:
            return None
        if self.ranked:
            assert self.top_percent is not None, "a ranking has a threshold"
        return self.rule.positives(docids, self.top_percent or 0)


class CardSettings(JobSettings):
    """Which questions of a pool are collected, and whose judgements."""

    pool: Name
    questions: int
    seed: int
    judges: tuple[Judge, ...]


def judges_of_pools(configuration: Configuration, labels: Iterable[str]) -> dict[str, list[Judge]]:
    """Pool → who judged it, for these label sets: annotator by annotator, each along its stages, files last.

    A union brings its members. Pools that only humans judged are left out.
    """
    pools: dict[str, dict[tuple[str | None, str | None, str | None], Judge]] = {}
    for name, settings in _members(configuration, labels):
        found = pools.setdefault(settings.pool, {})
        for judge in _judges(configuration, name, settings):
            found.setdefault((judge.annotator, judge.stage, judge.labels), judge)
    ordered = {pool: _in_order(list(judges.values())) for pool, judges in pools.items()}
    return {pool: judges for pool, judges in ordered.items() if judges}


def facts(outcome: str, positives: Collection[str] | None, human: Set[str]) -> tuple[str, ...]:
    """What a reader can look for: the outcome, and how a choice compares with the passages that humans marked.

    ``same``: these and no others; ``adds``: some that humans did not mark; ``misses``: not all that they marked, which
    an empty selection does too. Nothing is compared where there was no choice, or where humans marked nothing.
    """
    if positives is None or outcome not in ("ok", "empty") or not human:
        return (outcome,)
    chosen = frozenset(positives)
    compared = (("same", chosen == human), ("adds", bool(chosen - human)), ("misses", bool(human - chosen)))
    return (outcome, *(name for name, holds in compared if holds))


def _members(configuration: Configuration, labels: Iterable[str]) -> Iterator[tuple[str, Labels]]:
    for name in labels:
        settings = configuration.labels[name]
        if settings.source == "union":
            yield from _members(configuration, settings.of)
        else:
            yield name, settings


def _judges(configuration: Configuration, name: str, labels: Labels) -> Iterator[Judge]:
    if labels.source == "file":
        yield Judge(labels=name)
    if labels.annotator is None:
        return
    for stage in chain(labels.source, configuration.annotators[labels.annotator].protocol):
        rule = STAGES[stage].labels
        threshold = labels.top_percent if rule is not None and rule.ranked else None
        yield Judge(stage=stage, annotator=labels.annotator, top_percent=threshold)


def _in_order(judges: list[Judge]) -> list[Judge]:
    annotators = list(dict.fromkeys(judge.annotator for judge in judges if judge.annotator))

    order = list(STAGES)

    def place(judge: Judge) -> tuple[int, int]:
        if judge.stage is None or judge.annotator is None:
            return len(annotators), 0
        return annotators.index(judge.annotator), order.index(judge.stage)

    return sorted(judges, key=place)
