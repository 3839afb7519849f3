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
from utility_annotation.evaluation.samples import RESAMPLES, Figure, Sample, per_query_values
from utility_annotation.evaluation.significance import compare, holm, interval
from utility_annotation.io.schemas import PER_QUERY


def paired_t_test(
    values: dict[str, float], baseline: dict[str, float], weights: dict[str, float] | None = None
) -> float:
    return compare(*(Sample.of([[each]], weights=weights) for each in (values, baseline))).p_value


def paired_bootstrap(counts: list[dict[str, float]], baseline: list[dict[str, float]], figure: Figure) -> float:
    return compare(*(Sample.of([each], figure=figure) for each in (counts, baseline))).p_value


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


@pytest.mark.parametrize("other", [{"1": 0.5}, {"1": 0.5, "3": 1.0}])
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


VALUES = np.random.default_rng(1).beta(0.6, 1.0, size=(4, 54))
"""Values of 54 queries, as many as TREC DL 2020 has."""


def sample(*seeds: np.ndarray, prefix: str = "") -> Sample:
    return Sample.of([[{f"{prefix}{place:02}": value for place, value in enumerate(seed)}] for seed in seeds])


def test_the_interval_of_one_seed_is_scipys_percentile_bootstrap() -> None:
    low, high = interval(sample(VALUES[0]))
    theirs = stats.bootstrap(VALUES[:1], np.mean, n_resamples=20_000, method="percentile", rng=2).confidence_interval
    assert (low, high) == pytest.approx(theirs, abs=0.01)


def test_the_interval_of_a_difference_is_scipys_with_paired_queries() -> None:
    found = compare(sample(VALUES[0]), sample(VALUES[0] * 0.9))
    theirs = stats.bootstrap((VALUES[0] * 0.1,), np.mean, n_resamples=20_000, method="percentile", rng=2)
    assert found.gain == pytest.approx(np.mean(VALUES[0]) * 0.1)
    assert (found.low, found.high) == pytest.approx(theirs.confidence_interval, abs=0.001)


def test_seeds_that_differ_widen_the_interval_and_raise_the_p_value() -> None:
    """Three seeds with the same mean values per query, alike or 0.1 apart, are compared with a worse baseline."""
    baseline = sample(VALUES[0] - 0.08 * VALUES[1])
    alike, apart = (compare(sample(VALUES[0], VALUES[0] - d, VALUES[0] + d), baseline) for d in (0.0, 0.1))
    assert alike.gain == pytest.approx(apart.gain)
    assert apart.high - apart.low > 2 * (alike.high - alike.low)
    assert alike.p_value < 0.001 < 0.05 < apart.p_value
    assert apart.detectable > alike.detectable


def test_equal_seeds_are_tested_as_one() -> None:
    one, three = sample(VALUES[0]), sample(*[VALUES[0]] * 3)
    baseline = sample(VALUES[1])
    assert compare(three, baseline).p_value == pytest.approx(compare(one, baseline).p_value, rel=1e-9)


def test_the_detectable_difference_is_found_in_80_percent_of_the_cases() -> None:
    """Standard deviation 0.3 and 54 queries: of 2,000 simulated test sets, the t-test shows such a gain in 80 %."""
    draw = np.random.default_rng(3)
    gain = compare(sample(draw.normal(0, 0.3, 54)), sample(np.zeros(54))).detectable
    spread = compare(sample(np.linspace(-1, 1, 54)), sample(np.zeros(54))).detectable / np.linspace(-1, 1, 54).std(
        ddof=1
    )
    simulated = draw.normal(0.3 * spread, 0.3, size=(2000, 54))
    shown = stats.ttest_1samp(simulated, 0, axis=1).pvalue < 0.05
    assert shown.mean() == pytest.approx(0.8, abs=0.03)
    assert 0.5 < gain / (0.3 * spread) < 1.5


def test_a_simulation_keeps_the_level_where_seeds_differ() -> None:
    """Three seeds, no difference between the trainings: at most some 5 % of 400 comparisons call one significant."""
    draw = np.random.default_rng(4)
    false = 0
    for _ in range(400):
        queries = draw.normal(0.5, 0.3, 60)
        runs = [[queries + draw.normal(0, 0.05) + draw.normal(0, 0.1, 60) for _ in range(3)] for _ in range(2)]
        false += compare(sample(*runs[0]), sample(*runs[1])).p_value < 0.05
    assert false <= 30


def test_holm_is_the_example_of_the_step_down_procedure() -> None:
    """By hand: .01 × 4, .0133 × 3 raised to it, .02 × 2 raised to it, .04."""
    assert holm(np.array([0.04, 0.01, 0.02, 0.0133])) == pytest.approx([0.04, 0.04, 0.04, 0.04])
    assert holm(np.array([0.01, 0.04, 0.03, 0.005])) == pytest.approx([0.03, 0.06, 0.06, 0.02])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_is_between_no_correction_and_bonferronis(p_values: list[float]) -> None:
    p = np.array(p_values)
    corrected = holm(p)
    assert (corrected >= p).all()
    assert (corrected <= np.minimum(len(p) * p, 1) + 1e-12).all()
    assert corrected.min() == pytest.approx(min(len(p) * p.min(), 1))
