"""reports/simulation.json: how often the decision errs. The stage `simulate` writes it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Rate:
    """A share of studies, with Clopper and Pearson's interval."""

    rate: float
    low: float
    high: float


@dataclass(frozen=True)
class ErrorRate(Rate):
    """How often an error is made at least once; `kept` tells whether that is within the bound."""

    kept: bool


@dataclass(frozen=True)
class ScenarioRates:
    """One scenario: how often each kind of error is made that can be, and each right claim.

    `power` is that of each hypothesis and control that holds, `joint_power` that of all hypotheses together, where all
    hold. `verdicts` has the share of each verdict, right or wrong, by hypothesis and control.
    """

    name: str
    text: str
    errors: dict[str, ErrorRate]
    power: dict[str, Rate]
    joint_power: Rate | None
    verdicts: dict[str, dict[str, float]]


@dataclass(frozen=True)
class Simulation:
    """The whole simulation study, with the settings of `compare` and `simulate` that it was made with.

    `seeds` has the number of each variant's, `confidence` is that of the rates' intervals.
    """

    alpha: float
    margin: float
    studies: int
    standard_deviation: float
    effect: float
    small_effect: float
    freedom: float
    failures: float
    bound: float
    confidence: float
    seeds: dict[str, int]
    scenarios: list[ScenarioRates]
