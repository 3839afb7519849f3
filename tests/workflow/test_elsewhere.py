"""The workflow outside its own folder: as a module of another workflow, and with ``--directory``."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from workflow_copy import planned, snakemake

from utility_annotation.io.schemas import CORPUS

pytestmark = pytest.mark.snakemake

OUTER = """
configfile: "own.yaml"

module ua:
    snakefile: "{root}/Snakefile"
    config: config

use rule * from ua as ua_*

rule count:
    default_target: True
    input: "data/demo/corpus.parquet"
    output: "count.txt"
    shell: "wc -c {{input}} > {{output}}"
"""


def test_another_workflow_uses_it_as_a_module(root: Path, tmp_path: Path) -> None:
    (tmp_path / "Snakefile").write_text(OUTER.format(root=root))
    configuration = yaml.safe_load((root / "config" / "config.yaml").read_text())
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(configuration, sort_keys=False))
    jobs = planned(tmp_path, "results/metrics/minilm/utilsel/demo-dev.json")
    assert (jobs["ua_train"], jobs["ua_annotate_utilsel"], jobs["ua_evaluate"]) == (1, 2, 1)
    result = snakemake(tmp_path, "--cores", "1", "--printshellcmds")
    assert result.returncode == 0, result.stderr
    assert CORPUS.read(tmp_path / "data" / "demo" / "corpus.parquet").num_rows > 100
    assert "data/demo/corpus.parquet" in (tmp_path / "count.txt").read_text()
    assert planned(tmp_path) == {}


def test_another_folder_is_a_place_to_run_in(root: Path, tmp_path: Path) -> None:
    elsewhere = ("--directory", str(tmp_path / "else where"), "--snakefile", str(root / "Snakefile"))
    corpus = "data/demo/corpus.parquet"
    assert planned(tmp_path, *elsewhere)["train"] == 18
    result = snakemake(tmp_path, *elsewhere, "--cores", "1", corpus)
    assert result.returncode == 0, result.stderr
    assert CORPUS.read(tmp_path / "else where" / corpus).num_rows > 100
    assert planned(tmp_path, *elsewhere, corpus) == {}
    assert {path.name for path in tmp_path.iterdir()} == {"else where"}, "nothing is written anywhere else"
