"""Why a contrast has its verdict, in a sentence."""

import math
from collections.abc import Sequence

from gan.stats.contrasts import Control, Equivalence, Evidence, Pairs, Sample
from gan.stats.inference import Estimate, pairs_for_verdict


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
    if evidence.verdict == "insufficient data":
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
