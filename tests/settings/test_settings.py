"""The typed configuration: what it refuses, and how it says so."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import describe_configuration
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from snakemake.utils import update_config

from utility_annotation.common.errors import InputError
from utility_annotation.planning.loading import load, read_resolved, resolved_name, write_resolved
from utility_annotation.settings import Annotator, Dataset, Group, canonical
from utility_annotation.settings.base import RENAMED


@pytest.fixture
def demo(root: Path) -> dict[str, Any]:
    return yaml.safe_load((root / "config" / "config.yaml").read_text())


def _set(raw: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    raw = copy.deepcopy(raw)
    *parents, key = path.split("/")
    section = raw
    for parent in parents:
        section = section[parent]
    section[key] = value
    return raw


def test_every_shipped_configuration_loads(root: Path) -> None:
    files = sorted((root / "config").glob("*.yaml"))
    assert root / "config" / "own-corpus.yaml" in files
    for file in files:
        below = [other for other in files if file.stem.startswith(f"{other.stem}-")]
        load(layered(*below, file), path=str(file))


def layered(*files: Path) -> dict[str, Any]:
    """Configuration files as Snakemake lays one over the other."""
    raw: dict[str, Any] = {}
    for file in files:
        update_config(raw, yaml.safe_load(file.read_text()))
    return raw


def test_a_training_is_not_evaluated_on_what_its_own_model_finds(root: Path) -> None:
    """The pool held-out of an own corpus holds the top passages of each trained retriever."""
    own = layered(root / "config" / "own-corpus.yaml", root / "config" / "own-corpus-human.yaml")
    own["trainings"]["human"]["dev"] = {"labels": "held-out", "every": 9}
    with pytest.raises(InputError, match=r"trainings\.human\.dev\.labels: the pool 'held-out' .* own model finds"):
        load(own)
    own["pools"]["held-out"]["source"]["retrievers"] = ["bm25/bm25", "dense/utilsel-human", "external/human"]
    own["external_runs"] = {"human": {"files": {"held-out": "own/human.trec"}}}
    load(own)
    own["trainings"]["utilsel"]["dev"] = {"labels": "held-out", "every": 9}
    with pytest.raises(InputError, match=r"trainings\.utilsel\.dev\.labels: the pool 'held-out'"):
        load(own)


def test_the_own_corpus_takes_human_labels_in_small(root: Path) -> None:
    files = [root / "config" / f"own-corpus{suffix}.yaml" for suffix in ("", "-human", "-small")]
    configuration = load(layered(*files), path="own corpus")
    assert configuration.annotators["llm"].protocol == "pointwise"
    assert configuration.trainings["utilsel-human"].init_from == "utilsel"


def test_line_breaks_and_spaces_of_a_prefix_reach_the_jobs(
    demo: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the user's file through the resolved configuration, which jobs read, to their settings."""
    written = yaml.safe_load(r'{query_prefix: "Instruct: Find it\nQuery: ", passage_prefix: "  P:\n\n"}')
    configuration = load(_set(demo, "backbones/minilm", demo["backbones"]["minilm"] | written), path="demo")
    monkeypatch.chdir(tmp_path)
    backbone = read_resolved(write_resolved(configuration)).backbones["minilm"]
    assert (backbone.query_prefix, backbone.passage_prefix) == ("Instruct: Find it\nQuery: ", "  P:\n\n")
    assert json.loads(canonical(backbone))["query_prefix"] == "Instruct: Find it\nQuery: "


DEV = {"labels": "utilsel", "every": 9}
CHART = {
    "title": "Chart",
    "x_label": "share",
    "backbone": "minilm",
    "testset": "demo-dev",
    "series": [{"name": "line", "points": {1: "human"}}],
}


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("modles", {}, "unknown key modles (did you mean 'models'?)"),
        (
            "trainings/human/globl_batch_size",
            3,
            "unknown key trainings.human.globl_batch_size (did you mean 'global_batch_size'?)",
        ),
        ("tables/retrieval/groups", [{"trainngs": ["human"]}], "groups.0.trainngs (did you mean 'trainings'?)"),
        ("performance/trainer", {}, "did you mean 'train'?"),
        ("datasets/demo/splits/dev/query", {}, "did you mean 'queries'?"),
        (
            "trainings/human/labels",
            "humann",
            "trainings.human.labels names 'humann', which is not in `labels` (did you mean 'human",
        ),
        (
            "trainings/human/loss",
            "kl",
            "trainings.human: loss kl goes with labels that are likelihoods (source replug)",
        ),
        ("trainings/utilsel/init_from", "utilsel-cl20", "it comes after itself"),
        ("trainings/human/dev", DEV | {"labels": "hum"}, "trainings.human.dev.labels names 'hum', which is not in"),
        ("trainings/human/dev", DEV | {"labels": "human"}, "human.dev.labels: it is trained on 'human'"),
        ("trainings/utilsel-cl20/dev", DEV, "cl20.dev.labels: its first stage 'utilsel' is trained on 'utilsel'"),
        ("trainings/human/dev", DEV | {"labels": "replug"}, "dev.labels: labels of source replug have no positives"),
        ("trainings/human/dev", DEV | {"metric": "ndgc@10"}, "human.dev.metric: 'ndgc@10' is not a known metric (did"),
        ("trainings/human/dev", DEV | {"every": 0}, "trainings.human.dev.every"),
        ("trainings/human/dev", DEV | {"patience": 2}, "trainings.human.dev: `patience` needs `keep: best`"),
        ("trainings/untrained", {"labels": "human"}, "trainings.untrained: this name is reserved"),
        ("labels/human/annotator", "smollm2", "labels of source human must have no `annotator`"),
        ("models/all-minilm-l6-v2", {"package": "a", "path": "b"}, "give exactly one of package, path and hub"),
        ("testsets/demo-dev/split", "test", "testsets.demo-dev.split names 'test'"),
        (
            "tables/retrieval/baseline",
            "utilsel-cl30",
            "the baseline 'utilsel-cl30' must be one of its trainings, or null",
        ),
        (
            "tables/retrieval/metrics",
            ["mrr@10", "mrr@100"],
            "tables.retrieval.metrics names 'mrr@100', which is not computed there (did you mean 'mrr@10'?)",
        ),
        (
            "line_charts",
            {"chart": CHART | {"metric": "ndcg@20"}},
            "line_charts.chart.metric names 'ndcg@20', which is not computed there (did you mean 'ndcg@10'?)",
        ),
        (
            "performance",
            {"annotate": {"servers": {"judge": {"url": "http://far/v1"}}}},
            "performance.annotate.servers names 'judge', which no annotator serves",
        ),
        *(
            (f"tables/{name}", {"title": "T", "testsets": ["demo-dev"]}, f"{name}: a table or figure cannot have this")
            for name in ("all", "labels", "paper", "train", "search", "fetch")
        ),
        ("labels/" + 20 * "ab", {"pool": "demo-train", "source": "human"}, "is repeated 20 times"),
        ("tables/retrieval/bm25_variants", ["tuned"], "tables.retrieval.bm25_variants names 'tuned'"),
        ("bm25_variants", {"bm25": {"k1": 1.2}}, "bm25_variants.bm25: this name is reserved"),
        ("external_runs", {"splade": {"files": {"deev": "a.trec"}}}, "external_runs.splade.files names 'deev'"),
        ("tables/retrieval/external_runs", ["splade"], "tables.retrieval.external_runs names 'splade'"),
        ("backbones/external", {"model": "all-minilm-l6-v2"}, "backbones.external: this name is reserved"),
        (
            "performance",
            {"annotate": {"gpus_of": {"smollm": 2}}},
            "performance.annotate.gpus_of names 'smollm', which is not in `annotators` (did you mean 'smollm2'?)",
        ),
        (
            "performance",
            {"train": {"fsdp": True, "gpus": 1}},
            "performance.train.fsdp needs two GPUs or more, but performance.train.gpus is 1",
        ),
        ("annotators/smollm2/model", None, "engine transformers needs `model`"),
        ("annotators/smollm2/engine", "openai", "engine openai needs `served_model_name`"),
        (
            "annotators/smollm2/served_model_name",
            "judge",
            "engine openai needs `served_model_name`, the others must have none",
        ),
        ("annotators/smollm2/structured_outputs", True, "`structured_outputs` needs the engine vllm or openai"),
        (
            "annotators/smollm2",
            {"model": "smollm2", "engine": "vllm", "protocol": "pointwise", "structured_outputs": True},
            "`structured_outputs` is for the listwise protocol",
        ),
        ("annotators/smollm2/permutations", 3, "`permutations` are for the listwise protocol"),
        ("annotators/smollm2/retries", {"temperature_step": 0}, "would repeat the reply; give a `temperature_step`"),
        (
            "annotators/smollm2",
            {"engine": "openai", "served_model_name": "judge"},
            "replug asks for likelihoods, so annotators.smollm2 needs `model`",
        ),
        (
            "annotators/smollm2",
            {"engine": "openai", "served_model_name": "judge", "protocol": "pointwise"},
            "`model` must name the tokenizer",
        ),
        (
            "annotators/smollm2",
            {"engine": "openai", "served_model_name": "judge", "precision": "fp16"},
            "without `model`, leave `precision` out",
        ),
        ("trainings/human/lora", {"rank": 8}, "unknown key trainings.human.lora.rank (did you mean 'r'?)"),
        ("trainings/human/lora", {"r": 0}, "lora.r: Input should be greater than or equal to 1"),
        ("trainings/human/lora", {"alpha": 0}, "lora.alpha: Input should be greater than or equal to 1"),
        ("trainings/human/lora", {"dropout": 1}, "lora.dropout: Input should be less than 1"),
        ("trainings/human/lora", {"targets": "query"}, "targets: give a list of names, such as [query], or all-linear"),
        ("trainings/human/lora", {"targets": []}, "targets: give a list of names, such as [q_proj], or all-linear"),
        ("trainings/human/learning_rate", -1, "trainings.human.learning_rate: Input should be greater than 0"),
        (
            "testsets/answers",
            {"dataset": "demo", "split": "dev", "relevant": "answers", "metrics": ["success@5", "recall@5"]},
            "recall@5: with relevant: answers only retrieved passages are judged",
        ),
        (
            "testsets/answers",
            {
                "dataset": "demo",
                "split": "dev",
                "relevant": "answers",
                "metrics": ["success@5"],
                "relevance_level": 2,
            },
            "with relevant: answers every grade is 0 or 1",
        ),
        (
            "testsets/train",
            {"dataset": "demo", "split": "train", "labels": "replug"},
            "testsets.train: labels of source replug have no positives",
        ),
        (
            "pools/mined",
            {
                "dataset": "demo",
                "split": "dev",
                "source": {"format": "merged", "testset": "demo-dev", "depth": 101},
            },
            "pools.mined: its depth is greater than that of testsets.demo-dev, 100",
        ),
        (
            "testsets/train",
            {"dataset": "demo", "split": "train", "relevant": "labels"},
            "relevant: labels needs `labels`, a label set",
        ),
        ("testsets/demo-dev/query_length", 3, "query_length: Input should be greater than or equal to 4"),
        ("pools/demo-train/source/duplicates", "drop", "are taken as published, so leave `duplicates` out"),
        ("datasets/demo/corpus/columns", {"docid": "id"}, "`columns` are for the formats jsonl, json, csv, parquet"),
        ("datasets/demo/corpus/ids", "line", "corpus: `ids: line` is for the formats jsonl, json, csv, parquet; "),
        (
            "datasets/demo/corpus",
            {"format": "jsonl", "path": "a", "ids": "line", "columns": {"docid": "id"}},
            "corpus: `ids: line` contradicts docid in `columns`",
        ),
        (
            "datasets/demo/splits/dev/qrels",
            {"format": "jsonl", "path": "a", "ids": "line"},
            "dev.qrels: `ids: line` is for passages and queries; judgements name the ids of others",
        ),
        ("datasets/demo/splits/dev/part", {"percent": [80, 0]}, "two numbers from 0 to 100, the lower one first"),
    ],
)
def test_a_wrong_configuration_is_refused_with_the_place_and_the_fix(
    demo: dict[str, Any], path: str, value: Any, expected: str
) -> None:
    with pytest.raises(InputError) as error:
        load(_set(demo, path, value), path="some.yaml")
    assert expected in str(error.value)
    assert str(error.value).startswith("some.yaml: ")


OLD_KEYS: list[tuple[str, Any]] = [
    ("runs", {"human": {"labels": "human", "loss": "singlelh"}}),
    ("trainings/human/first_stage", "utilsel"),
    ("trainings/human/passages", 16),
    ("trainings/human/batch_queries", 16),
    ("tables/retrieval/groups", [{"runs": ["human"]}]),
    ("annotators/smollm2/context_tokens", 2048),
    ("annotators/smollm2/served_model", "judge"),
    ("annotators/smollm2/guided", True),
    ("annotators/smollm2/passes", 3),
    ("annotators/smollm2/retries", {"attempts": 2}),
    ("performance/annotate/server", {"key_variable": "KEY"}),
    ("performance/train", {"cache_chunk": 8}),
]
"""Where each key of version 1 stood, with a value that was right."""


def _place_of_old_key(path: str, value: Any) -> tuple[str, str]:
    """The place that the error names, and the key itself."""
    keys = path.split("/")
    if isinstance(value, list):
        keys += ["0", *value[0]]
    elif isinstance(value, dict) and keys != ["runs"]:
        keys += value
    return ".".join(keys), keys[-1]


def test_fp16_does_not_go_with_fsdp(demo: dict[str, Any]) -> None:
    demo["performance"]["train"] = {"fsdp": True, "gpus": 2}
    load(demo)
    demo["trainings"]["human"]["precision"] = "fp16"
    with pytest.raises(InputError, match=r"performance\.train\.fsdp .*trainings\.human\.precision fp16"):
        load(demo)


@pytest.mark.parametrize(("path", "value"), OLD_KEYS, ids=[path for path, _ in OLD_KEYS])
def test_a_key_of_version_1_is_refused_with_its_new_name(demo: dict[str, Any], path: str, value: Any) -> None:
    place, key = _place_of_old_key(path, value)
    with pytest.raises(InputError) as error:
        load(_set(demo, path, value), path="some.yaml")
    assert f"{place}: `{key}` is now `{RENAMED[key]}`" in str(error.value)


def test_every_renamed_key_is_tried() -> None:
    assert {_place_of_old_key(*old)[1] for old in OLD_KEYS} == set(RENAMED)


@pytest.mark.parametrize("key", ["query_length", "passage_length"])
def test_a_length_of_a_test_set_that_only_bm25_searches_is_refused(demo: dict[str, Any], key: str) -> None:
    lexical = {"dataset": "demo", "split": "dev", key: 64}
    demo["testsets"] |= {"lexical": lexical, "other": {"dataset": "demo", "split": "dev"}}
    load(demo)  # the files of a test set that no table shows can be asked for by name
    demo["tables"]["lexical"] = {"title": "BM25", "testsets": ["mean"], "baseline": None}
    demo["averages"] = {"mean": {"testsets": ["lexical", "other"]}}
    with pytest.raises(
        InputError, match=f"testsets.lexical.{key} has no effect, as only BM25 searches.*remove the key"
    ):
        load(demo)
    source = {"format": "merged", "testset": "lexical", "retrievers": ["bm25/bm25", "minilm/untrained"]}
    demo["pools"]["mined"] = {"dataset": "demo", "split": "dev", "source": source}
    load(demo)
    demo["pools"]["mined"]["source"]["retrievers"] = ["bm25/bm25"]
    with pytest.raises(InputError, match=f"testsets.lexical.{key} has no effect"):
        load(demo)
    demo["tables"]["lexical"] |= {"backbones": ["minilm"], "groups": [{"trainings": ["untrained"]}]}
    load(demo)


def test_replug_needs_ground_truth_answers(demo: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"replug needs datasets\.demo\.splits\.train\.answers"):
        load(_set(demo, "datasets/demo/splits/train/answers", None))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.dictionaries(st.text(), inner), max_leaves=8
)


@given(st.dictionaries(st.text(), json_values, min_size=2))
def test_canonical_settings_do_not_depend_on_the_order_of_keys(settings: dict[str, Any]) -> None:
    reversed_keys = dict(reversed(list(settings.items())))
    assert canonical(settings) == canonical(reversed_keys)
    assert json.loads(canonical(settings)) == settings


def test_only_leaves_what_a_job_cannot_read_out_of_its_json() -> None:
    settings = Annotator(model="m", protocol="pointwise", passage_words=7)
    kept = settings.only("model", "pointwise.margin")
    assert json.loads(canonical(kept)) == {"model": "m", "pointwise": {"margin": 0.8}}
    assert (kept.passage_words, kept.pointwise.relevant_percent) == (300, 50), "the others have their defaults"
    assert settings.passage_words == 7


def test_only_leaves_a_required_key_unreadable() -> None:
    kept = Dataset.model_validate({"corpus": {"format": "beir", "path": "x"}, "splits": {}}).only("titles")
    assert json.loads(canonical(kept)) == {"titles": True}
    with pytest.raises(AttributeError):
        _ = kept.splits


def test_settings_know_on_which_keys_a_job_depends() -> None:
    settings = Annotator(model="m")
    assert settings.depends_on("sampling")
    kept = settings.only("model", "sampling.seed")
    assert [kept.depends_on(key) for key in ("model", "sampling", "retries")] == [True, True, False]


@pytest.mark.parametrize("file", ["config.yaml", "paper.yaml", "miniature.yaml", "served"])
def test_a_whole_configuration_travels_to_the_jobs(
    root: Path, demo: dict[str, Any], file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    served = _set(demo, "annotators/judge", {"engine": "openai", "served_model_name": "far"})
    settings = load(served if file == "served" else yaml.safe_load((root / "config" / file).read_text()))
    path = write_resolved(settings)
    assert read_resolved(path) == settings
    assert canonical(read_resolved(path)) == canonical(settings)
    assert path == Path(resolved_name(settings))


def test_the_configuration_of_the_jobs_is_named_by_its_content(demo: dict[str, Any]) -> None:
    shuffled = {name: demo[name] for name in sorted(demo)}
    assert resolved_name(load(shuffled)) == resolved_name(load(demo))
    other = _set(demo, "performance/threads", 17)
    assert resolved_name(load(other)) != resolved_name(load(demo))


@pytest.mark.parametrize(
    ("text", "problem"),
    [("a: [", "this is no YAML"), ("- a", "this is no mapping of sections"), ("modles: {}", "unknown key modles")],
)
def test_a_file_that_is_no_configuration_is_named(tmp_path: Path, text: str, problem: str) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(text)
    with pytest.raises(InputError) as error:
        read_resolved(file)
    assert str(error.value).startswith(f"{file}: ")
    assert problem in str(error.value)
    assert error.value.hint


def test_a_configuration_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.yaml: the configuration cannot be read .*Fix: run Snakemake"):
        read_resolved(tmp_path / "nowhere.yaml")


def test_named_rows_keep_their_order_on_the_way_to_a_script() -> None:
    group = Group.model_validate({"trainings": ["human"], "rows": {"loss=summarglh": "b", "loss=jointlh": "a"}})
    travelled = Group.model_validate_json(canonical(group))
    assert [row.name for row in travelled.shown()] == ["human", "loss=summarglh", "loss=jointlh"]


def test_the_reference_page_is_what_the_code_says(root: Path) -> None:
    assert (root / "config" / "README.md").read_text() == describe_configuration.reference(), (
        "run: python workflow/scripts/describe_configuration.py --output config"
    )


@pytest.mark.parametrize(
    ("text", "place", "read"),
    [
        ("trainings: {no: {labels: human, loss: singlelh}}", "trainings: YAML reads a name here", "False"),
        ("trainings: {1.1: {labels: human, loss: singlelh}}", "trainings: YAML reads a name here", "1.1"),
        ("trainings: {2024-05-01: {labels: human}}", "trainings: YAML reads a name here", "2024-05-01"),
        ("datasets: {demo: {splits: {on: {}}}}", r"datasets\.demo\.splits: YAML reads a name here", "True"),
        ("trainings: {x: {labels: yes, loss: singlelh}}", r"trainings\.x\.labels: YAML reads this", "True"),
    ],
)
def test_a_name_that_yaml_reads_as_something_else_is_to_be_quoted(
    demo: dict[str, Any], text: str, place: str, read: str
) -> None:
    update_config(demo, yaml.safe_load(text))
    with pytest.raises(InputError, match=rf"{place} as {read} and not as text; put it in quotes, as in 'no' or '1\.1'"):
        load(demo)


def test_home_and_variables_in_paths_of_the_outside_are_replaced(
    demo: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("DATA", "/data")
    source = {"format": "jsonl", "path": "$DATA/a.jsonl"}
    split = {"queries": source, "qrels": {**source, "path": "${DATA}/b"}, "answers": {**source, "path": "~/c"}}
    changes: dict[str, Any] = {
        "models": {"own": {"path": "~/models/own"}},
        "downloads": {"x": {"url": "https://x.org/x.zip", "local": "~/x.zip"}},
        "datasets": {"own": {"corpus": {**source, "path": "$HOME/corpus"}, "splits": {"test": split}}},
        "pools": {"own": {"dataset": "own", "split": "test", "source": {"path": "$DATA/rows"}}},
        "labels": {"own": {"pool": "own", "source": "file", "file": source}},
        "performance": {"annotate": {"python": "~/vllm/bin/python"}},
    }
    update_config(demo, changes)
    configuration = load(demo)
    dataset = configuration.datasets["own"]
    labels = configuration.labels["own"]
    assert labels.file
    assert [source.path for source in (dataset.corpus, labels.file)] == ["/home/me/corpus", "/data/a.jsonl"]
    test = dataset.splits["test"].model_dump()
    assert [test[kind]["path"] for kind in ("queries", "qrels", "answers")] == [
        "/data/a.jsonl",
        "/data/b",
        "/home/me/c",
    ]
    assert configuration.models["own"].path == "/home/me/models/own"
    assert configuration.downloads["x"].local == "/home/me/x.zip"
    assert configuration.pools["own"].source.path == "/data/rows"
    assert configuration.performance.annotate.python == "/home/me/vllm/bin/python"


def test_a_variable_that_is_not_set_is_named(demo: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOWHERE", raising=False)
    with pytest.raises(InputError, match=r"models\.own\.path: the environment variable NOWHERE is not set"):
        load(demo | {"models": {"own": {"path": "${NOWHERE}/model"}}})


@pytest.mark.parametrize("user", ["me:secret-word@", "secret-word@", "me:secret-word@twice@", ":secret-word@"])
@pytest.mark.parametrize(
    "place",
    ["downloads/own/url", "performance/annotate/server/url", "performance/annotate/servers/big/url", "models/own/hub"],
)
def test_a_url_with_a_user_or_a_password_is_refused_without_being_shown(
    demo: dict[str, Any], tmp_path: Path, place: str, user: str
) -> None:
    *sections, key = place.split("/")
    more: Any = {key: f"https://{user}host.example/v1/file.gz"}
    for section in reversed(sections):
        more = {section: more}
    update_config(demo, more)
    edited = tmp_path / "edited.yaml"
    edited.write_text(yaml.safe_dump(demo))
    for read in (lambda: load(demo, path="a.yaml"), lambda: read_resolved(edited)):
        with pytest.raises(
            InputError, match=rf"{place.replace('/', '.').removesuffix('.' + key)}: .*password"
        ) as raised:
            read()
        assert "secret-word" not in str(raised.value)


def test_a_url_with_an_at_sign_in_its_path_is_taken(demo: dict[str, Any]) -> None:
    update_config(demo, {"downloads": {"own": {"url": "https://host.example/@me/file.gz?a@b"}}})
    load(demo, path="a.yaml")
