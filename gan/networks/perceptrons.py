"""Multilayer perceptrons: the tutorial's networks."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor

from gan.networks.architecture import Architecture, Layer


@dataclass(frozen=True)
class Perceptron(Architecture):
    """Linear layers with leaky ReLUs between them, of this slope below 0 (0 is ReLU), and a tanh if it is bounded."""

    negative_slope: float
    bounded: bool

    def forward(self, parts: Sequence[Tensor], inputs: Tensor) -> tuple[Tensor, Tensor]:
        features = inputs
        for place in range(0, len(parts) - 2, 2):
            features = F.leaky_relu_(linear(features, parts[place], parts[place + 1]), self.negative_slope)
        outputs = linear(features, parts[-2], parts[-1])
        return features, outputs.tanh_() if self.bounded else outputs


def linear(inputs: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """torch.nn.Linear for each run: `inputs` `[run, batch, in]`, `weight` `[run, out, in]`, `bias` `[run, out]`."""
    return torch.baddbmm(bias.unsqueeze(1), inputs, weight.transpose(1, 2))


def generator(latent_dim: int, hidden: Sequence[int], pixels: int) -> Perceptron:
    """ReLU layers of `hidden` units from latents to pixels in [-1, 1]."""
    return Perceptron(latent_dim, _layers((latent_dim, *hidden, pixels)), 0.0, bounded=True)


def discriminator(pixels: int, hidden: Sequence[int], outputs: int, slope: float) -> Perceptron:
    """Leaky ReLU layers of `hidden` units from pixels to unbounded numbers: a logit, or what an encoder says."""
    return Perceptron(pixels, _layers((pixels, *hidden, outputs)), slope, bounded=False)


def _layers(widths: Sequence[int]) -> tuple[Layer, ...]:
    return tuple(
        Layer(2 * place, (after, before), after, outputs=after)
        for place, (before, after) in enumerate(pairwise(widths))
    )
