"""Whether the discriminator's penalties are what they claim to be: a mean over the batch of one value per sample."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from gan.audit.equations import SAME, as_array, relative_errors, say
from gan.training.terms import LossInputs, Term

# The penalty of a discriminator w·x, from the norm of w.
PENALTIES: dict[str, tuple[str, Callable[[Tensor], Tensor]]] = {
    "gradient_penalty": ("(|w| − 1)²", lambda norm: (norm - 1).square()),
    "dragan": ("(|w| − 1)²", lambda norm: (norm - 1).square()),
    "r1": ("|w|²", torch.square),
    "r2": ("|w|²", torch.square),
}


def check_penalty(name: str, term: Term) -> dict[str, Any]:
    """Whether a discriminator's term is a mean over the batch of one penalty per sample, norms included.

    Two runs of linear discriminators D(x) = w·x must give the same at any batch size, and the closed form where there
    is one; a nonlinear discriminator's penalty must be the mean of those of its samples. Returns term, linear (the
    closed form's text or None), holds, error (the largest) and faults, a sentence each.
    """
    text, closed = PENALTIES.get(name, (None, None))
    pixels = 8
    random = torch.Generator().manual_seed(0)
    image, weights, nonlinear = torch.randn(3, 2, pixels, pixels, dtype=torch.float64, generator=random)
    image, weights = image[:, :1], weights[:, :1]
    norms = torch.linalg.vector_norm(weights[:, 0], dim=-1)

    def loss(images: Tensor, features: Callable[[Tensor], Tensor]) -> Tensor:
        return term.loss(_loss_inputs(images, features, weights)).detach()

    def linear(images: Tensor) -> Tensor:
        return images

    def bent(images: Tensor) -> Tensor:
        return (images @ nonlinear).tanh()

    sizes = {size: loss(image.expand(2, size, pixels), linear) for size in (1, 2, 7)}
    expected = closed(norms) if closed else sizes[1]
    errors = [float(relative_errors(as_array(penalty), as_array(expected)).max()) for penalty in sizes.values()]
    faults = [
        f"{name}: of D(x) = w·x it is {say(penalty[0])} in a batch of {size}, not {say(expected[0])}"
        + (f" = {text}" if text else ", as in a batch of 1")
        for (size, penalty), error in zip(sizes.items(), errors, strict=True)
        if error > SAME
    ]

    # One image's pixels in several orders: what is a property of the batch, as DRAGAN's deviation, stays as it is.
    samples = [image.roll(shift, -1) for shift in range(3)]
    whole = loss(torch.cat(samples, 1), bent)
    alone = [loss(sample.expand(2, 3, pixels), bent) for sample in samples]
    mean = torch.stack(alone).mean(0)
    errors.append(float(relative_errors(as_array(whole), as_array(mean)).max()))
    if errors[-1] > SAME:
        faults.append(f"{name}: of three samples it is {say(whole[0])}, not {say(mean[0])}, the mean of theirs")
    return {"term": name, "linear": text, "holds": not faults, "error": max(errors), "faults": faults}


def _loss_inputs(images: Tensor, features: Callable[[Tensor], Tensor], weights: Tensor) -> LossInputs:
    """`images` `[run, batch, pixel]` as real ones, with generated ones and random numbers alike for all samples."""

    def draw(width: int) -> Tensor:
        return torch.linspace(0.2, 0.8, width, dtype=images.dtype).expand(*images.shape[:2], width)

    return LossInputs(
        real=images,
        fake=images.flip(-1),
        discriminate=lambda points: (features(points) * weights).sum(-1),
        features=features,
        generate=lambda latents: latents,
        infer=lambda points: (points, torch.zeros_like(points)),
        uniform=draw,
        normal=draw,
    )
