"""Multilayer perceptrons for a population: one row of parameters per run, one weight matrix per run and layer.

The backward pass of a step is written by hand (`Workspace`): it computes only what a player's step needs. The
discriminator's step needs no gradient of the images, the generator's none of the discriminator's weights. Terms that
need more, such as a gradient of a gradient, call the networks as functions that autograd differentiates.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import sqrt

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from gan.study.schema import Variant

_aten = torch.ops.aten


@dataclass(frozen=True)
class Architecture:
    """Layer widths from input to output, the hidden activations' slope below 0 (0 is ReLU) and a tanh at the end."""

    widths: tuple[int, ...]
    negative_slope: float
    bounded: bool

    @property
    def size(self) -> int:
        """Numbers in one run's row: all weights and biases."""
        return sum((inputs + 1) * outputs for inputs, outputs in pairwise(self.widths))

    def layers(self, rows: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Views into `rows` `[run, size]`: each layer's weights `[run, in, out]` and biases `[run, 1, out]`."""
        shapes = [shape for inputs, outputs in pairwise(self.widths) for shape in ((inputs, outputs), (1, outputs))]
        sizes = [first * second for first, second in shapes]
        parts = rows.split(sizes, 1)
        views = [part.unflatten(1, shape) for part, shape in zip(parts, shapes, strict=True)]
        return list(zip(views[::2], views[1::2], strict=True))


def generator_architecture(variant: Variant, pixels: int) -> Architecture:
    """The generator: ReLU layers from latents to pixels in [-1, 1]."""
    return Architecture((variant.latent_dim, *variant.generator_hidden, pixels), 0.0, bounded=True)


def discriminator_architecture(variant: Variant, pixels: int) -> Architecture:
    """The discriminator: leaky ReLU layers from pixels to one logit."""
    return Architecture((pixels, *variant.discriminator_hidden, 1), variant.leaky_slope, bounded=False)


def encoder_architecture(variant: Variant, pixels: int) -> Architecture | None:
    """The encoder, if there is one: leaky ReLU layers from pixels to the latents' means and logarithmic variances."""
    if variant.encoder_hidden is None:
        return None
    return Architecture((pixels, *variant.encoder_hidden, 2 * variant.latent_dim), variant.leaky_slope, bounded=False)


def forward(
    layers: Sequence[tuple[Tensor, Tensor]],
    inputs: Tensor,
    architecture: Architecture,
    outputs: Sequence[Tensor | None] | None = None,
) -> list[Tensor]:
    """Every layer's output `[run, batch, out]` for `inputs` `[run, batch, in]`: the one forward pass of all networks.

    `layers` are weights and biases as `Architecture.layers` has them. `outputs` is memory for each layer's output, for
    where autograd has no part.
    """
    found, x = [], inputs
    for place, (weight, bias) in enumerate(layers):
        x = torch.baddbmm(bias, x, weight, out=outputs[place] if outputs else None)
        if place < len(layers) - 1:
            F.leaky_relu_(x, architecture.negative_slope)
        elif architecture.bounded:
            x.tanh_()
        found.append(x)
    return found


def generate(variant: Variant, parameters: Mapping[str, np.ndarray], latents: Tensor) -> Tensor:
    """A kept generator's images `[batch, pixel]` in [-1, 1] from latents `[batch, latent]`.

    `parameters` are named and shaped as `Perceptrons.state` has them.
    """
    layers = _kept_layers(parameters, "model", latents.device)
    architecture = generator_architecture(variant, layers[-1][1].shape[-1])
    return forward(layers, latents.unsqueeze(0), architecture)[-1][0]


def reconstruct(variant: Variant, parameters: Mapping[str, np.ndarray], images: Tensor) -> Tensor:
    """The generator's images `[batch, pixel]` of the means that the encoder infers for `images` `[batch, pixel]`."""
    architecture = encoder_architecture(variant, images.shape[1])
    assert architecture, "a variant without an encoder reconstructs nothing"
    layers = _kept_layers(parameters, "encoder", images.device)
    mean, _ = forward(layers, images.unsqueeze(0), architecture)[-1][0].chunk(2, 1)
    return generate(variant, parameters, mean)


def _kept_layers(
    parameters: Mapping[str, np.ndarray], network: str, device: torch.device
) -> list[tuple[Tensor, Tensor]]:
    """A kept network's weights `[1, in, out]` and biases `[1, 1, out]`, from input to output."""
    layers = []
    for place in range(0, 2 * len(parameters), 2):
        if (name := f"{network}.{place}") + ".weight" in parameters:
            weight, bias = (torch.as_tensor(parameters[f"{name}.{kind}"], device=device) for kind in ("weight", "bias"))
            layers.append((weight.T.unsqueeze(0), bias.view(1, 1, -1)))
    return layers


class Perceptrons:
    """One perceptron per run: `parameters` has a row for each, `[run, size]`.

    Each run's are drawn from its own random generator by torch.nn.Linear's default rule, uniform within ±1/sqrt(in).
    """

    def __init__(
        self,
        architecture: Architecture,
        randoms: Sequence[torch.Generator],
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        rows = torch.zeros(len(randoms), architecture.size)
        for run, random in enumerate(randoms):
            for layer in architecture.layers(rows[run : run + 1]):
                bound = 1 / sqrt(layer[0].shape[1])
                for part in layer:
                    part.uniform_(-bound, bound, generator=random)
        self.architecture = architecture
        self.parameters = rows.to(device, dtype)
        self.layers = architecture.layers(self.parameters)
        # The same memory, known to autograd.
        self.leaves = [part.detach().requires_grad_() for layer in self.layers for part in layer]

    def __call__(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """The last hidden layer and the output for `inputs` `[run, batch, in]`, differentiable by `leaves`."""
        layers = list(zip(self.leaves[::2], self.leaves[1::2], strict=True))
        *hidden, output = [inputs, *forward(layers, inputs, self.architecture)]
        return hidden[-1], output

    def finite(self) -> Tensor:
        """Whether each run's parameters are all finite, `[run]` of bool."""
        return self.parameters.isfinite().all(1)

    def state(self, run: int, name: str = "model") -> dict[str, Tensor]:
        """A copy of one run's parameters on the CPU, named and shaped as in the tutorial's `Generator` module."""
        row = self.parameters[run : run + 1].detach().to("cpu", copy=True)
        state = {}
        for layer, (weight, bias) in enumerate(self.architecture.layers(row)):
            state[f"{name}.{2 * layer}.weight"] = weight[0].T.contiguous()
            state[f"{name}.{2 * layer}.bias"] = bias[0, 0].clone()
        return state

    def load(self, run: int, state: dict[str, Tensor], name: str = "model") -> None:
        """Give one run the parameters of a `state`."""
        for place, (weight, bias) in enumerate(self.layers):
            weight[run].copy_(state[f"{name}.{2 * place}.weight"].T)
            bias[run, 0].copy_(state[f"{name}.{2 * place}.bias"])


class Workspace:
    """The memory of a batch's forward and backward pass through perceptrons, taken once and used in every step.

    `inputs` is `[run, batch, in]`; `output` `[run, batch, out]` is where the last layer's output goes, if not to memory
    of its own. `backward` puts the gradient of the parameters into `gradient`, rows like theirs, if that is given, and
    computes the gradient at the inputs if `to_inputs`.
    """

    def __init__(
        self,
        network: Perceptrons,
        inputs: Tensor,
        output: Tensor | None = None,
        *,
        gradient: Tensor | None = None,
        to_inputs: bool = False,
    ) -> None:
        def memory(width: int) -> Tensor:
            return inputs.new_empty(*inputs.shape[:2], width)

        *hidden, last = network.architecture.widths[1:]
        self._architecture = network.architecture
        self._layers = network.layers
        self._gradients = None if gradient is None else network.architecture.layers(gradient)
        self._outputs = [inputs, *map(memory, hidden), memory(last) if output is None else output]
        self._grad_inputs = [memory(inputs.shape[2]) if to_inputs else None, *map(memory, hidden)]
        # Making a view takes as long as a small operation, so the step's are made here.
        self._weights_transposed = [weight.transpose(1, 2) for weight, _ in network.layers]
        self._outputs_transposed = [x.transpose(1, 2) for x in self._outputs]

    @property
    def output(self) -> Tensor:
        return self._outputs[-1]

    def forward(self) -> Tensor:
        """The network's output for what `inputs` holds now, `[run, batch, out]`."""
        forward(self._layers, self._outputs[0], self._architecture, self._outputs[1:])
        return self.output

    def backward(self, grad_output: Tensor) -> Tensor:
        """Take `grad_output`, the loss's gradient at the output `[run, batch, out]`, back through the last `forward`.

        Returns the gradient at the inputs if `to_inputs`, else at the first layer's output. `grad_output` is used up.
        """
        if self._architecture.bounded:
            _aten.tanh_backward.grad_input(grad_output, self.output, grad_input=grad_output)
        for place in reversed(range(len(self._layers))):
            x, weight, grad_input = self._outputs[place], self._weights_transposed[place], self._grad_inputs[place]
            if self._gradients is not None:
                weight_gradient, bias_gradient = self._gradients[place]
                torch.bmm(self._outputs_transposed[place], grad_output, out=weight_gradient)
                torch.sum(grad_output, 1, keepdim=True, out=bias_gradient)
            if grad_input is None:
                break
            torch.bmm(grad_output, weight, out=grad_input)
            if place > 0:
                # The sign of the output is the sign of what entered the activation.
                _aten.leaky_relu_backward.grad_input(
                    grad_input, x, self._architecture.negative_slope, True, grad_input=grad_input
                )
            grad_output = grad_input
        return grad_output
