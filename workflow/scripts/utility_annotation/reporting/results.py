"""The tables of results: retrievers against test sets and question answering, with significance marks.

Significance (paper, tables 2 to 5): two-sided paired t-test over the queries, within the same backbone; ``+`` and
``−`` against the baseline (Human), ``†`` for better than the second baseline (REPLUG of the same group), which for a
reranked or selected run is the ranking that it is made from. A figure that is no mean over questions, such as BLEU, has
a paired bootstrap instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..common.importing import large_packages
from ..evaluation.answer_work import WORK
from ..evaluation.samples import RESAMPLES, Sample
from ..evaluation.significance import compare, holm
from ..io.schemas import TRAINING_COPIES
from ..labels.annotators import SharedJudge
from ..settings import BM25, EXTERNAL, OF_NO_BACKBONE, ON_TOP, UNTRAINED, Cost, ResultsTable
from .intervals import Key, key_of, pooled, samples_of, with_intervals
from .metrics import KEY, PLACE, read_metrics
from .settings import ResultsTableSettings
from .tables import LABELS, Column, Table, judge_notes, label_frame, metric_name, published_notes, tidy

with large_packages():
    import pandas as pd


def table_rows(settings: ResultsTable) -> pd.DataFrame:
    """The rows of a table from top to bottom: those of no backbone, then each backbone's groups.

    Within its group the untrained backbone stands first.
    """
    rows: list[tuple[object, ...]] = [(*row, 0, "", None) for row in settings.beside()]
    for backbone in settings.backbones:
        for number, group in enumerate(settings.groups, 1):
            for name, training, second in sorted(group.shown(), key=lambda row: row.training != UNTRAINED):
                rows.append((backbone, name, training, number, group.title, second))
    return pd.DataFrame(rows, columns=["backbone", "row", "training", "group", "group_title", "second_baseline"])


def result_cells(
    settings: ResultsTableSettings,
    metrics: Sequence[Path | str],
    paper: pd.DataFrame,
    qualities: Sequence[Mapping[str, Any]] = (),
    copies: Mapping[str, Sequence[Path | str]] | None = None,
) -> pd.DataFrame:
    """The tidy frame of a table; a cell that was not computed is empty.

    Args:
        settings: the table and its trainings' labels.
        metrics: metrics files of the table, each with its per-query values beside it.
        paper: the published figures of :func:`.metrics.read_published`.
        qualities: figures of the labels, where the table has ``label_metrics``.
        copies: by test set or average, files of schema ``TRAINING_COPIES``.

    Raises:
        InputError: trainings that are compared have different queries.
    """
    table, rows = settings.table, table_rows(settings.table)
    results = read_metrics(metrics, settings.seeds, table.answer_work, settings.prices)
    columns = pd.DataFrame(_columns(table, results, paper), columns=["column", "metric"], dtype="str")
    cells = rows.merge(columns, how="cross").merge(results, how="left", on=KEY)
    samples = samples_of(cells)
    cells = with_intervals(cells, samples).assign(
        baseline=_baselines(table, cells["backbone"]),
        second_baseline=_second_baselines(cells, settings.first_stages),
    )
    first, second = (_compared(cells, samples, cells[kind]) for kind in ("baseline", "second_baseline"))
    cells = cells.join(first.rename(columns=_OF_BASELINE)).join(
        second[["p"]].rename(columns={"p": "p_second_baseline"})
    )
    cells = _corrected(cells, table.correction)
    marked, level = cells["corrected_baseline"] < table.significance_level, table.significance_level
    marks = pd.Series("", cells.index, dtype="str").mask(marked & (cells["gain"] > 0), "+")
    marks = marks.mask(marked & (cells["gain"] < 0), "−")
    marks += np.where((cells["corrected_second_baseline"] < level) & (second["gain"] > 0), "†", "")
    cells = cells.assign(marks=marks)
    if table.label_metrics:
        of_labels = rows.merge(pd.DataFrame({"metric": table.label_metrics}), how="cross")
        of_labels = of_labels.assign(column=LABELS, marks="")
        found = label_frame(settings.labels, qualities, table.label_metrics)
        cells = pd.concat([cells, of_labels.merge(found, how="left")], ignore_index=True)
    repeated = {
        name: sum(TRAINING_COPIES.read(path).num_rows for path in paths) for name, paths in (copies or {}).items()
    }
    cells["training_copies"] = cells["column"].map(repeated)
    cells = tidy(cells.merge(paper, how="left", on=PLACE), ["backbone", "row", "training"])
    of_work = cells["metric"].isin(WORK)
    decimals = {name: each.decimals for name, each in WORK.items()}
    cells["decimals"] = cells["metric"].map(decimals).fillna(1).astype("int64")
    shown = cells["value"].map(lambda value: round(value, 1)).where((cells["column"] != LABELS) & ~of_work)
    of_block = cells["backbone"].mask(cells["backbone"].isin(OF_NO_BACKBONE), "")
    blocks = shown.groupby([of_block, cells["column"], cells["metric"]])
    standing = blocks.rank(method="dense", ascending=False).where(blocks.transform("nunique") > 1)
    return cells.assign(standing=standing.map({1: "best", 2: "second"}).fillna("").astype("str"))


_UNKNOWN = (np.nan,) * 5
_OF_BASELINE = {"low": "gain_low", "high": "gain_high", "p": "p_baseline"}


def _baselines(table: ResultsTable, backbones: pd.Series) -> pd.Series:
    """The baseline of each cell as ``backbone/training``."""
    if not table.baseline:
        return pd.Series("", backbones.index, dtype="str")
    kinds = {name: kind for kind, _, name in table.beside() if kind != BM25}
    if table.baseline in kinds:
        backbones = pd.Series(kinds[table.baseline], backbones.index, dtype="str")
    elif len(table.backbones) == 1:  # a row of no backbone is compared on the one that there is
        backbones = backbones.mask(backbones.isin([EXTERNAL, *ON_TOP]), *table.backbones)
    return backbones + f"/{table.baseline}"


def _second_baselines(cells: pd.DataFrame, first_stages: Mapping[str, tuple[str, str]]) -> pd.Series:
    """The same of the second baseline: that of the group, or the row that a reranked or selected run is made from."""
    stages = cells["training"].map({name: "/".join(stage) for name, stage in first_stages.items()})
    of_group = cells["backbone"] + "/" + cells["second_baseline"].astype("str")
    return of_group.mask(cells["backbone"].isin(ON_TOP), stages).fillna("")


def _compared(cells: pd.DataFrame, samples: Mapping[Key, Sample], baselines: pd.Series) -> pd.DataFrame:
    """Each cell compared with its baseline: ``gain``, ``low``, ``high``, ``p``, ``detectable``.

    They are empty where one of the two was not computed, where there is no baseline, and for a baseline itself.
    """
    lines: list[tuple[float, ...]] = []
    for cell, baseline in zip(cells.itertuples(), baselines, strict=True):
        backbone, _, training = baseline.partition("/")
        ours, theirs = key_of(cell), (backbone, training, cell.column, cell.metric)
        if ours == theirs or ours not in samples or theirs not in samples:
            lines.append(_UNKNOWN)
            continue
        found = compare(samples[ours], samples[theirs])
        percent = (100 * found.gain, 100 * found.low, 100 * found.high)
        lines.append((*percent, found.p_value, 100 * found.detectable))
    return pd.DataFrame(lines, cells.index, columns=["gain", "low", "high", "p", "detectable"], dtype="float64")


_TEST = ["column", "metric", "pair"]
"""What names a test: two rows have one, whichever of them is the baseline."""


def _corrected(cells: pd.DataFrame, correction: str) -> pd.DataFrame:
    """The cells with the p-values after the correction. A family is the tests of a column, each counted once."""
    rows = cells["backbone"] + "/" + cells["training"]
    named = {
        kind: cells.assign(
            pair=[" and ".join(sorted(pair)) for pair in zip(rows, cells[kind], strict=True)],
            p=cells[f"p_{kind}"],
        )[[*_TEST, "p"]]
        for kind in ("baseline", "second_baseline")
    }
    each = pd.concat(named.values()).dropna(subset=["p"]).drop_duplicates(_TEST)
    if correction == "holm":
        each["p"] = each.groupby(["column", "metric"])["p"].transform(lambda p: holm(p.to_numpy()))
    each = each.rename(columns={"p": "corrected"})
    for kind, of_kind in named.items():
        found = of_kind.merge(each, how="left", on=_TEST)["corrected"].set_axis(cells.index)
        cells = cells.assign(**{f"corrected_{kind}": found.where(of_kind["p"].notna())})
    return cells.merge(each.groupby(["column", "metric"]).size().rename("tests").reset_index(), how="left")


def results_table(
    settings: ResultsTable,
    cells: pd.DataFrame,
    shared_judges: Iterable[SharedJudge] = (),
    agreement: Iterable[Mapping[str, Any]] = (),
    prices: Cost | None = None,
) -> Table:
    """A table of these cells, with its notes; ``agreement`` is that of :func:`..labels.judges.agreement`, and
    ``prices`` are those of a table that shows what answers cost.
    """
    notes = [
        "Percent. Within a backbone's block, bold is best and underlined second best. An empty cell was not computed."
    ]
    computed = cells.dropna(subset=["queries"]).drop_duplicates("column", keep="last")
    if len(computed):
        counts = (f"{cell.column} {cell.queries}" for cell in computed.itertuples())
        notes.append("Queries: " + ", ".join(counts) + ".")
    repeated = cells[cells["training_copies"] > 0].drop_duplicates("column")
    if len(repeated):
        counts = (f"{cell.column} {cell.training_copies}" for cell in repeated.itertuples())
        notes.append(
            f"Questions that a training has too: {', '.join(counts)} (results/training-copies/ names them; a test set "
            "with training_copies: drop leaves them out)."
        )
    if settings.label_metrics:
        reranker = ", or the training of a row's reranker" if settings.on_top() else ""
        notes.append(
            f"Labels: those that a training reads{reranker}. Precision and recall: of the human positives among their "
            "positives."
        )
    if settings.answer_work:
        notes.append(
            "What an answer takes, per question, whether or not a store had the replies: passages and tokens that the "
            "LLM reads; percent of the questions without a passage, on which it abstained. Seconds of one GPU (or CPU, "
            "or server): those of reranking, selecting and answering, without searching and loading models."
        )
    if settings.answer_work and prices is not None:
        notes.append(f"USD: at {prices.gpu_hour_usd:g} USD per GPU hour, for 1,000 questions.")
    notes += judge_notes(shared_judges)
    notes += [note for each in agreement for note in _agreement_notes(each)]
    notes += published_notes(settings.published, cells)
    seconds = list(dict.fromkeys(group.second_baseline for group in settings.groups if group.second_baseline))
    baseline = settings.baseline in set(cells["training"])
    stages = cells.loc[cells["backbone"].isin(ON_TOP), "p_second_baseline"].notna().any()
    if baseline:
        beside = (*settings.external_runs, *settings.reranked, *settings.selected)
        whose = "" if settings.baseline in beside else " of the same backbone"
        notes.append(f"Marks + and −: significantly better or worse than {settings.baseline}{whose}.")
    if seconds:
        notes.append(f"Mark †: significantly better than {' or '.join(seconds)} of the same group and backbone.")
    if stages:
        notes.append("Mark † of a reranked or selected row: significantly better than the row that it is made from.")
    if baseline or seconds or stages:
        notes += _test_notes(settings, cells)
    if (cells["seeds"] > 1).any():
        notes.append("With ±: mean and standard deviation over the seeds of a training; tests count their variance.")
    return Table(settings.title, {"backbone": "backbone", "training": "row"}, cells, notes)


def _agreement_notes(found: Mapping[str, Any]) -> list[str]:
    alpha = "not defined" if found["alpha"] is None else f"{found['alpha']:.2f}"
    named = " and ".join(f"{testset} by {judge}" for testset, judge in found["judges"].items())
    notes = [
        f"The same questions are judged in {named}. Krippendorff's alpha on the {found['passages']:,} passages that two"
        f" judged: {alpha}."
    ]
    for pair in found["pairs"]:
        kappa = "not defined" if pair["kappa"] is None else f"{pair['kappa']:.2f}"
        orders = [f"{metric_name(metric)} {tau:.2f}" for metric, tau in pair["order"].items()]
        order = f"; Kendall's tau of the retrievers' order: {', '.join(orders)}" if orders else ""
        notes.append(f"{pair['first']} and {pair['second']}: Cohen's kappa {kappa}{order}.")
    return notes


def _test_notes(settings: ResultsTable, cells: pd.DataFrame) -> list[str]:
    """By which test a difference is marked, how many tests there are, and what they can show."""
    tests = cells["tests"].dropna()
    number = f"{tests.min()}" if tests.nunique() == 1 else f"{tests.min()} to {tests.max()}"
    how = {"holm": "corrected by Holm's method within each column", "none": "not corrected for their number"}
    notes = [
        f"Significance: two-sided paired t-test over the queries, p < {settings.significance_level:g}. On an average, "
        "the test is stratified by test set."
    ]
    if len(tests):
        notes.append(f"Tests per column: {number}, {how[settings.correction]}.")
    if of_all := [metric for metric in dict.fromkeys(cells["metric"]) if pooled(metric)]:
        names = ", ".join(map(metric_name, of_all))
        notes.append(f"{names}: paired bootstrap of the figure over all questions, {RESAMPLES:,} resamples.")
    smallest = cells.groupby(["column", "metric"], sort=False)["detectable"].median()
    smallest = smallest[smallest > 0]
    if len(smallest):
        each = (f"{column} {metric_name(metric)} {value:.1f}" for (column, metric), value in smallest.items())
        notes.append(
            f"Smallest difference from {settings.baseline} that one such test shows in 80 % of the cases (median of "
            f"the rows): {', '.join(each)}."
        )
    return notes


def _columns(settings: ResultsTable, results: pd.DataFrame, paper: pd.DataFrame) -> list[Column]:
    """Name and metric of each column: test sets and averages, then each task with each generator.

    Metrics stand as the table lists them, else by name and depth.
    """
    known = {(*place,) for found in (results, paper) for place in found[["column", "metric"]].itertuples(index=False)}
    answers = [f"{task}/{generator}" for task in settings.qa for generator in settings.generators]
    columns = []
    for name in (*settings.testsets, *answers):
        metrics = sorted(
            (metric.partition("@") for column, metric in known if column == name),
            key=lambda parts: (parts[0], int(parts[2] or 0)),
        )
        names = ["".join(parts) for parts in metrics]
        measured = settings.metrics or [metric for metric in names if metric not in WORK]
        columns += [(name, metric) for metric in (*measured, *settings.answer_work) if metric in names]
    return columns
