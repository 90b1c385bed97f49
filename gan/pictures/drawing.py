"""Generated images in rows: of one generator, of one over its epochs, and on the way from one latent to another."""

import math
from collections.abc import Mapping, Sequence
from io import BytesIO

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from gan.images import SIDE
from gan.networks import registry
from gan.seeding import random_generator
from gan.study.recipe import Variant

State = Mapping[str, np.ndarray]

STRIP_COLUMNS = 10
PAIRS = ((0, 1), (2, 3), (4, 5), (6, 7))  # the seeds of the latents between which the published pictures go
STEPS = 12
NEARLY_PARALLEL = 1e-6  # the sine of an angle below which there is no plane to turn in


def grid_latents(latent_dim: int) -> Tensor:
    """The first latents `[STRIP_COLUMNS, latent_dim]` of the sample grid in the report.

    They do not depend on the variant or the epoch. Sixteen are drawn, as the published grid has: torch's last numbers
    depend on how many are drawn.
    """
    return torch.randn(16, latent_dim, generator=random_generator(0, "grid"))[:STRIP_COLUMNS]


def latents(latent_dim: int, seed: int, count: int = 1) -> Tensor:
    """Latents `[count, latent_dim]` from the standard normal distribution, always the same for one seed and count."""
    return torch.randn(count, latent_dim, generator=random_generator(seed, "pictures"))


def between(start: Tensor, end: Tensor, steps: int) -> Tensor:
    """`steps` latents `[steps, latent_dim]` from `start` to `end`, both included, at equal angles.

    Spherical interpolation (Shoemake 1985; for latents White 2016): with ω the angle between the two, step t in [0, 1]
    is sin((1 − t)ω)/sin(ω) start + sin(tω)/sin(ω) end. On the way, latents keep a length that is usual for the normal
    distribution, which they would not on a straight line. Where both have the same or opposite directions, that line is
    all there is.
    """
    first, last = start.double(), end.double()
    cosine = torch.dot(first, last) / (first.norm() * last.norm())
    angle = math.acos(cosine.clamp(-1, 1).item())
    shares = torch.linspace(0, 1, steps, dtype=torch.float64).unsqueeze(1)
    if math.sin(angle) < NEARLY_PARALLEL:
        return (first.lerp(last, shares)).float()
    weights = ((1 - shares) * angle).sin() / math.sin(angle), (shares * angle).sin() / math.sin(angle)
    return (weights[0] * first + weights[1] * last).float()


def draw(variant: Variant, state: State, latents: Tensor) -> Tensor:
    """A saved generator's images `[image, height, width]` in [-1, 1] from latents `[image, latent_dim]`."""
    return registry.generate(variant, state, latents).view(-1, SIDE, SIDE)


def strip(variant: Variant, states: Sequence[State]) -> Tensor:
    """Images `[epoch, STRIP_COLUMNS, height, width]` in [-1, 1] of the same latents by a run's generators.

    A run that has no generators gets one black row.
    """
    shown = grid_latents(variant.latent_dim)
    if not states:
        return torch.full((1, len(shown), SIDE, SIDE), -1.0)
    return torch.stack([draw(variant, state, shown) for state in states])


def interpolations(
    variant: Variant, state: State, pairs: Sequence[tuple[int, int]] = PAIRS, steps: int = STEPS
) -> Tensor:
    """Images `[pair, step, height, width]` in [-1, 1] on the way between the latents of each pair of seeds.

    Where there is no generator, the `state` being empty, they are black.
    """
    if not state:
        return torch.full((len(pairs), steps, SIDE, SIDE), -1.0)
    ends = [[latents(variant.latent_dim, seed)[0] for seed in pair] for pair in pairs]
    ways = [between(start, end, steps) for start, end in ends]
    return draw(variant, state, torch.cat(ways)).unflatten(0, (len(pairs), steps))


def in_rows(images: Tensor, columns: int) -> Tensor:
    """Images `[image, height, width]` as `[row, column, height, width]`; what the last row lacks is black."""
    lacking = -len(images) % columns
    black = images.new_full((lacking, *images.shape[1:]), -1.0)
    return torch.cat([images, black]).unflatten(0, (-1, columns))


def png(images: Tensor) -> bytes:
    """A grayscale PNG of images `[row, column, height, width]` in [-1, 1], side by side: −1 is black, 1 is white."""
    pixels = ((images.clamp(-1, 1) + 1) / 2 * 255).round().byte()
    rows, columns, height, width = pixels.shape
    content = BytesIO()
    sheet = pixels.transpose(1, 2).reshape(rows * height, columns * width)
    Image.fromarray(sheet.numpy()).save(content, "PNG", optimize=True)
    return content.getvalue()
