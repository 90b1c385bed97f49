"""A batch's way through a network, forward and back, in memory that is taken once and used in every step.

A step needs few of the gradients that there are: the discriminator's none of the images, the generator's none of the
discriminator's weights. So a perceptron's pass is written by hand. Other networks' goes through autograd.
"""

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor

from gan.networks.architecture import Network
from gan.networks.perceptrons import Perceptron
from gan.training import kernels


class Pass(ABC):
    """A pass of `inputs` `[run, batch, in]` through a network.

    `output` `[run, batch, out]` is where the result goes, if not to memory of its own. `backward` puts the gradient of
    the parameters into `gradient`, rows like theirs, if that is given, and computes that of the inputs if `to_inputs`.
    """

    def __init__(
        self,
        network: Network,
        inputs: Tensor,
        output: Tensor | None = None,
        *,
        gradient: Tensor | None = None,
        to_inputs: bool = False,
    ) -> None:
        self.network, self.inputs, self.to_inputs = network, inputs, to_inputs
        outputs = network.architecture.outputs
        self.output = inputs.new_empty(*inputs.shape[:2], outputs) if output is None else output
        self.gradients = [] if gradient is None else network.architecture.parts(gradient)

    @abstractmethod
    def forward(self) -> Tensor:
        """The network's output for what `inputs` holds now, `[run, batch, out]`."""

    @abstractmethod
    def backward(self, grad_output: Tensor) -> Tensor | None:
        """Take `grad_output`, the loss's gradient at the output `[run, batch, out]`, back through the last `forward`.

        Returns the gradient at the inputs, if there is to be one. `grad_output` is used up.
        """


def make_pass(
    network: Network,
    inputs: Tensor,
    output: Tensor | None = None,
    *,
    gradient: Tensor | None = None,
    to_inputs: bool = False,
) -> Pass:
    """The fastest pass that there is for such a network."""
    kind = PerceptronPass if isinstance(network.architecture, Perceptron) else AutogradPass
    return kind(network, inputs, output, gradient=gradient, to_inputs=to_inputs)


class AutogradPass(Pass):
    """A pass through any network."""

    def forward(self) -> Tensor:
        with torch.enable_grad():
            self._leaf = self.inputs.detach().requires_grad_(self.to_inputs)
            self._result = self.network(self._leaf)[1]
        return self.output.copy_(self._result.detach())

    def backward(self, grad_output: Tensor) -> Tensor | None:
        leaves = [*(self.network.leaves if self.gradients else ()), *([self._leaf] if self.to_inputs else ())]
        gradients = torch.autograd.grad(self._result, leaves, grad_output)
        for target, gradient in zip(self.gradients, gradients, strict=False):
            target.copy_(gradient)
        return gradients[-1] if self.to_inputs else None


class PerceptronPass(Pass):
    """A pass through perceptrons: products by torch, what lies between them by `kernels`."""

    def __init__(self, network: Network, inputs: Tensor, *arguments: Any, **options: Any) -> None:
        super().__init__(network, inputs, *arguments, **options)
        architecture = network.architecture
        assert isinstance(architecture, Perceptron)

        def memory(width: int) -> Tensor:
            return inputs.new_empty(*inputs.shape[:2], width)

        *hidden, _ = (layer.outputs for layer in architecture.layers)
        last = None if architecture.bounded else 1.0
        self._slopes = [*(architecture.negative_slope for _ in hidden), last]
        self._weights, self._biases = network.parts[::2], network.parts[1::2]
        self._weight_gradients, self._bias_gradients = self.gradients[::2], self.gradients[1::2]
        self._outputs = [inputs, *map(memory, hidden), self.output]
        self._grad_inputs = [memory(architecture.inputs) if self.to_inputs else None, *map(memory, hidden)]
        # Making a view takes as long as a small operation, so the step's are made here.
        self._weights_transposed = [weight.transpose(1, 2) for weight in self._weights]

    def forward(self) -> Tensor:
        for place, weight in enumerate(self._weights_transposed):
            x = self._outputs[place + 1]
            torch.bmm(self._outputs[place], weight, out=x)
            kernels.activate(x, self._biases[place], self._slopes[place])
        return self.output

    def backward(self, grad_output: Tensor) -> Tensor | None:
        for place in reversed(range(len(self._weights))):
            bias_gradient = self._bias_gradients[place] if self.gradients else None
            kernels.pull_back(grad_output, self._outputs[place + 1], self._slopes[place], bias_gradient)
            if self.gradients:
                torch.bmm(grad_output.transpose(1, 2), self._outputs[place], out=self._weight_gradients[place])
            grad_input = self._grad_inputs[place]
            if grad_input is None:
                return None
            grad_output = torch.bmm(grad_output, self._weights[place], out=grad_input)
        return grad_output
