"""Multilayer perceptrons for a population: every layer holds one weight matrix per run.

The backward pass is written out, for it computes just what a player's step needs: the discriminator's step needs no
gradient of the images, the generator's none of the discriminator's weights. Parameters and gradients each lie in one
flat vector, so that an optimiser step is a single pass over memory.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import prod, sqrt

import torch
from torch import Tensor

_aten = torch.ops.aten

# Kernels work on full vector registers, then on the remainder with other instructions. A parameter vector without
# remainder is updated with the same rounding wherever a run lies in it.
_VECTOR = 64


@dataclass(frozen=True)
class Architecture:
    """Layer widths from input to output, the hidden activations' slope below 0 (0 is ReLU) and a tanh at the end."""

    widths: tuple[int, ...]
    negative_slope: float
    bounded: bool


class Perceptrons:
    """One perceptron per run, with equal architecture and weights `[run, in, out]`, biases `[run, 1, out]`.

    Each run's weights come from its own random generator by torch.nn.Linear's default rule, uniform within
    ±1/sqrt(in). `parameters` and `gradient` are flat and hold all runs.
    """

    def __init__(
        self,
        architecture: Architecture,
        randoms: Sequence[torch.Generator],
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.architecture = architecture
        self.runs = len(randoms)
        shapes = []
        for inputs, outputs in pairwise(architecture.widths):
            shapes += [(self.runs, inputs, outputs), (self.runs, 1, outputs)]
        size = sum(map(prod, shapes))
        size += -size % _VECTOR
        self.parameters = torch.zeros(size, device=device, dtype=dtype)
        self.gradient = torch.zeros(size, device=device, dtype=dtype)
        self._weights = _views(self.parameters, shapes)
        self._gradients = _views(self.gradient, shapes)
        for run, random in enumerate(randoms):
            for layer in range(0, len(shapes), 2):
                bound = 1 / sqrt(shapes[layer][1])
                for tensor in self._weights[layer : layer + 2]:
                    drawn = torch.empty(tensor.shape[1:]).uniform_(-bound, bound, generator=random)
                    tensor[run].copy_(drawn)

    def forward(self, inputs: Tensor) -> list[Tensor]:
        """The inputs `[run, batch, in]` and every layer's output; the last is the network's, `[run, batch, out]`."""
        outputs = [inputs]
        layers = len(self._weights) // 2
        for layer in range(layers):
            weight, bias = self._weights[2 * layer : 2 * layer + 2]
            x = outputs[-1]
            if weight.shape[2] == 1:
                # A product with a single column rounds differently for one run than for many; this sum does not.
                x = (x * weight.transpose(1, 2)).sum(-1, keepdim=True) + bias
            else:
                x = torch.baddbmm(bias, x, weight)
            if layer < layers - 1:
                x = torch.nn.functional.leaky_relu_(x, self.architecture.negative_slope)
            elif self.architecture.bounded:
                x = torch.tanh_(x)
            outputs.append(x)
        return outputs

    def backward(self, outputs: list[Tensor], gradient: Tensor, *, weights: bool, inputs: bool) -> Tensor:
        """Push the loss's gradient at the network's output, `[run, batch, out]`, back through `forward`'s outputs.

        With `weights`, `self.gradient` is overwritten with the parameters' gradient. Returns the gradient at the
        network's input if `inputs`, else at the first layer's output.
        """
        slope = self.architecture.negative_slope
        if self.architecture.bounded:
            gradient = _aten.tanh_backward(gradient, outputs[-1])
        for layer in reversed(range(len(self._weights) // 2)):
            weight, x = self._weights[2 * layer], outputs[layer]
            single = weight.shape[2] == 1
            if weights:
                weight_gradient, bias_gradient = self._gradients[2 * layer : 2 * layer + 2]
                if single:
                    torch.sum(x * gradient, 1, keepdim=True, out=weight_gradient.transpose(1, 2))
                else:
                    torch.bmm(x.transpose(1, 2), gradient, out=weight_gradient)
                torch.sum(gradient, 1, keepdim=True, out=bias_gradient)
            if layer > 0 or inputs:
                back = weight.transpose(1, 2)
                gradient = gradient * back if single else torch.bmm(gradient, back)
            if layer > 0:
                # The sign of the output is the sign of what entered the activation.
                gradient = _aten.leaky_relu_backward(gradient, x, slope, True)
        return gradient

    def gradient_norm(self) -> Tensor:
        """Euclidean norm of each run's gradient, `[run]`."""
        # Added one by one: a reduction over the layers would take another order for one run than for many.
        squares = torch.zeros(self.runs, device=self.gradient.device, dtype=self.gradient.dtype)
        for part in self._gradients:
            squares += torch.linalg.vector_norm(part.flatten(1), dim=1).square()
        return squares.sqrt()

    def finite(self) -> Tensor:
        """Whether each run's parameters are all finite, `[run]` of bool."""
        return torch.stack([part.isfinite().flatten(1).all(1) for part in self._weights]).all(0)

    def state(self, run: int) -> dict[str, Tensor]:
        """A copy of one run's parameters on the CPU, named and shaped as in the tutorial's `Generator` module."""
        state = {}
        for layer in range(len(self._weights) // 2):
            weight, bias = (
                part[run].detach().to("cpu", copy=True) for part in self._weights[2 * layer : 2 * layer + 2]
            )
            state[f"model.{2 * layer}.weight"] = weight.T.contiguous()
            state[f"model.{2 * layer}.bias"] = bias[0]
        return state


def _views(flat: Tensor, shapes: Sequence[tuple[int, ...]]) -> list[Tensor]:
    used = sum(map(prod, shapes))
    parts = flat[:used].split([prod(shape) for shape in shapes])
    return [part.view(shape) for part, shape in zip(parts, shapes, strict=True)]
