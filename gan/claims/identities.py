"""The identities that the sources' claims rest on, checked in float64."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from gan.audit.equations import EQUATIONS, SAME, as_array, relative_errors, say

# Literally written, 1 - D rounds above a logit of 15; BCELoss bounds p (1 - p) by 1e-12 and logarithms by -100.
LOWEST, HIGHEST, STEP = -40.0, 15.0, 0.25


def identities() -> list[dict[str, Any]]:
    """The algebra of CLAIMS.md in float64: id of the claim, key, statement, measure, error, tolerance, holds.

    `error` is the largest relative error of what the statement equates, or the share of logits at which an inequality
    fails. A statement that does not hold refutes what it states and faults no code.
    """
    logits = torch.arange(LOWEST, HIGHEST + STEP / 2, STEP, dtype=torch.float64)
    core = logits[logits >= -HIGHEST]
    real, fake = core.flip(0), core
    ones, zeros = torch.ones_like(core), torch.zeros_like(core)
    bce = nn.BCELoss(reduction="none")

    def log_d(logit: Tensor) -> Tensor:
        return torch.log(torch.sigmoid(logit))

    def log_not_d(logit: Tensor) -> Tensor:
        return torch.log(1 - torch.sigmoid(logit))

    def slope(loss: Callable[[Tensor], Tensor], at: Tensor) -> Tensor:
        leaf = at.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(loss(leaf).sum(), leaf)
        return gradient

    def equal(have: Tensor, want: Tensor) -> tuple[str, float, float]:
        return "relative error", float(relative_errors(as_array(have), as_array(want)).max()), SAME

    def always(true: Tensor) -> tuple[str, float, float]:
        return "share of logits", float((~true).double().mean()), 0.0

    d, not_d = torch.sigmoid(logits), torch.sigmoid(-logits)
    softplus = torch.logaddexp(torch.zeros_like(logits), logits)
    minimax, non_saturating = slope(log_not_d, logits), slope(lambda logit: -log_d(logit), logits)
    value = log_d(real) + log_not_d(fake)
    value_slope = slope(lambda logit: log_d(real) + log_not_d(logit), fake)
    d_loss = bce(torch.sigmoid(real), ones) + bce(torch.sigmoid(fake), zeros)
    d_loss_slope = slope(lambda logit: bce(torch.sigmoid(logit), zeros), fake)

    def second_term(logit: Tensor) -> Tensor:
        return torch.log(1 + torch.exp(-logit))

    def d_o(logit: Tensor) -> Tensor:
        return (logit + second_term(logit) + torch.log(1 + torch.exp(-real))) / 2

    # A generated image of eight pixels, a discriminator w·G(z), and two real images that G(z) has nothing to do with.
    random = torch.Generator().manual_seed(0)
    image, weights, *others = torch.rand(4, 8, dtype=torch.float64, generator=random)
    judged = slope(lambda g: bce(torch.sigmoid(weights @ g), ones[0]), image)
    rebuilt = [slope(partial(bce, target=other), image) for other in others]

    found = {
        "V1.value": ("−log D(x) − log(1 − D(G(z))) is BCELoss(D(x), 1) + BCELoss(D(G(z)), 0)", equal(-value, d_loss)),
        "V2.gradient": ("d/dl log(1 − D) = −D", equal(minimax, -d)),
        "V2.limit": (
            f"|d/dl log(1 − D)| ≤ D, so it vanishes as D → 0: {say(minimax[0])} at logit −40",
            always(minimax.abs() <= d * (1 + SAME)),
        ),
        "V5.value": ("BCELoss(D(G(z)), 1) = −log D(G(z))", equal(bce(torch.sigmoid(fake), ones), -log_d(fake))),
        "V6.sign": ("log(1 − D) and −log D have gradients of the same sign", always(minimax * non_saturating > 0)),
        "V6.ratio": (
            "the gradient of log(1 − D) over that of −log D is exp(l)",
            equal(minimax / non_saturating, logits.exp()),
        ),
        "V6.equal": ("the gradients of log(1 − D) and −log D are equal", equal(minimax, non_saturating)),
        "T1.negative": (
            "BCELoss(D(G(z)), 0) is minus the minimax generator's log(1 − D(G(z)))",
            equal(bce(torch.sigmoid(fake), zeros), -log_not_d(fake)),
        ),
        "T1.direction": (
            "minimising BCELoss(D(G(z)), 0) moves logits where minimising log(1 − D(G(z))) does",
            always(slope(lambda logit: bce(torch.sigmoid(logit), zeros), fake) * slope(log_not_d, fake) > 0),
        ),
        "T2.positive": (
            "−log(1 − D) and its gradient are above 0 at every logit",
            always((softplus > 0) & (-minimax > 0)),
        ),
        "T2.limit": (
            f"−log(1 − D) and its gradient go to 0 with D: at logit −40 each is D = {say(d[0])}",
            equal(torch.stack([softplus[0], -minimax[0]]), d[0].expand(2)),
        ),
        "T3.size": ("|d/dl −log D| = 1 − D", equal(non_saturating.abs(), not_d)),
        "T3.limit": (
            "|d/dl −log D| goes to 1 as D goes to 0: at logit −40 it is 1",
            equal(non_saturating[:1], -ones[:1]),
        ),
        "Q1.image": (
            "the gradient of BCELoss(D(G(z)), 1) by G(z) is −(1 − D) ∇D_l, without any real image",
            equal(judged, -torch.sigmoid(-weights @ image) * weights),
        ),
        "Q1.reconstruction": (
            "the gradient of BCELoss(G(z), x) by G(z) is the same for two real images x",
            equal(*rebuilt),
        ),
        "Q7.discriminator": ("the discriminator's BCE loss is −V", equal(d_loss, -value)),
        "Q7.minimax": ("the minimax generator's gradient is V's", equal(_by_hand("minimax", fake), value_slope)),
        "Q7.non_saturating": (
            "the non-saturating generator's gradient is V's",
            equal(_by_hand("non_saturating", fake), value_slope),
        ),
        "Q7.cewl": ("CEWL's generator's gradient is V's", equal(slope(second_term, fake), value_slope)),
        "Q8.discriminator": ("D_o is half the discriminator's BCE loss", equal(d_o(fake), d_loss / 2)),
        "Q8.gradient": (
            "D_o's gradient is half that of the discriminator's BCE loss",
            equal(slope(d_o, fake), d_loss_slope / 2),
        ),
        "Q8.generator": ("G_o is the non-saturating loss", equal(second_term(fake), bce(torch.sigmoid(fake), ones))),
        "Q10.decreasing": ("D_o's second term decreases in l_f everywhere", always(slope(second_term, logits) < 0)),
        "Q10.sum": (
            "D_o's second term and its first are log(1 + exp(l_f)) = −log(1 − D(G(z)))",
            equal(fake + second_term(fake), torch.logaddexp(zeros, fake)),
        ),
        "Q10.increasing": (
            "D_o's second term and its first increase in l_f everywhere",
            always(slope(lambda logit: logit + second_term(logit), fake) > 0),
        ),
    }
    return [
        {
            "id": key.split(".")[0],
            "key": key,
            "statement": statement,
            "measure": measure,
            "error": error,
            "tolerance": tolerance,
            "holds": error <= tolerance,
        }
        for key, (statement, (measure, error, tolerance)) in found.items()
    ]


def _by_hand(name: str, fakes: Tensor) -> Tensor:
    """A generator's gradient from its equation's derivative."""
    logits = as_array(fakes)
    return torch.from_numpy(EQUATIONS[name]["generator"].evaluate(logits, logits, 1.0)[1]["fake"])
