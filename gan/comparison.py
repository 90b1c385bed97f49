"""The verdict: which tests the hypotheses get, and the rule that turns their numbers into a word.

The metric is positive and lower is better; differences are of its logarithm, so that an effect is a ratio. A run has
failed if it diverged (the metric is not finite) or collapsed (it draws too few digits): either counts as +infinity,
the worst. Two variants are compared at the last epoch at which both were scored.

Three families, each under a Holm correction of its own. *Declared* hypotheses and *controls*, the same mathematics in
two forms, pair two variants on their shared seeds. *Exploratory* contrasts compare all runs of both: over seeds the
pairing buys nothing here, for the scores of two variants on one seed are about uncorrelated, and few runs beside many
can still be told apart. Four pairs never reach p < 2/2^4, four runs beside twelve reach 2/C(16, 4).
"""

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, Self, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gan.errors import StudyError
from gan.statistics import (
    Estimate,
    Floats,
    discordance_test,
    equivalence_test,
    hedges_g,
    hodges_lehmann,
    hodges_lehmann_shift,
    holm,
    mean_estimate,
    pairs_for_verdict,
    probability_of_improvement,
    rank_sum_test,
    share_estimate,
    sign_flip_test,
    signed_ranks,
)

if TYPE_CHECKING:
    from gan.study import Compare

Family = Literal["declared", "control", "exploratory"]
Verdict = Literal["supported", "refuted", "undecided", "descriptive only", "equivalent", "different"]

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
class ExploratoryHypothesis:
    """A contrast that nobody declared: its variant against the reference."""

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
class Runs:
    """One variant's runs at one scored epoch, `[run]` each, by rising seed.

    `metric` is NaN where the run diverged; `others` are its other scores.
    """

    seeds: NDArray[np.int64]
    metric: Floats
    collapsed: NDArray[np.bool_]
    others: Mapping[str, Floats] = field(default_factory=dict)

    @cached_property
    def diverged(self) -> NDArray[np.bool_]:
        return np.isnan(self.metric)

    @cached_property
    def failed(self) -> NDArray[np.bool_]:
        return self.diverged | self.collapsed

    @cached_property
    def ranked(self) -> Floats:
        """The metric, +inf where the run failed."""
        return np.where(self.failed, np.inf, self.metric)

    @cached_property
    def survivors(self) -> Floats:
        """The metric of the runs that didn't fail."""
        return self.metric[~self.failed]

    @property
    def scored(self) -> "Runs":
        """The same runs, the collapsed ones taken for survivors."""
        return replace(self, collapsed=np.zeros_like(self.collapsed))

    def at(self, places: NDArray[np.int64]) -> "Runs":
        """Those runs alone, without their other scores."""
        return Runs(self.seeds[places], self.metric[places], self.collapsed[places])


Scores: TypeAlias = Mapping[str, Mapping[int, Runs]]
"""Each variant's runs by epoch."""


@dataclass(frozen=True)
class Sample(ABC):
    """What a contrast is tested on: two variants' runs at one epoch."""

    variant: Runs
    against: Runs
    paired: ClassVar[bool]

    @property
    def n(self) -> tuple[int, int]:
        return len(self.variant.seeds), len(self.against.seeds)

    @cached_property
    def failed(self) -> tuple[int, int]:
        return int(self.variant.failed.sum()), int(self.against.failed.sum())

    @cached_property
    def improvement(self) -> float:
        """P(a run of `variant` is better than one of `against`)."""
        return probability_of_improvement(self.variant.ranked, self.against.ranked)

    def scored_ratio(self, confidence: float) -> Estimate:
        """As `ratio`, of all runs that have a score, collapsed ones included."""
        return type(self)(self.variant.scored, self.against.scored).ratio(confidence)

    @abstractmethod
    def ratio(self, confidence: float) -> Estimate:
        """Hodges and Lehmann's ratio variant / against of the runs that survived."""

    @abstractmethod
    def difference_test(self) -> float:
        """Two-sided p that the two variants are equal, failures counting as worst."""

    @property
    @abstractmethod
    def direction(self) -> float:
        """Below 0 where what `difference_test` tests favours `variant`."""

    @property
    @abstractmethod
    def smallest_p(self) -> float:
        """The least that `difference_test` can give for so many runs."""


@dataclass(frozen=True)
class Pairs(Sample):
    """Runs of two variants on the same seeds, `[pair]` each."""

    paired = True

    @classmethod
    def shared(cls, variant: Runs, against: Runs) -> Self:
        """The runs on those seeds that both variants have."""
        _, first, second = np.intersect1d(variant.seeds, against.seeds, assume_unique=True, return_indices=True)
        return cls(variant.at(first), against.at(second))

    @cached_property
    def log_differences(self) -> Floats:
        """Below 0 where `variant` is better; ±inf where one of the two failed, 0 where both did."""
        known = ~(self.variant.failed & self.against.failed)
        logs = np.log(self.variant.ranked), np.log(self.against.ranked)
        return np.subtract(*logs, out=np.zeros(len(known)), where=known)

    @cached_property
    def survived_differences(self) -> Floats:
        """Log differences of the pairs in which both runs survived."""
        return self.log_differences[~(self.variant.failed | self.against.failed)]

    @property
    def ranked(self) -> bool:
        """Whether a failure leaves only the order of the differences to test."""
        return bool(np.isinf(self.log_differences).any())

    @cached_property
    def flipped(self) -> Floats:
        """What the sign-flip test flips."""
        return signed_ranks(self.log_differences) if self.ranked else self.log_differences

    @property
    def failed_alone(self) -> tuple[int, int]:
        """Pairs in which `variant` failed and `against` did not, and the reverse."""
        variant, against = self.variant.failed, self.against.failed
        return int((variant & ~against).sum()), int((against & ~variant).sum())

    def ratio(self, confidence: float) -> Estimate:
        return hodges_lehmann(self.survived_differences, confidence).exp()

    def difference_test(self) -> float:
        return sign_flip_test(self.flipped)

    @property
    def direction(self) -> float:
        return float(self.flipped.sum())

    @property
    def smallest_p(self) -> float:
        return 2 / 2 ** len(self.flipped)


@dataclass(frozen=True)
class Groups(Sample):
    """All runs of two variants, not paired."""

    paired = False

    def ratio(self, confidence: float) -> Estimate:
        return hodges_lehmann_shift(np.log(self.variant.survivors), np.log(self.against.survivors), confidence).exp()

    def difference_test(self) -> float:
        return rank_sum_test(self.variant.ranked, self.against.ranked)

    @property
    def direction(self) -> float:
        return 0.5 - self.improvement

    @property
    def smallest_p(self) -> float:
        return 2 / math.comb(sum(self.n), self.n[0])


@dataclass(frozen=True)
class Evidence(ABC):
    """One contrast after its test: p before and after Holm over a family of `size` tests."""

    hypothesis: Hypothesis
    family: Family
    size: int
    epoch: int
    sample: Sample
    settings: "Compare"
    p: float
    p_adjusted: float

    @cached_property
    def ratio(self) -> Estimate:
        return self.sample.ratio(1 - self.settings.alpha)

    @property
    def significant(self) -> bool:
        return self.p_adjusted <= self.settings.alpha

    @property
    @abstractmethod
    def verdict(self) -> Verdict: ...


@dataclass(frozen=True)
class Superiority(Evidence):
    """p decides whether, the sign of what was tested which way."""

    @property
    def opposed(self) -> bool:
        """The mean, which is tested, and the typical seed, which is reported, point different ways."""
        if not isinstance(self.sample, Pairs) or self.sample.ranked:
            return False
        return bool(np.sign(self.sample.direction) != np.sign(self.ratio.value - 1))

    @property
    def verdict(self) -> Verdict:
        if self.sample.smallest_p * self.size > self.settings.alpha:
            return "descriptive only"
        if not self.significant or self.opposed:
            return "undecided"
        return "supported" if self.sample.direction < 0 else "refuted"


@dataclass(frozen=True)
class Equivalence(Evidence):
    """Supported by TOST, refuted when the interval that belongs to TOST lies wholly beyond the margin."""

    @property
    def differences(self) -> Floats:
        """What TOST is about: the log differences of the pairs that survived."""
        assert isinstance(self.sample, Pairs)
        return self.sample.survived_differences

    @cached_property
    def mean_ratio(self) -> Estimate:
        """With the interval that belongs to TOST, at the level that the family leaves each of its tests."""
        return mean_estimate(self.differences, 1 - 2 * self.settings.alpha / self.size).exp()

    @property
    def void(self) -> bool:
        """Unequal failures: the pairs that survived can't alone show that two variants are equivalent."""
        return self.sample.failed[0] != self.sample.failed[1]

    @property
    def verdict(self) -> Verdict:
        if len(self.differences) < pairs_for_verdict(self.size, self.settings.alpha):
            return "descriptive only"
        if self.void:
            return "undecided"
        if self.significant:
            return "supported"
        beyond = self.mean_ratio.low > self.settings.margin or self.mean_ratio.high < 1 / self.settings.margin
        return "refuted" if beyond else "undecided"


@dataclass(frozen=True)
class Control(Equivalence):
    """One mathematics in two forms, also tested for a difference: one that shows is an alarm."""

    p_difference: float
    p_difference_adjusted: float

    @property
    def told_apart(self) -> bool:
        return self.p_difference_adjusted <= self.settings.alpha

    @property
    def identical(self) -> bool:
        """Whether all scores are the same to the last bit, which no number of seeds makes surer."""
        scores, others = self.sample.variant.metric, self.sample.against.metric
        return bool(np.isfinite(scores).any()) and np.array_equal(scores, others, equal_nan=True)

    @property
    def verdict(self) -> Verdict:
        verdict = super().verdict
        if self.told_apart or verdict == "refuted":
            return "different"
        return "equivalent" if verdict == "supported" or self.identical else verdict


def compare(metrics: pd.DataFrame, settings: "Compare", declaration: str | None = None) -> dict[str, Any]:
    """Test hypotheses and controls, set every other variant beside the reference, rank all: a dict fit for JSON.

    `metrics` has a row per run and scored epoch: `variant`, `seed`, `epoch`, `status` at that epoch (finished or
    failed), the metric, more to average. Each interval has confidence 1 − alpha. What the data leave undefined is
    None. `declaration` is the digest of what was declared beforehand, only passed on.

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
        "declaration": declaration,
        "standings": [standing(epoch, scores, 1 - settings.alpha) for epoch in sorted(last_epochs, reverse=True)],
        "contrasts": [entry(evidence) for evidence in [*decide(scores, settings), *explore(scores, settings)]],
        "untested": untested(scores, settings),
    }


def read_scores(metrics: pd.DataFrame, metric: str, collapse: int) -> Scores:
    """Each variant's runs by epoch; StudyError on a run that can't be scored.

    A finished run whose `digits` are at most `collapse` has collapsed; at 0, or without that column, none has.
    """
    runs = metrics.set_index(["variant", "epoch", "seed"]).sort_index()
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
            variant, epoch, seed = runs.index[faulty][0]
            raise StudyError(f"{variant}, seed {seed}, epoch {epoch}: the run {fault}; evaluate {variant} again")
    measured.loc[~finished] = np.nan
    drawn = measured["digits"] if "digits" in measured else pd.Series(np.nan, measured.index)
    collapsed = (drawn <= collapse) & (collapse > 0)
    scores: dict[str, dict[int, Runs]] = {}
    for variant, epoch in metrics[["variant", "epoch"]].drop_duplicates().itertuples(index=False):
        rows = measured.loc[(variant, epoch)]
        scores.setdefault(str(variant), {})[int(epoch)] = Runs(
            seeds=rows.index.to_numpy(),
            metric=rows[metric].to_numpy(),
            collapsed=collapsed.loc[(variant, epoch)].to_numpy(),
            others={str(name): rows[name].to_numpy() for name in rows if name != metric},
        )
    return scores


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


def decide(scores: Scores, settings: "Compare") -> list[Evidence]:
    """The whole decision on what was declared beforehand: the hypotheses, then the controls."""
    return [
        *weigh("declared", settings.hypotheses, scores, settings),
        *weigh("control", settings.controls, scores, settings),
    ]


def explore(scores: Scores, settings: "Compare") -> list[Evidence]:
    """Every variant beside the reference, but for those so declared and the controls, which are another's double."""
    doubles = {control.variant for control in settings.controls}
    declared = [{h.variant, h.against} for h in (*settings.hypotheses, *settings.controls)]
    hypotheses = [
        ExploratoryHypothesis(variant, settings.reference)
        for variant in scores
        if variant not in {settings.reference, *doubles} and {variant, settings.reference} not in declared
    ]
    return weigh("exploratory", hypotheses, scores, settings)


def untested(scores: Scores, settings: "Compare") -> list[dict[str, Any]]:
    """The hypotheses and controls without data, and why."""
    families = {"declared": settings.hypotheses, "control": settings.controls}
    return [
        {"id": h.id, "family": family, "missing": _missing(h, scores), "reason": reason}
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


def weigh(family: Family, hypotheses: Sequence[Hypothesis], scores: Scores, settings: "Compare") -> list[Evidence]:
    """Test those of a family's hypotheses that have data, and correct for their number."""
    testable = [h for h in hypotheses if not obstacle(h, scores)]
    found = [last_shared(h, scores) for h in testable]
    sample_of: Callable[[Runs, Runs], Sample] = Groups if family == "exploratory" else Pairs.shared
    samples = [sample_of(variant, against) for _, variant, against in found]
    p = [_test(h, sample, settings.margin) for h, sample in zip(testable, samples, strict=True)]
    differences = [sample.difference_test() for sample in samples] if family == "control" else p
    weighed: list[Evidence] = []
    for h, (epoch, *_), sample, tested, difference in zip(
        testable, found, samples, _corrected(p), _corrected(differences), strict=True
    ):
        about = (h, family, len(testable), epoch, sample, settings, *tested)
        if family == "control":
            weighed.append(Control(*about, *difference))
        else:
            weighed.append(Superiority(*about) if h.kind == "superiority" else Equivalence(*about))
    return weighed


def _corrected(p: Sequence[float]) -> list[tuple[float, float]]:
    """Each p of a family before and after Holm's correction (1979)."""
    return list(zip(p, holm(p).tolist(), strict=True))


def last_shared(hypothesis: Hypothesis, scores: Scores) -> tuple[int, Runs, Runs]:
    """The last epoch at which both variants were scored, and their runs there."""
    variant, against = scores[hypothesis.variant], scores[hypothesis.against]
    epoch = max(variant.keys() & against.keys())
    return epoch, variant[epoch], against[epoch]


def obstacle(hypothesis: Hypothesis, scores: Scores) -> str | None:
    """Why a hypothesis can't be tested."""
    if missing := _missing(hypothesis, scores):
        return f"no data for {' and '.join(missing)}"
    if not scores[hypothesis.variant].keys() & scores[hypothesis.against].keys():
        return f"{hypothesis.variant} and {hypothesis.against} were scored at no epoch in common"
    return None


def _missing(hypothesis: Hypothesis, scores: Scores) -> list[str]:
    return [name for name in (hypothesis.variant, hypothesis.against) if name not in scores]


def _test(hypothesis: Hypothesis, sample: Sample, margin: float) -> float:
    if hypothesis.kind == "superiority":
        return sample.difference_test()
    if hypothesis.kind == "equivalence" and isinstance(sample, Pairs):
        # A void test must not be rejected either: that would loosen Holm's bounds for the others.
        return equivalence_test(sample.survived_differences, margin) if sample.failed[0] == sample.failed[1] else 1.0
    raise ValueError(f"{hypothesis.id}: kind {hypothesis.kind!r} is not superiority or equivalence")


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


def explain(evidence: Evidence) -> str:
    """The verdict's reason: one sentence, the finding first, then what follows from it."""
    return f"{_finding(evidence)}{_conclusion(evidence)}."


def _finding(evidence: Evidence) -> str:
    h, sample = evidence.hypothesis, evidence.sample
    if not all(sample.n):
        return f"{h.variant} and {h.against} share no seed"
    p = f"adjusted p {_p_value(evidence.p_adjusted)}"
    if math.isfinite(evidence.ratio.value):
        return _measured(evidence, evidence.ratio, [_seeds(sample), p])
    lost = [h.variant] * (not len(sample.variant.survivors)) + [h.against] * (not len(sample.against.survivors))
    survived = (
        f"run of {' or '.join(lost)} survived" if lost else f"seed survived with both {h.variant} and {h.against}"
    )
    finding = f"No {survived} ({_seeds(sample)}, {p})"
    scored = sample.scored_ratio(1 - evidence.settings.alpha)
    return (
        f"{finding}; collapsed runs included, {_measured(evidence, scored)}" if math.isfinite(scored.value) else finding
    )


def _measured(evidence: Evidence, ratio: Estimate, further: Sequence[str] = ()) -> str:
    h, metric = evidence.hypothesis, evidence.settings.metric.upper()
    if ratio.value == 1:
        comparison = f"{metric} is the same with {h.variant} as with {h.against}"
    elif ratio.value >= 2:
        comparison = f"{metric} is {_digits(ratio.value)} times as high with {h.variant} as with {h.against}"
    else:
        change = f"{_digits(100 * abs(ratio.value - 1))} % {'lower' if ratio.value < 1 else 'higher'}"
        comparison = f"{metric} is {change} with {h.variant} than with {h.against}"
    level = f"{_digits(100 * (1 - evidence.settings.alpha))} % interval"
    interval = [f"{level} {_digits(ratio.low)} to {_digits(ratio.high)}"] if math.isfinite(ratio.high) else []
    return f"{comparison} ({', '.join([f'ratio {_digits(ratio.value)}', *interval, *further])})"


def _seeds(sample: Sample) -> str:
    """How many seeds a contrast rests on; where some but not all survived, how many did."""
    n, m = sample.n
    if isinstance(sample, Pairs):
        survived, seeds = len(sample.survived_differences), f"{n} seed{'s' * (n != 1)}"
        return seeds if survived in (0, n) else f"the {survived} of {seeds} that survived with both"
    survived, others = n - sample.failed[0], m - sample.failed[1]
    if not (survived and others) or not any(sample.failed):
        return f"{n} against {m} seeds"
    return f"the {survived} of {n} against {others} of {m} seeds that survived"


def _conclusion(evidence: Evidence) -> str:
    if evidence.verdict == "descriptive only":
        return f": too few seeds for a verdict, as {_need(evidence)}"
    failed = f"{evidence.sample.failed[0]} of {evidence.hypothesis.variant}, "
    failed += f"{evidence.sample.failed[1]} of {evidence.hypothesis.against}"
    return _agreement(evidence, failed) if isinstance(evidence, Equivalence) else _ranking(evidence, failed)


def _need(evidence: Evidence) -> str:
    size, alpha = evidence.size, evidence.settings.alpha
    family = f"a family of {size} contrast{'s' * (size != 1)} at alpha = {alpha:g} needs"
    if not evidence.sample.paired:
        return f"{family} p = {_digits(alpha / size)} or less, and so few give {_digits(evidence.sample.smallest_p)}"
    shared = f"{pairs_for_verdict(size, alpha)} shared seeds"
    return f"{family} at least {shared}{' that survived' * isinstance(evidence, Equivalence)}"


def _ranking(evidence: Evidence, failed: str) -> str:
    ranking = f"; with failed runs ranked last ({failed})" if any(evidence.sample.failed) else ""
    if evidence.verdict == "undecided":
        if evidence.significant:
            return f"{ranking}, but the mean over seeds points the other way, so the seeds don't agree"
        return f"{ranking}, a difference that chance alone could bring about"
    better = evidence.hypothesis.variant if evidence.verdict == "supported" else evidence.hypothesis.against
    return f"{ranking}, {better} does better{' seed by seed' * evidence.sample.paired}" if ranking else ""


def _agreement(evidence: Equivalence, failed: str) -> str:
    if isinstance(evidence, Control) and evidence.told_apart:
        p = _p_value(evidence.p_difference_adjusted)
        return f", but the two forms of the same mathematics differ by more than chance (sign flips: adjusted p {p})"
    if isinstance(evidence, Control) and evidence.identical:
        return ", all scores being the same to the last bit"
    if evidence.void:
        return f", but unequal failures ({failed}) void the test of equivalence"
    within = f"a factor of {evidence.settings.margin:g}"
    if evidence.significant:
        return f", so the two agree within {within}"
    low, high = _digits(evidence.mean_ratio.low), _digits(evidence.mean_ratio.high)
    level = (
        f"{_digits(100 - 200 * evidence.settings.alpha / evidence.size)} % interval of the mean ratio, {low} to {high}"
    )
    if evidence.verdict == "undecided":
        return f", and the {level}, does not settle whether the two agree within {within}"
    return f", and the {level}, lies wholly beyond {within}"


def _digits(value: float) -> str:
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}"


def _p_value(p: float) -> str:
    return f"= {p:.3g}" if p >= 1e-5 else "< 1e-5"
