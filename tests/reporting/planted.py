"""Records of the designed experiments as the tests of the report plant them."""

import numpy as np

from gan.records.memory import Adam, Curve, Direction, Freeze, Memory, Recovery, Run, Slope
from gan.records.robustness import (
    BestOfK,
    Cell,
    Ground,
    History,
    LadderRecord,
    Learning,
    PairedSearch,
    PastContrast,
    PastStudy,
    Pooled,
    Rung,
    RungContrast,
    Scope,
    Searched,
    SearchRecord,
    Step,
    Tuned,
    TunedContrast,
    Wins,
)
from gan.records.specifications import Agreement, Specification, SpecificationCurve, Summary
from gan.records.toys import Dirac, Eigenvalue, Equilibrium, Push, Ring, RingRun, RingScore, Toys, Update

FIRST, SECOND = "non_saturating", "minimax"
SEEDS = 3
BETA1 = {"generator_optimizer.betas": "[0.5, 0.999]", "discriminator_optimizer.betas": "[0.5, 0.999]"}
# Each rung: what it changes, how many seeds of each objective learn, and whether the verdict turned.
RUNGS = {
    "printed": ({}, 0, 3, "as printed"),
    "beta1 0.5": (BETA1, 3, 3, "no difference"),
    "generator's rate x 4": ({"generator_optimizer.lr": "0.0008"}, 1, 3, "as printed"),
    "real label 0.9": ({"real_label": "0.9"}, 3, 0, "reversed"),
    "Fashion-MNIST": ({"data": "fashion_mnist"}, 0, 3, "as printed"),
}


def ladder(rungs=None) -> LadderRecord:
    """A ladder with these rungs, as in `RUNGS`."""
    return LadderRecord("fid", [SECOND, FIRST], [rung(name, *each) for name, each in (rungs or RUNGS).items()])


def rung(name: str, changes: dict, second: int, first: int, turned: str | None) -> Rung:
    steps = [
        Step(objective, SEEDS, {"learnt": learnt, "not yet": SEEDS - learnt}, learnt, 997.4 - 180 * learnt, 0.04, 9.0)
        for objective, learnt in ((SECOND, second), (FIRST, first))
    ]
    better = {"as printed": FIRST, "no difference": None, "reversed": SECOND, None: None}[turned]
    contrast = RungContrast(FIRST, SECOND, 0.654, 0.412, 1.038, 0.5 + (first - second) / 6, better)
    return Rung(name, changes, changes.get("data", "mnist"), 3, steps, contrast, turned)


def wins(verdict="undecided", share=0.56, low=0.41, high=0.7) -> Wins:
    return Wins(20, 16, 13, share, low, high, 0.61, 0.03125, 0.0625, verdict)


def tuned_contrast(verdict="equivalent", ratio=0.978, low=0.939, high=1.021) -> TunedContrast:
    failed = {"variant": 0, "against": 1}
    return TunedContrast(10, 10, failed, ratio, low, high, 0.625, 0.4, 0.001, 0.001, 0.003, verdict)


def searched(learnt: int, total: int = 49) -> Searched:
    k = list(range(1, total // 4 + 1))
    expected = [(1500 - 20 * learnt) / (1 + 0.2 * each) for each in k]
    cells = [
        Cell(beta1, low, high, 6, min(6, (learnt * (row + column + 1)) // 30))
        for column, beta1 in enumerate((0.0, 0.5, 0.9))
        for row, (low, high) in enumerate(((0.1, 0.464), (0.464, 2.154), (2.154, 10.0)))
    ]
    settings = {"generator_lr": 3.1e-4, "rate_ratio": 0.521, "beta1": 0.5, "beta2": 0.99, "real_label": 0.9}
    best = Tuned(17, settings, 4, 10, 1, 9, 312.5, 298.75, 327.125, 0.0625, 9.5)
    return Searched(
        total,
        {"learnt": learnt, "not yet": total - learnt},
        learnt,
        learnt / total,
        learnt / total - 0.1,
        learnt / total + 0.1,
        "learnt" if learnt > 30 else "not yet",
        BestOfK(k, expected, [0.8 * each for each in expected], [1.2 * each for each in expected]),
        cells,
        best,
    )


def search(first: Wins | None = None, tuned: TunedContrast | None = None) -> SearchRecord:
    learning = Learning(49, 12, 22, 2, 12, 0.0129, 0.0259, "fails less")
    pair = PairedSearch(FIRST, SECOND, True, first or wins(), learning, tuned or tuned_contrast())
    other = PairedSearch(FIRST, "minimax_rescaled", False, wins(), learning, tuned_contrast("undecided"))
    objectives = {SECOND: searched(27), FIRST: searched(37), "minimax_rescaled": searched(30)}
    return SearchRecord("mnist", "fid", 0.05, 1.1, 0.75, 2, 1101.5, objectives, [pair, other])


def scope(*verdicts: str) -> Scope:
    """A scope whose grounds have these verdicts."""
    names = ["the printed recipe", "each tuned", "beta1 0.5", "ring of Gaussians, beta1 0.9"]
    grounds = [
        Ground(
            names[place % len(names)] + ("" if place < len(names) else f" {place}"),
            "ring" if "ring" in names[place % len(names)] else "mnist",
            "a file",
            10 - place,
            None if "ring" in names[place % len(names)] else 20,
            *((0.385, 0.347, 0.4125) if verdict != "undecided" else (0.912, None, None)),
            0.875,
            verdict,
        )
        for place, verdict in enumerate(verdicts or ("better", "equivalent", "undecided", "worse"))
    ]
    return Scope(FIRST, SECOND, "fid", grounds, 0.71875)


def toys() -> Toys:
    spin = [Eigenvalue(0.0, 0.5), Eigenvalue(0.0, -0.5)]
    names = (SECOND, FIRST, "cewl")
    runs = [
        RingRun(seed, 8 - seed, 0.5, 0.01 * (1 + seed), name, beta1, step)
        for name in names for beta1 in (0.9, 0.5) for seed in (0, 1) for step in (1000, 3000)
    ]  # fmt: skip
    runs.append(RingRun(2, 0, 0.0, None, SECOND, 0.5, 3000))
    dirac = Dirac(
        0.2, 0.01, 2, [Equilibrium(name, spin, spin) for name in names],
        [Update(name, order, 1.004, 1.004, 126, 1.004) for name in names for order in ("simultaneous", "alternating")],
        [Push(name, logit, 0.25, 0.25) for name in names for logit in (-6.0, 3.0)],
    )  # fmt: skip
    return Toys(dirac, Ring(8, 2000, 0.989, runs, [RingScore(0, 8, 0.99, 0.0004)]))


def memory(slope: float | None = 1.04) -> Memory:
    random = np.random.default_rng(0)
    steps = list(range(12, 1801, 12))

    def curve(scale: float) -> Curve:
        values = (scale * np.exp(random.normal(0, 0.4, len(steps)))).tolist()
        return Curve(steps, values, values, values, values)

    def freezes(beta2: float) -> list[Freeze]:
        lasted = int(0.8 / (1 - beta2))
        return [
            Freeze(100, 140, 0.001, 1e-6, 0.5, lasted, lasted * 1.2),
            Freeze(900, 950, 0.002, 1e-6, None, None, None),
        ]

    runs = [
        Run(Adam(name, 0.999, 1e-8, True), seed, 1874, 0.2, curve(scale), [])
        for name, scale in ((SECOND, 0.01), (FIRST, 0.7), ("minimax_rescaled", 0.5)) for seed in (530, 531)
    ]  # fmt: skip
    runs += [
        Run(Adam(SECOND, beta2, eps, False, switch), seed, 1874, 0.3, curve(0.05), freezes(beta2))
        for switch, every in ((None, (1e-8,)), (1, (1e-15, 1e-8)))
        for beta2 in (0.9, 0.97, 0.99, 0.995) for eps in every for seed in (530, 531)
    ]  # fmt: skip
    directions = [
        Direction(name, seed, step, 64, 0.9 - 0.0004 * step, 0.1, 0.4, 20.5, 44.25, {"q50": 0.1})
        for name in (SECOND, FIRST) for seed in (530, 531) for step in (1, 30, 900, 1800)
    ]  # fmt: skip
    if slope is None:
        nothing = Recovery(0, 0, 0, 0.95, None, None, None)
        return Memory(1874, runs, directions, nothing, nothing)
    line = Slope(slope, slope - 0.2, slope + 0.2)
    found = [Recovery(runs, runs, runs, 0.95, line, line, 0.8333) for runs in (8, 16)]
    return Memory(1874, runs, directions, *found)


def specifications() -> SpecificationCurve:
    options = [(metric, epoch) for metric in ("fid", "kid") for epoch in (3, 20)]
    rows = [
        Specification(
            "H1", metric, "averaged", "worst", epoch, 0, None, 7, 0.9 - 0.1 * place, 0.7, 1.0, 0.01, 0.02,
            "better" if place < 3 else "undecided", place < 3,
        )
        for place, (metric, epoch) in enumerate(options)
    ]  # fmt: skip
    choices = {"metric": {"fid": Agreement(2, 2), "kid": Agreement(2, 1)}, "epoch": {"3": Agreement(2, 2)}}
    return SpecificationCurve(
        0.05, 1.1, [Summary(4, 3, "H1", "superiority", FIRST, SECOND, "better", 0, choices)], rows
    )


def past() -> History:
    contrast = PastContrast(FIRST, SECOND, 7, 0.385, 0.347, 0.4125, 0.0156)
    twin = PastContrast("cewl", FIRST, 10, 1.012, 0.978, 1.05, 0.44)
    studies = [
        PastStudy("study-1", True, {SECOND: 15, FIRST: 15, "cewl": 15}, [contrast, twin]),
        PastStudy("study-4-again", False, {SECOND: 8, FIRST: 10}, [contrast]),
        PastStudy("this study", True, {SECOND: 7, FIRST: 10, "cewl": 10}, [contrast, twin]),
    ]
    return History(
        "fid",
        studies,
        [Pooled(FIRST, SECOND, 2, 0.39, 0.36, 0.42, 0.25), Pooled("cewl", FIRST, 2, 1.01, 0.99, 1.03, 0.0)],
    )


RECORDS = {
    "ladder": ladder,
    "search": search,
    "scope": scope,
    "toys": toys,
    "memory": memory,
    "specifications": specifications,
    "history": past,
}
