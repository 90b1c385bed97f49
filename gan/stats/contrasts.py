"""The decision: which tests the hypotheses get, and the rule that turns their numbers into a word.

Two variants are compared at the last epoch at which both were scored. Three families, each under a Holm correction of
its own. *Declared* hypotheses and *controls*, the same mathematics in two forms, pair two variants on their shared
seeds. *Exploratory* contrasts compare all runs of both: over seeds the pairing buys nothing here, for the scores of two
variants on one seed are about uncorrelated, and few runs beside many can still be told apart. Four pairs never reach
p < 2/2^4, four runs beside twelve reach 2/C(16, 4).
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol, Self

import numpy as np

from gan.stats.inference import (
    Estimate,
    Floats,
    equivalence_test,
    hodges_lehmann,
    hodges_lehmann_shift,
    holm,
    mean_estimate,
    pairs_for_verdict,
    probability_of_improvement,
    rank_sum_test,
    sign_flip_test,
    signed_ranks,
)
from gan.stats.scores import Runs, Scores

if TYPE_CHECKING:
    from gan.study.schema import Compare

Family = Literal["declared", "control", "exploratory"]
Verdict = Literal["supported", "refuted", "undecided", "insufficient data", "equivalent", "different"]


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
            return "insufficient data"
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
            return "insufficient data"
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
    if without := missing(hypothesis, scores):
        return f"no data for {' and '.join(without)}"
    if not scores[hypothesis.variant].keys() & scores[hypothesis.against].keys():
        return f"{hypothesis.variant} and {hypothesis.against} were scored at no epoch in common"
    return None


def missing(hypothesis: Hypothesis, scores: Scores) -> list[str]:
    """Those of its two variants that have no runs."""
    return [name for name in (hypothesis.variant, hypothesis.against) if name not in scores]


def _test(hypothesis: Hypothesis, sample: Sample, margin: float) -> float:
    if hypothesis.kind == "superiority":
        return sample.difference_test()
    if hypothesis.kind == "equivalence" and isinstance(sample, Pairs):
        # A void test must not be rejected either: that would loosen Holm's bounds for the others.
        return equivalence_test(sample.survived_differences, margin) if sample.failed[0] == sample.failed[1] else 1.0
    raise ValueError(f"{hypothesis.id}: kind {hypothesis.kind!r} is not superiority or equivalence")
