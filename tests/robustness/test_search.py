"""The statistics of the paired search, on planted runs."""

from itertools import combinations, product
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.weightstats import ttost_ind

from gan.robustness.search import (
    Pairs,
    best_configuration,
    best_of_k,
    cells,
    chosen_configurations,
    decide,
    lowest_weights,
    pairs_of,
    tuned,
    tuned_contrast,
)
from gan.study.schema import Compare, Study

RULE = SimpleNamespace(coverage=0.01, digits=2, epochs=20)


def table(fids: list[float], learns: list[bool] | None = None, **columns: object) -> pd.DataFrame:
    """Runs of configurations 0, 1, …; NaN diverged."""
    learns = learns or [True] * len(fids)
    rows = {
        "configuration": range(len(fids)),
        "seed": range(len(fids)),
        "epoch": 2,
        "status": ["failed" if np.isnan(fid) else "finished" for fid in fids],
        "fid": fids,
        "coverage": [0.1 if each else 0.0 for each in learns],
        "digits": [10 if each else 1 for each in learns],
    }
    return pd.DataFrame({**rows, **columns})


@pytest.fixture
def compare(study: Study) -> Compare:
    return study.compare


def pairs(
    metric: list[float],
    other: list[float],
    learns: list[bool] | None = None,
    other_learns: list[bool] | None = None,
    finals: tuple[list[float], list[float]] = ([1.0, 1.1, 0.9], [1.0, 1.1, 0.9]),
) -> Pairs:
    everywhere = [True] * len(metric)
    return Pairs(
        np.array(learns or everywhere),
        np.array(other_learns or everywhere),
        np.array(metric),
        np.array(other),
        *(np.array(runs) for runs in finals),
    )


def test_who_alone_learns_wins_whatever_the_metric(compare: Compare) -> None:
    wins, learning, _ = decide(
        pairs([9.0, 9.0, 1.0, 2.0], [1.0, 1.0, 2.0, 1.0], [True, False, True, False], [False, True, True, False]),
        compare,
        0.75,
    )
    assert (wins.wins, wins.losses, wins.neither) == (2, 1, 1)
    assert wins.share == pytest.approx(2 / 3)
    assert wins.share_by_metric == 0.25
    assert (learning.variant, learning.against, learning.variant_alone, learning.against_alone) == (2, 2, 1, 1)


def test_the_sign_test_and_mcnemars_are_scipys(compare: Compare) -> None:
    n, lost = 30, 6
    metric, other = [2.0] * lost + [1.0] * (n - lost), [1.5] * n
    learns, other_learns = [True] * n, [True] * (n - 8) + [False] * 8
    wins, learning, _ = decide(pairs(metric, other, learns, other_learns), compare, 0.75)
    assert (wins.wins, wins.losses) == (n - lost, lost)
    assert wins.p == pytest.approx(stats.binomtest(n - lost, n).pvalue)
    assert learning.p == pytest.approx(stats.binomtest(0, 8).pvalue)
    assert wins.verdict == "better"
    assert learning.verdict == "fails less"


@pytest.mark.parametrize(
    ("won", "n", "verdict"),
    [
        (28, 30, "better"),
        (2, 30, "worse"),
        (16, 30, "undecided"),
        (66, 90, "detected, not meaningful"),
        (24, 90, "detected, not meaningful"),
    ],
)
def test_a_difference_must_matter(compare: Compare, won: int, n: int, verdict: str) -> None:
    wins, *_ = decide(pairs([1.0] * won + [2.0] * (n - won), [1.5] * n), compare, 0.75)
    assert wins.verdict == verdict


def test_swapping_the_objectives_swaps_the_verdicts(compare: Compare) -> None:
    random = np.random.default_rng(0)
    metric, other = random.uniform(1, 2, 40), random.uniform(1.4, 2.6, 40)
    learns, other_learns = metric < 1.9, other < 2.0
    finals = random.lognormal(0, 0.05, 10), random.lognormal(0.5, 0.05, 10)
    there = decide(Pairs(learns, other_learns, metric, other, *finals), compare, 0.75)
    back = decide(Pairs(other_learns, learns, other, metric, *reversed(finals)), compare, 0.75)
    assert [each.verdict for each in there] == ["better", "fails less", "better"]
    assert [each.verdict for each in back] == ["worse", "fails more", "worse"]
    assert [each.p_adjusted for each in there] == pytest.approx([each.p_adjusted for each in back])


def test_the_family_of_three_is_holms(compare: Compare) -> None:
    random = np.random.default_rng(1)
    decided = decide(
        Pairs(
            random.random(40) < 0.8,
            random.random(40) < 0.5,
            random.uniform(1, 2, 40),
            random.uniform(1, 2, 40),
            random.lognormal(0, 0.1, 10),
            random.lognormal(0.1, 0.1, 10),
        ),
        compare,
        0.75,
    )
    oracle = multipletests([each.p for each in decided], method="holm")[1]
    assert [each.p_adjusted for each in decided] == pytest.approx(oracle)


def test_tuned_runs_are_better_equivalent_or_neither(compare: Compare) -> None:
    random = np.random.default_rng(2)
    runs = random.lognormal(0, 0.03, 10)
    alike, apart = random.lognormal(0, 0.03, 10), random.lognormal(0.4, 0.03, 10)
    enough = pairs([1.0] * 5, [1.0] * 5)
    for other, verdict in ((alike, "equivalent"), (apart, "better"), (runs * 1.0, "equivalent")):
        both = Pairs(enough.learns, enough.other_learns, enough.metric, enough.other_metric, runs, other)
        assert decide(both, compare, 0.75)[2].verdict == verdict
    noisy = random.lognormal(0, 0.5, 10), random.lognormal(0, 0.5, 10)
    contrast = tuned_contrast(*noisy, compare)
    oracle = ttost_ind(*map(np.log, noisy), -np.log(compare.margin), np.log(compare.margin), usevar="unequal")[0]
    assert contrast.p_equivalence == pytest.approx(oracle)
    assert contrast.p_difference == pytest.approx(stats.mannwhitneyu(*noisy, method="exact").pvalue)
    assert contrast.p == min(contrast.p_difference, contrast.p_equivalence)


def test_unequal_failures_void_an_equivalence(compare: Compare) -> None:
    runs = np.array([1.0, 1.01, 0.99, 1.0, 1.02])
    failed = np.array([1.0, 1.01, 0.99, 1.0, np.inf])
    assert tuned_contrast(runs, runs, compare).p_equivalence < 0.01
    contrast = tuned_contrast(runs, failed, compare)
    assert contrast.p_equivalence == 1.0
    assert contrast.failed == {"variant": 0, "against": 1}


def test_runs_that_failed_are_chosen_last() -> None:
    runs = table([3.0, np.nan, 2.0, 1.0])
    assert chosen_configurations(runs, RULE, 3) == [3, 2, 0]
    collapsed = table([3.0, np.nan, 2.0, 1.0]).assign(digits=[10, 10, 10, 1])
    assert chosen_configurations(collapsed, RULE, 3) == [2, 0, 1]


def test_the_best_configuration_fails_least_then_scores_best() -> None:
    runs = table([1.0, np.nan, 2.0, 2.0, 3.0, 1.0]).assign(configuration=[5, 5, 7, 7, 9, 9])
    assert best_configuration(runs, RULE) == 9  # √3 beats 2; the lone 1 of a configuration that diverges doesn't count
    shuffled = runs.sample(frac=1, random_state=0)
    assert best_configuration(shuffled, RULE) == 9


def test_pairs_are_made_by_configuration_whatever_the_order(study: Study) -> None:
    first, other = table([1.0, 2.0, 3.0]), table([30.0, 10.0, 20.0]).assign(configuration=[2, 0, 1])
    made = pairs_of(first, other, first, other, RULE)
    assert made.metric.tolist() == [1.0, 2.0, 3.0]
    assert made.other_metric.tolist() == [10.0, 20.0, 30.0]


@pytest.mark.parametrize(("n", "k"), product((4, 7), (1, 2, 3)))
def test_the_expected_best_is_the_mean_over_all_subsets(n: int, k: int) -> None:
    values = np.sort(np.random.default_rng(n).uniform(size=n))
    expected = np.mean([min(subset) for subset in combinations(values, k)])
    assert values @ lowest_weights(n, np.array([k])) == pytest.approx([expected])
    assert lowest_weights(n, np.array([k])).sum(0) == pytest.approx([1.0])


def test_the_curve_falls_inside_its_band() -> None:
    curve = best_of_k(np.random.default_rng(0).uniform(1, 10, 48), 500, 0.95)
    assert curve.k == list(range(1, 13))
    assert curve.expected == sorted(curve.expected, reverse=True)
    assert all(
        low <= expected <= high for low, expected, high in zip(curve.low, curve.expected, curve.high, strict=True)
    )


def test_the_map_counts_every_configuration_once(study: Study) -> None:
    search = study.search
    settings = pd.DataFrame(search.configurations).assign(configuration=range(1, search.points + 1))
    learns = settings["beta1"] == 0.5
    mapped = cells(settings, learns, search)
    assert sum(cell.n for cell in mapped) == search.points
    assert sum(cell.learnt for cell in mapped) == learns.sum()
    for cell in mapped:
        inside = settings["rate_ratio"].between(cell.ratio_low, cell.ratio_high) & (settings["beta1"] == cell.beta1)
        assert cell.n == inside.sum()
        assert cell.learnt == (cell.n if cell.beta1 == 0.5 else 0)


def test_one_run_has_a_mean_and_no_interval(compare: Compare, study: Study) -> None:
    search = study.search
    last = table([4.0], [True]).assign(**search.configurations[0])
    described = tuned(last, compare)
    assert described.mean == pytest.approx(4.0)
    assert (described.low, described.high) == (None, None)
