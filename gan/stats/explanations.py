"""Why a contrast has its verdict, in a sentence."""

import math
from collections.abc import Sequence

from gan.formatting import p_relation, three_digits
from gan.stats.contrasts import Contrast, unequal_failures, verdict
from gan.stats.inference import Estimate, pairs_for_verdict


def explain(contrast: Contrast) -> str:
    """One sentence: what was measured, then what follows from it."""
    return f"{_measurement(contrast)}{_conclusion(contrast)}."


def _measurement(contrast: Contrast) -> str:
    h = contrast.hypothesis
    if not all(contrast.n):
        return f"{h.variant} and {h.against} share no seed"
    p = f"adjusted p {p_relation(contrast.p_adjusted)}"
    if math.isfinite(contrast.ratio.value):
        return _comparison(contrast, contrast.ratio, [_seeds(contrast), p])
    lost = [h.variant] * (not len(contrast.variant.survivors)) + [h.against] * (not len(contrast.against.survivors))
    survivor = (
        f"run of {' or '.join(lost)} survived" if lost else f"seed survived with both {h.variant} and {h.against}"
    )
    nothing = f"No {survivor} ({_seeds(contrast)}, {p})"
    if not math.isfinite(contrast.scored_ratio.value):
        return nothing
    return f"{nothing}; failed runs included, {_comparison(contrast, contrast.scored_ratio)}"


def _comparison(contrast: Contrast, ratio: Estimate, further: Sequence[str] = ()) -> str:
    h, metric = contrast.hypothesis, contrast.settings.metric.upper()
    if ratio.value == 1:
        comparison = f"{metric} is the same with {h.variant} as with {h.against}"
    elif ratio.value >= 2:
        comparison = f"{metric} is {three_digits(ratio.value)} times as high with {h.variant} as with {h.against}"
    else:
        change = f"{three_digits(100 * abs(ratio.value - 1))} % {'lower' if ratio.value < 1 else 'higher'}"
        comparison = f"{metric} is {change} with {h.variant} than with {h.against}"
    numbers = [f"ratio {three_digits(ratio.value)}"]
    if math.isfinite(ratio.high):
        level = three_digits(100 * (1 - contrast.settings.alpha))
        numbers.append(f"{level} % interval {three_digits(ratio.low)} to {three_digits(ratio.high)}")
    return f"{comparison} ({', '.join([*numbers, *further])})"


def _seeds(contrast: Contrast) -> str:
    """How many seeds a contrast rests on; where some but not all survived, how many did."""
    n, m = contrast.n
    if contrast.paired:
        survived, seeds = len(contrast.survivors_log_differences), f"{n} seed{'s' * (n != 1)}"
        return seeds if survived in (0, n) else f"the {survived} of {seeds} that survived with both"
    survived, others = len(contrast.variant.survivors), len(contrast.against.survivors)
    if not (survived and others) or not any(contrast.failed):
        return f"{n} against {m} seeds"
    return f"the {survived} of {n} against {others} of {m} seeds that survived"


def _conclusion(contrast: Contrast) -> str:
    if verdict(contrast) == "insufficient data":
        return f": too few seeds for a verdict, as {_required(contrast)}"
    h, (failed, others) = contrast.hypothesis, contrast.failed
    failures = f"{failed} of {h.variant}, {others} of {h.against}"
    return _order(contrast, failures) if h.kind == "superiority" else _agreement(contrast, failures)


def _required(contrast: Contrast) -> str:
    size, alpha = contrast.family_size, contrast.settings.alpha
    family = f"a family of {size} contrast{'s' * (size != 1)} at alpha = {alpha:g} needs"
    if not contrast.paired:
        smallest = three_digits(contrast.difference.smallest_p)
        return f"{family} p = {three_digits(alpha / size)} or less, and so few give {smallest}"
    shared = f"{pairs_for_verdict(size, alpha)} shared seeds"
    return f"{family} at least {shared}{' that survived' * (contrast.hypothesis.kind == 'equivalence')}"


def _order(contrast: Contrast, failures: str) -> str:
    order, decided = f"; with failed runs ranked last ({failures})" if any(contrast.failed) else "", verdict(contrast)
    if decided == "undecided" and contrast.significant:
        return f"{order}, but the mean over seeds points the other way, so the seeds don't agree"
    if decided == "undecided":
        return f"{order}, a difference that chance alone could bring about"
    better = contrast.hypothesis.variant if decided == "supported" else contrast.hypothesis.against
    return f"{order}, {better} does better{' seed by seed' * contrast.paired}" if order else ""


def _detection(contrast: Contrast) -> str:
    test = contrast.omnibus
    if test is None or not test.alarm:
        return ""
    forms = f"the {len(test.variants)} forms of the same mathematics"
    return f", although {forms} differ by more than chance (one test of all: p {p_relation(test.p)})"


def _agreement(contrast: Contrast, failures: str) -> str:
    if contrast.family == "control" and contrast.identical:
        return ", all scores being the same to the last bit"
    if unequal_failures(contrast.variant, contrast.against):
        return f", but unequal failures ({failures}) void the test of equivalence"
    within = f"a factor of {contrast.settings.margin:g}"
    if contrast.significant:
        return f", so the two agree within {within}{_detection(contrast)}"
    level = three_digits(100 - 200 * contrast.settings.alpha / contrast.family_size)
    low, high = three_digits(contrast.mean_ratio.low), three_digits(contrast.mean_ratio.high)
    interval = f"the {level} % interval of the mean ratio, {low} to {high}"
    if verdict(contrast) == "undecided":
        return f", and {interval}, does not settle whether the two agree within {within}"
    return f", and {interval}, lies wholly beyond {within}"
