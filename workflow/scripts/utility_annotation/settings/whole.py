"""The whole configuration: its sections."""

from __future__ import annotations

from pydantic import Field

from .annotation import Annotator, Pool
from .base import Name, Settings
from .data import Dataset, Download, Model
from .evaluation import Average, Bm25, ExternalRun, QuestionAnswering, Testset
from .labels import Labels
from .performance import Performance
from .questions import Questions
from .report import ReportSettings
from .reranking import Reranked, Reranker, Selected
from .results import Cost, CostTable, LabelChart, LabelTable, LineChart, ResultsTable
from .training import Backbone, Training


class Configuration(Settings):
    """The whole configuration."""

    models: dict[Name, Model] = Field(description="Weights, by name.")
    downloads: dict[Name, Download] = Field(
        {}, description="Files that publishers serve; downloaded when they are needed."
    )
    datasets: dict[Name, Dataset] = Field(description="Corpora with their questions.")
    pools: dict[Name, Pool] = Field({}, description="Candidate pools to annotate and to train on.")
    annotators: dict[Name, Annotator] = Field({}, description="LLMs that judge, or answer from retrieved passages.")
    questions: dict[Name, Questions] = Field({}, description="Questions that an LLM writes about passages.")
    labels: dict[Name, Labels] = Field({}, description="Label sets.")
    backbones: dict[Name, Backbone] = Field({}, description="Encoders to train.")
    rerankers: dict[Name, Reranker] = Field({}, description="Cross-encoders to train.")
    trainings: dict[Name, Training] = Field(
        {}, description="Trainings; each one can be combined with each backbone and each reranker."
    )
    testsets: dict[Name, Testset] = Field({}, description="Evaluations of retrieval.")
    averages: dict[Name, Average] = Field({}, description="Means over test sets, shown like a test set.")
    external_runs: dict[Name, ExternalRun] = Field(
        {}, description="Runs that others made. They are rows of tables, and retrievers of pools as `external/NAME`."
    )
    reranked: dict[Name, Reranked] = Field(
        {},
        description="Rankings that a reranker or an LLM orders again. They are rows of tables, and retrievers of "
        "pools as `reranked/NAME`.",
    )
    selected: dict[Name, Selected] = Field(
        {},
        description="Rankings of which only the useful passages are kept. They are rows of tables, and "
        "retrievers of pools as `selected/NAME`.",
    )
    qa: dict[Name, QuestionAnswering] = Field({}, description="Evaluations of question answering.")
    bm25: Bm25 = Field(Bm25(), description="The lexical baseline.")
    bm25_variants: dict[Name, Bm25] = Field(
        {}, description="BM25 with other parameters. They are rows of tables, and retrievers of pools as `bm25/NAME`."
    )
    tables: dict[Name, ResultsTable] = Field({}, description="Tables of retrieval and question answering.")
    label_tables: dict[Name, LabelTable] = Field({}, description="Tables of label sets.")
    cost_tables: dict[Name, CostTable] = Field({}, description="Tables of what labels cost.")
    line_charts: dict[Name, LineChart] = Field({}, description="Figures of a metric against a number.")
    label_charts: dict[Name, LabelChart] = Field({}, description="Figures of the number of positives.")
    cost: Cost = Field(Cost(), description="Prices.")
    report: ReportSettings = Field(ReportSettings(), description="What the report shows beside tables.")
    performance: Performance = Field(
        Performance(), description="How fast results are made. No key here makes a result stale."
    )
