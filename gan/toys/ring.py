"""A ring of Gaussians (Metz et al. 2017): modes, quality and distance are measured against the mixture itself.

What is learnt is another thing than the study's, and the networks are small; losses, optimizers, batch size and the
order of a step are the same.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.distance import cdist, pdist
from scipy.special import i0e, i1e
from torch import Tensor

from gan.compute.executors import Executor, ProgressCallback
from gan.compute.progress import progress
from gan.networks import perceptrons
from gan.networks.architecture import Architecture, Network
from gan.records.toys import Ring, RingRun, RingScore
from gan.seeding import random_generator
from gan.study import toys
from gan.study.recipe import Optimizer, Variant
from gan.training.losses import OBJECTIVES
from gan.training.optimizers import OPTIMIZERS

Points = NDArray[np.float64]
Task = tuple[str, float]
"""An objective and both players' beta1."""

COORDINATES = 2
AHEAD = 50  # steps whose batches are drawn at once


def measure(settings: toys.Ring, baseline: Variant, executor: Executor) -> Ring:
    """Every seed under every objective and beta1, and samples of the mixture itself beside them."""
    tasks = [(objective, beta1) for objective in settings.objectives for beta1 in settings.beta1]
    mixture, runs = Mixture(settings.modes, settings.radius, settings.deviation), {}
    with progress("ring", len(tasks) * settings.steps[-1], "steps") as on_progress:
        for task, rows in executor.run(_trained, tasks, (settings, baseline), on_progress):
            runs[task] = rows
    truth = {
        seed: mixture.draw(settings.samples, random_generator(seed, "ring, truth")).double().numpy()
        for seed in settings.seeds
    }
    return Ring(
        modes=settings.modes,
        samples=settings.samples,
        quality=-math.expm1(-(settings.within**2) / 2),
        runs=[row for task in tasks for row in runs[task]],
        truth=[RingScore(seed, *scores(drawn, mixture, settings)) for seed, drawn in truth.items()],
    )


@dataclass(frozen=True)
class Mixture:
    """Equally likely Gaussians of a standard deviation in both coordinates, evenly on a circle about the origin."""

    modes: int
    radius: float
    deviation: float

    @cached_property
    def centres(self) -> Points:
        """The means, `[mode, 2]`."""
        angles = 2 * np.pi * np.arange(self.modes) / self.modes
        return self.radius * np.stack([np.cos(angles), np.sin(angles)], 1)

    def draw(self, count: int, random: torch.Generator) -> Tensor:
        """Samples `[count, 2]` of float32."""
        chosen = torch.randint(self.modes, (count,), generator=random)
        noise = torch.randn(count, COORDINATES, generator=random)
        return torch.from_numpy(self.centres).float()[chosen] + self.deviation * noise

    def energy_distance(self, samples: Points) -> float:
        """The squared energy distance of samples `[sample, 2]` to this mixture (Székely & Rizzo 2013).

        2 E|X - Y| - E|X - X'| - E|Y - Y'|, X among the samples and Y of the mixture. It is exact: the means over the
        mixture are closed forms, and X and X' may be the same sample. So n samples of the mixture itself are
        expected at E|Y - Y'| / n, not at 0.
        """
        between = mean_distance(cdist(samples, self.centres), self.deviation).mean()
        within = 2 * pdist(samples).sum() / len(samples) ** 2
        return float(2 * between - within - self.spread)

    @cached_property
    def spread(self) -> float:
        """The mean distance between two points of the mixture."""
        return float(mean_distance(cdist(self.centres, self.centres), math.sqrt(2) * self.deviation).mean())


def mean_distance(distances: Points, deviation: float) -> Points:
    """The mean distance from points to a Gaussian variable of the plane whose mean is `distances` away from them.

    That is the mean of Rice's distribution, σ sqrt(π/2) L(-r²/2σ²), with the Laguerre function of degree 1/2 in Bessel
    functions (Rice 1945).
    """
    t = (distances / deviation) ** 2 / 2
    means: Points = deviation * math.sqrt(math.pi / 2) * ((1 + t) * i0e(t / 2) + t * i1e(t / 2))
    return means


def scores(samples: Points, mixture: Mixture, settings: toys.Ring) -> tuple[int, float, float | None]:
    """How many modes the samples `[sample, 2]` cover, their share near any mode, and their energy distance.

    A sample is near a mode within so many standard deviations (Srivastava et al. 2017; the settings say how many). A
    mode is covered by a declared share of the samples. The distance is None if a sample is not finite.
    """
    near = cdist(samples, mixture.centres) <= settings.within * mixture.deviation
    modes = int((near.mean(0) >= settings.mode_share).sum())
    distance = mixture.energy_distance(samples) if np.isfinite(samples).all() else None
    return modes, float(near.any(1).mean()), distance


def _trained(
    shared: tuple[toys.Ring, Variant], task: Task, on_progress: ProgressCallback
) -> tuple[Task, list[RingRun]]:
    settings, baseline = shared
    mixture = Mixture(settings.modes, settings.radius, settings.deviation)
    rows = [
        RingRun(seed, *scores(samples, mixture, settings), *task, step)
        for step, drawn in train(settings, baseline, mixture, task, on_progress)
        for seed, samples in zip(settings.seeds, drawn, strict=True)
    ]
    return task, sorted(rows, key=lambda row: (settings.seeds.index(row.seed), row.step))


def train(
    settings: toys.Ring, baseline: Variant, mixture: Mixture, task: Task, on_progress: ProgressCallback
) -> Iterator[tuple[int, Points]]:
    """Train all seeds side by side; after each of the settings' `steps`, yield it and samples `[run, sample, 2]`.

    A seed has the same first weights, batches and latents in every task.
    """
    name, beta1 = task
    objective, size = OBJECTIVES[name], baseline.batch_size

    def streams(purpose: str) -> list[torch.Generator]:
        return [random_generator(seed, f"ring, {purpose}") for seed in settings.seeds]

    def latents(count: int, randoms: list[torch.Generator]) -> Tensor:
        return torch.stack([torch.randn(count, settings.latent_dim, generator=random) for random in randoms])

    # An encoder's form: outputs without a bound. Its units are ReLUs.
    makes = perceptrons.discriminator(settings.latent_dim, settings.hidden, COORDINATES, 0.0)
    judges = perceptrons.discriminator(COORDINATES, settings.hidden, 1, baseline.leaky_slope)
    generator = _Player(makes, streams("generator"), baseline.generator_optimizer, beta1)
    discriminator = _Player(judges, streams("discriminator"), baseline.discriminator_optimizer, beta1)
    of_data, of_latents, of_samples = map(streams, ("data", "latents", "samples"))
    for step in range(1, settings.steps[-1] + 1):
        place = (step - 1) % AHEAD
        if not place:
            data = torch.stack([mixture.draw(AHEAD * size, random) for random in of_data]).split(size, 1)
            noise = latents(AHEAD * size, of_latents).split(size, 1)
            on_progress(min(AHEAD, settings.steps[-1] - step + 1))
        real, fake = data[place], generator(noise[place])
        logits = discriminator(torch.cat([real, fake.detach()], 1)).squeeze(2)
        discriminator.learn(objective.discriminator(logits[:, :size], logits[:, size:], baseline.real_label))
        extra = [discriminator(real).squeeze(2)] if objective.relativistic else []
        generator.learn(objective.generator(discriminator(fake).squeeze(2), *extra))
        if step in settings.steps:
            with torch.no_grad():
                yield step, generator(latents(settings.samples, of_samples)).double().numpy()


class _Player:
    """Every run's network and the optimizer that moves it."""

    def __init__(
        self, architecture: Architecture, randoms: list[torch.Generator], settings: Optimizer, beta1: float
    ) -> None:
        self._network = Network(architecture, randoms)
        self._gradient = torch.zeros_like(self._network.parameters)
        self._slopes = architecture.parts(self._gradient)
        assert settings.name == "adam", "the study checks it when it is read"
        own = settings.model_copy(update={"betas": (beta1, settings.betas[1])})
        self._optimizer = OPTIMIZERS[own.name](self._network.parameters, self._gradient, [own] * len(randoms))

    def __call__(self, inputs: Tensor) -> Tensor:
        return self._network(inputs)[1]

    def learn(self, losses: Tensor) -> None:
        """One step against the gradient of each run's own loss, `[run]`."""
        for slope, part in zip(self._slopes, torch.autograd.grad(losses.sum(), self._network.leaves), strict=True):
            slope.copy_(part)
        self._optimizer.step()
