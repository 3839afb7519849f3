"""The settings of what compares label sets: with human labels, and with those of other judges."""

from __future__ import annotations

from pydantic import Field

from ..settings import JobSettings, Labels, Name


class QualitySettings(JobSettings):
    """The label set to examine."""

    labels: Name
    source: Name
    annotator: Name | None = None
    vote: Labels | None = Field(None, exclude_if=lambda vote: vote is None)
    """Of a vote, what it is made of: the quality says how far each member can be trusted."""


PEOPLE = "people"
"""The judge whose judgements are a split's qrels."""


class JudgedAlike(JobSettings):
    """Test sets of the same questions with other judges.

    Attributes:
        judges: by test set, the label set that judges it, or :data:`PEOPLE`.
        relevance_level: the lowest grade that people call relevant.
    """

    judges: dict[Name, str]
    relevance_level: int


class AgreementSettings(JobSettings):
    """Test sets of the same questions with other judges."""

    groups: tuple[JudgedAlike, ...]
