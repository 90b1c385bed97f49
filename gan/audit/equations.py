"""The losses as their sources write them, in NumPy and with derivatives by hand: the one telling beside the code's."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

Array: TypeAlias = NDArray[np.float64]
Player: TypeAlias = Literal["generator", "discriminator"]


@dataclass(frozen=True)
class Equation:
    """A loss as its source writes it.

    `evaluate(real_logits, fake_logits, real_label)` takes logits `[logit, batch]` and returns the loss `[logit]` and
    the batch size times dL/dlogit by kind of image, each `[logit, batch]`. Derivatives are worked out by hand, in forms
    that do not round away either tail.
    """

    text: str
    evaluate: Callable[[Array, Array, float], tuple[Array, dict[str, Array]]]


def _softplus(logits: Array) -> Array:
    return np.logaddexp(0, logits)


def _mean_of_fakes(text: str, value: Callable[[Array], Array], slope: Callable[[Array], Array]) -> Equation:
    """A generator's loss that is the mean of one value per generated image."""
    return Equation(text, lambda real, fake, label: (value(fake).mean(-1), {"fake": slope(fake)}))


def _cross_entropy(real: Array, fake: Array, label: float, weight: float = 1.0) -> tuple[Array, dict[str, Array]]:
    value = label * _softplus(-real) + (1 - label) * _softplus(real) + _softplus(fake)
    by_real = (1 - label) * expit(real) - label * expit(-real)
    return weight * value.mean(-1), {"real": weight * by_real, "fake": weight * expit(fake)}


def _rescaled(real: Array, fake: Array, label: float) -> tuple[Array, dict[str, Array]]:
    # (1 - mean D) / mean D is a constant of the batch: it has no part in the derivative.
    scale = expit(-fake).mean(-1) / expit(fake).mean(-1)
    return -scale * _softplus(fake).mean(-1), {"fake": -scale[:, None] * expit(fake)}


def _least_squares(real: Array, fake: Array, label: float) -> tuple[Array, dict[str, Array]]:
    return ((real - label) ** 2 + fake**2).mean(-1) / 2, {"real": real - label, "fake": fake}


def _wasserstein(real: Array, fake: Array, label: float) -> tuple[Array, dict[str, Array]]:
    return (fake - real).mean(-1), {"real": -np.ones_like(real), "fake": np.ones_like(fake)}


def _hinge(real: Array, fake: Array, label: float) -> tuple[Array, dict[str, Array]]:
    value = np.maximum(1 - real, 0) + np.maximum(1 + fake, 0)
    return value.mean(-1), {"real": np.where(real < 1, -1.0, 0.0), "fake": np.where(fake > -1, 1.0, 0.0)}


def _relativistic(real: Array, fake: Array, label: float) -> tuple[Array, dict[str, Array]]:
    slope = expit(fake - real)
    return _softplus(fake - real).mean(-1), {"real": -slope, "fake": slope}


def _relativistic_generator(real: Array, fake: Array, label: float) -> tuple[Array, dict[str, Array]]:
    return _softplus(real - fake).mean(-1), {"fake": -expit(real - fake)}


_SATURATING = _mean_of_fakes("E log(1 − D(G(z)))", lambda fake: -_softplus(fake), lambda fake: -expit(fake))
_NON_SATURATING = _mean_of_fakes("−E log D(G(z))", lambda fake: _softplus(-fake), lambda fake: -expit(-fake))
_LABEL_ZERO = _mean_of_fakes("−E log(1 − D(G(z)))", _softplus, expit)
_LINEAR = _mean_of_fakes("−E l_f", lambda fake: -fake, lambda fake: -np.ones_like(fake))
_CROSS_ENTROPY = Equation("−E log D(x) − E log(1 − D(G(z)))", _cross_entropy)

# The equation that each objective's name claims; its text is for a label 1 of real images. An objective that is not
# here has none on record.
EQUATIONS: dict[str, dict[Player, Equation]] = {
    "minimax": {"generator": _SATURATING, "discriminator": _CROSS_ENTROPY},
    "minimax_logits": {"generator": _SATURATING, "discriminator": _CROSS_ENTROPY},
    "minimax_rescaled": {
        "generator": Equation("(1 − mean D)/(mean D) · E log(1 − D(G(z)))", _rescaled),
        "discriminator": _CROSS_ENTROPY,
    },
    "non_saturating": {"generator": _NON_SATURATING, "discriminator": _CROSS_ENTROPY},
    "non_saturating_logits": {"generator": _NON_SATURATING, "discriminator": _CROSS_ENTROPY},
    "cewl": {
        "generator": _NON_SATURATING,
        "discriminator": Equation(
            "½ E[l_f + log(1 + exp(−l_f)) + log(1 + exp(−l_r))]", partial(_cross_entropy, weight=0.5)
        ),
    },
    "bce_label_zero": {"generator": _LABEL_ZERO, "discriminator": _CROSS_ENTROPY},
    "least_squares": {
        "generator": _mean_of_fakes("½ E(l_f − 1)²", lambda fake: (fake - 1) ** 2 / 2, lambda fake: fake - 1),
        "discriminator": Equation("½ E(l_r − 1)² + ½ E l_f²", _least_squares),
    },
    "wasserstein": {"generator": _LINEAR, "discriminator": Equation("E l_f − E l_r", _wasserstein)},
    "hinge": {"generator": _LINEAR, "discriminator": Equation("E max(0, 1 − l_r) + E max(0, 1 + l_f)", _hinge)},
    "relativistic": {
        "generator": Equation("E log(1 + exp(−(l_f − l_r)))", _relativistic_generator),
        "discriminator": Equation("E log(1 + exp(−(l_r − l_f)))", _relativistic),
    },
}
