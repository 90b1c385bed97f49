"""Where the verdict on two objectives holds: every ground on which both were trained, judged by one rule.

The rule is that of an interval: better or worse where the ratio's interval lies wholly on one side of 1, equivalent
where it lies within the margin, else undecided. It describes, and is not corrected for the number of grounds.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Literal

import numpy as np

from gan.records.comparison import Comparison
from gan.records.robustness import Ground, LadderRecord, Scope, SearchRecord
from gan.records.toys import Toys
from gan.stats.inference import mean_estimate

Verdict = Literal["better", "worse", "equivalent", "undecided"]


def scope(
    variant: str,
    against: str,
    objectives: Mapping[str, str],
    comparison: Comparison,
    ladder: LadderRecord,
    search: SearchRecord,
    toys: Toys,
) -> Scope:
    """All grounds of two objectives; `objectives` has that of each variant of the comparison."""
    alpha, margin = comparison.alpha, comparison.margin
    grounds = [
        *_declared(variant, against, objectives, comparison),
        *_tuned(variant, against, search, margin),
        *_rungs(variant, against, ladder, margin),
        *_ring(variant, against, toys, 1 - alpha, margin),
    ]
    mean = float(np.mean([ground.improvement for ground in grounds])) if grounds else math.nan
    return Scope(variant, against, comparison.metric, grounds, mean)


def judged(ratio: float | None, low: float | None, high: float | None, margin: float) -> Verdict:
    """The rule, for a ratio below 1 where the first objective is better."""
    if ratio is None or low is None or high is None:
        return "undecided"
    if high < 1 or low > 1:
        return "better" if high < 1 else "worse"
    return "equivalent" if low > 1 / margin and high < margin else "undecided"


def _declared(variant: str, against: str, objectives: Mapping[str, str], comparison: Comparison) -> Iterable[Ground]:
    for contrast in comparison.contrasts:
        if contrast.family != "declared":
            continue
        if (objectives[contrast.variant], objectives[contrast.against]) != (variant, against):
            continue
        data = next(each.data for each in comparison.standings if contrast.variant in each.variants)
        # All runs that have a score: where one objective never learns, no run of it survives.
        all_runs = contrast.scored_ratio
        yield Ground(
            name="the printed recipe",
            data=data,
            source=f"{contrast.id} of comparison.json",
            n=contrast.n.variant,
            epochs=contrast.epoch,
            ratio=all_runs.ratio,
            low=all_runs.low,
            high=all_runs.high,
            improvement=0.5 if contrast.improvement is None else contrast.improvement,
            verdict=judged(all_runs.ratio, all_runs.low, all_runs.high, comparison.margin),
        )


def _tuned(variant: str, against: str, search: SearchRecord, margin: float) -> Iterable[Ground]:
    for pair in search.pairs:
        if (pair.variant, pair.against) == (variant, against):
            tuned = pair.tuned
            yield Ground(
                name="each tuned",
                data=search.data,
                source="search.json",
                n=tuned.variant,
                epochs=search.objectives[variant].tuned.epochs,
                ratio=tuned.ratio,
                low=tuned.low,
                high=tuned.high,
                improvement=tuned.improvement,
                verdict=judged(tuned.ratio, tuned.low, tuned.high, margin),
            )


def _rungs(variant: str, against: str, ladder: LadderRecord, margin: float) -> Iterable[Ground]:
    for rung in ladder.rungs[1:]:  # the first one is the printed recipe, of which there are more runs
        contrast = rung.contrast
        if contrast and (contrast.variant, contrast.against) == (variant, against):
            yield Ground(
                name=rung.name,
                data=rung.data,
                source="ladder.json",
                n=min(step.n for step in rung.steps),
                epochs=rung.epochs,
                ratio=contrast.ratio,
                low=contrast.low,
                high=contrast.high,
                improvement=contrast.improvement,
                verdict=judged(contrast.ratio, contrast.low, contrast.high, margin),
            )


def _ring(variant: str, against: str, toys: Toys, confidence: float, margin: float) -> Iterable[Ground]:
    last = [run for run in toys.ring.runs if run.step == max(each.step for each in toys.ring.runs)]
    for beta1 in dict.fromkeys(run.beta1 for run in last):
        first, second = (
            {run.seed: run.score for run in last if run.beta1 == beta1 and run.objective == objective}
            for objective in (variant, against)
        )
        pairs = [(first[seed], second[seed]) for seed in first if seed in second]
        known = [(one, other) for one, other in pairs if one is not None and other is not None]
        if not known:
            continue
        logs = np.log([one for one, _ in known]) - np.log([other for _, other in known])
        ratio = mean_estimate(logs, confidence).exp()
        bounded = math.isfinite(ratio.high)
        low, high = (ratio.low, ratio.high) if bounded else (None, None)
        better = [_rank(one) < _rank(other) for one, other in pairs]
        level = [_rank(one) == _rank(other) for one, other in pairs]
        yield Ground(
            name=f"ring of Gaussians, beta1 {beta1:g}",
            data="ring",
            source="toys.json",
            n=len(pairs),
            epochs=None,
            ratio=ratio.value,
            low=low,
            high=high,
            improvement=float(np.mean(better) + np.mean(level) / 2),
            verdict=judged(ratio.value, low, high, margin),
        )


def _rank(score: float | None) -> float:
    return math.inf if score is None else score
