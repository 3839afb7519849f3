"""The card of exported labels: Markdown with a head that Hugging Face's hub reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from ..annotation.stages import STAGES
from ..evaluation.answer_metrics import ANSWER_METRICS
from ..labels.sources import descriptions, members_of, rule_of
from ..reporting.markup import markdown_table
from ..settings import Annotator, JobSettings, Labels, Model, Name, Pool, canonical
from ..settings.hub import shown
from .forms import ExportFormat

PAPER = (
    "H. Zhang et al., *Utility-Focused LLM Annotation for Retrieval and Retrieval-Augmented Generation*, EMNLP 2025, "
    "arXiv 2504.05220"
)


IGNORED_BY = "what the stage {} selected, if it is not positive"


class ExportSettings(JobSettings):
    """The settings that decide an export."""

    name: Name
    """Name of the label set."""
    labels: Labels
    pool: Pool
    annotator: Annotator | None
    model: Model | None
    """The annotator's model, if it runs here."""


def whole(head: Mapping[str, Any], *parts: str) -> str:
    """A card as Markdown: the head that the hub reads, then the parts, of which empty ones are left out."""
    written = yaml.safe_dump(head, sort_keys=False, allow_unicode=True)
    return "\n\n".join([f"---\n{written}---", *filter(None, parts)]) + "\n"


def table(rows: Sequence[Sequence[str]], *, texts: int, headings: Sequence[str] = ("", ""), title: str = "") -> str:
    """A part of a card that has a title and a table; none without rows."""
    lines = [f"## {title}", ""] if title else []
    return "\n".join([*lines, *markdown_table(headings, rows, texts=texts)]) if rows else ""


def card(
    settings: ExportSettings,
    form: ExportFormat,
    counts: Mapping[str, int],
    quality: Mapping[str, Any],
    ignored: int = 0,
) -> str:
    """The card.

    Args:
        settings: the labels and what made them.
        form: the format of the files beside it.
        counts: numbers of questions, positives and negatives in the files, and of questions that lack either.
        quality: the figures of ``results/quality/{labels}.json``.
        ignored: number of candidates that the labels ignore.
    """
    head: dict[str, Any] = {
        "pretty_name": f"{settings.name}: labels of {settings.labels.pool}",
        "task_categories": ["text-retrieval"],
        "tags": ["dense-retrieval", "llm-annotation", settings.labels.source],
    }
    if form.files:
        head["configs"] = [
            {"config_name": part, "data_files": file} | ({"default": True} if number == 0 else {})
            for number, (part, file) in enumerate(form.files.items())
        ]
    mean = counts["positives"] / max(1, counts["questions"])
    held = ("questions", "positives", "negatives")
    lacking = (name for name in counts if name not in held)
    rows = [(name, f"{counts[name]:,}") for name in (*held, *sorted(lacking, reverse=True))]
    return whole(
        head,
        f"# {settings.name}: labels of {settings.labels.pool}, in the format of {form.title}",
        f"A passage is a positive of a question by {descriptions()[settings.labels.source]}. The method is "
        f"that of {PAPER}.",
        table(_origin(settings), texts=2),
        table([*rows, ("positives per question", f"{mean:.2f}")], texts=1, title="What it holds"),
        table(_against_humans(settings.labels, quality), texts=1, title="Beside human labels"),
        f"## How to load it\n\n```\n{form.loading}\n```",
        "A query's positives are in the order of its labels, best first if an LLM ranked them. "
        "Negatives are the other judged candidates, in the shuffled order of the pool.",
        f"{ignored:,} candidates are ignored: {form.ignored}." if ignored else "",
        "The texts come from the collection of the pool, and its licence applies to them.",
    )


def _origin(settings: ExportSettings) -> list[tuple[str, str]]:
    pool, labels = settings.pool, settings.labels
    source = pool.source
    of_dataset = f"of dataset {pool.dataset}, {pool.split}"
    if source.pool:
        rows = [("pool", f"{labels.pool}: a part of the questions of {source.pool}, {of_dataset}")]
    else:
        rankings = f"rankings of {', '.join(source.retrievers)} for test set {source.testset}"
        rows = [
            ("pool", f"{labels.pool}: up to {pool.size} candidates per question, {of_dataset}"),
            ("candidates", f"{shown(source.path) if source.path else rankings} ({source.format})"),
        ]
    if labels.queries.percent < 100:
        rows.append(("questions", f"a random {labels.queries.percent:g} %, seed {labels.queries.seed}"))
    if labels.of:
        rows.append((f"{labels.source} of", ", ".join(labels.of)))
    if members_of(labels.source) == "voters":
        weights = ", ".join(f"{name} {weight:g}" for name, weight in labels.weights.items())
        rows.append(("positive", f"from {labels.threshold:g}, by {labels.voting}{weights and f' ({weights})'}"))
    if labels.file:
        rows.append(("file", f"{shown(labels.file.path)} ({labels.file.format})"))
    rule = rule_of(labels.source)
    if rule is not None and rule.ranked:
        rows.append(("positive", f"the first {labels.top_percent:g} % of the list, at least one"))
    if rule is not None and rule.highest > 1:
        rows.append(("positive", f"a grade of {labels.relevance_level} or more, of 0 to {rule.highest}"))
    if labels.metric is not None:
        label = ANSWER_METRICS[labels.metric].label
        rows.append(("positive", f"{label} of the answer with it is higher by more than {labels.margin:g}"))
    if labels.ignore:
        rows.append(("ignored", IGNORED_BY.format(labels.ignore)))
    if settings.annotator:
        annotator = settings.annotator
        model = settings.model
        where = (model.hub or model.package or model.path) if model else None
        names = [name for name in (where, annotator.served_model_name) if name]
        rows += [
            ("LLM", " as ".join(names) if names else (labels.annotator or "")),
            ("protocol", f"{annotator.protocol}, {annotator.engine}"),
        ]
        reply = STAGES[labels.source].way(annotator.protocol).reply
        if reply == "answer":
            rows.append(("decoding of answers", f"`{canonical(annotator.answer_sampling)}`"))
        elif annotator.protocol == "listwise":
            rows.append(("decoding", f"`{canonical(annotator.sampling)}`, permutations: {annotator.permutations}"))
        if "answer" in STAGES[labels.source].reads:
            rows.append(("decoding of pseudo-answers", f"`{canonical(annotator.answer_sampling)}`"))
    return rows


def _against_humans(labels: Labels, quality: Mapping[str, Any]) -> list[tuple[str, str]]:
    """How the labels compare with the pool's human positives, unless they are these."""
    if labels.source == "human" or not quality["human_positives"]:
        return []
    selection, agreement, annotation = quality["selection"], quality["agreement"], quality["annotation"]
    rows = [("human positives in the pool", f"{quality['human_positives']:,}")]
    if selection:
        rows += [("human positives that the labels ignore", f"{quality['human_ignored']:,}")] * bool(quality["ignored"])
        rows += [
            (f"{name} of the human positives, %", "" if selection[name] is None else f"{selection[name]:.1f}")
            for name in ("precision", "recall")
        ]
    if agreement and agreement["kappa"] is not None:
        rows.append(("Cohen's kappa", f"{agreement['kappa']:.3f}"))
    if annotation:
        outcomes = ", ".join(f"{outcome} {number:,}" for outcome, number in annotation["outcomes"].items() if number)
        rows.append(("outcomes of the last stage", outcomes))
        if annotation["completed"]:
            rows.append(("rankings of only some of the passages", f"{annotation['completed']:,}"))
    return rows
