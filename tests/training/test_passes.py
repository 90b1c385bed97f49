"""Passes against autograd: the one written by hand, compiled and not, and the one for any network."""

import pytest
import torch
from torch import Tensor

from gan.networks import convolutions, perceptrons
from gan.networks.architecture import Architecture, Network
from gan.seeding import random_generator
from gan.training import kernels
from gan.training.passes import AutogradPass, PerceptronPass, make_pass

GENERATOR = perceptrons.generator(7, (12, 9), 16)
DISCRIMINATOR = perceptrons.discriminator(16, (12, 5), 1, 0.2)
ALL = [GENERATOR, DISCRIMINATOR, perceptrons.discriminator(16, (), 3, 0.2)]
ALL += [convolutions.generator(7, (3, 2), 16), convolutions.discriminator(16, (2, 3), 1, 0.2)]


def make(architecture: Architecture, runs: int, dtype: torch.dtype) -> tuple[Network, Tensor, Tensor]:
    """Networks, inputs and the gradient at their outputs."""
    network = Network(architecture, [random_generator(seed, "test") for seed in range(runs)], dtype=dtype)
    random = torch.Generator().manual_seed(0)
    inputs = torch.randn(runs, 6, architecture.inputs, generator=random).to(dtype)
    return network, inputs, torch.randn(runs, 6, architecture.outputs, generator=random).to(dtype)


@pytest.mark.parametrize("architecture", ALL, ids=lambda architecture: type(architecture).__name__)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_forward_and_backward_equal_autograd(architecture: Architecture, dtype: torch.dtype) -> None:
    network, inputs, grad_output = make(architecture, 2, dtype)
    gradient = torch.full_like(network.parameters, 7.0)
    made = make_pass(network, inputs, gradient=gradient, to_inputs=True)
    leaf = inputs.clone().requires_grad_()
    expected = network(leaf)[1]
    at_inputs, *at_parameters = torch.autograd.grad(expected, [leaf, *network.leaves], grad_output)
    rtol, atol = (1e-5, 1e-6) if dtype == torch.float32 else (1e-12, 1e-14)
    for _ in range(2):  # a second time in the same memory
        torch.testing.assert_close(made.forward(), expected.detach(), rtol=rtol, atol=atol)
        torch.testing.assert_close(made.backward(grad_output.clone()), at_inputs, rtol=rtol, atol=atol)
        for part, wanted in zip(architecture.parts(gradient), at_parameters, strict=True):
            torch.testing.assert_close(part, wanted, rtol=rtol, atol=atol)


@pytest.mark.parametrize("kind", [PerceptronPass, AutogradPass])
def test_a_pass_uses_only_memory_it_was_given(kind: type[PerceptronPass]) -> None:
    """A second batch through the same pass must not show a trace of the first; the weights' gradient is optional."""
    network, inputs, grad_output = make(DISCRIMINATOR, 1, torch.float64)
    fresh = kind(network, inputs, to_inputs=True)
    expected = fresh.forward().clone(), fresh.backward(grad_output.clone()).clone()
    reused_inputs, output = torch.randn_like(inputs), torch.empty_like(grad_output)
    reused = kind(network, reused_inputs, output, to_inputs=True)
    reused.forward()
    reused.backward(grad_output.clone())
    reused_inputs.copy_(inputs)
    assert torch.equal(reused.forward(), expected[0])
    assert torch.equal(output, expected[0])
    assert torch.equal(reused.backward(grad_output.clone()), expected[1])
    assert kind(network, inputs).forward().equal(expected[0])


def test_only_what_is_asked_for_is_computed() -> None:
    network, inputs, grad_output = make(GENERATOR, 1, torch.float32)
    gradient = torch.zeros_like(network.parameters)
    for kind in (PerceptronPass, AutogradPass):
        made = kind(network, inputs, gradient=gradient)
        made.forward()
        assert made.backward(grad_output.clone()) is None
        assert gradient.abs().sum() > 0


@pytest.mark.skipif(not kernels.AVAILABLE, reason="numba is not installed")
def test_a_perceptrons_pass_is_compiled_where_it_can_be() -> None:
    assert kernels.compiled(torch.empty(1))
    assert not kernels.compiled(torch.empty(1, dtype=torch.float64))
    assert isinstance(make_pass(*make(GENERATOR, 1, torch.float32)[:2]), PerceptronPass)
