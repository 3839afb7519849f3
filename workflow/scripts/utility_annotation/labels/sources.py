"""The one table of label sources.

Every annotation stage whose result is about passages is a source, by its entry in
:mod:`utility_annotation.annotation.stages`. The other sources are here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ..annotation.label_rules import LabelRule
from ..annotation.names import TRUTH
from ..annotation.stages import STAGES, chain
from ..settings import Labels

if TYPE_CHECKING:
    from .gains import GroundTruth
    from .shards import Merged


@dataclass(frozen=True)
class Parts:
    """The files that a label set is made from.

    Attributes:
        pools: the shards of its pool.
        annotations: the shards of its annotation stage, named as the pool's; none for other sources.
        doubts: those of the stage whose selection is ignored where it is not positive; none where nothing is.
        members: the label files of the sets that it is made of, in order.
        scores: a reranker's scores of each shard, named as the pool's; none for other sources.
        calibration: how they become probabilities.
        truth: what the answers of the stage are compared with, and how; None where they are not compared.
    """

    pools: Sequence[Path]
    annotations: Sequence[Path] = ()
    doubts: Sequence[Path] = ()
    members: Sequence[Path] = ()
    scores: Sequence[Path] = ()
    calibration: Path | None = None
    truth: GroundTruth | None = None


@dataclass(frozen=True)
class LabelSource:
    """A source of labels.

    Attributes:
        description: what its labels are; ends a sentence such as "a passage is positive by …".
        make: writes the labels of a pool.
        human: whether humans judged every candidate of the pool.
        needs: keys of a label set without which there are no such labels, and which other sources do not have.
        settings: further keys that it reads and others may not.
        members: what the label sets are to it that it is made of: ``united`` (of the same pool, and on one scale),
            ``voters`` (of the same pool), or ``in turn`` (of the pool or of parts of it, and on one scale); None where
            it is made of none.
    """

    description: str
    make: Callable[[Labels, Parts, Path], Merged]
    human: bool = False
    needs: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    members: Literal["united", "voters", "in turn"] | None = None


def _of_humans(settings: Labels, parts: Parts, output: Path) -> Merged:
    from .merge import merge_labels  # here, as below, so that sources are planned without pyarrow

    return merge_labels(settings, None, parts.pools, (), (), output)


def _of_union(settings: Labels, parts: Parts, output: Path) -> Merged:
    from .union import unite_labels

    return unite_labels(settings, parts.pools, parts.members, output)


def _of_vote(settings: Labels, parts: Parts, output: Path) -> Merged:
    from .vote import label_by_vote

    return label_by_vote(settings, parts.pools, parts.members, output)


def _of_file(settings: Labels, parts: Parts, output: Path) -> Merged:
    from .files import label_from_file

    return label_from_file(settings, parts.pools, output)


def _of_selector(settings: Labels, parts: Parts, output: Path) -> Merged:
    from .by_selector import label_by_selector

    assert parts.calibration is not None, "the configuration requires it"
    return label_by_selector(settings, parts.pools, parts.scores, parts.calibration, output)


def _of_cascade(settings: Labels, parts: Parts, output: Path) -> Merged:
    from .cascade import label_by_cascade

    return label_by_cascade(settings, parts.pools, parts.members, output)


SOURCES: Mapping[str, LabelSource] = {
    "human": LabelSource(description="the human positives of the pool", make=_of_humans, human=True),
    "union": LabelSource(
        description="what any of several label sets calls positive", make=_of_union, needs=("of",), members="united"
    ),
    "vote": LabelSource(
        description="a vote of several label sets",
        make=_of_vote,
        needs=("of",),
        settings=("voting", "weights", "threshold"),
        members="voters",
    ),
    "file": LabelSource(
        description="labels of others, read from a file",
        make=_of_file,
        needs=("file",),
        settings=("relevance_level", "unknown_passages"),
    ),
    "selector": LabelSource(
        description="the calibrated scores of a reranker, which was trained on the labels of other questions",
        make=_of_selector,
        needs=("reranker", "calibration"),
        settings=("method", "threshold"),
    ),
    "cascade": LabelSource(
        description="the first of several label sets that labels the question",
        make=_of_cascade,
        needs=("of",),
        members="in turn",
    ),
}
"""The sources that are not annotation stages, by name."""


def descriptions() -> dict[str, str]:
    """The description of every source of labels: humans, the annotation stages, and the others."""
    stages = {name: stage.description for name, stage in STAGES.items() if stage.labels is not None}
    others = {name: source.description for name, source in SOURCES.items()}
    return {"human": others.pop("human"), **stages, **others}


def make_labels(settings: Labels, parts: Parts, output: Path) -> Merged:
    """Write the labels of a pool by the entry of their source.

    Raises:
        InputError: the files do not belong together.
    """
    if settings.source in SOURCES:
        return SOURCES[settings.source].make(settings, parts, output)
    from .merge import merge_labels

    rule = rule_of(settings.source)
    return merge_labels(settings, rule, parts.pools, parts.annotations, parts.doubts, output, truth=parts.truth)


def rule_of(source: str) -> LabelRule | None:
    """How the result of a source's annotation stage becomes labels; None for other sources."""
    return STAGES[source].labels if source in STAGES else None


def is_soft(source: str) -> bool:
    """Whether a source's labels are likelihoods, without positives."""
    rule = rule_of(source)
    return rule is not None and rule.soft


def is_graded(source: str) -> bool:
    """Whether a source's labels are grades, of which a label set says which are positive."""
    rule = rule_of(source)
    return rule is not None and rule.graded


def is_measured(source: str) -> bool:
    """Whether a metric of answers decides a source's labels."""
    rule = rule_of(source)
    return rule is not None and rule.measured


def highest_grade(source: str) -> int:
    """The highest grade of a source's labels: 1 where they only say which candidates are positive."""
    rule = rule_of(source)
    return rule.highest if rule is not None and rule.graded else 1


def members_of(source: str) -> str | None:
    """What a source's members are to it, see :class:`LabelSource`; None where it is made of no other label sets."""
    return SOURCES[source].members if source in SOURCES else None


def keys_of(source: str) -> tuple[str, ...]:
    """The keys of a label set that this source reads and others may not, beside what it needs."""
    rule = rule_of(source)
    if rule is not None:
        return (*rule.settings, "ignore")
    return SOURCES[source].settings if source in SOURCES else ()


def is_narrowed(source: str) -> bool:
    """Whether a relevance selection narrows what the source's stage shows."""
    return source in STAGES and STAGES[source].narrowed


def stages_of(labels: Labels, protocol: str) -> list[str]:
    """The stages of its annotator on which a label set rests, in the table's order; none where no LLM labels."""
    ends = [stage for stage in (labels.source, labels.ignore) if stage is not None and stage in STAGES]
    needed = {stage for end in ends for stage in chain(end, protocol)}
    return [stage for stage in STAGES if stage in needed]


def needs_truth(source: str) -> bool:
    """Whether a source's labels rest on ground-truth answers, which a human wrote."""
    return is_measured(source) or (source in STAGES and TRUTH in STAGES[source].reads)
