"""The settings of the jobs that write tables and the report."""

from __future__ import annotations

from ..labels.work import Work
from ..settings import Cost, CostTable, JobSettings, Labels, LabelTable, Name
from .judges import Judge


class LabelTableSettings(JobSettings):
    """A table and the settings of its label sets as far as it shows them, by name."""

    table: LabelTable
    labels: dict[Name, Labels]


class CostTableSettings(JobSettings):
    """A table, the prices, and the work behind the labels of each training; null where some labels came from a file."""

    table: CostTable
    prices: Cost
    work: dict[Name, list[Work] | None]


class CardSettings(JobSettings):
    """Which questions of a pool are collected, and whose judgements."""

    pool: Name
    questions: int
    seed: int
    judges: tuple[Judge, ...]


class WorkSettings(JobSettings):
    """The stages and label sets of a pool whose work is counted; null where some labels came from a file."""

    pool: Name
    stages: tuple[Judge, ...]
    labels: dict[Name, list[Work] | None]
