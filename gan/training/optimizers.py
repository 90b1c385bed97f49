"""The optimizers over rows of parameters: torch's own fused kernels, called without the bookkeeping around them."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor
from torch.optim.adam import adam
from torch.optim.sgd import sgd

from gan.study import schema

Settings = schema.Adam | schema.Sgd


class Optimizer(ABC):
    """Moves `parameters` against `gradient`, `[run, size]`, in place; `state` is what it remembers of past steps."""

    def __init__(self, parameters: Tensor, gradient: Tensor, settings: Settings) -> None:
        self._parameters, self._gradient = [parameters], [gradient]
        self._options = settings.model_dump(exclude={"name"})
        self.state: dict[str, Tensor] = {}

    @abstractmethod
    def step(self) -> None: ...


class Adam(Optimizer):
    """torch.optim.Adam."""

    def __init__(self, parameters: Tensor, gradient: Tensor, settings: Settings) -> None:
        super().__init__(parameters, gradient, settings)
        self._betas = self._options.pop("betas")
        self.state = {
            "mean": torch.zeros_like(parameters),
            "square": torch.zeros_like(parameters),
            "steps": torch.zeros((), device=parameters.device),
        }

    def step(self) -> None:
        mean, square, steps = ([tensor] for tensor in self.state.values())
        adam(
            self._parameters,
            self._gradient,
            mean,
            square,
            [],
            steps,
            fused=True,
            amsgrad=False,
            beta1=self._betas[0],
            beta2=self._betas[1],
            weight_decay=0.0,
            maximize=False,
            **self._options,
        )


class Sgd(Optimizer):
    """torch.optim.SGD."""

    def __init__(self, parameters: Tensor, gradient: Tensor, settings: Settings) -> None:
        super().__init__(parameters, gradient, settings)
        if self._options["momentum"]:
            self.state = {"momentum": torch.zeros_like(parameters)}

    def step(self) -> None:
        sgd(
            self._parameters,
            self._gradient,
            list(self.state.values()) or [None],
            fused=True,
            weight_decay=0.0,
            dampening=0.0,
            nesterov=False,
            maximize=False,
            **self._options,
        )


OPTIMIZERS: dict[str, type[Optimizer]] = {"adam": Adam, "sgd": Sgd}
