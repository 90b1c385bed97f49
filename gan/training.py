"""Training a population of GANs side by side: a variant, seeds and images in, trained runs out.

Runs share nothing but the step in which they are computed. Every random draw of a run comes from a generator of its
own, one per purpose, so seed k has the same initial weights, order of images and latents in every variant, and on
one kind of processor the same trained weights whatever population it is trained in.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from gan.networks import Architecture, Perceptrons
from gan.objectives import OBJECTIVES, probability
from gan.pixels import scale
from gan.randomness import random_generator

if TYPE_CHECKING:
    from gan.study import Optimizer, Variant

OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}


@dataclass
class Run:
    """One seed's result: plain arrays, so that it crosses process borders.

    `history` holds one row per completed epoch. `generators` maps a snapshot's epoch to the generator's parameters.
    A run that stopped being finite has the `failure`'s epoch and cause, and nothing from that epoch on.
    """

    seed: int
    history: list[dict[str, float]] = field(default_factory=list)
    generators: dict[int, dict[str, np.ndarray]] = field(default_factory=dict)
    failure: dict[str, int | str] | None = None
    seconds: float = 0.0

    @property
    def status(self) -> str:
        return "finished" if self.failure is None else "failed"


def generator_architecture(variant: "Variant", pixels: int) -> Architecture:
    """The generator: ReLU layers from latents to pixels in [-1, 1]."""
    return Architecture((variant.latent_dim, *variant.generator_hidden, pixels), 0.0, bounded=True)


def discriminator_architecture(variant: "Variant", pixels: int) -> Architecture:
    """The discriminator: leaky ReLU layers from pixels to one logit."""
    return Architecture((pixels, *variant.discriminator_hidden, 1), variant.leaky_slope, bounded=False)


class Population:
    """The networks, optimisers and random streams of several seeds of one variant, and the step that trains them."""

    def __init__(
        self,
        variant: "Variant",
        seeds: Sequence[int],
        pixels: int,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        def streams(purpose: str) -> list[torch.Generator]:
            return [random_generator(seed, purpose) for seed in seeds]

        self.objective = OBJECTIVES[variant.objective]
        self.real_label = variant.real_label
        self.generator = Perceptrons(generator_architecture(variant, pixels), streams("generator"), device, dtype)
        self.discriminator = Perceptrons(
            discriminator_architecture(variant, pixels), streams("discriminator"), device, dtype
        )
        self._optimizers = [
            _optimizer(self.generator, variant.generator_optimizer),
            _optimizer(self.discriminator, variant.discriminator_optimizer),
        ]
        self.order = streams("order")
        self.latents = streams("latents")
        self._latent_dim = variant.latent_dim
        self._device, self._dtype = device, dtype

    def draw_order(self, images: int) -> Tensor:
        """Each run's own permutation of the images for one epoch, `[run, images]`."""
        return torch.stack([torch.randperm(images, generator=g) for g in self.order]).to(self._device)

    def draw_latents(self, batch: int) -> Tensor:
        """Standard normal latents from each run's own stream, `[run, batch, latent]`."""
        drawn = [torch.randn(batch, self._latent_dim, generator=g) for g in self.latents]
        return torch.stack(drawn).to(self._device, self._dtype)

    @torch.no_grad()
    def step(self, real: Tensor, latents: Tensor) -> "Step":
        """One discriminator step and one generator step on the same generated batch (claim T4).

        `real` is `[run, batch, pixels]`, `latents` `[run, batch, latent]`.
        """
        batch = real.shape[1]
        generated = self.generator.forward(latents)
        fake = generated[-1]

        judged = self.discriminator.forward(torch.cat([real, fake], 1))
        real_logits, fake_logits = judged[-1].squeeze(-1).split(batch, 1)
        discriminator_loss, pull = _gradient(
            lambda real, fake: self.objective.discriminator(real, fake, self.real_label),
            real_logits,
            fake_logits,
        )
        self.discriminator.backward(judged, torch.cat(pull, 1).unsqueeze(-1), weights=True, inputs=False)
        self._optimizers[1].step()

        judged = self.discriminator.forward(fake)
        fake_logits = judged[-1].squeeze(-1)
        generator_loss, (pull_fake,) = _gradient(self.objective.generator, fake_logits)
        at_images = self.discriminator.backward(judged, pull_fake.unsqueeze(-1), weights=False, inputs=True)
        self.generator.backward(generated, at_images, weights=True, inputs=False)
        norm = self.generator.gradient_norm()
        self._optimizers[0].step()
        return Step(discriminator_loss, generator_loss, norm, real_logits, fake_logits)


@dataclass(frozen=True)
class Step:
    """What a step is remembered by: three values `[run]`, and logits `[run, batch]`.

    Real logits are those of the discriminator's step, fake ones those of the generator's, right after it.
    """

    discriminator_loss: Tensor
    generator_loss: Tensor
    generator_gradient_norm: Tensor
    real_logits: Tensor
    fake_logits: Tensor


def train(
    variant: "Variant",
    seeds: Sequence[int],
    images: Tensor,
    quantiles: Sequence[float],
    device: torch.device | str,
    on_epoch: Callable[[int], None],
) -> list[Run]:
    """Train the given seeds side by side on `images` (uint8 `[image, height, width]`) and return their runs in order.

    `quantiles` are those of the fake logits that the history keeps. `on_epoch` is called with the number of runs
    after every epoch. A run whose losses, gradient or weights stop being finite fails; the others go on unaffected.
    """
    # A saturated generator's gradients decay into denormal numbers, which cost a processor hundreds of cycles each
    # and lie thirty orders of magnitude below Adam's epsilon.
    torch.set_flush_denormal(True)
    started = time.perf_counter()
    images = images.flatten(1).to(device)
    population = Population(variant, seeds, images.shape[1], device)
    runs = [Run(seed) for seed in seeds]
    for epoch in range(1, variant.epochs + 1):
        measured = _epoch(population, images, variant.batch_size, quantiles)
        finite = population.generator.finite() & population.discriminator.finite()
        for index, run in enumerate(runs):
            if run.failure is not None:
                continue
            row = {name: values[index].item() for name, values in measured.items()}
            broken = [name for name, value in row.items() if not np.isfinite(value)]
            if broken or not finite[index]:
                what = broken[0].replace("_", " ") if broken else "weights"
                run.failure = {"epoch": epoch, "cause": f"{what} not finite"}
                continue
            run.history.append({"epoch": epoch, **row})
            if epoch in variant.checkpoints:
                state = population.generator.state(index)
                run.generators[epoch] = {name: tensor.numpy() for name, tensor in state.items()}
        on_epoch(len(runs))
    for run in runs:
        run.seconds = (time.perf_counter() - started) / len(runs)
    return runs


def _epoch(population: Population, images: Tensor, batch_size: int, quantiles: Sequence[float]) -> dict[str, Tensor]:
    """One pass over the images; the epoch's means over steps and quantiles of its fake logits, each `[run]`."""
    order = population.draw_order(len(images))
    steps = []
    for chosen in order.split(batch_size, 1):
        real = scale(images.index_select(0, chosen.flatten())).view(*chosen.shape, -1)
        steps.append(population.step(real, population.draw_latents(chosen.shape[1])))

    def mean(name: str) -> Tensor:
        return torch.stack([getattr(step, name) for step in steps], 1).mean(1)

    real_logits = torch.cat([step.real_logits for step in steps], 1)
    fake_logits = torch.cat([step.fake_logits for step in steps], 1)
    measured = {
        "discriminator_loss": mean("discriminator_loss"),
        "generator_loss": mean("generator_loss"),
        "real_probability": probability(real_logits).mean(1),
        "fake_probability": probability(fake_logits).mean(1),
        "generator_gradient_norm": mean("generator_gradient_norm"),
    }
    for quantile in quantiles:
        values = torch.stack([torch.quantile(logits, quantile) for logits in fake_logits])
        measured[f"fake_logit_q{100 * quantile:02g}"] = values
    return measured


def _optimizer(network: Perceptrons, settings: "Optimizer") -> torch.optim.Optimizer:
    network.parameters.grad = network.gradient
    options = settings.model_dump(exclude={"name"}, exclude_none=True)
    return OPTIMIZERS[settings.name]([network.parameters], fused=True, **options)


def _gradient(loss: Callable[..., Tensor], *logits: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
    """A loss's values `[run]` and its gradient at the logits, the one place where autograd is at work."""
    with torch.enable_grad():
        leaves = tuple(part.detach().contiguous().requires_grad_() for part in logits)
        losses = loss(*leaves)
        return losses.detach(), torch.autograd.grad(losses.sum(), leaves)
