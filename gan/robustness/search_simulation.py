"""How often the decision on the search errs: `gan.robustness.search` decides simulated searches whose truth is known.

A configuration is as hard for one objective as for the other, so the two runs of a pair are alike; each run then has
its own luck. The best configurations' runs on the final seeds are independent.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from gan.compute.executors import Executor, ProgressCallback
from gan.compute.progress import progress
from gan.records.simulation import ErrorRate, Rate, ScenarioRates
from gan.robustness.search import Pairs, decide
from gan.stats.inference import share_estimate
from gan.study.schema import Study

STUDIES_PER_TASK = 100
CONFIDENCE = 0.95  # of the rates' intervals
TESTS = ("S1", "S2", "S3")

# The verdicts that claim a difference.
CLAIMS = {
    "S1": ("better", "worse", "detected, not meaningful"),
    "S2": ("fails less", "fails more"),
    "S3": ("better", "worse"),
}


@dataclass(frozen=True)
class Scenario:
    """What is true of simulated searches.

    `ease` is by how much the first objective learns more easily, in standard deviations of the luck of a run; `ratio`
    is that of its final runs' metric to the other's. `wrong` has the wrong verdicts by test, `right` the right ones.
    """

    name: str
    text: str
    ease: float
    ratio: float
    wrong: Mapping[str, tuple[str, ...]]
    right: Mapping[str, str] = field(default_factory=dict)


def scenarios(study: Study) -> list[Scenario]:
    """All scenarios that the decision is tried in."""
    margin, effect = study.compare.margin, study.simulate.effect
    return [
        Scenario("search: null", "The two objectives are equal in everything", 0.0, 1.0, CLAIMS, {"S3": "equivalent"}),
        Scenario(
            "search: margin",
            f"Equally many configurations learn; tuned, one is worse by just {margin:g}",
            0.0,
            margin,
            {"S1": CLAIMS["S1"], "S2": CLAIMS["S2"], "S3": ("equivalent", "better")},
        ),
        Scenario(
            "search: effect",
            f"One learns far more easily, and is better by a factor of {effect:g} when tuned",
            2.5,
            1 / effect,
            {"S1": ("worse",), "S2": ("fails more",), "S3": ("worse", "equivalent")},
            {"S1": "better", "S2": "fails less", "S3": "better"},
        ),
    ]


def search_simulation(study: Study, executor: Executor) -> list[ScenarioRates]:
    """Rates of wrong and of right verdicts in each scenario, with Clopper and Pearson's intervals.

    An error is a wrong verdict of any of the three tests. Each simulated search has a random stream of its own.
    """
    simulated, studies = scenarios(study), study.simulate.studies
    tasks = [(place, first) for place in range(len(simulated)) for first in range(0, studies, STUDIES_PER_TASK)]
    outcomes: list[Counter[tuple[str, ...]]] = [Counter() for _ in simulated]
    with progress("simulate searches", len(simulated) * studies, "searches") as on_progress:
        for place, counted in executor.run(_simulate, tasks, study, on_progress):
            outcomes[place] += counted
    return [_summary(scenario, counts, study) for scenario, counts in zip(simulated, outcomes, strict=True)]


def _simulate(
    study: Study, task: tuple[int, int], on_progress: ProgressCallback
) -> tuple[int, Counter[tuple[str, ...]]]:
    place, first = task
    scenario, outcomes = scenarios(study)[place], Counter[tuple[str, ...]]()
    numbers = range(first, min(first + STUDIES_PER_TASK, study.simulate.studies))
    for number in numbers:
        random = np.random.default_rng(np.random.SeedSequence([1000 + place, number]))
        decided = decide(draw(scenario, study, random), study.compare, study.search.meaningful)
        outcomes[tuple(each.verdict for each in decided)] += 1
    on_progress(len(numbers))
    return place, outcomes


def draw(scenario: Scenario, study: Study, random: np.random.Generator) -> Pairs:
    """One search's runs."""
    search, sd = study.search, study.simulate.standard_deviation
    count, finals = search.points + 1, len(search.final_seeds)
    hardness = random.standard_normal(count)
    luck, other_luck = (0.5 * random.standard_normal(count) for _ in range(2))
    ease, other_ease = scenario.ease * 0.5 + luck - hardness, other_luck - hardness
    final, other = (np.exp(sd * random.standard_normal(finals)) for _ in range(2))
    return Pairs(ease > 0, other_ease > 0, np.exp(-ease), np.exp(-other_ease), scenario.ratio * final, other)


def _summary(scenario: Scenario, outcomes: Counter[tuple[str, ...]], study: Study) -> ScenarioRates:
    total, bound = outcomes.total(), study.simulate.bound

    def rate(count: int) -> Rate:
        estimate = share_estimate(count, total, CONFIDENCE)
        return Rate(estimate.value, estimate.low, estimate.high)

    def is_wrong(verdicts: tuple[str, ...]) -> bool:
        return any(verdict in scenario.wrong[test] for test, verdict in zip(TESTS, verdicts, strict=True))

    wrong = rate(sum(times for verdicts, times in outcomes.items() if is_wrong(verdicts)))
    counts: dict[str, Counter[str]] = {test: Counter() for test in TESTS}
    for verdicts, times in outcomes.items():
        for test, verdict in zip(TESTS, verdicts, strict=True):
            counts[test][verdict] += times
    together = [tuple(scenario.right[test] for test in TESTS)] if len(scenario.right) == len(TESTS) else []
    return ScenarioRates(
        name=scenario.name,
        text=scenario.text,
        errors={"false verdict on the search": ErrorRate(wrong.rate, wrong.low, wrong.high, wrong.rate <= bound)},
        power={test: rate(counts[test][verdict]) for test, verdict in scenario.right.items()},
        joint_power=rate(outcomes[together[0]]) if together else None,
        verdicts={
            test: {verdict: times / total for verdict, times in sorted(counted.items())}
            for test, counted in counts.items()
        },
    )
