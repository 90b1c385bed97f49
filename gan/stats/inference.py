"""Statistics over seeds, paired or not: tests, effects with their intervals, and the seeds that a test needs.

Differences are of the logarithm of a positive metric, so an effect is a ratio.
"""

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import permutations, product

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats
from statsmodels.stats.power import TTestPower
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

Floats = NDArray[np.float64]

EXACT_PAIRS = 40  # half of them make 2^20 sums: under a second
MONTE_CARLO_BATCHES, MONTE_CARLO_BATCH = 100, 1000
PERMUTATIONS = 99_999  # enough to list all of 4 against 38 runs
BLOCK_PERMUTATIONS = 9_999
ROUNDING = 1e-12  # of the sum of magnitudes: sums closer than this are equal on paper


@dataclass(frozen=True)
class Estimate:
    """A value and its interval at the confidence achieved; NaN and infinite where the sample is too small."""

    value: float
    low: float
    high: float
    confidence: float

    def exp(self) -> "Estimate":
        """From the logarithmic scale to ratios."""
        with np.errstate(over="ignore"):  # two runs far apart have an interval beyond the largest float
            value, low, high = np.exp([self.value, self.low, self.high]).tolist()
        return Estimate(value, low, high, self.confidence)


def sign_flip_test(differences: Floats) -> float:
    """Two-sided p of the paired sign-flip test on the mean of `differences` `[pair]` (Fisher 1935, §21).

    The share of all 2^n sign assignments whose mean is at least as far from 0 as the observed one: 2/2^n or
    more. Exact up to `EXACT_PAIRS` pairs by meeting in the middle: the sums of each half are listed once and
    matched by bisection (Horowitz & Sahni 1974). Beyond, (k + 1)/(N + 1) over N assignments, a fixed draw.

    Raises:
        ValueError: a difference is not finite; rank those first (`signed_ranks`).
    """
    if not np.isfinite(differences).all():
        raise ValueError("sign_flip_test needs finite differences; take signed_ranks of these first")
    magnitudes = np.sort(np.abs(differences))
    least = abs(differences.sum()) - ROUNDING * magnitudes.sum()
    n = len(magnitudes)
    if n > EXACT_PAIRS:
        generator = np.random.default_rng(0)
        draws = (generator.choice([-1.0, 1.0], (MONTE_CARLO_BATCH, n)) for _ in range(MONTE_CARLO_BATCHES))
        reached = sum(np.count_nonzero(np.abs(signs @ magnitudes) >= least) for signs in draws)
        return (reached + 1) / (MONTE_CARLO_BATCHES * MONTE_CARLO_BATCH + 1)
    lower, upper = np.sort(_signed_sums(magnitudes[: n // 2])), np.sort(_signed_sums(magnitudes[n // 2 :]))
    reached = (len(lower) - np.searchsorted(lower, least - upper)).sum()
    return min(1.0, 2 * int(reached) / 2**n)


def _signed_sums(magnitudes: Floats) -> Floats:
    """All 2^n sums of ± each of the n magnitudes."""
    sums = np.zeros(1)
    for magnitude in magnitudes:
        sums = np.concatenate([sums - magnitude, sums + magnitude])
    return sums


def signed_ranks(differences: Floats) -> Floats:
    """Ranks of |difference| `[pair]`, ties averaged, with the difference's sign; zeros give 0 (Pratt 1959).

    Ranks need only an order, so infinite differences have theirs. The sign-flip test on them is Wilcoxon's.
    """
    return np.sign(differences) * stats.rankdata(np.abs(differences))


def rank_sum_test(variant: Floats, against: Floats) -> float:
    """Two-sided p of Mann and Whitney's test (1947) on `variant` `[run]` and `against` `[run]`, infinite ones last.

    Exact: the share of all divisions of the runs into two such groups. Where values tie, as failures do, the
    divisions are listed, and of more than `PERMUTATIONS` as many are drawn, always the same. An empty group: 1.
    """
    if not (len(variant) and len(against)):
        return 1.0
    pooled = np.concatenate([variant, against])
    for alone in (group[0] for group in (variant, against) if len(group) == 1):  # scipy lists no ties of one run
        return min(1.0, 2 * float(min((pooled <= alone).mean(), (pooled >= alone).mean())))
    tied = len(np.unique(pooled)) < len(pooled)
    listed = stats.PermutationMethod(n_resamples=PERMUTATIONS, batch=10_000, rng=np.random.default_rng(0))
    return min(1.0, float(stats.mannwhitneyu(variant, against, method=listed if tied else "exact").pvalue))


def blocks_test(scores: Floats) -> float:
    """p of whether forms differ, from `scores` `[block, form]` (Fisher 1935): permutations within blocks.

    The statistic is the sum of squares between the forms' means. All permutations if they are fewer than
    `BLOCK_PERMUTATIONS`, else so many, always the same ones. Fewer than two blocks or forms show nothing: 1.
    """
    if min(scores.shape) < 2:
        return 1.0
    centred = scores - scores.mean(1, keepdims=True)  # loses no digits, and equal scores give equal statistics
    arrangements, exact = block_arrangements(*scores.shape)
    sums = np.take_along_axis(centred[None], arrangements, 2).sum(1)
    least = np.square(centred.sum(0)).sum() - ROUNDING * np.square(centred).sum()
    reached = int((np.square(sums).sum(1) >= least).sum())
    return reached / len(sums) if exact else (reached + 1) / (len(sums) + 1)


@cache
def block_arrangements(blocks: int, forms: int) -> tuple[NDArray[np.int64], bool]:
    """Orders of the forms within each block, `[arrangement, block, form]`, and whether these are all that there are."""
    orders = np.array(list(permutations(range(forms))))
    count = len(orders) ** blocks
    if count <= BLOCK_PERMUTATIONS:
        places = np.array(list(product(range(len(orders)), repeat=blocks)))
    else:  # to draw them anew for each of thousands of simulated studies would take minutes
        places = np.random.default_rng(0).integers(len(orders), size=(BLOCK_PERMUTATIONS, blocks))
    return orders[places], count <= BLOCK_PERMUTATIONS


def discordance_test(first: int, second: int) -> float:
    """Two-sided p of McNemar's exact test (1947), from the pairs in which only the first or only the second failed."""
    return float(stats.binomtest(first, first + second).pvalue) if first + second else 1.0


def holm(p: Sequence[float]) -> Floats:
    """Adjusted p of Holm's step-down procedure (1979), in the order given.

    statsmodels' multipletests gives the same numbers, but forces a garbage collection at every call: 60 ms.
    """
    order = np.argsort(p)
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(1, np.maximum.accumulate(np.asarray(p)[order] * np.arange(len(p), 0, -1)))
    return adjusted


def equivalence_test(log_differences: Floats, margin: float) -> float:
    """p of the paired TOST (Schuirmann 1987): is the mean ratio within 1/margin … margin?

    The larger p of the two one-sided t-tests is the one at the nearer margin. One pair shows nothing: 1.
    """
    if len(log_differences) < 2:
        return 1.0
    mean, error = _mean_and_error(log_differences)
    distance = math.log(margin) - abs(mean)
    if error == 0:
        return 0.0 if distance > 0 else 1.0
    return float(stats.t.sf(distance / error, len(log_differences) - 1))


def unpaired_equivalence_test(logs: Floats, others: Floats, margin: float) -> float:
    """p of Welch's TOST on two samples of logarithms, `[run]` each: is the mean ratio within 1/margin … margin?

    Fewer than two runs of one sample show nothing: 1.
    """
    if min(len(logs), len(others)) < 2:
        return 1.0
    reach = math.log(margin)
    return float(_means(logs, others).ttost_ind(-reach, reach, usevar="unequal")[0])


def unpaired_mean_estimate(logs: Floats, others: Floats, confidence: float) -> Estimate:
    """Difference of the means of two samples, `[run]` each, with Welch's interval (1947)."""
    difference = float(logs.mean() - others.mean()) if len(logs) and len(others) else math.nan
    if min(len(logs), len(others)) < 2:
        return Estimate(difference, -math.inf, math.inf, 1.0)
    low, high = _means(logs, others).tconfint_diff(1 - confidence, usevar="unequal")
    return Estimate(difference, float(low), float(high), confidence)


def _means(logs: Floats, others: Floats) -> CompareMeans:
    return CompareMeans(DescrStatsW(logs), DescrStatsW(others))


def mean_estimate(values: Floats, confidence: float) -> Estimate:
    """Mean of `values` `[pair or run]` with Student's t interval."""
    if len(values) < 2:
        return Estimate(float(values[0]) if len(values) else math.nan, -math.inf, math.inf, 1.0)
    mean, error = _mean_and_error(values)
    reach = float(stats.t.ppf((1 + confidence) / 2, len(values) - 1)) * error
    return Estimate(mean, mean - reach, mean + reach, confidence)


def _mean_and_error(values: Floats) -> tuple[float, float]:
    return float(values.mean()), float(values.std(ddof=1)) / math.sqrt(len(values))


def hodges_lehmann(differences: Floats, confidence: float) -> Estimate:
    """Median of the Walsh averages of `differences` `[pair]` (1963), with the exact signed-rank interval.

    The interval is the narrowest between two ordered Walsh averages with at least `confidence` (Hollander &
    Wolfe 1999, §3.3). Fewer than 1 − log2(1 − confidence) pairs leave none but the whole line.
    """
    first, second = np.triu_indices(len(differences))
    walsh = (differences[first] + differences[second]) / 2
    return _median_estimate(walsh, signed_rank_distribution(len(differences)), confidence)


def hodges_lehmann_shift(variant: Floats, against: Floats, confidence: float) -> Estimate:
    """Median of all differences `variant` `[run]` − `against` `[run]` (1963), with the exact rank-sum interval.

    The interval is found as that of `hodges_lehmann` (Hollander & Wolfe 1999, §4.3).
    """
    differences = np.subtract.outer(variant, against).ravel()
    return _median_estimate(differences, rank_sum_distribution(len(variant), len(against)), confidence)


def _median_estimate(values: Floats, distribution: Floats, confidence: float) -> Estimate:
    """Median of `values`, between two of them; `distribution` is that of how many lie below the truth."""
    if not len(values):
        return Estimate(math.nan, -math.inf, math.inf, 1.0)
    ordered, below = np.sort(values), np.cumsum(distribution)
    median = float(np.median(ordered))
    cut = int(np.searchsorted(2 * below, 1 - confidence, side="right"))
    if cut == 0:
        return Estimate(median, -math.inf, math.inf, 1.0)
    return Estimate(median, float(ordered[cut - 1]), float(ordered[-cut]), float(1 - 2 * below[cut - 1]))


@cache
def signed_rank_distribution(n: int) -> Floats:
    """P(T = t) of Wilcoxon's signed-rank sum of n untied pairs under the null, t = 0 … n(n + 1)/2."""
    probability = np.ones(1)
    for rank in range(1, n + 1):
        probability = (np.pad(probability, (0, rank)) + np.pad(probability, (rank, 0))) / 2
    return probability


@cache
def rank_sum_distribution(n: int, m: int) -> Floats:
    """P(U = u) of Mann and Whitney's U of n and m untied runs under the null, u = 0 … nm (their recursion, 1947)."""
    if not (n and m):
        return np.ones(1)
    last_is_first, last_is_second = rank_sum_distribution(n - 1, m), rank_sum_distribution(n, m - 1)
    return (n * np.pad(last_is_first, (m, 0)) + m * np.pad(last_is_second, (0, n))) / (n + m)


def share_estimate(count: int, total: int, confidence: float) -> Estimate:
    """`count` of `total` as a share, with the interval of Clopper and Pearson (1934)."""
    interval = stats.binomtest(count, total).proportion_ci(confidence, method="exact")
    return Estimate(count / total, float(interval.low), float(interval.high), confidence)


def hedges_g(differences: Floats) -> float:
    """Mean/SD of paired `differences` `[pair]`, freed of bias; NaN for fewer than 3 pairs or if all are equal."""
    n = len(differences)
    if n < 3 or (sd := float(differences.std(ddof=1))) == 0:
        return math.nan
    return float(differences.mean()) / sd * small_sample_correction(n - 1)


def small_sample_correction(freedom: int) -> float:
    """Hedges' exact J(m) = Γ(m/2) / (√(m/2) Γ((m − 1)/2)) for m ≥ 2 degrees of freedom (Hedges 1981)."""
    return math.exp(math.lgamma(freedom / 2) - math.lgamma((freedom - 1) / 2)) / math.sqrt(freedom / 2)


def probability_of_improvement(variant: Floats, against: Floats) -> float:
    """P(a run of `variant` is below one of `against`), both `[run]`, ties half (Agarwal et al. 2021)."""
    if not (len(variant) and len(against)):
        return math.nan
    return float(((variant[:, None] < against) + 0.5 * (variant[:, None] == against)).mean())


def improvement_estimate(variant: Floats, against: Floats, confidence: float) -> Estimate:
    """`probability_of_improvement` with an interval that never leaves 0 … 1 (Newcombe 2006, part 2, method 5).

    Its ends are the θ whose distance from the estimate is z standard errors, those of Hanley and McNeil (1982) at θ,
    with the mean of both samples' sizes for each. It takes the two samples as independent.
    """
    value = probability_of_improvement(variant, against)
    if math.isnan(value):
        return Estimate(value, 0.0, 1.0, 1.0)
    runs, pairs = (len(variant) + len(against)) / 2, len(variant) * len(against)
    z = float(stats.norm.ppf((1 + confidence) / 2))

    def low_end(value: float) -> float:
        def excess(theta: float) -> float:
            dependence = (runs - 1) * ((1 - theta) / (2 - theta) + theta / (1 + theta))
            return (theta - value) ** 2 - z**2 * theta * (1 - theta) * (1 + dependence) / pairs

        return float(optimize.brentq(excess, 0, math.nextafter(value, 0))) if value > 0 else 0.0

    return Estimate(value, low_end(value), 1 - low_end(1 - value), confidence)


def pairs_for_superiority(effect: float, alpha: float, power: float) -> int:
    """Pairs with which a two-sided paired t-test detects mean/SD = `effect`; a sign-flip test needs about as many."""
    if not effect > 0:
        raise ValueError(f"effect must be positive, not {effect}")
    test = TTestPower()
    return _fewest(lambda n: float(test.power(effect, n, alpha, alternative="two-sided")), power)


def pairs_for_equivalence(margin: float, sd: float, alpha: float, power: float) -> int:
    """Pairs for a paired TOST to show that two equal variants agree within the ratio `margin`.

    `sd` is that of the log differences. The power is exact: the probability that the mean falls within
    ln margin − t s/√n of 0, averaged over the sample's standard deviation s (Phillips 1990).
    """
    if not (margin > 1 and sd > 0):
        raise ValueError(f"margin must exceed 1 and sd 0, not {margin} and {sd}")
    quantiles = (np.arange(1000) + 0.5) / 1000

    def power_of(n: int) -> float:
        deviations = np.sqrt(stats.chi2.ppf(quantiles, n - 1) / (n - 1))
        reach = math.sqrt(n) * math.log(margin) / sd - stats.t.ppf(1 - alpha, n - 1) * deviations
        return float(np.maximum(0, 2 * stats.norm.cdf(reach) - 1).mean())

    return _fewest(power_of, power)


def _fewest(power_of: Callable[[int], float], power: float) -> int:
    """Smallest number of pairs that reaches `power`, which grows with their number."""
    enough = 2
    while power_of(enough) < power:
        enough *= 2
    return bisect_left(range(enough), power, lo=2, key=power_of)


def pairs_for_verdict(family: int, alpha: float) -> int:
    """Fewest pairs whose smallest sign-flip p, 2/2^n, survives Holm's factor for a family of that many tests.

    Equivalence needs the same number: on fewer pairs a t-test rests on normality that nobody can check.
    """
    return math.ceil(math.log2(2 * family / alpha))
