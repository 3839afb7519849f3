"""What the tables of label sets and of costs need beside their own settings."""

from __future__ import annotations

from ..labels.sources import rule_of
from ..labels.work import Work
from ..settings import Cost, CostTable, JobSettings, Labels, LabelTable, Name

_DEFAULT_PERCENT = Labels.model_fields["top_percent"].default


class LabelSettings(JobSettings):
    """What a table needs of a label set's settings; see :class:`..settings.Labels`."""

    source: str
    annotator: Name | None = None
    top_percent: float = _DEFAULT_PERCENT

    @property
    def _ranked(self) -> bool:
        rule = rule_of(self.source)
        return rule is not None and rule.ranked

    @property
    def published_row(self) -> str:
        """The paper's name of such labels; empty where its table 1 has none, which is of the default threshold."""
        default = not self._ranked or self.top_percent == _DEFAULT_PERCENT
        return self.source if default else ""

    @property
    def strategy(self) -> str:
        """The source as the table shows it, with the threshold of a ranking."""
        return f"{self.source}, {self.top_percent:g} %" if self._ranked else self.source


class LabelTableSettings(JobSettings):
    """A table and the settings of its label sets, by name."""

    table: LabelTable
    labels: dict[Name, LabelSettings]


class CostTableSettings(JobSettings):
    """A table, the prices, and the work behind the labels of each training; null where some labels came from a file."""

    table: CostTable
    prices: Cost
    work: dict[Name, list[Work] | None]
