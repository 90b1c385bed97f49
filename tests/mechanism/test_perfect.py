"""A perfect generator."""

import torch

from gan.mechanism.perfect import perfect_generator
from gan.study.recipe import Variant


def test_a_perfect_generator_is_a_toss_up(variant: Variant, images: torch.Tensor) -> None:
    """Nothing distinguishes one half of the images from the other."""
    eager = variant.discriminator_optimizer.model_copy(update={"lr": 0.01})
    variant = variant.model_copy(update={"discriminator_optimizer": eager})
    assert 0.3 < perfect_generator(variant, 0, images.flatten(1)).fake_probability < 0.7
