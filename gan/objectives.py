"""The adversarial objectives: logits in, one loss per run out.

Logits have shape `[run, batch]`, losses `[run]`; each player minimises its own. A run's loss has the same bits
whatever the number of runs beside it, so the element-wise functions here are those whose result does not depend
on an element's place in memory.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

_VECTOR = 64


def probability(logits: Tensor) -> Tensor:
    """D = sigmoid(logit), of the shape of `logits`.

    torch.sigmoid rounds differently in the remainder that does not fill a vector register, so the batch is padded
    to full registers: a value must not depend on how many runs are computed together.
    """
    batch = logits.shape[-1]
    rest = batch % _VECTOR
    return torch.sigmoid(F.pad(logits, (0, _VECTOR - rest)))[..., :batch] if rest else torch.sigmoid(logits)


def binary_cross_entropy(probabilities: Tensor, label: float) -> Tensor:
    """torch.nn.BCELoss of each run against one label, `[run, batch]` to `[run]`: logarithms end at -100.

    BCELoss raises an error on NaN, which would stop every run for the sake of one; here that run's loss is NaN.
    """
    broken = probabilities.isnan()
    labels = torch.full_like(probabilities, label)
    losses = F.binary_cross_entropy(probabilities.masked_fill(broken, 0.5), labels, reduction="none")
    return losses.masked_fill(broken, torch.nan).mean(-1)


@dataclass(frozen=True)
class Objective:
    """A pair of losses to be minimised.

    `discriminator(real_logits, fake_logits, real_label)` and `generator(fake_logits)` return one loss per run.
    `real_label` is the label of real images (1, or less for one-sided label smoothing).
    """

    discriminator: Callable[[Tensor, Tensor, float], Tensor]
    generator: Callable[[Tensor], Tensor]


def discriminator_cross_entropy(real_logits: Tensor, fake_logits: Tensor, real_label: float) -> Tensor:
    """-E log D(x) - E log(1 - D(G(z))), Goodfellow et al. 2014, as two BCELoss terms on probabilities."""
    real = binary_cross_entropy(probability(real_logits), real_label)
    return real + binary_cross_entropy(probability(fake_logits), 0.0)


def generator_minimax(fake_logits: Tensor) -> Tensor:
    """E log(1 - D(G(z))), the generator's share of the value function (Goodfellow et al. 2014, eq. 1)."""
    return -binary_cross_entropy(probability(fake_logits), 0.0)


def generator_non_saturating(fake_logits: Tensor) -> Tensor:
    """-E log D(G(z)), BCELoss of generated images against label 1 (Goodfellow et al. 2014, section 3)."""
    return binary_cross_entropy(probability(fake_logits), 1.0)


def discriminator_cewl(real_logits: Tensor, fake_logits: Tensor, real_label: float) -> Tensor:
    """1/2 E[l_f + log(1 + exp(-l_f)) + log(1 + exp(-l_r))], cross-entropy with logits (claim Q8).

    log(1 + exp(-l)) is written -logsigmoid(l), which does not overflow; a label y < 1 adds (1 - y) l_r.
    """
    real = (1 - real_label) * real_logits - F.logsigmoid(real_logits)
    return ((fake_logits - F.logsigmoid(fake_logits)).mean(-1) + real.mean(-1)) / 2


def generator_cewl(fake_logits: Tensor) -> Tensor:
    """E log(1 + exp(-l_f)), cross-entropy with logits against label 1 (claim Q8)."""
    return -F.logsigmoid(fake_logits).mean(-1)


OBJECTIVES = {
    "minimax": Objective(discriminator_cross_entropy, generator_minimax),
    "non_saturating": Objective(discriminator_cross_entropy, generator_non_saturating),
    "cewl": Objective(discriminator_cewl, generator_cewl),
}
