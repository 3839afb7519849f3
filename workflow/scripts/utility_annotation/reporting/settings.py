"""The settings of the jobs that write tables and the report."""

from __future__ import annotations

from pydantic import Field

from ..labels.annotators import SharedJudge
from ..labels.work import Work
from ..settings import Cost, CostTable, JobSettings, Labels, LabelTable, LineChart, Name, ResultsTable
from .judges import Judge

Seeds = dict[Name, tuple[Name, ...]]


class ResultsTableSettings(JobSettings):
    """A table, and what it shows of the configuration beside.

    Attributes:
        seeds: by training, reranked and selected run, those of each seed.
        first_stages: by reranked or selected run, the row that it is made from, if it is a row too: in the place of a
            backbone, training.
        labels: by training, reranked and selected run, the label set that it reads, where the table has
            ``label_metrics``.
        shared_judges: where the figures of a training favour what the test set's judge favours.
        prices: where the table shows what answers cost.
    """

    table: ResultsTable
    seeds: Seeds = Field({})
    first_stages: dict[Name, tuple[str, str]] = Field({})
    labels: dict[Name, Name] = Field({})
    shared_judges: tuple[SharedJudge, ...] = ()
    prices: Cost | None = None


class LineChartSettings(JobSettings):
    """A chart; the others are those of :class:`ResultsTableSettings`."""

    chart: LineChart
    seeds: Seeds = Field({})
    labels: dict[Name, Name] = Field({})
    shared_judges: tuple[SharedJudge, ...] = ()


class LabelTableSettings(JobSettings):
    """A table, and by name of its label sets their settings as far as it shows them, and the work behind them, if it
    shows that.
    """

    table: LabelTable
    labels: dict[Name, Labels]
    work: dict[Name, list[Work] | None] = Field({})


class CostTableSettings(JobSettings):
    """A table, the prices, shared judges, trainings by seed, and the work behind each training's labels; null for those
    of a file.
    """

    table: CostTable
    seeds: Seeds = Field({})
    prices: Cost
    work: dict[Name, list[Work] | None]
    shared_judges: tuple[SharedJudge, ...] = ()


class VerdictSettings(JobSettings):
    """What a verdict is about.

    Attributes:
        training: the training, on ``backbone``.
        metric: of ``testset``; the files hold others too.
        seeds: by training, those of each seed.
        judges: who says what is relevant, as sentences name them.
        shared_judges: where a judge made labels of the training.
        prices: of the work behind the labels, which is null for labels of a file.
    """

    backbone: Name
    training: Name
    testset: Name
    metric: str
    seeds: Seeds
    judges: tuple[str, ...]
    shared_judges: tuple[SharedJudge, ...]
    prices: Cost
    work: list[Work] | None


class ComparisonSettings(JobSettings):
    """Two retrievers, as ``backbone/training``, that are compared by a metric on a test set."""

    first: str
    second: str
    testset: Name
    metric: str
    relevance_level: int


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
