"""Tables and figures: what is shown, and beside what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from pydantic import Field, field_validator, model_validator

from .base import BM25, EXTERNAL, RERANKED, SELECTED, UNTRAINED, Name, Settings
from .metrics import MetricName


class ShownTraining(NamedTuple):
    """A row of a table for any backbone: its name, its training, and the training that † compares with."""

    name: str
    training: str
    second_baseline: str | None


LabelMetric = Literal["precision", "recall", "positives_per_query"]


class Group(Settings):
    """Rows of a results table that belong together."""

    title: str = Field("", description="Heading of the group; leave it out for rows without one.")
    trainings: tuple[Name, ...] = Field(
        (), description="Trainings, one row each; `untrained` is the backbone without training."
    )
    rows: tuple[tuple[str, Name], ...] = Field(
        (),
        description="Trainings under other names: a mapping from the name in the table to the training, in the "
        "table's order.",
    )
    second_baseline: Name | None = Field(None, description="The training that † compares with in this group.")

    @field_validator("rows", mode="before")
    @classmethod
    def _in_order(cls, rows: Any) -> Any:
        """A mapping as pairs, which keep their order when settings travel with sorted keys."""
        return tuple(rows.items()) if isinstance(rows, Mapping) else rows

    @model_validator(mode="after")
    def _not_empty(self) -> Group:
        if not self.trainings and not self.rows:
            raise ValueError("a group needs `trainings` or `rows`")
        return self

    def shown(self) -> list[ShownTraining]:
        """The rows from top to bottom."""
        named = [*((training, training) for training in self.trainings), *self.rows]
        return [ShownTraining(name, training, self.second_baseline) for name, training in named]


class ResultsTable(Settings):
    """Retrievers against test sets and question answering, with significance marks."""

    title: str = Field(description="Title of the table.")
    backbones: tuple[Name, ...] = Field((), description="Backbones, one block of rows each.")
    groups: tuple[Group, ...] = Field((), description="The rows of each block.")
    testsets: tuple[Name, ...] = Field((), description="Test sets and averages, one group of columns each.")
    qa: tuple[Name, ...] = Field((), description="Question answering, one group of columns per generator.")
    generators: tuple[Name, ...] = Field((), description="Names from `annotators`: the LLMs that answer.")
    metrics: tuple[MetricName, ...] = Field((), description="Which of the computed metrics to show; all by default.")
    label_metrics: tuple[LabelMetric, ...] = Field(
        (), description="Figures of the labels that each training reads, in columns of their own, against human labels."
    )
    with_bm25: bool = Field(True, description="Whether BM25 is the first row of a table with test sets.")
    bm25_answers: bool = Field(False, description="qa: Whether the LLM answers from the passages of BM25, too.")
    bm25_variants: tuple[Name, ...] = Field((), description="Names from `bm25_variants`, rows after BM25.")
    external_runs: tuple[Name, ...] = Field((), description="Names from `external_runs`, rows after BM25.")
    reranked: tuple[Name, ...] = Field((), description="Names from `reranked`, rows after BM25.")
    selected: tuple[Name, ...] = Field((), description="Names from `selected`, rows after BM25.")
    answer_work: tuple[str, ...] = Field(
        (), description="What an answer of `qa` takes, in columns beside its metrics, per question."
    )
    baseline: Name | None = Field(
        "human",
        description="The training that + and − compare with, on the same backbone, or one of the table's "
        "`external_runs`, `reranked` or `selected`; null for no marks. With one backbone these are compared with it, "
        "too.",
    )
    significance_level: float = Field(0.05, gt=0, lt=1, description="A difference with a lower p is marked.")
    correction: Literal["holm", "none"] = Field(
        "holm", description="Whether p-values are corrected for the number of tests in their column (Holm's method)."
    )
    verdict: Name | None = Field(
        None,
        description="The training of which a verdict is given: what it gained over the untrained retriever and BM25 on "
        "the first test set, by the first metric, with the first backbone. The table's target then makes the report.",
    )
    published: str | None = Field(
        None, description="Number of the paper's table. Its figures (resources/paper/published.csv) stand beside ours."
    )

    def beside(self) -> list[tuple[str, str, str]]:
        """The rows that belong to no backbone, from top to bottom: in the place of a backbone, name, training."""
        bm25 = [(BM25, BM25, BM25)] if (self.with_bm25 and self.testsets) or self.bm25_answers else []
        variants = [(BM25, f"BM25 {name}", name) for name in self.bm25_variants]
        external = [(EXTERNAL, name, name) for name in self.external_runs]
        return [*bm25, *variants, *external, *((place, name, name) for place, name in self._on_top())]

    def on_top(self) -> list[str]:
        """The rows that are made from other rankings: reranked/NAME and selected/NAME."""
        return ["/".join(row) for row in self._on_top()]

    def _on_top(self) -> list[tuple[str, str]]:
        return [*((RERANKED, name) for name in self.reranked), *((SELECTED, name) for name in self.selected)]

    def names(self) -> list[str]:
        """The trainings of its rows, and the rows that are made from other rankings."""
        return [*(row.training for row in self.shown()), *self.reranked, *self.selected]

    def shown(self) -> list[ShownTraining]:
        """The rows of each backbone's block from top to bottom."""
        return [row for group in self.groups for row in group.shown()]

    @model_validator(mode="after")
    def _rows_and_columns(self) -> ResultsTable:
        if bool(self.qa) != bool(self.generators):
            raise ValueError("`qa` and `generators` go together")
        if not self.testsets and not self.qa:
            raise ValueError("a table needs `testsets` or `qa`")
        if (self.answer_work or self.bm25_answers) and not self.qa:
            raise ValueError("`answer_work` and `bm25_answers` need `qa`")
        if bool(self.backbones) != bool(self.groups) or not (self.groups or self.beside()):
            raise ValueError(
                "a table needs rows: `backbones` and `groups`, `bm25_variants`, `external_runs`, `reranked`, "
                "`selected`, or `testsets` and `with_bm25` alone"
            )
        trainings = [row.training for row in self.shown()]
        if self.verdict and (self.verdict not in trainings or self.verdict == UNTRAINED or not self.testsets):
            raise ValueError("`verdict` names a training of this table, which needs `testsets`")
        names = [row.name for row in self.shown()]
        if len(set(names)) != len(names):
            raise ValueError("two rows have the same name")
        return self


class LabelTable(Settings):
    """Label sets against human labels: precision, recall, positives per query (table 1 of the paper)."""

    title: str = Field(description="Title of the table.")
    labels: tuple[Name, ...] = Field(min_length=1, description="Label sets, one row each.")
    against: Name | None = Field(
        None,
        description="A label set with which the others are compared, too: kappa with its 95 % interval, and precision "
        "and recall of its positives. Only candidates count that both label.",
    )
    work: bool = Field(
        False, description="Whether columns tell what each label set took: tokens of LLMs, and GPU hours."
    )
    published: str | None = Field(None, description="As in `tables`.")


class CostTable(Settings):
    """What the labels of trainings cost, beside the metrics of the models (table 17 of the paper)."""

    title: str = Field(description="Title of the table.")
    backbone: Name = Field(description="The backbone of the trainings.")
    trainings: tuple[Name, ...] = Field(min_length=1, description="Trainings, one row each.")
    testset: Name = Field(description="The test set whose metrics stand beside the cost.")
    published: str | None = Field(None, description="As in `tables`.")


class Series(Settings):
    """Trainings that differ in one number, drawn as a line."""

    name: str = Field(min_length=1, description="Name in the legend.")
    points: dict[float, Name] = Field(min_length=1, description="A mapping from the number to the training.")


class LineChart(Settings):
    """A metric against a number that differs between trainings (figures 3a and 3b of the paper)."""

    title: str = Field(description="Title of the figure.")
    x_label: str = Field(description="Label of the x axis.")
    backbone: Name = Field(description="The backbone of the trainings.")
    testset: Name = Field(description="A test set or an average.")
    metric: MetricName = Field(description="A metric of that test set.")
    label_metrics: tuple[LabelMetric, ...] = Field(
        (), description="Figures of the labels that each training reads, in panels of their own, against human labels."
    )
    series: tuple[Series, ...] = Field(min_length=1, description="The lines.")
    levels: tuple[Name, ...] = Field((), description="Trainings drawn as horizontal lines.")

    def trainings(self) -> list[str]:
        """Every training that is drawn, some perhaps twice."""
        return [*(name for series in self.series for name in series.points.values()), *self.levels]

    @model_validator(mode="after")
    def _lines_told_apart(self) -> LineChart:
        if len({series.name for series in self.series}) != len(self.series):
            raise ValueError("two series have the same name")
        return self


class LabelChart(Settings):
    """Distribution of positives per query (figure 2 of the paper)."""

    title: str = Field(description="Title of the figure.")
    labels: tuple[Name, ...] = Field(min_length=1, description="Label sets, one panel each.")


class Cost(Settings):
    """Prices. The defaults are the paper's: an A800's hour, and a judgement on a crowdsourcing platform."""

    gpu_hour_usd: float = Field(0.8, ge=0, description="US dollars for one GPU for one hour.")
    judgement_usd: float = Field(
        0.09,
        ge=0,
        description="US dollars for one human judgement of one passage, or for one human answer to a question.",
    )
