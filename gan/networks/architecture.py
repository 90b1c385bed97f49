"""The interface of all networks: one row of parameters per run, and a differentiable function of a batch.

A kind of network says what its layers are and how they compute. Everything else is told here once: where a layer's
numbers lie in a row, how they are drawn, saved and loaded.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod, sqrt

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Layer:
    """A layer's weights and biases: shaped as in torch's modules, named by its place in the torch.nn.Sequential.

    `outputs` are the numbers that it makes of one sample.
    """

    place: int
    weight: tuple[int, ...]
    bias: int
    outputs: int


@dataclass(frozen=True)
class Architecture(ABC):
    """A network's layers, and the function that they compute; `inputs` and `outputs` are numbers per sample."""

    inputs: int
    layers: tuple[Layer, ...]

    @property
    def outputs(self) -> int:
        return self.layers[-1].outputs

    @property
    def size(self) -> int:
        """Numbers in one run's row: all weights and biases."""
        return sum(prod(layer.weight) + layer.bias for layer in self.layers)

    def parts(self, rows: Tensor) -> list[Tensor]:
        """Views into `rows` `[run, size]`: each layer's weights `[run, *weight]`, then its biases `[run, bias]`."""
        shapes = [shape for layer in self.layers for shape in (layer.weight, (layer.bias,))]
        views = rows.split([prod(shape) for shape in shapes], 1)
        return [view.unflatten(1, shape) for view, shape in zip(views, shapes, strict=True)]

    def draw(self, random: torch.Generator) -> Tensor:
        """A new row `[1, size]` by the default rule of torch's layers: uniform within ±1/sqrt(fan-in)."""
        row = torch.empty(1, self.size)
        parts = iter(self.parts(row))
        for layer, weight, bias in zip(self.layers, parts, parts, strict=True):
            bound = 1 / sqrt(prod(layer.weight[1:]))
            weight.uniform_(-bound, bound, generator=random)
            bias.uniform_(-bound, bound, generator=random)
        return row

    def named(self, parts: Sequence[Tensor], name: str) -> dict[str, Tensor]:
        """`parts` by their names in a torch module's attribute `name`: `model.0.weight` and so on."""
        kinds = [f"{name}.{layer.place}.{kind}" for layer in self.layers for kind in ("weight", "bias")]
        return dict(zip(kinds, parts, strict=True))

    def load(self, state: Mapping[str, np.ndarray], name: str, device: torch.device | str) -> list[Tensor]:
        """The parts, with one run, of a saved network; its arrays are named as by `named`."""
        names = self.named([torch.empty(0)] * (2 * len(self.layers)), name)
        return [torch.as_tensor(state[part], device=device).unsqueeze(0) for part in names]

    @abstractmethod
    def forward(self, parts: Sequence[Tensor], inputs: Tensor) -> tuple[Tensor, Tensor]:
        """The last hidden layer `[run, batch, feature]` and the output `[run, batch, outputs]`.

        `inputs` are `[run, batch, inputs]`. Differentiable by both arguments, which it does not change.
        """


class Network:
    """One network per run: `parameters` has a row for each, `[run, size]`, drawn from the run's own generator."""

    def __init__(
        self,
        architecture: Architecture,
        randoms: Sequence[torch.Generator],
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.architecture = architecture
        self.parameters = torch.cat([architecture.draw(random) for random in randoms]).to(device, dtype)
        self.parts = architecture.parts(self.parameters)
        self.leaves = [part.detach().requires_grad_() for part in self.parts]  # the same memory, known to autograd

    def __call__(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """`Architecture.forward` of `inputs` `[run, batch, inputs]`, differentiable by `leaves`, too."""
        return self.architecture.forward(self.leaves, inputs)

    def finite(self) -> Tensor:
        """Whether each run's parameters are all finite, `[run]` of bool."""
        return self.parameters.isfinite().all(1)

    def state(self, run: int, name: str = "model") -> dict[str, Tensor]:
        """A copy of one run's parameters on the CPU, named and shaped as in the tutorial's `Generator` module."""
        parts = [part[run].detach().to("cpu", copy=True) for part in self.parts]
        return self.architecture.named(parts, name)

    def load(self, run: int, state: Mapping[str, Tensor], name: str = "model") -> None:
        """Give one run the parameters of a `state`."""
        for part, values in self.architecture.named([part[run] for part in self.parts], name).items():
            values.copy_(state[part])
