"""How often the decision errs: `gan.stats.contrasts` decides simulated studies whose truth is known.

A simulated study has the study's hypotheses, controls and seeds. The logarithms of its scores are drawn around each
variant's level, independently for all runs.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np

from gan.compute.executors import Executor, ProgressCallback
from gan.compute.progress import progress
from gan.errors import StudyError
from gan.records.simulation import ErrorRate, Rate, ScenarioRates, Simulation
from gan.stats.comparison import places, rank
from gan.stats.contrasts import decide, omnibus_of, verdict
from gan.stats.inference import share_estimate
from gan.stats.scores import Runs, Scores
from gan.study.schema import Compare, Hypothesis, Study

STUDIES_PER_TASK = 100
CONFIDENCE = 0.95  # of the rates' intervals
EQUAL = 1e-9  # logarithms closer than this are equal on paper

# The name of a wrong verdict, by the kind of its hypothesis.
ERRORS = {
    "superiority": {"supported": "false superiority", "refuted": "false superiority"},
    "equivalence": {"supported": "false equivalence", "refuted": "false refutation of equivalence"},
    "control": {
        "equivalent": "false equivalence of a control",
        "detected, within the margin": "false equivalence of a control",
        "different": "false difference of a control",
    },
}
# What is claimed of all the controls' variants, and of all that a simulated study ranks.
CONTROLS, RANKING = "controls", "ranking"
FALSE_ALARM, FALSE_ORDER = "false alarm of the controls", "false order in the ranking"

Claim: TypeAlias = tuple[str, str]
"""Id and verdict of a hypothesis or control, or what is claimed of all of them."""
Outcomes: TypeAlias = Counter[frozenset[Claim]]
"""How many studies made these claims."""


@dataclass(frozen=True)
class Scenario:
    """What is true of simulated studies: each variant's typical score, and the share of its runs that fail.

    Where one variant fails more than another, levels alone don't tell which verdict is right: `judged` is False.
    """

    name: str
    text: str
    levels: Mapping[str, float]
    heavy_tails: bool = False
    failures: Mapping[str, float] = field(default_factory=dict)
    judged: bool = True


def simulation_study(study: Study, executor: Executor) -> Simulation:
    """Rates of wrong and of right verdicts in each scenario, with Clopper and Pearson's intervals.

    Each simulated study has a random stream of its own, so no number depends on how the work is divided. StudyError
    without hypotheses.
    """
    if not study.compare.hypotheses:
        raise StudyError("compare.hypotheses is empty: there is no decision to simulate")
    settings, simulated = study.simulate, scenarios(study)
    tasks = [
        (place, first) for place in range(len(simulated)) for first in range(0, settings.studies, STUDIES_PER_TASK)
    ]
    outcomes: list[Outcomes] = [Counter() for _ in simulated]
    with progress("simulate", len(simulated) * settings.studies, "studies") as on_progress:
        for place, counted in executor.run(simulate, tasks, study, on_progress):
            outcomes[place] += counted
    return Simulation(
        alpha=study.compare.alpha,
        margin=study.compare.margin,
        **settings.model_dump(mode="json"),
        confidence=CONFIDENCE,
        seeds={name: len(study.variants[name].seeds) for name in simulated[0].levels},
        scenarios=[summary(scenario, counted, study) for scenario, counted in zip(simulated, outcomes, strict=True)],
    )


def scenarios(study: Study) -> list[Scenario]:
    """All scenarios that the decision is tried in."""
    settings, margin = study.simulate, study.compare.margin
    effect, share = settings.effect, f"{100 * settings.failures:g} %"
    same, alone = levels(study, 1, 1), study.compare.hypotheses[0].against
    null = Scenario("null", "All variants are equal", same)
    at_margin = Scenario(
        "margin",
        f"Superiorities hold by a factor of {effect:g}, equivalences are wrong by just {margin:g}",
        levels(study, effect, margin),
    )
    inside = Scenario(
        "inside the margin",
        f"Superiorities hold by a factor of {effect:g}, equivalences by a factor of {math.sqrt(margin):.3g}, inside it",
        levels(study, effect, math.sqrt(margin)),
    )
    true = [
        Scenario(name, f"Superiorities hold by a factor of {size:g}, equivalences exactly", levels(study, size, 1))
        for name, size in (("large effect", effect), ("small effect", settings.small_effect))
    ]
    heavy_tails = [
        replace(
            scenario,
            name=f"{scenario.name}, heavy tails",
            text=f"{scenario.text}; Student's t with {settings.freedom:g} degrees of freedom",
            heavy_tails=True,
        )
        for scenario in (null, at_margin)
    ]
    failures = [
        replace(
            scenario,
            name=f"{scenario.name}, failures",
            text=f"{scenario.text}; {share} of all runs fail",
            failures=dict.fromkeys(same, settings.failures),
        )
        for scenario in (null, at_margin)
    ]
    one_fails = Scenario(
        "one fails",
        f"All variants are equal, but {share} of the runs of {alone} fail",
        same,
        failures={alone: settings.failures},
        judged=False,
    )
    return [null, at_margin, inside, *true, *heavy_tails, *failures, one_fails]


def levels(study: Study, effect: float, ratio: float) -> dict[str, float]:
    """A typical score of each variant that is named, under which superiorities hold by the factor `effect`.

    Variants that a hypothesis or control calls equivalent are the factor `ratio` apart.
    """
    typical = dict.fromkeys(study.compare.named, 1.0)
    for h in study.compare.hypotheses:
        if h.kind == "superiority":
            typical[h.against] = effect * typical[h.variant]
    for h in (*study.compare.hypotheses, *study.compare.controls):
        if h.kind == "equivalence":
            typical[h.variant] = ratio * typical[h.against]
    return typical


def simulate(study: Study, task: tuple[int, int], on_progress: ProgressCallback) -> tuple[int, Outcomes]:
    """Decide some studies of the scenario at that place, from that number on; the place and the claims."""
    place, first = task
    scenario, outcomes = scenarios(study)[place], Outcomes()
    numbers = range(first, min(first + STUDIES_PER_TASK, study.simulate.studies))
    for number in numbers:
        scores = draw(scenario, study, np.random.default_rng(np.random.SeedSequence([place, number])))
        outcomes[frozenset(claims(scores, scenario, study.compare))] += 1
    on_progress(len(numbers))
    return place, outcomes


def claims(scores: Scores, scenario: Scenario, settings: Compare) -> list[Claim]:
    """What a study with these scores claims; of the ranking only where all variants are equal."""
    decided = decide(scores, settings)
    made = [(each.hypothesis.id, str(verdict(each))) for each in decided]
    if test := omnibus_of(decided):
        made.append((CONTROLS, "alarm" if test.alarm else "no alarm"))
    if scenario.judged and equal(scenario, scenario.levels):
        runs = {name: epochs[1] for name, epochs in scores.items()}
        tied = max(places(rank(runs), runs, settings).values()) == 1
        made.append((RANKING, "all tied" if tied else "ordered"))
    return made


def draw(scenario: Scenario, study: Study, random: np.random.Generator) -> Scores:
    """One study's scores, after the one epoch that counts."""
    freedom, scores = study.simulate.freedom, {}
    for name, level in scenario.levels.items():
        seeds = np.sort(study.variants[name].seeds)
        noise = random.standard_normal(len(seeds))
        if scenario.heavy_tails:
            noise = random.standard_t(freedom, len(seeds)) * math.sqrt((freedom - 2) / freedom)
        failed = random.random(len(seeds)) < scenario.failures.get(name, 0)
        states = np.where(failed, "never learnt", "learnt").astype(object)
        scores[name] = {1: Runs(seeds, level * np.exp(study.simulate.standard_deviation * noise), states)}
    return scores


def summary(scenario: Scenario, outcomes: Outcomes, study: Study) -> ScenarioRates:
    """One scenario's rates."""
    wrong, right = judge(scenario, study)

    def rate(claims: Collection[Claim], together: bool = False) -> Rate:
        wanted = len(claims) if together else 1
        count = sum(times for made, times in outcomes.items() if len(made.intersection(claims)) >= wanted)
        estimate = share_estimate(count, outcomes.total(), CONFIDENCE)
        return Rate(estimate.value, estimate.low, estimate.high)

    errors = {name: rate(claims) for name, claims in wrong.items()}
    declared = [right[h.id] for h in study.compare.hypotheses if h.id in right]
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for made, times in outcomes.items():
        for name, claimed in made:
            counts[name][claimed] += times
    bound = study.simulate.bound
    return ScenarioRates(
        name=scenario.name,
        text=scenario.text,
        errors={name: ErrorRate(e.rate, e.low, e.high, kept=e.rate <= bound) for name, e in errors.items()},
        power={name: rate([claim]) for name, claim in right.items()},
        joint_power=rate(declared, True) if len(declared) == len(study.compare.hypotheses) else None,
        verdicts={
            name: {claimed: times / count.total() for claimed, times in sorted(count.items())}
            for name, count in sorted(counts.items())
        },
    )


def judge(scenario: Scenario, study: Study) -> tuple[dict[str, list[Claim]], dict[str, Claim]]:
    """In a scenario, the wrong claims by their error's name, and by id the right claim of each that holds."""
    wrong: defaultdict[str, list[Claim]] = defaultdict(list)
    right: dict[str, Claim] = {}
    hypotheses, controls = study.compare.hypotheses, study.compare.controls
    for h in (*hypotheses, *controls) if scenario.judged else ():
        kind = "control" if h in controls else h.kind
        for claimed, error in ERRORS[kind].items():
            if not holds(h, claimed, scenario, study.compare.margin):
                wrong[error].append((h.id, claimed))
            elif claimed in ("supported", "equivalent"):
                right[h.id] = (h.id, claimed)
    if scenario.judged and len(study.compare.forms) > 1:
        if equal(scenario, study.compare.forms):
            wrong[FALSE_ALARM] = [(CONTROLS, "alarm")]
        else:
            right[CONTROLS] = (CONTROLS, "alarm")
    if scenario.judged and equal(scenario, scenario.levels):
        wrong[FALSE_ORDER] = [(RANKING, "ordered")]
    return wrong, right


def equal(scenario: Scenario, variants: Iterable[str]) -> bool:
    """Whether these variants have one typical score."""
    logs = [math.log(scenario.levels[name]) for name in variants]
    return max(logs) - min(logs) < EQUAL


def holds(hypothesis: Hypothesis, claimed: str, scenario: Scenario, margin: float) -> bool:
    """Whether that verdict is right: of equivalence strictly within the margin, or strictly beyond it."""
    ratio = math.log(scenario.levels[hypothesis.variant] / scenario.levels[hypothesis.against])
    from_margin = abs(ratio) - math.log(margin)
    match hypothesis.kind, claimed:
        case "superiority", "supported":
            return ratio < -EQUAL
        case "superiority", _:
            return ratio > EQUAL
        case _, "refuted" | "different":
            return from_margin > EQUAL
        case _:
            return from_margin < -EQUAL
