"""What the stage `robustness` writes: reports/ladder.json, search.json, scope.json and history.json."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

# reports/ladder.json: which single change of the recipe turns the verdict.


@dataclass(frozen=True)
class Step:
    """The runs of one objective on a rung.

    `states` counts them by state. `mean` is the geometric mean of the metric over those that did not diverge.
    """

    objective: str
    n: int
    states: dict[str, int]
    learnt: int
    mean: float | None
    coverage: float | None
    digits: float | None


@dataclass(frozen=True)
class RungContrast:
    """An objective beside another one on the same seeds.

    `ratio` is of the metric, variant / against, the geometric mean over seeds with its t interval. `better` names the
    objective that is better on every seed, if one is: better is to learn where the other one does not, or else to have
    the lower metric by more than the margin.
    """

    variant: str
    against: str
    ratio: float | None
    low: float | None
    high: float | None
    improvement: float
    better: str | None


@dataclass(frozen=True)
class Rung:
    """One rung: what differs from the printed recipe, and how that turns out.

    `turned` compares with the first rung, the printed recipe: whether another objective, or none, is better here.
    """

    name: str
    changes: dict[str, str]
    data: str
    epochs: int
    steps: list[Step]
    contrast: RungContrast | None
    turned: Literal["as printed", "no difference", "reversed"] | None


@dataclass(frozen=True)
class LadderRecord:
    """All rungs, the printed recipe first."""

    metric: str
    objectives: list[str]
    rungs: list[Rung]


# reports/search.json: the objectives compared over the space of recipes.


Setting: TypeAlias = int | float


@dataclass(frozen=True)
class Wins:
    """S1: in how many configurations each objective is better, of those in which at least one of them learns.

    An objective is better where it alone learns, or both do and its metric is lower. `share` is the first one's, with
    Clopper and Pearson's interval; `p` is the sign test's. `share_by_metric` is its share of all configurations by the
    metric alone, ties half, whether a run learns or not.
    """

    wins: int
    losses: int
    neither: int
    share: float | None
    low: float | None
    high: float | None
    share_by_metric: float
    p: float
    p_adjusted: float
    verdict: Literal["better", "worse", "detected, not meaningful", "undecided"]


@dataclass(frozen=True)
class Learning:
    """S2: how many configurations do not learn under each objective, and under one alone; `p` is McNemar's."""

    n: int
    variant: int
    against: int
    variant_alone: int
    against_alone: int
    p: float
    p_adjusted: float
    verdict: Literal["fails less", "fails more", "undecided"]


@dataclass(frozen=True)
class TunedContrast:
    """S3: the best configuration of each, on the final seeds.

    `ratio` is of geometric means, variant / against, with Welch's interval. `p_difference` is the rank-sum test's with
    failures last, `p_equivalence` that of two one-sided Welch tests. `p` is the smaller one: at most one of the two
    nulls can be true.
    """

    variant: int
    against: int
    failed: dict[str, int]
    ratio: float | None
    low: float | None
    high: float | None
    improvement: float
    p_difference: float
    p_equivalence: float
    p: float
    p_adjusted: float
    verdict: Literal["better", "worse", "equivalent", "undecided"]


@dataclass(frozen=True)
class PairedSearch:
    """Two objectives over the same configurations; a family of three tests under Holm's correction."""

    variant: str
    against: str
    declared: bool
    wins: Wins
    learning: Learning
    tuned: TunedContrast


@dataclass(frozen=True)
class BestOfK:
    """The metric that the best of k configurations has on average, for rising k, with its band.

    A run that does not learn counts as the mean image.
    """

    k: list[int]
    expected: list[float]
    low: list[float]
    high: list[float]


@dataclass(frozen=True)
class Cell:
    """Configurations with that beta1 whose ratio of rates lies between two bounds, and how many of them learn."""

    beta1: float
    ratio_low: float
    ratio_high: float
    n: int
    learnt: int


@dataclass(frozen=True)
class Tuned:
    """The best configuration of an objective, by its settings, and its runs on the final seeds.

    `mean` is the geometric mean of the metric over the runs that did not fail, with its t interval.
    """

    configuration: int
    settings: dict[str, Setting]
    epochs: int
    n: int
    failed: int
    learnt: int
    mean: float | None
    low: float | None
    high: float | None
    coverage: float | None
    digits: float | None


@dataclass(frozen=True)
class Searched:
    """All that the search says of one objective; `states` counts the configurations by their runs' state."""

    configurations: int
    states: dict[str, int]
    learnt: int
    share: float
    low: float
    high: float
    printed_state: str
    best_of_k: BestOfK
    map: list[Cell]
    tuned: Tuned


@dataclass(frozen=True)
class SearchRecord:
    """The whole search. The first of `pairs` is the declared one; the others have families of their own."""

    data: str
    metric: str
    alpha: float
    margin: float
    meaningful: float
    epochs: int
    mean_image: float
    objectives: dict[str, Searched]
    pairs: list[PairedSearch]


# reports/scope.json: where the verdict on two objectives holds.


@dataclass(frozen=True)
class Ground:
    """One ground on which two objectives were compared.

    `ratio` is of the metric, variant / against, with its interval; `improvement` the probability that `variant` is
    better, ties half; `n` counts pairs, or runs of each.
    """

    name: str
    data: str
    source: str
    n: int
    epochs: int | None
    ratio: float | None
    low: float | None
    high: float | None
    improvement: float
    verdict: Literal["better", "worse", "equivalent", "undecided"]


@dataclass(frozen=True)
class Scope:
    """All grounds; `improvement` is their mean, which weighs each ground alike."""

    variant: str
    against: str
    metric: str
    grounds: list[Ground]
    improvement: float


# reports/history.json: what this project's studies found, one after the other.


@dataclass(frozen=True)
class PastContrast:
    """Two variants in one study: the ratio of their metrics, variant / against, on shared seeds.

    The interval is Student's, on logarithms of all runs that have a score. `p` is the sign-flip test's.
    """

    variant: str
    against: str
    n: int
    ratio: float
    low: float
    high: float
    p: float


@dataclass(frozen=True)
class PastStudy:
    """One study by the name of its file; `pooled` tells whether it counts in the pooled estimates.

    A study that trained the same seeds again on another processor does not: it is no independent one.
    """

    name: str
    pooled: bool
    runs: dict[str, int]
    contrasts: list[PastContrast]


@dataclass(frozen=True)
class Pooled:
    """A ratio over studies by the random-effects model of Paule and Mandel.

    `heterogeneity` is I²: the share of the variation between studies that chance within them does not explain.
    """

    variant: str
    against: str
    studies: int
    ratio: float
    low: float
    high: float
    heterogeneity: float


@dataclass(frozen=True)
class History:
    """The studies from the first to this one, and the pooled estimates of their contrasts."""

    metric: str
    studies: list[PastStudy]
    pooled: list[Pooled]
