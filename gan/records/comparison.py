"""reports/comparison.json: every rank, contrast and verdict. The stage `compare` writes it."""

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Family: TypeAlias = Literal["declared", "control", "exploratory"]
Verdict: TypeAlias = Literal[
    "supported",
    "refuted",
    "undecided",
    "insufficient data",
    "equivalent",
    "detected, within the margin",
    "different",
]


@dataclass(frozen=True)
class Learnt:
    """The rule of a run's state: the least coverage, the most digits of a mode collapse, the epochs that suffice."""

    coverage: float
    digits: int
    epochs: int


@dataclass(frozen=True)
class Summary:
    """One variant at one epoch; None is what the data leave undefined.

    Every run is in one state (`gan.compute.tables.states`): `learnt` or `not_yet`, or it failed.
    Of the survivors, `finished` in number: geometric mean with t interval, standard deviation of logs (`spread`), means
    of the other scores. Of all runs: median with failures at +inf, rate of failure with Clopper and Pearson's interval.
    `scored_mean` is the geometric mean of all runs that have a score, failed ones included.
    """

    n: int
    finished: int
    learnt: int
    not_yet: int
    never_learnt: int
    mode_collapse: int
    diverged: int
    failed: int
    failure_rate: float
    failure_low: float
    failure_high: float
    mean: float | None
    low: float | None
    high: float | None
    median: float | None
    spread: float | None
    scored_mean: float | None
    kid: float | None = None
    precision: float | None = None
    recall: float | None = None
    density: float | None = None
    coverage: float | None = None
    digits: float | None = None


@dataclass(frozen=True)
class Standing:
    """All variants on one data set that were scored after so many epochs, ranked (the best first) and summed up.

    A score is the mean over the snapshots after the epochs `averaged`. Variants that the data do not tell apart share
    one of the `places`.
    """

    data: str
    epochs: int
    averaged: list[int]
    ranking: list[str]
    places: dict[str, int]
    variants: dict[str, Summary]

    def place(self, variant: str) -> str:
        """A variant's place, such as `3`, or `1=` if it shares that."""
        own = self.places[variant]
        return f"{own}{'=' * (list(self.places.values()).count(own) > 1)}"


@dataclass(frozen=True)
class Counts:
    """Runs of a contrast's two variants."""

    variant: int
    against: int


@dataclass(frozen=True)
class Failures(Counts):
    """Runs that failed; `alone` counts shared seeds on which one variant alone failed, and `p` is McNemar's."""

    alone: Counts
    p: float


@dataclass(frozen=True)
class Ratio:
    """variant / against with its interval; None without runs to compare or with too few for an interval."""

    ratio: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Contrast:
    """Two variants after their test.

    `n` and `failures` count runs, those on shared seeds where the contrast is paired. `ratio` is of the runs that
    survived, and `scored_ratio` of all that have a score, failed ones included; `improvement` is the probability
    that a run of `variant` is better than one of `against`, failures last.
    """

    id: str
    family: Family
    kind: Literal["superiority", "equivalence"]
    paired: bool
    variant: str
    against: str
    text: str
    epoch: int
    n: Counts
    failures: Failures
    ratio: float | None
    low: float | None
    high: float | None
    scored_ratio: Ratio
    p: float
    p_adjusted: float
    hedges_g: float | None
    improvement: float | None
    verdict: Verdict
    reason: str


@dataclass(frozen=True)
class Omnibus:
    """One test of all the controls' variants: does any form of the same mathematics differ from another?

    On the `n` seeds that all share, after the last epoch at which all were scored. `alarm` tells whether p is at most
    alpha.
    """

    variants: list[str]
    epoch: int
    n: int
    p: float
    alarm: bool


@dataclass(frozen=True)
class Untested:
    """A hypothesis or control without a test, and why."""

    id: str
    family: Family
    reason: str


@dataclass(frozen=True)
class Retest:
    """A declared hypothesis decided by another classifier's metric; `agree` if the verdict is the study's."""

    id: str
    ratio: float | None
    low: float | None
    high: float | None
    scored_ratio: Ratio
    p_adjusted: float
    verdict: Verdict
    agree: bool


@dataclass(frozen=True)
class Source:
    """What varies, and the standard deviation of log FID that it makes over `n` seeds, with its interval."""

    source: str
    variant: str
    epoch: int
    n: int
    sd: float
    low: float
    high: float


@dataclass(frozen=True)
class BothFids:
    """A variant's published FID with its standard deviation, and this study's."""

    published: float
    spread: float
    ours: float | None


@dataclass(frozen=True)
class Literature:
    """The published and this study's order of the variants that both have, best first, and Kendall's τ with its p.

    `tau` and `p` are None for fewer than three variants.
    """

    data: str
    epochs: int
    published: list[str]
    ours: list[str]
    fids: dict[str, BothFids]
    tau: float | None
    p: float | None


@dataclass(frozen=True)
class Comparison:
    """The whole comparison.

    `preregistration` is the checksum of what was declared beforehand. The `standings` are grouped by data set, the
    reference's first, and each data set's begin with that of the most epochs. `sensitivity` has the declared hypotheses
    again, by each further classifier's column of metrics.
    """

    metric: str
    alpha: float
    margin: float
    learnt: Learnt
    preregistration: str | None
    standings: list[Standing]
    contrasts: list[Contrast]
    untested: list[Untested]
    omnibus: Omnibus | None = None
    sensitivity: dict[str, list[Retest]] = field(default_factory=dict)
    spread: list[Source] = field(default_factory=list)
    literature: Literature | None = None

    @property
    def data_sets(self) -> list[str]:
        """The data sets that have standings, the reference's first."""
        return list(dict.fromkeys(standing.data for standing in self.standings))

    def standings_on(self, data: str) -> list[Standing]:
        """The standings on one data set, that of the most epochs first."""
        return [standing for standing in self.standings if standing.data == data]
