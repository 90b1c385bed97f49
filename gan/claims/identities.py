"""The algebra that the sources' claims rest on, checked in float64."""

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import torch
from torch import Tensor, nn

from gan.audit.equations import EQUATIONS
from gan.audit.gradients import SAME, as_array, relative_errors
from gan.formatting import significant
from gan.records.claims import Identity, Measure

# Literally written, 1 - D rounds above a logit of 15; BCELoss bounds p (1 - p) by 1e-12 and logarithms by -100.
LOWEST, HIGHEST, STEP = -40.0, 15.0, 0.25

Measured: TypeAlias = tuple[Measure, float, float]


def identities() -> dict[str, Identity]:
    """Every identity by its key, with the losses as the sources print them and gradients by autograd."""
    logits = torch.arange(LOWEST, HIGHEST + STEP / 2, STEP, dtype=torch.float64)
    core = logits[logits >= -HIGHEST]
    real, fake = core.flip(0), core
    ones, zeros = torch.ones_like(core), torch.zeros_like(core)
    bce = nn.BCELoss(reduction="none")

    d, not_d = torch.sigmoid(logits), torch.sigmoid(-logits)
    softplus = torch.logaddexp(torch.zeros_like(logits), logits)
    minimax, non_saturating = _slope(_log_not_d, logits), _slope(lambda logit: -_log_d(logit), logits)
    value = _log_d(real) + _log_not_d(fake)
    value_slope = _slope(lambda logit: _log_d(real) + _log_not_d(logit), fake)
    d_loss = bce(torch.sigmoid(real), ones) + bce(torch.sigmoid(fake), zeros)

    def label_zero(logit: Tensor) -> Tensor:
        return bce(torch.sigmoid(logit), zeros)

    def second_term(logit: Tensor) -> Tensor:
        return torch.log(1 + torch.exp(-logit))

    def first_two_terms(logit: Tensor) -> Tensor:
        return logit + second_term(logit)

    def d_o(logit: Tensor) -> Tensor:
        return (first_two_terms(logit) + torch.log(1 + torch.exp(-real))) / 2

    # A generated image of eight pixels, a discriminator w·G(z), and two real images that G(z) has nothing to do with.
    random = torch.Generator().manual_seed(0)
    image, weights, *reals = torch.rand(4, 8, dtype=torch.float64, generator=random)
    adversarial = _slope(lambda g: bce(torch.sigmoid(weights @ g), ones[0]), image)
    rebuilt = [_slope(partial(bce, target=target), image) for target in reals]

    checked: dict[str, tuple[str, Measured]] = {
        "V1.value": ("−log D(x) − log(1 − D(G(z))) is BCELoss(D(x), 1) + BCELoss(D(G(z)), 0)", _equal(-value, d_loss)),
        "V2.gradient": ("d/dl log(1 − D) = −D", _equal(minimax, -d)),
        "V2.limit": (
            f"|d/dl log(1 − D)| ≤ D, so it vanishes as D → 0: {significant(minimax[0])} at logit −40",
            _always(minimax.abs() <= d * (1 + SAME)),
        ),
        "V5.value": ("BCELoss(D(G(z)), 1) = −log D(G(z))", _equal(bce(torch.sigmoid(fake), ones), -_log_d(fake))),
        "V6.sign": ("log(1 − D) and −log D have gradients of the same sign", _always(minimax * non_saturating > 0)),
        "V6.ratio": (
            "the gradient of log(1 − D) over that of −log D is exp(l)",
            _equal(minimax / non_saturating, logits.exp()),
        ),
        "V6.equal": ("the gradients of log(1 − D) and −log D are equal", _equal(minimax, non_saturating)),
        "T1.negative": (
            "BCELoss(D(G(z)), 0) is minus the minimax generator's log(1 − D(G(z)))",
            _equal(label_zero(fake), -_log_not_d(fake)),
        ),
        "T1.direction": (
            "minimising BCELoss(D(G(z)), 0) moves logits where minimising log(1 − D(G(z))) does",
            _always(_slope(label_zero, fake) * _slope(_log_not_d, fake) > 0),
        ),
        "T2.positive": (
            "−log(1 − D) and its gradient are above 0 at every logit",
            _always((softplus > 0) & (-minimax > 0)),
        ),
        "T2.limit": (
            f"−log(1 − D) and its gradient go to 0 with D: at logit −40 each is D = {significant(d[0])}",
            _equal(torch.stack([softplus[0], -minimax[0]]), d[0].expand(2)),
        ),
        "T3.size": ("|d/dl −log D| = 1 − D", _equal(non_saturating.abs(), not_d)),
        "T3.limit": (
            "|d/dl −log D| goes to 1 as D goes to 0: at logit −40 it is 1",
            _equal(non_saturating[:1], -ones[:1]),
        ),
        "Q1.image": (
            "the gradient of BCELoss(D(G(z)), 1) by G(z) is −(1 − D) ∇D_l, without any real image",
            _equal(adversarial, -torch.sigmoid(-weights @ image) * weights),
        ),
        "Q1.reconstruction": (
            "the gradient of BCELoss(G(z), x) by G(z) is the same for two real images x",
            _equal(*rebuilt),
        ),
        "Q7.discriminator": ("the discriminator's BCE loss is −V", _equal(d_loss, -value)),
        "Q7.minimax": ("the minimax generator's gradient is V's", _equal(_by_hand("minimax", fake), value_slope)),
        "Q7.non_saturating": (
            "the non-saturating generator's gradient is V's",
            _equal(_by_hand("non_saturating", fake), value_slope),
        ),
        "Q7.cewl": ("CEWL's generator's gradient is V's", _equal(_slope(second_term, fake), value_slope)),
        "Q8.discriminator": ("D_o is half the discriminator's BCE loss", _equal(d_o(fake), d_loss / 2)),
        "Q8.gradient": (
            "D_o's gradient is half that of the discriminator's BCE loss",
            _equal(_slope(d_o, fake), _slope(label_zero, fake) / 2),
        ),
        "Q8.generator": ("G_o is the non-saturating loss", _equal(second_term(fake), bce(torch.sigmoid(fake), ones))),
        "Q10.decreasing": ("D_o's second term decreases in l_f everywhere", _always(_slope(second_term, logits) < 0)),
        "Q10.sum": (
            "D_o's second term and its first are log(1 + exp(l_f)) = −log(1 − D(G(z)))",
            _equal(first_two_terms(fake), torch.logaddexp(zeros, fake)),
        ),
        "Q10.increasing": (
            "D_o's second term and its first increase in l_f everywhere",
            _always(_slope(first_two_terms, fake) > 0),
        ),
    }
    return {
        key: Identity(key.split(".")[0], key, statement, measure, error, tolerance, holds=error <= tolerance)
        for key, (statement, (measure, error, tolerance)) in checked.items()
    }


def _log_d(logit: Tensor) -> Tensor:
    return torch.log(torch.sigmoid(logit))


def _log_not_d(logit: Tensor) -> Tensor:
    return torch.log(1 - torch.sigmoid(logit))


def _slope(loss: Callable[[Tensor], Tensor], at: Tensor) -> Tensor:
    """The derivative of a loss that has one value per logit."""
    leaf = at.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(loss(leaf).sum(), leaf)
    return gradient


def _equal(have: Tensor, want: Tensor) -> Measured:
    return "relative error", float(relative_errors(as_array(have), as_array(want)).max()), SAME


def _always(true: Tensor) -> Measured:
    return "share of logits", float((~true).double().mean()), 0.0


def _by_hand(name: str, fakes: Tensor) -> Tensor:
    """A generator's gradient from its equation's derivative."""
    logits = as_array(fakes)
    return torch.from_numpy(EQUATIONS[name]["generator"].evaluate(logits, logits, 1.0)[1]["fake"])
