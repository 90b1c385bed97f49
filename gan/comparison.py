"""The verdict: which tests the declared hypotheses get, and the rule that turns their numbers into a word.

The seed is the unit: a contrast pairs two variants on their shared seeds. The metric is positive and lower is
better; differences are of its logarithm, so that an effect is a ratio. A failed run counts as +infinity.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from statsmodels.stats.multitest import multipletests

from gan.errors import StudyError
from gan.statistics import (
    Estimate,
    Floats,
    equivalence_test,
    hedges_g,
    hodges_lehmann,
    mean_estimate,
    pairs_for_verdict,
    probability_of_improvement,
    sign_flip_test,
    signed_ranks,
)

Verdict = Literal["supported", "refuted", "undecided", "descriptive only"]

AVERAGED = ("kid", "precision", "recall", "density", "coverage", "digits")


class Hypothesis(Protocol):
    """A study's prediction: `variant` is better than (superiority) or as good as (equivalence) `against`."""

    @property
    def id(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def variant(self) -> str: ...
    @property
    def against(self) -> str: ...
    @property
    def text(self) -> str: ...


@dataclass(frozen=True)
class Rule:
    """The numbers that decide: level, equivalence margin (a ratio above 1) and the metric's column."""

    alpha: float
    margin: float
    metric: str


@dataclass(frozen=True)
class ExploratoryHypothesis:
    """A contrast that nobody declared: its variant against the reference, tested in a family of its own."""

    variant: str
    against: str
    kind: str = "superiority"

    @property
    def id(self) -> str:
        return f"E: {self.variant} vs {self.against}"

    @property
    def text(self) -> str:
        return f"{self.variant} gives a lower metric than {self.against} (not declared beforehand)."


@dataclass(frozen=True)
class Pairs:
    """Scores of two variants on their shared seeds, `[pair]` each; +inf where the run failed."""

    variant: Floats
    against: Floats

    @property
    def failed(self) -> tuple[int, int]:
        return int(np.isinf(self.variant).sum()), int(np.isinf(self.against).sum())

    @property
    def equally_failed(self) -> bool:
        return self.failed[0] == self.failed[1]

    @cached_property
    def log_differences(self) -> Floats:
        """Below 0 where `variant` is better; ±inf where one of the two failed, 0 where both did."""
        known = np.isfinite(self.variant) | np.isfinite(self.against)
        return np.subtract(np.log(self.variant), np.log(self.against), out=np.zeros(len(known)), where=known)

    @property
    def finished_differences(self) -> Floats:
        """Log differences of the pairs in which both runs finished."""
        return self.log_differences[np.isfinite(self.variant) & np.isfinite(self.against)]

    @property
    def ranked(self) -> bool:
        """Whether a failure leaves only the order of the differences to test."""
        return bool(np.isinf(self.log_differences).any())

    @property
    def flipped(self) -> Floats:
        """What the sign-flip test flips."""
        return signed_ranks(self.log_differences) if self.ranked else self.log_differences


@dataclass(frozen=True)
class Evidence:
    """One contrast after its test: p before and after Holm over a family of `family` tests."""

    hypothesis: Hypothesis
    pairs: Pairs
    p: float
    p_adjusted: float
    family: int
    rule: Rule

    @cached_property
    def ratio(self) -> Estimate:
        return hodges_lehmann(self.pairs.finished_differences, 1 - self.rule.alpha).exp()

    @cached_property
    def mean_ratio(self) -> Estimate:
        """With the interval that belongs to TOST, at the level that the family leaves each of its tests."""
        return mean_estimate(self.pairs.finished_differences, 1 - 2 * self.rule.alpha / self.family).exp()

    @property
    def equivalence(self) -> bool:
        return self.hypothesis.kind == "equivalence"

    @property
    def void(self) -> bool:
        """Unequal failures: the finished pairs alone can't show that two variants are equivalent."""
        return self.equivalence and not self.pairs.equally_failed

    @property
    def opposed(self) -> bool:
        """The mean, which is tested, and the typical seed, which is reported, point different ways."""
        mean, typical = self.pairs.flipped.sum(), self.ratio.value - 1
        return not self.pairs.ranked and bool(np.sign(mean) != np.sign(typical))

    @property
    def verdict(self) -> Verdict:
        """With enough pairs p decides whether, and the sign of what was tested decides which way.

        Equivalence is refuted when the interval that belongs to TOST lies wholly beyond the margin.
        """
        tested = self.pairs.finished_differences if self.equivalence else self.pairs.flipped
        if len(tested) < pairs_for_verdict(self.family, self.rule.alpha):
            return "descriptive only"
        significant = self.p_adjusted <= self.rule.alpha
        if self.equivalence:
            return self._equivalence_verdict(significant)
        if not significant or self.opposed:
            return "undecided"
        return "supported" if tested.sum() < 0 else "refuted"

    def _equivalence_verdict(self, significant: bool) -> Verdict:
        if self.void:
            return "undecided"
        if significant:
            return "supported"
        beyond = self.mean_ratio.low > self.rule.margin or self.mean_ratio.high < 1 / self.rule.margin
        return "refuted" if beyond else "undecided"


def compare(
    metrics: pd.DataFrame,
    hypotheses: Sequence[Hypothesis],
    reference: str,
    alpha: float,
    margin: float,
    metric: str,
) -> dict[str, Any]:
    """Test the hypotheses, set every other variant beside `reference`, rank all: a dict fit for JSON.

    `metrics` has a row per run: `variant`, `seed`, `status` (finished or failed), `metric`, more to average.
    Each interval has confidence 1 − alpha. What the data leave undefined is None.

    Superiority: sign-flip test on log differences, on their signed ranks when a failure makes one infinite.
    Equivalence: TOST on pairs that finished; void when one variant failed more often. Holm over the declared
    hypotheses that have data, and apart from them over the exploratory contrasts.

    Raises:
        StudyError: a run appears twice, has an unknown status or finished without a metric; an unknown kind.
    """
    rule = Rule(alpha, margin, metric)
    scores = score_runs(metrics, metric)
    ranking = rank(scores)
    missing = [[name for name in (h.variant, h.against) if name not in scores] for h in hypotheses]
    declared = [h for h, absent in zip(hypotheses, missing, strict=True) if not absent]
    exploratory = [
        ExploratoryHypothesis(variant, reference)
        for variant in ranking
        if reference in scores
        and variant != reference
        and not any({variant, reference} == {h.variant, h.against} for h in hypotheses)
    ]
    return {
        "metric": metric,
        "alpha": alpha,
        "margin": margin,
        "variants": {
            str(name): summarise(runs, metric, 1 - alpha) for name, runs in metrics.groupby("variant", sort=False)
        },
        "ranking": ranking,
        "contrasts": [entry(evidence, declared=True) for evidence in weigh(declared, scores, rule)]
        + [entry(evidence, declared=False) for evidence in weigh(exploratory, scores, rule)],
        "untested": [{"id": h.id, "missing": absent} for h, absent in zip(hypotheses, missing, strict=True) if absent],
    }


def score_runs(metrics: pd.DataFrame, metric: str) -> dict[str, pd.Series]:
    """Each variant's metric by seed, +inf for a failed run; StudyError on a run that can't be scored."""
    runs = metrics.set_index(["variant", "seed"]).sort_index()
    finished = (runs["status"] == "finished").to_numpy()
    measured = runs[[metric, *(name for name in AVERAGED if name in runs and name != metric)]].astype(float)
    complete = np.isfinite(measured.to_numpy()).all(axis=1)
    faults: dict[str, NDArray[np.bool_]] = {
        "has more than one row of metrics": np.asarray(runs.index.duplicated()),
        "is neither finished nor failed": ~runs["status"].isin(["finished", "failed"]).to_numpy(),
        "finished, but a metric is missing or infinite": finished & ~complete,
        f"finished, but its {metric} is not positive": finished & (measured[metric] <= 0).to_numpy(),
    }
    for fault, faulty in faults.items():
        if faulty.any():
            variant, seed = runs.index[faulty][0]
            raise StudyError(f"{variant}, seed {seed}: the run {fault}; evaluate {variant} again")
    scores = measured[metric].where(finished, math.inf)
    return {str(name): scores[name] for name in metrics["variant"].unique()}


def rank(scores: dict[str, pd.Series]) -> list[str]:
    """Best first: lower median with failures at +inf, then more finished runs, geometric mean, name."""

    def standing(variant: str) -> tuple[float, int, float, str]:
        values = scores[variant].to_numpy()
        finished = values[np.isfinite(values)]
        mean = float(np.log(finished).mean()) if len(finished) else math.inf
        return float(np.median(values)), -len(finished), mean, variant

    return sorted(scores, key=standing)


def summarise(runs: pd.DataFrame, metric: str, confidence: float) -> dict[str, Any]:
    """One variant: geometric mean and t interval, median with failures at +inf, SD of logs, other means."""
    finished = runs[runs["status"] == "finished"]
    failed = len(runs) - len(finished)
    values = finished[metric].to_numpy(float)
    mean = mean_estimate(np.log(values), confidence).exp()
    return {
        "n": len(runs),
        "finished": len(finished),
        "failed": failed,
        "mean": _number(mean.value),
        **_bounds(mean),
        "median": _number(np.median(np.append(values, np.full(failed, math.inf)))),
        "spread": _number(np.log(values).std(ddof=1) if len(values) > 1 else math.nan),
        **{name: _number(finished[name].mean()) for name in AVERAGED if name in runs and name != metric},
    }


def weigh(hypotheses: Sequence[Hypothesis], scores: dict[str, pd.Series], rule: Rule) -> list[Evidence]:
    """Test one family: pair on shared seeds, then Holm over all of them (1979)."""
    if not hypotheses:
        return []
    pairs = [_pair(scores[h.variant], scores[h.against]) for h in hypotheses]
    p = [_test(h, pair, rule.margin) for h, pair in zip(hypotheses, pairs, strict=True)]
    adjusted = multipletests(p, method="holm")[1]
    return [
        Evidence(h, pair, before, float(after), len(p), rule)
        for h, pair, before, after in zip(hypotheses, pairs, p, adjusted, strict=True)
    ]


def _pair(variant: pd.Series, against: pd.Series) -> Pairs:
    seeds = variant.index.intersection(against.index)
    return Pairs(variant.loc[seeds].to_numpy(), against.loc[seeds].to_numpy())


def _test(hypothesis: Hypothesis, pairs: Pairs, margin: float) -> float:
    if hypothesis.kind == "superiority":
        return sign_flip_test(pairs.flipped)
    if hypothesis.kind == "equivalence":
        # A void test must not be rejected either: that would loosen Holm's bounds for the others.
        return equivalence_test(pairs.finished_differences, margin) if pairs.equally_failed else 1.0
    raise ValueError(f"{hypothesis.id}: kind {hypothesis.kind!r} is not superiority or equivalence")


def entry(evidence: Evidence, declared: bool) -> dict[str, Any]:
    """A contrast's entry: effects on the pairs that finished, `improvement` with failures as worst."""
    hypothesis, pairs = evidence.hypothesis, evidence.pairs
    return {
        "id": hypothesis.id,
        "declared": declared,
        "kind": hypothesis.kind,
        "variant": hypothesis.variant,
        "against": hypothesis.against,
        "text": hypothesis.text,
        "n": len(pairs.variant),
        "failed": dict(zip(("variant", "against"), pairs.failed, strict=True)),
        "ratio": _number(evidence.ratio.value),
        **_bounds(evidence.ratio),
        "p": evidence.p,
        "p_adjusted": evidence.p_adjusted,
        "hedges_g": _number(hedges_g(pairs.finished_differences)),
        "improvement": _number(probability_of_improvement(pairs.variant, pairs.against)),
        "verdict": evidence.verdict,
        "reason": explain(evidence),
    }


def _number(value: float) -> float | None:
    """JSON knows no NaN and no infinity."""
    return float(value) if math.isfinite(value) else None


def _bounds(estimate: Estimate) -> dict[str, float | None]:
    bounded = math.isfinite(estimate.high)
    return {"low": estimate.low if bounded else None, "high": estimate.high if bounded else None}


def explain(evidence: Evidence) -> str:
    """The verdict's reason: one sentence, the finding first, then what follows from it."""
    return f"{_finding(evidence)}{_conclusion(evidence)}."


def _finding(evidence: Evidence) -> str:
    h, pairs, ratio, rule = evidence.hypothesis, evidence.pairs, evidence.ratio, evidence.rule
    n, finished = len(pairs.variant), len(pairs.finished_differences)
    seeds = f"{n} seed{'s' * (n != 1)}"
    p = f"adjusted p {_p_value(evidence.p_adjusted)}"
    if not n:
        return f"{h.variant} and {h.against} share no seed"
    if not finished:
        return f"No seed finished with both {h.variant} and {h.against} ({seeds}, {p})"
    interval = f"{_digits(100 * (1 - rule.alpha))} % interval {_digits(ratio.low)} to {_digits(ratio.high)}"
    numbers = [
        f"ratio {_digits(ratio.value)}",
        *([interval] if math.isfinite(ratio.high) else []),
        seeds if finished == n else f"the {finished} of {seeds} that finished with both",
        p,
    ]
    return f"{_comparison(ratio.value, rule.metric.upper(), h)} ({', '.join(numbers)})"


def _comparison(ratio: float, metric: str, hypothesis: Hypothesis) -> str:
    variant, against = hypothesis.variant, hypothesis.against
    if ratio == 1:
        return f"{metric} is the same with {variant} as with {against}"
    if ratio >= 2:
        return f"{metric} is {_digits(ratio)} times as high with {variant} as with {against}"
    change = f"{_digits(100 * abs(ratio - 1))} % {'lower' if ratio < 1 else 'higher'}"
    return f"{metric} is {change} with {variant} than with {against}"


def _conclusion(evidence: Evidence) -> str:
    h, rule, verdict = evidence.hypothesis, evidence.rule, evidence.verdict
    failed = f"{evidence.pairs.failed[0]} of {h.variant}, {evidence.pairs.failed[1]} of {h.against}"
    if verdict == "descriptive only":
        needed = pairs_for_verdict(evidence.family, rule.alpha)
        family = f"a family of {evidence.family} contrast{'s' * (evidence.family != 1)}"
        usable = f"{needed} shared seeds{' that finished' * evidence.equivalence}"
        return f": too few seeds for a verdict, as {family} at alpha = {rule.alpha:g} needs at least {usable}"
    if evidence.equivalence:
        if evidence.void:
            return f", but unequal failures ({failed}) void the test of equivalence"
        within = f"a factor of {rule.margin:g}"
        low, high = _digits(evidence.mean_ratio.low), _digits(evidence.mean_ratio.high)
        level = f"{_digits(100 - 200 * rule.alpha / evidence.family)} % interval of the mean ratio, {low} to {high}"
        return {
            "supported": f", so the two agree within {within}",
            "refuted": f", and the {level}, lies wholly beyond {within}",
            "undecided": f", and the {level}, does not settle whether the two agree within {within}",
        }[verdict]
    ranking = f"; with failed runs ranked last ({failed})" if any(evidence.pairs.failed) else ""
    if verdict == "undecided":
        if evidence.p_adjusted <= rule.alpha:
            return f"{ranking}, but the mean over seeds points the other way, so the seeds don't agree"
        return f"{ranking}, a difference that chance alone could bring about"
    better = h.variant if verdict == "supported" else h.against
    return f"{ranking}, {better} does better seed by seed" if ranking else ""


def _digits(value: float) -> str:
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}"


def _p_value(p: float) -> str:
    return f"= {p:.3g}" if p >= 1e-5 else "< 1e-5"
