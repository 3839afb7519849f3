"""What decides the comparison of a label set with human labels."""

from __future__ import annotations

from ..settings import JobSettings, Name


class QualitySettings(JobSettings):
    """The label set to examine."""

    labels: Name
    source: Name
    annotator: Name | None = None
