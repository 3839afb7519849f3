"""The whole chain, run once from raw files with its real models: every kind of stage, table, chart and the report.

It is a part of config/miniature.yaml on a part of the demo collection. Then what a change makes stale after a real run.
"""

from __future__ import annotations

import csv
import json
import re
import shlex
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from workflow_copy import (
    QUESTIONS,
    copy_of_repository,
    environment,
    fast_environment,
    plan,
    planned,
    shorten_texts,
    shrink_demo,
    snakemake,
)

pytestmark = pytest.mark.snakemake

OWN = "config/part.yaml"
LIBRARY = "workflow/scripts/utility_annotation"
POOL = 5
MEMBERS = ["facts", "arguments", "forums"]
TRAININGS = ["human", "replug", "utilsel", "utilrank", "utilsel-cl20"]


@pytest.fixture(scope="module")
def finished(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which everything has been made from raw files."""
    folder = copy_of_repository(root, tmp_path_factory.mktemp("chain"))
    shrink_demo(folder)
    configuration = yaml.safe_load((folder / "config" / "miniature.yaml").read_text())
    (folder / OWN).write_text(yaml.safe_dump(_part(configuration), sort_keys=False))
    result = snakemake(folder, "--cores", "2", "--configfile", OWN, having=fast_environment)
    assert result.returncode == 0, result.stderr[-6000:] + result.stdout[-2000:]
    return folder


def _part(configuration: dict[str, Any]) -> dict[str, Any]:
    """Fewer rows, columns and questions, and short texts; every kind of stage is left."""
    shorten_texts(configuration)
    splits = configuration["datasets"]["demo"]["splits"]
    splits["hybrid"]["sample"]["queries"] = splits["qa"]["sample"]["queries"] = 4
    configuration["datasets"]["facts"]["shards"] = 2
    configuration["pools"]["demo-train"] |= {"size": POOL, "shards": 1}
    configuration["pools"]["demo-hybrid"]["source"]["retrievers"] = ["minilm/human", "minilm/utilsel"]
    configuration["pools"]["demo-mined"]["source"]["retrievers"] = ["bm25/bm25", "minilm/human"]
    configuration["averages"]["domains"]["testsets"] = MEMBERS
    tables = configuration["tables"]
    human, both = [{"trainings": ["human"]}], [{"trainings": ["human", "utilsel"]}]
    mixed = {"human20=positive-union": "utilsel-union20", "human20=curriculum": "utilsel-cl20"}
    every = [{"trainings": ["untrained", *TRAININGS], "second_baseline": "replug"}]
    configuration["tables"] = {
        "retrieval": {"title": "Retrieval", "backbones": ["minilm"], "groups": every, "testsets": ["demo-dev"]},
        "table2": tables["table2"] | {"backbones": ["minilm"], "groups": both, "testsets": ["demo-dev", "demo-hybrid"]},
        "table3": tables["table3"] | {"groups": human, "testsets": [*MEMBERS, "domains"]},
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


# --- What is made -----


@pytest.mark.parametrize("name", ["retrieval", "table2", "table3", "table4", "table5", "table6", "table9", "table14"])
def test_no_cell_of_a_table_of_results_is_empty(finished: Path, name: str) -> None:
    rows = _rows(finished, name)
    assert rows
    assert all(0 <= float(row["value"]) <= 100 for row in rows)
    for suffix in ("md", "tex"):
        assert (finished / "results" / "tables" / f"{name}.{suffix}").stat().st_size > 100
    assert (finished / "results" / "figures" / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_the_tables_have_the_rows_and_columns_of_their_kind(finished: Path) -> None:
    assert {row["row"] for row in _rows(finished, "retrieval")} == {"bm25", "untrained", *TRAININGS}
    assert {row["metric"] for row in _rows(finished, "retrieval")} == {"mrr@10", "recall@100"}
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


def test_the_report_is_one_page_with_the_table_and_the_figures_in_it(finished: Path) -> None:
    page = (finished / "results" / "report.html").read_text()
    assert "utilsel-cl20" in page
    figures = {figure.stem for figure in (finished / "results" / "figures").glob("*.svg")}
    assert {"retrieval", "positives", "positions", "training", "figure2", "figure3a"} <= figures
    assert page.count("data:image/svg+xml") == len(figures)
    assert not re.search(r"""(?:src|href)=["'](?!data:|#)""", page), "the page must not depend on another file"
    for png in (finished / "results" / "figures").glob("*.png"):
        assert png.read_bytes().startswith(b"\x89PNG")


def test_every_query_has_an_outcome_at_every_stage(finished: Path) -> None:
    import pyarrow.parquet as pq

    for stage in ("relsel", "answer", "utilsel", "utilrank", "replug"):
        (shard,) = (finished / "results" / "annotation" / "demo-train" / "smollm2" / stage).glob("*.parquet")
        assert pq.read_metadata(shard).num_rows == QUESTIONS


def test_training_changed_the_model(finished: Path) -> None:
    from safetensors.numpy import load_file

    before = load_file(finished / "data" / "models" / "all-minilm-l6-v2" / "model.safetensors")
    after = load_file(finished / "results" / "models" / "minilm" / "utilsel" / "model.safetensors")
    shared = sorted(set(before) & set(after))
    assert shared
    assert any((before[name] != after[name]).any() for name in shared if before[name].dtype.kind == "f")


def test_the_embeddings_are_gone_once_searched(finished: Path) -> None:
    assert not list((finished / "results" / "embeddings").rglob("*.npy"))


def test_an_average_is_the_mean_of_its_members(finished: Path) -> None:
    figures = [_json(finished, f"metrics/minilm/human/{name}.json")["metrics"]["ndcg@10"] for name in MEMBERS]
    average = _json(finished, "metrics/minilm/human/domains.json")
    assert average["metrics"]["ndcg@10"] == pytest.approx(sum(figures) / 3)
    assert average["weights"]["forum-garden"] == pytest.approx(1 / 6)


def test_the_hybrid_test_has_the_sampled_questions_alone(finished: Path) -> None:
    assert _json(finished, "metrics/minilm/human/demo-hybrid.json")["queries"] <= 4
    assert _json(finished, "metrics/minilm/human/demo-dev.json")["queries"] == QUESTIONS


def test_an_argument_never_finds_itself(finished: Path) -> None:
    import pyarrow.parquet as pq

    run = pq.read_table(finished / "results" / "runs" / "bm25" / "bm25" / "arguments.parquet")
    assert run.num_rows
    assert not any(query == docid for query, docid in zip(*map(run.__getitem__, ("query_id", "docid")), strict=True))


def test_costs_come_from_the_jobs_and_the_pool(finished: Path) -> None:
    figures = {(row["training"], row["metric"]): row["value"] for row in _rows(finished, "table17")}
    assert float(figures["human", "cost_usd"]) == pytest.approx(QUESTIONS * POOL * 0.09)
    assert 0 < float(figures["utilsel", "device_hours"]) < 1
    assert float(figures["utilsel", "cost_usd"]) == pytest.approx(
        0.8 * float(figures["utilsel", "device_hours"]), abs=1e-5
    )


def test_labels_and_charts_are_there(finished: Path) -> None:
    assert {row["strategy"] for row in _rows(finished, "table1")} == {"relsel", "utilsel"}
    for figure in ("figure2", "figure3a"):
        assert (finished / "results" / "figures" / f"{figure}.svg").read_text().lstrip().startswith("<?xml")


# --- How to go on -----


def test_labels_and_models_are_handed_over(finished: Path) -> None:
    labels, model = "results/exports/labels/utilsel/tevatron", "results/exports/models/minilm/utilsel"
    result = snakemake(finished, "--cores", "1", labels, model, "--configfile", OWN)
    assert result.returncode == 0, result.stderr
    assert "smollm2" in (finished / labels / "README.md").read_text()
    assert len((finished / labels / "train.jsonl").read_text().splitlines()) <= QUESTIONS
    figures = _json(finished, "metrics/minilm/utilsel/demo-dev.json")
    shown = f"| demo-dev | mrr@10 | {100 * figures['metrics']['mrr@10']:.1f} |"
    assert shown in (finished / model / "README.md").read_text()


def test_a_command_of_the_plan_can_be_pasted_and_edited(finished: Path) -> None:
    table = "results/tables/table6"
    jobs = plan(finished, f"{table}.md", "--force", "--configfile", OWN)
    (job,) = jobs.of("results_table")
    made = {suffix: (finished / f"{table}.{suffix}").read_bytes() for suffix in ("md", "csv", "tex")}
    shutil.copytree(finished / "results" / "tables", finished / "results" / "tables.kept")
    try:
        for suffix in made:
            (finished / f"{table}.{suffix}").unlink()
        pasted = subprocess.run(job.command, shell=True, cwd=finished, env=environment())
        assert pasted.returncode == 0, (finished / "logs" / "results_table" / "table6.log").read_text()
        assert {suffix: (finished / f"{table}.{suffix}").read_bytes() for suffix in made} == made
    finally:
        shutil.rmtree(finished / "results" / "tables")
        (finished / "results" / "tables.kept").rename(finished / "results" / "tables")
    edited = shlex.split(job.command.partition(" > ")[0].replace(f"{table}.md", "elsewhere/table6.md"))
    (finished / "elsewhere").mkdir()
    assert subprocess.run(edited, cwd=finished, env=environment()).returncode == 0
    assert (finished / "elsewhere" / "table6.md").read_bytes() == made["md"]


# --- What is stale after a real run -----


@pytest.fixture
def edit(finished: Path) -> Iterator[Callable[[str, Callable[[str], str]], None]]:
    """Change a file of the folder, which is as it was at the end."""
    kept: dict[Path, str] = {}

    def change(file: str, to: Callable[[str], str]) -> None:
        path = finished / file
        before = kept.setdefault(path, path.read_text())
        after = to(before)
        assert after != before
        path.write_text(after)

    yield change
    for path, text in kept.items():
        path.write_text(text)


def _settings(change: Callable[[dict[str, Any]], None]) -> Callable[[str], str]:
    def edited(text: str) -> str:
        configuration = yaml.safe_load(text)
        change(configuration)
        return yaml.safe_dump(configuration, sort_keys=False)

    return edited


def test_a_second_run_has_nothing_to_do_after_what_changes_no_result(
    finished: Path, edit: Callable[[str, Callable[[str], str]], None]
) -> None:
    """Raw files are touched, the configuration is written in another order, and jobs are to run faster."""
    for file in ("resources/demo/tevatron/train.jsonl", "resources/demo/beir/corpus.jsonl"):
        (finished / file).touch()

    def reordered(text: str) -> str:
        configuration = yaml.safe_load(text)
        configuration["performance"] = {"threads": 2, "annotate": {"batch_tokens": 512}}
        return yaml.safe_dump({key: configuration[key] for key in reversed(list(configuration))}, sort_keys=False)

    edit(OWN, reordered)
    assert planned(finished, "--configfile", OWN) == {}


def test_a_training_key_makes_that_training_and_what_starts_from_it_stale(
    finished: Path, edit: Callable[[str, Callable[[str], str]], None]
) -> None:
    edit(OWN, _settings(lambda configuration: configuration["trainings"]["utilsel-cl20"].update(temperature=0.04)))
    shown = Counter(results_table=2, plot_results=2, plot_lines=1, plot_training=1, write_report=1)
    assert planned(finished, "--configfile", OWN) == Counter(train=1, encode=1, search=1, evaluate=1) + shown


def test_a_line_of_logic_in_a_loss_makes_the_trainings_with_it_stale_and_no_annotation_of_their_labels(
    finished: Path, edit: Callable[[str, Callable[[str], str]], None]
) -> None:
    edit(f"{LIBRARY}/training/losses.py", lambda text: text.replace("_mean(_logsumexp(", "_mean(2 * _logsumexp("))
    jobs = plan(finished, "--configfile", OWN)
    trained = {job.wildcards["training"] for job in jobs.of("train")}
    trainings = {"human", "utilsel", "utilsel-pos-one", "utilrank", "utilsel-cl20", "utilsel-union20"}
    assert trained == {*trainings, "mined-human-first1lh"}
    annotated = {job.wildcards["pool"] for job in jobs.jobs if job.rule.startswith("annotate")}
    assert annotated == {"demo-hybrid"}, "its passages are found by retrained models"
    assert not {"build_pool_demo-train", "prepare_model", "ingest_corpus"} & set(jobs.rules)


def test_another_member_of_an_average_plans_its_evaluation_and_the_tables_that_show_it(
    finished: Path, edit: Callable[[str, Callable[[str], str]], None]
) -> None:
    claims = [*MEMBERS, "claims"]
    edit(OWN, _settings(lambda configuration: configuration["averages"]["domains"].update(testsets=claims)))
    jobs = planned(finished, "--configfile", OWN)
    assert not {"train", "annotate_relsel", "generate_answers", "label_table"} & set(jobs)
    assert jobs["average_metrics"] == 2
    assert jobs["evaluate"] == 2
    assert jobs["results_table"] == 1


# --- A new stage -----

NEW_STAGE = """    "utilagain": StageEntry(
        description="another selection of the passages on topic",
        reads=("relsel", "answer"),
        listwise=Way("utilagain.j2", "selection", _SELECTION_REPLY),
        pointwise=Way("utilagain.j2", settings=("pointwise.margin",)),
        make=_selection,
        labels=SELECTED,
        runtime=180,
    ),
"""
LABELLED = "results/labels/utilagain.parquet"


@pytest.fixture
def with_stage(finished: Path, edit: Callable[[str, Callable[[str], str]], None]) -> Iterator[Path]:
    """The folder with one entry and one template more, and a configuration that labels by the new stage."""
    prompts = finished / "resources" / "prompts"
    asked = (prompts / "pointwise_answer.j2").read_text().replace("Answer the question briefly.", "Answer it briefly.")
    (prompts / "utilagain.j2").write_text(asked)
    edit(
        f"{LIBRARY}/annotation/stages.py",
        lambda text: text.replace('    "replug": StageEntry(', NEW_STAGE + '    "replug": StageEntry('),
    )

    def labelling(configuration: dict[str, Any]) -> None:
        utilsel = configuration["labels"]["utilsel"]
        configuration["labels"]["utilagain"] = utilsel | {"source": "utilagain"}
        configuration["label_tables"]["table1"]["labels"].append("utilagain")

    edit(OWN, _settings(labelling))
    yield finished
    (prompts / "utilagain.j2").unlink()


def test_a_stage_is_added_by_one_entry_and_one_template(with_stage: Path) -> None:
    """It gets its rule, its labels and its rows in the report, and what is there stays as it is."""
    jobs = plan(with_stage, "--configfile", OWN)
    annotating = {rule: number for rule, number in jobs.rules.items() if rule.startswith("annotate_")}
    assert annotating == {"annotate_utilagain": 1}
    assert not {"train", "encode", "search", "build_pool_demo-train"} & set(jobs.rules)
    labelled = {job.wildcards["labels"] for rule in ("merge_labels", "label_quality") for job in jobs.of(rule)}
    assert labelled == {"utilagain"}
    (job,) = jobs.of("annotate_utilagain")
    assert " --prompt resources/prompts/utilagain.j2 " in job.command

    table = "results/tables/table1.csv"
    sample, cost = (f"results/report/{kind}/demo-train.json" for kind in ("annotations", "cost"))
    result = snakemake(
        with_stage, "--cores", "2", LABELLED, table, sample, cost, "--configfile", OWN, having=fast_environment
    )
    assert result.returncode == 0, result.stderr[-6000:]
    assert "utilagain" in {row["strategy"] for row in _rows(with_stage, "table1")}
    assert "utilagain" in json.dumps(_json(with_stage, sample.removeprefix("results/")))
    assert "utilagain" in json.dumps(_json(with_stage, cost.removeprefix("results/")))


def test_an_added_stage_has_its_row_in_the_audit(with_stage: Path) -> None:
    script = ("workflow/scripts/audit.py", "plan", LABELLED, "--cores", "2", "--forcerun", "annotate_utilagain")
    command = [sys.executable, *script, "--configfile", OWN]
    audit = subprocess.run(command, cwd=with_stage, capture_output=True, text=True, env=environment())
    assert audit.returncode == 0, audit.stdout + audit.stderr
    assert "annotate_utilagain" in audit.stdout
