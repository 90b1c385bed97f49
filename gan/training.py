"""Training a population of GANs side by side: a variant, seeds and images in, trained runs out.

Runs share nothing but the step in which they are computed. On a CPU every random draw of a run comes from a generator
of its own, one per purpose, so seed k has the same initial weights, order of images and latents in every variant. A
CPU trains each run as a population of its own: kernels for one matrix and for a stack of several may round
differently, so a run's bits can't depend on other runs if there are none beside it. On a GPU runs are stacked, and the
latents are drawn there for the whole population at once.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from torch import Tensor

from gan.networks import Architecture, Pass, Perceptrons
from gan.objectives import OBJECTIVES, Objective
from gan.optimizers import OPTIMIZERS
from gan.pixels import scale
from gan.randomness import random_generator
from gan.recording import Recorded
from gan.terms import TERMS, Scene

if TYPE_CHECKING:
    from gan import study
    from gan.study import Variant

LOGITS = ("real_logits", "fake_logits")
STEP_VALUES = ("discriminator_loss", "generator_loss", "generator_gradient_norm")


@dataclass
class Run:
    """One seed's result: plain arrays, so that it crosses process borders.

    `history` holds one row per completed epoch. `generators` maps a snapshot's epoch to the generator's parameters,
    and the encoder's where there is one.
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


def encoder_architecture(variant: "Variant", pixels: int) -> Architecture | None:
    """The encoder, if there is one: leaky ReLU layers from pixels to the latents' means and logarithmic variances."""
    if variant.encoder_hidden is None:
        return None
    return Architecture((pixels, *variant.encoder_hidden, 2 * variant.latent_dim), variant.leaky_slope, bounded=False)


def memory_per_run(variant: "Variant", images: int, pixels: int) -> int:
    """Bytes that one more run in a population takes at most, besides the images, which all share."""

    def passes(architecture: Architecture, batch: int) -> int:
        return 2 * batch * sum(architecture.widths)  # what goes forth, what comes back

    generator, discriminator = generator_architecture(variant, pixels), discriminator_architecture(variant, pixels)
    encoder = encoder_architecture(variant, pixels)
    batch = min(variant.batch_size, images)
    players = [generator, discriminator, *([encoder] if encoder else [])]
    learning = 4 * sum(player.size for player in players)  # parameters, gradient and Adam's two moments
    step = passes(generator, batch) + passes(discriminator, 2 * batch) + passes(discriminator, batch) + batch * pixels
    # Autograd's share: what goes forth and back once more, and again for a gradient's gradient.
    step += len(variant.terms) * 3 * sum(passes(player, batch) + player.size for player in players)
    floats = learning + 2 * step + len(LOGITS) * images  # twice, for an epoch's last batch may have a size of its own
    return 4 * floats + 8 * images  # the order is int64


class Population:
    """The networks, optimizers and random streams of several seeds of one variant, and the epochs that train them.

    `images` is `[image, pixel]` in [-1, 1], on the device where all is computed. `log` has the last epoch's values:
    logits `[run, image]`, real ones as of the discriminator's step and fake ones as of the generator's right after it;
    losses and the norm of the generator's gradient `[run, step]`.
    """

    def __init__(self, variant: "Variant", seeds: Sequence[int], images: Tensor) -> None:
        def streams(purpose: "study.Stream") -> list[torch.Generator]:
            return [random_generator(variant.pinned.get(purpose, seed), purpose) for seed in seeds]

        def memory(columns: int) -> Tensor:
            return images.new_empty(len(seeds), columns)

        count, pixels = images.shape
        self._images = images
        self._variant = variant
        self._objective = OBJECTIVES[variant.objective]
        self.generator = _Player(
            generator_architecture(variant, pixels), variant.generator_optimizer, streams("generator"), images
        )
        self.discriminator = _Player(
            discriminator_architecture(variant, pixels),
            variant.discriminator_optimizer,
            streams("discriminator"),
            images,
        )
        encoding = encoder_architecture(variant, pixels)
        self.encoder = encoding and _Player(encoding, variant.generator_optimizer, streams("encoder"), images)
        named = {"generator": self.generator, "discriminator": self.discriminator, "encoder": self.encoder}
        self.players = {name: player for name, player in named.items() if player}
        self._order_streams, self._latent_streams = streams("order"), streams("latents")
        self._term_streams = streams("terms")
        if images.is_cuda:
            seeds_together = ",".join(map(str, seeds))
            self._latent_streams = self._term_streams = [random_generator(seeds_together, "latents", images.device)]
        self._order = torch.empty(len(seeds), count, dtype=torch.int64, device=images.device)
        self._step_number = torch.empty(1, dtype=torch.int64, device=images.device)

        size = min(variant.batch_size, count)
        steps, rest = divmod(count, size)
        self.log = {name: memory(count) for name in LOGITS} | {name: memory(steps + (rest > 0)) for name in STEP_VALUES}
        self._plan = []
        for first, batch_size, times in ((0, size, steps), (count - rest, rest, 1)):
            if batch_size:
                batch = _Batch(self.generator, self.discriminator, first, batch_size, variant, self._objective)
                self._plan.append((batch, Recorded(self._latent_streams[0]), times))

    @torch.no_grad()
    def epoch(self) -> None:
        """Train on every image once, in an order of each run's own."""
        orders = [torch.randperm(len(self._images), generator=stream) for stream in self._order_streams]
        self._order.copy_(torch.stack(orders))
        self._step_number.zero_()
        for batch, recorded, times in self._plan:
            batch.columns.copy_(batch.first_columns)
            step = partial(self._step, batch, self._scene(batch))
            for _ in range(times):
                recorded(step)

    def finite(self) -> Tensor:
        """Whether all of each run's parameters are finite, `[run]` of bool."""
        return torch.stack([player.finite() for player in self.players.values()]).all(0)

    def snapshot(self, run: int) -> dict[str, np.ndarray]:
        """A copy of what a run has learnt to make images with: the generator, and the encoder where there is one."""
        state = self.generator.state(run) | (self.encoder.state(run, "encoder") if self.encoder else {})
        return {name: tensor.numpy() for name, tensor in state.items()}

    def state(self) -> dict[str, Tensor]:
        """All that the epochs to come depend on, and `restore` takes: copies, on the CPU."""
        return {name: tensor.to("cpu", copy=True) for name, tensor in self._memory().items()} | {
            name: stream.get_state() for name, stream in self._streams().items()
        }

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go on where the population of the same seeds and variant was whose `state` this is."""
        for name, tensor in self._memory().items():
            tensor.copy_(state[name])
        for name, stream in self._streams().items():
            stream.set_state(state[name])

    def _memory(self) -> dict[str, Tensor]:
        return {
            f"{name}.{part}": tensor
            for name, player in self.players.items()
            for part, tensor in {"parameters": player.parameters, **player.optimizer.state}.items()
        }

    def _streams(self) -> dict[str, torch.Generator]:
        """The random streams that epochs draw from; those of the initial weights are spent."""
        purposes = {"order": self._order_streams, "latents": self._latent_streams, "terms": self._term_streams}
        return {f"{purpose}.{place}": stream for purpose, of in purposes.items() for place, stream in enumerate(of)}

    def _step(self, batch: "_Batch", scene: Scene) -> None:
        """One step of both players on the same generated batch (claim T4). It finds its place by counting."""
        chosen = self._order.index_select(1, batch.columns).flatten()
        batch.real.copy_(self._images.index_select(0, chosen).view_as(batch.real))
        self._draw(torch.randn, self._latent_streams, batch.latents)
        batch.generated.forward()

        batch.judged.forward()
        discriminator_loss, pulls = _gradient(
            lambda real, fake: self._objective.discriminator(real, fake, self._variant.real_label),
            *batch.logits.split(batch.size, 1),
        )
        batch.judged.backward(torch.cat(pulls, 1).unsqueeze(-1))
        discriminator_loss += self._add_terms("discriminator", scene, self.discriminator)
        self.discriminator.optimizer.step()
        if self._variant.clip is not None:
            self.discriminator.parameters.clamp_(-self._variant.clip, self._variant.clip)

        batch.judged_anew.forward()
        real_logits = [batch.real_judged_anew.forward().squeeze(-1)] if batch.real_judged_anew else []
        generator_loss, (pull, *_) = _gradient(self._objective.generator, batch.fake_logits, *real_logits)
        generator_loss *= self._variant.adversarial
        image_pull = batch.judged_anew.backward(pull.mul_(self._variant.adversarial).unsqueeze(-1))
        generator_loss += self._add_image_terms(scene, image_pull)
        batch.generated.backward(image_pull)
        if self.encoder:
            self.encoder.gradient.zero_()
            generator_loss += self._add_terms("autoencoder", scene, self.generator, self.encoder)
            self.encoder.optimizer.step()
        gradient_norm = torch.linalg.vector_norm(self.generator.gradient, dim=1)
        self.generator.optimizer.step()

        self.log["real_logits"].index_copy_(1, batch.columns, batch.logits[:, : batch.size])
        self.log["fake_logits"].index_copy_(1, batch.columns, batch.fake_logits)
        for name, values in zip(STEP_VALUES, (discriminator_loss, generator_loss, gradient_norm), strict=True):
            self.log[name].index_copy_(1, self._step_number, values.unsqueeze(1))
        batch.columns += batch.size
        self._step_number += 1

    def _scene(self, batch: "_Batch") -> Scene:
        def draw(rule: Callable[..., Tensor], width: int) -> Tensor:
            return self._draw(rule, self._term_streams, batch.real.new_empty(*batch.real.shape[:2], width))

        def infer(images: Tensor) -> tuple[Tensor, Tensor]:
            assert self.encoder, "params.yaml is refused where a term wants an encoder and there is none"
            mean, log_variance = self.encoder(images)[1].chunk(2, -1)
            return mean, log_variance

        return Scene(
            real=batch.real,
            fake=batch.fake,
            discriminate=lambda images: self.discriminator(images)[1].squeeze(-1),
            features=lambda images: self.discriminator(images)[0],
            generate=lambda latents: self.generator(latents)[1],
            infer=infer,
            uniform=partial(draw, torch.rand),
            normal=partial(draw, torch.randn),
        )

    def _terms(self, player: str, scene: Scene, leaves: Sequence[Tensor]) -> tuple[Tensor, Sequence[Tensor]]:
        """The weighted sum of a player's terms, `[run]`, and its gradient by `leaves`; without terms, no gradient."""
        mine = {name: weight for name, weight in self._variant.terms.items() if TERMS[name].player == player}
        losses = scene.real.new_zeros(len(scene.real))
        if not mine:
            return losses, ()
        with torch.enable_grad():
            for name, weight in mine.items():
                losses = losses + weight * TERMS[name].loss(scene)
            return losses.detach(), torch.autograd.grad(losses.sum(), leaves, materialize_grads=True)

    def _add_terms(self, player: str, scene: Scene, *networks: "_Player") -> Tensor:
        """Add the gradient of a player's terms to that of its networks; returns the terms' sum, `[run]`."""
        losses, gradients = self._terms(player, scene, [leaf for network in networks for leaf in network.leaves])
        for target, gradient in zip([part for each in networks for part in each.gradients], gradients, strict=False):
            target += gradient
        return losses

    def _add_image_terms(self, scene: Scene, pull: Tensor) -> Tensor:
        """Add the gradient of the generator's terms at the generated images to `pull`; returns the terms' sum."""
        fake = scene.fake.detach().requires_grad_()
        losses, gradients = self._terms("generator", replace(scene, fake=fake), [fake])
        for gradient in gradients:
            pull += gradient
        return losses

    @staticmethod
    def _draw(rule: Callable[..., Tensor], streams: Sequence[torch.Generator], memory: Tensor) -> Tensor:
        """Fill `memory` by torch.randn or torch.rand, each run from its own stream; on a GPU from the population's."""
        if memory.is_cuda:
            return memory.copy_(rule(memory.shape, generator=streams[0], device=memory.device))
        for rows, stream in zip(memory, streams, strict=True):
            rows.copy_(rule(rows.shape, generator=stream))
        return memory


class _Player(Perceptrons):
    """Networks that learn, each from its own row of `gradient`; on the device and of the type of `like`."""

    def __init__(
        self,
        architecture: Architecture,
        settings: "study.Optimizer",
        randoms: Sequence[torch.Generator],
        like: Tensor,
    ) -> None:
        super().__init__(architecture, randoms, like.device, like.dtype)
        self.gradient = torch.zeros_like(self.parameters)
        self.gradients = [part for layer in architecture.layers(self.gradient) for part in layer]  # views, as `leaves`
        self.optimizer = OPTIMIZERS[settings.name](self.parameters, self.gradient, settings)


class _Batch:
    """The memory of a step over one size of batch, and the passes through it.

    `columns` are the batch's places in the epoch, from `first` on. `images` holds real ones, then generated ones,
    `[run, 2 * batch, pixel]`.
    """

    def __init__(
        self,
        generator: _Player,
        discriminator: _Player,
        first: int,
        size: int,
        variant: "Variant",
        objective: Objective,
    ) -> None:
        def memory(*shape: int) -> Tensor:
            return generator.parameters.new_empty(len(generator.parameters), *shape)

        self.size = size
        self.first_columns = torch.arange(first, first + size, device=generator.parameters.device)
        self.columns = self.first_columns.clone()
        self.latents = memory(size, generator.architecture.widths[0])
        images = memory(2 * size, generator.architecture.widths[-1])
        self.real, self.fake = images.split(size, 1)
        self.logits, self.fake_logits = memory(2 * size), memory(size)
        self.generated = Pass(generator, self.latents, self.fake, gradient=generator.gradient)
        self.judged = Pass(discriminator, images, self.logits.unsqueeze(-1), gradient=discriminator.gradient)
        self.judged_anew = Pass(
            discriminator,
            self.fake,
            self.fake_logits.unsqueeze(-1),
            # Not frozen, the discriminator gets a gradient that nobody uses (claim T6).
            gradient=None if variant.freeze_discriminator else discriminator.gradient,
            to_inputs=True,
        )
        self.real_judged_anew = Pass(discriminator, self.real) if objective.relativistic else None


@dataclass(frozen=True)
class Checkpoint:
    """A population after so many epochs: its runs as far as they are, and the state that the next epoch starts from."""

    epoch: int
    runs: list[Run]
    state: dict[str, Tensor]


class Saver(Protocol):
    """Where a population's checkpoints are kept."""

    def load(self) -> Checkpoint | None:
        """The last checkpoint, if there is one."""

    def save(self, take: Callable[[], Checkpoint]) -> None:
        """Keep the checkpoint that `take` makes, if it is time; `take` is called at once or never."""


def train(
    variant: "Variant",
    seeds: Sequence[int],
    images: Tensor,
    quantiles: Sequence[float],
    device: torch.device | str,
    on_epoch: Callable[[int], None],
    saver: Saver | None = None,
) -> list[Run]:
    """Train the given seeds side by side on `images` (uint8 `[image, height, width]`) and return their runs in order.

    On a CPU there is one seed: its bits must not depend on what lies beside it in memory. `quantiles` are those of the
    fake logits that the history keeps. `on_epoch` is called with the number of runs after every epoch. A run whose
    losses, gradient or weights stop being finite fails; the others go on unaffected. What `saver` has kept of this
    population is not computed again, and the result is the same to the last bit. ValueError for several seeds on a CPU.
    """
    # A saturated generator's gradients decay into denormal numbers, which cost a processor hundreds of cycles each
    # and lie thirty orders of magnitude below Adam's epsilon.
    torch.set_flush_denormal(True)
    if torch.device(device).type == "cpu" and len(seeds) != 1:
        raise ValueError(f"a CPU trains one run at a time, not the {len(seeds)} seeds {list(seeds)}")
    started = time.perf_counter()
    population = Population(variant, seeds, scale(images.flatten(1).to(device)))
    done, runs = 0, [Run(seed) for seed in seeds]
    if saver and (checkpoint := saver.load()):
        population.restore(checkpoint.state)
        done, runs = checkpoint.epoch, checkpoint.runs
        on_epoch(done * len(runs))
    before = runs[0].seconds
    for epoch in range(done + 1, variant.epochs + 1):
        population.epoch()
        measured = {name: values.tolist() for name, values in _measure(population.log, quantiles).items()}
        finite = population.finite().tolist()
        for index, run in enumerate(runs):
            if run.failure is not None:
                continue
            row = {name: values[index] for name, values in measured.items()}
            broken = [name for name, value in row.items() if not np.isfinite(value)]
            if broken or not finite[index]:
                what = broken[0].replace("_", " ") if broken else "weights"
                run.failure = {"epoch": epoch, "cause": f"{what} not finite"}
                continue
            run.history.append({"epoch": epoch, **row})
            if epoch in variant.checkpoints:
                run.generators[epoch] = population.snapshot(index)
        for run in runs:
            run.seconds = before + (time.perf_counter() - started) / len(runs)
        on_epoch(len(runs))
        if saver:
            saver.save(lambda: Checkpoint(epoch, runs, population.state()))  # noqa: B023 - called at once, or never
    return runs


def _measure(log: dict[str, Tensor], quantiles: Sequence[float]) -> dict[str, Tensor]:
    """An epoch's means over steps and quantiles of its fake logits, each `[run]`."""
    measured = {
        "discriminator_loss": log["discriminator_loss"].mean(1),
        "generator_loss": log["generator_loss"].mean(1),
        "real_probability": torch.sigmoid(log["real_logits"]).mean(1),
        "fake_probability": torch.sigmoid(log["fake_logits"]).mean(1),
        "discriminator_accuracy": (log["real_logits"] > 0).float().mean(1) / 2
        + (log["fake_logits"] < 0).float().mean(1) / 2,
        "generator_gradient_norm": log["generator_gradient_norm"].mean(1),
    }
    points = torch.tensor(quantiles, dtype=log["fake_logits"].dtype, device=log["fake_logits"].device)
    values = torch.stack([torch.quantile(logits, points) for logits in log["fake_logits"]], 1)
    return measured | {
        f"fake_logit_q{100 * quantile:02g}": row for quantile, row in zip(quantiles, values, strict=True)
    }


def _gradient(loss: Callable[..., Tensor], *logits: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
    """A loss's values `[run]` and its gradient at the logits, the one place where autograd is at work."""
    with torch.enable_grad():
        leaves = tuple(part.detach().contiguous().requires_grad_() for part in logits)
        losses = loss(*leaves)
        return losses.detach(), torch.autograd.grad(losses.sum(), leaves, materialize_grads=True)
