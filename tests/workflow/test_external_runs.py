"""Runs of others from a TREC file to a row of a table, for real."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
import pytrec_eval
from workflow_copy import copy_of_repository, planned, snakemake

pytestmark = pytest.mark.snakemake

OWN = """
datasets:
  demo:
    corpus: {format: beir, path: resources/demo/beir/corpus.jsonl}
    splits:
      dev:
        queries: {format: msmarco, path: resources/demo/msmarco/queries.dev.tsv}
        qrels: {format: trec, path: resources/demo/trec/qrels.dev.txt}
models: {}
testsets: {dev: {dataset: demo, split: dev, metrics: [ndcg@10, recall@100]}}
external_runs:
  good: {files: {dev: own/good.trec}}
  bad: {files: {dev: own/bad.trec}}
tables:
  others: {title: Others, testsets: [dev], external_runs: [good, bad], with_bm25: false, baseline: bad}
"""


def write_runs(folder: Path) -> dict[str, dict[str, int]]:
    """A run that ranks the relevant passages first, and one that ranks them last; returns the judgements."""
    judged: dict[str, dict[str, int]] = {}
    for line in (folder / "resources/demo/trec/qrels.dev.txt").read_text().splitlines():
        query_id, _, docid, grade = line.split()
        judged.setdefault(query_id, {})[docid] = int(grade)
    docids = [
        json.loads(line)["_id"] for line in (folder / "resources/demo/beir/corpus.jsonl").read_text().splitlines()
    ]
    (folder / "own").mkdir()
    for name, sign in (("good", 1), ("bad", -1)):
        with (folder / "own" / f"{name}.trec").open("w") as stream:
            for query_id, grades in judged.items():
                for place, docid in enumerate(docids[: 20 + len(query_id)] + list(grades)):
                    if docid not in grades or place >= 20 + len(query_id):
                        stream.write(f"{query_id} Q0 {docid} 0 {sign * grades.get(docid, 0) - place / 100} {name}\n")
    return judged


def figures_of_pytrec_eval(run: Path, judged: dict[str, dict[str, int]]) -> float:
    with run.open() as stream:
        hits = pytrec_eval.parse_run(stream)
    found = pytrec_eval.RelevanceEvaluator(judged, {"ndcg_cut.10"}).evaluate(hits)
    return 100 * sum(each["ndcg_cut_10"] for each in found.values()) / len(judged)


def test_two_runs_of_others_are_evaluated_and_tested_against_each_other(root: Path, tmp_path: Path) -> None:
    folder = copy_of_repository(root, tmp_path)
    judged = write_runs(folder)
    (folder / "own.yaml").write_text(OWN)
    arguments = ("others", "--configfile", "own.yaml", "--cores", "2")
    result = snakemake(folder, *arguments)
    assert result.returncode == 0, result.stderr
    cells = pd.read_csv(folder / "results/tables/others.csv").set_index(["row", "metric"])
    for name in ("good", "bad"):
        due = figures_of_pytrec_eval(folder / "own" / f"{name}.trec", judged)
        assert cells.loc[(name, "ndcg@10"), "value"] == pytest.approx(due, abs=1e-6)
    assert cells.loc[("good", "ndcg@10"), "marks"] == "+"
    (folder / "own" / "bad.trec").write_text((folder / "own" / "good.trec").read_text())
    assert planned(folder, *arguments[:3]) == {
        "read_external_run": 1,
        "evaluate": 1,
        "results_table": 1,
        "plot_results": 1,
    }
