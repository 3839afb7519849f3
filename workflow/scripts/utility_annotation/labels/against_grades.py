"""How a label set's grades agree with those of people, and where it grades higher than they do."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ..common.bootstrap import draws, interval
from ..common.errors import InputError
from ..io.label_values import HIGHEST_GRADE, is_ignored
from ..io.questions import FUNCTION_WORDS
from ..io.schemas import LABELS, POOL, QRELS, iter_rows
from .agreement import krippendorff_alpha

Grades = npt.NDArray[np.int64]
_KEYS = ["query_id", "docid"]
_WORD = re.compile(r"\w+")
_PARTS = 3


def agreement_of_grades(labels: Path, pools: Sequence[Path], qrels: Path) -> dict[str, Any]:
    """Agreement on the candidates that both grade, ready for JSON.

    Grades of people below 0 count as 0, and above the scale as its highest.

    Args:
        labels: schema ``LABELS``. Of labels with a ``relevance_level`` the lower grades are 0.
        pools: the shards of their pool, for the texts.
        qrels: the grades of people.

    Returns:
        ``passages`` that both grade and their ``questions``, and how many of those that people grade are ``ignored``;
        ``confusion``: passages by the grade of people (rows) and of the labels (columns); ``kappa``: Cohen's with
        quadratic weights, and its 95 % interval, a bootstrap over questions; ``alpha``: Krippendorff's of ordinal
        grades; ``mean`` grades of both, and their ``difference`` with its interval. A figure is null where it is not
        defined. ``probes``: the same means for three equal parts of the passages, ordered by ``words`` (the length of
        the passage) and by ``shared`` (the share of the question's content words that it has), and ``low`` and
        ``high``, the bounds of the part. If the labels are higher than people only where passages are long, or have the
        question's words, they overrate these.

    Raises:
        InputError: nothing is graded by both.
    """
    both = LABELS.read(labels, [*_KEYS, "label"]).join(QRELS.read(qrels), _KEYS, join_type="inner")
    both = both.sort_by([(key, "ascending") for key in _KEYS])
    judged = both.filter(pa.array(~is_ignored(both["label"].to_numpy())))
    if not judged.num_rows:
        raise InputError(
            f"people graded no candidate that {labels.stem!r} grade.",
            hint="compare labels of a pool whose split has `qrels`.",
            path=labels,
        )
    ours = judged["label"].to_numpy().astype(np.int64)
    people = judged["grade"].to_numpy().astype(np.int64).clip(0, HIGHEST_GRADE)
    names = judged["query_id"].unique()
    questions = pc.index_in(judged["query_id"], value_set=names).to_numpy()
    tables, differences = _resampled(people, ours, questions, len(names))
    kappas = [kappa for table in tables if (kappa := quadratic_kappa(table)) is not None]
    counts = _confusion(people, ours)
    return {
        "labels": labels.stem,
        "questions": len(names),
        "passages": judged.num_rows,
        "ignored": both.num_rows - judged.num_rows,
        "confusion": counts.tolist(),
        "kappa": quadratic_kappa(counts),
        "kappa_interval": interval(kappas) if kappas else None,
        "alpha": krippendorff_alpha(np.stack([people, ours]).astype(float), ordinal=True),
        "mean": {"people": float(people.mean()), "labels": float(ours.mean())},
        "difference": float((ours - people).mean()),
        "difference_interval": interval(differences),
        "probes": _probes(judged, people, ours, pools),
    }


def quadratic_kappa(confusion: np.ndarray) -> float | None:
    """Cohen's kappa with quadratic weights (J. Cohen, *Weighted kappa*, Psychological Bulletin 70, 1968).

    Args:
        confusion: how often two raters give each pair of grades; shape (grades, grades).

    Returns:
        None if both raters give all one and the same grade.
    """
    number = np.arange(len(confusion))
    weights = (number[:, None] - number) ** 2
    expected = np.outer(confusion.sum(axis=1), confusion.sum(axis=0)) / max(confusion.sum(), 1)
    by_chance = float((weights * expected).sum())
    return 1 - float((weights * confusion).sum()) / by_chance if by_chance else None


def _confusion(people: Grades, ours: Grades) -> Grades:
    size = HIGHEST_GRADE + 1
    return np.bincount(people * size + ours, minlength=size * size).reshape(size, size)


def _resampled(people: Grades, ours: Grades, questions: np.ndarray, number: int) -> tuple[np.ndarray, np.ndarray]:
    """The confusions and the mean differences of resamples of the questions."""
    size = HIGHEST_GRADE + 1
    cells = np.bincount(questions * size**2 + people * size + ours, minlength=number * size**2)
    tables = (draws(number) @ cells.reshape(number, size**2)).reshape(-1, size, size)
    grade = np.arange(size)
    differences = (tables * (grade - grade[:, None])).sum(axis=(1, 2)) / tables.sum(axis=(1, 2))
    return tables, differences


def _probes(judged: pa.Table, people: Grades, ours: Grades, pools: Sequence[Path]) -> dict[str, Any]:
    features = _features(judged, pools)
    return {name: list(_parts(features[name], people, ours)) for name in ("words", "shared")}


def _features(judged: pa.Table, pools: Sequence[Path]) -> dict[str, np.ndarray]:
    """Of each judged candidate, the words of its passage and the share of the question's content words in it."""
    wanted = {pair: place for place, pair in enumerate(zip(*(judged[key].to_pylist() for key in _KEYS), strict=True))}
    found = {name: np.zeros(len(wanted)) for name in ("words", "shared")}
    for row in iter_rows(POOL, pools):
        asked = {word for word in _WORD.findall(row["query"].casefold()) if word not in FUNCTION_WORDS}
        for candidate in row["candidates"]:
            place = wanted.get((row["query_id"], candidate["docid"]))
            if place is not None:
                words = _WORD.findall(candidate["text"].casefold())
                found["words"][place] = len(words)
                found["shared"][place] = len(asked & set(words)) / max(1, len(asked))
    return found


def _parts(values: np.ndarray, people: Grades, ours: Grades) -> Iterator[dict[str, float]]:
    """Three parts of the passages by a value, with as many each, and what both say of them."""
    for part in np.array_split(np.argsort(values, kind="stable"), _PARTS):
        if len(part):
            yield {
                "low": float(values[part].min()),
                "high": float(values[part].max()),
                "passages": len(part),
                "people": float(people[part].mean()),
                "labels": float(ours[part].mean()),
            }
