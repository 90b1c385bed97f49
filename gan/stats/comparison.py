"""All variants compared: from tables of metrics to a record with every rank, contrast and verdict."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import TypedDict

import numpy as np
import pandas as pd

from gan.records import comparison as records
from gan.records.comparison import Comparison, Counts, Failures, Ratio, Retest, Standing, Summary, Untested
from gan.stats.contrasts import Contrast, decide, explore, run_tests, shared_epochs, verdict
from gan.stats.explanations import explain
from gan.stats.inference import (
    Estimate,
    discordance_test,
    hedges_g,
    mean_estimate,
    probability_of_improvement,
    share_estimate,
)
from gan.stats.scores import Runs, Scores, failed_alone, on_shared_seeds, read_scores
from gan.study.schema import Compare, Hypothesis


def compare(metrics: pd.DataFrame, settings: Compare, preregistration: str | None = None) -> Comparison:
    """Test hypotheses and controls, compare every other variant with the reference, rank all of each data set.

    `metrics` has a row per run and scored epoch: `variant`, `data` (its data set), `seed`, `epoch`, `status` at that
    epoch (finished or failed), the metric, more scores to average. Nothing is compared with what is on other data. Each
    interval has confidence 1 − alpha. What the data leave undefined is None. `preregistration` is the checksum of what
    was declared beforehand; it is only passed on.

    Superiority: sign-flip test on log differences, on their signed ranks where a failure makes one infinite.
    Equivalence: TOST on the pairs that survived; no verdict when one variant failed more often. Exploratory contrasts:
    rank sums of all runs. Two variants that share no scored epoch are not tested.

    Raises:
        StudyError: an epoch of a run appears twice, has an unknown status or is finished without a metric.
    """
    scores = read_scores(metrics, settings.metric, settings.collapse)
    by_data = on_each_data_set(metrics, scores, settings.reference)
    beside_reference = next(iter(by_data.values()), {})
    return Comparison(
        metric=settings.metric,
        alpha=settings.alpha,
        margin=settings.margin,
        collapse=settings.collapse,
        preregistration=preregistration,
        standings=[
            standing(data, epoch, among, 1 - settings.alpha)
            for data, among in by_data.items()
            for epoch in sorted({max(epochs) for epochs in among.values()}, reverse=True)
        ],
        contrasts=[entry(contrast) for contrast in [*decide(scores, settings), *explore(beside_reference, settings)]],
        untested=untested(scores, settings),
    )


def on_each_data_set(metrics: pd.DataFrame, scores: Scores, reference: str) -> dict[str, Scores]:
    """The scores of the variants on each data set, those beside the reference first."""
    data = metrics.drop_duplicates("variant").set_index("variant")["data"].to_dict()
    order = dict.fromkeys(data[name] for name in (reference, *scores) if name in data)
    return {each: {name: scores[name] for name in scores if data[name] == each} for each in order}


def standing(data: str, epoch: int, scores: Scores, confidence: float) -> Standing:
    """All variants of one data set that were scored at that epoch, ranked and summed up."""
    runs = {name: epochs[epoch] for name, epochs in scores.items() if epoch in epochs}
    return Standing(data, epoch, rank(runs), {name: summary(each, confidence) for name, each in runs.items()})


def rank(runs: Mapping[str, Runs]) -> list[str]:
    """Best first: lower median with failures at +inf, then more survivors, geometric mean, name."""

    def key(variant: str) -> tuple[float, int, float, str]:
        survivors = runs[variant].survivors
        mean = float(np.log(survivors).mean()) if len(survivors) else math.inf
        return float(np.median(runs[variant].ranked)), -len(survivors), mean, variant

    return sorted(runs, key=key)


def summary(runs: Runs, confidence: float) -> Summary:
    """One variant at one epoch."""
    logs, survived = np.log(runs.survivors), ~runs.failed
    mean = mean_estimate(logs, confidence).exp()
    failures = share_estimate(int(runs.failed.sum()), len(runs.seeds), confidence)
    return Summary(
        n=len(runs.seeds),
        finished=len(logs),
        collapsed=int(runs.collapsed.sum()),
        diverged=int(runs.diverged.sum()),
        failed=int(runs.failed.sum()),
        failure_rate=failures.value,
        failure_low=failures.low,
        failure_high=failures.high,
        mean=_number(mean.value),
        **_bounds(mean),
        median=_number(np.median(runs.ranked)),
        spread=_number(logs.std(ddof=1) if len(logs) > 1 else math.nan),
        scored_mean=_number(mean_estimate(np.log(runs.scored.survivors), confidence).exp().value),
        **{name: _number(scores[survived].mean() if len(logs) else math.nan) for name, scores in runs.others.items()},
    )


def last_scores(comparison: Comparison) -> dict[str, dict[str, float | None]]:
    """Of each variant after its last epoch: the geometric mean of all runs that have a score, and how many failed."""
    last = {name: row for standing in reversed(comparison.standings) for name, row in standing.variants.items()}
    return {name: {comparison.metric: row.scored_mean, "n": row.n, "failed": row.failed} for name, row in last.items()}


def untested(scores: Scores, settings: Compare) -> list[Untested]:
    """The hypotheses and controls without a test, and why."""
    families: dict[records.Family, Sequence[Hypothesis]]
    families = {"declared": settings.hypotheses, "control": settings.controls}
    return [
        Untested(h.id, family, f"{h.variant} and {h.against} were scored at no epoch in common")
        for family, hypotheses in families.items()
        for h in hypotheses
        if not shared_epochs(h, scores)
    ]


def sensitivity(metrics: pd.DataFrame, settings: Compare) -> dict[str, list[Retest]]:
    """The declared hypotheses decided again by each further classifier's metric, a column `<metric>_classifier_<k>`.

    They score a variant after its last epoch only. So hypotheses that are decided earlier, because their variants'
    last epochs differ, are left out and leave the family. The same runs failed: `digits` are those that the study's
    first classifier sees.
    """
    metrics = metrics[metrics["variant"].isin(settings.declared)]
    scores = read_scores(metrics, settings.metric, settings.collapse)
    published = {
        contrast.hypothesis.id: verdict(contrast)
        for contrast in run_tests("declared", settings.hypotheses, scores, settings)
    }
    last = {name: max(epochs) for name, epochs in scores.items()}
    again = [h for h in settings.hypotheses if h.id in published and last[h.variant] == last[h.against]]
    metrics = metrics[metrics["epoch"] == metrics["variant"].map(last)]

    def tested(metric: str) -> list[Contrast]:
        return run_tests("declared", again, read_scores(metrics, metric, settings.collapse), settings)

    return {
        column: [
            Retest(
                id=contrast.hypothesis.id,
                **_ratios(contrast),
                p_adjusted=contrast.p_adjusted,
                verdict=verdict(contrast),
                agree=verdict(contrast) == published[contrast.hypothesis.id],
            )
            for contrast in tested(column)
        ]
        for column in map(str, metrics)
        if re.fullmatch(rf"{settings.metric}_classifier_\d+", column)
    }


def entry(contrast: Contrast) -> records.Contrast:
    """A contrast's record."""
    h = contrast.hypothesis
    alone = failed_alone(*on_shared_seeds(contrast.variant, contrast.against))
    improvement = probability_of_improvement(contrast.variant.ranked, contrast.against.ranked)
    return records.Contrast(
        id=h.id,
        family=contrast.family,
        kind=h.kind,
        paired=contrast.paired,
        variant=h.variant,
        against=h.against,
        text=h.text,
        epoch=contrast.epoch,
        n=Counts(*contrast.n),
        failures=Failures(*contrast.failed, alone=Counts(*alone), p=discordance_test(*alone)),
        **_ratios(contrast),
        p=contrast.p,
        p_adjusted=contrast.p_adjusted,
        p_difference=contrast.difference.p if contrast.family == "control" else None,
        p_difference_adjusted=contrast.p_difference_adjusted,
        hedges_g=_number(hedges_g(contrast.survivors_log_differences)) if contrast.paired else None,
        improvement=_number(improvement),
        verdict=verdict(contrast),
        reason=explain(contrast),
    )


class _Bounds(TypedDict):
    low: float | None
    high: float | None


class _Ratios(_Bounds):
    ratio: float | None
    scored_ratio: Ratio


def _ratios(contrast: Contrast) -> _Ratios:
    ratio, scored = contrast.ratio, contrast.scored_ratio
    return {
        "ratio": _number(ratio.value),
        **_bounds(ratio),
        "scored_ratio": Ratio(_number(scored.value), **_bounds(scored)),
    }


def _number(value: float) -> float | None:
    """None for NaN and infinity, which JSON lacks."""
    return float(value) if math.isfinite(value) else None


def _bounds(estimate: Estimate) -> _Bounds:
    bounded = math.isfinite(estimate.high)
    return {"low": estimate.low if bounded else None, "high": estimate.high if bounded else None}
