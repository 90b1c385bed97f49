"""What `requires_grad_(False)` on the discriminator changes in the generator's half of a step (claim T6)."""

import statistics
import time
import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from gan.images import scale
from gan.mechanism import tutorial
from gan.records.mechanism import Cost, FrozenDiscriminator, StepCost
from gan.seeding import random_generator
from gan.study.recipe import Variant
from gan.training.population import Population, RunSpec


def frozen_discriminator(variant: Variant, steps: int, images: Tensor) -> FrozenDiscriminator:
    """Whether two runs of the engine, frozen and not, have the same bits after `steps` steps; what a step costs.

    The cost is that of the tutorial's own step. `images` is `[image, pixel]`, uint8.
    """
    few = images[: steps * variant.batch_size]
    weights = []
    for frozen in (True, False):
        recipe = variant.model_copy(update={"freeze_discriminator": frozen, "discriminator_steps": 1})
        population = Population([RunSpec(recipe, 0)], few)
        population.epoch()
        weights.append(torch.cat([population.generator.parameters, population.discriminator.parameters], 1))
    real = scale(images[: variant.batch_size].cpu())
    return FrozenDiscriminator(
        same_weights=torch.equal(*weights),
        whole_iteration=cost({frozen: _whole_iteration(real, frozen=frozen) for frozen in (True, False)}, steps),
        generators_half=cost({frozen: _generators_half(len(real), frozen=frozen) for frozen in (True, False)}, steps),
    )


def cost(runs: dict[bool, Callable[[], None]], calls: int) -> StepCost:
    """Peak bytes of one call, and the median time of so many, of what runs frozen (True) and not (False)."""
    peaks = {}
    for frozen, run in runs.items():
        run()  # the first call allocates what later ones reuse
        with Peak() as peak:
            run()
        peaks[frozen] = peak.most
    seconds: dict[bool, list[float]] = {frozen: [] for frozen in runs}
    for _ in range(calls):
        for frozen, run in runs.items():  # in turns, because a machine's speed drifts
            started = time.perf_counter()
            run()
            seconds[frozen].append(time.perf_counter() - started)
    milliseconds = {frozen: 1e3 * statistics.median(times) for frozen, times in seconds.items()}
    return StepCost(Cost(peaks[True], peaks[False]), Cost(milliseconds[True], milliseconds[False]))


def _whole_iteration(real: Tensor, *, frozen: bool) -> Callable[[], None]:
    """An iteration of the tutorial's loop: the discriminator's gradients live from its own half to the next one."""
    players = tutorial.Tutorial(tutorial.generator(), tutorial.discriminator())
    random = random_generator(0, "cost of a step")

    def step() -> None:
        players.step(real, torch.randn(len(real), tutorial.LATENT_DIM, generator=random), freeze=frozen)

    return step


def _generators_half(batch_size: int, *, frozen: bool) -> Callable[[], None]:
    """The generator's half of the tutorial's step by itself, from latents to gradients that were cleared before."""
    generator, discriminator = tutorial.generator(), tutorial.discriminator().requires_grad_(not frozen)
    latents, labels = torch.randn(batch_size, tutorial.LATENT_DIM), torch.ones(batch_size, 1)

    def step() -> None:
        generator.zero_grad()
        discriminator.zero_grad()
        nn.functional.binary_cross_entropy(discriminator(generator(latents)), labels).backward()

    return step


class Peak(TorchDispatchMode):
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
