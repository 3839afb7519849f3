"""Which files verdicts, comparisons, copies of training questions and judges read and make."""

from __future__ import annotations

import pytest
from whole import WHOLE, at_places

from utility_annotation.common.errors import InputError
from utility_annotation.labels.settings import PEOPLE
from utility_annotation.planning import answers, comparisons, results, retrieval, work

ROWS = ["results/pools/rows/0000-of-0002.parquet", "results/pools/rows/0001-of-0002.parquet"]


def test_a_table_with_a_verdict_begins_with_it_and_ends_with_the_report() -> None:
    assert results.files(WHOLE, "retrieval") == [
        "results/verdicts/retrieval.md",
        "results/tables/retrieval.md",
        "results/figures/retrieval.svg",
        "results/report.html",
    ]


def test_a_verdict_reads_its_training_its_baselines_and_what_the_labels_took() -> None:
    assert results.verdict_metrics(WHOLE, table="retrieval") == [
        "results/metrics/encoder/refined/dev.json",
        "results/metrics/encoder/untrained/dev.json",
        "results/metrics/bm25/bm25/dev.json",
    ]
    recorded = work.verdict_recorded(WHOLE, table="retrieval")
    assert list(map(str, recorded.pools)) == ROWS
    stages = {path.parent.name for path in recorded.annotations}
    assert stages == {"relsel", "answer", "utilsel"}


def test_a_comparison_reads_both_retrievers_and_bm25() -> None:
    names = {"first": "external/splade", "second": "encoder/human", "testset": "dev"}
    assert comparisons.file(**names) == "results/comparisons/external/splade-vs-encoder/human/dev.md"
    assert comparisons.per_query(WHOLE, **names) == [
        f"results/metrics/{name}/dev.per-query.parquet" for name in ("external/splade", "encoder/human", "bm25/bm25")
    ]
    assert comparisons.rankings(WHOLE, **names)[0] == "results/runs/external/splade/dev.parquet"
    assert comparisons.qrels(WHOLE, **names) == [retrieval.qrels(WHOLE, retriever="encoder/human", testset="dev")]


def test_where_answers_judge_a_comparison_reads_the_judgements_of_both() -> None:
    names = {"first": "bm25/bm25", "second": "encoder/human", "testset": "answered"}
    assert len(comparisons.qrels(WHOLE, **names)) == 2


def test_a_retriever_is_not_compared_with_itself() -> None:
    with pytest.raises(InputError, match="encoder/human is compared with itself"):
        comparisons.per_query(WHOLE, first="encoder/human", second="encoder/human", testset="dev")


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        ({"first": "encoder/humn", "second": "bm25/bm25", "testset": "dev"}, "encoder/humn"),
        ({"first": "external/splade", "second": "bm25/bm25", "testset": "answered"}, "external/splade"),
        ({"first": "bm25/bm25", "second": "bm25/bm25", "testset": "dev"}, "bm25/bm25 is compared with itself"),
        ({"first": "bm25/bm25", "second": "encoder/human", "testset": "nowhere"}, "nowhere"),
    ],
)
def test_a_comparison_of_what_is_not_there_is_refused(shown: dict[str, str], expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        at_places({"report/comparisons": [shown]})


def test_a_test_set_is_searched_for_the_questions_of_every_training() -> None:
    assert results.table_copies(WHOLE, table="answers") == {}
    assert results.table_copies_files(WHOLE, table="retrieval")[0] == "results/training-copies/dev.parquet"
    assert retrieval.training_questions(WHOLE) == {"data/train": "data/data/queries/train.parquet"}


def test_an_evaluation_reads_them_where_it_leaves_them_out() -> None:
    dropped = at_places({"testsets/dev/training_copies": "drop"})
    assert retrieval.dropped_copies(WHOLE, testset="dev") == []
    assert retrieval.dropped_copies(dropped, testset="dev") == ["results/training-copies/dev.parquet"]
    plain = [name for name, task in dropped.qa.items() if task.testset == "dev"]
    assert answers.dropped_copies(dropped, qa=plain[0]) == ["results/training-copies/dev.parquet"]


def test_test_sets_of_the_same_questions_with_other_judges_are_compared() -> None:
    shown = at_places({"testsets/judged/relevant": "labels"})
    (group,) = results.judged_alike(shown, table="retrieval")
    assert group.judges == {"dev": PEOPLE, "judged": "judged"}
    assert results.agreement(shown, table="retrieval") == ["results/agreement/retrieval.json"]
    assert results.agreement_labels(shown, table="retrieval") == ["results/labels/judged.parquet"]
    assert results.agreement_qrels(shown, table="retrieval") == ["data/data/qrels/dev.parquet"]
    metrics = results.agreement_metrics(shown, table="retrieval")
    assert {"results/metrics/encoder/human/judged.json", "results/metrics/bm25/bm25/dev.json"} <= set(metrics)


def test_without_a_second_judge_nothing_is_compared() -> None:
    assert results.agreement(WHOLE, table="retrieval") == []
