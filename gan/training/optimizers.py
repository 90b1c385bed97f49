"""The optimizers over rows of parameters: a network's is one call, and each run has its own settings."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import groupby
from typing import Any

import torch
from torch import Tensor
from torch.optim.adam import adam
from torch.optim.sgd import sgd

from gan.study.recipe import Adam as AdamSettings
from gan.study.recipe import Sgd as SgdSettings
from gan.training import kernels

Settings = AdamSettings | SgdSettings


class Optimizer(ABC):
    """Moves `parameters` against `gradient`, `[run, size]`, in place; `state` is what it remembers of past steps.

    `settings` are those of each run. Neighbours with the same settings are moved by one call of torch's fused kernel.
    """

    def __init__(self, parameters: Tensor, gradient: Tensor, settings: Sequence[Settings]) -> None:
        self.state = self.remembered(parameters)
        # The rows of each group, as views: to make one takes as long as a small operation.
        self.groups: list[tuple[list[Tensor], dict[str, Any]]] = []
        first = 0
        for shared, runs in groupby(settings):
            last = first + len(list(runs))
            views = [tensor[first:last] for tensor in (parameters, gradient, *self.state.values())]
            self.groups.append((views, shared.model_dump(exclude={"name"})))
            first = last

    @abstractmethod
    def remembered(self, parameters: Tensor) -> dict[str, Tensor]:
        """The `state` before the first step, each tensor with a row per run."""

    @abstractmethod
    def step(self) -> None: ...


class Adam(Optimizer):
    """torch.optim.Adam."""

    def remembered(self, parameters: Tensor) -> dict[str, Tensor]:
        return {
            "mean": torch.zeros_like(parameters),
            "square": torch.zeros_like(parameters),
            "steps": torch.zeros(len(parameters), device=parameters.device),
        }

    def step(self) -> None:
        self.state["steps"] += 1
        for (part, slope, mean, square, steps), options in self.groups:
            if kernels.compiled(part):
                kernels.adam(part, slope, mean, square, int(steps[0]), **options)
                continue
            beta1, beta2 = options["betas"]
            adam(
                [part],
                [slope],
                [mean],
                [square],
                [],
                [steps[0] - 1],  # which the call counts up
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

    def remembered(self, parameters: Tensor) -> dict[str, Tensor]:
        return {"momentum": torch.zeros_like(parameters)}

    def step(self) -> None:
        for (part, slope, momentum), options in self.groups:
            sgd(
                [part],
                [slope],
                [momentum],
                fused=True,
                weight_decay=0.0,
                dampening=0.0,
                nesterov=False,
                maximize=False,
                **options,
            )


OPTIMIZERS: dict[str, type[Optimizer]] = {"adam": Adam, "sgd": Sgd}
