"""The kinds of network by their names in params.yaml, and what a variant's players are."""

from collections.abc import Mapping
from types import ModuleType

import numpy as np
from torch import Tensor

from gan.images import SIDE
from gan.networks import convolutions, perceptrons
from gan.networks.architecture import Architecture
from gan.study.recipe import Variant

# A kind is a file with two functions: `generator(latent_dim, hidden, pixels)` and
# `discriminator(pixels, hidden, outputs, slope)`, which makes encoders, too.
NETWORKS: dict[str, ModuleType] = {"mlp": perceptrons, "dcgan": convolutions}


def generator(variant: Variant, pixels: int = SIDE**2) -> Architecture:
    """From latents to pixels in [-1, 1]."""
    return NETWORKS[variant.networks].generator(variant.latent_dim, variant.generator_hidden, pixels)


def discriminator(variant: Variant, pixels: int = SIDE**2) -> Architecture:
    """From pixels to one logit."""
    return NETWORKS[variant.networks].discriminator(pixels, variant.discriminator_hidden, 1, variant.leaky_slope)


def encoder(variant: Variant, pixels: int = SIDE**2) -> Architecture | None:
    """From pixels to the latents' means and logarithmic variances, if the variant has an encoder."""
    if variant.encoder_hidden is None:
        return None
    kind = NETWORKS[variant.networks]
    return kind.discriminator(pixels, variant.encoder_hidden, 2 * variant.latent_dim, variant.leaky_slope)


def generate(variant: Variant, state: Mapping[str, np.ndarray], latents: Tensor) -> Tensor:
    """A saved generator's images `[batch, pixel]` in [-1, 1] from latents `[batch, latent]`.

    `state` is named and shaped as `Network.state` has it.
    """
    architecture = generator(variant)
    return architecture.forward(architecture.load(state, "model", latents.device), latents.unsqueeze(0))[1][0]


def reconstruct(variant: Variant, state: Mapping[str, np.ndarray], images: Tensor) -> Tensor:
    """The generator's images `[batch, pixel]` of the means that the encoder infers for `images` `[batch, pixel]`."""
    architecture = encoder(variant)
    assert architecture, "a variant without an encoder reconstructs nothing"
    inferred = architecture.forward(architecture.load(state, "encoder", images.device), images.unsqueeze(0))[1][0]
    return generate(variant, state, inferred.chunk(2, 1)[0])
