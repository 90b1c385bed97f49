"""How alike two sets of images are, measured on their features.

Features are unitless, `[image, feature]`, on any device; every sum over them runs in float64. The same input
on the same device and threads gives the same bits. The order of the images and the size of the chunks change
FID and KID by rounding only. The other metrics are counts, which change only where two distances agree to
seven digits.
"""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

CHUNK = 100  # images per matrix product: little memory, and about the fastest on a CPU
DIGITS = 10
SHARES = tuple(f"digit_{digit}" for digit in range(DIGITS))
NAMES = ("fid", "kid", "precision", "recall", "density", "coverage", "digits", *SHARES)  # as `score` has them


@dataclass(frozen=True, eq=False)
class Moments:
    """Mean `[feature]` and unbiased covariance `[feature, feature]` of a set, float64 on the CPU."""

    mean: Tensor
    covariance: Tensor

    @classmethod
    def of(cls, features: Tensor) -> Self:
        """Moments of features `[image, feature]`; ValueError unless finite and from two images or more."""
        features = _widened(features)
        mean = features.mean(0)
        centred = features - mean
        return cls(mean.cpu(), (centred.T @ centred / (len(features) - 1)).cpu())


@dataclass(frozen=True, eq=False)
class KernelMean:
    """A set's mean in the feature space of the cubic kernel k(x, y) = (x·y / d + 1)³, float64 on the CPU.

    With u = (x / √d, 1) and v likewise from y, k(x, y) = (u·v)³ = ⟨u⊗u⊗u, v⊗v⊗v⟩. This space has (d + 1)³
    axes: few enough at d = 64 to hold `mean` `[d + 1, (d + 1)²]` itself. Its cost is linear in the images, that of
    the kernel matrix quadratic. `variance` is the unbiased estimate of E‖mean − E mean‖².
    """

    mean: Tensor
    variance: float

    @classmethod
    def of(cls, features: Tensor) -> Self:
        """Kernel mean of features `[image, feature]`; ValueError unless finite, from two images or more."""
        features = _widened(features)
        images, width = features.shape
        lifted = torch.cat([features / width**0.5, features.new_ones(images, 1)], dim=1)
        total = features.new_zeros(width + 1, (width + 1) ** 2)
        for rows in lifted.split(CHUNK):
            total.addmm_(rows.T, (rows[:, :, None] * rows[:, None, :]).flatten(1))
        mean = total / images
        biased_variance = lifted.square().sum(1).pow(3).mean() - mean.square().sum()
        return cls(mean.cpu(), biased_variance.item() / (images - 1))


@dataclass(frozen=True, eq=False)
class Reference:
    """The set that others are compared with, and what each comparison needs of it, computed once.

    `features` float64 `[image, feature]` and `squared_radii` float32 `[image]` stay on the features' device.
    """

    features: Tensor
    neighbours: int
    squared_radii: Tensor
    moments: Moments
    kernel_mean: KernelMean

    @classmethod
    def of(cls, features: Tensor, neighbours: int) -> Self:
        """Reference of features `[image, feature]`; ValueError unless finite, of more than `neighbours`."""
        features = _widened(features)
        radii = squared_radii(features, neighbours)
        return cls(features, neighbours, radii, Moments.of(features), KernelMean.of(features))


def score(features: Tensor, predictions: Tensor, reference: Reference, digit_share: float) -> dict[str, float]:
    """Every metric of a set with features `[image, feature]` and predicted digits, int64 `[image]`.

    `digits` counts the digits whose share of the images, `digit_0` … `digit_9`, is at least `digit_share`.
    ValueError if a feature is not finite, a prediction is no digit, or images are too few.
    """
    if len(features) != len(predictions):
        raise ValueError(f"{len(features)} images have features, {len(predictions)} a prediction: give both")
    shares = digit_shares(predictions)
    return {
        "fid": fid(features, reference),
        "kid": kernel_distance(KernelMean.of(features), reference.kernel_mean),
        **neighbourhood_shares(features, reference),
        "digits": sum(share >= digit_share for share in shares),
        **dict(zip(SHARES, shares, strict=True)),
    }


def fid(features: Tensor, reference: Reference) -> float:
    """Fréchet distance of features `[image, feature]` from the reference; ValueError unless finite."""
    return frechet_distance(Moments.of(features), reference.moments)


def frechet_distance(first: Moments, second: Moments) -> float:
    """‖μ₁ − μ₂‖² + Tr(Σ₁ + Σ₂ − 2 (Σ₁Σ₂)^½), at least 0 (Heusel et al. 2017, equation 6).

    Tr (Σ₁Σ₂)^½ equals the trace of (√Σ₁ Σ₂ √Σ₁)^½, a symmetric matrix, whose eigenvalues stay real under rounding.
    Symmetric in its arguments up to rounding, which singular covariances raise to about 1e-8 of their trace.
    """
    eigenvalues, eigenvectors = torch.linalg.eigh(first.covariance)
    root = (eigenvectors * eigenvalues.clamp(min=0).sqrt()) @ eigenvectors.T
    overlap = torch.linalg.eigvalsh(root @ second.covariance @ root).clamp(min=0).sqrt().sum()
    shift = (first.mean - second.mean).square().sum()
    return max((shift + first.covariance.trace() + second.covariance.trace() - 2 * overlap).item(), 0.0)


def kernel_distance(first: KernelMean, second: KernelMean) -> float:
    """KID: unbiased squared maximum mean discrepancy, over all pairs of images (Bińkowski et al. 2018).

    Because it is unbiased, it is often below 0 when both sets come from one distribution.
    """
    return (first.mean - second.mean).square().sum().item() - first.variance - second.variance


def neighbourhood_shares(features: Tensor, reference: Reference) -> dict[str, float]:
    """Precision and recall (Kynkäänniemi et al. 2019), density and coverage (Naeem et al. 2020).

    An image's ball reaches to its k-th nearest neighbour in its own set, k = `reference.neighbours`.
    - `precision`: share of generated images that lie in some reference image's ball
    - `recall`: share of reference images that lie in some generated image's ball
    - `density`: number of reference balls that a generated image lies in, on average, divided by k
    - `coverage`: share of reference balls in which some generated image lies

    As in the authors' code, a ball includes its surface for the first two, but not for the others. The balls
    of a collapsed generator have radius 0, so its recall is 0 unless it hits a reference image exactly.
    ValueError unless features `[image, feature]` are finite and of more than k images.
    """
    features = _widened(features).to(reference.features.device)
    radii = squared_radii(features, reference.neighbours)
    in_reference = memberships = 0
    in_generated = torch.zeros_like(reference.squared_radii, dtype=torch.bool)
    covered = torch.zeros_like(in_generated)
    for rows, row_radii in zip(features.split(CHUNK), radii.split(CHUNK), strict=True):
        distances = squared_distances(rows, reference.features)
        in_reference += int((distances <= reference.squared_radii).any(1).count_nonzero())
        in_generated |= (distances <= row_radii[:, None]).any(0)
        inside = distances < reference.squared_radii
        memberships += int(inside.count_nonzero())
        covered |= inside.any(0)
    return {
        "precision": in_reference / len(features),
        "recall": int(in_generated.count_nonzero()) / len(in_generated),
        "density": memberships / (reference.neighbours * len(features)),
        "coverage": int(covered.count_nonzero()) / len(covered),
    }


def squared_radii(features: Tensor, neighbours: int) -> Tensor:
    """Squared distance from each image to its k-th nearest other one, k = `neighbours`: float32 `[image]`.

    It is 0 for an image with k exact duplicates. Features are float64 `[image, feature]`. ValueError unless
    1 ≤ k < images.
    """
    if not 1 <= neighbours < len(features):
        raise ValueError(f"neighbours is {neighbours}, images are {len(features)}: 1 ≤ neighbours < images")
    radii = torch.empty(len(features), dtype=torch.float32, device=features.device)
    for rows, row_radii in zip(features.split(CHUNK), radii.split(CHUNK), strict=True):
        # One more, because an image is among its own nearest ones, at distance 0.
        nearest = squared_distances(rows, features).topk(neighbours + 1, largest=False).values
        row_radii.copy_(nearest.amax(1))
    return radii


def squared_distances(rows: Tensor, columns: Tensor) -> Tensor:
    """Squared Euclidean distances, float32 `[row, column]`, of float64 features `[row or column, feature]`.

    |x|² + |y|² − 2 x·y in float64, rounded to float32 at the end: equal distances then compare as equal,
    however the product was summed. The norms are shrunk by the largest possible relative rounding error, so that
    exact duplicates are exactly 0 apart, as are images that differ by less than 1e-7 of their norm.
    """
    shrink = 1 - (columns.shape[1] + 1) * torch.finfo(torch.float64).eps
    row_norms = shrink * rows.square().sum(1, keepdim=True)
    column_norms = shrink * columns.square().sum(1)
    return torch.addmm(column_norms, rows, columns.T, alpha=-2).add_(row_norms).float().clamp_(min=0)


def digit_shares(predictions: Tensor) -> list[float]:
    """Share of each digit 0–9 among predictions, int64 `[image]`; ValueError if empty or not all digits."""
    if not len(predictions) or predictions.min() < 0 or predictions.max() >= DIGITS:
        raise ValueError(f"predictions must be digits, 0 to {DIGITS - 1}, of one image or more")
    counts = torch.bincount(predictions.cpu(), minlength=DIGITS)
    return [count / len(predictions) for count in counts.tolist()]


def _widened(features: Tensor) -> Tensor:
    """Features `[image, feature]` as float64; ValueError unless finite and of two images or more."""
    if features.ndim != 2 or len(features) < 2:
        raise ValueError(f"features have shape {list(features.shape)}: give [image, feature], 2 images or more")
    broken = int((~features.isfinite()).any(1).count_nonzero())
    if broken:
        raise ValueError(f"{broken} of {len(features)} images have non-finite features: they cannot be scored")
    return features.double()
