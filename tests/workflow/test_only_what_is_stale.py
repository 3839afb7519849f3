"""A table of changes: each plans exactly the jobs whose results it alters.

Nothing is run: each result is stood in for by an empty file. test_end_to_end.py looks at some of these changes after a
real run, and tests/planning/ at many more without Snakemake.
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

pytestmark = pytest.mark.snakemake

CONFIGURATION = "config/config.yaml"
LIBRARY = "workflow/scripts/utility_annotation"
LARGE = "resources/demo/beir/corpus.jsonl"
"""Padded to more than Snakemake compares by checksum."""


@pytest.fixture(scope="module")
def recorded(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo with one seed, its LLM judging lists and its corpus large, as if it had been run."""
    folder = copy_of_repository(root, tmp_path_factory.mktemp("stale"))
    configuration = yaml.safe_load((folder / CONFIGURATION).read_text())
    configuration["annotators"]["smollm2"]["protocol"] = "listwise"
    for training in configuration["trainings"].values():
        del training["seeds"]
    del configuration["trainings"]["human-20"]
    configuration["tables"]["retrieval"]["groups"][0]["trainings"].remove("human-20")
    del configuration["tables"]["retrieval"]["verdict"]
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

UNCHANGED = (
    newer("Snakefile", "config/*", "envs/*", "profiles/**/*", "resources/**/*", "rules/*", "workflow/**/*"),
    text(f"{LIBRARY}/training/losses.py", "\ndef ", "\n# A comment.\ndef "),
    text(f"{LIBRARY}/training/losses.py", '"""', '"""More words. '),
    text(
        f"{LIBRARY}/training/encoder.py", "raise InputError(\n", 'raise InputError(\n                "More words. "\n'
    ),
    text(f"{LIBRARY}/settings/training.py", 'description="', 'description="More words. '),
    text("rules/train.smk", "    input:", "    # A comment.\n    input:"),
    setting(performance={"threads": 2, "annotate": {"batch_tokens": 99, "gpus": 2}, "train": {"gpus": 4}}),
)
"""What no result depends on: times of files, as after a checkout; words; how fast jobs run."""

LIMITS = ("--set-threads", "train=4", "--set-resources", "annotate_utilsel:mem_mb=64000", "train:runtime=600")


def several(*changes: Change) -> Change:
    """One after the other."""

    def change(folder: Path) -> None:
        for each in changes:
            each(folder)

    return change


TABLE_OF_CHANGES: dict[str, tuple[Change, Counter[str]]] = {
    "a word of the corpus, which the pool does not take its passages from": (
        text(LARGE, "stone ", "stones "),
        searched(6, ingest_corpus=1, ingest_qrels=1, bm25_index=1),
    ),
    "a word of the training rows": (
        text("resources/demo/tevatron/train.jsonl", "the", "a"),
        Counter({"build_pool_demo-train": 1}) + annotated(*ALL_STAGES) + labelled(5) + trained(5),
    ),
    "another number of shards": (
        setting(pools__demo_train__shards=4),
        Counter({"build_pool_demo-train": 1}) + annotated(*ALL_STAGES, shards=4) + labelled(5) + trained(5),
    ),
    "a word of the prompt of pseudo-answers": (
        text("resources/prompts/answer.j2", "e", "E"),
        annotated("answer", "utilsel", "utilrank") + labelled(2) + trained(3),
    ),
    "a line of logic in the parser of replies": (
        text(f"{LIBRARY}/annotation/replies.py", "1 <= number <= n)", "1 <= number < n)"),
        annotated("relsel", "answer", "utilsel", "utilrank") + labelled(2) + trained(3),
    ),
    "the share of a ranking that is positive": (
        setting(labels__utilrank__top_percent=30),
        labelled(1) + trained(1) + Counter(sample_annotations=1),
    ),
    "a key of a training and, through it, of its second stage": (
        setting(trainings__utilsel__temperature=0.04),
        trained(2),
    ),
    "the length of a test set's queries": (
        setting(testsets__demo_dev__query_length=64),
        searched(6) - Counter(bm25_search=1, evaluate=1),
    ),
    "the length of a test set's passages": (
        setting(testsets__demo_dev__passage_length=200),
        searched(6) - Counter(bm25_search=1, evaluate=1),
    ),
    "how the report looks": (
        text("resources/report/style.css", ".card {", ".card { color: red;"),
        Counter(write_report=1),
    ),
}


def test_what_changes_no_result_plans_nothing(after: Callable[..., Counter[str]]) -> None:
    assert after(several(*UNCHANGED), *LIMITS) == Counter()


@pytest.mark.parametrize("name", TABLE_OF_CHANGES)
def test_a_change_plans_what_it_alters(after: Callable[..., Counter[str]], name: str) -> None:
    change, expected = TABLE_OF_CHANGES[name]
    assert after(change) == expected


def test_a_new_training_and_a_new_test_set_are_made_and_no_other_training_is(
    after: Callable[..., Counter[str]],
) -> None:
    split = {
        "queries": {"format": "beir", "path": f"{FACTS}/queries.jsonl"},
        "qrels": {"format": "beir", "path": f"{FACTS}/qrels/test.tsv"},
    }
    corpus = {"format": "beir", "path": f"{FACTS}/corpus.jsonl"}
    added = several(
        setting(trainings__more={"labels": "utilsel"}),
        setting(datasets__facts={"corpus": corpus, "splits": {"test": split}}),
        setting(testsets__facts={"dataset": "facts", "split": "test"}),
        setting(tables__retrieval={"testsets": ["demo-dev", "facts"]}),
        text(CONFIGURATION, "- utilrank\n", "- utilrank\n      - more\n"),
    )
    of_facts = searched(7, ingest_corpus=1, ingest_queries=1, ingest_qrels=1, bm25_index=1, find_training_copies=1)
    of_demo = Counter(train=1, encode=1, search=1, evaluate=1, plot_training=1)
    assert after(added) == of_facts + of_demo


@pytest.mark.parametrize("temporary", [True, False])
def test_a_search_that_joins_repeats_others_only_if_their_vectors_are_gone(
    root: Path, tmp_path: Path, temporary: bool
) -> None:
    folder = copy_of_repository(root, tmp_path)
    configuration = yaml.safe_load((folder / CONFIGURATION).read_text())
    kept = {name: configuration[name] for name in ("models", "datasets", "backbones", "testsets")}
    rows = {"backbones": ["minilm"], "groups": [{"trainings": ["untrained"]}], "baseline": None}
    table = {"title": "T", "testsets": ["demo-dev"], **rows}
    kept |= {"tables": {"retrieval": table}, "performance": {"encode": {"temporary_vectors": temporary}}}
    (folder / CONFIGURATION).write_text(yaml.safe_dump(kept))
    stand_in_for_results(folder, "retrieval")
    deeper = kept["testsets"]["demo-dev"] | {"depth": 200}
    setting(testsets__deeper=deeper, tables__retrieval={"testsets": ["demo-dev", "deeper"]})(folder)
    expected = Counter(bm25_search=1, search=1, evaluate=2, results_table=1, plot_results=1)
    if temporary:
        expected += Counter(encode=1, search=1, evaluate=1)
    assert planned(folder, "retrieval") == expected
