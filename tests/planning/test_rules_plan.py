"""What the rules call, without Snakemake: wildcards are whatever has attributes of these names."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from whole import WHOLE, at_places

from utility_annotation.common.code_digest import forget
from utility_annotation.common.file_digest import content_digest
from utility_annotation.planning import (
    annotation,
    answers,
    data,
    entries,
    jobs,
    labels,
    pools,
    reranking,
    results,
    retrieval,
    selection,
    training,
)
from utility_annotation.planning.loading import resolved_name
from utility_annotation.planning.plan import Plan, Unknown, none_of, one_of
from utility_annotation.settings import Configuration, canonical


def wildcards(**values: str) -> SimpleNamespace:
    """Others beside them are never asked for."""
    return SimpleNamespace(**values)


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    """In a working folder that is not the workflow's."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return Plan(WHOLE, tmp_path / "workflow")


@pytest.fixture
def here(root: Path) -> Plan:
    """Of the workflow itself."""
    return Plan(WHOLE, root)


def test_a_planning_function_takes_the_wildcards_that_it_names(plan: Plan) -> None:
    found = plan.of(training.model)(wildcards(backbone="encoder", training="human", shard="0000-of-0001"))
    assert found == "results/models/encoder/human"


def test_a_wildcard_may_be_known_already(plan: Plan) -> None:
    of_stage = plan.of(annotation.template, stage="relsel")
    assert of_stage(wildcards(annotator="list")) == "prompts/relsel.j2"
    assert of_stage(wildcards(annotator="point")) == "prompts/pointwise_relevance.j2"


@pytest.mark.parametrize(
    ("annotator", "asks_list", "asks_served"),
    [
        (reranking.annotator, {"reranked": "by-list"}, {"reranked": "by-served"}),
        (selection.annotator, {"selected": "chosen"}, {"selected": "chosen-by-served"}),
        (answers.generator, {"generator": "list"}, {"generator": "served"}),
    ],
)
def test_a_job_that_asks_an_llm_has_what_its_annotator_has(
    annotator: Callable[..., str], asks_list: dict[str, str], asks_served: dict[str, str]
) -> None:
    fast = {"python": "/opt/vllm/python", "gpus_of": {"list": 2}}
    plan = Plan(at_places({"annotators/list/engine": "vllm", "performance/annotate": fast}), Path())
    found = [
        plan.of(annotation.model, annotator=annotator),
        plan.requests("select_by_llm", annotation.gpus, annotator=annotator)["gpu"],
        plan.environment_of(annotation.in_environment_of_vllm, annotator=annotator),
    ]
    unwatched = [plan.unwatched(tell, annotator=annotator) for tell in (annotation.python, annotation.store)]
    of_list, of_served = wildcards(**asks_list), wildcards(**asks_served)
    assert [tell(of_list) for tell in found] == [["data/models/llm"], 2, "../envs/vllm.yaml"]
    assert [tell(of_served) for tell in found] == [[], 0, "../envs/core.yaml"]
    assert [tell(of_list, None) for tell in unwatched] == ["/opt/vllm/python", "results/completions/list"]
    assert [tell(of_served, None) for tell in unwatched] == ["python", "results/completions/served"]


def test_a_function_of_the_configuration_alone_takes_no_wildcard(plan: Plan) -> None:
    assert plan.of(results.shown_models)(wildcards()) == results.shown_models(WHOLE)


def test_a_missing_wildcard_is_an_error(plan: Plan) -> None:
    with pytest.raises(AttributeError, match="training"):
        plan.of(training.model)(wildcards(backbone="encoder"))


def test_resources_are_those_of_the_workflow_wherever_one_works(plan: Plan, tmp_path: Path) -> None:
    of_stage = plan.resource_of(annotation.template, stage="answer")
    assert of_stage(wildcards(annotator="list")) == [f"{tmp_path}/workflow/resources/prompts/answer.j2"]
    assert plan.resource("report/style.css") == f"{tmp_path}/workflow/resources/report/style.css"
    assert plan.script("train.py")(wildcards(), None) == f"{tmp_path}/workflow/workflow/scripts/train.py"


def test_paths_are_short_in_the_workflows_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    plan = Plan(WHOLE, tmp_path)
    assert plan.resource_of(results.table_published)(wildcards(table="retrieval")) == ["resources/paper/published.csv"]
    assert plan.resource_of(results.table_published)(wildcards(table="answers")) == []
    assert plan.script("train.py")(wildcards(), None) == "workflow/scripts/train.py"


def test_a_rule_is_stale_by_its_jobs_settings_as_canonical_json(plan: Plan) -> None:
    settings = plan.settings(jobs.annotate, stage="relsel")(wildcards(annotator="point", pool="rows"))
    assert settings == canonical(jobs.annotate(WHOLE, annotator="point", stage="relsel"))
    assert list(json.loads(settings)) == sorted(json.loads(settings))


def test_a_users_own_files_are_marked_and_those_that_a_rule_makes_are_not(plan: Plan) -> None:
    def mark(file: str) -> tuple[str, str]:
        return ("own", file)

    sources = plan.watched(data.queries_files, mark)
    dev = wildcards(dataset="data", split="dev")
    expected = ["own/dev.jsonl", "own/beir", "own/answers.jsonl"]
    assert sources(dev) == expected, "what is not there is asked for as it is"
    for file in expected:
        Path(file).parent.mkdir(exist_ok=True)
        Path(file).touch()
    assert sources(dev) == [mark(file) for file in expected]
    train = wildcards(dataset="data", split="train")
    Path("raw/packed").mkdir(parents=True)
    Path("raw/packed/queries.jsonl").touch()
    assert sources(train) == ["raw/packed/queries.jsonl"], "a download's member, even where it is there"


def test_every_file_of_some_rules_is_marked(plan: Plan) -> None:
    shared = plan.marked(annotation.shared, str.upper, stage="utilrank")
    names = {"pool": "rows", "shard": "0000-of-0002"}
    assert shared(wildcards(annotator="point", **names)) == [
        "RESULTS/ANNOTATION/ROWS/POINT/UTILSEL/0000-OF-0002.PARQUET"
    ]
    assert shared(wildcards(annotator="list", **names)) == []


def test_the_content_of_a_users_own_file_counts_and_its_time_does_not(plan: Plan) -> None:
    content = plan.content(labels.outside_files)
    theirs = wildcards(labels="theirs")
    assert content(theirs) == [], "it is not there"
    file = Path("own/theirs.txt")
    file.parent.mkdir()
    file.write_text("q1 0 a 1\n")
    first = content(theirs)
    assert first == [content_digest(file, "elsewhere")]
    os.utime(file, (1, 1))
    assert content(theirs) == first
    file.write_text("q1 0 a 2\n")
    assert content(theirs) != first
    assert plan.content(pools.source_files)(wildcards(pool="found")) == [], "rows that this workflow mines"


def test_the_code_of_a_job_is_that_of_its_command_with_the_entries_that_it_uses(here: Plan) -> None:
    pointwise, listwise = (at_places({"backbones/encoder/pooling": pooling}) for pooling in ("mean", "cls"))
    root = Path(__file__).parents[2]

    def encode(configuration: Configuration) -> str:
        return Plan(configuration, root).code("retrieve.py", "encode", entries.encode)(wildcards(backbone="encoder"))

    assert encode(pointwise) != encode(listwise), "another pooling"
    assert encode(listwise) == here.code("retrieve.py", "encode", entries.encode)(wildcards(backbone="encoder"))
    search = here.code("retrieve.py", "search", entries.encode)(wildcards(backbone="encoder"))
    assert search != encode(listwise), "another command"
    relsel, answer = (
        here.code("annotate.py", "annotate", entries.annotate, stage=stage)(wildcards())
        for stage in ("relsel", "answer")
    )
    assert relsel != answer


def test_a_training_rests_on_the_code_of_metrics_if_it_is_evaluated_while_it_runs(here: Plan, tmp_path: Path) -> None:
    shutil.copytree(Path(__file__).parents[2] / "workflow" / "scripts", tmp_path / "workflow" / "scripts")
    runs = tmp_path / "workflow" / "scripts" / "utility_annotation" / "retrieval" / "runs.py"
    runs.write_text(runs.read_text().replace('"descending"', '"ascending"'))
    changed = Plan(WHOLE, tmp_path)

    def code(plan: Plan, training: str) -> str:
        return plan.code("train.py", "train_retriever", entries.train)(wildcards(backbone="encoder", training=training))

    assert code(changed, "human") == code(here, "human")
    assert code(changed, "likely") != code(here, "likely")
    mrr = Plan(at_places({"trainings/likely/dev/metric": "mrr@10"}), Path(__file__).parents[2])
    assert code(mrr, "likely") != code(here, "likely")


def test_code_is_found_in_the_workflows_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scripts = tmp_path / "workflow" / "scripts"
    scripts.mkdir(parents=True)
    monkeypatch.chdir(tmp_path)

    def code(text: str) -> str:
        (scripts / "one.py").write_text(text)
        forget()
        return Plan(WHOLE, tmp_path).code("one.py", "run")(wildcards())

    first = code("def run(arguments):\n    return 1\n\n\ndef other(arguments):\n    return 2\n")
    same = code('def run(arguments):\n    """Say one."""\n    return 1\n\n\ndef other(a):\n    return 3\n')
    assert same == first, "a docstring and another command change nothing"
    assert code("def run(arguments):\n    return 4\n") != first


def test_what_makes_nothing_stale_takes_the_input_too(plan: Plan) -> None:
    assert plan.configuration_file(wildcards(), None) == resolved_name(WHOLE)
    folder = plan.unwatched(training.pool_folder)
    assert folder(wildcards(training="human"), ["a file"]) == "results/pools/rows"


def test_memory_and_time_grow_with_every_attempt(plan: Plan) -> None:
    asked = plan.requests("train", training.gpus)
    assert asked.keys() == {"mem_mb", "runtime", "gpu"}
    assert [asked["mem_mb"](wildcards(), attempt=attempt) for attempt in (1, 3)] == [16000, 48000]
    assert [asked["runtime"](wildcards(), threads=1, attempt=attempt) for attempt in (1, 2)] == [960, 1920]
    assert plan.requests("merge_labels").keys() == {"mem_mb"}
    assert plan.requests("plot_lines") == {}


def test_time_follows_from_what_is_predicted_of_a_job() -> None:
    jobs: list[tuple[Any, ...]] = []

    class Slow(Unknown):
        def seconds(self, *job: Any) -> float:
            jobs.append(job)
            return 3600

    class Fast(Unknown):
        def seconds(self, *job: Any) -> float:
            return 1

    tuned = at_places({"performance/encode/gpus": 2})
    runtime = Plan(tuned, Path(), Slow()).requests("encode", retrieval.gpus)["runtime"]
    names = {"dataset": "data", "shard": "0000-of-0002"}
    assert [runtime(wildcards(**names), threads=4, attempt=attempt) for attempt in (1, 2, 3)] == [120, 180, 240]
    assert jobs[0] == ("encode", names, 2, 4)
    short = Plan(tuned, Path(), Fast()).requests("encode", retrieval.gpus)["runtime"]
    assert [short(wildcards(**names), threads=4, attempt=attempt) for attempt in (1, 2)] == [10, 20]


def test_memory_follows_from_a_large_model_s_weights() -> None:
    class Heavy(Unknown):
        def weights_megabytes(self, rule: str, wildcards: Any, gpus: int) -> float:
            return {"encode": 30_000, "search": 1_000}[rule]

    for rule, first in (("encode", 36_000), ("search", 16_000)):
        asked = Plan(WHOLE, Path(), Heavy()).requests(rule, retrieval.gpus)["mem_mb"]
        assert [asked(wildcards(), attempt=attempt) for attempt in (1, 2)] == [first, 2 * first]


def test_vllm_has_an_environment_of_its_own() -> None:
    plan = Plan(at_places({"annotators/fast": {"model": "llm", "engine": "vllm"}}), Path())
    environment = plan.environment_of(annotation.in_environment_of_vllm)
    assert environment(wildcards(annotator="fast")) == "../envs/vllm.yaml"
    assert environment(wildcards(annotator="list")) == "../envs/core.yaml"


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        ({}, "python"),
        ({"gpu": 1}, "python"),
        ({"gpu": 4}, "python -m torch.distributed.run --standalone --nproc-per-node 4"),
    ],
)
def test_a_training_on_several_gpus_is_launched_in_as_many_processes(
    plan: Plan, resources: dict[str, Any], expected: str
) -> None:
    assert plan.launcher(wildcards(), None, resources) == expected


def test_tables_and_charts_have_their_titles_in_snakemakes_report(plan: Plan) -> None:
    title = plan.title("table", "tables", "table")
    assert title(wildcards(table="retrieval")) == {"table": "Retrieval"}


def test_wildcards_are_the_names_of_the_configuration(plan: Plan) -> None:
    patterns = plan.wildcard_patterns()
    assert patterns["annotator"] == patterns["generator"] == "list|point|served"
    assert patterns["split"] == "asked|dev|made|train"
    assert patterns["training"] == "human|likely|refined|untrained|useful"
    assert patterns["retriever"].split("|") == [
        "bm25/bm25",
        "bm25/tuned",
        *(f"encoder/{name}" for name in ("human", "likely", "refined", "untrained", "useful")),
        "external/splade",
        "reranked/again",
        *(rf"reranked/by\-{name}" for name in ("list", "point", "served")),
        *("selected/chosen", r"selected/chosen\-by\-point", r"selected/chosen\-by\-served", "selected/sure"),
    ]
    assert Plan(at_places({"averages": {}, "tables": {}}), Path()).wildcard_patterns()["average"] == "none"


def test_each_reranked_run_is_of_one_rule() -> None:
    trained = {"retriever": "bm25/bm25", "reranker": "cross/human"}
    plan = Plan(at_places({"rerankers/cross": {"model": "bert"}, "reranked/by-training": trained}), Path())
    assert plan.reranked_by("reranker") == r"again|by\-training"
    assert plan.reranked_by("annotator") == r"by\-list|by\-point|by\-served"


def test_patterns_take_names_as_they_are() -> None:
    import re

    assert re.fullmatch(one_of(["a.b", "c+"]), "a.b")
    assert not re.fullmatch(one_of(["a.b", "c+"]), "axb")
    assert re.fullmatch(none_of(["one", "two"], "[a-z]+"), "three")
    assert re.fullmatch(none_of(["one", "two"], "[a-z]+"), "ones")
    assert not re.fullmatch(none_of(["one", "two"], "[a-z]+"), "two")


def test_every_result_is_a_target(plan: Plan) -> None:
    targets = plan.targets()
    assert set(targets) == {
        *("all", "labels", "models", "tables", "figures", "paper"),
        *("retrieval", "answers", "sets", "costs", "shares", "numbers"),
    }
    assert targets["answers"] == ["results/tables/answers.md", "results/figures/answers.svg"]
    assert targets["costs"] == ["results/tables/costs.md"]
    assert targets["shares"] == ["results/figures/shares.svg"]
    assert targets["models"] == [f"results/models/encoder/{name}" for name in ("human", "refined", "useful")]
    assert set(targets["all"]) == {
        *targets["tables"],
        *results.all_figures(WHOLE),
        *results.verdicts(WHOLE),
        "results/report.html",
    }
    assert len(targets["tables"]) == 3 * len(results.tables(WHOLE))
    assert set(targets["paper"]) == {*targets["tables"], *results.all_charts(WHOLE)}
