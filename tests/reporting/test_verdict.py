"""The verdict: gained, lost or not to be told, by whose judgement, and at what cost."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import report as script
from configured import CONFIGURATION, write_configuration
from test_results_tables import write_results

from utility_annotation.common.errors import InputError
from utility_annotation.labels.cost import Records
from utility_annotation.reporting.settings import VerdictSettings
from utility_annotation.reporting.verdict import judge, sentences

UNTRAINED = list(np.random.default_rng(1).beta(1, 1, 100))


def verdict(folder: Path, ours: list[float], *more: list[float], **changes: Any) -> dict[str, Any]:
    """The figures of a training, of one or several seeds, beside untrained and BM25 with the same values."""
    names = ("utilsel", *(f"utilsel-seed{number}" for number in range(len(more))))
    values = {("minilm", name): found for name, found in zip(names, (ours, *more), strict=True)}
    size = len(ours)
    values |= {("minilm", "untrained"): UNTRAINED[:size], ("bm25", "bm25"): [0.5 * v for v in UNTRAINED[:size]]}
    settings = {
        "backbone": "minilm",
        "training": "utilsel",
        "testset": "dev",
        "metric": "mrr@10",
        "seeds": {"utilsel": names, "untrained": ("untrained",), "bm25": ("bm25",)},
        "judges": ("people",),
        "shared_judges": (),
        "prices": {},
        "work": None,
    }
    return judge(VerdictSettings.model_validate(settings | changes), write_results(folder, values), Records([], []))


def noisy(shift: float, seed: int = 2) -> list[float]:
    """Values that differ from the untrained retriever's by ``shift`` in the mean, and by 0.3 from query to query."""
    noise = np.random.default_rng(seed).normal(0, 0.3, len(UNTRAINED))
    return list(np.array(UNTRAINED) + noise - noise.mean() + shift)


@pytest.mark.parametrize(("shift", "said"), [(0.2, "gained 20.0 points"), (-0.2, "lost 20.0 points")])
def test_a_clear_difference_is_told_with_its_interval(tmp_path: Path, shift: float, said: str) -> None:
    found = verdict(tmp_path, noisy(shift))
    (first, *_) = sentences(found)
    assert f"Training {said} of MRR@10 over the untrained retriever" in first
    against = found["against"]["untrained"]
    assert against["low"] < 100 * shift < against["high"]
    assert (against["low"] > 0) == (shift > 0)


def test_with_too_few_questions_it_says_so_and_how_many_would_do(tmp_path: Path) -> None:
    """A spread of 0.3: a difference of 2 points needs (2.8 × 0.3 / 0.02)² = 1,764 questions."""
    (first, *_) = sentences(verdict(tmp_path, noisy(0.02)))
    assert "cannot be told from 100 questions" in first
    needed = re.search(r"About ([\d,]+) questions would show a difference of 2\.0", first)
    assert needed
    assert int(needed[1].replace(",", "")) == pytest.approx(1764, rel=0.2)


def test_bm25_is_a_baseline_of_its_own(tmp_path: Path) -> None:
    found = verdict(tmp_path, noisy(0.0))
    assert found["against"]["bm25"]["gain"] == pytest.approx(50 * np.mean(UNTRAINED), abs=1e-6)
    assert "over BM25" in sentences(found)[1]


def test_seeds_make_one_verdict(tmp_path: Path) -> None:
    found = verdict(tmp_path, noisy(0.1), noisy(0.2, seed=3), noisy(0.3, seed=4))
    assert found["against"]["untrained"]["gain"] == pytest.approx(20)
    assert (found["seeds"], found["sd"]) == (3, pytest.approx(10))
    assert "over 3 seeds" in " ".join(sentences(found))


def test_a_judge_that_made_the_labels_is_told(tmp_path: Path) -> None:
    shared = [{"testset": "dev", "annotator": "llm", "trainings": ["utilsel"]}]
    told = " ".join(sentences(verdict(tmp_path, noisy(0.2), judges=("llm",), shared_judges=shared)))
    assert "judged by llm" in told
    assert "favour it" in told


def test_labels_of_a_file_have_no_known_cost(tmp_path: Path) -> None:
    assert "cost is not known" in sentences(verdict(tmp_path, noisy(0.2)))[-1]


def test_human_labels_cost_judgements(tmp_path: Path) -> None:
    figures = verdict(tmp_path, noisy(0.2))
    effort = {"judgements": 3100, "answers": 0, "device_hours": 0, "usd": 279.0}
    assert sentences(figures | {"effort": effort})[-1] == "The labels took 3,100 human judgements, about 279.00 USD."


def test_one_question_is_too_few_for_a_verdict(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="1 judged question, too few"):
        verdict(tmp_path, [0.5])


def test_the_script_writes_text_figures_and_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    groups = [{"trainings": ["untrained", "human"]}]
    table = {"title": "t", "backbones": ["minilm"], "groups": groups, "testsets": ["dev"], "verdict": "human"}
    from_file = {"pool": "p", "source": "file", "file": {"format": "trec", "path": "qrels.txt"}}
    file = write_configuration(tmp_path, tables={"main": table}, labels=CONFIGURATION["labels"] | {"human": from_file})
    values = {("minilm", "human"): noisy(0.2), ("minilm", "untrained"): UNTRAINED, ("bm25", "bm25"): UNTRAINED}
    write_results(tmp_path / "results" / "metrics", values, "mrr@10")
    script.main(["verdict", "--config", file, "--table", "main", "--output", "own.md"])
    assert "gained 20.0 points of MRR@10" in Path("own.md").read_text()
    assert json.loads(Path("own.json").read_text())["queries"] == 100
    assert Path("own.svg").read_bytes().rstrip().endswith(b"</svg>")
    assert Path("own.png").is_file()
