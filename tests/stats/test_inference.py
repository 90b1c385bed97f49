"""Tests, effects, intervals and power against textbook data, brute force, scipy and statsmodels."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.weightstats import ttost_paired

from gan.stats.inference import (
    discordance_test,
    equivalence_test,
    hedges_g,
    hodges_lehmann,
    hodges_lehmann_shift,
    holm,
    mean_estimate,
    pairs_for_equivalence,
    pairs_for_superiority,
    pairs_for_verdict,
    probability_of_improvement,
    rank_sum_distribution,
    rank_sum_test,
    share_estimate,
    sign_flip_test,
    signed_rank_distribution,
    signed_ranks,
    small_sample_correction,
)

MAIZE = np.array([49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48.0])  # Darwin 1876, Fisher 1935
SLEEP = np.array([-1.2, -2.4, -1.3, -1.3, 0.0, -1.0, -1.8, -0.8, -4.6, -1.4])  # Student 1908


def differences(seed: int, n: int, mean: float = 0.5) -> np.ndarray:
    return np.random.default_rng(seed).normal(mean, 1, n)


def test_sign_flip_counts_fishers_1726_of_32768_for_darwins_maize() -> None:
    assert sign_flip_test(MAIZE) == 1726 / 32768


def test_sign_flip_on_ranks_is_wilcoxons_test() -> None:
    assert sign_flip_test(signed_ranks(MAIZE)) == pytest.approx(0.04125977, abs=1e-8)
    sample = differences(0, 25)
    assert sign_flip_test(signed_ranks(sample)) == pytest.approx(stats.wilcoxon(sample, method="exact").pvalue)


@pytest.mark.parametrize("n", range(2, 13))
def test_sign_flip_equals_full_enumeration_and_scipy(n: int) -> None:
    # Tenths make many sums equal on paper and unequal in floating point.
    sample = np.random.default_rng(n).integers(-4, 7, n) / 10
    sums = [round(10 * float(np.dot(signs, sample))) for signs in itertools.product([-1, 1], repeat=n)]
    extreme = sum(abs(total) >= abs(round(10 * sample.sum())) for total in sums)
    assert sign_flip_test(sample) == extreme / 2**n
    untied = differences(n, n)
    exact = stats.permutation_test((untied,), np.mean, permutation_type="samples", n_resamples=np.inf, vectorized=True)
    assert sign_flip_test(untied) == pytest.approx(min(1.0, exact.pvalue), rel=1e-12)


@pytest.mark.parametrize("n", [1, 2, 7, 20, 39, 40])
def test_smallest_p_is_two_in_two_to_the_n(n: int) -> None:
    assert sign_flip_test(np.abs(differences(0, n)) + 0.01) == 2 / 2**n


def test_sign_flip_of_nothing_or_of_no_difference_shows_nothing() -> None:
    assert sign_flip_test(np.array([])) == 1
    assert sign_flip_test(np.zeros(20)) == 1


def test_sign_flip_ignores_sign_order_scale_and_zeros() -> None:
    sample = differences(3, 18, mean=0.8)
    p = sign_flip_test(sample)
    assert 0.001 < p < 0.5
    for same in (-sample, sample[::-1], 1e-9 * sample, 1e9 * sample, np.append(sample, [0, 0])):
        assert sign_flip_test(same) == p


def test_sign_flip_tells_a_tie_from_a_near_miss() -> None:
    assert sign_flip_test(np.array([2, -1, 1.0])) == 6 / 8
    assert sign_flip_test(np.array([2, -1, 1 + 1e-9])) == 4 / 8


def test_monte_carlo_beyond_forty_pairs_agrees_with_the_exact_test() -> None:
    sample = differences(4, 40, mean=0.3)
    drawn = sign_flip_test(np.append(sample, 0.0))  # a zero changes nothing but the method
    exact = sign_flip_test(sample)
    assert drawn != exact
    assert drawn == pytest.approx(exact, abs=5 * math.sqrt(exact / 100_000))
    assert sign_flip_test(np.append(sample, 0.0)) == drawn
    assert sign_flip_test(np.ones(60)) == 1 / 100_001


def test_sign_flip_refuses_infinite_differences() -> None:
    with pytest.raises(ValueError, match="signed_ranks"):
        sign_flip_test(np.array([1.0, math.inf]))


def test_signed_ranks_order_infinities_last_and_share_ties() -> None:
    sample = np.array([math.inf, -0.5, 0.0, 2.0, -math.inf, 0.5])
    assert signed_ranks(sample).tolist() == [5.5, -2.5, 0, 4, -5.5, 2.5]
    exact = stats.wilcoxon(sample, zero_method="pratt", method=stats.PermutationMethod(n_resamples=np.inf)).pvalue
    assert sign_flip_test(signed_ranks(sample)) == pytest.approx(min(1.0, exact), rel=1e-12)


@pytest.mark.parametrize(("n", "m"), [(1, 1), (2, 5), (4, 12), (6, 6)])
def test_rank_sum_distribution_equals_enumeration(n: int, m: int) -> None:
    sums = [sum(ranks) - n * (n - 1) // 2 for ranks in itertools.combinations(range(n + m), n)]
    expected = np.bincount(sums) / math.comb(n + m, n)
    assert rank_sum_distribution(n, m) == pytest.approx(expected, rel=1e-12)
    assert rank_sum_distribution(m, n) == pytest.approx(expected, rel=1e-12)


def test_rank_sum_test_of_separate_groups_has_the_smallest_p() -> None:
    assert rank_sum_test(np.arange(4.0), np.arange(10.0, 22)) == 2 / math.comb(16, 4)
    assert rank_sum_test(np.full(4, math.inf), np.arange(12.0)) == 2 / math.comb(16, 4)
    assert rank_sum_test(np.full(4, math.inf), np.arange(25.0)) == 2 / math.comb(29, 4)


def test_rank_sum_test_with_failures_equals_enumeration() -> None:
    pooled = np.array([math.inf, 3.0, math.inf, 1.0, 2.0, 4.0, math.inf, 2.0, 5.0])
    ranks = stats.rankdata(pooled)
    sums = np.array([ranks[list(places)].sum() for places in itertools.combinations(range(9), 3)])
    tails = (sums <= ranks[:3].sum()).mean(), (sums >= ranks[:3].sum()).mean()
    assert rank_sum_test(pooled[:3], pooled[3:]) == pytest.approx(min(1, 2 * min(tails)), rel=1e-12)


def test_rank_sum_test_of_too_many_runs_to_list_draws_the_same_divisions_each_time() -> None:
    generator = np.random.default_rng(0)
    first, second = generator.normal(0, 1, 20).round(1), generator.normal(0.5, 1, 20).round(1)
    drawn = rank_sum_test(first, second)
    assert 0.001 < drawn < 0.5
    assert drawn == rank_sum_test(first, second)
    assert drawn == pytest.approx(stats.mannwhitneyu(first, second, method="asymptotic").pvalue, abs=0.005)


def test_rank_sum_test_of_nothing_or_of_equal_runs_shows_nothing() -> None:
    assert rank_sum_test(np.array([]), np.arange(3.0)) == 1
    assert rank_sum_test(np.full(4, math.inf), np.full(5, math.inf)) == 1


@pytest.mark.parametrize(("first", "second"), [(0, 0), (10, 0), (2, 9), (4, 4)])
def test_discordance_test_is_mcnemars_exact_one(first: int, second: int) -> None:
    assert discordance_test(first, second) == pytest.approx(min(1, mcnemar([[5, first], [second, 7]]).pvalue))
    assert discordance_test(second, first) == discordance_test(first, second)
    assert discordance_test(10, 0) == pytest.approx(2 / 2**10)


def test_holm_adjusts_the_textbook_example_and_as_statsmodels() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    p = np.random.default_rng(0).uniform(0, 0.3, 12)
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1], rel=1e-12)
    assert holm([]).tolist() == []
    assert holm([0.7, 0.8]).tolist() == [1, 1]


def test_share_estimate_is_clopper_and_pearsons() -> None:
    none, some = share_estimate(0, 10, 0.95), share_estimate(3, 20, 0.9)
    assert (none.value, none.low) == (0, 0)
    assert none.high == pytest.approx(0.308497, abs=5e-7)
    assert (some.low, some.high) == pytest.approx((stats.beta.ppf(0.05, 3, 18), stats.beta.ppf(0.95, 4, 17)))
    assert (share_estimate(10, 10, 0.95).high, share_estimate(10, 10, 0.95).value) == (1, 1)


def test_mean_estimate_is_students_interval() -> None:
    estimate = mean_estimate(SLEEP, 0.95)
    low, high = stats.t.interval(0.95, 9, SLEEP.mean(), stats.sem(SLEEP))
    assert (estimate.value, estimate.low, estimate.high) == pytest.approx((SLEEP.mean(), low, high))
    # Duality with the paired t-tests: p is .00283289 for sleep, .0497029 for the maize.
    assert mean_estimate(SLEEP, 1 - 0.00283289).high == pytest.approx(0, abs=1e-6)
    assert mean_estimate(MAIZE, 1 - 0.0497029).low == pytest.approx(0, abs=1e-4)


def test_mean_estimate_of_one_value_has_no_bounds() -> None:
    one, none = mean_estimate(np.array([2.0]), 0.95), mean_estimate(np.array([]), 0.95)
    assert (one.value, one.low, one.high, one.confidence) == (2, -math.inf, math.inf, 1)
    assert math.isnan(none.value)
    assert (one.exp().low, one.exp().high) == (0, math.inf)
    far_apart = mean_estimate(np.array([0.0, 200.0]), 0.95).exp()
    assert (far_apart.low, far_apart.high) == (0, math.inf)


@pytest.mark.parametrize("mean", [-0.2, 0.0, 0.04, 0.3])
def test_equivalence_is_statsmodels_tost(mean: float) -> None:
    generator = np.random.default_rng(1)
    variant, against = np.exp(generator.normal(2 + mean, 0.1, 12)), np.exp(generator.normal(2, 0.1, 12))
    expected = ttost_paired(variant, against, 1 / 1.1, 1.1, transform=np.log)[0]
    assert equivalence_test(np.log(variant / against), 1.1) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("sign", [-1, 1])
def test_equivalence_with_the_margin_at_the_far_end_of_the_90_percent_interval_has_p_05(sign: int) -> None:
    interval = mean_estimate(sign * SLEEP, 0.90)
    margin = math.exp(max(abs(interval.low), abs(interval.high)))
    assert equivalence_test(sign * SLEEP, margin) == pytest.approx(0.05, rel=1e-9)


def test_equivalence_of_equal_differences_is_decided_by_the_mean_alone() -> None:
    assert equivalence_test(np.zeros(5), 1.1) == 0
    assert equivalence_test(np.full(4, 0.5), 1.1) == 1
    assert equivalence_test(np.array([0.0]), 1.1) == 1


@pytest.mark.parametrize("n", [1, 2, 6, 10, 15])
def test_signed_rank_distribution_equals_enumeration(n: int) -> None:
    subsets = itertools.product([0, 1], repeat=n)
    counts = np.bincount([np.dot(subset, range(1, n + 1)) for subset in subsets])
    assert signed_rank_distribution(n).tolist() == (counts / 2**n).tolist()


@pytest.mark.parametrize("n", [6, 9, 15, 20])
@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_hodges_lehmann_interval_holds_exactly_what_wilcoxon_does_not_reject(n: int, confidence: float) -> None:
    sample = differences(n, n)
    estimate = hodges_lehmann(sample, confidence)
    assert estimate.low < estimate.value < estimate.high
    for bound, inwards in ((estimate.low, 1e-9), (estimate.high, -1e-9)):
        inside = stats.wilcoxon(sample - (bound + inwards), method="exact").pvalue
        outside = stats.wilcoxon(sample - (bound - inwards), method="exact").pvalue
        assert outside <= 1 - confidence < inside
        assert estimate.confidence == pytest.approx(1 - outside)


def test_hodges_lehmann_of_darwins_maize() -> None:
    walsh = np.sort([(a + b) / 2 for a, b in itertools.combinations_with_replacement(MAIZE, 2)])
    estimate = hodges_lehmann(MAIZE, 0.95)
    assert estimate.value == (walsh[59] + walsh[60]) / 2
    assert (estimate.low, estimate.high) == (walsh[25], walsh[94])  # tables: W = 25 at 5 %, n = 15
    assert estimate.confidence == pytest.approx(0.952, abs=5e-4)


def test_hodges_lehmann_of_too_few_pairs_is_the_whole_line() -> None:
    five = hodges_lehmann(np.arange(5.0), 0.95)
    assert (five.value, five.low, five.high, five.confidence) == (2, -math.inf, math.inf, 1)
    six = hodges_lehmann(np.arange(6.0), 0.95)
    assert (six.low, six.high, six.confidence) == (0, 5, 1 - 2 / 64)
    assert math.isnan(hodges_lehmann(np.array([]), 0.95).value)


@pytest.mark.parametrize(("n", "m"), [(4, 12), (6, 9), (10, 10)])
def test_hodges_lehmann_shift_interval_holds_exactly_what_mann_and_whitney_do_not_reject(n: int, m: int) -> None:
    variant, against = differences(n, n), differences(m + 100, m)
    estimate = hodges_lehmann_shift(variant, against, 0.95)
    assert estimate.value == np.median(np.subtract.outer(variant, against))
    for bound, inwards in ((estimate.low, 1e-9), (estimate.high, -1e-9)):
        inside = stats.mannwhitneyu(variant - (bound + inwards), against, method="exact").pvalue
        outside = stats.mannwhitneyu(variant - (bound - inwards), against, method="exact").pvalue
        assert outside <= 0.05 < inside
        assert estimate.confidence == pytest.approx(1 - outside)


def test_hodges_lehmann_shift_of_too_few_runs_is_the_whole_line() -> None:
    few = hodges_lehmann_shift(np.arange(3.0), np.arange(3.0), 0.95)
    assert (few.value, few.low, few.high, few.confidence) == (0, -math.inf, math.inf, 1)
    enough = hodges_lehmann_shift(np.arange(3.0), np.arange(5.0), 0.95)
    assert (enough.low, enough.high, enough.confidence) == (-4, 2, pytest.approx(1 - 2 / math.comb(8, 3)))
    assert math.isnan(hodges_lehmann_shift(np.array([]), np.arange(5.0), 0.95).value)


def test_small_sample_correction_is_hedges_exact_one() -> None:
    assert small_sample_correction(9) == pytest.approx(0.9138749, abs=5e-8)
    assert small_sample_correction(2) == pytest.approx(1 / math.sqrt(math.pi))
    assert small_sample_correction(1000) == pytest.approx(1 - 3 / (4 * 1000 - 1), abs=1e-6)


def test_hedges_g_is_student_t_over_root_n_corrected() -> None:
    t = -4.062128
    assert hedges_g(SLEEP) == pytest.approx(t / math.sqrt(10) * 0.9138749, abs=1e-6)
    assert hedges_g(-SLEEP) == -hedges_g(SLEEP)


@pytest.mark.parametrize("sample", [[], [1.0], [1.0, 2.0], [0.5, 0.5, 0.5]])
def test_hedges_g_is_undefined_of_equal_differences_or_fewer_than_three(sample: list[float]) -> None:
    assert math.isnan(hedges_g(np.array(sample)))


def test_hedges_g_is_unbiased() -> None:
    generator = np.random.default_rng(0)
    values = [hedges_g(generator.normal(0.8, 1, 5)) for _ in range(4000)]
    assert np.mean(values) == pytest.approx(0.8, abs=4 * stats.sem(values))


def test_probability_of_improvement_is_cliffs_delta_on_another_scale() -> None:
    low, high = np.arange(1.0, 5), np.arange(2.0, 6)
    assert 1 - 2 * probability_of_improvement(low, high) == -0.4375
    assert probability_of_improvement(low, high) + probability_of_improvement(high, low) == 1
    mann_whitney = stats.mannwhitneyu(high, low).statistic / 16
    assert probability_of_improvement(low, high) == mann_whitney


def test_probability_of_improvement_counts_failures_as_worst() -> None:
    failed = np.array([math.inf, math.inf])
    assert probability_of_improvement(np.array([1.0, 9.0]), failed) == 1
    assert probability_of_improvement(failed, failed) == 0.5
    assert math.isnan(probability_of_improvement(np.array([]), failed))


@pytest.mark.parametrize(("effect", "pairs"), [(1, 10), (0.8, 15), (0.5, 34)])
def test_pairs_for_superiority(effect: float, pairs: int) -> None:
    assert pairs_for_superiority(effect, 0.05, 0.8) == pairs


@pytest.mark.parametrize(("margin_in_sd", "pairs"), [(1, 11), (0.75, 17), (0.5, 36)])
def test_pairs_for_equivalence(margin_in_sd: float, pairs: int) -> None:
    assert pairs_for_equivalence(1.1, math.log(1.1) / margin_in_sd, 0.05, 0.8) == pairs


def test_planned_power_is_met_and_one_pair_fewer_misses_it() -> None:
    generator = np.random.default_rng(0)
    trials, sd = 3000, math.log(1.1)
    n = pairs_for_equivalence(1.1, sd, 0.05, 0.8)
    for pairs, enough in ((n, True), (n - 1, False)):
        shown = sum(equivalence_test(generator.normal(0, sd, pairs), 1.1) <= 0.05 for _ in range(trials))
        bounds = stats.binomtest(shown, trials).proportion_ci(0.999, method="exact")
        assert bounds.high >= 0.8 if enough else bounds.low < 0.8


def test_a_large_effect_needs_two_pairs_and_none_at_all_is_an_error() -> None:
    assert pairs_for_superiority(50, 0.05, 0.8) == pairs_for_equivalence(2, 0.001, 0.05, 0.8) == 2
    with pytest.raises(ValueError, match="effect"):
        pairs_for_superiority(0, 0.05, 0.8)
    with pytest.raises(ValueError, match="margin"):
        pairs_for_equivalence(1, 0.1, 0.05, 0.8)


@pytest.mark.parametrize(("family", "pairs"), [(1, 6), (3, 7), (4, 8), (9, 9)])
def test_pairs_for_verdict_is_the_first_n_whose_smallest_p_survives_holm(family: int, pairs: int) -> None:
    assert pairs_for_verdict(family, 0.05) == pairs
    assert family * sign_flip_test(np.ones(pairs)) <= 0.05 < family * sign_flip_test(np.ones(pairs - 1))


def test_sign_flip_raises_false_alarms_as_often_as_it_says() -> None:
    generator = np.random.default_rng(0)
    alarms = sum(sign_flip_test(generator.standard_t(2, 8)) <= 0.05 for _ in range(2000))
    # Of 2^8 assignments 12 may count at 5 %: the attainable level is 12/256.
    bounds = stats.binomtest(alarms, 2000).proportion_ci(0.999, method="exact")
    assert bounds.low < 12 / 256 < bounds.high


def test_hodges_lehmann_mirrors_shifts_and_scales() -> None:
    sample = differences(8, 12)
    estimate, mirrored = hodges_lehmann(sample, 0.95), hodges_lehmann(-sample, 0.95)
    assert (mirrored.low, mirrored.value, mirrored.high) == pytest.approx(
        (-estimate.high, -estimate.value, -estimate.low)
    )
    moved = hodges_lehmann(3 * sample + 1, 0.95)
    assert (moved.low, moved.high) == pytest.approx((3 * estimate.low + 1, 3 * estimate.high + 1))


def test_hodges_lehmann_interval_covers_at_its_confidence() -> None:
    generator = np.random.default_rng(0)
    estimates = [hodges_lehmann(generator.standard_t(3, 10), 0.95) for _ in range(1000)]
    covered = sum(estimate.low < 0 < estimate.high for estimate in estimates)
    bounds = stats.binomtest(covered, 1000).proportion_ci(0.999, method="exact")
    assert bounds.low < estimates[0].confidence < bounds.high
