"""Why an objective wins, measured: new discriminators on frozen generators, a perfect generator, a step's cost."""

import statistics
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from gan.claims import tutorial
from gan.compute import store
from gan.compute.executors import Executor, ProgressCallback
from gan.compute.progress import progress
from gan.images import scale
from gan.networks import registry
from gan.networks.architecture import Network
from gan.records.mechanism import Cost, FrozenDiscriminator, GradientFlow, Mechanism, PerfectGenerator, Step
from gan.seeding import random_generator
from gan.study import schema
from gan.study.schema import Variant
from gan.training.losses import OBJECTIVES
from gan.training.optimizers import OPTIMIZERS
from gan.training.population import Population, RunSpec

LOSSES = ("minimax", "non_saturating")
KEPT_STEPS = 24  # of a discriminator's training, evenly on a logarithmic axis


def measure(
    variant: Variant, settings: schema.Mechanism, folder: Path, images: Tensor, executor: Executor
) -> Mechanism:
    """All measurements; `images` uint8 `[image, height, width]`, `folder` has the variant's runs."""
    tasks = [(seed, epoch, loss) for seed in settings.seeds for epoch in settings.epochs for loss in LOSSES]
    flat = images.flatten(1).to(executor.device)
    steps: list[Step] = []
    with progress("mechanism", len(tasks), "discriminators") as on_progress:
        for rows in executor.run(_fresh_discriminator, tasks, (variant, folder, flat), on_progress):
            steps += rows
    steps.sort(key=lambda row: (row.loss, row.epoch, row.seed, row.step))
    return Mechanism(
        fresh_discriminator=steps,
        perfect_generator=[perfect_generator(variant, seed, flat) for seed in settings.seeds],
        gradient_flow=gradient_flow(),
        frozen_discriminator=frozen_discriminator(variant, settings.steps, flat),
    )


def _fresh_discriminator(
    shared: tuple[Variant, Path, Tensor], task: tuple[int, int, str], on_progress: ProgressCallback
) -> list[Step]:
    variant, folder, images = shared
    seed, epoch, loss = task
    rows = fresh_discriminator(variant, seed, epoch, store.load_generator(folder, seed, epoch), images, loss)
    on_progress(1)
    return rows


def fresh_discriminator(
    variant: Variant, seed: int, epoch: int, generator: dict[str, np.ndarray], images: Tensor, loss: str
) -> list[Step]:
    """Train a new discriminator for an epoch against a frozen generator (as Arjovsky & Bottou 2017, figure 2).

    `epoch` is the generator's age, `images` is `[image, pixel]`, uint8. A seed's discriminator is trained on the
    same images in the same way under any `loss`. Some steps are kept, evenly on a logarithmic axis.
    """
    frozen = variant.generator_optimizer.model_copy(update={"lr": 0.0})
    recipe = variant.model_copy(update={"objective": loss, "generator_optimizer": frozen})
    population = Population([RunSpec(recipe, seed)], images)
    population.generator.load(0, {name: torch.from_numpy(array) for name, array in generator.items()})
    population.epoch()
    log, size = population.log, min(variant.batch_size, len(images))
    steps = len(images) // size
    real, fake = (log[name][:, : steps * size].unflatten(1, (steps, size)) for name in ("real_logits", "fake_logits"))
    measured = {
        "gradient_norm": log["generator_gradient_norm"],
        "fake_probability": torch.sigmoid(fake).mean(2),
        "discriminator_loss": log["discriminator_loss"],
        "accuracy": ((real > 0).float().mean(2) + (fake < 0).float().mean(2)) / 2,
    }
    kept = sorted({round(step) for step in np.geomspace(1, steps, KEPT_STEPS)})
    return [
        Step(epoch, loss, seed, step, **{name: values[0, step - 1].item() for name, values in measured.items()})
        for step in kept
    ]


def perfect_generator(variant: Variant, seed: int, images: Tensor) -> PerfectGenerator:
    """Mean D over real images in the place of generated ones, each seen once: D(G(z)) of a perfect generator.

    One half of `images` (uint8 `[image, pixel]`) plays the real images, the other half the generated ones.
    `fake_probability` is the mean over the last quarter of the steps, before the discriminator learns from them.
    """
    architecture = registry.discriminator(variant, images.shape[1])
    network = Network(architecture, [random_generator(seed, "discriminator")], images.device)
    gradient = torch.zeros_like(network.parameters)
    targets = architecture.parts(gradient)
    settings = variant.discriminator_optimizer
    optimizer = OPTIMIZERS[settings.name](network.parameters, gradient, [settings])
    order = torch.randperm(len(images), generator=random_generator(seed, "order")).to(images.device)
    halves = zip(*(half.split(variant.batch_size) for half in order.chunk(2)), strict=True)
    probabilities = []
    for real, fake in halves:
        real_logits, fake_logits = (
            network(scale(images[chosen]).unsqueeze(0))[1].squeeze(2) for chosen in (real, fake)
        )
        probabilities.append(torch.sigmoid(fake_logits.detach()).mean().item())
        loss = OBJECTIVES["non_saturating"].discriminator(real_logits, fake_logits, variant.real_label)
        for target, part in zip(targets, torch.autograd.grad(loss.sum(), network.leaves), strict=True):
            target.copy_(part)
        optimizer.step()
    last_quarter = probabilities[-max(1, len(probabilities) // 4) :]
    return PerfectGenerator(seed, statistics.fmean(last_quarter))


def gradient_flow() -> GradientFlow:
    """Which of the tutorial's networks get a gradient, under `no_grad` and behind `detach` (claim T5)."""
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


def frozen_discriminator(variant: Variant, steps: int, images: Tensor) -> FrozenDiscriminator:
    """The generator's step with and without `requires_grad_(False)` on the discriminator (claim T6).

    Peak bytes and median milliseconds of the tutorial's step; and whether two runs of this study's engine, frozen and
    not, are bitwise the same after `steps` steps. `images` is `[image, pixel]`, uint8.
    """
    few = images[: steps * variant.batch_size]
    weights = []
    for frozen in (True, False):
        population = Population([RunSpec(variant.model_copy(update={"freeze_discriminator": frozen}), 0)], few)
        population.epoch()
        weights.append(torch.cat([population.generator.parameters, population.discriminator.parameters], 1))
    step = {frozen: _tutorial_step(frozen, variant.batch_size) for frozen in (True, False)}
    peaks = {}
    for frozen, run in step.items():
        run()  # the first call allocates what later ones reuse
        with _Peak() as peak:
            run()
        peaks[frozen] = peak.most
    seconds: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(steps):
        for frozen, run in step.items():  # in turns, because a machine's speed drifts
            started = time.perf_counter()
            run()
            seconds[frozen].append(time.perf_counter() - started)
    milliseconds = {frozen: 1e3 * statistics.median(times) for frozen, times in seconds.items()}
    return FrozenDiscriminator(
        same_weights=torch.equal(*weights),
        peak_bytes=Cost(peaks[True], peaks[False]),
        milliseconds=Cost(milliseconds[True], milliseconds[False]),
    )


def _tutorial_step(frozen: bool, batch_size: int) -> Callable[[], None]:
    """The generator's half of the tutorial's step, from latents to gradients."""
    generator, discriminator = tutorial.generator(), tutorial.discriminator().requires_grad_(not frozen)
    latents, labels = torch.randn(batch_size, tutorial.LATENT_DIM), torch.ones(batch_size, 1)

    def step() -> None:
        generator.zero_grad()
        discriminator.zero_grad()
        nn.functional.binary_cross_entropy(discriminator(generator(latents)), labels).backward()

    return step


class _Peak(TorchDispatchMode):
    """Counts the bytes of tensors made while it is on: `now` alive at present, `most` alive at any one time."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.most = 0
        self._known: set[int] = set()

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        known = {tensor.untyped_storage()._cdata for tensor in _tensors((args, kwargs))}
        result = func(*args, **(kwargs or {}))
        for tensor in _tensors(result):
            storage = tensor.untyped_storage()
            if storage._cdata not in known | self._known:
                self._known.add(storage._cdata)
                self.now += storage.nbytes()
                self.most = max(self.most, self.now)
                weakref.finalize(storage, self._freed, storage._cdata, storage.nbytes())
        return result

    def _freed(self, address: int, size: int) -> None:
        self._known.discard(address)
        self.now -= size


def _tensors(tree: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)]
