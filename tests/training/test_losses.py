"""The implemented losses and their gradients against closed forms, the sources' equations and BCELoss."""

import math

import pytest
import torch
from torch import Tensor, nn

from gan.training.losses import OBJECTIVES

LOGITS = torch.linspace(-30, 30, 241, dtype=torch.float64)


def generator_gradient(name: str, logits: Tensor) -> Tensor:
    """dL/dlogit of each logit, as if it were a batch of its own."""
    leaf = logits.clone().requires_grad_()
    OBJECTIVES[name].generator(leaf.unsqueeze(-1)).sum().backward()
    assert leaf.grad is not None
    return leaf.grad


def generator_loss(name: str, real: Tensor, fake: Tensor) -> Tensor:
    objective = OBJECTIVES[name]
    return objective.generator(fake, real) if objective.relativistic else objective.generator(fake)


def discriminator_loss(name: str, real: Tensor, fake: Tensor, real_label: float = 1.0) -> Tensor:
    return OBJECTIVES[name].discriminator(real, fake, real_label)


@pytest.mark.parametrize(
    ("name", "gradient"),
    [
        ("minimax", lambda logit: -torch.sigmoid(logit)),
        ("non_saturating", lambda logit: -torch.sigmoid(-logit)),
        ("cewl", lambda logit: -torch.sigmoid(-logit)),
    ],
)
def test_generator_gradients_have_their_closed_forms(name: str, gradient) -> None:
    # Beyond, BCELoss bounds p (1 - p) from below by 1e-12.
    logits = LOGITS[LOGITS.abs() < 25]
    torch.testing.assert_close(generator_gradient(name, logits), gradient(logits), rtol=1e-9, atol=1e-15)


def test_generator_losses_are_the_sources_equations() -> None:
    d = 1 / (1 + torch.exp(-LOGITS))
    equations = {
        "minimax": torch.log(1 - d).mean(),
        "non_saturating": -torch.log(d).mean(),
        "cewl": torch.log(1 + torch.exp(-LOGITS)).mean(),
    }
    for name, equation in equations.items():
        (loss,) = OBJECTIVES[name].generator(LOGITS.unsqueeze(0))
        torch.testing.assert_close(loss, equation, rtol=1e-12, atol=0)


def test_discriminator_losses_are_the_sources_equations() -> None:
    real, fake = LOGITS.flip(0).unsqueeze(0), (LOGITS / 3 + 1).unsqueeze(0)
    value = torch.log(torch.sigmoid(real)).mean() + torch.log(1 - torch.sigmoid(fake)).mean()
    for name in ("minimax", "non_saturating"):
        torch.testing.assert_close(discriminator_loss(name, real, fake)[0], -value, rtol=1e-12, atol=0)
    d_o = (fake + torch.log(1 + torch.exp(-fake)) + torch.log(1 + torch.exp(-real))).mean() / 2
    torch.testing.assert_close(discriminator_loss("cewl", real, fake)[0], d_o, rtol=1e-12, atol=0)
    torch.testing.assert_close(d_o, -value / 2, rtol=1e-12, atol=0)


@pytest.mark.parametrize("real_label", [1.0, 0.9])
def test_discriminator_losses_are_torch_criteria(real_label: float) -> None:
    real, fake = torch.randn(2, 3, 40, dtype=torch.float64) * 5
    labels, zeros = torch.full((40,), real_label, dtype=torch.float64), torch.zeros(40, dtype=torch.float64)
    bce, logits_bce = nn.BCELoss(), nn.BCEWithLogitsLoss()
    for run in range(3):
        expected = bce(torch.sigmoid(real[run]), labels) + bce(torch.sigmoid(fake[run]), zeros)
        for name in ("minimax", "non_saturating"):
            torch.testing.assert_close(discriminator_loss(name, real, fake, real_label)[run], expected)
        expected = (logits_bce(real[run], labels) + logits_bce(fake[run], zeros)) / 2
        torch.testing.assert_close(discriminator_loss("cewl", real, fake, real_label)[run], expected)


def test_values_at_a_undecided_discriminator() -> None:
    zero = torch.zeros(1, 5)
    assert discriminator_loss("minimax", zero, zero).item() == pytest.approx(2 * math.log(2))
    assert discriminator_loss("cewl", zero, zero).item() == pytest.approx(math.log(2))
    assert OBJECTIVES["minimax"].generator(zero).item() == pytest.approx(-math.log(2))
    for name in ("non_saturating", "cewl"):
        assert OBJECTIVES[name].generator(zero).item() == pytest.approx(math.log(2))
    for name in ("minimax", "minimax_logits", "non_saturating", "non_saturating_logits", "cewl"):
        assert generator_gradient(name, torch.zeros(1)).item() == pytest.approx(-0.5)


def test_float32_saturates_where_bceloss_does() -> None:
    """On probabilities the loss clamps at 100 and the gradient dies once the sigmoid is exactly 1; CEWL goes on."""
    sure = torch.tensor([[17.0]])
    assert discriminator_loss("non_saturating", sure, sure).item() == 100.0
    leaf = sure.clone().requires_grad_()
    discriminator_loss("non_saturating", sure, leaf).sum().backward()
    assert leaf.grad.item() == 0.0
    leaf = sure.clone().requires_grad_()
    discriminator_loss("cewl", sure, leaf).sum().backward()
    assert leaf.grad.item() == pytest.approx(0.5)
    assert generator_gradient("minimax", torch.tensor([-60.0])).item() == pytest.approx(0, abs=1e-20)
    assert generator_gradient("cewl", torch.tensor([-60.0])).item() == -1.0


@pytest.mark.parametrize("name", OBJECTIVES)
def test_a_runs_loss_does_not_depend_on_its_neighbours(name: str) -> None:
    real, fake = torch.randn(2, 5, 37, generator=torch.Generator().manual_seed(0)) * 8
    together = discriminator_loss(name, real, fake), generator_loss(name, real, fake)
    for run in range(5):
        alone = real[run : run + 1], fake[run : run + 1]
        torch.testing.assert_close(discriminator_loss(name, *alone)[0], together[0][run])
        torch.testing.assert_close(generator_loss(name, *alone)[0], together[1][run])
