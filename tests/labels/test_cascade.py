"""Labels by a selector, cascades of label sets, parts of pools, and the agreement of two label sets."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from utility_annotation.common.errors import InputError
from utility_annotation.io.schemas import LABELS, POOL, SCORES
from utility_annotation.labels.against import agreement_of_labels
from utility_annotation.labels.agreement import Confusion
from utility_annotation.labels.by_selector import label_by_selector
from utility_annotation.labels.cascade import label_by_cascade
from utility_annotation.pools.divide import divide
from utility_annotation.pools.shards import shard_of
from utility_annotation.settings import Labels, PoolSource

QUESTIONS = [f"q{number:02d}" for number in range(20)]
SIZE = 3


def write_pool(folder: Path, shards: int = 2) -> list[Path]:
    """Questions with candidates a, b and c, in shards by their order."""
    paths = [folder / f"000{number}-of-000{shards}.parquet" for number in range(shards)]
    for number, path in enumerate(paths):
        rows = [
            {
                "query_id": name,
                "query": f"what is {name}",
                "candidates": [
                    {"docid": f"{name}-{each}", "title": None, "text": each, "human": each == "a", "rank": 1}
                    for each in "abc"
                ],
            }
            for name in QUESTIONS[number::shards]
        ]
        POOL.write(path, POOL.rows(rows))
    return paths


def write_labels(path: Path, labels: dict[str, Sequence[float]], source: str = "utilsel") -> Path:
    rows = [
        {"query_id": name, "docid": f"{name}-{each}", "label": value, "rank": 1 if value else None, "source": source}
        for name, values in sorted(labels.items())
        for each, value in zip("abc", values, strict=True)
    ]
    LABELS.write(path, LABELS.rows(rows))
    return path


def write_scores(folder: Path, pools: Sequence[Path], scores: dict[str, Sequence[float]]) -> list[Path]:
    paths = []
    for pool in pools:
        names = POOL.read(pool)["query_id"].to_pylist()
        rows = [
            {"query_id": name, "docid": f"{name}-{each}", "score": value}
            for name in names
            for each, value in zip("abc", scores[name], strict=True)
        ]
        SCORES.write(folder / pool.name, SCORES.rows(rows))
        paths.append(folder / pool.name)
    return paths


def write_calibration(path: Path) -> Path:
    """The probability is the sigmoid of the score."""
    path.write_text(json.dumps({"methods": {"sigmoid": {"fitted": {}}}}))
    return path


def labels_of(path: Path) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for row in LABELS.read(path).to_pylist():
        found.setdefault(row["query_id"], []).append(row["label"])
    return found


def selector(**settings: Any) -> Labels:
    return Labels(
        pool="p",
        source="selector",
        reranker="r/t",
        calibration="c",
        **{"method": "sigmoid", "threshold": 0.5, **settings},
    )


def test_a_selector_calls_positive_what_is_probable_enough_best_first(tmp_path: Path) -> None:
    pools = write_pool(tmp_path / "pool")
    scores = dict.fromkeys(QUESTIONS, (-1.0, 2.0, 1.0)) | {"q03": (-3.0, -2.0, -1.0), "q04": (0.0, 1e-3, -1e-3)}
    files = write_scores(tmp_path / "scores", pools, scores)
    calibration, output = write_calibration(tmp_path / "c.json"), tmp_path / "labels.parquet"
    merged = label_by_selector(selector(), pools, files, calibration, output)
    assert merged.labelled == len(QUESTIONS)
    found = labels_of(output)
    assert found["q00"] == [0, 1, 1]
    assert found["q03"] == [0, 0, 0], "a question may have no positive"
    assert found["q04"] == [1, 1, 0], "the threshold itself is high enough"
    ranks = {row["docid"]: row["rank"] for row in LABELS.read(output).to_pylist()}
    assert [ranks[f"q00-{each}"] for each in "abc"] == [None, 1, 2]
    assert set(LABELS.read(output)["source"].to_pylist()) == {"selector"}
    label_by_selector(selector(threshold=0.8), pools, files, calibration, output)
    assert labels_of(output)["q00"] == [0, 1, 0]


@pytest.mark.parametrize(("threshold", "warned"), [(0.85, 0), (0.9, 1)])
def test_a_threshold_that_no_candidate_reaches_is_warned_of(
    threshold: float, warned: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The highest score is 2, whose sigmoid is 0.88."""
    pools = write_pool(tmp_path / "pool")
    files = write_scores(tmp_path / "scores", pools, dict.fromkeys(QUESTIONS, (-1.0, 2.0, 1.0)))
    calibration, output = write_calibration(tmp_path / "c.json"), tmp_path / "labels.parquet"
    label_by_selector(selector(threshold=threshold), pools, files, calibration, output)
    assert len(warnings(caplog)) == warned


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


def test_scores_of_other_candidates_are_refused(tmp_path: Path) -> None:
    pools = write_pool(tmp_path / "pool")
    files = write_scores(tmp_path / "scores", pools[::-1], dict.fromkeys(QUESTIONS, (1.0, 1.0, 1.0)))
    files[0].rename(tmp_path / "scores" / "kept.parquet")
    files[1].rename(files[0])
    (tmp_path / "scores" / "kept.parquet").rename(files[1])
    with pytest.raises(InputError, match="not the candidates of pool shard"):
        label_by_selector(selector(), pools, files, write_calibration(tmp_path / "c.json"), tmp_path / "labels.parquet")


def test_the_first_label_set_that_labels_a_question_decides_and_is_named(tmp_path: Path) -> None:
    pools = write_pool(tmp_path / "pool")
    members = [
        write_labels(tmp_path / "first.parquet", {"q01": (1, 0, 0), "q02": (0, 0, 0)}),
        write_labels(tmp_path / "second.parquet", {"q02": (1, 1, 1), "q05": (0, 1, 0)}),
        write_labels(tmp_path / "rest.parquet", dict.fromkeys(QUESTIONS[:19], (0, 0, 1))),
    ]
    output = tmp_path / "labels.parquet"
    settings = Labels(pool="p", source="cascade", of=("first", "second", "rest"))
    merged = label_by_cascade(settings, pools, members, output)
    assert merged.labelled == 19
    assert merged.left_out == {"labelled by no member": 1}
    found = labels_of(output)
    assert (found["q01"], found["q02"], found["q05"], found["q06"]) == ([1, 0, 0], [0, 0, 0], [0, 1, 0], [0, 0, 1])
    by = {row["query_id"]: row["source"] for row in LABELS.read(output).to_pylist()}
    assert (by["q01"], by["q02"], by["q05"], by["q06"]) == ("first", "first", "second", "rest")


@given(st.lists(st.sets(st.sampled_from(QUESTIONS), min_size=1), min_size=2, max_size=4))
def test_a_cascade_is_the_first_member_of_each_question(
    tmp_path_factory: pytest.TempPathFactory, chosen: list[set[str]]
) -> None:
    folder = tmp_path_factory.mktemp("cascade")
    pools = write_pool(folder / "pool", shards=3)
    names = [f"m{number}" for number in range(len(chosen))]
    values = {
        name: dict.fromkeys(own, (float(number % 2), 1.0, 0.0))
        for number, (name, own) in enumerate(zip(names, chosen, strict=True))
    }
    members = [write_labels(folder / f"{name}.parquet", values[name]) for name in names]
    output = folder / "labels.parquet"
    label_by_cascade(Labels(pool="p", source="cascade", of=tuple(names)), pools, members, output)
    first = {question: next(name for name in names if question in values[name]) for question in set.union(*chosen)}
    assert labels_of(output) == {question: list(values[name][question]) for question, name in first.items()}


def part(**source: Any) -> PoolSource:
    return PoolSource(format="pool", pool="p", **source)


def divided(
    source: PoolSource, pools: Sequence[Path], folder: Path, shards: int = 1, found: Any = None
) -> list[dict[str, Any]]:
    outputs = [folder / f"000{number}-of-000{shards}.parquet" for number in range(shards)]
    number = divide(source, pools, outputs, found)
    rows = [POOL.read(output).to_pylist() for output in outputs]
    assert sum(map(len, rows)) == number
    assert all(shard_of(row["query_id"], shards) == place for place, own in enumerate(rows) for row in own)
    return [row for own in rows for row in own]


def test_shares_of_a_pool_part_it_and_a_smaller_one_is_part_of_a_larger_one(tmp_path: Path) -> None:
    pools = write_pool(tmp_path / "pool")
    shares = {
        ends: {row["query_id"] for row in divided(part(percent=ends), pools, tmp_path / "part", shards=3)}
        for ends in ((0, 10), (10, 20), (0, 20), (20, 100))
    }
    assert [len(shares[ends]) for ends in ((0, 10), (10, 20), (20, 100))] == [2, 2, 16]
    assert shares[0, 10] | shares[10, 20] == shares[0, 20]
    assert shares[0, 20] | shares[20, 100] == set(QUESTIONS)
    assert not shares[0, 20] & shares[20, 100]
    other = {row["query_id"] for row in divided(part(percent=(0, 20), seed=14), pools, tmp_path / "part")}
    assert other != shares[0, 20]


def test_a_part_shows_the_candidates_as_the_whole_pool_does(tmp_path: Path) -> None:
    pools = write_pool(tmp_path / "pool")
    whole = {row["query_id"]: row for pool in pools for row in POOL.read(pool).to_pylist()}
    for row in divided(part(percent=(0, 50)), pools, tmp_path / "part"):
        assert row == whole[row["query_id"]]


def test_a_share_without_a_question_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="0 to 1 % of the 20 questions of pool 'p' is none"):
        divided(part(percent=(0, 1)), write_pool(tmp_path / "pool"), tmp_path / "part")


def probabilities(found: dict[str, Sequence[float]]) -> Any:
    def of_shard(path: Path) -> np.ndarray:
        return np.array([value for name in POOL.read(path)["query_id"].to_pylist() for value in found[name]])

    return of_shard


def test_unsure_are_questions_with_a_candidate_between_the_ends(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pools, source = write_pool(tmp_path / "pool"), part(unsure="s", between=(0.2, 0.8))
    sure = dict.fromkeys(QUESTIONS, (0.9, 0.1, 0.0))
    found = sure | {"q03": (0.9, 0.5, 0.1), "q04": (0.2, 0.1, 0.1), "q05": (0.8, 0.9, 1.0), "q06": (0.19, 0.81, 0.0)}
    rows = divided(source, pools, tmp_path / "part", found=probabilities(found))
    assert {row["query_id"] for row in rows} == {"q03", "q04", "q05"}
    assert not warnings(caplog)
    rows = divided(source, pools, tmp_path / "part", found=probabilities(sure | {"q07": (0.0, 0.85, 0.0)}))
    assert {row["query_id"] for row in rows} == {"q07"}, "where it is sure of all, the least sure one is taken"
    assert len(warnings(caplog)) == 1


def test_agreement_counts_what_both_label_and_the_interval_holds_it(tmp_path: Path) -> None:
    ours = dict.fromkeys(QUESTIONS[:12], (1, 0, 0)) | dict.fromkeys(QUESTIONS[12:16], (0, 1, 0))
    theirs = dict.fromkeys(QUESTIONS[4:], (1, 1, 0))
    first = write_labels(tmp_path / "ours.parquet", ours)
    found = agreement_of_labels(first, write_labels(tmp_path / "theirs.parquet", theirs))
    assert (found["questions"], found["passages"]) == (12, 36)
    expected = Confusion(both=12, llm_only=0, human_only=12, neither=12)
    assert found["kappa"] == pytest.approx(expected.kappa)
    assert (found["precision"], found["recall"]) == (100, 50)
    low, high = found["kappa_interval"]
    assert low <= found["kappa"] <= high
    assert found["sources"] == {"utilsel": 12}


def test_label_sets_of_other_questions_are_not_compared(tmp_path: Path) -> None:
    first = write_labels(tmp_path / "a.parquet", {"q01": (1, 0, 0)})
    with pytest.raises(InputError, match="'a' and 'b' label no candidate in common"):
        agreement_of_labels(first, write_labels(tmp_path / "b.parquet", {"q02": (1, 0, 0)}))
