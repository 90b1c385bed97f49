"""How long Adam takes to forget a gradient, and whether freezes of the generator last as long.

Adam (Kingma & Ba 2015) moves a parameter by lr m / (sqrt(v) + eps), where m and v are means of past gradients and of
their squares that forget by beta1 and beta2 a step. A gradient that is small all the time is no obstacle, since v is
small, too. But let a gradient that was 1 fall to r at once and stay there. m follows within some 1 / (1 - beta1) steps,
v = beta2^t + r^2 (1 - beta2^t) does not: the update over lr falls to about r and then grows as r beta2^(-t/2), so it
rises above a level a < 1 after

    t = 2 ln(a / r) / -ln(beta2), about 2 ln(a / r) / (1 - beta2) steps.

eps sets a bound that the update never passes, r / (r + eps).
"""

from collections.abc import Sequence
from math import exp, inf, log

import numpy as np
from scipy import stats

from gan.records.memory import Recovery, Run, Slope

FEWEST = 3  # points of a line whose interval is finite


def recovery_steps(fell_to: float, awake: float, beta2: float, eps: float = 0.0) -> float:
    """Steps until the update over lr, which fell to `fell_to`, is at `awake` < 1, if the gradient stays as it is.

    `eps` is Adam's over the gradient. Infinite if the update never gets there.
    """
    if fell_to >= awake:
        return 0.0
    # sqrt(v) over the gradient, at the level and in the beginning.
    level, begin = (1 / update - eps if update else inf for update in (awake, fell_to))
    if level <= 1 or begin == inf:
        return inf
    return log((level**2 - 1) / (begin**2 - 1)) / log(beta2)


def recovery(runs: Sequence[Run], confidence: float) -> Recovery:
    """How measured times go with beta2 and with the predicted times, over these runs."""
    ended = [(run, [freeze for freeze in run.freezes if freeze.lasted]) for run in runs]
    points = [(run, freezes) for run, freezes in ended if freezes]
    measured = [_mean_log([freeze.lasted or 0 for freeze in freezes]) for _, freezes in points]
    memories = [-log(1 - run.adam.beta2) for run, _ in points]
    foreseen = [[freeze for freeze in freezes if freeze.predicted] for _, freezes in points]
    predicted = [_mean_log([freeze.predicted or 0 for freeze in freezes]) for freezes in foreseen if freezes]
    beside = [_mean_log([freeze.lasted or 0 for freeze in freezes]) for freezes in foreseen if freezes]
    return Recovery(
        runs=len(points),
        ended=sum(len(freezes) for _, freezes in points),
        censored=sum(freeze.lasted is None for run in runs for freeze in run.freezes),
        confidence=confidence,
        slope=_slope(memories, measured, confidence),
        of_prediction=_slope(predicted, beside, confidence),
        ratio=exp(float(np.mean(np.subtract(beside, predicted)))) if predicted else None,
    )


def _mean_log(values: Sequence[float]) -> float:
    return float(np.log(values).mean())


def _slope(x: Sequence[float], y: Sequence[float], confidence: float) -> Slope | None:
    if len(x) < FEWEST or len(set(x)) == 1:
        return None
    line = stats.linregress(x, y)
    margin = stats.t.ppf((1 + confidence) / 2, len(x) - 2) * line.stderr
    return Slope(float(line.slope), float(line.slope - margin), float(line.slope + margin))
