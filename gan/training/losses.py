"""The adversarial objectives: logits in, one loss per run out.

Logits have shape `[run, batch]`, losses `[run]`; each player minimises its own.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

Label: TypeAlias = Tensor | float


def binary_cross_entropy(probabilities: Tensor, label: Label) -> Tensor:
    """torch.nn.BCELoss of each run against its label, `[run, batch]` to `[run]`: logarithms end at -100.

    `label` is `[run, 1]`, or one number.

    BCELoss raises an error on NaN, which would stop all runs of a population; here the loss of the broken run is NaN.
    """
    broken = probabilities.isnan()
    labels = torch.zeros_like(probabilities) + label
    losses = F.binary_cross_entropy(probabilities.masked_fill(broken, 0.5), labels, reduction="none")
    return losses.masked_fill(broken, torch.nan).mean(-1)


@dataclass(frozen=True)
class Objective:
    """A pair of losses to be minimised.

    `discriminator(real_logits, fake_logits, real_label)` and `generator(fake_logits)` return one loss per run.
    `real_label` is the label of real images, `[run, 1]` or one number for all (1, or less for one-sided label
    smoothing); an objective that is not `labelled` has no use for one. A `relativistic` generator's loss takes the real
    images' logits, too.
    """

    discriminator: Callable[[Tensor, Tensor, Label], Tensor]
    generator: Callable[..., Tensor]
    labelled: bool = True
    relativistic: bool = False


def softplus(logits: Tensor) -> Tensor:
    """log(1 + exp(l)) as -log sigmoid(-l), which is exact for large l, too; F.softplus returns l itself above 20."""
    return -F.logsigmoid(-logits)


def discriminator_cross_entropy(real_logits: Tensor, fake_logits: Tensor, real_label: Label) -> Tensor:
    """-E log D(x) - E log(1 - D(G(z))), Goodfellow et al. 2014, as two BCELoss terms on probabilities."""
    real = binary_cross_entropy(torch.sigmoid(real_logits), real_label)
    return real + binary_cross_entropy(torch.sigmoid(fake_logits), 0.0)


def discriminator_cross_entropy_logits(real_logits: Tensor, fake_logits: Tensor, real_label: Label) -> Tensor:
    """The same on logits: E softplus(-l_r) + E softplus(l_f); a label y < 1 adds (1 - y) l_r."""
    return (softplus(-real_logits) + (1 - real_label) * real_logits).mean(-1) + softplus(fake_logits).mean(-1)


def generator_minimax(fake_logits: Tensor) -> Tensor:
    """E log(1 - D(G(z))), the generator's share of the value function (Goodfellow et al. 2014, eq. 1)."""
    return -binary_cross_entropy(torch.sigmoid(fake_logits), 0.0)


def generator_minimax_logits(fake_logits: Tensor) -> Tensor:
    """The same on logits: -E softplus(l_f)."""
    return -softplus(fake_logits).mean(-1)


def generator_minimax_rescaled(fake_logits: Tensor) -> Tensor:
    """Minimax times the constant (1 - mean D) / mean D of the batch, "MM-nsat" (Eide, Solberg & Kåsen 2020).

    It has the size of the non-saturating gradient and the sample weighting of minimax.
    """
    mean = torch.sigmoid(fake_logits).mean(-1).detach().clamp_min(torch.finfo(fake_logits.dtype).tiny)
    return (1 - mean) / mean * generator_minimax_logits(fake_logits)


def generator_non_saturating(fake_logits: Tensor) -> Tensor:
    """-E log D(G(z)), BCELoss of generated images against label 1 (Goodfellow et al. 2014, section 3)."""
    return binary_cross_entropy(torch.sigmoid(fake_logits), 1.0)


def generator_non_saturating_logits(fake_logits: Tensor) -> Tensor:
    """The same on logits: E softplus(-l_f); also CEWL's generator, E log(1 + exp(-l_f)) (claim Q8)."""
    return softplus(-fake_logits).mean(-1)


def generator_label_zero(fake_logits: Tensor) -> Tensor:
    """BCELoss of generated images against label 0 (claim T1): -E log(1 - D(G(z))), minimax with its sign lost."""
    return binary_cross_entropy(torch.sigmoid(fake_logits), 0.0)


def discriminator_cewl(real_logits: Tensor, fake_logits: Tensor, real_label: Label) -> Tensor:
    """1/2 E[l_f + log(1 + exp(-l_f)) + log(1 + exp(-l_r))], cross-entropy with logits (claim Q8)."""
    real = softplus(-real_logits) + (1 - real_label) * real_logits
    return ((fake_logits + softplus(-fake_logits)).mean(-1) + real.mean(-1)) / 2


def discriminator_least_squares(real_logits: Tensor, fake_logits: Tensor, real_label: Label) -> Tensor:
    """1/2 E(D(x) - 1)^2 + 1/2 E D(G(z))^2, with the logit for D (Mao et al. 2017, eq. 9)."""
    return ((real_logits - real_label).square().mean(-1) + fake_logits.square().mean(-1)) / 2


def generator_least_squares(fake_logits: Tensor) -> Tensor:
    """1/2 E(D(G(z)) - 1)^2 (Mao et al. 2017, eq. 9)."""
    return (fake_logits - 1).square().mean(-1) / 2


def discriminator_wasserstein(real_logits: Tensor, fake_logits: Tensor, real_label: Label) -> Tensor:
    """E D(G(z)) - E D(x), the critic's, with the logit for D (Arjovsky et al. 2017)."""
    return fake_logits.mean(-1) - real_logits.mean(-1)


def discriminator_hinge(real_logits: Tensor, fake_logits: Tensor, real_label: Label) -> Tensor:
    """E max(0, 1 - D(x)) + E max(0, 1 + D(G(z))), with the logit for D (Lim & Ye 2017)."""
    return (1 - real_logits).relu().mean(-1) + (1 + fake_logits).relu().mean(-1)


def generator_linear(fake_logits: Tensor) -> Tensor:
    """-E D(G(z)), with the logit for D: the Wasserstein and the hinge generator's."""
    return -fake_logits.mean(-1)


def discriminator_relativistic(real_logits: Tensor, fake_logits: Tensor, real_label: Label) -> Tensor:
    """E softplus(-(D(x) - D(G(z)))), pair by pair (Jolicoeur-Martineau 2019; Huang et al. 2024, R3GAN)."""
    return softplus(fake_logits - real_logits).mean(-1)


def generator_relativistic(fake_logits: Tensor, real_logits: Tensor) -> Tensor:
    """E softplus(-(D(G(z)) - D(x))), pair by pair."""
    return softplus(real_logits - fake_logits).mean(-1)


OBJECTIVES = {
    "minimax": Objective(discriminator_cross_entropy, generator_minimax),
    "minimax_logits": Objective(discriminator_cross_entropy_logits, generator_minimax_logits),
    "minimax_rescaled": Objective(discriminator_cross_entropy_logits, generator_minimax_rescaled),
    "non_saturating": Objective(discriminator_cross_entropy, generator_non_saturating),
    "non_saturating_logits": Objective(discriminator_cross_entropy_logits, generator_non_saturating_logits),
    "cewl": Objective(discriminator_cewl, generator_non_saturating_logits),
    "bce_label_zero": Objective(discriminator_cross_entropy, generator_label_zero),
    "least_squares": Objective(discriminator_least_squares, generator_least_squares),
    "wasserstein": Objective(discriminator_wasserstein, generator_linear, labelled=False),
    "hinge": Objective(discriminator_hinge, generator_linear, labelled=False),
    "relativistic": Objective(discriminator_relativistic, generator_relativistic, labelled=False, relativistic=True),
}
