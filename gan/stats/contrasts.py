"""The decision: how the hypotheses are tested, and the rule that turns the tests' numbers into verdicts.

Two variants are compared at the last epoch at which both were scored. There are three families, each with a Holm
correction of its own. *Declared* hypotheses and *controls*, the same mathematics in two forms, pair two variants on
their shared seeds. *Exploratory* contrasts compare all runs of both: pairing gains nothing here, because the scores of
two variants on one seed are about uncorrelated, and a few runs can still be told apart from many. Six pairs never
reach p < 2/2^6; six runs against ten reach 2/C(16, 6).

Controls ask two things. Each asks whether its two forms are equivalent, within the margin. One *omnibus* test asks
whether any of all their forms differs from another: its alarm tells that a difference was detected, however small.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce

import numpy as np
from scipy import stats

from gan.records.comparison import Family, Omnibus, Verdict
from gan.stats.inference import (
    Estimate,
    Floats,
    blocks_test,
    equivalence_test,
    hodges_lehmann,
    hodges_lehmann_shift,
    holm,
    mean_estimate,
    pairs_for_verdict,
    probability_of_improvement,
    rank_sum_test,
    sign_flip_test,
)
from gan.stats.scores import Runs, Scores, on_shared_seeds, ordered_differences, survivors_log_differences
from gan.study.schema import Compare, Hypothesis


@dataclass(frozen=True)
class DifferenceTest:
    """Whether two variants differ, failures counting as worst.

    `p` is two-sided, `smallest_p` the least that so many runs can give; `direction` is below 0 where the first variant
    is better.
    """

    p: float
    smallest_p: float
    direction: float


def paired_test(variant: Runs, against: Runs) -> DifferenceTest:
    """Sign flips of paired runs."""
    differences = ordered_differences(variant, against)
    return DifferenceTest(sign_flip_test(differences), 2 / 2 ** len(differences), float(differences.sum()))


def unpaired_test(variant: Runs, against: Runs) -> DifferenceTest:
    """Rank sums of all runs."""
    smallest_p = 2 / math.comb(len(variant.seeds) + len(against.seeds), len(variant.seeds))
    improvement = probability_of_improvement(variant.ranked, against.ranked)
    return DifferenceTest(rank_sum_test(variant.ranked, against.ranked), smallest_p, 0.5 - improvement)


def paired_ratio(variant: Runs, against: Runs, confidence: float) -> Estimate:
    """Hodges and Lehmann's ratio of the pairs in which both runs survived."""
    return hodges_lehmann(survivors_log_differences(variant, against), confidence).exp()


def unpaired_ratio(variant: Runs, against: Runs, confidence: float) -> Estimate:
    """Hodges and Lehmann's ratio of all runs that survived."""
    return hodges_lehmann_shift(np.log(variant.survivors), np.log(against.survivors), confidence).exp()


@dataclass(frozen=True)
class Contrast:
    """A hypothesis after its test, in a family of `family_size` tests.

    The runs are those at `epoch`, on shared seeds if the test is paired. `p` is the hypothesis's own, of a difference
    or of equivalence. Controls have the `omnibus` test of them all.
    """

    hypothesis: Hypothesis
    family: Family
    family_size: int
    epoch: int
    variant: Runs
    against: Runs
    settings: Compare
    difference: DifferenceTest
    p: float
    p_adjusted: float
    omnibus: Omnibus | None = None

    @property
    def paired(self) -> bool:
        return self.family != "exploratory"

    @property
    def n(self) -> tuple[int, int]:
        return len(self.variant.seeds), len(self.against.seeds)

    @cached_property
    def failed(self) -> tuple[int, int]:
        return int(self.variant.failed.sum()), int(self.against.failed.sum())

    @cached_property
    def ratio(self) -> Estimate:
        """variant / against, of the runs that survived."""
        return self._ratio(self.variant, self.against)

    @cached_property
    def scored_ratio(self) -> Estimate:
        """variant / against, of all runs that have a score, failed ones included."""
        return self._ratio(self.variant.scored, self.against.scored)

    def _ratio(self, variant: Runs, against: Runs) -> Estimate:
        return (paired_ratio if self.paired else unpaired_ratio)(variant, against, 1 - self.settings.alpha)

    @cached_property
    def survivors_log_differences(self) -> Floats:
        """What equivalence is tested on."""
        return survivors_log_differences(self.variant, self.against)

    @cached_property
    def mean_ratio(self) -> Estimate:
        """With the interval that belongs to TOST, at the level that the family leaves each of its tests."""
        level = 1 - 2 * self.settings.alpha / self.family_size
        return mean_estimate(self.survivors_log_differences, level).exp()

    @property
    def significant(self) -> bool:
        return self.p_adjusted <= self.settings.alpha

    @property
    def detected(self) -> bool:
        """Whether some form of the same mathematics differs from another by more than chance."""
        return self.omnibus is not None and self.omnibus.alarm

    @property
    def identical(self) -> bool:
        """Whether all scores are the same to the last bit, which no number of seeds makes surer."""
        scores, others = self.variant.metric, self.against.metric
        return bool(np.isfinite(scores).any()) and np.array_equal(scores, others, equal_nan=True)


def verdict(contrast: Contrast) -> Verdict:
    """The rule that was declared beforehand: the first line that fits decides."""
    match "control" if contrast.family == "control" else contrast.hypothesis.kind:
        case "superiority" if contrast.difference.smallest_p * contrast.family_size > contrast.settings.alpha:
            return "insufficient data"
        case "superiority" if not contrast.significant or _mean_and_typical_seed_disagree(contrast):
            return "undecided"
        case "superiority":
            return "supported" if contrast.difference.direction < 0 else "refuted"
        case "control" if contrast.identical:
            return "equivalent"
        case _ if len(contrast.survivors_log_differences) < _fewest_pairs(contrast):
            return "insufficient data"
        case _ if unequal_failures(contrast.variant, contrast.against):
            return "undecided"
        case "control" if contrast.significant:
            return "detected, within the margin" if contrast.detected else "equivalent"
        case _ if contrast.significant:
            return "supported"
        case kind if _beyond_margin(contrast):
            return "different" if kind == "control" else "refuted"
        case _:
            return "undecided"


def unequal_failures(variant: Runs, against: Runs) -> bool:
    """Whether one variant failed more often: then the survivors alone can't show that the two are equivalent."""
    return bool(variant.failed.sum() != against.failed.sum())


def _mean_and_typical_seed_disagree(contrast: Contrast) -> bool:
    """Whether the mean of the pairs, which is tested, and their median ratio, which is reported, point apart.

    Signed ranks, which are tested where one run of a pair failed, have no mean that could disagree.
    """
    if not contrast.paired or (contrast.variant.failed != contrast.against.failed).any():
        return False
    return bool(np.sign(contrast.difference.direction) != np.sign(contrast.ratio.value - 1))


def _fewest_pairs(contrast: Contrast) -> int:
    return pairs_for_verdict(contrast.family_size, contrast.settings.alpha)


def _beyond_margin(contrast: Contrast) -> bool:
    """Whether the mean ratio's interval lies wholly beyond the margin of equivalence."""
    margin = contrast.settings.margin
    return contrast.mean_ratio.low > margin or contrast.mean_ratio.high < 1 / margin


def decide(scores: Scores, settings: Compare) -> list[Contrast]:
    """The whole decision on what was declared beforehand: the hypotheses, then the controls."""
    return [
        *run_tests("declared", settings.hypotheses, scores, settings),
        *run_tests("control", settings.controls, scores, settings, omnibus(scores, settings)),
    ]


def omnibus(scores: Scores, settings: Compare) -> Omnibus | None:
    """The one test of all forms that the controls name and `scores` have; None if no two share an epoch and a seed.

    Log scores are permuted within seeds, the blocks; where a run failed, their ranks within each seed are, failures
    last, as in Friedman's test (1937).
    """
    forms = [name for name in settings.forms if name in scores]
    epochs = set.intersection(*(set(scores[name]) for name in forms)) if len(forms) > 1 else set()
    if not epochs:
        return None
    epoch = max(epochs)
    runs = [scores[name][epoch] for name in forms]
    seeds = reduce(np.intersect1d, [each.seeds for each in runs])
    if not len(seeds):
        return None
    ranked = np.stack([each.ranked[np.isin(each.seeds, seeds)] for each in runs], axis=1)
    p = blocks_test(np.log(ranked) if np.isfinite(ranked).all() else stats.rankdata(ranked, axis=1))
    return Omnibus(forms, epoch, len(seeds), p, alarm=p <= settings.alpha)


def omnibus_of(contrasts: Iterable[Contrast]) -> Omnibus | None:
    """The test that all controls among the contrasts share."""
    return next((contrast.omnibus for contrast in contrasts if contrast.omnibus), None)


def explore(scores: Scores, settings: Compare) -> list[Contrast]:
    """Every variant against the reference, except what was declared so and the controls, which repeat a variant.

    `scores` are those on the reference's data set.
    """
    repeated = {control.variant for control in settings.controls}
    declared = [{h.variant, h.against} for h in (*settings.hypotheses, *settings.controls)]
    hypotheses = [
        _exploratory(variant, settings.reference)
        for variant in scores
        if variant not in {settings.reference, *repeated} and {variant, settings.reference} not in declared
    ]
    return run_tests("exploratory", hypotheses, scores, settings)


def _exploratory(variant: str, reference: str) -> Hypothesis:
    """A contrast that nobody declared; not validated, because its id is no name that params.yaml may have."""
    return Hypothesis.model_construct(
        id=f"E: {variant} vs {reference}",
        kind="superiority",
        variant=variant,
        against=reference,
        text=f"{variant} gives a lower metric than {reference} (not declared beforehand).",
    )


def run_tests(
    family: Family,
    hypotheses: Sequence[Hypothesis],
    scores: Scores,
    settings: Compare,
    omnibus: Omnibus | None = None,
) -> list[Contrast]:
    """Test a family: those of its hypotheses whose variants share a scored epoch, corrected for their number."""
    testable = [h for h in hypotheses if shared_epochs(h, scores)]
    samples = [last_shared_runs(h, scores) for h in testable]
    test = unpaired_test
    if family != "exploratory":
        samples = [(epoch, *on_shared_seeds(variant, against)) for epoch, variant, against in samples]
        test = paired_test
    differences = [test(variant, against) for _, variant, against in samples]
    p_values = [
        difference.p if h.kind == "superiority" else _equivalence_p(variant, against, settings.margin)
        for h, difference, (_, variant, against) in zip(testable, differences, samples, strict=True)
    ]
    return [
        Contrast(
            hypothesis=h,
            family=family,
            family_size=len(testable),
            epoch=epoch,
            variant=variant,
            against=against,
            settings=settings,
            difference=difference,
            p=p,
            p_adjusted=p_adjusted,
            omnibus=omnibus,
        )
        for h, (epoch, variant, against), difference, p, p_adjusted in zip(
            testable, samples, differences, p_values, holm(p_values).tolist(), strict=True
        )
    ]


def _equivalence_p(variant: Runs, against: Runs, margin: float) -> float:
    """TOST's p; 1 where unequal failures forbid a verdict, because a rejection would loosen Holm's other bounds."""
    if unequal_failures(variant, against):
        return 1.0
    return equivalence_test(survivors_log_differences(variant, against), margin)


def shared_epochs(hypothesis: Hypothesis, scores: Scores) -> set[int]:
    """The epochs at which both variants were scored; none if one is not compared or a pilot lacks it."""
    return scores.get(hypothesis.variant, {}).keys() & scores.get(hypothesis.against, {}).keys()


def last_shared_runs(hypothesis: Hypothesis, scores: Scores) -> tuple[int, Runs, Runs]:
    """The last epoch at which both variants were scored, and their runs there."""
    epoch = max(shared_epochs(hypothesis, scores))
    return epoch, scores[hypothesis.variant][epoch], scores[hypothesis.against][epoch]
