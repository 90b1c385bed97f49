"""A small DCGAN (Radford et al. 2016): convolutions of stride 2 instead of pooling, and of a fraction of it to draw.

Without batch normalisation, which would tie the images of a batch to each other and make a loss's gradient penalty
another one (Gulrajani et al. 2017).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from math import isqrt

import torch.nn.functional as F
from torch import Tensor

from gan.networks.architecture import Architecture, Layer
from gan.networks.perceptrons import linear

KERNEL = 4  # with stride 2 and padding 1, an image's side is halved, or doubled
HALVINGS = 2  # hidden layers: 28 pixels become 14, then 7
_stride = {"stride": 2, "padding": 1}


@dataclass(frozen=True)
class ConvolutionalGenerator(Architecture):
    """A linear layer to small images of many channels, then two transposed convolutions to one of a single channel."""

    side: int  # of the small images

    def forward(self, parts: Sequence[Tensor], inputs: Tensor) -> tuple[Tensor, Tensor]:
        weight, bias, *others = parts
        features = linear(inputs, weight, bias).relu_().unflatten(2, (-1, self.side, self.side))
        features = _convolve(F.conv_transpose2d, features, *others[:2]).relu()
        return features.flatten(2), _convolve(F.conv_transpose2d, features, *others[2:]).tanh().flatten(2)


@dataclass(frozen=True)
class ConvolutionalDiscriminator(Architecture):
    """Two convolutions with leaky ReLUs, then a linear layer."""

    side: int  # of the images
    negative_slope: float

    def forward(self, parts: Sequence[Tensor], inputs: Tensor) -> tuple[Tensor, Tensor]:
        *convolutions, weight, bias = parts
        features = inputs.unflatten(2, (1, self.side, self.side))
        for place in range(0, len(convolutions), 2):
            features = _convolve(F.conv2d, features, *convolutions[place : place + 2])
            features = F.leaky_relu(features, self.negative_slope)
        flat = features.flatten(2)
        return flat, linear(flat, weight, bias)


def generator(latent_dim: int, hidden: Sequence[int], pixels: int) -> ConvolutionalGenerator:
    """From latents to pixels in [-1, 1]; `hidden` are the channels at a quarter and at half of the side.

    ValueError unless there are two and the images are squares whose side is a multiple of 4.
    """
    side = _side(hidden, pixels) // 2**HALVINGS
    first, second = hidden
    small = first * side**2
    layers = (
        Layer(0, (small, latent_dim), small, outputs=small),
        _layer(3, (first, second), second, 2 * side),
        _layer(5, (second, 1), 1, 4 * side),
    )
    return ConvolutionalGenerator(latent_dim, layers, side)


def discriminator(pixels: int, hidden: Sequence[int], outputs: int, slope: float) -> ConvolutionalDiscriminator:
    """From pixels to unbounded numbers; `hidden` are the channels at half and at a quarter of the side.

    ValueError unless there are two and the images are squares whose side is a multiple of 4.
    """
    side = _side(hidden, pixels)
    first, second = hidden
    flat = second * (side // 2**HALVINGS) ** 2
    layers = (
        _layer(1, (first, 1), first, side // 2),
        _layer(3, (second, first), second, side // 4),
        Layer(6, (outputs, flat), outputs, outputs=outputs),
    )
    return ConvolutionalDiscriminator(pixels, layers, side, slope)


def _layer(place: int, channels: tuple[int, int], bias: int, side: int) -> Layer:
    """A convolution to images of a `side`."""
    return Layer(place, (*channels, KERNEL, KERNEL), bias, outputs=bias * side**2)


def _side(hidden: Sequence[int], pixels: int) -> int:
    side = isqrt(pixels)
    if len(hidden) != HALVINGS:
        raise ValueError(f"a dcgan has the channels of {HALVINGS} hidden layers, not of {len(hidden)}")
    if side**2 != pixels or side % 2**HALVINGS:
        raise ValueError(f"a dcgan needs square images whose side is a multiple of {2**HALVINGS}, not {pixels} pixels")
    return side


def _convolve(convolution: Callable[..., Tensor], images: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """A convolution of each run's images `[run, batch, channel, row, column]` with its own weights and biases."""
    runs = len(images)
    stacked = images.transpose(0, 1).flatten(1, 2)
    grouped = partial(convolution, **_stride, groups=runs)
    return grouped(stacked, weight.flatten(0, 1), bias.flatten()).unflatten(1, (runs, -1)).transpose(0, 1)
