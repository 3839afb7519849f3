"""The scores of held-out candidates: those of single pairs, block by block, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import retrieve
import torch
from command_line import arguments, write_configuration
from tiny_bert import WORDS, save_tiny_bert

from utility_annotation.common.errors import InputError
from utility_annotation.io.schemas import LABELS, POOL
from utility_annotation.retrieval.reranking import score
from utility_annotation.selection import held_out
from utility_annotation.selection.held_out import check_held_out, scored_candidates
from utility_annotation.settings import Reranker
from utility_annotation.training.cross_encoder import CrossEncoder

SETTINGS = {"model": "tiny", "length": 32}
SIZES = {"q3": 2, "q1": 4, "q4": 1, "q2": 3, "not-labelled": 2}
"""Candidates of each question of the pool, in its order."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with the layer that gives the score, as a training leaves it."""
    folder = save_tiny_bert(tmp_path_factory.mktemp("model") / "tiny")
    CrossEncoder.load(folder, Reranker(**SETTINGS), seed=1).model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def model(folder: Path) -> CrossEncoder:
    torch.set_num_threads(1)
    return CrossEncoder.load(folder, Reranker(**SETTINGS))


def candidate(question: str, number: int) -> dict[str, str | int | bool | None]:
    place = sum(map(ord, question)) + number
    text = f"{WORDS[place % 14]} {WORDS[place * 5 % 14]} " * (1 + number)
    title = None if number % 2 else f"ship {number}"
    return {"docid": f"{question}-{number}", "title": title, "text": text, "human": False, "rank": number + 1}


def label(question: str, number: int) -> float:
    return float((number + len(question)) % 3 == 0)


def write_labels(path: Path, *questions: str) -> Path:
    rows = [
        {"query_id": each, "docid": f"{each}-{number}", "label": label(each, number), "rank": None, "source": "test"}
        for each in questions
        for number in range(SIZES.get(each, 1))
    ]
    LABELS.write(path, LABELS.rows(rows))
    return path


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, list[Path]]:
    """The labels and the shards of their pool, in folder ``pool``."""
    rows = [
        {
            "query_id": name,
            "query": f"red {WORDS[size]}",
            "candidates": [candidate(name, number) for number in range(size)],
        }
        for name, size in SIZES.items()
    ]
    shards = [tmp_path / "pool" / f"000{number}-of-0002.parquet" for number in range(2)]
    for shard, part in zip(shards, (rows[:2], rows[2:]), strict=True):
        POOL.write(shard, POOL.rows(part))
    return write_labels(tmp_path / "held.parquet", "q1", "q2", "q3", "q4"), shards


def expected(model: CrossEncoder, *, titles: bool) -> list[float]:
    """Question by question in the order of their ids, and the candidates of each in the pool's order, one by one."""
    found = []
    for name in sorted(SIZES)[1:]:
        for number in range(SIZES[name]):
            each = candidate(name, number)
            text = f"{each['title']} {each['text']}" if titles and each["title"] else str(each["text"])
            ((_, values),) = score(model, [f"red {WORDS[SIZES[name]]}"], [text])
            found.append(float(values[0]))
    return found


@pytest.mark.parametrize("titles", [True, False])
@pytest.mark.parametrize("pairs", [1, 4, 5, 1000])
def test_scores_are_those_of_single_pairs_in_the_order_of_the_questions(
    tmp_path: Path,
    files: tuple[Path, list[Path]],
    model: CrossEncoder,
    monkeypatch: pytest.MonkeyPatch,
    pairs: int,
    titles: bool,
) -> None:
    monkeypatch.setattr(held_out, "PAIRS", pairs)
    scores, positive, questions = scored_candidates(model, *files, titles=titles, scratch=tmp_path)
    assert questions.tolist() == [0] * 4 + [1] * 3 + [2] * 2 + [3]
    np.testing.assert_allclose(scores, expected(model, titles=titles), atol=1e-5)
    of_each = [label(name, number) > 0 for name in sorted(SIZES)[1:] for number in range(SIZES[name])]
    assert positive.tolist() == of_each
    assert 0 < sum(of_each) < len(of_each)


def test_titles_change_the_scores(tmp_path: Path, files: tuple[Path, list[Path]], model: CrossEncoder) -> None:
    with_titles, without = (
        scored_candidates(model, *files, titles=titles, scratch=tmp_path)[0] for titles in (True, False)
    )
    assert not np.allclose(with_titles, without)


@pytest.mark.parametrize(
    ("pairs", "blocks"),
    [
        (1, [range(0, 1), range(1, 2), range(2, 3), range(3, 4)]),
        (5, [range(0, 2), range(2, 4)]),
        (6, [range(0, 2), range(2, 4)]),
        (8, [range(0, 3), range(3, 4)]),
        (99, [range(0, 4)]),
    ],
)
def test_a_block_is_whole_questions_of_so_many_pairs(
    monkeypatch: pytest.MonkeyPatch, pairs: int, blocks: list[range]
) -> None:
    monkeypatch.setattr(held_out, "PAIRS", pairs)
    assert list(held_out._blocks([4, 3, 2, 1])) == blocks


def test_nothing_is_left_in_the_scratch_folder(
    tmp_path: Path, files: tuple[Path, list[Path]], model: CrossEncoder
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    scored_candidates(model, *files, titles=True, scratch=scratch)
    assert not list(scratch.iterdir())


def test_a_score_that_is_no_number_names_its_question(
    tmp_path: Path, files: tuple[Path, list[Path]], folder: Path
) -> None:
    broken = CrossEncoder.load(folder, Reranker(**SETTINGS))
    with torch.no_grad():
        broken.model.classifier.bias.fill_(float("nan"))
    with pytest.raises(InputError, match="a candidate of query 'q1' is not a number"):
        scored_candidates(broken, *files, titles=True, scratch=tmp_path)


def test_no_labels_and_labels_of_another_pool_are_refused(
    tmp_path: Path, files: tuple[Path, list[Path]], model: CrossEncoder
) -> None:
    _, shards = files
    for labels in (write_labels(tmp_path / "none.parquet"), write_labels(tmp_path / "other.parquet", "q1", "unknown")):
        with pytest.raises(InputError):
            scored_candidates(model, labels, shards, titles=True, scratch=tmp_path)


def test_questions_that_are_trained_on_are_refused_with_the_names_of_both_label_sets(tmp_path: Path) -> None:
    labels = write_labels(tmp_path / "held.parquet", "q1", "q2", "q3")
    apart = write_labels(tmp_path / "apart.parquet", "q4")
    check_held_out(labels, [])
    check_held_out(labels, [apart])
    both = write_labels(tmp_path / "useful.parquet", "q4", "q3", "q2")
    with pytest.raises(InputError) as error:
        check_held_out(labels, [apart, both])
    assert "2 of the 3 questions of 'held' are trained on too (useful), such as 'q2'." in str(error.value)
    assert "datasets.*.splits.*.part" in str(error.value)


def calibrate(tmp_path: Path, folder: Path, labels: Path, *trained: Path) -> Path:
    """The script as its rule calls it."""
    torch.set_num_threads(1)
    config = write_configuration(
        tmp_path / "config.yaml",
        pools={"held": {"dataset": "data", "source": {"path": "rows.jsonl"}, "shards": 2}},
        labels={"held": {"pool": "held", "source": "human"}},
        rerankers={"tiny": SETTINGS},
    )
    output = tmp_path / "calibration" / "held.json"
    output.parent.mkdir()
    names = {"reranker": "tiny", "training": "untrained", "labels": "held", "model": folder, "held-out": labels}
    more = ["--trained", *map(str, trained)] if trained else []
    retrieve.main([*arguments("calibrate", config=config, **names, pool=tmp_path / "pool", output=output), *more])
    return output


def test_the_job_writes_a_calibration_with_the_names_that_it_is_of(
    tmp_path: Path, files: tuple[Path, list[Path]], folder: Path
) -> None:
    other = write_labels(tmp_path / "other.parquet", "q9")
    found = json.loads(calibrate(tmp_path, folder, files[0], other).read_text())
    assert (found["reranker"], found["training"], found["labels"]) == ("tiny", "untrained", "held")
    assert (found["questions"], found["candidates"]) == (4, 10)
    assert list(found["methods"]) == ["isotonic", "platt", "sigmoid"]


def test_the_job_stops_at_questions_that_are_trained_on(
    tmp_path: Path, files: tuple[Path, list[Path]], folder: Path
) -> None:
    with pytest.raises(InputError, match="are trained on too"):
        calibrate(tmp_path, folder, files[0], write_labels(tmp_path / "trained.parquet", "q2"))
    assert not list((tmp_path / "calibration").iterdir())
