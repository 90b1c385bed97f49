"""Which of the tutorial's networks get a gradient (claim T5)."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from gan.mechanism import tutorial
from gan.records.mechanism import GradientFlow
from gan.seeding import random_generator


def gradient_flow() -> GradientFlow:
    """Which of the tutorial's networks get a gradient, under `no_grad` and behind `detach`."""
    latents = torch.randn(4, tutorial.LATENT_DIM, generator=random_generator(0, "gradient flow"))

    def reached(forward: Callable[[nn.Module, nn.Module], Tensor]) -> tuple[bool, bool]:
        """Whether the generator and the discriminator have a gradient after the backward pass."""
        generator, discriminator = tutorial.generator(), tutorial.discriminator()
        probabilities = forward(generator, discriminator)
        if probabilities.requires_grad:
            probabilities.sum().backward()
        first, second = (any(p.grad is not None for p in part.parameters()) for part in (generator, discriminator))
        return first, second

    def without_grad(generator: nn.Module, discriminator: nn.Module) -> Tensor:
        with torch.no_grad():
            return discriminator(generator(latents))

    step = reached(lambda generator, discriminator: discriminator(generator(latents)))
    no_grad = reached(without_grad)
    detached = reached(lambda generator, discriminator: discriminator(generator(latents).detach()))
    return GradientFlow(
        generator_in_its_step=step[0],
        discriminator_in_the_generators_step=step[1],
        generator_under_no_grad=no_grad[0],
        generator_behind_detach=detached[0],
        discriminator_behind_detach=detached[1],
    )
