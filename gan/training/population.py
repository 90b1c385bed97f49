"""A population of GANs: the networks, optimizers and random streams of several runs, and their common training step.

Runs share nothing but the step in which they are computed. On a CPU every random draw of a run comes from a generator
of its own, one per purpose, so seed k has the same initial weights, order of images and latents in every variant. A
CPU trains each run as a population of its own: kernels for one matrix and for a stack of several may round
differently, so a run's bits can't depend on other runs if there are none beside it. On a GPU runs are stacked, and the
latents are drawn there for the whole population at once.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from torch import Tensor

from gan.seeding import random_generator
from gan.study.schema import Adam, Sgd, Stream, Variant
from gan.training.cuda_graph import Recorded
from gan.training.losses import OBJECTIVES, Objective
from gan.training.networks import (
    Architecture,
    Perceptrons,
    Workspace,
    discriminator_architecture,
    encoder_architecture,
    generator_architecture,
)
from gan.training.optimizers import OPTIMIZERS
from gan.training.terms import TERMS, LossInputs

LOGITS = ("real_logits", "fake_logits")
STEP_VALUES = ("discriminator_loss", "generator_loss", "generator_gradient_norm")


def memory_per_run(variant: Variant, images: int, pixels: int) -> int:
    """Bytes that one more run in a population takes at most, besides the images, which all share."""

    def passes(architecture: Architecture, batch: int) -> int:
        return 2 * batch * sum(architecture.widths)  # outputs forward, gradients back

    generator, discriminator = generator_architecture(variant, pixels), discriminator_architecture(variant, pixels)
    encoder = encoder_architecture(variant, pixels)
    batch = min(variant.batch_size, images)
    players = [generator, discriminator, *([encoder] if encoder else [])]
    learning = 4 * sum(player.size for player in players)  # parameters, gradient and Adam's two moments
    step = passes(generator, batch) + passes(discriminator, 2 * batch) + passes(discriminator, batch) + batch * pixels
    # Autograd keeps what goes forward and back once more, and again for the gradient of a gradient.
    step += len(variant.terms) * 3 * sum(passes(player, batch) + player.size for player in players)
    floats = learning + 2 * step + len(LOGITS) * images  # twice: an epoch's last batch may have another size
    return 4 * floats + 8 * images  # the order is int64


class Population:
    """The networks, optimizers and random streams of several seeds of one variant, and the epochs that train them.

    `images` is `[image, pixel]` in [-1, 1], on the device where all is computed. `log` has the last epoch's values:
    logits `[run, image]`, real ones as of the discriminator's step and fake ones as of the generator's right after it;
    losses and the norm of the generator's gradient `[run, step]`.
    """

    def __init__(self, variant: Variant, seeds: Sequence[int], images: Tensor) -> None:
        def streams(purpose: Stream) -> list[torch.Generator]:
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
            step = partial(self._step, batch, self._loss_inputs(batch))
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
        """The random streams that epochs draw from. Those of the initial weights are not needed any more."""
        purposes = {"order": self._order_streams, "latents": self._latent_streams, "terms": self._term_streams}
        return {f"{purpose}.{place}": stream for purpose, of in purposes.items() for place, stream in enumerate(of)}

    def _step(self, batch: "_Batch", inputs: LossInputs) -> None:
        """One step of both players on the same generated batch (claim T4). It finds its place by counting."""
        chosen = self._order.index_select(1, batch.columns).flatten()
        batch.real.copy_(self._images.index_select(0, chosen).view_as(batch.real))
        self._draw(torch.randn, self._latent_streams, batch.latents)
        batch.generator_workspace.forward()

        batch.discriminator_workspace.forward()
        discriminator_loss, grad_outputs = _gradient(
            lambda real, fake: self._objective.discriminator(real, fake, self._variant.real_label),
            *batch.logits.split(batch.size, 1),
        )
        batch.discriminator_workspace.backward(torch.cat(grad_outputs, 1).unsqueeze(-1))
        discriminator_loss += self._add_terms("discriminator", inputs, self.discriminator)
        self.discriminator.optimizer.step()
        if self._variant.clip is not None:
            self.discriminator.parameters.clamp_(-self._variant.clip, self._variant.clip)

        batch.fake_workspace.forward()
        real_logits = [batch.real_workspace.forward().squeeze(-1)] if batch.real_workspace else []
        generator_loss, (grad_output, *_) = _gradient(self._objective.generator, batch.fake_logits, *real_logits)
        generator_loss *= self._variant.adversarial
        image_gradient = batch.fake_workspace.backward(grad_output.mul_(self._variant.adversarial).unsqueeze(-1))
        generator_loss += self._add_image_terms(inputs, image_gradient)
        batch.generator_workspace.backward(image_gradient)
        if self.encoder:
            self.encoder.gradient.zero_()
            generator_loss += self._add_terms("autoencoder", inputs, self.generator, self.encoder)
            self.encoder.optimizer.step()
        gradient_norm = torch.linalg.vector_norm(self.generator.gradient, dim=1)
        self.generator.optimizer.step()

        self.log["real_logits"].index_copy_(1, batch.columns, batch.logits[:, : batch.size])
        self.log["fake_logits"].index_copy_(1, batch.columns, batch.fake_logits)
        for name, values in zip(STEP_VALUES, (discriminator_loss, generator_loss, gradient_norm), strict=True):
            self.log[name].index_copy_(1, self._step_number, values.unsqueeze(1))
        batch.columns += batch.size
        self._step_number += 1

    def _loss_inputs(self, batch: "_Batch") -> LossInputs:
        def draw(rule: Callable[..., Tensor], width: int) -> Tensor:
            return self._draw(rule, self._term_streams, batch.real.new_empty(*batch.real.shape[:2], width))

        def infer(images: Tensor) -> tuple[Tensor, Tensor]:
            assert self.encoder, "params.yaml is refused where a term wants an encoder and there is none"
            mean, log_variance = self.encoder(images)[1].chunk(2, -1)
            return mean, log_variance

        return LossInputs(
            real=batch.real,
            fake=batch.fake,
            discriminate=lambda images: self.discriminator(images)[1].squeeze(-1),
            features=lambda images: self.discriminator(images)[0],
            generate=lambda latents: self.generator(latents)[1],
            infer=infer,
            uniform=partial(draw, torch.rand),
            normal=partial(draw, torch.randn),
        )

    def _terms(self, player: str, inputs: LossInputs, leaves: Sequence[Tensor]) -> tuple[Tensor, Sequence[Tensor]]:
        """The weighted sum of a player's terms, `[run]`, and its gradient by `leaves`; without terms, no gradient."""
        weights = {name: weight for name, weight in self._variant.terms.items() if TERMS[name].player == player}
        losses = inputs.real.new_zeros(len(inputs.real))
        if not weights:
            return losses, ()
        with torch.enable_grad():
            for name, weight in weights.items():
                losses = losses + weight * TERMS[name].loss(inputs)
            return losses.detach(), torch.autograd.grad(losses.sum(), leaves, materialize_grads=True)

    def _add_terms(self, player: str, inputs: LossInputs, *networks: "_Player") -> Tensor:
        """Add the gradient of a player's terms to that of its networks; returns the terms' sum, `[run]`."""
        losses, gradients = self._terms(player, inputs, [leaf for network in networks for leaf in network.leaves])
        for target, gradient in zip([part for each in networks for part in each.gradients], gradients, strict=False):
            target += gradient
        return losses

    def _add_image_terms(self, inputs: LossInputs, grad_output: Tensor) -> Tensor:
        """Add the gradient of the generator's terms by the generated images to `grad_output`; returns their sum."""
        fake = inputs.fake.detach().requires_grad_()
        losses, gradients = self._terms("generator", replace(inputs, fake=fake), [fake])
        for gradient in gradients:
            grad_output += gradient
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
        settings: Adam | Sgd,
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
        variant: Variant,
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
        self.generator_workspace = Workspace(generator, self.latents, self.fake, gradient=generator.gradient)
        self.discriminator_workspace = Workspace(
            discriminator, images, self.logits.unsqueeze(-1), gradient=discriminator.gradient
        )
        self.fake_workspace = Workspace(
            discriminator,
            self.fake,
            self.fake_logits.unsqueeze(-1),
            # If it is not frozen, the discriminator gets a gradient that is not used (claim T6).
            gradient=None if variant.freeze_discriminator else discriminator.gradient,
            to_inputs=True,
        )
        self.real_workspace = Workspace(discriminator, self.real) if objective.relativistic else None


def _gradient(loss: Callable[..., Tensor], *logits: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
    """A loss's values `[run]` and its gradient at the logits, the one place where autograd is at work."""
    with torch.enable_grad():
        leaves = tuple(part.detach().contiguous().requires_grad_() for part in logits)
        losses = loss(*leaves)
        return losses.detach(), torch.autograd.grad(losses.sum(), leaves, materialize_grads=True)
