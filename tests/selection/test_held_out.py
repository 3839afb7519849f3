"""The scores of a pool's candidates, those of held-out questions with their labels, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import retrieve
import torch
from command_line import arguments, write_configuration
from tiny_bert import WORDS, save_tiny_bert

from utility_annotation.common.errors import InputError
from utility_annotation.io.label_values import IGNORED
from utility_annotation.io.schemas import LABELS, POOL, SCORES
from utility_annotation.retrieval.reranking import score
from utility_annotation.selection import scoring
from utility_annotation.selection.held_out import check_held_out, labelled_scores
from utility_annotation.selection.scoring import score_pool
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


def expected(model: CrossEncoder, names: Sequence[str], *, titles: bool) -> list[float]:
    """Question by question, and the candidates of each in the pool's order, one by one."""
    found = []
    for name in names:
        for number in range(SIZES[name]):
            each = candidate(name, number)
            text = f"{each['title']} {each['text']}" if titles and each["title"] else str(each["text"])
            ((_, values),) = score(model, [f"red {WORDS[SIZES[name]]}"], [text])
            found.append(float(values[0]))
    return found


def scored(model: CrossEncoder, shards: Sequence[Path], folder: Path, *, titles: bool = True) -> list[Path]:
    outputs = [folder / "scores" / shard.name for shard in shards]
    for shard, output in zip(shards, outputs, strict=True):
        score_pool(model, shard, output, titles=titles)
    return outputs


@pytest.mark.parametrize("titles", [True, False])
@pytest.mark.parametrize("pairs", [1, 4, 5, 1000])
def test_scores_are_those_of_single_pairs_in_the_order_of_the_pool(
    tmp_path: Path,
    files: tuple[Path, list[Path]],
    model: CrossEncoder,
    monkeypatch: pytest.MonkeyPatch,
    pairs: int,
    titles: bool,
) -> None:
    monkeypatch.setattr(scoring, "PAIRS", pairs)
    monkeypatch.setattr(scoring, "_ROWS", 1)
    names = list(SIZES)
    for shard, own in zip(files[1], (names[:2], names[2:]), strict=True):
        output = tmp_path / "scores" / shard.name
        assert score_pool(model, shard, output, titles=titles) == sum(SIZES[name] for name in own)
        found = SCORES.read(output)
        assert found["docid"].to_pylist() == [f"{name}-{number}" for name in own for number in range(SIZES[name])]
        np.testing.assert_allclose(found["score"].to_numpy(), expected(model, own, titles=titles), atol=1e-5)


def test_labelled_scores_come_question_by_question_with_their_labels(
    tmp_path: Path, files: tuple[Path, list[Path]], model: CrossEncoder
) -> None:
    scores, positive, questions = labelled_scores(files[0], scored(model, files[1], tmp_path))
    names = ["q1", "q2", "q3", "q4"]
    assert questions.tolist() == [0] * 4 + [1] * 3 + [2] * 2 + [3]
    np.testing.assert_allclose(scores, expected(model, names, titles=True), atol=1e-5)
    of_each = [label(name, number) > 0 for name in names for number in range(SIZES[name])]
    assert positive.tolist() == of_each
    assert 0 < sum(of_each) < len(of_each)


def test_a_candidate_that_the_labels_ignore_calibrates_nothing(
    tmp_path: Path, files: tuple[Path, list[Path]], model: CrossEncoder
) -> None:
    scores = scored(model, files[1], tmp_path)
    everything = labelled_scores(files[0], scores)
    table = LABELS.read(files[0]).to_pylist()
    doubted = [place in (1, 4, 9) for place in range(len(table))]  # the last one is all that q4 has
    rows = [row | {"label": IGNORED if own else row["label"]} for row, own in zip(table, doubted, strict=True)]
    LABELS.write(tmp_path / "doubted.parquet", LABELS.rows(rows))
    for found, whole in zip(labelled_scores(tmp_path / "doubted.parquet", scores), everything, strict=True):
        np.testing.assert_array_equal(found, whole[~np.array(doubted)])


def test_a_score_that_is_no_number_names_its_pair_and_leaves_no_file(
    tmp_path: Path, files: tuple[Path, list[Path]], folder: Path
) -> None:
    broken = CrossEncoder.load(folder, Reranker(**SETTINGS))
    with torch.no_grad():
        broken.model.classifier.bias.fill_(float("nan"))
    with pytest.raises(InputError, match="query 'q3' with passage 'q3-0' is not a number"):
        score_pool(broken, files[1][0], tmp_path / "scores.parquet", titles=True)
    assert not (tmp_path / "scores.parquet").exists()


def test_a_labelled_candidate_without_a_score_is_named(
    tmp_path: Path, files: tuple[Path, list[Path]], model: CrossEncoder
) -> None:
    labels = write_labels(tmp_path / "other.parquet", "q1", "unknown")
    with pytest.raises(InputError, match="passage unknown-0 of query unknown is labelled, but has no score"):
        labelled_scores(labels, scored(model, files[1], tmp_path))


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


def calibrate(tmp_path: Path, folder: Path, files: tuple[Path, list[Path]], *trained: Path) -> Path:
    """The scripts as their rules call them."""
    torch.set_num_threads(1)
    config = write_configuration(
        tmp_path / "config.yaml",
        pools={"held": {"dataset": "data", "source": {"path": "rows.jsonl"}, "shards": 2}},
        labels={"held": {"pool": "held", "source": "human"}},
        rerankers={"tiny": SETTINGS},
    )
    scores = [tmp_path / "scores" / shard.name for shard in files[1]]
    for shard, output in zip(files[1], scores, strict=True):
        names = {"reranker": "tiny", "pool": "held", "model": folder, "shard": shard}
        retrieve.main(arguments("score-pool", config=config, **names, output=output))
        assert json.loads(output.with_suffix(".json").read_text())["candidates"] == SCORES.read(output).num_rows
    output = tmp_path / "calibration" / "held.json"
    output.parent.mkdir()
    names = {"reranker": "tiny", "training": "untrained", "labels": "held", "held-out": files[0]}
    more = ["--scores", *map(str, scores), *(["--trained", *map(str, trained)] if trained else [])]
    retrieve.main([*arguments("calibrate", config=config, **names, output=output), *more])
    return output


def test_the_job_writes_a_calibration_with_the_names_that_it_is_of(
    tmp_path: Path, files: tuple[Path, list[Path]], folder: Path
) -> None:
    other = write_labels(tmp_path / "other.parquet", "q9")
    found = json.loads(calibrate(tmp_path, folder, files, other).read_text())
    assert (found["reranker"], found["training"], found["labels"]) == ("tiny", "untrained", "held")
    assert (found["questions"], found["candidates"]) == (4, 10)
    assert list(found["methods"]) == ["isotonic", "platt", "sigmoid"]


def test_the_job_stops_at_questions_that_are_trained_on(
    tmp_path: Path, files: tuple[Path, list[Path]], folder: Path
) -> None:
    with pytest.raises(InputError, match="are trained on too"):
        calibrate(tmp_path, folder, files, write_labels(tmp_path / "trained.parquet", "q2"))
    assert not list((tmp_path / "calibration").iterdir())
