"""A table of changes: each plans exactly the jobs whose results it alters.

Nothing is run: each result is stood in for by an empty file. test_end_to_end.py looks at some of these changes after a
real run.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from workflow_copy import copy_of_repository, planned, stand_in_for_results

CONFIGURATION = "config/config.yaml"
LIBRARY = "workflow/scripts/utility_annotation"
LARGE = "resources/demo/beir/corpus.jsonl"
"""Padded to more than Snakemake compares by checksum."""


@pytest.fixture(scope="module")
def recorded(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo, its LLM judging lists and its corpus large, as if it had been run."""
    folder = copy_of_repository(root, tmp_path_factory.mktemp("stale"))
    configuration = yaml.safe_load((folder / CONFIGURATION).read_text())
    configuration["annotators"]["smollm2"]["protocol"] = "listwise"
    (folder / CONFIGURATION).write_text(yaml.safe_dump(configuration, sort_keys=False))
    with (folder / LARGE).open("a") as corpus:
        corpus.write('{"_id": "long", "title": "", "text": "' + "stone " * 400_000 + '"}\n')
    stand_in_for_results(folder)
    return folder


Change = Callable[[Path], None]


def text(file: str, before: str, after: str) -> Change:
    """Replace the first occurrence."""

    def change(folder: Path) -> None:
        path = folder / file
        content = path.read_text()
        assert before in content, f"{before!r} is not in {file}"
        path.write_text(content.replace(before, after, 1))

    return change


def setting(**keys: Any) -> Change:
    """Set keys of the configuration, written ``section__name__key``; a dictionary is merged into what is there."""

    def change(folder: Path) -> None:
        path = folder / CONFIGURATION
        configuration = yaml.safe_load(path.read_text())
        for key, value in keys.items():
            *sections, last = (part.replace("_", "-") if part in HYPHENS else part for part in key.split("__"))
            section = configuration
            for name in sections:
                section = section.setdefault(name, {})
            section[last] = section[last] | value if isinstance(value, dict) and last in section else value
        path.write_text(yaml.safe_dump(configuration, sort_keys=False))

    return change


HYPHENS = ("demo_train", "demo_dev")


def newer(*patterns: str) -> Change:
    """Give files a modification time after all results, as a checkout or a copy does."""

    def change(folder: Path) -> None:
        later = time.time() + 60
        for pattern in patterns:
            for path in folder.glob(pattern):
                os.utime(path, (later, later))

    return change


@pytest.fixture
def after(recorded: Path) -> Iterator[Callable[..., Counter[str]]]:
    """Plan after a change, which is undone at the end."""
    kept = {
        path: (path.read_bytes(), path.stat().st_mtime_ns)
        for top in ("config", "resources", "workflow", "rules")
        for path in (recorded / top).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }

    def plan(change: Change, *arguments: str) -> Counter[str]:
        change(recorded)
        return planned(recorded, *arguments)

    yield plan
    for path, (content, modified) in kept.items():
        if path.stat().st_mtime_ns != modified:
            path.write_bytes(content)
            os.utime(path, ns=(modified, modified))


TABLE = Counter(results_table=1, plot_results=1, write_report=1)


def trained(runs: int) -> Counter[str]:
    """So many trainings, and what follows from them."""
    return Counter(train=runs, encode=runs, search=runs, evaluate=runs, plot_training=1) + TABLE


def labelled(sets: int) -> Counter[str]:
    """So many label sets, and what looks at them alone."""
    return Counter(merge_labels=sets, label_quality=sets, plot_positives=1, plot_positions=1)


def annotated(*stages: str, shards: int = 2) -> Counter[str]:
    """So many shards of these stages, and what the report says of the annotation."""
    return Counter({f"annotate_{stage}": shards for stage in stages}, sample_annotations=1, annotation_cost=1)


def searched(models: int, **more: int) -> Counter[str]:
    """A search with so many models, for the embeddings are gone, and with BM25."""
    return Counter(encode=models, search=models, evaluate=models + 1, bm25_search=1, **more) + TABLE


ALL_STAGES = ("relsel", "answer", "utilsel", "utilrank", "replug")
FACTS = "resources/miniature/facts"

TABLE_OF_CHANGES: dict[str, tuple[Change, Counter[str]]] = {
    # what a result does not depend on
    "every file newer than the results, as after a checkout": (
        newer("Snakefile", "config/*", "envs/*", "profiles/**/*", "resources/**/*", "rules/*", "workflow/**/*"),
        Counter(),
    ),
    "a comment in the losses": (text(f"{LIBRARY}/training/losses.py", "\ndef ", "\n# Anew.\ndef "), Counter()),
    "a docstring in the losses": (text(f"{LIBRARY}/training/losses.py", '"""', '"""Anew. '), Counter()),
    "a comment in a rule": (text("rules/train.smk", "    input:", "    # Anew.\n    input:"), Counter()),
    "how fast jobs run": (
        setting(
            performance={
                "threads": 2,
                "annotate": {"batch_tokens": 99, "gpus": 2},
                "train": {"gpus": 4},
            }
        ),
        Counter(),
    ),
    # raw files
    "a word of the corpus, which the pool does not take its passages from": (
        text(LARGE, "stone ", "stones "),
        searched(6, ingest_corpus=1, ingest_qrels=1, bm25_index=1),
    ),
    "a word of the training rows": (
        text("resources/demo/tevatron/train.jsonl", "the", "a"),
        Counter({"build_pool_demo-train": 1}) + annotated(*ALL_STAGES) + labelled(5) + trained(5),
    ),
    # annotation
    "another number of shards": (
        setting(pools__demo_train__shards=4),
        Counter({"build_pool_demo-train": 1}) + annotated(*ALL_STAGES, shards=4) + labelled(5) + trained(5),
    ),
    "a word of the prompt of utility selection": (
        text("resources/prompts/utilsel.j2", "careful", "careful and fair"),
        annotated("utilsel") + labelled(1) + trained(2),
    ),
    "a word of the prompt of pseudo-answers": (
        text("resources/prompts/answer.j2", "e", "E"),
        annotated("answer", "utilsel", "utilrank") + labelled(2) + trained(3),
    ),
    "the decoding of pseudo-answers": (
        setting(annotators__smollm2__answer_sampling={"max_new_tokens": 41}),
        annotated("answer", "utilsel", "utilrank") + labelled(2) + trained(3),
    ),
    "a line of logic in the parser of replies": (
        text(f"{LIBRARY}/annotation/replies.py", "1 <= number <= n))", "1 <= number < n))"),
        annotated("relsel", "answer", "utilsel", "utilrank") + labelled(2) + trained(3),
    ),
    # labels and training
    "the share of a ranking that is positive": (
        setting(labels__utilrank__top_percent=30),
        labelled(1) + trained(1) + Counter(sample_annotations=1),
    ),
    "a line of logic in the merging of labels": (
        text(f"{LIBRARY}/labels.py", "np.floor(", "np.ceil("),
        labelled(5) + trained(5),
    ),
    "a training key of a run and, through it, of its second stage": (
        setting(runs__utilsel__temperature=0.04),
        trained(2),
    ),
    "a line of logic in the losses": (
        text(f"{LIBRARY}/training/losses.py", "functional.softplus(margin)", "functional.relu(margin)"),
        trained(5),
    ),
    "how long passages may be": (
        setting(backbones__minilm={"passage_length": 100}),
        trained(5) + Counter(encode=1, search=1, evaluate=1),
    ),
    # evaluation, tables
    "a run that no table shows": (setting(runs__more={"labels": "utilsel"}), Counter(write_report=1)),
    "how deep is searched": (setting(testsets__demo_dev={"depth": 50}), searched(6)),
    "a metric": (
        setting(testsets__demo_dev={"metrics": ["mrr@10", "ndcg@10"]}),
        Counter(evaluate=7) + TABLE,
    ),
    "a title": (setting(tables__retrieval={"title": "Other"}), TABLE),
    "a line of logic in the tables": (
        text(f"{LIBRARY}/reporting/results.py", "gain > 0", "gain >= 0"),
        Counter(results_table=1, write_report=1),
    ),
    # the report
    "how many annotations the report shows": (
        setting(report={"questions": 5}),
        Counter(sample_annotations=1, write_report=1),
    ),
    "how its annotations look": (
        text("resources/report/style.css", ".card {", ".card { color: red;"),
        Counter(write_report=1),
    ),
    "what a GPU hour costs": (setting(cost={"gpu_hour_usd": 2}), Counter(write_report=1)),
}


@pytest.mark.parametrize("name", TABLE_OF_CHANGES)
def test_a_change_plans_what_it_alters(after: Callable[..., Counter[str]], name: str) -> None:
    change, expected = TABLE_OF_CHANGES[name]
    assert after(change) == expected


def test_a_new_run_in_a_table_is_trained_and_the_others_are_not(after: Callable[..., Counter[str]]) -> None:
    def change(folder: Path) -> None:
        setting(runs__more={"labels": "utilsel"})(folder)
        text(CONFIGURATION, "- utilrank\n", "- utilrank\n      - more\n")(folder)

    assert after(change) == trained(1)


def test_a_new_test_set_is_read_and_searched_and_nothing_is_trained(after: Callable[..., Counter[str]]) -> None:
    def change(folder: Path) -> None:
        split = {
            "queries": {"format": "beir", "path": f"{FACTS}/queries.jsonl"},
            "qrels": {"format": "beir", "path": f"{FACTS}/qrels/test.tsv"},
        }
        corpus = {"format": "beir", "path": f"{FACTS}/corpus.jsonl"}
        setting(datasets__facts={"corpus": corpus, "splits": {"test": split}})(folder)
        setting(testsets__facts={"dataset": "facts", "split": "test"})(folder)
        setting(tables__retrieval={"testsets": ["demo-dev", "facts"]})(folder)

    assert after(change) == searched(6, ingest_corpus=1, ingest_queries=1, ingest_qrels=1, bm25_index=1)


def test_threads_and_memory_of_a_rule_change_nothing(after: Callable[..., Counter[str]]) -> None:
    limits = ("--set-threads", "train=4", "--set-resources", "annotate_utilsel:mem_mb=64000", "train:runtime=600")
    assert after(newer(), *limits) == Counter()
