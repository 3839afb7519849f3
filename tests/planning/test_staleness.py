"""A changed key of the configuration makes stale the jobs whose result depends on it, and no others.

What a rule is stale by beside its settings, code and input files, has tests of its own with Snakemake.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_origin

import pytest
from job_settings import RULES, stale_rules
from whole import WHOLE, at_places

from utility_annotation.settings import Configuration, Settings, member_section

CHOOSERS = {"rerank_by_llm", "select_by_llm"}
JUDGES = {"sample_annotations", "annotation_cost"}
SOURCE = {"format": "jsonl", "path": "own/new.jsonl"}
GROUP = "tables/retrieval/groups/0"
BARE_TABLE = {"title": "B", "testsets": ["dev"], "baseline": None}

DEV_CHOOSES = {"labels": "judged", "every": 4, "keep": "best"}
CHANGES: list[tuple[set[str], dict[str, Any]]] = [
    ({"prepare_model", "export_labels"}, {"models/llm/hub": "another/LLM", "models/llm/revision": "v2"}),
    (
        {"prepare_model", "export_model"},
        {"models/bert/path": "elsewhere", "models/bert/max_length": 64, "models/bert": {"package": "some-bert"}},
    ),
    (
        {"fetch"},
        {
            "downloads/packed/url": "https://elsewhere/packed.tar.gz",
            "downloads/packed/md5": "1" * 32,
            "downloads/packed/sha256": "1" * 64,
            "downloads/packed/bytes": 8,
            "downloads/packed/local": "mine/packed.tar.gz",
        },
    ),
    ({"ingest_corpus"}, {"datasets/data/corpus": SOURCE, "datasets/data/titles": False}),
    ({"ingest_corpus"}, {"datasets/data/corpus/columns": {"docid": "id"}}),
    ({"ingest_corpus"}, {"datasets/data/corpus": {**SOURCE, "ids": "line"}}),
    ({"ingest_documents", "ingest_passages"}, {"datasets/written/documents/path": "own/others"}),
    (
        {"ingest_passages"},
        {
            "datasets/written/documents/passage_length": 32,
            "datasets/written/documents/overlap": 0,
            "datasets/written/titles": False,
        },
    ),
    (
        {"sample_passages"},
        {
            "pools/passages/source/sample": 9,
            "pools/passages/source/seed": 2,
            "pools/passages/source/examples": SOURCE,
            "pools/passages/shards": 3,
        },
    ),
    ({"annotate", "export_labels"}, {"annotators/list/questions_per_passage": 3}),
    ({"read_questions"}, {"questions/made/styles": ["keyword"]}),
    # the passages, the replies and the ranking are input files
    (
        set(),
        {
            "questions/made/pool": "passages-too",
            "questions/made/annotator": "point",
            "questions/made/round_trip/testset": "made-again",
        },
    ),
    (
        {"keep_questions"},
        {
            "questions/made/answerable": None,
            "questions/made/held_out": 10,
            "questions/made/seed": 2,
            "questions/made/round_trip/depth": 2,
            "questions/made/round_trip/retriever": "encoder/human",
        },
    ),
    # what was read, and the tokenizer, are input files
    (set(), {"datasets/written/documents/shards": 3, "datasets/written/documents/tokenizer": "bert"}),
    # the ids of a split's questions decide which judgements and answers are theirs
    (
        {"ingest_queries", "ingest_qrels", "ingest_answers"},
        {"datasets/data/splits/dev/queries": {**SOURCE, "ids": "line"}},
    ),
    (set(), {"datasets/data/shards": 3}),
    ({"ingest_queries", "ingest_qrels", "ingest_answers"}, {"datasets/data/splits/dev/queries": SOURCE}),
    ({"ingest_qrels"}, {"datasets/data/splits/train/qrels": SOURCE}),
    ({"ingest_answers"}, {"datasets/data/splits/train/answers": SOURCE}),
    ({"ingest_qrels", "ingest_queries"}, {"datasets/data/splits/dev/qrels/path": "own/new"}),
    ({"ingest_answers", "ingest_queries"}, {"datasets/data/splits/dev/answers/path": "own/new.jsonl"}),
    (
        {"ingest_queries"},
        {
            "datasets/data/splits/dev/part/percent": [0, 60],
            "datasets/data/splits/dev/part/seed": 1,
            "datasets/data/splits/dev/sample/queries": 8,
            "datasets/data/splits/dev/sample/fewer": "keep",
            "datasets/data/splits/dev/sample/seed": 1,
            "datasets/data/splits/dev/judged_only": False,
            "datasets/data/splits/dev/answered_only": False,
        },
    ),
    ({"ingest_qrels"}, {"datasets/data/splits/dev/unknown_passages": "keep"}),
    ({"ingest_qrels", "ingest_answers"}, {"datasets/data/splits/dev/unknown_queries": "drop"}),
    ({"build_pool", "export_labels"}, {"pools/rows/source/path": "own/new.jsonl"}),
    ({"train", "score_pool", "export_labels"}, {"pools/rows/titles": False}),
    ({"build_pool"}, {"pools/ids/source/format": "tevatron"}),
    ({"build_pool", "mine_negatives", "export_labels"}, {"pools/found/size": 5}),
    ({"build_pool", "export_labels"}, {"pools/rows/size": 5, "pools/rows/seed": 1, "pools/rows/shards": 3}),
    ({"find_duplicates", "mine_negatives", "export_labels"}, {"pools/found/source/depth": 40}),
    (
        {"find_duplicates", "mine_negatives", "build_pool", "export_labels"},
        {"pools/found/relevance_level": 2},
    ),
    ({"mine_negatives", "export_labels"}, {"pools/dev/source/format": "merged"}),
    # which runs are read, and whether copies are dropped, decides the input files; a card tells both
    ({"export_labels"}, {"pools/found/source/retrievers": ["bm25/bm25"], "pools/found/source/duplicates": "keep"}),
    ({"export_labels"}, {"pools/dev/source/testset": "judged"}),
    (
        {"divide_pool", "export_labels"},
        {
            "pools/part/source/percent": [0, 40],
            "pools/part/source/seed": 2,
            "pools/part/source/pool": "ids",
            "pools/part/shards": 3,
        },
    ),
    ({"divide_pool"}, {"pools/unsure/source/between": [0.3, 0.7]}),
    # the scores are input files
    (set(), {"pools/unsure/source/unsure": "by-selector-again"}),
    ({"build_pool"}, {"pools/ids/dataset": "other", "pools/ids/split": "dev"}),
    (
        {"annotate", "export_labels", "generate_answers", "select_by_llm"},
        {
            "annotators/list/answer_sampling/temperature": 0.5,
            "annotators/list/answer_sampling/top_p": 0.5,
            "annotators/list/answer_sampling/top_k": 5,
            "annotators/list/answer_sampling/max_new_tokens": 5,
            "annotators/list/answer_sampling/seed": 5,
        },
    ),
    (
        {"annotate", "export_labels", "generate_answers", *CHOOSERS},
        {
            "annotators/list/model": "bert",
            "annotators/list/passage_words": 99,
            "annotators/list/titles": False,
            "annotators/list/max_model_len": 999,
            "annotators/list/precision": "fp32",
            "annotators/list/thinking": True,
            "annotators/list/retries/max_retries": 1,
            "annotators/list/retries/temperature_step": 0.1,
            "annotators/list/engine": "vllm",
            "annotators/served/served_model_name": "farther",
        },
    ),
    (
        {"annotate", "export_labels", *CHOOSERS},
        {
            "annotators/list/permutations": 3,
            "annotators/list/sampling/temperature": 0.5,
            "annotators/list/sampling/top_p": 0.5,
            "annotators/list/sampling/top_k": 5,
            "annotators/list/sampling/max_new_tokens": 5,
            "annotators/list/sampling/seed": 5,
        },
    ),
    ({"annotate", "export_labels", *CHOOSERS}, {"annotators/served/structured_outputs": True}),
    (
        {"annotate", "export_labels", "select_by_llm"},
        {
            "annotators/point/pointwise/relevant_percent": 20,
            "annotators/point/pointwise/answer_passages": 2,
            "annotators/point/pointwise/gain_weight": 1,
            "annotators/point/pointwise/margin": 0.1,
        },
    ),
    # a pointwise ranking takes the likelihoods of the selection, which so is a stage of the same labels
    (
        {"annotate", "export_labels", "generate_answers", *CHOOSERS, *JUDGES},
        {"annotators/point/protocol": "listwise"},
    ),
    ({"merge_labels", "label_table", "export_labels", "sample_annotations"}, {"labels/ranked/top_percent": 20}),
    (
        {"write_verdict", "merge_labels", "cost_table", "export_labels", "export_model", "annotation_cost"},
        {"labels/useful/queries/percent": 50, "labels/useful/queries/seed": 1},
    ),
    (
        {"write_verdict", "merge_labels", "export_labels", "export_model", "annotation_cost"},
        {"labels/few/queries/percent": 30},
    ),
    (
        {
            "write_verdict",
            "merge_labels",
            "label_quality",
            "label_table",
            "cost_table",
            "export_labels",
            "export_model",
            *JUDGES,
        },
        {"labels/useful/annotator": "point"},
    ),
    (
        {
            "write_verdict",
            "merge_labels",
            "label_quality",
            "label_table",
            "cost_table",
            "export_labels",
            "export_model",
            *JUDGES,
        },
        {"labels/useful/source": "relsel"},
    ),
    (
        {"write_verdict", "merge_labels", "cost_table", "export_labels", "export_model", *JUDGES},
        {"labels/useful/pool": "ids"},
    ),
    (
        {"merge_labels", "export_labels"},
        {
            "labels/theirs/file/path": "own/new.txt",
            "labels/theirs/file": SOURCE,
            "labels/theirs/unknown_passages": "drop",
            "labels/theirs/relevance_level": 2,
            "labels/both/of": ["theirs", "useful"],
            "labels/by-selector/threshold": 0.7,
            "labels/voted/voting": "dawid-skene",
            "labels/voted/weights": {"few": 2.0},
        },
    ),
    (
        {"merge_labels", "label_table", "export_labels", "export_model", "sample_annotations"},
        {"labels/useful/ignore": "relsel"},
    ),
    ({"merge_labels", "divide_pool", "export_labels"}, {"labels/by-selector/method": "platt"}),
    (
        {"merge_labels", "label_table", "export_labels"},
        {"labels/gained/metric": "has-answer", "labels/gained/margin": 0.2},
    ),
    # scores and calibration are input files
    ({"export_labels"}, {"labels/by-selector/calibration": "judged"}),
    ({"export_labels"}, {"labels/by-selector/reranker": "cross/human"}),
    ({"train", "encode", "search", "export_model"}, {"backbones/encoder/model": "llm"}),
    ({"train", "encode", "search"}, {"backbones/encoder/pooling": "mean", "backbones/encoder/normalize": True}),
    ({"train", "encode", "search"}, {"backbones/encoder/model_settings": "ignore"}),
    (
        {"train", "encode", "search"},
        {
            "backbones/encoder/append_eos": True,
            "backbones/encoder/attention": "bidirectional",
            "backbones/encoder/dimension": 8,
        },
    ),
    ({"train", "search"}, {"backbones/encoder/query_prefix": "query: ", "backbones/encoder/query_length": 16}),
    ({"train", "encode"}, {"backbones/encoder/passage_prefix": "passage: ", "backbones/encoder/passage_length": 99}),
    ({"train", "rerank", "score_pool", "export_model"}, {"rerankers/cross/model": "llm"}),
    (
        {"train", "rerank", "score_pool"},
        {
            "rerankers/cross/query_prefix": "query: ",
            "rerankers/cross/passage_prefix": "passage: ",
            "rerankers/cross/length": 99,
            "rerankers/cross/score": "yes-no",
            "rerankers/cross/passage_suffix": " Relevant:",
            "rerankers/cross/yes_token": "true",
            "rerankers/cross/no_token": "false",
        },
    ),
    ({"rerank"}, {"reranked/again/depth": 40, "reranked/again/reranker": "other/useful"}),
    # the run and the model of a training are input files
    (set(), {"reranked/again/retriever": "bm25/bm25"}),
    (
        {"train"},
        {
            "trainings/useful/loss": "jointlh",
            "trainings/useful/positives": "pos-avg",
            "trainings/useful/human_positive": "inclusion",
            "trainings/useful/train_group_size": 8,
            "trainings/useful/global_batch_size": 8,
            "trainings/useful/epochs": 9,
            "trainings/useful/learning_rate": 1e-5,
            "trainings/useful/warmup_ratio": 0.2,
            "trainings/useful/weight_decay": 0.1,
            "trainings/useful/max_grad_norm": 2.0,
            "trainings/useful/temperature": 0.1,
            "trainings/useful/precision": "fp32",
            "trainings/useful/seed": 1,
        },
    ),
    # a further seed is a training of its own, and the others stay
    ({"cost_table"}, {"trainings/useful/seeds": [42, 7]}),
    ({"write_verdict", "plot_lines", "results_table"}, {"trainings/refined/seeds": [42, 7]}),
    ({"write_verdict", "train", "cost_table", "export_model", *JUDGES}, {"trainings/useful/labels": "both"}),
    ({"train"}, {"trainings/likely/answer_temperature": 0.1, "trainings/useful/lora": {}}),
    (
        {"train"},
        {
            "trainings/likely/lora/r": 4,
            "trainings/likely/lora/alpha": 4,
            "trainings/likely/lora/dropout": 0.1,
            "trainings/likely/lora/targets": ["query"],
        },
    ),
    (
        {"train"},
        {
            "trainings/likely/dev/labels": "human",
            "trainings/likely/dev/every": 4,
            "trainings/likely/dev/metric": "mrr@10",
            "trainings/likely/dev/keep": "best",
            "trainings/likely/dev/patience": 4,
            "trainings/useful/dev": {"labels": "human", "every": 4},
        },
    ),
    ({"train", "export_labels"}, {"pools/dev/titles": False}),
    ({"score_pool", "export_labels"}, {"pools/found/titles": False}),
    # the labels by which weights are chosen are behind the model, as those that are trained on
    ({"train", "write_verdict", "cost_table", "results_table"}, {"trainings/useful/dev": DEV_CHOOSES}),
    ({"write_verdict", "train", "export_model", "results_table"}, {"trainings/refined/init_from": "human"}),
    (
        {"search", "bm25_search", "read_external_run"},
        {"testsets/dev/depth": 2000, "testsets/dev/drop_query_document": True},
    ),
    ({"read_external_run"}, {"external_runs/splade/files": {"dev": "own/new.trec", "judged": "own/splade.trec"}}),
    ({"search"}, {"testsets/dev/query_length": 64}),
    # the length is in the paths of the vectors that a search reads
    (set(), {"testsets/dev/passage_length": 350}),
    ({"evaluate", "compare_retrievers", "write_verdict"}, {"testsets/dev/metrics": ["ndcg@10", "mrr@10"]}),
    ({"judge_agreement"}, {"testsets/judged/relevant": "labels"}),
    # decides whether an evaluation reads the file of these questions
    (set(), {"testsets/dev/training_copies": "drop"}),
    ({"evaluate", "merge_qrels", "compare_retrievers"}, {"testsets/dev/relevance_level": 2}),
    ({"evaluate", "match_answers", "compare_retrievers"}, {"testsets/answered/metrics": ["success@5"]}),
    (
        {"rerank_by_llm"},
        {
            "reranked/by-list/annotator": "served",
            "reranked/by-list/depth": 40,
            "reranked/by-list/window": 15,
            "reranked/by-list/step": 5,
        },
    ),
    # the run is an input file
    (set(), {"reranked/by-list/retriever": "bm25/bm25"}),
    ({"select"}, {"selected/sure/method": "platt", "selected/sure/threshold": 0.7, "selected/sure/depth": 30}),
    (
        {"select_by_llm"},
        {"selected/chosen/annotator": "served", "selected/chosen/stage": "relsel", "selected/chosen/depth": 30},
    ),
    # the run and the calibration are input files
    (set(), {"selected/chosen/retriever": "bm25/tuned", "selected/sure/labels": "judged"}),
    # these decide which files are read
    ({"export_labels"}, {"annotators/list/prompts": "own/prompts"}),
    (set(), {"testsets/spare/dataset": "other", "testsets/spare/split": "dev", "testsets/labelled/relevant": "qrels"}),
    ({"annotation_cost"}, {"testsets/labelled/labels": "asked-again"}),
    (set(), {"averages/mean/testsets": ["judged", "dev"]}),
    ({"generate_answers"}, {"qa/task/passages": 3, "qa/task/without_passages": "abstain"}),
    ({"evaluate_answers"}, {"qa/plain/metrics": ["f1"], "qa/task/bert_score/layer": 1}),
    # the model, the run and the template are input files
    (set(), {"qa/task/bert_score/model": "llm", "qa/plain/testset": "answered", "qa/plain/style": "short"}),
    ({"bm25_search"}, {"bm25/k1": 0.8, "bm25/b": 0.5, "bm25_variants/tuned/k1": 0.7, "bm25_variants/tuned/b": 0.5}),
    ({"results_table", "write_verdict"}, {"tables/retrieval/with_bm25": False, "tables/retrieval/verdict": "human"}),
    (
        {"results_table"},
        {
            "tables/retrieval/title": "New",
            "tables/retrieval/metrics": ["mrr@10"],
            "tables/retrieval/external_runs": ["splade"],
            "tables/retrieval/bm25_variants": ["tuned"],
            "tables/retrieval/label_metrics": ["precision"],
            "tables/retrieval/baseline": "refined",
            "tables/retrieval/significance_level": 0.01,
            "tables/retrieval/published": "3",
            f"{GROUP}/title": "Group",
            f"{GROUP}/second_baseline": "human",
            f"{GROUP}/rows": {"again": "human"},
            "tables/answers/qa": ["plain"],
            "tables/answers/generators": ["point"],
            "tables/answers/answer_work": ["tokens"],
            "tables/answers/bm25_answers": True,
            "tables/retrieval/selected": ["chosen"],
            "tables/retrieval/testsets": ["dev", "judged"],
        },
    ),
    ({"results_table"}, {f"{GROUP}/trainings": ["human", "refined"]}),
    # the card of a reranker tells what it orders in tables
    ({"results_table", "export_model"}, {"tables/retrieval/reranked": ["again"]}),
    ({"results_table"}, {"tables/retrieval": BARE_TABLE | {"backbones": [], "groups": []}}),
    (
        {"label_table"},
        {"label_tables/sets/title": "New", "label_tables/sets/published": "1", "label_tables/sets/work": True},
    ),
    ({"label_table"}, {"label_tables/sets/against": "human"}),
    ({"label_table", *JUDGES}, {"label_tables/sets/labels": ["useful", "ranked", "given-truth"]}),
    (
        {"cost_table"},
        {
            "cost_tables/costs/title": "New",
            "cost_tables/costs/backbone": "other",
            "cost_tables/costs/testset": "judged",
            "cost_tables/costs/published": "17",
            "cost_tables/costs/trainings": ["useful", "human"],
        },
    ),
    (
        {"plot_lines"},
        {
            "line_charts/shares/title": "New",
            "line_charts/shares/x_label": "new",
            "line_charts/shares/label_metrics": ["recall"],
            "line_charts/shares/backbone": "other",
            "line_charts/shares/testset": "judged",
            "line_charts/shares/metric": "ndcg@10",
            "line_charts/shares/series/0/name": "new",
            "line_charts/shares/series/0/points": {50: "human"},
            "line_charts/shares/levels": ["human"],
        },
    ),
    ({"plot_labels"}, {"label_charts/numbers/title": "New", "label_charts/numbers/labels": ["human", "useful"]}),
    ({"write_verdict", "cost_table"}, {"cost/gpu_hour_usd": 2.0, "cost/judgement_usd": 0.2}),
    ({"sample_annotations"}, {"report/questions": 5, "report/seed": 1}),
    (
        set(),
        {"report/comparisons": [{"first": "bm25/bm25", "second": "encoder/untrained", "testset": "dev"}]},
    ),
]
"""The rules that become stale, beside the report, and the keys of which each alone makes them so."""
CASES = [(place, value, rules) for rules, values in CHANGES for place, value in values.items()]


OTHER_DATA = WHOLE.datasets["data"].model_dump(mode="json")
OTHER_BACKBONE = {"backbones/other": {"model": "bert"}}
BESIDE: dict[str, dict[str, Any]] = {
    "pools/ids/dataset": {"datasets/other": OTHER_DATA},
    "pools/part/source/pool": {"labels/in-turn/of": ["useful", "by-selector"]},
    "pools/unsure/source/unsure": {"labels/by-selector-again": WHOLE.labels["by-selector"].model_dump(mode="json")},
    "labels/useful/pool": {"labels/both/of": ["human", "theirs"]},
    "testsets/spare/dataset": {"datasets/other": OTHER_DATA, "testsets/spare": {"dataset": "data", "split": "train"}},
    "testsets/spare/split": {"testsets/spare": {"dataset": "data", "split": "train"}},
    "testsets/labelled/relevant": {"averages/means/testsets": ["mean", "dev"]},
    "testsets/labelled/labels": {"labels/asked-again": WHOLE.labels["asked"].model_dump(mode="json")},
    "trainings/likely/dev/patience": {"trainings/likely/dev/keep": "best"},
    "cost_tables/costs/backbone": OTHER_BACKBONE,
    "line_charts/shares/backbone": OTHER_BACKBONE,
    **{
        f"rerankers/cross/{key}": {"rerankers/cross/score": "yes-no"}
        for key in ("passage_suffix", "yes_token", "no_token")
    },
    "reranked/again/reranker": {"rerankers/other": {"model": "bert", "length": 64}},
    "line_charts/shares/testset": {"testsets/judged/metrics": ["mrr@10"]},
}
"""What stands beside a key before and after its change, so that the configuration is a valid one."""


@pytest.mark.parametrize(("place", "value", "rules"), CASES, ids=[place for place, *_ in CASES])
def test_a_key_makes_stale_what_depends_on_it(place: str, value: Any, rules: set[str]) -> None:
    beside = BESIDE.get(place, {})
    assert stale_rules(at_places(beside), at_places({**beside, place: value})) == rules | {"write_report"}


SPEED = {
    "threads": 4,
    "annotate/batch_tokens": 1,
    "annotate/device": "cpu",
    "annotate/gpus": 4,
    "annotate/gpus_of": {"list": 2},
    "annotate/memory_fraction": 0.5,
    "annotate/python": "/opt/vllm/bin/python",
    "annotate/server/url": "http://elsewhere/v1",
    "annotate/server/api_key_env": "KEY",
    "annotate/server/concurrency": 2,
    "annotate/server/timeout": 1,
    "annotate/server/attempts": 1,
    "annotate/servers": {"far": {"url": "http://third/v1", "api_key_env": "K", "concurrency": 1}},
    "annotate/servers/far/timeout": 1,
    "annotate/servers/far/attempts": 1,
    "train/grad_cache_chunk": 4,
    "train/gradient_checkpointing": True,
    "train/fsdp": True,
    "train/checkpoint_steps": 5,
    "train/log_steps": 1,
    "train/log_to": "tensorboard",
    "train/device": "cpu",
    "train/gpus": 8,
    "encode/batch_tokens": 1,
    "encode/keep_vectors": False,
    "encode/temporary_vectors": False,
    "encode/device": "cpu",
    "encode/search": "torch",
    "encode/gpus": 8,
}


@pytest.mark.parametrize("place", SPEED)
def test_speed_makes_nothing_stale(place: str) -> None:
    gpus = {"performance/train/gpus": 8} if place == "train/fsdp" else {}  # it needs several
    changed = at_places({f"performance/{place}": SPEED[place]} | gpus)
    assert changed.performance != WHOLE.performance
    assert stale_rules(WHOLE, changed) == set()


def test_a_new_member_of_a_section_makes_nothing_stale_but_the_report() -> None:
    for section, member in (
        ("models", "llm"),
        ("annotators", "list"),
        ("labels", "human"),
        ("trainings", "human"),
        ("testsets", "dev"),
        ("pools", "rows"),
    ):
        added = getattr(WHOLE, section)[member].model_dump(mode="json")
        assert stale_rules(WHOLE, at_places({f"{section}/new": added})) == {"write_report"}, section


def leaves(section: type[Settings] = Configuration, prefix: str = "") -> Iterator[str]:
    """Every key of the configuration that holds no section; ``*`` is a name, or a place in a list."""
    for name, field in section.model_fields.items():
        inner = member_section(field.annotation)
        named = get_origin(field.annotation) in (dict, tuple)
        if inner is None:
            yield f"{prefix}{name}"
        else:
            yield from leaves(inner, f"{prefix}{name}/*/" if named else f"{prefix}{name}/")


def generic(place: str) -> set[str]:
    """The keys of ``leaves`` that a changed place stands for."""
    parts = place.split("/")
    return {
        leaf
        for leaf in leaves()
        if all(name in ("*", part) for name, part in zip(leaf.split("/"), parts, strict=False))
        and len(leaf.split("/")) >= len(parts)
    }


def test_every_key_is_tried() -> None:
    places = [*(place for place, *_ in CASES), *(f"performance/{place}" for place in SPEED)]
    tried = {leaf for place in places for leaf in generic(place)}
    assert sorted(set(leaves()) - tried) == []


def test_every_rule_is_made_stale_by_something() -> None:
    assert {rule for rules, _ in CHANGES for rule in rules} | {"write_report"} == set(RULES)
