"""reports/specifications.json: the declared contrasts under other choices. The stage `specifications` writes it."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

Outcome: TypeAlias = Literal["better", "worse", "equivalent", "undecided"]


@dataclass(frozen=True)
class Specification:
    """One contrast under one choice of everything; `margin` is None where no equivalence is tested.

    `estimate` is the probability that a run of the contrast's variant is better than one of the other, with its
    interval. `p` is that of the sign-flip test, of an equivalence that of TOST, and `p_adjusted` is corrected for the
    contrasts of the same family and kind. `agrees` if the outcome is that of the published verdict.
    """

    contrast: str
    metric: str
    snapshots: str
    failures: str
    epoch: int
    classifier: int
    margin: float | None
    n: int
    estimate: float
    low: float
    high: float
    p: float
    p_adjusted: float
    outcome: Outcome
    agrees: bool


@dataclass(frozen=True)
class Agreement:
    """Of so many specifications, how many agree with the published verdict."""

    total: int
    agreeing: int


@dataclass(frozen=True)
class Summary(Agreement):
    """One contrast: its published verdict as an outcome, and how many specifications agree with it.

    `left_out` counts the specifications that the tables have no numbers or no surviving runs for; they are not among
    the `total`. `choices` has the agreement under each option of each choice, under which at least one was computed.
    """

    contrast: str
    kind: Literal["superiority", "equivalence"]
    variant: str
    against: str
    published: Outcome
    left_out: int
    choices: dict[str, dict[str, Agreement]]


@dataclass(frozen=True)
class SpecificationCurve:
    """All contrasts under all choices; the published decision has this `alpha` and `margin`."""

    alpha: float
    margin: float
    contrasts: list[Summary]
    specifications: list[Specification]
