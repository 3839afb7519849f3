"""The entries of tables that a job uses: what of a table its rule is stale by.

Each function is named as its rule and gives ``MODULE:TABLE[KEY]`` or ``MODULE:TABLE[KEY].FIELD``, see
:func:`utility_annotation.common.code_digest.code_digest`. Another entry of the table makes no result of the rule stale.
"""

from __future__ import annotations

from ..annotation.stages import STAGES
from ..labels.sources import SOURCES
from ..settings import Configuration

_STAGES = "utility_annotation.annotation.stages:STAGES"
_SOURCES = "utility_annotation.labels.sources:SOURCES"


def annotate(configuration: Configuration, *, stage: str) -> list[str]:
    """What asks and reads the replies of a stage, and what it reads."""
    return [f"{_STAGES}[{stage}].make", f"{_STAGES}[{stage}].reads"]


def merge_labels(configuration: Configuration, *, labels: str) -> list[str]:
    """How a source's labels are made."""
    source = configuration.labels[labels].source
    return [f"{_SOURCES}[{source}].make"] if source in SOURCES else [f"{_STAGES}[{source}].labels"]


def label_quality(configuration: Configuration, *, labels: str) -> list[str]:
    """What a source's labels are, and which candidates its stage was shown."""
    source = configuration.labels[labels].source
    return [f"{_STAGES}[{source}].labels", f"{_STAGES}[{source}].reads"] if source in STAGES else []
