"""The whole configuration, typed: each key has a description, a default where one is sensible, and unknown keys are
refused with the nearest known one named.

What changes a result stands in all sections but ``performance``, which only says how fast it is made and never makes
anything stale. One module per subject; :mod:`.whole` puts them together.
"""

from .annotation import Annotator, Pointwise, Pool, PoolSource, Retries, Sampling
from .base import (
    BM25,
    EXTERNAL,
    OF_NO_BACKBONE,
    ON_TOP,
    RERANKED,
    SELECTED,
    UNTRAINED,
    JobSettings,
    Name,
    Settings,
    canonical,
    entry,
    member_section,
)
from .data import Dataset, Documents, Download, Model, Part, Sample, Source, Split
from .evaluation import Average, BertScore, Bm25, ExternalRun, QuestionAnswering, Testset
from .hub import HubFiles
from .labels import Labels, QuerySubset
from .performance import EncodePerformance, EnginePerformance, Performance, ServerPerformance, TrainPerformance
from .questions import Questions, RoundTrip
from .report import ReportSettings
from .reranking import Reranked, Reranker, Selected
from .results import Cost, CostTable, Group, LabelChart, LabelTable, LineChart, ResultsTable, Series, ShownTraining
from .training import Backbone, Dev, HumanPositive, Lora, PositiveSampling, Training
from .whole import Configuration

__all__ = [
    "BM25",
    "EXTERNAL",
    "OF_NO_BACKBONE",
    "ON_TOP",
    "RERANKED",
    "SELECTED",
    "UNTRAINED",
    "Annotator",
    "Average",
    "Backbone",
    "BertScore",
    "Bm25",
    "Configuration",
    "Cost",
    "CostTable",
    "Dataset",
    "Dev",
    "Documents",
    "Download",
    "EncodePerformance",
    "EnginePerformance",
    "ExternalRun",
    "Group",
    "HubFiles",
    "HumanPositive",
    "JobSettings",
    "LabelChart",
    "LabelTable",
    "Labels",
    "LineChart",
    "Lora",
    "Model",
    "Name",
    "Part",
    "Performance",
    "Pointwise",
    "Pool",
    "PoolSource",
    "PositiveSampling",
    "QuerySubset",
    "QuestionAnswering",
    "Questions",
    "ReportSettings",
    "Reranked",
    "Reranker",
    "ResultsTable",
    "Retries",
    "RoundTrip",
    "Sample",
    "Sampling",
    "Selected",
    "Series",
    "ServerPerformance",
    "Settings",
    "ShownTraining",
    "Source",
    "Split",
    "Testset",
    "TrainPerformance",
    "Training",
    "canonical",
    "entry",
    "member_section",
]
