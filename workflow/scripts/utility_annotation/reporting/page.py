"""The report: one HTML file that needs no network, for a wide screen, a phone, day and night.

It is complete without a script; its one script filters the annotations. A policy in the page lets a browser run this
script and no other, and load nothing, whatever a passage or a reply contains.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import json
import platform
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from ..common.errors import InputError
from ..common.files import REGENERATE, read_json
from ..labels.annotators import shared_judges
from ..labels.positions import NORMAL_95
from ..labels.sources import SOURCES
from ..settings import Configuration
from .browser import Text, read_sample, visible
from .cost_tables import cost_table
from .label_tables import label_table
from .metrics import read_training
from .results import results_table
from .tables import Table, as_text, metric_name, read_csv
from .work import amount, usd

_EVALUATORS = ("ranx", "faiss-cpu", "pyserini", "scipy", "pyarrow", "pandas", "snakemake")


def render(
    template: Path,
    configuration: Configuration,
    *,
    quality: Sequence[Path] = (),
    tables: Sequence[Path] = (),
    figures: Sequence[Path] = (),
    trainings: Sequence[Path] = (),
    costs: Sequence[Path] = (),
    samples: Sequence[Path] = (),
    verdicts: Sequence[Path] = (),
    comparisons: Sequence[Path] = (),
    agreements: Sequence[Path] = (),
    documents: Sequence[Path] = (),
    questions: Sequence[Path] = (),
) -> str:
    """The page as HTML.

    Args:
        template: the Jinja template; whatever it inserts is escaped. Beside it stand what it includes, the page's style
            (``style.css``) and script (``annotations.js``).
        configuration: what was asked for.
        quality: JSON files of ``label_quality``, one per label set.
        tables: CSV files of :func:`.tables.to_csv`, each named as its table.
        figures: SVG files; one named as a table stands with that table, ``positives`` and ``positions`` with the
            labels, ``training`` with the trainings, and charts by themselves.
        trainings: the records that trainings leave beside their models.
        costs: files of :func:`.work.annotation_cost`, one per pool.
        samples: files of :func:`.cards.collect`, one per pool.
        verdicts: texts, each with its picture beside it.
        agreements: JSON files whose ``groups`` are of :func:`..labels.judges.agreement`, each named as its table.
        documents: summaries of :func:`..documents.corpus.make_corpus`, each named as its dataset.
        questions: summaries of :func:`..questions.keep.keep`, each in a folder of their name.
        comparisons: pages of :func:`.comparison.to_markdown`, each with its figures beside it.
    """
    records = list(map(read_training, trainings))
    agreed: dict[str, Any] = {path.stem: read_json(path, "groups")["groups"] for path in agreements}
    script = (template.parent / "annotations.js").read_text(encoding="utf-8")
    environment = Environment(
        loader=FileSystemLoader(template.parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"metric": metric_name, "tendency": tendency, "usd": partial(usd, configuration.cost)}
    environment.filters |= {"shown_figure": lambda value, sign="": as_text(value, 1, sign)}
    environment.filters |= {"visible": visible, "shown": Text.of, "amount": amount}
    return environment.get_template(template.name).render(
        configuration=configuration,
        settings=json.dumps(
            configuration.model_dump(mode="json", exclude={"performance"}), indent=2, ensure_ascii=False
        ),
        compared_with_humans=compared_with_humans(configuration),
        qualities=[read_json(path, "labels") for path in quality],
        tables={path.stem: _table(configuration, path, agreed.get(path.stem, ())) for path in tables},
        figures={path.stem: _embedded(path) for path in figures},
        trainings=records,
        versions=_versions(records),
        works=list(map(read_json, costs)),
        pools=list(map(read_sample, samples)),
        verdicts=[(path.read_text("utf-8").strip(), _embedded(path.with_suffix(".svg"))) for path in verdicts],
        comparisons=[read_json(path.with_suffix(".json"), "examples") for path in comparisons],
        documents={path.stem: read_json(path, "documents", "passages") for path in documents},
        questions={path.parent.name: read_json(path, "dropped", "examples") for path in questions},
        style=Markup((template.parent / "style.css").read_text(encoding="utf-8")),
        script=Markup(script),
        script_digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def _embedded(svg: Path) -> str:
    content = svg.read_bytes()
    if not content.rstrip().endswith(b"</svg>"):
        raise InputError("this figure is cut short.", hint=REGENERATE, path=svg)
    return base64.b64encode(content).decode()


def _table(configuration: Configuration, path: Path, agreement: Sequence[Mapping[str, Any]]) -> Table:
    name, cells = path.stem, read_csv(path)
    if name in configuration.tables:
        shown = configuration.tables[name]
        shared = shared_judges(configuration, shown.names(), shown.testsets)
        return results_table(shown, cells, shared, agreement)
    if name in configuration.label_tables:
        return label_table(configuration.label_tables[name], cells)
    priced = configuration.cost_tables[name]
    shared = shared_judges(configuration, priced.trainings, [priced.testset])
    return cost_table(priced, configuration.cost, cells, shared)


def compared_with_humans(configuration: Configuration) -> bool:
    """Whether a table tests retrievers against one that was trained on human labels alone."""
    baselines = {table.baseline for table in configuration.tables.values() if table.baseline in configuration.trainings}
    sources = {configuration.labels[configuration.trainings[name].labels].source for name in baselines if name}
    return any(source in SOURCES and SOURCES[source].human for source in sources)


def tendency(relative: Mapping[str, Any]) -> str:
    """Whether passages stand ``earlier`` or ``later`` in their lists than chance puts them (p < 0.05), else nothing."""
    mean, error = relative["mean"], relative["standard_error"]
    if mean is None or error is None or abs(mean - 0.5) <= max(NORMAL_95 * error, 1e-9):  # 1e-9: rounding
        return ""
    return "earlier" if mean < 0.5 else "later"


def _versions(trainings: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Name → version of what trained the models, and of what evaluated them where this page is written."""
    used: dict[str, set[str]] = {"python": {platform.python_version()}}
    for name in _EVALUATORS:
        try:
            used[name] = {importlib.metadata.version(name)}
        except importlib.metadata.PackageNotFoundError:
            continue
    for training in trainings:
        for name, version in training["versions"].items():
            used.setdefault(name, set()).add(version)
    return {name: ", ".join(sorted(versions)) for name, versions in sorted(used.items())}
