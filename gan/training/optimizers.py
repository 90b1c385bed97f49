"""The optimizers over rows of parameters: a network's is one call, and each run has its own settings."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import groupby
from typing import Any

import torch
from torch import Tensor
from torch.optim.adam import adam
from torch.optim.sgd import sgd

from gan.study import schema
from gan.training import kernels

Settings = schema.Adam | schema.Sgd


class Optimizer(ABC):
    """Moves `parameters` against `gradient`, `[run, size]`, in place; `state` is what it remembers of past steps.

    `settings` are those of each run. Neighbours with the same settings are moved by one call of torch's fused kernel.
    """

    def __init__(self, parameters: Tensor, gradient: Tensor, settings: Sequence[Settings]) -> None:
        self.parameters, self.gradient = parameters, gradient
        self.state: dict[str, Tensor] = {}
        self.groups: list[tuple[slice, dict[str, Any]]] = []
        first = 0
        for shared, runs in groupby(settings):
            last = first + len(list(runs))
            self.groups.append((slice(first, last), shared.model_dump(exclude={"name"})))
            first = last

    @abstractmethod
    def step(self) -> None: ...


class Adam(Optimizer):
    """torch.optim.Adam."""

    def __init__(self, parameters: Tensor, gradient: Tensor, settings: Sequence[Settings]) -> None:
        super().__init__(parameters, gradient, settings)
        self.state = {
            "mean": torch.zeros_like(parameters),
            "square": torch.zeros_like(parameters),
            "steps": torch.zeros(len(parameters), device=parameters.device),
        }

    def step(self) -> None:
        mean, square, steps = self.state.values()
        steps += 1
        for rows, options in self.groups:
            moved = (self.parameters[rows], self.gradient[rows], mean[rows], square[rows])
            if kernels.compiled(self.parameters):
                kernels.adam(*moved, int(steps[rows.start]), **options)
                continue
            beta1, beta2 = options["betas"]
            part, slope, first, second = moved
            adam(
                [part],
                [slope],
                [first],
                [second],
                [],
                [steps[rows.start] - 1],  # which the call counts up
                fused=True,
                amsgrad=False,
                beta1=beta1,
                beta2=beta2,
                lr=options["lr"],
                eps=options["eps"],
                weight_decay=0.0,
                maximize=False,
            )


class Sgd(Optimizer):
    """torch.optim.SGD."""

    def __init__(self, parameters: Tensor, gradient: Tensor, settings: Sequence[Settings]) -> None:
        super().__init__(parameters, gradient, settings)
        if any(options["momentum"] for _, options in self.groups):
            self.state = {"momentum": torch.zeros_like(parameters)}

    def step(self) -> None:
        for rows, options in self.groups:
            sgd(
                [self.parameters[rows]],
                [self.gradient[rows]],
                [momentum[rows] for momentum in self.state.values()] or [None],
                fused=True,
                weight_decay=0.0,
                dampening=0.0,
                nesterov=False,
                maximize=False,
                **options,
            )


OPTIMIZERS: dict[str, type[Optimizer]] = {"adam": Adam, "sgd": Sgd}
