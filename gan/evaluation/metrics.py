"""How alike two sets of images are, measured on their features.

Features are unitless, `[image, feature]`, on any device. Every sum that decides a metric runs in float64; float32 only
finds the few distances that can matter. The same input on the same device and threads gives the same bits. The order of
the images and the size of the chunks change FID and KID by rounding only. The other metrics are counts, which change
only where two distances agree to seven digits.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

CHUNK = 100  # images per matrix product: little memory, and about the fastest on a CPU
SPARE = 3  # candidates beside an image's k nearest: float32 can't tell the last of them from the next ones
MOST_PAIRS = 0.01  # the share of pairs above which all distances at once take less time than those of the pairs
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
    chunks = zip(features.split(CHUNK), radii.split(CHUNK), lower_bounds(features, reference.features), strict=True)
    for rows, row_radii, bounds in chunks:
        # A pair of images that lie in neither's ball counts for nothing.
        close = bounds <= torch.maximum(row_radii[:, None], reference.squared_radii)
        row, column = close.nonzero(as_tuple=True)
        distances = _distances_of_pairs(rows, reference.features, row, column)
        in_reference += len(row[distances <= reference.squared_radii[column]].unique())
        in_generated[column[distances <= row_radii[row]]] = True
        inside = column[distances < reference.squared_radii[column]]
        memberships += len(inside)
        covered[inside] = True
    return {
        "precision": in_reference / len(features),
        "recall": int(in_generated.count_nonzero()) / len(in_generated),
        "density": memberships / (reference.neighbours * len(features)),
        "coverage": int(covered.count_nonzero()) / len(covered),
    }


def coverage(features: Tensor, reference: Reference) -> float:
    """The `coverage` of `neighbourhood_shares` alone, in less than half of the time."""
    features = _widened(features).to(reference.features.device)
    covered = torch.zeros_like(reference.squared_radii, dtype=torch.bool)
    for rows, bounds in zip(features.split(CHUNK), lower_bounds(features, reference.features), strict=True):
        row, column = (bounds <= reference.squared_radii).nonzero(as_tuple=True)
        distances = _distances_of_pairs(rows, reference.features, row, column)
        covered[column[distances < reference.squared_radii[column]]] = True
    return int(covered.count_nonzero()) / len(covered)


def squared_radii(features: Tensor, neighbours: int) -> Tensor:
    """Squared distance from each image to its k-th nearest other one, k = `neighbours`: float32 `[image]`.

    It is 0 for an image with k exact duplicates. Features are float64 `[image, feature]`. ValueError unless
    1 ≤ k < images.
    """
    if not 1 <= neighbours < len(features):
        raise ValueError(f"neighbours is {neighbours}, images are {len(features)}: 1 ≤ neighbours < images")
    radii = torch.empty(len(features), dtype=torch.float32, device=features.device)
    nearest = neighbours + 1  # an image is among its own nearest ones, at distance 0
    candidates = min(nearest + SPARE, len(features))
    chunks = zip(features.split(CHUNK), radii.split(CHUNK), lower_bounds(features, features), strict=True)
    for rows, row_radii, bounds in chunks:
        lowest, columns = bounds.topk(candidates, largest=False, sorted=False)
        distances = squared_distances(rows.unsqueeze(1), features[columns]).squeeze(1)
        row_radii.copy_(distances.kthvalue(nearest).values)
        # All other images are at least as far away as the last candidate's bound. If that is too near, ask them all.
        unsettled = lowest.amax(1) < row_radii
        if unsettled.any():
            row_radii[unsettled] = (
                squared_distances(rows[unsettled], features).topk(nearest, largest=False).values.amax(1)
            )
    return radii


def squared_distances(rows: Tensor, columns: Tensor) -> Tensor:
    """Squared Euclidean distances, float32 `[…, row, column]`, of float64 features `[…, row or column, feature]`.

    |x|² + |y|² − 2 x·y in float64, rounded to float32 at the end: equal distances then compare as equal,
    however the product was summed. The norms are shrunk by the largest possible relative rounding error, so that
    exact duplicates are exactly 0 apart, as are images that differ by less than 1e-7 of their norm.
    """
    shrink = 1 - (columns.shape[-1] + 1) * torch.finfo(torch.float64).eps
    row_norms = shrink * rows.square().sum(-1).unsqueeze(-1)
    column_norms = shrink * columns.square().sum(-1).unsqueeze(-2)
    return torch.sub(column_norms, rows @ columns.mT, alpha=2).add_(row_norms).float().clamp_(min=0)


def _distances_of_pairs(rows: Tensor, columns: Tensor, row: Tensor, column: Tensor) -> Tensor:
    """The squared distances, float32 `[pair]`, of pairs whose places are `row` and `column`, int64 `[pair]`."""
    if len(row) > len(rows) * len(columns) * MOST_PAIRS:
        return squared_distances(rows, columns)[row, column]
    return squared_distances(rows[row].unsqueeze(1), columns[column].unsqueeze(1)).flatten()


def lower_bounds(rows: Tensor, columns: Tensor) -> Iterator[Tensor]:
    """For each chunk of rows what no squared distance from a column is below: float32 `[row, column]`.

    Features are float64 `[image, feature]`. A product in float32 takes a third of the time, and few distances then
    have to be known better. Let x and y be two rows of n features about the columns' mean, where they are shortest.
    With rounding unit u = eps / 2, the product x·y is wrong by less than (n + 2) u |x||y|, however it is summed
    (Higham 2002, section 3.1; 2 for the features' own rounding). The norms and the two additions add less than 5 u
    times |x|² + |y|², which is at least 2 |x||y|. So norms shrunk by (n + 8) eps, twice as much, leave a lower bound.
    In float64 `squared_distances` is wrong likewise, by less than 2 (n + 2) eps of the norms about 0.
    """
    width, centre = columns.shape[1] + 8, columns.mean(0)
    narrow, wide = width * torch.finfo(torch.float32).eps, 2 * width * torch.finfo(torch.float64).eps

    def narrowed(features: Tensor) -> tuple[Tensor, Tensor]:
        centred = features - centre
        norms = (1 - narrow) * centred.square().sum(1) - wide * features.square().sum(1)
        return centred.float(), norms.float()

    (narrow_rows, row_norms), (narrow_columns, column_norms) = narrowed(rows), narrowed(columns)
    for part, norms in zip(narrow_rows.split(CHUNK), row_norms.split(CHUNK), strict=True):
        yield torch.addmm(column_norms, part, narrow_columns.T, alpha=-2).add_(norms[:, None])


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
