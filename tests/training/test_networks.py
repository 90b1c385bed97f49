"""The written-out backward pass against autograd, initial weights against torch.nn.Linear, runs against each other."""

import pytest
import torch
from conftest import as_module

from gan.seeding import random_generator
from gan.study.schema import Study
from gan.training.networks import (
    Architecture,
    Perceptrons,
    Workspace,
    encoder_architecture,
    generate,
    generator_architecture,
    reconstruct,
)

GENERATOR = Architecture((7, 12, 9), 0.0, bounded=True)
DISCRIMINATOR = Architecture((9, 12, 5, 1), 0.2, bounded=False)


def make(architecture: Architecture, seeds: list[int], dtype: torch.dtype = torch.float64) -> Perceptrons:
    return Perceptrons(architecture, [random_generator(seed, "test") for seed in seeds], dtype=dtype)


@pytest.mark.parametrize("architecture", [GENERATOR, DISCRIMINATOR])
def test_forward_and_backward_equal_autograd(architecture: Architecture) -> None:
    network, gradient = make(architecture, [3, 4]), make(architecture, [5, 6])
    inputs = torch.randn(2, 6, architecture.widths[0], dtype=torch.float64)
    pull = torch.randn(2, 6, architecture.widths[-1], dtype=torch.float64)
    batch = Workspace(network, inputs, gradient=gradient.parameters, to_inputs=True)
    outputs = batch.forward()
    at_inputs = batch.backward(pull.clone())
    for run in range(2):
        module, leaf = as_module(network, run), inputs[run].clone().requires_grad_()
        expected = module(leaf)
        expected.backward(pull[run])
        torch.testing.assert_close(outputs[run], expected.detach(), rtol=1e-12, atol=1e-14)
        torch.testing.assert_close(at_inputs[run], leaf.grad, rtol=1e-12, atol=1e-14)
        for name, part in gradient.state(run).items():
            expected_part = module.get_parameter(name.removeprefix("model.")).grad
            torch.testing.assert_close(part, expected_part, rtol=1e-12, atol=1e-14)


def test_a_pass_uses_only_memory_it_was_given() -> None:
    """A second batch through the same pass must not show a trace of the first; the weights' gradient is optional."""
    network = make(DISCRIMINATOR, [3])
    inputs, pull = torch.randn(1, 6, 9, dtype=torch.float64), torch.randn(1, 6, 1, dtype=torch.float64)
    expected = (
        (fresh := Workspace(network, inputs, to_inputs=True)).forward().clone(),
        fresh.backward(pull.clone()).clone(),
    )
    reused_inputs, output = torch.randn_like(inputs), torch.empty(1, 6, 1, dtype=torch.float64)
    reused = Workspace(network, reused_inputs, output, to_inputs=True)
    reused.forward()
    reused.backward(pull.clone())
    reused_inputs.copy_(inputs)
    assert torch.equal(reused.forward(), expected[0])
    assert torch.equal(output, expected[0])
    assert torch.equal(reused.backward(pull.clone()), expected[1])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_kept_networks_compute_what_torchs_modules_do(study: Study, dtype: torch.dtype) -> None:
    """The generator of given latents, and the encoder's means joined with it."""
    variant = study.variants["vae"]
    architectures = generator_architecture(variant, 784), encoder_architecture(variant, 784)
    generator, encoder = (make(architecture, [3], dtype) for architecture in architectures)
    state = {name: part.numpy() for name, part in (generator.state(0) | encoder.state(0, "encoder")).items()}
    latents, images = torch.randn(5, variant.latent_dim, dtype=dtype), torch.randn(5, 784, dtype=dtype)
    torch.testing.assert_close(generate(variant, state, latents), as_module(generator, 0)(latents).detach())
    mean, _ = as_module(encoder, 0)(images).chunk(2, 1)
    torch.testing.assert_close(reconstruct(variant, state, images), as_module(generator, 0)(mean).detach())
