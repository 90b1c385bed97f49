"""What freezing the discriminator costs and saves."""

import pytest
import torch

from gan.images import scale
from gan.mechanism.freezing import Peak, frozen_discriminator
from gan.mechanism.tutorial import LATENT_DIM, Tutorial, discriminator, generator
from gan.study.recipe import Variant

# Three weight matrices and biases of the tutorial's discriminator, four bytes each.
GRADIENT = 4 * (784 * 256 + 256 + 256 * 128 + 128 + 128 + 1)


def test_freezing_saves_the_gradient_of_half_a_step_and_nothing_of_a_whole_one(
    variant: Variant, images: torch.Tensor
) -> None:
    """The printed loop keeps the gradients of the discriminator's own half alive whether or not it is frozen later."""
    measured = frozen_discriminator(variant, 3, images.flatten(1))
    assert measured.same_weights
    half, whole = measured.generators_half, measured.whole_iteration
    saved = half.peak_bytes.not_frozen - half.peak_bytes.frozen
    assert GRADIENT - 4096 <= saved <= 1.1 * GRADIENT
    assert whole.peak_bytes.frozen == whole.peak_bytes.not_frozen > 2 * GRADIENT
    for cost in (half.milliseconds, whole.milliseconds):
        assert min(cost.frozen, cost.not_frozen) > 0


def test_weights_stay_the_same_whatever_the_recipe(variant: Variant, images: torch.Tensor) -> None:
    several = variant.model_copy(update={"discriminator_steps": 5})
    assert frozen_discriminator(several, 3, images.flatten(1)).same_weights


@pytest.mark.parametrize("freeze", [True, False])
def test_the_tutorials_step_freezes_for_the_generators_half_alone(images: torch.Tensor, freeze: bool) -> None:
    torch.manual_seed(0)
    players = Tutorial(generator(), discriminator())
    real = scale(images.flatten(1)[:16])
    own = []
    players.generator.register_full_backward_hook(
        lambda *of: own.append([part.requires_grad for part in players.discriminator.parameters()])
    )
    before = [part.detach().clone() for part in players.discriminator.parameters()]
    players.step(real, torch.randn(16, LATENT_DIM).requires_grad_(), freeze=freeze)
    assert own == [[not freeze] * 6]
    after = list(players.discriminator.parameters())
    assert all(part.requires_grad for part in after)
    assert not any(torch.equal(old, new) for old, new in zip(before, after, strict=True))


def test_peak_counts_what_lives_at_a_time() -> None:
    with Peak() as peak:
        one = torch.ones(1000)
        del one
        two = torch.ones(500)
        view = two.view(50, 10)
        view += 1
    assert peak.most == 4000
    assert peak.now == 2000
