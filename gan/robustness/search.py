"""The paired search: which configurations are best, and what they say of two objectives and of each.

Tables have a row per run: `configuration`, the settings, `seed`, `epoch`, `status` and the scores. Runs of one
configuration under two objectives are a pair: same settings, same seed. A run has failed if it diverged or collapsed
onto few digits (`gan.compute.tables.states`); one that does not learn yet has not.
"""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats
from scipy.special import gammaln
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

from gan.compute.tables import FAILURES, Learnt, states
from gan.records.robustness import (
    BestOfK,
    Cell,
    Learning,
    PairedSearch,
    Searched,
    SearchRecord,
    Tuned,
    TunedContrast,
    Wins,
)
from gan.stats.comparison import bounds, number
from gan.stats.inference import (
    Floats,
    discordance_test,
    holm,
    mean_estimate,
    probability_of_improvement,
    rank_sum_test,
    share_estimate,
)
from gan.study.designs import PRINTED, SPACE, Logarithmic, Search
from gan.study.schema import Compare

BANDS = 3  # of the ratio of rates, in the map
FEW = 4  # of so many configurations the best of more than one can be expected without bias: k up to N / 4


def chosen_configurations(table: pd.DataFrame, learnt: Learnt, count: int) -> list[int]:
    """The `count` best configurations of a search's first runs: by FID, runs that failed last."""
    ranked = table["fid"].astype(float).mask(states(table, learnt).isin(FAILURES), np.inf)
    best = ranked.sort_values(kind="stable").index[:count]
    return table.loc[best, "configuration"].astype(int).tolist()


def best_configuration(table: pd.DataFrame, learnt: Learnt) -> int:
    """The best of the chosen configurations: fewest failures, then the lowest geometric mean FID of the others."""
    lost = states(table, learnt).isin(FAILURES)
    logs = table["fid"].astype(float).map(math.log).where(~lost)
    by_configuration = pd.DataFrame({"lost": lost, "log": logs}).groupby(table["configuration"])
    order = by_configuration.agg({"lost": "sum", "log": "mean"}).sort_values(["lost", "log"], kind="stable")
    return int(order.index[0])


def searched(
    search: Search,
    compare: Compare,
    reference: str,
    data: str,
    mean_image: float,
    first: Mapping[str, pd.DataFrame],
    finals: Mapping[str, pd.DataFrame],
) -> SearchRecord:
    """All that the search says; `first` and `finals` have each objective's tables.

    `reference` is the objective that is compared with every other one; `mean_image` is the metric of the mean image.
    """
    last = {name: table[table["role"] == "final"] for name, table in finals.items()}
    others = [search.against, *(name for name in search.objectives if name not in (reference, search.against))]
    return SearchRecord(
        data=data,
        metric=compare.metric,
        alpha=compare.alpha,
        margin=compare.margin,
        meaningful=search.meaningful,
        epochs=search.epochs,
        mean_image=mean_image,
        objectives={name: describe(first[name], last[name], search, compare, mean_image) for name in search.objectives},
        pairs=[
            PairedSearch(
                reference,
                other,
                other == search.against,
                *decide(
                    pairs_of(first[reference], first[other], last[reference], last[other], compare.learnt),
                    compare,
                    search.meaningful,
                ),
            )
            for other in others
        ],
    )


@dataclass(frozen=True)
class Pairs:
    """Two objectives' runs. Of the configurations, `[pair]`: whether each run learns, and its metric, lower is better.

    Of the final seeds, `[run]`: the metric. It is infinite where a run diverged, and there also where it failed.
    """

    learns: NDArray[np.bool_]
    other_learns: NDArray[np.bool_]
    metric: Floats
    other_metric: Floats
    final: Floats
    other_final: Floats


def pairs_of(
    first: pd.DataFrame, other: pd.DataFrame, last: pd.DataFrame, other_last: pd.DataFrame, learnt: Learnt
) -> Pairs:
    """From the tables of two objectives: those of the configurations and those of the final seeds."""
    first, other = (table.set_index("configuration") for table in (first, other))
    shared = first.index.intersection(other.index)
    first, other = first.loc[shared], other.loc[shared]

    def metric(table: pd.DataFrame) -> Floats:
        return np.asarray(table["fid"].astype(float).fillna(np.inf))

    def final(table: pd.DataFrame) -> Floats:
        return np.asarray(table["fid"].astype(float).mask(states(table, learnt).isin(FAILURES), np.inf))

    learns, other_learns = ((states(table, learnt) == "learnt").to_numpy() for table in (first, other))
    return Pairs(learns, other_learns, metric(first), metric(other), final(last), final(other_last))


def decide(pairs: Pairs, compare: Compare, meaningful: float) -> tuple[Wins, Learning, TunedContrast]:
    """S1 to S3, a family under Holm's correction."""
    alpha = compare.alpha
    wins = _wins(pairs, 1 - alpha)
    learning = _learning(pairs.learns, pairs.other_learns)
    tuned = tuned_contrast(pairs.final, pairs.other_final, compare)
    of_wins, of_learning, of_tuned = holm([wins.p, learning.p, tuned.p]).tolist()
    return (
        replace(wins, p_adjusted=of_wins, verdict=_wins_verdict(wins, of_wins, alpha, meaningful)),
        replace(learning, p_adjusted=of_learning, verdict=_learning_verdict(learning, of_learning, alpha)),
        replace(tuned, p_adjusted=of_tuned, verdict=_tuned_verdict(tuned, of_tuned, alpha)),
    )


def _wins(pairs: Pairs, confidence: float) -> Wins:
    learns, other_learns, metric, other = pairs.learns, pairs.other_learns, pairs.metric, pairs.other_metric
    both = learns & other_learns
    won = int(((learns & ~other_learns) | (both & (metric < other))).sum())
    lost = int(((other_learns & ~learns) | (both & (metric > other))).sum())
    decided = won + lost
    share = share_estimate(won, decided, confidence) if decided else None
    return Wins(
        wins=won,
        losses=lost,
        neither=len(learns) - decided,
        share=share.value if share else None,
        low=share.low if share else None,
        high=share.high if share else None,
        share_by_metric=float(((metric < other) + 0.5 * (metric == other)).mean()),
        p=float(stats.binomtest(won, decided).pvalue) if decided else 1.0,
        p_adjusted=1.0,
        verdict="undecided",
    )


def _wins_verdict(
    wins: Wins, p: float, alpha: float, meaningful: float
) -> Literal["better", "worse", "detected, not meaningful", "undecided"]:
    """Meaningful (Bouthillier et al. 2021): a share of at least `meaningful` with its interval above one half."""
    if p > alpha or wins.share is None or wins.low is None or wins.high is None:
        return "undecided"
    if wins.share >= meaningful and wins.low > 0.5:
        return "better"
    if wins.share <= 1 - meaningful and wins.high < 0.5:
        return "worse"
    return "detected, not meaningful"


def _learning(learns: np.ndarray, other_learns: np.ndarray) -> Learning:
    alone, other_alone = int((~learns & other_learns).sum()), int((~other_learns & learns).sum())
    return Learning(
        n=len(learns),
        variant=int((~learns).sum()),
        against=int((~other_learns).sum()),
        variant_alone=alone,
        against_alone=other_alone,
        p=discordance_test(alone, other_alone),
        p_adjusted=1.0,
        verdict="undecided",
    )


def _learning_verdict(learning: Learning, p: float, alpha: float) -> Literal["fails less", "fails more", "undecided"]:
    if p > alpha:
        return "undecided"
    return "fails less" if learning.variant_alone < learning.against_alone else "fails more"


def tuned_contrast(variant: Floats, against: Floats, compare: Compare) -> TunedContrast:
    """S3 of two samples of the metric, `[run]`, infinite where a run failed; not yet adjusted."""
    first, second = (np.log(runs[np.isfinite(runs)]) for runs in (variant, against))
    failures = {"variant": int(np.isinf(variant).sum()), "against": int(np.isinf(against).sum())}
    ratio = low = high = None
    p_equivalence = 1.0
    if min(len(first), len(second)) > 1:
        means = CompareMeans(DescrStatsW(first), DescrStatsW(second))
        ends = means.tconfint_diff(compare.alpha, usevar="unequal")
        ratio, low, high = (math.exp(value) for value in (first.mean() - second.mean(), *ends))
        if failures["variant"] == failures["against"]:  # the survivors alone can't show that two are equivalent
            reach = math.log(compare.margin)
            p_equivalence = float(means.ttost_ind(-reach, reach, usevar="unequal")[0])
    p_difference = rank_sum_test(variant, against)
    return TunedContrast(
        variant=len(variant),
        against=len(against),
        failed=failures,
        ratio=ratio,
        low=low,
        high=high,
        improvement=probability_of_improvement(variant, against),
        p_difference=p_difference,
        p_equivalence=p_equivalence,
        p=min(p_difference, p_equivalence),
        p_adjusted=1.0,
        verdict="undecided",
    )


def _tuned_verdict(
    tuned: TunedContrast, p: float, alpha: float
) -> Literal["better", "worse", "equivalent", "undecided"]:
    if p > alpha:
        return "undecided"
    if tuned.p_equivalence <= tuned.p_difference:
        return "equivalent"
    return "better" if tuned.improvement > 0.5 else "worse"


def describe(first: pd.DataFrame, last: pd.DataFrame, search: Search, compare: Compare, mean_image: float) -> Searched:
    """What the search says of one objective."""
    state = states(first, compare.learnt)
    learns = state == "learnt"
    share = share_estimate(int(learns.sum()), len(first), 1 - compare.alpha)
    values = np.asarray(first["fid"].astype(float).where(learns, mean_image))
    return Searched(
        configurations=len(first),
        states=dict(Counter(state.tolist())),
        learnt=int(learns.sum()),
        share=share.value,
        low=share.low,
        high=share.high,
        printed_state=str(state[first["configuration"] == PRINTED].iloc[0]),
        best_of_k=best_of_k(values, search.resamples, 1 - compare.alpha),
        map=cells(first, learns, search),
        tuned=tuned(last, compare),
    )


def tuned(last: pd.DataFrame, compare: Compare) -> Tuned:
    """The runs of an objective's best configuration on the final seeds."""
    state = states(last, compare.learnt)
    kept = ~state.isin(FAILURES)
    row = last.iloc[0]
    mean = mean_estimate(np.log(last.loc[kept, "fid"].astype(float).to_numpy()), 1 - compare.alpha).exp()

    return Tuned(
        configuration=int(row["configuration"]),
        settings={name: row[name].item() for name in SPACE},
        epochs=int(row["epoch"]),
        n=len(last),
        failed=int((~kept).sum()),
        learnt=int((state == "learnt").sum()),
        mean=number(mean.value),
        **bounds(mean),
        coverage=number(last.loc[kept, "coverage"].astype(float).mean()),
        digits=number(last.loc[kept, "digits"].astype(float).mean()),
    )


def best_of_k(values: Floats, resamples: int, confidence: float) -> BestOfK:
    """The expected lowest of k of these values `[configuration]`, drawn without replacement, for k up to N / 4.

    The U-statistic is unbiased (Tang et al. 2020): of the N values in order, the i-th is the lowest of k with
    probability C(N − i, k − 1) / C(N, k). The band is a percentile bootstrap's over configurations.
    """
    n = len(values)
    k = np.arange(1, max(1, n // FEW) + 1)
    weights = lowest_weights(n, k)
    random = np.random.default_rng(0)
    drawn = np.sort(values[random.integers(n, size=(resamples, n))], axis=1) @ weights
    tail = 50 * (1 - confidence)
    low, high = np.percentile(drawn, [tail, 100 - tail], axis=0)
    return BestOfK(k.tolist(), (np.sort(values) @ weights).tolist(), low.tolist(), high.tolist())


def lowest_weights(n: int, k: np.ndarray) -> Floats:
    """The probability that the i-th lowest of n values is the lowest of k of them, `[value, k]`."""
    above = n - np.arange(1, n + 1)[:, None]
    possible = above >= k - 1

    def log_binomial(total: np.ndarray | int, part: np.ndarray) -> np.ndarray:
        return gammaln(np.add(total, 1)) - gammaln(part + 1) - gammaln(np.maximum(np.subtract(total, part), 0) + 1)

    return np.where(possible, np.exp(log_binomial(above, k - 1) - log_binomial(n, k)), 0.0)


def cells(first: pd.DataFrame, learns: pd.Series, search: Search) -> list[Cell]:
    """The map: how many configurations learn, by beta1 and by bands of the ratio of rates."""
    ratios, beta1 = search.space.rate_ratio, first["beta1"].astype(float)
    if isinstance(ratios, Logarithmic):
        edges = np.geomspace(*ratios.log, BANDS + 1).tolist()
        band = pd.cut(first["rate_ratio"], edges, labels=False, include_lowest=True)
        ends = dict(enumerate(pairwise(edges)))
    else:
        band = first["rate_ratio"].map({value: place for place, value in enumerate(ratios.choice)})
        ends = {place: (float(value), float(value)) for place, value in enumerate(ratios.choice)}
    counts = learns.groupby([beta1, band]).agg(["size", "sum"])  # a baseline outside the space is in no band
    return [Cell(beta, *ends[int(place)], int(n), int(learnt)) for (beta, place), n, learnt in counts.itertuples()]
