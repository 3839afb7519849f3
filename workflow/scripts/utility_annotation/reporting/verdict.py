"""The verdict: what training on labels gained, with an interval, by whose judgement and at what cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..common.errors import InputError
from ..evaluation.significance import compare
from ..labels.cost import Effort, Records
from ..settings import BM25, UNTRAINED
from .intervals import samples_of
from .metrics import read_metrics
from .settings import VerdictSettings
from .tables import as_text, metric_name, with_spread
from .work import amount

NAMES = {UNTRAINED: "the untrained retriever", BM25: "BM25"}
"""The baselines in words."""

_SMALL = 0.5
"""Points; of a smaller difference it is not worth to say how many questions would show it."""


def judge(settings: VerdictSettings, metrics: Sequence[Path | str], records: Records) -> dict[str, Any]:
    """The figures of a verdict, ready for JSON; metrics are in percent.

    ``against`` has for each baseline its ``value`` and the training's ``gain`` over it with its interval (``low``,
    ``high``), ``p_value`` and ``detectable``, the smallest difference that a test of these queries shows. ``effort`` is
    that behind the labels, null where they come from a file.

    Raises:
        InputError: there are fewer than two queries, or a record of the work is missing.
    """
    found = read_metrics(metrics, settings.seeds)
    found = found[found["metric"] == settings.metric]
    lines = {line.training: line for line in found.itertuples()}
    samples = {key[1]: sample for key, sample in samples_of(found).items()}
    ours = lines[settings.training]
    if ours.queries < 2:
        raise InputError(
            f"test set {settings.testset} has {ours.queries} judged question, too few for a verdict.",
            hint="hold out more questions, or leave out the table's `verdict`.",
        )
    against = {}
    for name in lines:
        if name != settings.training:
            comparison = compare(samples[settings.training], samples[name])._asdict()
            against[name] = {"value": lines[name].value} | {
                key: value if key == "p_value" else 100 * value for key, value in comparison.items()
            }
    effort = None if settings.work is None else records.effort(settings.work)
    return {
        "backbone": settings.backbone,
        "training": settings.training,
        "testset": settings.testset,
        "metric": settings.metric,
        "queries": int(ours.queries),
        "value": ours.value,
        "seeds": int(ours.seeds),
        "sd": None if ours.seeds == 1 else ours.sd,
        "against": against,
        "judges": list(settings.judges),
        "judge_made_labels": bool(settings.shared_judges),
        "effort": None if effort is None else asdict(effort) | {"usd": effort.usd(settings.prices)},
    }


def sentences(figures: Mapping[str, Any]) -> list[str]:
    """The verdict in words."""
    metric, queries = metric_name(figures["metric"]), figures["queries"]
    said = [_against(name, each, metric, queries) for name, each in figures["against"].items()]
    sd = float("nan") if figures["sd"] is None else figures["sd"]
    over = f" over {figures['seeds']} seeds" if figures["seeds"] > 1 else ""
    reached = f"{with_spread(figures['value'], sd, 1)} {metric}{over}"
    said.append(
        f"{figures['training']} on {figures['backbone']} reaches {reached} on the {queries:,} questions of "
        f"{figures['testset']}."
    )
    said.append(f"Relevance is judged by {' and '.join(figures['judges'])}.")
    if figures["judge_made_labels"]:
        said.append(
            "The same LLM made labels for this training, so these figures favour it. Let another LLM or people judge "
            "before you rely on them."
        )
    said.append(_cost(figures["effort"]))
    return said


def _against(name: str, found: Mapping[str, float], metric: str, queries: int) -> str:
    whom = NAMES[name]
    interval = f"95 % interval {as_text(found['low'], 1, '+')} to {as_text(found['high'], 1, '+')}"
    if found["low"] > 0 or found["high"] < 0:
        verb = "gained" if found["gain"] > 0 else "lost"
        size = as_text(abs(found["gain"]), 1)
        return f"Training {verb} {size} points of {metric} over {whom} ({as_text(found['value'], 1)}; {interval})."
    looked_for = max(abs(found["gain"]), _SMALL)
    needed = round(queries * (found["detectable"] / looked_for) ** 2, -1)
    more = "" if needed <= queries else f" About {needed:,.0f} questions would show a difference of {looked_for:.1f}."
    return (
        f"It cannot be told from {queries:,} questions whether training gained over {whom}: the difference from its "
        f"{as_text(found['value'], 1)} is {as_text(found['gain'], 1, '+')} points of {metric} ({interval}).{more}"
    )


def _cost(effort: Mapping[str, Any] | None) -> str:
    if effort is None:
        return "The labels come from a file, so their cost is not known."
    shown = {key: value for key, value in effort.items() if key in Effort.__dataclass_fields__}
    parts = [f"{shown[kind]:,.0f} human {kind}" for kind in ("judgements", "answers") if shown[kind]]
    hours = shown["device_hours"]
    if hours is None or hours or not parts:
        parts.append("an unknown number of device hours" if hours is None else f"{amount(hours)} device hours")
    price = "" if effort["usd"] is None else f", about {amount(effort['usd'])} USD"
    return f"The labels took {' and '.join(parts)}{price}."
