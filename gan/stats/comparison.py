"""All variants compared: from tables of metrics to a record with every rank, contrast and verdict."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

import numpy as np
import pandas as pd

from gan.records import comparison as records
from gan.records.comparison import Comparison, Counts, Failures, Ratio, Retest, Standing, Summary, Untested
from gan.stats.contrasts import Contrast, decide, explore, omnibus_of, run_tests, shared_epochs, unpaired_test, verdict
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
    epoch (finished or failed), `averaged` (the snapshots that its scores average, such as "16 18 20"), the metric, more
    scores to average. Nothing is compared with what is on other data. Each
    interval has confidence 1 − alpha. What the data leave undefined is None. `preregistration` is the checksum of what
    was declared beforehand; it is only passed on.

    Superiority: sign-flip test on log differences, on their signed ranks where a failure makes one infinite.
    Equivalence: TOST on the pairs that survived; no verdict when one variant failed more often. Controls: equivalence,
    and one test of all their variants, permuted within seeds. Exploratory contrasts: rank sums of all runs. Two
    variants that share no scored epoch are not tested.

    Raises:
        StudyError: an epoch of a run appears twice, has an unknown status or is finished without a metric.
    """
    scores = read_scores(metrics, settings.metric, settings.learnt)
    by_data = on_each_data_set(metrics, scores, settings.reference)
    beside_reference = next(iter(by_data.values()), {})
    averaged = averaged_snapshots(metrics)
    decided = decide(scores, settings)
    return Comparison(
        metric=settings.metric,
        alpha=settings.alpha,
        margin=settings.margin,
        learnt=records.Learnt(**settings.learnt.model_dump()),
        preregistration=preregistration,
        standings=[
            standing(data, epoch, among, averaged[data, epoch], settings)
            for data, among in by_data.items()
            for epoch in sorted({max(epochs) for epochs in among.values()}, reverse=True)
        ],
        contrasts=[entry(contrast) for contrast in [*decided, *explore(beside_reference, settings)]],
        untested=untested(scores, settings),
        omnibus=omnibus_of(decided),
    )


def on_each_data_set(metrics: pd.DataFrame, scores: Scores, reference: str) -> dict[str, Scores]:
    """The scores of the variants on each data set, those beside the reference first."""
    data = metrics.drop_duplicates("variant").set_index("variant")["data"].to_dict()
    order = dict.fromkeys(data[name] for name in (reference, *scores) if name in data)
    return {each: {name: scores[name] for name in scores if data[name] == each} for each in order}


def averaged_snapshots(metrics: pd.DataFrame) -> dict[tuple[str, int], list[int]]:
    """The snapshots that the scores on a data set after so many epochs average; they are the same for all variants."""
    first = metrics.drop_duplicates(["data", "epoch"])
    return {
        (str(data), int(epoch)): [int(snapshot) for snapshot in averaged.split()]
        for data, epoch, averaged in first[["data", "epoch", "averaged"]].itertuples(index=False)
    }


def standing(data: str, epoch: int, scores: Scores, averaged: list[int], settings: Compare) -> Standing:
    """All variants of one data set that were scored at that epoch, ranked and summed up."""
    runs = {name: epochs[epoch] for name, epochs in scores.items() if epoch in epochs}
    summaries = {name: summary(each, 1 - settings.alpha) for name, each in runs.items()}
    ranking = rank(runs)
    return Standing(data, epoch, averaged, ranking, places(ranking, runs, settings), summaries)


def rank(runs: Mapping[str, Runs]) -> list[str]:
    """Best first, by the mean that is shown: the survivors'; those without survivors come last, by all their runs'."""

    def key(variant: str) -> tuple[bool, float, str]:
        survivors, scored = runs[variant].survivors, runs[variant].scored.survivors
        shown = survivors if len(survivors) else scored
        return not len(survivors), float(np.log(shown).mean()) if len(shown) else math.inf, variant

    return sorted(runs, key=key)


def places(ranking: Sequence[str], runs: Mapping[str, Runs], settings: Compare) -> dict[str, int]:
    """Each variant's place in the ranking, one more than the variants before its group.

    A group begins with its best variant. The next one in the ranking belongs to the group unless it is worse than that
    best one: by the rank-sum test at alpha, failures last, and by a ratio of their means beyond the margin. Where all
    runs of one failed, there is no ratio, and the test decides.
    """
    best, *others = ranking
    placed = {best: 1}
    for number, variant in enumerate(others, 2):
        if is_worse(runs[variant], runs[best], settings):
            best = variant
        placed[variant] = number if best == variant else placed[best]
    return placed


def is_worse(variant: Runs, best: Runs, settings: Compare) -> bool:
    """Whether `variant` does not share the place of `best`: the rule of `places`."""
    if len(variant.survivors) and len(best.survivors):
        ratio = np.log(variant.survivors).mean() - np.log(best.survivors).mean()
        if ratio <= math.log(settings.margin):
            return False  # whatever the test, which takes long where failures tie
    test = unpaired_test(variant, best)
    return test.p <= settings.alpha and test.direction > 0


def summary(runs: Runs, confidence: float) -> Summary:
    """One variant at one epoch."""
    logs, survived = np.log(runs.survivors), ~runs.failed
    mean = mean_estimate(logs, confidence).exp()
    failures = share_estimate(int(runs.failed.sum()), len(runs.seeds), confidence)
    return Summary(
        n=len(runs.seeds),
        finished=len(logs),
        learnt=runs.count("learnt"),
        not_yet=runs.count("not yet"),
        never_learnt=runs.count("never learnt"),
        mode_collapse=runs.count("mode collapse"),
        diverged=runs.count("diverged"),
        failed=int(runs.failed.sum()),
        failure_rate=failures.value,
        failure_low=failures.low,
        failure_high=failures.high,
        mean=number(mean.value),
        **bounds(mean),
        median=number(np.median(runs.ranked)),
        spread=number(logs.std(ddof=1) if len(logs) > 1 else math.nan),
        scored_mean=number(mean_estimate(np.log(runs.scored.survivors), confidence).exp().value),
        **{name: number(scores[survived].mean() if len(logs) else math.nan) for name, scores in runs.others.items()},
    )


def key_figures(comparison: Comparison) -> dict[str, Any]:
    """The declared verdicts, and every score by its variant and epoch, for `dvc metrics show` and `dvc metrics diff`.

    A score is the geometric mean of all runs that have one. The ratio of a verdict is that of the runs that survived,
    or of all where none did, as the report has it.
    """
    verdicts: dict[str, Any] = {}
    for contrast in comparison.contrasts:
        if contrast.family != "exploratory":
            ratio = contrast if contrast.ratio is not None else contrast.scored_ratio
            verdicts[contrast.id] = {
                "verdict": contrast.verdict,
                "after_epochs": contrast.epoch,
                "ratio": ratio.ratio,
                "low": ratio.low,
                "high": ratio.high,
                "p_adjusted": contrast.p_adjusted,
                "seeds": min(contrast.n.variant, contrast.n.against),
            }
    scores: dict[str, dict[str, dict[str, float | None]]] = {}
    for standing in reversed(comparison.standings):
        for name, row in standing.variants.items():
            figures = {comparison.metric: row.scored_mean, "runs": row.n, "learnt": row.learnt, "failed": row.failed}
            scores.setdefault(name, {})[f"after_{standing.epochs}_epochs"] = figures
    return {"verdicts": verdicts, "scores": scores}


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
    scores = read_scores(metrics, settings.metric, settings.learnt)
    published = {
        contrast.hypothesis.id: verdict(contrast)
        for contrast in run_tests("declared", settings.hypotheses, scores, settings)
    }
    last = {name: max(epochs) for name, epochs in scores.items()}
    again = [h for h in settings.hypotheses if h.id in published and last[h.variant] == last[h.against]]
    metrics = metrics[metrics["epoch"] == metrics["variant"].map(last)]

    def tested(metric: str) -> list[Contrast]:
        return run_tests("declared", again, read_scores(metrics, metric, settings.learnt), settings)

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
        hedges_g=number(hedges_g(contrast.survivors_log_differences)) if contrast.paired else None,
        improvement=number(improvement),
        verdict=verdict(contrast),
        reason=explain(contrast),
    )


class Bounds(TypedDict):
    low: float | None
    high: float | None


class _Ratios(Bounds):
    ratio: float | None
    scored_ratio: Ratio


def _ratios(contrast: Contrast) -> _Ratios:
    ratio, scored = contrast.ratio, contrast.scored_ratio
    return {
        "ratio": number(ratio.value),
        **bounds(ratio),
        "scored_ratio": Ratio(number(scored.value), **bounds(scored)),
    }


def number(value: float) -> float | None:
    """None for NaN and infinity, which JSON lacks."""
    return float(value) if math.isfinite(value) else None


def bounds(estimate: Estimate) -> Bounds:
    """An interval's ends; None where the sample is too small for one."""
    bounded = math.isfinite(estimate.high)
    return {"low": estimate.low if bounded else None, "high": estimate.high if bounded else None}
