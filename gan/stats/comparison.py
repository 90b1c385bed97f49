"""All variants compared, from tables of metrics to a record fit for JSON: every rank, contrast and verdict."""

import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from gan.stats.contrasts import Control, Evidence, Pairs, decide, explore, missing, obstacle, weigh
from gan.stats.explanations import explain
from gan.stats.inference import Estimate, discordance_test, hedges_g, mean_estimate, share_estimate
from gan.stats.scores import Runs, Scores, read_scores

if TYPE_CHECKING:
    from gan.study.schema import Compare


def compare(metrics: pd.DataFrame, settings: "Compare", preregistration: str | None = None) -> dict[str, Any]:
    """Test hypotheses and controls, set every other variant beside the reference, rank all: a dict fit for JSON.

    `metrics` has a row per run and scored epoch: `variant`, `seed`, `epoch`, `status` at that epoch (finished or
    failed), the metric, more to average. Each interval has confidence 1 − alpha. What the data leave undefined is
    None. `preregistration` is the digest of what was declared beforehand, only passed on.

    Superiority: sign-flip test on log differences, on their signed ranks when a failure makes one infinite.
    Equivalence: TOST on pairs that survived; void when one variant failed more often. Exploratory contrasts: rank
    sums of all runs; a variant that shares no epoch with the reference has none.

    Raises:
        StudyError: an epoch of a run appears twice, has an unknown status or finished without a metric.
    """
    scores = read_scores(metrics, settings.metric, settings.collapse)
    last_epochs = {max(epochs) for epochs in scores.values()}
    return {
        "metric": settings.metric,
        "alpha": settings.alpha,
        "margin": settings.margin,
        "collapse": settings.collapse,
        "preregistration": preregistration,
        "standings": [standing(epoch, scores, 1 - settings.alpha) for epoch in sorted(last_epochs, reverse=True)],
        "contrasts": [entry(evidence) for evidence in [*decide(scores, settings), *explore(scores, settings)]],
        "untested": untested(scores, settings),
    }


def standing(epoch: int, scores: Scores, confidence: float) -> dict[str, Any]:
    """All variants that were scored at that epoch, ranked and summed up."""
    runs = {name: epochs[epoch] for name, epochs in scores.items() if epoch in epochs}
    variants = {name: summarise(of, confidence) for name, of in runs.items()}
    return {"epochs": epoch, "ranking": rank(runs), "variants": variants}


def rank(runs: Mapping[str, Runs]) -> list[str]:
    """Best first: lower median with failures at +inf, then more survivors, geometric mean, name."""

    def key(variant: str) -> tuple[float, int, float, str]:
        survivors = runs[variant].survivors
        mean = float(np.log(survivors).mean()) if len(survivors) else math.inf
        return float(np.median(runs[variant].ranked)), -len(survivors), mean, variant

    return sorted(runs, key=key)


def summarise(runs: Runs, confidence: float) -> dict[str, Any]:
    """One variant at one epoch.

    Of its survivors, `finished` in number: geometric mean with t interval, SD of logs, means of other scores. Of all
    runs: median with failures at +inf, rate of failure with Clopper and Pearson's interval. `scored_mean` is the
    geometric mean of all that have a score, collapsed ones included.
    """
    logs, survived = np.log(runs.survivors), ~runs.failed
    mean = mean_estimate(logs, confidence).exp()
    failures = share_estimate(int(runs.failed.sum()), len(runs.seeds), confidence)
    return {
        "n": len(runs.seeds),
        "finished": len(logs),
        "collapsed": int(runs.collapsed.sum()),
        "diverged": int(runs.diverged.sum()),
        "failed": int(runs.failed.sum()),
        "failure_rate": failures.value,
        "failure_low": failures.low,
        "failure_high": failures.high,
        "mean": _number(mean.value),
        **_bounds(mean),
        "median": _number(np.median(runs.ranked)),
        "spread": _number(logs.std(ddof=1) if len(logs) > 1 else math.nan),
        "scored_mean": _number(mean_estimate(np.log(runs.scored.survivors), confidence).exp().value),
        **{name: _number(of[survived].mean() if len(logs) else math.nan) for name, of in runs.others.items()},
    }


def untested(scores: Scores, settings: "Compare") -> list[dict[str, Any]]:
    """The hypotheses and controls without data, and why."""
    families = {"declared": settings.hypotheses, "control": settings.controls}
    return [
        {"id": h.id, "family": family, "missing": missing(h, scores), "reason": reason}
        for family, hypotheses in families.items()
        for h in hypotheses
        if (reason := obstacle(h, scores))
    ]


def sensitivity(metrics: pd.DataFrame, settings: "Compare") -> dict[str, list[dict[str, Any]]]:
    """The declared hypotheses decided again by each further classifier's metric, a column `<metric>_classifier_<k>`.

    What failed is the same: `digits` are the study's own classifier's. `agree`: the verdict is the study's own, too.
    """
    named = {name for h in settings.hypotheses for name in (h.variant, h.against)}
    metrics = metrics[metrics["variant"].isin(named)]

    def weighed(metric: str) -> list[Evidence]:
        return weigh("declared", settings.hypotheses, read_scores(metrics, metric, settings.collapse), settings)

    own = {evidence.hypothesis.id: evidence.verdict for evidence in weighed(settings.metric)}
    return {
        column: [
            {
                "id": evidence.hypothesis.id,
                **_ratios(evidence),
                "p_adjusted": evidence.p_adjusted,
                "verdict": evidence.verdict,
                "agree": evidence.verdict == own[evidence.hypothesis.id],
            }
            for evidence in weighed(column)
        ]
        for column in map(str, metrics)
        if re.fullmatch(rf"{settings.metric}_classifier_\d+", column)
    }


def entry(evidence: Evidence) -> dict[str, Any]:
    """A contrast's entry.

    `n` and `failures` count runs, those on shared seeds where the contrast is paired. `failures.alone` counts the
    shared seeds on which one variant alone failed, with McNemar's p. `ratio` is of the runs that survived, and
    `scored_ratio` of all that have a score, collapsed ones included; `improvement` ranks failures last.
    """
    h, sample = evidence.hypothesis, evidence.sample
    pairs = Pairs.shared(sample.variant, sample.against)
    p_difference, p_difference_adjusted = (
        (evidence.p_difference, evidence.p_difference_adjusted) if isinstance(evidence, Control) else (None, None)
    )
    return {
        "id": h.id,
        "family": evidence.family,
        "kind": h.kind,
        "paired": sample.paired,
        "variant": h.variant,
        "against": h.against,
        "text": h.text,
        "epoch": evidence.epoch,
        "n": _both(sample.n),
        "failures": {
            **_both(sample.failed),
            "alone": _both(pairs.failed_alone),
            "p": discordance_test(*pairs.failed_alone),
        },
        **_ratios(evidence),
        "p": evidence.p,
        "p_adjusted": evidence.p_adjusted,
        "p_difference": p_difference,
        "p_difference_adjusted": p_difference_adjusted,
        "hedges_g": _number(hedges_g(pairs.survived_differences)) if sample.paired else None,
        "improvement": _number(sample.improvement),
        "verdict": evidence.verdict,
        "reason": explain(evidence),
    }


def _ratios(evidence: Evidence) -> dict[str, Any]:
    ratio, scored = evidence.ratio, evidence.sample.scored_ratio(1 - evidence.settings.alpha)
    return {
        "ratio": _number(ratio.value),
        **_bounds(ratio),
        "scored_ratio": {"ratio": _number(scored.value), **_bounds(scored)},
    }


def _both(counts: tuple[int, int]) -> dict[str, int]:
    return {"variant": counts[0], "against": counts[1]}


def _number(value: float) -> float | None:
    """JSON knows no NaN and no infinity."""
    return float(value) if math.isfinite(value) else None


def _bounds(estimate: Estimate) -> dict[str, float | None]:
    bounded = math.isfinite(estimate.high)
    return {"low": estimate.low if bounded else None, "high": estimate.high if bounded else None}
