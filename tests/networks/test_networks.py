"""Every kind of network against torch.nn's modules: what it computes, its gradients, its weights when it is new."""

import math

import pytest
import torch
from conftest import as_module
from torch import nn

from gan.networks import registry
from gan.networks.architecture import Architecture, Network
from gan.seeding import random_generator
from gan.study.recipe import Variant
from gan.study.schema import Study

KINDS = {
    "mlp": {"generator_hidden": (12, 9), "discriminator_hidden": (12, 5), "encoder_hidden": (7,)},
    "dcgan": {"generator_hidden": (5, 3), "discriminator_hidden": (3, 5), "encoder_hidden": (2, 4)},
}
PLAYERS = (registry.generator, registry.discriminator, registry.encoder)


def variant_of(study: Study, kind: str) -> Variant:
    return study.variants["vae_gan"].model_copy(update={"networks": kind, "latent_dim": 6, **KINDS[kind]})


def make(architecture: Architecture, runs: int = 2, dtype: torch.dtype = torch.float64) -> Network:
    return Network(architecture, [random_generator(seed, "test") for seed in range(runs)], dtype=dtype)


def architectures(study: Study) -> list[Architecture]:
    return [player(variant_of(study, kind)) for kind in registry.NETWORKS for player in PLAYERS]


def test_every_kind_is_tested() -> None:
    assert KINDS.keys() == registry.NETWORKS.keys()


def test_outputs_and_gradients_are_those_of_torchs_modules(study: Study) -> None:
    """Of each run by itself: a network's second run has other weights, and no part in the first one's."""
    for architecture in architectures(study):
        network = make(architecture)
        inputs = torch.randn(2, 5, architecture.inputs, dtype=torch.float64, requires_grad=True)
        grad_output = torch.randn(2, 5, architecture.outputs, dtype=torch.float64)
        features, outputs = network(inputs)
        gradients = torch.autograd.grad(outputs, [inputs, *network.leaves], grad_output)
        named = architecture.named(gradients[1:], "model")
        for run in range(2):
            module, leaf = as_module(network, run), inputs[run].detach().requires_grad_()
            expected = module(leaf)
            expected.backward(grad_output[run])
            torch.testing.assert_close(outputs[run], expected)
            torch.testing.assert_close(gradients[0][run], leaf.grad)
            for name, parameter in module.named_parameters():
                torch.testing.assert_close(named[f"model.{name}"][run], parameter.grad)
        assert features.shape[:2] == (2, 5)


def test_features_are_what_the_discriminators_last_layer_sees(study: Study) -> None:
    for kind in registry.NETWORKS:
        network = make(registry.discriminator(variant_of(study, kind)))
        features, logits = network(torch.randn(2, 5, 784, dtype=torch.float64))
        weight, bias = network.parts[-2:]
        torch.testing.assert_close(logits, features @ weight.transpose(1, 2) + bias[:, None])


def test_new_weights_are_those_of_torchs_layers(study: Study) -> None:
    """The same numbers, if torch's layers draw from the same generator."""
    for architecture in architectures(study):
        network = make(architecture, 1)
        for part in as_module(network, 0):
            if not isinstance(part, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
                continue
            bound = 1 / math.sqrt(nn.init._calculate_fan_in_and_fan_out(part.weight)[0])
            for values in (part.weight, part.bias):
                assert values.abs().max() <= bound
            assert part.weight.abs().max() > 0.8 * bound
            assert abs(part.weight.mean()) < bound / 3


def test_a_layer_knows_its_size(study: Study) -> None:
    """Numbers per sample, as torch's modules make them."""
    for architecture in architectures(study):
        module = as_module(make(architecture, 1, torch.float32), 0)
        outputs, x = [], torch.randn(1, architecture.inputs)
        for part in module:
            x = part(x)
            if any(True for _ in part.parameters()):
                outputs.append(x.numel())
        assert [layer.outputs for layer in architecture.layers] == outputs
        assert architecture.size == sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kind", registry.NETWORKS)
def test_saved_networks_compute_what_torchs_modules_do(study: Study, kind: str, dtype: torch.dtype) -> None:
    """The generator of given latents, and the encoder's means joined with it."""
    variant = variant_of(study, kind)
    generator, encoder = (make(player(variant), 1, dtype) for player in (registry.generator, registry.encoder))
    state = {name: part.numpy() for name, part in (generator.state(0) | encoder.state(0, "encoder")).items()}
    latents, images = torch.randn(5, variant.latent_dim, dtype=dtype), torch.randn(5, 784, dtype=dtype)
    torch.testing.assert_close(registry.generate(variant, state, latents), as_module(generator, 0)(latents).detach())
    mean, _ = as_module(encoder, 0)(images).chunk(2, 1)
    torch.testing.assert_close(registry.reconstruct(variant, state, images), as_module(generator, 0)(mean).detach())


def test_a_state_is_loaded_into_one_run_alone(study: Study) -> None:
    for architecture in architectures(study):
        network, other = make(architecture), make(architecture, 3)
        before = network.parameters[0].clone()
        network.load(1, other.state(2))
        assert torch.equal(network.parameters[1], other.parameters[2])
        assert torch.equal(network.parameters[0], before)


def test_what_a_dcgan_cannot_be_is_said(study: Study) -> None:
    variant = variant_of(study, "dcgan")
    with pytest.raises(ValueError, match=r"^a dcgan has the channels of 2 hidden layers, not of 3$"):
        registry.generator(variant.model_copy(update={"generator_hidden": (1, 2, 3)}))
    with pytest.raises(ValueError, match=r"^a dcgan needs square images whose side is a multiple of 4, not 30 pixels$"):
        registry.discriminator(variant, 30)
