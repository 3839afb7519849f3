"""The names that the rules use: what is imported into the Snakefile with ``*``."""

from ..annotation.stages import STAGES
from ..exports.forms import FORMS as EXPORT_FORMATS
from . import (
    annotation,
    answers,
    comparisons,
    data,
    document_jobs,
    documents,
    entries,
    exports,
    jobs,
    labels,
    pools,
    questions,
    refusals,
    reranking,
    results,
    retrieval,
    runs,
    selection,
    training,
    work,
)
from . import report as report_files
from .plan import none_of, one_of

__all__ = [
    "EXPORT_FORMATS",
    "STAGES",
    "annotation",
    "answers",
    "comparisons",
    "data",
    "document_jobs",
    "documents",
    "entries",
    "exports",
    "jobs",
    "labels",
    "none_of",
    "one_of",
    "pools",
    "questions",
    "refusals",
    "report_files",
    "reranking",
    "results",
    "retrieval",
    "runs",
    "selection",
    "training",
    "work",
]
