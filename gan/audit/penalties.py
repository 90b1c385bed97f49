"""Whether the discriminator's penalties are what they claim to be: a mean over the batch of one value per sample."""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from gan.audit.gradients import SAME, as_array, relative_errors
from gan.formatting import significant
from gan.training.terms import LossInputs, Term

# The penalty of a discriminator w·x, from the norm of w.
PENALTIES: dict[str, tuple[str, Callable[[Tensor], Tensor]]] = {
    "gradient_penalty": ("(|w| − 1)²", lambda norm: (norm - 1).square()),
    "dragan": ("(|w| − 1)²", lambda norm: (norm - 1).square()),
    "r1": ("|w|²", torch.square),
    "r2": ("|w|²", torch.square),
}


@dataclass(frozen=True)
class PenaltyCheck:
    """Whether a discriminator's term is per sample.

    `linear` is the text of the closed form of D(x) = w·x, if one is on record; `error` the largest of a penalty.
    """

    term: str
    linear: str | None
    holds: bool
    error: float
    faults: list[str] = field(default_factory=list)


def check_penalty(name: str, term: Term) -> PenaltyCheck:
    """Whether a discriminator's term is a mean over the batch of one penalty per sample, norms included.

    Two runs of linear discriminators D(x) = w·x must give the same at any batch size, and the closed form where there
    is one; a nonlinear discriminator's penalty must be the mean of those of its samples.
    """
    text, closed_form = PENALTIES.get(name, (None, None))
    pixels = 8
    random = torch.Generator().manual_seed(0)
    image, weights, nonlinear = torch.randn(3, 2, pixels, pixels, dtype=torch.float64, generator=random)
    image, weights = image[:, :1], weights[:, :1]
    norms = torch.linalg.vector_norm(weights[:, 0], dim=-1)

    def loss(images: Tensor, features: Callable[[Tensor], Tensor]) -> Tensor:
        noise = torch.linspace(0.2, 0.8, term.noise_width(pixels, pixels), dtype=images.dtype)
        return term.loss(_loss_inputs(images, features, weights, noise)).detach()

    def linear(images: Tensor) -> Tensor:
        return images

    def bent(images: Tensor) -> Tensor:
        return (images @ nonlinear).tanh()

    def error(penalty: Tensor, expected: Tensor) -> float:
        return float(relative_errors(as_array(penalty), as_array(expected)).max())

    sizes = {size: loss(image.expand(2, size, pixels), linear) for size in (1, 2, 7)}
    expected = closed_form(norms) if closed_form else sizes[1]
    errors = [error(penalty, expected) for penalty in sizes.values()]
    faults = [
        f"{name}: of D(x) = w·x it is {significant(penalty[0])} in a batch of {size}, not {significant(expected[0])}"
        + (f" = {text}" if text else ", as in a batch of 1")
        for (size, penalty), size_error in zip(sizes.items(), errors, strict=True)
        if size_error > SAME
    ]

    # One image's pixels in several orders leave as it is what is a property of the batch, as DRAGAN's deviation.
    samples = [image.roll(shift, -1) for shift in range(3)]
    whole = loss(torch.cat(samples, 1), bent)
    mean = torch.stack([loss(sample.expand(2, 3, pixels), bent) for sample in samples]).mean(0)
    errors.append(error(whole, mean))
    if errors[-1] > SAME:
        means = f"{significant(mean[0])}, the mean of theirs"
        faults.append(f"{name}: of three samples it is {significant(whole[0])}, not {means}")
    return PenaltyCheck(name, text, not faults, max(errors), faults)


def _loss_inputs(images: Tensor, features: Callable[[Tensor], Tensor], weights: Tensor, noise: Tensor) -> LossInputs:
    """`images` `[run, batch, pixel]` as real ones, with generated images and `noise` equal for all samples."""
    return LossInputs(
        real=images,
        fake=images.flip(-1),
        discriminate=lambda points: (features(points) * weights).sum(-1),
        features=features,
        generate=lambda latents: latents,
        infer=lambda points: (points, torch.zeros_like(points)),
        noise=noise.expand(*images.shape[:2], len(noise)),
    )
