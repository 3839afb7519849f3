"""The settings of each job hold exactly the keys that decide its result."""

from __future__ import annotations

import json
from typing import Any

import pytest
from job_settings import RULES, every_job, keys
from whole import WHOLE, at_places

from utility_annotation.annotation.stages import STAGES
from utility_annotation.common.errors import InputError
from utility_annotation.planning import jobs
from utility_annotation.settings import (
    Backbone,
    Configuration,
    Download,
    LabelChart,
    Labels,
    Model,
    Pool,
    Training,
    canonical,
)


def fields(section: type[Any]) -> set[str]:
    return set(section.model_fields)


PASSAGES = ("path", "passage_length", "overlap")
QUERIES = {"queries", "part", "judged_only", "answered_only", "sample"}
TESTSET = {"depth", "drop_query_document"}
VECTORS = ("model", "pooling", "append_eos", "attention", "dimension", "normalize", "model_settings")
PART = ("format", "pool", "percent", "seed")
UNSET = {"reranker", "calibration", "ignore", "voting", "weights", "metric", "margin"}
POOL = fields(Pool) - {"titles", "source"} | {"source.format", "source.path"}
EXPECTED: list[tuple[str, dict[str, str], set[str]]] = [
    ("prepare_model", {"model": "llm"}, fields(Model)),
    ("fetch", {"download": "packed"}, fields(Download)),
    ("ingest_corpus", {"dataset": "data"}, {"corpus", "titles"}),
    ("ingest_documents", {"dataset": "written"}, {"path"}),
    ("ingest_passages", {"dataset": "written"}, {*(f"documents.{key}" for key in PASSAGES), "titles"}),
    ("sample_passages", {"pool": "passages"}, {"source.sample", "source.seed", "source.examples", "shards"}),
    ("read_questions", {"questions": "made"}, {"styles"}),
    (
        "keep_questions",
        {"questions": "made"},
        {"answerable", "held_out", "seed", "round_trip.depth", "round_trip.retriever"},
    ),
    ("ingest_queries", {"dataset": "data", "split": "train"}, QUERIES),
    ("ingest_queries", {"dataset": "data", "split": "dev"}, QUERIES | {"qrels", "answers"}),
    ("ingest_qrels", {"dataset": "data", "split": "dev"}, {"queries", "qrels", "unknown_passages", "unknown_queries"}),
    ("ingest_answers", {"dataset": "data", "split": "dev"}, {"queries", "answers", "unknown_queries"}),
    ("find_duplicates", {"pool": "found"}, {"depth", "relevance_level"}),
    ("mine_negatives", {"pool": "found"}, {"format", "depth", "size", "relevance_level"}),
    ("build_pool", {"pool": "rows"}, POOL),
    ("build_pool", {"pool": "found"}, POOL),
    ("divide_pool", {"pool": "part"}, {*(f"source.{key}" for key in PART), "shards", "method"}),
    ("divide_pool", {"pool": "unsure"}, {*(f"source.{key}" for key in (*PART, "between")), "shards", "method"}),
    ("merge_labels", {"labels": "ranked"}, fields(Labels) - UNSET),
    ("label_quality", {"labels": "ranked"}, {"labels", "source", "annotator"}),
    (
        "train",
        {"backbone": "encoder", "training": "human"},
        {"backbone", "titles", *(f"training.{key}" for key in fields(Training) - {"seeds", "lora", "dev"})},
    ),
    (
        "train",
        {"backbone": "encoder", "training": "likely"},
        {"backbone", "titles", "dev_titles", *(f"training.{key}" for key in fields(Training) - {"seeds"})},
    ),
    *(
        (
            "encode",
            {"backbone": "encoder", "length": length},
            {*VECTORS, "passage_prefix", "passage_length"},
        )
        for length in ("", "@350")
    ),
    (
        "search",
        {"backbone": "encoder", "testset": "dev"},
        {
            *(f"backbone.{key}" for key in (*VECTORS, "query_prefix", "query_length")),
        }
        | TESTSET,
    ),
    ("bm25_search", {"bm25": "tuned", "testset": "dev"}, {"bm25", *TESTSET}),
    ("read_external_run", {"external_run": "splade", "testset": "dev"}, {"path", *TESTSET}),
    ("rerank", {"reranked": "again"}, {"reranker", "depth"}),
    ("score_pool", {"reranker": "cross", "pool": "found"}, {"reranker", "titles"}),
    ("select", {"selected": "sure"}, {"method", "threshold", "depth"}),
    ("merge_qrels", {"testset": "dev"}, {"relevance_level"}),
    ("match_answers", {"testset": "answered"}, {"metrics"}),
    ("evaluate", {"testset": "dev"}, {"testset", "metrics", "relevance_level"}),
    ("evaluate_answers", {"qa": "task"}, {"metrics", "layer"}),
    ("results_table", {"table": "retrieval"}, {"table", "seeds", "first_stages", "labels", "shared_judges", "prices"}),
    ("label_table", {"label_table": "sets"}, {"table", "labels", "work"}),
    ("cost_table", {"cost_table": "costs"}, {"table", "seeds", "prices", "shared_judges", "work"}),
    ("judge_agreement", {"table": "retrieval"}, {"groups"}),
    (
        "compare_retrievers",
        {"first": "bm25/bm25", "second": "encoder/human", "testset": "dev"},
        {"first", "second", "testset", "metric", "relevance_level"},
    ),
    (
        "write_verdict",
        {"table": "retrieval"},
        {
            *("backbone", "training", "testset", "metric", "seeds"),
            *("judges", "shared_judges", "prices", "work"),
        },
    ),
    ("plot_lines", {"line_chart": "shares"}, {"chart", "seeds", "labels", "shared_judges"}),
    ("plot_labels", {"label_chart": "numbers"}, fields(LabelChart)),
    ("sample_annotations", {"pool": "rows"}, {"pool", "questions", "seed", "judges"}),
    ("annotation_cost", {"pool": "rows"}, {"pool", "stages", "labels"}),
    ("write_report", {}, fields(Configuration) - {"performance"}),
    ("export_labels", {"labels": "useful"}, {"name", "labels", "pool", "annotator", "model"}),
    (
        "export_model",
        {"backbone": "encoder", "training": "human"},
        {"name", "labels", "init_from", "source", "orders", "selects"},
    ),
]


@pytest.mark.parametrize(
    ("rule", "names", "expected"), EXPECTED, ids=[f"{rule} {' '.join(names.values())}" for rule, names, _ in EXPECTED]
)
def test_the_json_of_a_job_has_the_keys_that_decide_its_result(
    rule: str, names: dict[str, str], expected: set[str]
) -> None:
    assert keys(RULES[rule](WHOLE, **names)) == expected


LLMS = {"annotate", "generate_answers", "rerank_by_llm", "select_by_llm"}


def test_every_rule_with_settings_is_tried() -> None:
    assert {rule for rule, _, _ in EXPECTED} | LLMS == set(RULES)


@pytest.mark.parametrize("rule", RULES)
def test_every_job_of_a_rule_has_settings_and_the_order_of_keys_in_the_configuration_changes_none(rule: str) -> None:
    from utility_annotation.planning.loading import load

    turned = {
        name: dict(reversed(list(section.items()))) if isinstance(section, dict) else section
        for name, section in reversed(list(WHOLE.model_dump(mode="json").items()))
    }
    names = list(every_job(WHOLE, rule))
    assert names
    for each in names:
        settings = canonical(RULES[rule](WHOLE, **dict(each)))
        assert isinstance(json.loads(settings), dict)
        assert canonical(RULES[rule](load(turned), **dict(each))) == settings


ALWAYS = {"model", "engine", "served_model_name", "protocol", "passage_words", "titles", "max_model_len"} | {
    "precision"
}
LISTED = {"sampling", "thinking", "retries", "structured_outputs", "permutations"}
ANSWERED = {"answer_sampling", "thinking", "retries"}
WRITTEN = dict.fromkeys(
    ("question-natural", "question-keyword", "question-multi-part"), ANSWERED | {"questions_per_passage"}
)
LISTWISE = WRITTEN | {
    "relsel": LISTED,
    "answer": ANSWERED,
    "utilsel": LISTED,
    "utilrank": LISTED,
    "utilsel-truth": LISTED,
    "replug": set[str](),
    "umbrela": LISTED - {"permutations"},
    "utilgrade": LISTED - {"permutations"},
    "rlhn": LISTED - {"permutations"},
    "snippet": ANSWERED,
    "arhn": LISTED,
    "gain-short": ANSWERED,
    "gain-sentence": ANSWERED,
}
POINTWISE = WRITTEN | {
    "relsel": {"pointwise.relevant_percent"},
    "answer": ANSWERED | {"pointwise.answer_passages"},
    "utilsel": {"pointwise.gain_weight", "pointwise.margin"},
    "utilrank": {"pointwise.gain_weight"},
    "utilsel-truth": {"pointwise.gain_weight", "pointwise.margin"},
    "replug": set[str](),
    "umbrela": set[str](),
    "utilgrade": set[str](),
    "rlhn": {"pointwise.margin"},
    "snippet": ANSWERED,
    "arhn": LISTED,
    "gain-short": ANSWERED,
    "gain-sentence": ANSWERED,
}


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize(
    ("annotator", "expected"),
    [
        ("list", {stage: ALWAYS | more for stage, more in LISTWISE.items()}),
        ("point", {stage: ALWAYS | more for stage, more in POINTWISE.items()}),
        ("served", {stage: (ALWAYS - {"precision"}) | more for stage, more in LISTWISE.items()}),
    ],
)
def test_a_stage_rests_on_the_keys_of_its_protocol(annotator: str, expected: dict[str, set[str]], stage: str) -> None:
    assert keys(jobs.annotate(WHOLE, annotator=annotator, stage=stage)) == expected[stage]


@pytest.mark.parametrize(("generator", "model"), [("list", {"precision"}), ("point", {"precision"}), ("served", set())])
def test_answers_rest_on_the_generator_and_the_number_of_passages(generator: str, model: set[str]) -> None:
    expected = {f"generator.{key}" for key in (ALWAYS - {"precision"}) | model | ANSWERED} | {
        "passages",
        "without_passages",
    }
    assert keys(jobs.generate_answers(WHOLE, qa="task", generator=generator)) == expected


@pytest.mark.parametrize(
    ("reranked", "annotator", "others"),
    [
        ("by-list", ALWAYS | LISTED, {"depth", "window", "step"}),
        ("by-point", ALWAYS, {"depth"}),
        ("by-served", (ALWAYS - {"precision"}) | LISTED, {"depth", "window", "step"}),
    ],
)
def test_reranking_by_an_llm_rests_on_the_keys_of_its_protocol(
    reranked: str, annotator: set[str], others: set[str]
) -> None:
    expected = {f"annotator.{key}" for key in annotator} | others
    assert keys(jobs.rerank_by_llm(WHOLE, reranked=reranked)) == expected


@pytest.mark.parametrize(
    ("selected", "annotator"),
    [
        ("chosen", ALWAYS | LISTED | ANSWERED),
        ("chosen-by-point", ALWAYS | ANSWERED | {"pointwise"}),
        ("chosen-by-served", (ALWAYS - {"precision"}) | LISTED),
    ],
)
def test_a_selection_by_an_llm_rests_on_the_keys_of_all_its_stages(selected: str, annotator: set[str]) -> None:
    expected = {f"annotator.{key}" for key in annotator} | {"stages", "depth"}
    assert keys(jobs.select_by_llm(WHOLE, selected=selected)) == expected


def test_what_a_job_does_not_depend_on_is_not_there_for_it() -> None:
    corpus = jobs.ingest_corpus(WHOLE, dataset="data")
    assert corpus.shards == 1, "a default, whatever the configuration says"
    with pytest.raises(AttributeError):
        _ = corpus.splits
    queries = jobs.ingest_queries(WHOLE, dataset="data", split="train")
    assert queries.qrels is None, "which of the questions are kept does not depend on them"
    searching = jobs.search(WHOLE, backbone="encoder", testset="dev")
    assert searching.backbone.passage_length == Backbone.model_fields["passage_length"].default


def test_ids_by_line_reach_the_jobs_that_read_the_file() -> None:
    source = {"format": "jsonl", "path": "own/new.jsonl", "ids": "line"}
    own = at_places({"datasets/data/corpus": source, "datasets/data/splits/train/queries": source})
    assert jobs.ingest_corpus(own, dataset="data").corpus.ids == "line"
    assert jobs.ingest_queries(own, dataset="data", split="train").queries.ids == "line"


def test_a_search_and_an_encoding_take_the_lengths_of_the_test_set_where_it_has_some() -> None:
    own = at_places({"testsets/dev/query_length": 64, "testsets/dev/passage_length": 350})
    names = {"backbone": "encoder"}
    assert [jobs.search(own, testset=name, **names).backbone.query_length for name in ("dev", "judged")] == [64, 32]
    assert [jobs.encode(own, length=length, **names).passage_length for length in ("@350", "")] == [350, 156]
    longer = at_places({"backbones/encoder/passage_length": 200})
    assert jobs.encode(longer, length="@350", **names) == jobs.encode(own, length="@350", **names)


@pytest.mark.parametrize(
    ("pool", "source"),
    [
        ("rows", ("tevatron", "own/rows.jsonl")),
        ("ids", ("tevatron-ids", "own/ids.jsonl")),
        ("found", ("tevatron-ids", "results/mined/found.jsonl")),
    ],
)
def test_a_pool_is_built_from_rows_wherever_they_come_from(pool: str, source: tuple[str, str]) -> None:
    settings = jobs.build_pool(WHOLE, pool=pool)
    assert (settings.source.format, settings.source.path) == source


def test_the_work_of_a_cost_table_is_that_behind_each_training() -> None:
    work = jobs.cost_table(WHOLE, cost_table="costs").work
    assert {name: [part.kind for part in parts or ()] for name, parts in work.items()} == {
        "human": ["judgements"],
        "useful": ["relsel", "answer", "utilsel"],
    }


def test_a_training_brings_its_whole_backbone() -> None:
    settings = jobs.train(WHOLE, backbone="encoder", training="refined")
    assert (keys(settings.training), keys(settings.backbone)) == (
        fields(Training) - {"seeds", "lora", "dev"},
        fields(Backbone),
    )


def test_a_model_is_exported_with_the_labels_of_both_its_stages() -> None:
    settings = jobs.export_model(WHOLE, backbone="encoder", training="refined")
    assert (settings.labels, settings.init_from) == (WHOLE.labels["few"], WHOLE.labels["useful"])
    assert settings.source == WHOLE.models["bert"]


def test_likelihoods_are_no_labels_to_export() -> None:
    with pytest.raises(InputError, match=r"labels likely are likelihoods of source replug.*Fix: export labels of anot"):
        jobs.export_labels(WHOLE, labels="likely")


@pytest.mark.parametrize("rule", ["ingest_queries", "ingest_qrels", "ingest_answers"])
def test_a_split_that_is_not_there_is_named(rule: str) -> None:
    with pytest.raises(InputError, match=r"dataset data has no split test\. Fix: .*train, dev, asked"):
        RULES[rule](WHOLE, dataset="data", split="test")


def test_settings_of_a_job_come_from_the_configuration_of_its_names() -> None:
    configuration = at_places({"annotators/other": {"model": "bert", "passage_words": 77}})
    assert jobs.annotate(configuration, annotator="other", stage="relsel").passage_words == 77
    assert jobs.annotate(configuration, annotator="list", stage="relsel").passage_words == 300
