"""The whole configuration: its sections, and how it is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_origin

from pydantic import Field, ValidationError, model_validator

from ..common.errors import InputError
from .annotation import Annotator, Pool
from .base import RENAMED, Name, Settings, member_section, nearest
from .data import Dataset, Download, Model
from .evaluation import Average, Bm25, QuestionAnswering, Testset
from .labels import Labels
from .performance import Performance
from .report import ReportSettings
from .results import Cost, CostTable, LabelChart, LabelTable, LineChart, ResultsTable
from .training import Backbone, Training


class Configuration(Settings):
    """Everything the workflow is told."""

    models: dict[Name, Model] = Field(description="Weights, by name.")
    downloads: dict[Name, Download] = Field(
        {}, description="Files that publishers serve, fetched where they are needed."
    )
    datasets: dict[Name, Dataset] = Field(description="Corpora with their questions.")
    pools: dict[Name, Pool] = Field({}, description="Candidate pools to annotate and to train on.")
    annotators: dict[Name, Annotator] = Field({}, description="LLMs that judge, or answer from retrieved passages.")
    labels: dict[Name, Labels] = Field({}, description="Label sets.")
    backbones: dict[Name, Backbone] = Field({}, description="Encoders to train.")
    trainings: dict[Name, Training] = Field({}, description="Trainings; each can be asked for with each backbone.")
    testsets: dict[Name, Testset] = Field({}, description="Evaluations of retrieval.")
    averages: dict[Name, Average] = Field({}, description="Means over test sets, shown like a test set.")
    qa: dict[Name, QuestionAnswering] = Field({}, description="Evaluations of question answering.")
    bm25: Bm25 = Field(Bm25(), description="The lexical baseline.")
    tables: dict[Name, ResultsTable] = Field({}, description="Tables of retrieval and question answering.")
    label_tables: dict[Name, LabelTable] = Field({}, description="Tables of label sets.")
    cost_tables: dict[Name, CostTable] = Field({}, description="Tables of what labels cost.")
    line_charts: dict[Name, LineChart] = Field({}, description="Figures of a metric by a number.")
    label_charts: dict[Name, LabelChart] = Field({}, description="Figures of the number of positives.")
    cost: Cost = Field(Cost(), description="Prices.")
    report: ReportSettings = Field(ReportSettings(), description="Annotations to look at in the report.")
    performance: Performance = Field(Performance(), description="Speed only; never makes a result stale.")

    @model_validator(mode="after")
    def _names_refer_to_something(self) -> Configuration:
        from .references import problems  # it knows this class

        found = list(problems(self))
        if found:
            raise ValueError("; ".join(found))
        return self


def load(raw: Mapping[str, Any], *, path: str = "the configuration") -> Configuration:
    """Check a raw configuration (as read from YAML) and return it typed.

    Args:
        raw: the mapping.
        path: the file named in messages.

    Raises:
        InputError: an unknown key (with the nearest known one), a wrong value, or a name that refers to nothing.
    """
    try:
        return Configuration.model_validate(raw)
    except ValidationError as error:
        problems = [_explain(problem) for problem in error.errors()]
        raise InputError(
            "; ".join(problems) + ".", hint="correct the keys named above; config/README.md lists every key.", path=path
        ) from None


def _explain(problem: Any) -> str:
    place = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        *parents, key = problem["loc"]
        known = _fields_at(parents)
        if RENAMED.get(str(key)) in known:
            return f"{place}: `{key}` is now `{RENAMED[str(key)]}`"
        return f"unknown key {place}{nearest(str(key), known)}"
    message = problem["msg"].removeprefix("Value error, ")
    return f"{place}: {message}" if place else message


def _fields_at(parents: list[str | int]) -> list[str]:
    """The field names of the section to which a path of keys leads."""
    section: type[Settings] | None = Configuration
    keys = iter(parents)
    for key in keys:
        if section is None:
            break
        if isinstance(key, int):  # a place in a list, whose section is known already
            continue
        annotation = section.model_fields[str(key)].annotation
        if get_origin(annotation) is dict:
            next(keys, None)  # the name that the user gave
        section = member_section(annotation)
    return list(section.model_fields) if section is not None else []
