"""Multilayer perceptrons for a population: one row of parameters per run, one weight matrix per run and layer.

The backward pass of a step is written out (`Pass`), for it computes just what a player's step needs: the
discriminator's step needs no gradient of the images, the generator's none of the discriminator's weights. What needs
more, such as a gradient of a gradient, calls the networks as functions that autograd differentiates.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import sqrt

import torch
from torch import Tensor

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
        hidden = inputs
        *layers, (weight, bias) = zip(self.leaves[::2], self.leaves[1::2], strict=True)
        for hidden_weight, hidden_bias in layers:
            hidden = torch.baddbmm(hidden_bias, hidden, hidden_weight)
            hidden = torch.nn.functional.leaky_relu(hidden, self.architecture.negative_slope)
        output = torch.baddbmm(bias, hidden, weight)
        return hidden, output.tanh() if self.architecture.bounded else output

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


class Pass:
    """A batch's way through perceptrons and back, in memory that is taken once and used in every step.

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
        self._pulls = [memory(inputs.shape[2]) if to_inputs else None, *map(memory, hidden)]
        # Making a view takes as long as a small operation, so the step's are made here.
        self._weights_transposed = [weight.transpose(1, 2) for weight, _ in network.layers]
        self._outputs_transposed = [x.transpose(1, 2) for x in self._outputs]

    @property
    def output(self) -> Tensor:
        return self._outputs[-1]

    def forward(self) -> Tensor:
        """The network's output for what `inputs` holds now, `[run, batch, out]`."""
        for place, (weight, bias) in enumerate(self._layers):
            x, out = self._outputs[place : place + 2]
            torch.baddbmm(bias, x, weight, out=out)
            if place < len(self._layers) - 1:
                torch.nn.functional.leaky_relu_(out, self._architecture.negative_slope)
            elif self._architecture.bounded:
                torch.tanh_(out)
        return self.output

    def backward(self, pull: Tensor) -> Tensor:
        """Push `pull`, the loss's gradient at the output `[run, batch, out]`, back through the last `forward`.

        Returns the gradient at the inputs if `to_inputs`, else at the first layer's output. `pull` is used up.
        """
        if self._architecture.bounded:
            _aten.tanh_backward.grad_input(pull, self.output, grad_input=pull)
        for place in reversed(range(len(self._layers))):
            x, weight, back = self._outputs[place], self._weights_transposed[place], self._pulls[place]
            if self._gradients is not None:
                weight_gradient, bias_gradient = self._gradients[place]
                torch.bmm(self._outputs_transposed[place], pull, out=weight_gradient)
                torch.sum(pull, 1, keepdim=True, out=bias_gradient)
            if back is None:
                break
            torch.bmm(pull, weight, out=back)
            if place > 0:
                # The sign of the output is the sign of what entered the activation.
                _aten.leaky_relu_backward.grad_input(back, x, self._architecture.negative_slope, True, grad_input=back)
            pull = back
        return pull
