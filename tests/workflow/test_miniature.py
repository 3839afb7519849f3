"""The paper's targets in small, run for real: a part of config/miniature.yaml, on a part of the demo collection."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from workflow_copy import copy_of_repository, planned, shrink_demo, snakemake

OWN = "config/part.yaml"
MEMBERS = ["facts", "arguments", "forums"]


@pytest.fixture(scope="module")
def finished(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which every kind of table and chart has been made from raw files."""
    folder = copy_of_repository(root, tmp_path_factory.mktemp("miniature"))
    shrink_demo(folder)
    configuration = yaml.safe_load((folder / "config" / "miniature.yaml").read_text())
    (folder / OWN).write_text(yaml.safe_dump(_part(configuration), sort_keys=False))
    result = snakemake(folder, "paper", "--cores", "2", "--configfile", OWN)
    assert result.returncode == 0, result.stderr[-6000:] + result.stdout[-2000:]
    return folder


def _part(configuration: dict[str, Any]) -> dict[str, Any]:
    """Fewer rows, columns and questions; every kind of stage is left."""
    splits = configuration["datasets"]["demo"]["splits"]
    splits["hybrid"]["sample"]["queries"] = splits["qa"]["sample"]["queries"] = 4
    configuration["pools"]["demo-hybrid"]["source"]["retrievers"] = ["minilm/human", "minilm/utilsel"]
    configuration["pools"]["demo-mined"]["source"]["retrievers"] = ["bm25/bm25", "minilm/human"]
    configuration["averages"]["domains"]["testsets"] = MEMBERS
    tables = configuration["tables"]
    human, both = [{"trainings": ["human"]}], [{"trainings": ["human", "utilsel"]}]
    in_domain = ["demo-dev", "demo-hybrid"]
    mixed = {"human20=positive-union": "utilsel-union20", "human20=curriculum": "utilsel-cl20"}
    configuration["tables"] = {
        "table2": tables["table2"] | {"backbones": ["minilm"], "groups": both, "testsets": in_domain},
        "table3": tables["table3"] | {"groups": both, "testsets": [*MEMBERS, "domains"]},
        "table4": tables["table4"] | {"groups": human},
        "table5": tables["table5"] | {"groups": human, "testsets": ["facts"], "qa": ["facts-qa"]},
        "table6": tables["table6"] | {"groups": [*both, {"title": "Human labels", "rows": mixed}]},
        "table9": tables["table9"] | {"groups": [{"rows": {"human loss=first1lh": "mined-human-first1lh"}}]},
        "table14": tables["table14"] | {"testsets": ["demo-dev"]},
    }
    configuration["label_tables"]["table1"]["labels"] = ["relsel", "utilsel"]
    configuration["label_charts"]["figure2"]["labels"] = ["relsel", "utilsel"]
    configuration["cost_tables"]["table17"]["trainings"] = ["human", "utilsel"]
    configuration["line_charts"] = {"figure3a": configuration["line_charts"]["figure3a"]}
    configuration["line_charts"]["figure3a"]["series"] = [{"name": "cl", "points": {0: "utilsel", 20: "utilsel-cl20"}}]
    return configuration


def _rows(finished: Path, name: str) -> list[dict[str, str]]:
    with (finished / "results" / "tables" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _json(finished: Path, path: str) -> Any:
    return json.loads((finished / "results" / path).read_text())


@pytest.mark.parametrize("name", ["table2", "table3", "table4", "table5", "table6", "table9", "table14"])
def test_no_cell_of_a_table_of_results_is_empty(finished: Path, name: str) -> None:
    rows = _rows(finished, name)
    assert rows
    assert all(0 <= float(row["value"]) <= 100 for row in rows)
    for suffix in ("md", "tex"):
        assert (finished / "results" / "tables" / f"{name}.{suffix}").stat().st_size > 100
    assert (finished / "results" / "figures" / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_the_tables_have_the_columns_of_their_kind(finished: Path) -> None:
    assert {row["metric"] for row in _rows(finished, "table4")} == {
        "recall@1",
        "bleu-3",
        "bleu-4",
        "rouge-l",
        "bert-score",
    }
    assert {(row["column"], row["metric"]) for row in _rows(finished, "table5")} == {
        ("facts", "recall@5"),
        ("facts-qa/smollm2", "em"),
        ("facts-qa/smollm2", "f1"),
    }
    assert {row["row"] for row in _rows(finished, "table6")} >= {"human20=positive-union", "human20=curriculum"}


def test_an_average_is_the_mean_of_its_members(finished: Path) -> None:
    figures = [_json(finished, f"metrics/minilm/human/{name}.json")["metrics"]["ndcg@10"] for name in MEMBERS]
    average = _json(finished, "metrics/minilm/human/domains.json")
    assert average["metrics"]["ndcg@10"] == pytest.approx(sum(figures) / 3)
    assert average["weights"]["forum-garden"] == pytest.approx(1 / 6)


def test_the_hybrid_test_has_the_sampled_questions_alone(finished: Path) -> None:
    assert _json(finished, "metrics/minilm/human/demo-hybrid.json")["queries"] <= 4
    assert _json(finished, "metrics/minilm/human/demo-dev.json")["queries"] == 8


def test_an_argument_never_finds_itself(finished: Path) -> None:
    import pyarrow.parquet as pq

    run = pq.read_table(finished / "results" / "runs" / "bm25" / "bm25" / "arguments.parquet")
    assert run.num_rows
    assert not any(query == docid for query, docid in zip(*map(run.__getitem__, ("query_id", "docid")), strict=True))


def test_costs_come_from_the_jobs_and_the_pool(finished: Path) -> None:
    figures = {(row["run"], row["metric"]): row["value"] for row in _rows(finished, "table17")}
    assert float(figures["human", "cost_usd"]) == pytest.approx(8 * 9 * 0.09)
    assert 0 < float(figures["utilsel", "device_hours"]) < 1
    assert float(figures["utilsel", "cost_usd"]) == pytest.approx(
        0.8 * float(figures["utilsel", "device_hours"]), abs=1e-5
    )


def test_labels_and_charts_are_there(finished: Path) -> None:
    assert {row["strategy"] for row in _rows(finished, "table1")} == {"relsel", "utilsel"}
    for figure in ("figure2", "figure3a"):
        assert (finished / "results" / "figures" / f"{figure}.svg").read_text().lstrip().startswith("<?xml")


def test_a_second_run_has_nothing_to_do(finished: Path) -> None:
    assert planned(finished, "paper", "--configfile", OWN) == {}


def test_another_member_of_an_average_plans_its_evaluation_and_the_tables_that_show_it(finished: Path) -> None:
    path = finished / OWN
    original = path.read_text()
    configuration = yaml.safe_load(original)
    configuration["averages"]["domains"]["testsets"] = [*MEMBERS, "claims"]
    path.write_text(yaml.safe_dump(configuration, sort_keys=False))
    try:
        plan = planned(finished, "paper", "--configfile", OWN)
    finally:
        path.write_text(original)
    assert not {"train", "annotate_relsel", "generate_answers", "label_table"} & set(plan)
    assert plan["average_metrics"] == 3
    assert plan["evaluate"] == 3
    assert plan["results_table"] == 1
