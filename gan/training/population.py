"""A population of GANs: the networks, optimizers and random streams of several runs, and their common training step.

Runs share nothing but the step in which they are computed. Every random draw of a run comes from a generator of its
own, one per purpose, so seed k has the same initial weights, order of images and latents in every variant, whoever is
trained beside it. A CPU trains each run as a population of its own: kernels for one matrix and for a stack of several
may round differently, so a run's bits can't depend on other runs if there are none beside it. On a GPU runs are
stacked if they share data, shapes, slope, terms, schedule and whether the discriminator is frozen; every other setting
is each run's own.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gan.networks import registry
from gan.networks.architecture import Architecture, Network
from gan.networks.perceptrons import Perceptron
from gan.seeding import random_generator
from gan.study.fields import Stream
from gan.study.recipe import Variant
from gan.training import kernels
from gan.training.cuda_graph import Recorded, memory_pool
from gan.training.losses import OBJECTIVES
from gan.training.optimizers import OPTIMIZERS, Settings
from gan.training.passes import make_pass
from gan.training.streams import AHEAD, Draws
from gan.training.terms import TERMS, LossInputs

# The settings that may differ from run to run in a population, and what the runs must have in common of each.
PER_RUN: dict[str, Callable[[Variant], object]] = {
    "seeds": lambda variant: None,
    "pinned": lambda variant: None,
    "objective": lambda variant: OBJECTIVES[variant.objective].relativistic,
    "real_label": lambda variant: None,
    "adversarial": lambda variant: None,
    "terms": lambda variant: tuple(sorted(variant.terms)),
    "clip": lambda variant: variant.clip is None,
    "generator_optimizer": lambda variant: variant.generator_optimizer.name,
    "discriminator_optimizer": lambda variant: variant.discriminator_optimizer.name,
}


@dataclass(frozen=True)
class RunSpec:
    """A run to be trained: a variant's recipe with one seed."""

    variant: Variant
    seed: int


def common_settings(variant: Variant) -> tuple[object, ...]:
    """What the runs of a population have in common: equal for variants that can be trained side by side."""
    fixed = variant.model_dump(exclude=set(PER_RUN))
    return (*fixed.items(), *(shared(variant) for shared in PER_RUN.values()))


def memory_per_run(variant: Variant, images: int, pixels: int, device: str) -> int:
    """Bytes that one more run in a population takes at most, besides the images, which all share."""

    def passes(architecture: Architecture, batch: int) -> int:
        # Outputs forward, gradients back; and autograd keeps what comes before an activation, too.
        times = 2 if isinstance(architecture, Perceptron) else 4
        return times * batch * (architecture.inputs + sum(layer.outputs for layer in architecture.layers))

    generator, discriminator = registry.generator(variant, pixels), registry.discriminator(variant, pixels)
    encoder = registry.encoder(variant, pixels)
    batch = min(variant.batch_size, images)
    players = [generator, discriminator, *([encoder] if encoder else [])]
    learning = 4 * sum(player.size for player in players)  # parameters, gradient and Adam's two moments
    step = passes(generator, batch) + passes(discriminator, 2 * batch) + passes(discriminator, batch) + batch * pixels
    # Autograd keeps what goes forward and back once more, and again for the gradient of a gradient.
    step += len(variant.terms) * 3 * sum(passes(player, batch) + player.size for player in players)
    drawn = variant.latent_dim + sum(TERMS[name].noise_width(pixels, variant.latent_dim) for name in variant.terms)
    step += (AHEAD[device] + 1) * batch * drawn
    floats = learning + 2 * step + 2 * images  # twice: an epoch's last batch may have another size; then the logits
    return 4 * floats + 8 * images  # the order is int64


class Population:
    """The networks, optimizers and random streams of several runs, and the epochs that train them.

    The variants of `specs` agree in their `common_settings`. `images` are bytes `[image, pixel]`, on the device where
    all is computed, in `dtype`. `log` has the last epoch's values: logits `[run, image]`, real ones as of the
    discriminator's step and fake ones as of the generator's right after it; losses and the norm of the generator's
    gradient `[run, step]`. ValueError if the variants can't be trained side by side.
    """

    def __init__(self, specs: Sequence[RunSpec], images: Tensor, dtype: torch.dtype = torch.float32) -> None:
        def streams(purpose: Stream, device: torch.device | str = "cpu") -> list[torch.Generator]:
            return [random_generator(spec.variant.pinned.get(purpose, spec.seed), purpose, device) for spec in specs]

        def column(values: Sequence[float]) -> Tensor:
            return torch.tensor(values, dtype=dtype, device=images.device).unsqueeze(1)

        def player(name: Stream, architecture: Architecture, settings: Sequence[Settings]) -> _Player:
            return _Player(architecture, settings, streams(name), images.device, dtype)

        variants = [spec.variant for spec in specs]
        variant = variants[0]
        if any(common_settings(other) != common_settings(variant) for other in variants):
            raise ValueError("runs of different shapes, terms or schedules can't be trained in one population")
        count, pixels = images.shape
        self._images = images
        discriminators = [each.discriminator_optimizer for each in variants]
        self.discriminator = player("discriminator", registry.discriminator(variant, pixels), discriminators)
        generators = [each.generator_optimizer for each in variants]
        self.generator = player("generator", registry.generator(variant, pixels), generators)
        encoder = registry.encoder(variant, pixels)
        self.encoder = encoder and player("encoder", encoder, generators)
        named = {"generator": self.generator, "discriminator": self.discriminator, "encoder": self.encoder}
        self.players = {name: player for name, player in named.items() if player}

        # Neighbours with the same objective are one call of it.
        names = groupby(range(len(variants)), lambda run: variants[run].objective)
        groups = [(OBJECTIVES[name], list(runs)) for name, runs in names]
        self._objectives = [(objective, slice(runs[0], runs[-1] + 1)) for objective, runs in groups]
        self._real_label = column([each.real_label for each in variants])
        self._adversarial = column([each.adversarial for each in variants])
        self._weights = {name: column([each.terms[name] for each in variants]).squeeze(1) for name in variant.terms}
        self._terms = defaultdict[str, list[str]](list)
        for name in variant.terms:
            self._terms[TERMS[name].player].append(name)
        self._clip = None if variant.clip is None else column([each.clip or 0.0 for each in variants])

        # What epochs draw from. The streams of the initial weights are not needed any more.
        self._streams = {
            "order": streams("order"),
            "latents": streams("latents", images.device),
            "terms": streams("terms", images.device),
        }
        self._order = torch.empty(len(specs), count, dtype=torch.int64, device=images.device)

        size = min(variant.batch_size, count)
        sizes = [size] * (count // size) + ([count % size] if count % size else [])
        self._learns = [step % variant.discriminator_steps == 0 for step in range(1, 1 + len(sizes))]
        learning = [size for size, learns in zip(sizes, self._learns, strict=True) if learns]
        if not learning:
            raise ValueError(f"the generator never learns: an epoch has only {len(sizes)} discriminator steps")
        lengths = {
            "real_logits": count,
            "fake_logits": sum(learning),
            "discriminator_loss": len(sizes),
            "generator_loss": len(learning),
            "generator_gradient_norm": len(learning),
        }
        self.log = {name: images.new_empty(len(specs), length, dtype=dtype) for name, length in lengths.items()}
        # How much of the log is filled; on the device, because a recorded step takes no number from outside.
        self._filled = {name: torch.zeros(1, dtype=torch.int64, device=images.device) for name in self.log}
        self._pool = memory_pool(images.device)
        batches = {size: self._batch(size, variant) for size in dict.fromkeys(sizes)}
        self._plan = [batches[size] for size in sizes]

    def _batch(self, size: int, variant: Variant) -> "_Batch":
        def draws(name: str) -> Draws:
            rule, width = TERMS[name].rule, TERMS[name].noise_width(self._images.shape[1], variant.latent_dim)
            assert rule, "a term that draws nothing has no width"
            return Draws(rule, self._streams["terms"], size, width, self.generator.parameters)

        latents = Draws("normal", self._streams["latents"], size, variant.latent_dim, self.generator.parameters)
        noise = {name: draws(name) for name in variant.terms if TERMS[name].rule}
        relativistic = OBJECTIVES[variant.objective].relativistic
        return _Batch(
            self.generator,
            self.discriminator,
            latents,
            noise,
            self._pool,
            freeze=variant.freeze_discriminator,
            real=relativistic,
        )

    @torch.no_grad()
    def epoch(self) -> None:
        """Train on every image once, in an order of each run's own."""
        orders = [torch.randperm(len(self._images), generator=stream) for stream in self._streams["order"]]
        self._order.copy_(torch.stack(orders))
        for filled in self._filled.values():
            filled.zero_()
        for draws in (draws for batch in dict.fromkeys(self._plan) for draws in batch.draws):
            draws.begin()
        for batch, learns in zip(self._plan, self._learns, strict=True):
            for draws in batch.draws:
                draws.step()
            batch.recorded[learns](partial(self._step, batch, learns))

    def finite(self) -> Tensor:
        """Whether all of each run's parameters are finite, `[run]` of bool."""
        return torch.stack([player.finite() for player in self.players.values()]).all(0)

    def snapshot(self, run: int) -> dict[str, np.ndarray]:
        """A copy of what a run has learnt to make images with: the generator, and the encoder where there is one."""
        state = self.generator.state(run) | (self.encoder.state(run, "encoder") if self.encoder else {})
        return {name: tensor.numpy() for name, tensor in state.items()}

    def state(self, run: int) -> dict[str, Tensor]:
        """All that a run's epochs to come depend on, and `restore` takes: copies, on the CPU."""
        return {name: tensor.to("cpu", copy=True) for name, tensor in self._memory(run).items()} | {
            name: streams[run].get_state() for name, streams in self._streams.items()
        }

    def restore(self, run: int, state: Mapping[str, Tensor]) -> None:
        """Let a run go on where it was when this was its `state`, beside whatever runs that are as far."""
        for name, tensor in self._memory(run).items():
            tensor.copy_(state[name])
        for name, streams in self._streams.items():
            streams[run].set_state(state[name])

    def _memory(self, run: int) -> dict[str, Tensor]:
        return {
            f"{name}.{part}": tensor[run]
            for name, player in self.players.items()
            for part, tensor in {"parameters": player.parameters, **player.optimizer.state}.items()
        }

    def _step(self, batch: "_Batch", learns: bool) -> None:
        """A step of the discriminator and, if it `learns`, of the generator on the same images (claim T4)."""
        torch.add(batch.counting, self._filled["real_logits"], out=batch.places)
        kernels.gather(self._images, self._order.index_select(1, batch.places), batch.real)
        batch.generator_pass.forward()

        batch.discriminator_pass.forward()
        loss, grad_outputs = _gradient(self._discriminator_loss, *batch.logits.split(batch.size, 1))
        batch.discriminator_pass.backward(torch.cat(grad_outputs, 1).unsqueeze(2))
        loss += self._add_terms("discriminator", batch, self.discriminator)
        self.discriminator.optimizer.step()
        if self._clip is not None:
            torch.clamp(self.discriminator.parameters, -self._clip, self._clip, out=self.discriminator.parameters)
        self.log["real_logits"].index_copy_(1, batch.places, batch.logits[:, : batch.size])
        self._filled["real_logits"] += batch.size
        self._append("discriminator_loss", loss)
        if learns:
            self._learn(batch)

    def _learn(self, batch: "_Batch") -> None:
        """The generator's step."""
        batch.fake_pass.forward()
        real_logits = [batch.real_pass.forward().squeeze(2)] if batch.real_pass else []
        loss, (grad_output, *_) = _gradient(self._generator_loss, batch.fake_logits, *real_logits)
        image_gradient = batch.fake_pass.backward(grad_output.mul_(self._adversarial).unsqueeze(2))
        assert image_gradient is not None, "the pass is made with the gradient at its inputs"
        loss = loss * self._adversarial.squeeze(1) + self._add_image_terms(batch, image_gradient)
        batch.generator_pass.backward(image_gradient)
        if self.encoder:
            self.encoder.gradient.zero_()
            loss += self._add_terms("autoencoder", batch, self.generator, self.encoder)
            self.encoder.optimizer.step()
        self._append("generator_gradient_norm", kernels.norms(self.generator.gradient))
        self.generator.optimizer.step()
        torch.add(batch.counting, self._filled["fake_logits"], out=batch.places)
        self.log["fake_logits"].index_copy_(1, batch.places, batch.fake_logits)
        self._filled["fake_logits"] += batch.size
        self._append("generator_loss", loss)

    def _append(self, name: str, values: Tensor) -> None:
        """Put each run's value of a step, `[run]`, into the log."""
        self.log[name].index_copy_(1, self._filled[name], values.unsqueeze(1))
        self._filled[name] += 1

    def _discriminator_loss(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        if len(self._objectives) == 1:  # to cut and join would take as long as the loss itself
            return self._objectives[0][0].discriminator(real_logits, fake_logits, self._real_label)
        losses = [
            objective.discriminator(real_logits[runs], fake_logits[runs], self._real_label[runs])
            for objective, runs in self._objectives
        ]
        return torch.cat(losses)

    def _generator_loss(self, *logits: Tensor) -> Tensor:
        if len(self._objectives) == 1:
            return self._objectives[0][0].generator(*logits)
        return torch.cat(
            [objective.generator(*(part[runs] for part in logits)) for objective, runs in self._objectives]
        )

    def _loss_inputs(self, batch: "_Batch") -> LossInputs:
        def infer(images: Tensor) -> tuple[Tensor, Tensor]:
            assert self.encoder, "params.yaml is refused where a term wants an encoder and there is none"
            mean, log_variance = self.encoder(images)[1].chunk(2, 2)
            return mean, log_variance

        return LossInputs(
            real=batch.real,
            fake=batch.fake,
            discriminate=lambda images: self.discriminator(images)[1].squeeze(2),
            features=lambda images: self.discriminator(images)[0],
            generate=lambda latents: self.generator(latents)[1],
            infer=infer,
        )

    def _gradient_of_terms(
        self, player: str, batch: "_Batch", leaves: Sequence[Tensor], inputs: LossInputs
    ) -> tuple[Tensor, Sequence[Tensor]]:
        """The weighted sum of a player's terms, `[run]`, and its gradient by `leaves`."""
        losses = batch.real.new_zeros(len(batch.real))
        with torch.enable_grad():
            for name in self._terms[player]:
                noise = batch.noise[name].values if name in batch.noise else None
                losses = losses + self._weights[name] * TERMS[name].loss(replace(inputs, noise=noise))
            return losses.detach(), torch.autograd.grad(losses.sum(), leaves, materialize_grads=True)

    def _add_terms(self, player: str, batch: "_Batch", *networks: "_Player") -> Tensor | float:
        """Add the gradient of a player's terms to that of its networks; returns the terms' sum, `[run]`."""
        if not self._terms[player]:
            return 0.0
        leaves = [leaf for network in networks for leaf in network.leaves]
        losses, gradients = self._gradient_of_terms(player, batch, leaves, self._loss_inputs(batch))
        for target, gradient in zip([part for each in networks for part in each.gradients], gradients, strict=True):
            target += gradient
        return losses

    def _add_image_terms(self, batch: "_Batch", image_gradient: Tensor) -> Tensor | float:
        """Add the gradient of the generator's terms by the generated images to theirs; returns the terms' sum."""
        if not self._terms["generator"]:
            return 0.0
        fake = batch.fake.detach().requires_grad_()
        inputs = replace(self._loss_inputs(batch), fake=fake)
        losses, gradients = self._gradient_of_terms("generator", batch, [fake], inputs)
        for gradient in gradients:
            image_gradient += gradient
        return losses


class _Player(Network):
    """Networks that learn, each from its own row of `gradient` and by its own settings."""

    def __init__(
        self,
        architecture: Architecture,
        settings: Sequence[Settings],
        randoms: Sequence[torch.Generator],
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        super().__init__(architecture, randoms, device, dtype)
        self.gradient = torch.zeros_like(self.parameters)
        self.gradients = architecture.parts(self.gradient)  # views, as `leaves`
        self.optimizer = OPTIMIZERS[settings[0].name](self.parameters, self.gradient, settings)


class _Batch:
    """The memory of a step over one size of batch, what the step draws, and the passes through it.

    `places` are those of its images in an epoch. The memory of images holds real ones, then generated ones.
    """

    def __init__(
        self,
        generator: _Player,
        discriminator: _Player,
        latents: Draws,
        noise: dict[str, Draws],
        pool: Any,
        *,
        freeze: bool,
        real: bool,
    ) -> None:
        runs, size, _ = latents.values.shape

        def memory(*shape: int) -> Tensor:
            return generator.parameters.new_empty(runs, *shape)

        device = generator.parameters.device
        self.size, self.noise, self.draws = size, noise, [latents, *noise.values()]
        self.counting = torch.arange(size, device=device)
        self.places = torch.empty_like(self.counting)
        images = memory(2 * size, generator.architecture.outputs)
        self.real, self.fake = images.split(size, 1)
        self.logits, self.fake_logits = memory(2 * size), memory(size)
        self.generator_pass = make_pass(generator, latents.values, self.fake, gradient=generator.gradient)
        self.discriminator_pass = make_pass(
            discriminator, images, self.logits.unsqueeze(2), gradient=discriminator.gradient
        )
        self.fake_pass = make_pass(
            discriminator,
            self.fake,
            self.fake_logits.unsqueeze(2),
            # If it is not frozen, the discriminator gets a gradient that is not used (claim T6).
            gradient=None if freeze else discriminator.gradient,
            to_inputs=True,
        )
        self.real_pass = make_pass(discriminator, self.real) if real else None
        self.recorded = {learns: Recorded(latents.values.device, pool) for learns in (True, False)}


def _gradient(loss: Callable[..., Tensor], *logits: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
    """A loss's values `[run]` and its gradient at the logits, by autograd."""
    with torch.enable_grad():
        leaves = tuple(part.detach().contiguous().requires_grad_() for part in logits)
        losses = loss(*leaves)
        return losses.detach(), torch.autograd.grad(losses.sum(), leaves, materialize_grads=True)
