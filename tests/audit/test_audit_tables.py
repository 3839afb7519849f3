"""Tables of rates and sizes: what is shipped holds, and what a user gives is checked and comes first."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from utility_annotation.audit.tables import UNITS, RateTable, SizeTable, read_sizes, read_table
from utility_annotation.common.errors import InputError
from utility_annotation.planning.loading import load

OWN = """
files:
  - {path: mine/corpus.jsonl, rows: 7, words: 50, source: my own count}
"""


@pytest.fixture
def shipped(root: Path) -> Path:
    return root / "resources" / "audit"


def test_each_gpu_has_a_rate_of_each_kind_of_work_that_is_done_on_one(shipped: Path) -> None:
    rates = read_table(RateTable, shipped / "rates.yaml").rates
    for device in ("A800", "A100", "H100", "H200"):
        general = {rate.work for rate in rates if rate.device in (device, "*") and rate.model is None}
        assert general == set(UNITS), device
    assert {rate.work for rate in rates if rate.device in ("cpu", "*") and rate.model is None} == set(UNITS)


def test_nothing_is_called_measured_that_was_assumed(shipped: Path) -> None:
    for rate in read_table(RateTable, shipped / "rates.yaml").rates:
        assert ("assumed" in rate.source or rate.source.startswith("derived: ")) <= (rate.basis == "derived"), rate


def test_every_corpus_and_model_of_the_paper_has_a_published_size(root: Path, shipped: Path) -> None:
    sizes = read_sizes([shipped / "sizes.yaml"])
    paper = load(yaml.safe_load((root / "config" / "paper.yaml").read_text()))
    for dataset in paper.datasets.values():
        fitting = [file for file in sizes.files if f"/{dataset.corpus.path}".endswith(f"/{file.path}")]
        assert any(file.rows and file.words for file in fitting), dataset.corpus
    assert {model.hub for model in paper.models.values()} <= {model.model for model in sizes.models}


def test_sizes_of_a_user_come_first(shipped: Path, tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(OWN)
    table = read_sizes([tmp_path / "own.yaml", shipped / "sizes.yaml"])
    assert table.files[0].rows == 7
    assert table.files[1:] == read_sizes([shipped / "sizes.yaml"]).files


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rates: [{device: d, work: prompt, rates: 1, basis: measured, source: somewhere}]", "rates.0.rates"),
        ("rates: [{device: d, work: prompt, basis: measured, source: somewhere}]", "either `rate` or `seconds`"),
        ("rates: [{device: d, work: prompt, rate: 1, basis: derived, source: somewhere}]", "derived: "),
        ("rates: [{device: d, work: prompt, rate: 0, basis: measured, source: somewhere}]", "rates.0.rate"),
        (
            "rates: [{device: d, work: dance, rate: 1, basis: measured, source: somewhere}]",
            "rates.0: no kind of work is called dance",
        ),
        ("rates: [", "no YAML"),
        ("", "own.yaml"),
    ],
)
def test_a_wrong_table_is_refused_with_file_and_key(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as error:
        read_table(RateTable, path)
    assert said in str(error.value)
    assert str(path) in str(error.value)


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.yaml"):
        read_table(SizeTable, tmp_path / "nowhere.yaml")
