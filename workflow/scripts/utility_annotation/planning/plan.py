"""What the rules call: each method gives a value, or a function of the wildcards, that Snakemake asks for.

Snakemake's own types stay out: wildcards are whatever has attributes of these names.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, TypeVar

from ..common.file_digest import content_digest
from ..exports.forms import FORMS
from ..settings import BM25, EXTERNAL, UNTRAINED, Configuration, Settings, canonical
from ..settings.reranking import again_by_name
from . import data, labels, results
from .kept_digests import KeptDigests
from .loading import resolved_name
from .resources import REQUESTS

_Value = TypeVar("_Value")

Known = str | Callable[..., str]
"""What a parameter of a planning function is given: a name, or a planning function that tells it."""


class Forecast(Protocol):
    """What a job takes, by its rule, wildcards and GPUs."""

    def seconds(self, rule: str, wildcards: Mapping[str, str], gpus: int, threads: int) -> float | None:
        """Its time; None where that is not known."""

    def weights_megabytes(self, rule: str, wildcards: Mapping[str, str], gpus: int) -> float:
        """Main memory for a model's weights and what is kept beside them; 0 without a model, or of unknown size."""


class Unknown:
    """Predicts nothing: in a process that Snakemake starts for a job, time and memory were asked for already."""

    def seconds(self, rule: str, wildcards: Mapping[str, str], gpus: int, threads: int) -> None:
        """See ``Forecast``."""

    def weights_megabytes(self, rule: str, wildcards: Mapping[str, str], gpus: int) -> float:
        """See ``Forecast``."""
        return 0


class Wildcards(Protocol):
    """Snakemake's wildcards of a job."""

    def __getattr__(self, name: str) -> str: ...


class Plan:
    """A configuration with the folder of the workflow, as the rules see them.

    Args:
        configuration: the configuration.
        workflow: folder of the Snakefile; rules run in the working folder, which may be another.
        forecast: what a job takes.
    """

    def __init__(self, configuration: Configuration, workflow: Path, forecast: Forecast | None = None) -> None:
        self.configuration = configuration
        self._forecast = forecast or Unknown()
        self._workflow = workflow.resolve()
        self._here = self._workflow == Path.cwd()

    def _own(self, path: str) -> str:
        return path if self._here else str(self._workflow / path)

    def script(self, name: str) -> Callable[[Wildcards, object], str]:
        """Path of a command-line script; it makes nothing stale, as :meth:`configuration_file` does."""
        path = self._own(f"workflow/scripts/{name}")

        def with_input(wildcards: Wildcards, input: object) -> str:
            return path

        return with_input

    def resource(self, path: str) -> str:
        """A file of resources/, or one of the user's, whose path begins with ``./`` or ``/``."""
        return path.removeprefix("./") if path.startswith((".", "/")) else self._own(f"resources/{path}")

    def of(self, function: Callable[..., _Value], **known: Known) -> Callable[[Wildcards], _Value]:
        """A planning function as a function of the wildcards that its parameters name.

        Some may be known already, or told by another planning function. ``annotator=reranking.annotator`` gives a
        function of annotators that of the wildcard ``reranked``.
        """
        parameters = list(inspect.signature(function).parameters)[1:]
        names = [name for name in parameters if name not in known]
        fixed = {name: value for name, value in known.items() if isinstance(value, str)}
        told = {name: self.of(value) for name, value in known.items() if not isinstance(value, str)}

        def of_wildcards(wildcards: Wildcards) -> _Value:
            given = {name: getattr(wildcards, name) for name in names} | fixed
            return function(self.configuration, **given, **{name: tell(wildcards) for name, tell in told.items()})

        return of_wildcards

    def resource_of(self, function: Callable[..., Any], **known: str) -> Callable[[Wildcards], list[str]]:
        """The same for files of resources/."""
        named = self.of(function, **known)

        def of_wildcards(wildcards: Wildcards) -> list[str]:
            found = named(wildcards)
            return [self.resource(path) for path in ([found] if isinstance(found, str) else found)]

        return of_wildcards

    def watched(
        self, function: Callable[..., Iterable[str]], mark: Callable[[str], Any], **known: str
    ) -> Callable[[Wildcards], list[Any]]:
        """Files to wait for. A user's own are marked, as their content is what counts and not their time."""
        files = self.of(function, **known)
        return lambda wildcards: [
            mark(file) if data.is_given(self.configuration, file) else file for file in files(wildcards)
        ]

    def marked(
        self, function: Callable[..., Iterable[str]], mark: Callable[[str], Any], **known: str
    ) -> Callable[[Wildcards], list[Any]]:
        """Files to wait for, each marked."""
        files = self.of(function, **known)
        return lambda wildcards: [mark(file) for file in files(wildcards)]

    def content(self, function: Callable[..., Iterable[str]], **known: str) -> Callable[[Wildcards], list[str]]:
        """A digest of each file that is a user's own: as a parameter it makes what was made of another content stale,
        and a copy, a checkout or a touch makes nothing so.
        """
        files = self.of(function, **known)
        return lambda wildcards: [
            content_digest(file, ".snakemake/content")
            for file in files(wildcards)
            if data.is_given(self.configuration, file)
        ]

    def settings(self, function: Callable[..., Settings], **known: str) -> Callable[[Wildcards], str]:
        """What a rule is stale by: its job's settings as canonical JSON, from a function of :mod:`.jobs`."""
        of_job = self.of(function, **known)
        return lambda wildcards: canonical(of_job(wildcards))

    def code(
        self, script: str, function: str, entries: Callable[..., Iterable[str]] | None = None, **known: str
    ) -> Callable[[Wildcards], str]:
        """Digest of the code that a command of a script reaches, with the entries of tables that the job uses.

        A function of the wildcards, so that a job on a cluster looks through the code of its own rule only.
        """
        used = self.of(entries, **known) if entries else lambda wildcards: ()
        return lambda wildcards: self._digests.of(script, function, tuple(used(wildcards)))

    @cached_property
    def _digests(self) -> KeptDigests:
        return KeptDigests(self._workflow / "workflow" / "scripts", ".snakemake/code-digests.json")

    def configuration_file(self, wildcards: Wildcards, input: object) -> str:
        """The file that a job reads its settings from.

        Snakemake takes parameters that depend on ``input`` as derived from it, and leaves them out when it looks for
        changes. So this one takes ``input``, and makes nothing stale.
        """
        return self._resolved_name

    @cached_property
    def _resolved_name(self) -> str:
        return resolved_name(self.configuration)  # a digest of the whole, which every job asks for

    def unwatched(self, function: Callable[..., _Value], **known: Known) -> Callable[[Wildcards, object], _Value]:
        """A parameter that makes nothing stale, for the same reason."""
        value = self.of(function, **known)

        def with_input(wildcards: Wildcards, input: object) -> _Value:
            return value(wildcards)

        return with_input

    def requests(
        self, rule: str, gpus: Callable[..., int] | None = None, **known: Known
    ) -> dict[str, Callable[..., int]]:
        """What the jobs of a rule ask a scheduler for, as Snakemake's resources: memory, time and GPUs."""
        request = REQUESTS[rule]
        number: Callable[[Wildcards], int] = self.of(gpus, **known) if gpus else lambda wildcards: 0

        def mem_mb(wildcards: Wildcards, attempt: int) -> int:
            weights = self._forecast.weights_megabytes(rule, _known(wildcards), number(wildcards))
            return request.megabytes(number(wildcards), attempt, weights)

        def runtime(wildcards: Wildcards, threads: int, attempt: int) -> int:
            seconds = self._forecast.seconds(rule, _known(wildcards), number(wildcards), threads)
            return request.minutes(seconds, attempt)

        asked: dict[str, Callable[..., int]] = {}
        if request.mem_mb is not None:
            asked["mem_mb"] = mem_mb
        if request.runtime is not None:
            asked["runtime"] = runtime
        return asked | ({"gpu": number} if gpus else {})

    def environment_of(self, with_vllm: Callable[..., bool], **known: Known) -> Callable[[Wildcards], str]:
        """The conda environment of a job that asks an LLM: vLLM has one of its own."""
        needed = self.of(with_vllm, **known)
        return lambda wildcards: "../envs/vllm.yaml" if needed(wildcards) else "../envs/core.yaml"

    def launcher(self, wildcards: Wildcards, input: object, resources: Any) -> str:
        """What starts a training: Python, or torchrun where the job has several GPUs."""
        gpus = resources.get("gpu", 0)
        return f"python -m torch.distributed.run --standalone --nproc-per-node {gpus}" if gpus > 1 else "python"

    def title(self, heading: str, section: str, wildcard: str) -> Callable[[Wildcards], dict[str, str]]:
        """How Snakemake's report calls a table or a figure that the configuration defines."""
        members = getattr(self.configuration, section)
        return lambda wildcards: {heading: members[getattr(wildcards, wildcard)].title}

    def wildcard_patterns(self) -> dict[str, str]:
        """Every wildcard as the alternatives that the configuration allows."""
        known = self.configuration
        lexical = [BM25, *known.bm25_variants]
        external = [f"{EXTERNAL}/{name}" for name in known.external_runs]
        dense = [f"{b}/{name}" for b in known.backbones for name in (UNTRAINED, *known.trainings)]
        on_top = again_by_name(known.reranked, known.selected)
        retriever = one_of([*(f"{BM25}/{name}" for name in lexical), *external, *on_top, *dense])
        return {
            "against": one_of(known.labels),
            "annotator": one_of(known.annotators),
            "average": one_of(known.averages),
            "backbone": one_of(known.backbones),
            "bm25": one_of(lexical),
            "cost_table": one_of(known.cost_tables),
            "dataset": one_of(known.datasets),
            "export_format": one_of(FORMS),
            "external_run": one_of(known.external_runs),
            "generator": one_of(known.annotators),
            "label_chart": one_of(known.label_charts),
            "label_table": one_of(known.label_tables),
            "labels": one_of(known.labels),
            "length": r"(@\d+)?",
            "line_chart": one_of(known.line_charts),
            "model": one_of(known.models),
            "pool": one_of(known.pools),
            "qa": one_of(known.qa),
            "questions": one_of(known.questions),
            "reranked": one_of(known.reranked),
            "reranker": self.trained,
            "retriever": retriever,
            "first": retriever,
            "second": retriever,
            "selected": one_of(known.selected),
            "shard": r"\d{4}-of-\d{4}",
            "split": one_of({split for dataset in known.datasets.values() for split in dataset.splits}),
            "table": one_of(known.tables),
            "testset": one_of(known.testsets),
            "training": one_of([UNTRAINED, *known.trainings]),
        }

    @property
    def trained(self) -> str:
        """Pattern of what is trained: a backbone or a reranker."""
        return one_of([*self.configuration.backbones, *self.configuration.rerankers])

    def reranked_by(self, kind: str) -> str:
        """Pattern of the reranked runs of a kind: ``reranker`` or ``annotator``."""
        return one_of(name for name, settings in self.configuration.reranked.items() if getattr(settings, kind))

    def dataset_of(self, kind: str) -> str:
        """Pattern of the datasets that are made from a kind: ``corpus`` or ``documents``."""
        return one_of(name for name, settings in self.configuration.datasets.items() if getattr(settings, kind))

    def selected_by(self, kind: str) -> str:
        """Pattern of the selected runs of a kind: ``labels`` or ``annotator``."""
        return one_of(name for name, settings in self.configuration.selected.items() if getattr(settings, kind))

    def targets(self) -> dict[str, list[str]]:
        """Every named target with its files: the whole, each kind of result, each table and each chart."""
        known = self.configuration
        drawn = [*results.all_tables(known), *results.all_charts(known)]
        return {
            "all": [*results.verdicts(known), *results.all_tables(known), *results.all_figures(known), results.REPORT],
            "labels": labels.everything(known),
            "models": results.shown_models(known),
            "tables": results.all_tables(known),
            "figures": results.all_figures(known),
            "paper": drawn,
            **{name: results.files(known, name) for name in results.names(known)},
        }


def one_of(names: Iterable[str]) -> str:
    """Pattern of these names and no others."""
    return "|".join(map(re.escape, sorted(names))) or "none"


def none_of(names: Iterable[str], otherwise: str) -> str:
    """Pattern of what is none of these names."""
    return f"(?!(?:{'|'.join(map(re.escape, sorted(names)))})$){otherwise}"


def _known(wildcards: Wildcards) -> dict[str, str]:
    return {key: value for key, value in vars(wildcards).items() if isinstance(value, str)}
