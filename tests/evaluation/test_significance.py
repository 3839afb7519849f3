"""The paired t-test, against scipy's, and the paired bootstrap of corpus BLEU."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from utility_annotation.common.errors import InputError
from utility_annotation.evaluation.bleu_counts import BLEU_COUNTS
from utility_annotation.evaluation.msmarco_qa import bleu, bleu_of_counts
from utility_annotation.evaluation.significance import RESAMPLES, paired_bootstrap, paired_t_test, per_query_values
from utility_annotation.io.schemas import PER_QUERY

eighths = st.integers(0, 8).map(lambda number: number / 8)


@given(st.lists(st.tuples(eighths, eighths), min_size=2).filter(lambda pairs: len({a - b for a, b in pairs}) > 1))
def test_it_is_scipys_whatever_the_order_of_the_queries(pairs):
    first = {str(number): a for number, (a, _) in enumerate(pairs)}
    second = {str(number): b for number, (_, b) in reversed(list(enumerate(pairs)))}
    expected = stats.ttest_rel([a for a, _ in pairs], [b for _, b in pairs]).pvalue
    assert paired_t_test(first, second) == pytest.approx(expected, rel=1e-9)


def test_equal_values_do_not_differ():
    values = {"1": 0.5, "2": 1.0}
    assert paired_t_test(values, dict(values)) == 1.0


def test_the_same_difference_everywhere_is_certain():
    assert paired_t_test({"1": 0.5, "2": 1.0}, {"1": 0.25, "2": 0.75}) == 0.0


def test_one_query_proves_nothing():
    assert paired_t_test({"1": 0.5}, {"1": 0.25}) == 1.0


@pytest.mark.parametrize("other", [{"1": 0.5}, {"1": 0.5, "3": 1.0}, {}])
def test_other_queries_are_an_error(other):
    with pytest.raises(InputError, match="queries differ"):
        paired_t_test({"1": 0.5, "2": 1.0}, other)


def test_values_are_read_by_metric(tmp_path):
    rows = [("1", "mrr@10", 0.5), ("2", "mrr@10", 1.0), ("1", "ndcg@10", 0.25)]
    columns = dict(zip(("query_id", "metric", "value"), zip(*rows, strict=True), strict=True))
    PER_QUERY.write(tmp_path / "values.parquet", PER_QUERY.table(columns))
    assert per_query_values(tmp_path / "values.parquet", "mrr@10") == {"1": 0.5, "2": 1.0}
    with pytest.raises(InputError, match=r"no metric 'map' \(there are: mrr@10, ndcg@10\)"):
        per_query_values(tmp_path / "values.parquet", "map")


def test_an_average_weighs_test_sets_and_not_queries():
    """By hand: differences (.25, .75) and (0, 0, .5, .5), each set with weight ½."""
    ours = {"a/1": 0.25, "a/2": 0.75, "b/1": 0.0, "b/2": 0.0, "b/3": 0.5, "b/4": 0.5}
    parts = [0.125 / 2 / 4, (0.25 / 3) / 4 / 4]
    freedom = sum(parts) ** 2 / (parts[0] ** 2 / 1 + parts[1] ** 2 / 3)
    expected = 2 * stats.t.sf(0.375 / sum(parts) ** 0.5, freedom)
    assert paired_t_test(ours, dict.fromkeys(ours, 0.0), {"a": 0.5, "b": 0.5}) == pytest.approx(expected, rel=1e-12)


@given(st.lists(st.tuples(eighths, eighths), min_size=2).filter(lambda pairs: len({a - b for a, b in pairs}) > 1))
def test_an_average_of_one_test_set_is_tested_as_that_test_set(pairs):
    first = {f"a/{number}": a for number, (a, _) in enumerate(pairs)}
    second = {f"a/{number}": b for number, (_, b) in enumerate(pairs)}
    assert paired_t_test(first, second, {"a": 1.0}) == pytest.approx(paired_t_test(first, second), rel=1e-12)


def test_a_test_set_of_one_query_makes_an_average_prove_nothing():
    ours = {"a/1": 1.0, "b/1": 1.0, "b/2": 0.5}
    assert paired_t_test(ours, dict.fromkeys(ours, 0.0), {"a": 0.5, "b": 0.5}) == 1.0


def _counts(answers: list[str], references: list[str]) -> list[dict[str, float]]:
    counts = bleu(answers, [[reference] for reference in references])[0].counts
    return [{str(place): float(value) for place, value in enumerate(values)} for values in counts.values()]


REFERENCES = ["one two three four five six seven eight nine ten"] * 30


def test_bleu_is_tested_by_its_corpus_figure_and_not_by_the_mean_of_sentences() -> None:
    """Long answers decide the corpus figure, short ones the mean: the two point in opposite directions."""
    long = " ".join(f"w{number}" for number in range(200))
    references = ["one two three four"] * 40 + [long] * 20
    better_mean = ["one two three four"] * 40 + [" ".join(long.split()[:60] + ["x"] * 140)] * 20
    better_corpus = ["one x three y"] * 40 + [long] * 20
    first, second = (bleu(answers, [[r] for r in references])[3] for answers in (better_corpus, better_mean))
    assert first.corpus > second.corpus
    assert first.sentences.mean() < second.sentences.mean()
    p_value = paired_bootstrap(
        _counts(better_corpus, references), _counts(better_mean, references), partial(bleu_of_counts, 4)
    )
    assert p_value == pytest.approx(1 / (RESAMPLES + 1))


def test_summed_counts_give_the_scorers_corpus_bleu() -> None:
    answers = [" ".join(reference.split()[place % 5 :]) for place, reference in enumerate(REFERENCES)]
    for order, found in enumerate(bleu(answers, [[r] for r in REFERENCES]), 1):
        sums = np.array([found.counts[name].sum() for name in BLEU_COUNTS])
        assert bleu_of_counts(order, sums) == pytest.approx(found.corpus, abs=1e-12)


def test_the_bootstrap_finds_no_difference_where_there_is_none() -> None:
    same = _counts(REFERENCES, REFERENCES)
    assert paired_bootstrap(same, same, partial(bleu_of_counts, 4)) == 1.0
    odd = [" ".join(r.split()[: 10 - place % 2 * 3]) for place, r in enumerate(REFERENCES)]
    even = [" ".join(r.split()[: 7 + place % 2 * 3]) for place, r in enumerate(REFERENCES)]
    p_value = paired_bootstrap(_counts(odd, REFERENCES), _counts(even, REFERENCES), partial(bleu_of_counts, 4))
    assert p_value > 0.5


def test_the_bootstrap_refuses_other_queries() -> None:
    one, other = _counts(REFERENCES[:2], REFERENCES[:2]), _counts(REFERENCES[:3], REFERENCES[:3])
    with pytest.raises(InputError, match="queries differ"):
        paired_bootstrap(one, other, partial(bleu_of_counts, 1))
