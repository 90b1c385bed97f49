"""The written-out backward pass against autograd, initial weights against torch.nn.Linear, runs against each other."""

from itertools import pairwise

import pytest
import torch
from torch import nn

from gan.networks import Architecture, Perceptrons
from gan.randomness import random_generator

GENERATOR = Architecture((7, 12, 9), 0.0, bounded=True)
DISCRIMINATOR = Architecture((9, 12, 5, 1), 0.2, bounded=False)


def make(architecture: Architecture, seeds: list[int], dtype: torch.dtype = torch.float64) -> Perceptrons:
    return Perceptrons(architecture, [random_generator(seed, "test") for seed in seeds], dtype=dtype)


def as_module(network: Perceptrons, run: int) -> nn.Sequential:
    """The same network in torch's own layers, loaded from the state that is saved for users."""
    architecture = network.architecture
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(architecture.widths):
        layers += [nn.Linear(inputs, outputs), nn.LeakyReLU(architecture.negative_slope)]
    layers[-1] = nn.Tanh() if architecture.bounded else nn.Identity()
    module = nn.Sequential(*layers).to(network.parameters.dtype)
    module.load_state_dict({name.removeprefix("model."): part for name, part in network.state(run).items()})
    return module


@pytest.mark.parametrize("architecture", [GENERATOR, DISCRIMINATOR])
def test_forward_and_backward_equal_autograd(architecture: Architecture) -> None:
    network = make(architecture, [3, 4])
    inputs = torch.randn(2, 6, architecture.widths[0], dtype=torch.float64)
    pull = torch.randn(2, 6, architecture.widths[-1], dtype=torch.float64)
    outputs = network.forward(inputs)
    at_inputs = network.backward(outputs, pull, weights=True, inputs=True)
    gradients = Perceptrons.__new__(Perceptrons)
    gradients.__dict__ = {**network.__dict__, "_weights": network._gradients}
    for run in range(2):
        module, leaf = as_module(network, run), inputs[run].clone().requires_grad_()
        expected = module(leaf)
        expected.backward(pull[run])
        torch.testing.assert_close(outputs[-1][run], expected.detach(), rtol=1e-12, atol=1e-14)
        torch.testing.assert_close(at_inputs[run], leaf.grad, rtol=1e-12, atol=1e-14)
        for name, part in gradients.state(run).items():
            torch.testing.assert_close(
                part, module.get_parameter(name.removeprefix("model.")).grad, rtol=1e-12, atol=1e-14
            )
