"""Where the two generator gradients point, on the same networks and the same batch.

By the logit l of a generated image minimax's loss has the slope -D/n, the non-saturating one -(1 - D)/n. So both are
weighted sums of the same samples' gradients: minimax listens to the images that fool the discriminator, the other to
those that do not.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from gan.records.memory import Direction
from gan.seeding import random_generator
from gan.training.losses import OBJECTIVES
from gan.training.population import Population, RunSpec

OPPONENTS = ("minimax", "non_saturating")


def direction(population: Population, run: RunSpec, step: int, quantiles: Sequence[float]) -> Direction:
    """Both gradients on a new batch; `population` has this run alone, before the generator's `step`-th step."""
    batch = run.variant.batch_size
    random = random_generator(run.seed, f"directions/{step}")
    latents = torch.randn(1, batch, run.variant.latent_dim, generator=random)
    with torch.enable_grad():
        fake = population.generator(latents)[1]
        logits = population.discriminator(fake)[1].squeeze(2)
        losses = [OBJECTIVES[name].generator(logits) for name in OPPONENTS]
        minimax, non_saturating = (_gradient(loss, population.generator.leaves) for loss in losses)
    probabilities = torch.sigmoid(logits.detach()[0].double())
    norms = [gradient.norm().item() for gradient in (minimax, non_saturating)]
    # Where the slope by the logit has underflowed there is no direction.
    cosine = (minimax @ non_saturating).item() / (norms[0] * norms[1]) if all(norms) else None
    points = torch.tensor(quantiles, dtype=torch.float64)
    return Direction(
        objective=run.variant.objective,
        seed=run.seed,
        step=step,
        batch=batch,
        cosine=cosine,
        minimax_norm=norms[0],
        non_saturating_norm=norms[1],
        minimax_size=effective_size(probabilities),
        non_saturating_size=effective_size(1 - probabilities),
        fake_probability={
            f"q{100 * quantile:02g}": value
            for quantile, value in zip(quantiles, torch.quantile(probabilities, points).tolist(), strict=True)
        },
    )


def effective_size(weights: Tensor) -> float:
    """How many samples of one weight are worth as much as these: (sum of w)^2 / sum of w^2 (Kish 1965)."""
    # Only their ratios count, and squares of the smallest would underflow.
    shares = weights / weights.max()
    return (shares.sum().square() / shares.square().sum()).item()


def _gradient(loss: Tensor, leaves: Sequence[Tensor]) -> Tensor:
    parts = torch.autograd.grad(loss.sum(), leaves, retain_graph=True)
    return torch.cat([part.flatten() for part in parts]).double()
