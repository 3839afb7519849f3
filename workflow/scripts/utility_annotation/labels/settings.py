"""What decides the comparison of a label set with human labels."""

from __future__ import annotations

from ..settings import JobSettings, Name


class QualitySettings(JobSettings):
    """Which label set is looked at."""

    labels: Name
    source: Name
    annotator: Name | None = None
