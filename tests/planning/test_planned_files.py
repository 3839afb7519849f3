"""Which files each job reads and makes, from the configuration and the names of the job alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from whole import RAW, WHOLE, at_places

from utility_annotation.annotation.stages import STAGES
from utility_annotation.common.errors import InputError
from utility_annotation.planning import (
    annotation,
    answers,
    data,
    exports,
    labels,
    pools,
    refusals,
    report,
    results,
    retrieval,
    runs,
    training,
    work,
)

ROWS = ["results/pools/rows/0000-of-0002.parquet", "results/pools/rows/0001-of-0002.parquet"]


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is there, unless a test puts it there."""
    monkeypatch.chdir(tmp_path)


def touch(*files: str) -> None:
    for file in files:
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        Path(file).touch()


EXPECTED: list[tuple[Callable[..., Any], dict[str, str], Any]] = [
    (data.fetched_file, {"download": "packed"}, "raw/packed/packed.tar.gz"),
    (data.local_copy, {"download": "packed"}, []),
    (data.local_copy, {"download": "zipped"}, ["mine/zipped.zip"]),
    (data.corpus_files, {"dataset": "data"}, ["raw/packed/corpus.jsonl"]),
    (data.queries_files, {"dataset": "data", "split": "train"}, ["raw/packed/queries.jsonl"]),
    (data.queries_files, {"dataset": "data", "split": "dev"}, ["own/dev.jsonl", "own/beir", "own/answers.jsonl"]),
    (data.qrels_files, {"dataset": "data", "split": "train"}, ["own/qrels.txt"]),
    (data.qrels_files, {"dataset": "data", "split": "asked"}, []),
    # a zip's member needs the zip
    (data.answers_files, {"dataset": "data", "split": "train"}, ["raw/zipped/zipped.zip"]),
    (pools.shards, {"pool": "rows"}, ROWS),
    (pools.source, {"pool": "rows"}, "own/rows.jsonl"),
    (pools.source, {"pool": "found"}, "results/mined/found.jsonl"),
    (pools.source_files, {"pool": "found"}, ["results/mined/found.jsonl"]),
    (pools.corpus, {"pool": "rows"}, "data/data/corpus.parquet"),
    (pools.corpus_of_ids, {"pool": "rows"}, []),
    (pools.corpus_of_ids, {"pool": "ids"}, ["data/data/corpus.parquet"]),
    (pools.corpus_of_ids, {"pool": "found"}, ["data/data/corpus.parquet"]),
    (pools.queries, {"pool": "found"}, "data/data/queries/asked.parquet"),
    (pools.qrels, {"pool": "dev"}, ["data/data/qrels/dev.parquet"]),
    (pools.qrels, {"pool": "found"}, []),
    (pools.truth, {"pool": "rows"}, ["data/data/answers/train.parquet"]),
    (pools.truth, {"pool": "found"}, []),
    (pools.duplicates, {"pool": "found"}, ["results/mined/found.duplicates.parquet"]),
    (pools.duplicates, {"pool": "rows"}, []),
    (
        pools.rankings,
        {"pool": "found"},
        ["results/runs/bm25/bm25/asked.parquet", "results/runs/encoder/human/asked.parquet"],
    ),
    (annotation.model, {"annotator": "list"}, ["data/models/llm"]),
    (annotation.model, {"annotator": "served"}, []),
    (annotation.python, {"annotator": "list"}, "python"),
    (labels.pool_shards, {"labels": "useful"}, ROWS),
    (
        labels.annotation_shards,
        {"labels": "useful"},
        [f"results/annotation/rows/list/utilsel/000{shard}-of-0002.parquet" for shard in range(2)],
    ),
    (labels.annotation_shards, {"labels": "human"}, []),
    (labels.annotation_shards, {"labels": "both"}, []),
    (
        labels.relevance_shards,
        {"labels": "useful"},
        [f"results/annotation/rows/list/relsel/000{shard}-of-0002.parquet" for shard in range(2)],
    ),
    (labels.relevance_shards, {"labels": "given-truth"}, []),
    (labels.relevance_shards, {"labels": "human"}, []),
    (labels.members, {"labels": "both"}, ["results/labels/useful.parquet", "results/labels/theirs.parquet"]),
    (labels.members, {"labels": "useful"}, []),
    (labels.outside_files, {"labels": "theirs"}, ["own/theirs.txt"]),
    (retrieval.external_files, {"external_run": "splade", "testset": "dev"}, ["own/splade.trec"]),
    (labels.outside_files, {"labels": "useful"}, []),
    (training.model, {"backbone": "encoder", "training": "untrained"}, "data/models/bert"),
    (training.model, {"backbone": "encoder", "training": "human"}, "results/models/encoder/human"),
    (training.starting_model, {"backbone": "encoder", "training": "human"}, "data/models/bert"),
    (training.starting_model, {"backbone": "encoder", "training": "refined"}, "results/models/encoder/useful"),
    (training.label_file, {"training": "refined"}, "results/labels/few.parquet"),
    (training.pool_shards, {"training": "refined"}, ROWS),
    (training.pool_folder, {"training": "refined"}, "results/pools/rows"),
    (training.dev_label_file, {"training": "refined"}, []),
    (training.dev_pool_shards, {"training": "refined"}, []),
    (training.dev_pool_folder, {"training": "refined"}, []),
    (training.dev_label_file, {"training": "likely"}, ["results/labels/judged.parquet"]),
    (training.dev_pool_shards, {"training": "likely"}, ["results/pools/dev/0000-of-0001.parquet"]),
    (training.dev_pool_folder, {"training": "likely"}, ["results/pools/dev"]),
    (retrieval.queries, {"testset": "dev"}, "data/data/queries/dev.parquet"),
    (retrieval.answers, {"testset": "answered"}, "data/data/answers/train.parquet"),
    (retrieval.corpus, {"testset": "dev"}, "data/data/corpus.parquet"),
    (retrieval.index, {"testset": "dev"}, "results/bm25/data"),
    (
        retrieval.vectors,
        {"backbone": "encoder", "training": "human", "testset": "dev"},
        [f"results/embeddings/encoder/human/data/000{shard}-of-0002.npy" for shard in range(2)],
    ),
    (
        retrieval.docids,
        {"backbone": "encoder", "training": "human", "testset": "dev"},
        [f"results/embeddings/encoder/human/data/000{shard}-of-0002.docids.parquet" for shard in range(2)],
    ),
    (retrieval.label_file, {"testset": "judged"}, "results/labels/judged.parquet"),
    (retrieval.human_qrels, {"testset": "judged"}, ["data/data/qrels/dev.parquet"]),
    (retrieval.human_qrels, {"testset": "labelled"}, []),
    (retrieval.label_duplicates, {"testset": "judged"}, ["results/mined/dev.duplicates.parquet"]),
    (retrieval.label_duplicates, {"testset": "dev"}, []),
    (retrieval.qrels, {"retriever": "bm25/bm25", "testset": "dev"}, "data/data/qrels/dev.parquet"),
    (retrieval.qrels, {"retriever": "bm25/bm25", "testset": "judged"}, "results/qrels/judged.parquet"),
    (retrieval.qrels, {"retriever": "bm25/bm25", "testset": "labelled"}, "results/qrels/labelled.parquet"),
    (retrieval.qrels, {"retriever": "bm25/bm25", "testset": "answered"}, "results/qrels/bm25/bm25/answered.parquet"),
    (
        retrieval.average_metrics,
        {"retriever": "encoder/human", "average": "means"},
        ["results/metrics/encoder/human/mean.json", "results/metrics/encoder/human/labelled.json"],
    ),
    (
        retrieval.average_per_query,
        {"retriever": "bm25/bm25", "average": "mean"},
        ["results/metrics/bm25/bm25/dev.per-query.parquet", "results/metrics/bm25/bm25/judged.per-query.parquet"],
    ),
    (answers.queries, {"qa": "task"}, "data/data/queries/train.parquet"),
    (answers.truth, {"qa": "task"}, "data/data/answers/train.parquet"),
    (answers.corpus, {"qa": "task"}, "data/data/corpus.parquet"),
    (answers.run, {"qa": "task", "retriever": "encoder/human"}, "results/runs/encoder/human/answered.parquet"),
    (answers.template, {"qa": "task", "generator": "list"}, "prompts/qa_short.j2"),
    (answers.template, {"qa": "plain", "generator": "list"}, "prompts/qa_sentence.j2"),
    (answers.bert_score_model, {"qa": "task"}, ["data/models/bert"]),
    (answers.bert_score_model, {"qa": "plain"}, []),
    (
        results.table_metrics,
        {"table": "retrieval"},
        [
            f"results/metrics/{row}/{testset}.json"
            for row in ("bm25/bm25", "encoder/untrained", "encoder/human", "encoder/refined")
            for testset in ("dev", "means")
        ],
    ),
    (results.table_metrics, {"table": "answers"}, ["results/rag/encoder/human/task/list/metrics.json"]),
    (results.table_per_query, {"table": "answers"}, ["results/rag/encoder/human/task/list/metrics.per-query.parquet"]),
    (results.table_published, {"table": "retrieval"}, ["paper/published.csv"]),
    (results.table_published, {"table": "answers"}, []),
    (
        results.label_table_quality,
        {"label_table": "sets"},
        ["results/quality/useful.json", "results/quality/ranked.json", "results/quality/gained.json"],
    ),
    (results.label_table_published, {"label_table": "sets"}, []),
    (
        results.label_chart_quality,
        {"label_chart": "numbers"},
        ["results/quality/useful.json", "results/quality/human.json"],
    ),
    (
        results.line_chart_metrics,
        {"line_chart": "shares"},
        [f"results/metrics/encoder/{name}/dev.json" for name in ("refined", "human", "untrained")],
    ),
    (
        results.cost_table_metrics,
        {"cost_table": "costs"},
        ["results/metrics/encoder/human/dev.json", "results/metrics/encoder/useful/dev.json"],
    ),
    (results.cost_table_published, {"cost_table": "costs"}, []),
    # humans judged the pool; three stages of the LLM worked on it
    (
        work.cost_table_records,
        {"cost_table": "costs"},
        [
            *ROWS,
            *(
                f"results/annotation/rows/list/{stage}/000{shard}-of-0002.{suffix}"
                for suffix in ("parquet", "json")
                for stage in ("relsel", "answer", "utilsel")
                for shard in range(2)
            ),
        ],
    ),
    (report.label_files, {"pool": "rows"}, ["results/labels/gained.parquet"]),
    (
        exports.shown_metrics,
        {"backbone": "encoder", "training": "human"},
        ["results/metrics/encoder/human/dev.json", "results/metrics/encoder/human/means.json"],
    ),
    (exports.shown_metrics, {"backbone": "encoder", "training": "likely"}, []),
]


@pytest.mark.parametrize(
    ("function", "names", "expected"),
    EXPECTED,
    ids=[f"{it.__module__.rpartition('.')[2]}.{it.__name__} {' '.join(names.values())}" for it, names, _ in EXPECTED],
)
def test_files_follow_from_the_names(function: Callable[..., Any], names: dict[str, str], expected: Any) -> None:
    assert function(WHOLE, **names) == expected


SHARD = {"pool": "rows", "shard": "0001-of-0002"}


@pytest.mark.parametrize(
    ("stage", "annotator", "earlier", "shared", "truth"),
    [
        ("relsel", "list", [], [], False),
        ("answer", "list", ["relsel"], [], False),
        ("utilsel", "list", ["relsel", "answer"], [], False),
        ("utilrank", "list", ["relsel", "answer"], [], False),
        ("utilrank", "point", ["relsel", "answer"], ["utilsel"], False),
        ("utilsel-truth", "list", [], [], True),
        ("replug", "point", [], [], True),
    ],
)
def test_a_stage_reads_what_the_table_of_stages_says(
    stage: str, annotator: str, earlier: list[str], shared: list[str], truth: bool
) -> None:
    def shards(stages: list[str]) -> list[str]:
        return [f"results/annotation/rows/{annotator}/{name}/0001-of-0002.parquet" for name in stages]

    assert annotation.earlier(WHOLE, stage=stage, annotator=annotator, **SHARD) == shards(earlier)
    assert annotation.shared(WHOLE, stage=stage, annotator=annotator, **SHARD) == shards(shared)
    expected = ["data/data/answers/train.parquet"] if truth else []
    assert annotation.truth(WHOLE, stage=stage, pool="rows") == expected


def test_an_interpreter_of_the_users_is_for_vllm_alone() -> None:
    fast = at_places(
        {"annotators/fast": {"model": "llm", "engine": "vllm"}, "performance/annotate": {"python": "/opt/vllm/python"}}
    )
    assert annotation.python(fast, annotator="fast") == "/opt/vllm/python"
    assert annotation.python(fast, annotator="list") == "python"


def test_an_evaluation_of_answers_asks_for_gpus_where_it_encodes() -> None:
    tuned = at_places({"performance/encode": {"gpus": 2}})
    assert answers.bert_score_gpus(tuned, qa="task") == 2
    assert answers.bert_score_gpus(tuned, qa="plain") == 0


def test_a_job_that_asks_a_server_needs_no_gpu() -> None:
    tuned = at_places({"performance/annotate/gpus": 2})
    assert annotation.gpus(tuned, annotator="list") == 2
    assert annotation.gpus(tuned, annotator="served") == 0


def test_an_annotator_may_have_gpus_of_its_own() -> None:
    tuned = at_places({"performance/annotate": {"gpus": 1, "gpus_of": {"list": 2}}})
    assert annotation.gpus(tuned, annotator="list") == 2
    assert annotation.gpus(tuned, annotator="point") == 1
    assert tuned.performance.of("list").annotate.gpus == 2
    assert tuned.performance.of("point").annotate.gpus == 1
    with pytest.raises(InputError, match=r"performance\.annotate\.gpus_of\.served has no effect with engine openai"):
        at_places({"performance/annotate/gpus_of": {"served": 2}})


def test_a_test_set_without_labels_has_no_label_file() -> None:
    with pytest.raises(InputError, match=r"test set dev has no `labels`\. Fix: give testsets\.dev\.labels"):
        retrieval.label_file(WHOLE, testset="dev")


# downloads and what lies in them


def test_every_setting_that_names_an_outside_file_is_known() -> None:
    assert dict(data.outside_settings(WHOLE)) == {
        "datasets.data.corpus.path": "raw/packed/corpus.jsonl",
        "datasets.data.splits.train.queries.path": "raw/packed/queries.jsonl",
        "datasets.data.splits.train.qrels.path": "own/qrels.txt",
        "datasets.data.splits.train.answers.path": "raw/zipped/zipped.zip/answers.jsonl",
        "datasets.data.splits.dev.queries.path": "own/dev.jsonl",
        "datasets.data.splits.dev.qrels.path": "own/beir",
        "datasets.data.splits.dev.answers.path": "own/answers.jsonl",
        "datasets.data.splits.asked.queries.path": "own/asked.jsonl",
        "datasets.written.documents.path": "own/documents",
        **{
            f"datasets.written.splits.made.{kind}.path": "results/questions/made/candidates.parquet"
            for kind in ("queries", "qrels", "answers")
        },
        "pools.rows.source.path": "own/rows.jsonl",
        "pools.ids.source.path": "own/ids.jsonl",
        "labels.theirs.file.path": "own/theirs.txt",
        "external_runs.splade.files.dev": "own/splade.trec",
        "external_runs.splade.files.judged": "own/splade.trec",
    }


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("raw/packed/corpus.jsonl", ("packed", "corpus.jsonl")),
        ("raw/packed/deep/corpus.jsonl", ("packed", "deep/corpus.jsonl")),
        ("raw/packed/packed.tar.gz", ("packed", "packed.tar.gz")),
        ("raw/packed", None),
        ("raw/packed/../corpus.jsonl", None),
        ("raw/else/corpus.jsonl", None),
        ("own/raw/packed/corpus.jsonl", None),
    ],
)
def test_a_path_leads_to_a_download_by_its_name(path: str, expected: tuple[str, str] | None) -> None:
    assert data.download_of(WHOLE, path) == expected


def test_the_members_of_a_tar_that_are_named_are_unpacked() -> None:
    assert data.members_to_unpack(WHOLE) == {"packed": {"corpus.jsonl", "queries.jsonl"}}
    assert data.fetched_files(WHOLE) == {"packed": {"packed.tar.gz"}, "zipped": {"zipped.zip"}}


def test_a_member_that_lies_there_without_its_archive_is_taken_as_it_is() -> None:
    touch("raw/packed/corpus.jsonl")
    assert data.members_to_unpack(WHOLE) == {"packed": {"queries.jsonl"}}
    touch("raw/packed/packed.tar.gz")
    assert data.members_to_unpack(WHOLE) == {"packed": {"corpus.jsonl", "queries.jsonl"}}


def test_a_pattern_of_members_matches_behind_their_own_download_alone() -> None:
    import re

    pattern = re.compile(f"^raw/(one|two)/({data.below_raw({'one': {'a.b'}, 'two': {'c'}, 'three': set()})})$")
    assert pattern.match("raw/one/a.b")
    assert pattern.match("raw/two/c")
    assert not pattern.match("raw/two/a.b")
    assert not pattern.match("raw/one/axb")
    assert not re.match(data.below_raw({}), "anything")


def test_a_folder_is_watched_by_the_file_in_it() -> None:
    touch("own/beir/qrels/dev.tsv")
    assert data.qrels_files(WHOLE, dataset="data", split="dev") == ["own/beir/qrels/dev.tsv"]


@pytest.mark.parametrize("path", ["own/shards", "own/shards/part-*.parquet"])
def test_every_shard_of_parquet_is_watched(path: str) -> None:
    source = {"format": "parquet", "path": path}
    places = ("datasets/data/corpus", "datasets/data/splits/train/qrels", "labels/theirs/file")
    configuration = at_places(dict.fromkeys(places, source))
    assert data.corpus_files(configuration, dataset="data") == [path]
    assert path in refusals.missing_files(configuration)
    shards = ["own/shards/part-0.parquet", "own/shards/part-1.parquet"]
    touch(*shards, "own/shards/._part-0.parquet")
    assert data.corpus_files(configuration, dataset="data") == shards
    assert data.qrels_files(configuration, dataset="data", split="train") == shards
    assert labels.outside_files(configuration, labels="theirs") == shards
    assert path not in refusals.missing_files(configuration)


def test_every_file_of_a_folder_of_json_lines_is_watched() -> None:
    configuration = at_places({"pools/rows/source/path": "own/rows", "datasets/data/corpus/path": "own/rows"})
    files = ["own/rows/a.jsonl", "own/rows/b.jsonl.gz"]
    touch(*files, "own/rows/README.md")
    assert data.corpus_files(configuration, dataset="data") == files
    assert pools.source_files(configuration, pool="rows") == files


def test_a_file_in_a_zip_of_the_users_needs_the_zip() -> None:
    touch("own/all.zip")
    assert data.outside_file(WHOLE, "own/all.zip/qrels/dev.tsv") == "own/all.zip"
    assert data.outside_file(WHOLE, "own/other.zip/qrels/dev.tsv") == "own/other.zip/qrels/dev.tsv"


def test_a_file_is_the_users_own_where_no_rule_makes_it() -> None:
    files = ("own/rows.jsonl", "raw/packed/corpus.jsonl", "data/x.parquet", "results/x.parquet", "raw/else/file")
    touch(*files)
    assert [data.is_given(WHOLE, file) for file in files] == [True, False, False, False, True]
    assert not data.is_given(WHOLE, "own/absent")


# results and the report


def test_tables_and_charts_share_names_where_a_table_has_a_chart_too() -> None:
    assert results.tables(WHOLE) == ["sets", "retrieval", "answers", "costs"]
    assert results.charts(WHOLE) == ["retrieval", "answers", "numbers", "shares"]
    assert results.names(WHOLE) == ["sets", "retrieval", "answers", "costs", "numbers", "shares"]
    assert results.files(WHOLE, "answers") == ["results/tables/answers.md", "results/figures/answers.svg"]
    assert results.files(WHOLE, "numbers") == ["results/figures/numbers.svg"]


def test_shown_trainings_come_from_tables_and_charts_each_once() -> None:
    names = [("encoder", name) for name in ("human", "refined", "useful")]
    assert results.shown_trainings(WHOLE) == names
    assert results.shown_models(WHOLE) == [f"results/models/encoder/{name}" for _, name in names]
    assert results.shown_quality(WHOLE) == [f"results/quality/{name}.json" for name in ("human", "few", "useful")]


def test_figures_of_labels_and_trainings_are_drawn_where_some_training_is_shown() -> None:
    charts = results.all_charts(WHOLE)
    drawn = [f"results/figures/{name}.svg" for name in ("positives", "positions", "training")]
    assert results.all_figures(WHOLE) == charts + drawn
    bare = at_places(
        {
            "tables": {"bm25": {"title": "BM25", "testsets": ["dev"], "baseline": None}},
            "cost_tables": {},
            "line_charts": {},
        }
    )
    assert results.all_figures(bare) == results.all_charts(bare)


def test_test_sets_share_the_vectors_of_a_corpus_where_their_passage_lengths_are_equal() -> None:
    own = at_places(
        {
            "testsets/dev/query_length": 64,
            "testsets/judged/passage_length": 350,
            "testsets/answered/passage_length": 350,
            "testsets/asked/passage_length": 156,
            "backbones/longer": {"model": "bert", "passage_length": 350},
        }
    )
    folders = {
        backbone: {
            testset: retrieval.embeddings_folder(own, backbone=backbone, training="human", testset=testset)
            for testset in ("dev", "asked", "judged", "answered")
        }
        for backbone in ("encoder", "longer")
    }
    shared, apart = (f"results/embeddings/encoder/human/data{suffix}" for suffix in ("", "@350"))
    assert folders["encoder"] == {"dev": shared, "asked": shared, "judged": apart, "answered": apart}
    shared, apart = (f"results/embeddings/longer/human/data{suffix}" for suffix in ("", "@156"))
    assert folders["longer"] == {"dev": shared, "asked": apart, "judged": shared, "answered": shared}


def test_every_label_set_has_its_quality() -> None:
    files = labels.everything(WHOLE)
    assert len(files) == 2 * len(RAW["labels"])
    assert files[:2] == ["results/labels/human.parquet", "results/quality/human.json"]


def test_the_report_shows_the_annotations_behind_what_it_shows() -> None:
    assert report.shown_testsets(WHOLE) == ["dev", "labelled", "judged"]
    assert report.shown_labels(WHOLE) == ["asked", "few", "gained", "human", "judged", "ranked", "useful"]
    stages = {
        pool: [(judge.annotator, judge.stage) for judge in judges] for pool, judges in report.judges(WHOLE).items()
    }
    assert stages == {
        "found": [("list", "relsel")],
        "dev": [("served", "relsel")],
        "rows": [
            *(("list", stage) for stage in ("relsel", "answer", "utilsel", "gain-short")),
            *(("point", stage) for stage in ("relsel", "answer", "utilsel", "utilrank")),
            (None, None),  # the labels that a metric makes of gain-short
        ],
    }
    assert report.samples(WHOLE) == [f"results/report/annotations/{pool}.json" for pool in stages]
    assert report.costs(WHOLE) == [f"results/report/cost/{pool}.json" for pool in stages]
    shards = report.annotation_shards(WHOLE, pool="dev")
    assert shards == ["results/annotation/dev/served/relsel/0000-of-0001.parquet"]
    assert report.annotation_summaries(WHOLE, pool="dev") == ["results/annotation/dev/served/relsel/0000-of-0001.json"]


def test_a_report_without_questions_has_no_annotations_and_counts_their_cost_all_the_same() -> None:
    without = at_places({"report": {"questions": 0}})
    assert report.samples(without) == []
    assert report.costs(without) == report.costs(WHOLE)


def test_label_sets_from_files_that_judge_a_pool_are_read() -> None:
    shown = at_places({"label_tables/sets/labels": ["both"]})
    assert report.label_files(shown, pool="rows") == ["results/labels/theirs.parquet"]


def test_the_report_reads_every_table_and_training() -> None:
    names = ("sets", "retrieval", "answers", "costs")
    assert report.tables(WHOLE) == [f"results/tables/{name}.csv" for name in names]
    assert report.training_records(WHOLE) == [
        f"results/models/encoder/{name}/training.json" for name in ("human", "refined", "useful")
    ]


def test_what_the_report_takes_in_is_there(root: Path) -> None:
    for name in (report.TEMPLATE, *report.PARTS, results.PUBLISHED):
        assert (root / "resources" / name).is_file()


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("annotator", ["list", "point"])
def test_the_prompt_of_every_stage_is_there(root: Path, stage: str, annotator: str) -> None:
    assert (root / "resources" / annotation.template(WHOLE, stage=stage, annotator=annotator)).is_file()


@pytest.mark.parametrize("qa", ["task", "plain"])
def test_the_prompt_of_every_style_of_answers_is_there(root: Path, qa: str) -> None:
    assert (root / "resources" / answers.template(WHOLE, qa=qa, generator="list")).is_file()


def test_a_prompt_of_the_annotator_s_own_takes_the_place_of_ours() -> None:
    touch("own/prompts/relsel.j2", "own/prompts/qa_short.j2", "own/prompts/notes.txt")
    own = at_places({"annotators/list/prompts": "own/prompts"})
    assert annotation.template(own, stage="relsel", annotator="list") == "./own/prompts/relsel.j2"
    assert annotation.template(own, stage="utilsel", annotator="list") == "prompts/utilsel.j2"
    assert annotation.template(own, stage="relsel", annotator="point") == "prompts/pointwise_relevance.j2"
    assert answers.template(own, qa="task", generator="list") == "./own/prompts/qa_short.j2"
    absolute = at_places({"annotators/list/prompts": str(Path("own/prompts").absolute())})
    assert Path(annotation.template(absolute, stage="relsel", annotator="list")).is_absolute()


def test_a_prompt_that_no_stage_uses_is_named_with_the_nearest_one() -> None:
    touch("own/prompts/utilsell.j2")
    own = at_places({"annotators/list/prompts": "own/prompts"})
    due = r"utilsell\.j2: no stage uses .*did you mean 'utilsel\.j2'.*annotators\.list\.prompts"
    with pytest.raises(InputError, match=due):
        annotation.template(own, stage="relsel", annotator="list")


def test_a_folder_of_prompts_that_is_not_there_is_named_with_its_setting() -> None:
    own = at_places({"annotators/list/prompts": "own/promts"})
    with pytest.raises(InputError, match=r"own/promts: this folder is not there.*annotators\.list\.prompts"):
        annotation.template(own, stage="relsel", annotator="list")


@pytest.mark.parametrize(
    ("changes", "run"),
    [
        ({"metrics": ["mrr@10"], "labels": "judged", "relevance_level": 2}, "dev"),
        ({"depth": 10, "metrics": ["mrr@10"]}, "dev-again"),
        ({"drop_query_document": True}, "dev-again"),
        ({"passage_length": 300}, "dev-again"),
        ({"query_length": 99}, "dev-again"),
    ],
)
def test_test_sets_that_are_searched_alike_share_a_run(changes: dict[str, Any], run: str) -> None:
    both = at_places({"testsets/dev-again": {"dataset": "data", "split": "dev", **changes}})
    assert runs.run(both, retriever="encoder/human", testset="dev-again") == f"results/runs/encoder/human/{run}.parquet"
    assert runs.run(both, retriever="encoder/human", testset="dev") == "results/runs/encoder/human/dev.parquet"
    assert (
        runs.run(both, retriever="external/splade", testset="judged") == "results/runs/external/splade/judged.parquet"
    )
