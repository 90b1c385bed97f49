"""The metrics against closed forms, other libraries, naive loops and invariances."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics.pairwise import euclidean_distances
from sklearn.neighbors import NearestNeighbors
from torch import Tensor
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import KernelInceptionDistance

from gan.evaluation import metrics
from gan.evaluation.metrics import (
    KernelMean,
    Moments,
    Reference,
    digit_shares,
    fid,
    frechet_distance,
    kernel_distance,
    lower_bounds,
    neighbourhood_shares,
    score,
    squared_distances,
    squared_radii,
)

NEIGHBOURS = 5
NEIGHBOURHOOD = ["precision", "recall", "density", "coverage"]


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def normal(images: int, width: int, seed: int) -> Tensor:
    return torch.randn(images, width, generator=torch.Generator().manual_seed(seed))


def penultimate(images: int, width: int, seed: int) -> Tensor:
    """Features as a classifier makes them: correlated, not negative, many of them 0, some dead."""
    features = (normal(images, width, seed) @ normal(width, width, 99) / width**0.5 + 0.3).relu()
    features[:, 0] = 0
    return features


def with_moments(mean: Tensor, covariance: Tensor, images: int) -> Tensor:
    """Float64 features whose sample mean and unbiased covariance are exactly the ones given."""
    sample = normal(images, len(mean), 0).double()
    sample -= sample.mean(0)
    orthonormal = torch.linalg.qr(sample).Q
    return mean + (images - 1) ** 0.5 * orthonormal @ torch.linalg.cholesky(covariance).T


def covariance(width: int, seed: int) -> Tensor:
    root = normal(width, width + 3, seed).double()
    return root @ root.T / width


def kid(first: Tensor, second: Tensor) -> float:
    return kernel_distance(KernelMean.of(first), KernelMean.of(second))


class Identity(torch.nn.Module):
    """Stands in for a feature extractor: the images given are features already."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.num_features = width

    def forward(self, images: Tensor) -> Tensor:
        return images


# Fréchet distance


def test_moments_are_the_mean_and_the_unbiased_covariance():
    features = penultimate(50, 6, 1)
    moments = Moments.of(features)
    np.testing.assert_allclose(moments.mean, features.numpy().mean(0, dtype=np.float64), rtol=1e-12)
    np.testing.assert_allclose(moments.covariance, np.cov(features.double().numpy().T), rtol=1e-12, atol=1e-15)


def test_equal_covariances_leave_the_squared_shift():
    shift = torch.tensor([3.0, 0.0, -4.0, 1.0, 0.5], dtype=torch.float64)
    shared = covariance(5, 2)
    first = Moments.of(with_moments(torch.zeros(5), shared, 40))
    second = Moments.of(with_moments(shift, shared, 60))
    assert frechet_distance(first, second) == pytest.approx(26.25, rel=1e-9)


def test_diagonal_covariances_compare_standard_deviations():
    a, b = torch.tensor([[4.0, 9.0, 0.25, 1.0], [1.0, 16.0, 2.25, 0.01]], dtype=torch.float64)
    first = Moments.of(with_moments(torch.zeros(4), a.diag(), 30))
    second = Moments.of(with_moments(torch.zeros(4), b.diag(), 70))
    assert frechet_distance(first, second) == pytest.approx(1 + 1 + 1 + 0.81, rel=1e-9)


def test_two_by_two_covariances_that_do_not_commute():
    a = torch.tensor([[2.0, 0.7], [0.7, 1.0]], dtype=torch.float64)
    b = torch.tensor([[1.0, -0.4], [-0.4, 3.0]], dtype=torch.float64)
    overlap = math.sqrt(torch.trace(a @ b) + 2 * torch.sqrt(torch.det(a) * torch.det(b)))
    first, second = (Moments.of(with_moments(torch.zeros(2), each, 25)) for each in (a, b))
    assert frechet_distance(first, second) == pytest.approx(7 - 2 * overlap, rel=1e-9)


def test_total_collapse_is_the_squared_shift_and_the_lost_variance():
    real, point = Moments.of(penultimate(300, 8, 3)), normal(1, 8, 4)
    collapsed = Moments.of(point.expand(200, 8))
    shift = (real.mean - point[0].double()).square().sum()
    expected = (shift + real.covariance.trace()).item()
    assert frechet_distance(collapsed, real) == pytest.approx(expected, rel=1e-12)
    assert frechet_distance(real, collapsed) == pytest.approx(expected, rel=1e-12)


def test_small_samples_of_one_normal_distribution_lie_at_the_known_floor():
    width, images, pairs = 16, 1000, 20
    mean = np.mean(
        [
            frechet_distance(Moments.of(normal(images, width, seed)), Moments.of(normal(images, width, seed + 100)))
            for seed in range(pairs)
        ]
    )
    assert mean == pytest.approx((width * (width + 1) / 2 + 2 * width) / images, rel=0.05)


def test_frechet_distance_agrees_with_torchmetrics():
    real, fake = penultimate(400, 12, 5).double(), penultimate(300, 12, 6).double() + 0.1
    oracle = FrechetInceptionDistance(Identity(12))
    oracle.update(real, real=True)
    oracle.update(fake, real=False)
    assert fid(fake, Reference.of(real, NEIGHBOURS)) == pytest.approx(oracle.compute().item(), rel=1e-7)


def test_frechet_distance_is_symmetric_and_never_negative():
    first, second = Moments.of(penultimate(100, 10, 7)), Moments.of(penultimate(100, 10, 8))
    assert frechet_distance(first, second) == pytest.approx(frechet_distance(second, first), rel=1e-9)
    for seed in range(20):
        # Fewer images than features: singular covariances, where rounding is at its worst.
        same = Moments.of(penultimate(6, 10, seed))
        assert 0 <= frechet_distance(same, same) < 1e-6


def test_frechet_distance_does_not_see_a_common_rotation_and_shift():
    first, second = normal(200, 7, 9).double(), normal(150, 7, 10).double() * torch.arange(1, 8)
    rotation = torch.linalg.qr(normal(7, 7, 11).double()).Q
    moved = [Moments.of(each @ rotation + 5) for each in (first, second)]
    unmoved = frechet_distance(Moments.of(first), Moments.of(second))
    assert frechet_distance(*moved) == pytest.approx(unmoved, rel=1e-9)


# Kernel distance


def test_kernel_distance_is_the_formula_over_all_pairs():
    real, fake = penultimate(90, 8, 12).double(), penultimate(70, 8, 13).double() + 0.2
    kernels = [((x @ y.T) / 8 + 1) ** 3 for x, y in ((real, real), (fake, fake), (real, fake))]
    within = [(kernel.sum() - kernel.trace()) / (len(kernel) * (len(kernel) - 1)) for kernel in kernels[:2]]
    assert kid(real, fake) == pytest.approx((sum(within) - 2 * kernels[2].mean()).item(), rel=1e-10)


@pytest.mark.filterwarnings("ignore:Metric `Kernel Inception Distance` will save:UserWarning")
def test_kernel_distance_agrees_with_torchmetrics():
    real, fake = penultimate(80, 12, 14).double(), penultimate(80, 12, 15).double() + 0.1
    oracle = KernelInceptionDistance(Identity(12), subsets=1, subset_size=80)
    oracle.update(real, real=True)
    oracle.update(fake, real=False)
    assert kid(fake, real) == pytest.approx(oracle.compute()[0].item(), rel=1e-9)


def test_kernel_distance_of_one_distribution_is_zero_on_average():
    values = [kid(normal(60, 4, seed), normal(40, 4, seed + 1000)) for seed in range(400)]
    standard_error = np.std(values) / len(values) ** 0.5
    assert abs(np.mean(values)) < 3 * standard_error
    assert min(values) < 0
    # What a biased estimate would add: a mean squared error of each kernel mean.
    assert KernelMean.of(normal(60, 4, 0)).variance > 10 * standard_error


# Precision, recall, density, coverage


def naive_shares(real: np.ndarray, fake: np.ndarray, neighbours: int) -> dict[str, float]:
    real_radii, fake_radii = (
        NearestNeighbors(n_neighbors=neighbours).fit(each).kneighbors()[0][:, -1] for each in (real, fake)
    )
    distances = euclidean_distances(real, fake)
    precise, recalled, memberships, covered = set(), set(), 0, set()
    for i in range(len(real)):
        for j in range(len(fake)):
            if distances[i, j] <= real_radii[i]:
                precise.add(j)
            if distances[i, j] <= fake_radii[j]:
                recalled.add(i)
            if distances[i, j] < real_radii[i]:
                memberships += 1
                covered.add(i)
    return {
        "precision": len(precise) / len(fake),
        "recall": len(recalled) / len(real),
        "density": memberships / (neighbours * len(fake)),
        "coverage": len(covered) / len(real),
    }


@pytest.mark.parametrize("neighbours", [1, 3, 5])
def test_neighbourhood_shares_are_those_of_a_double_loop(neighbours):
    real, fake = penultimate(120, 6, 16), penultimate(90, 6, 17) * 1.2 + 0.2
    expected = naive_shares(real.double().numpy(), fake.double().numpy(), neighbours)
    assert all(0 < share < 1 for share in expected.values())
    assert neighbourhood_shares(fake, Reference.of(real, neighbours)) == expected


def test_radii_leave_out_the_image_itself():
    line = torch.tensor([[0.0], [1.0], [3.0], [7.0]])
    assert squared_radii(line.double(), 1).tolist() == [1, 1, 4, 16]
    assert squared_radii(line.double(), 2).tolist() == [9, 4, 9, 36]


def test_a_set_against_itself_is_perfect():
    features = penultimate(250, 64, 18)
    shares = neighbourhood_shares(features, Reference.of(features, NEIGHBOURS))
    assert shares == dict.fromkeys(NEIGHBOURHOOD, 1.0)


def test_sets_far_apart_share_nothing():
    reference = Reference.of(penultimate(100, 8, 19), NEIGHBOURS)
    assert neighbourhood_shares(penultimate(80, 8, 20) + 1000, reference) == dict.fromkeys(NEIGHBOURHOOD, 0.0)


def test_a_ball_is_closed_for_precision_and_recall_and_open_for_density_and_coverage():
    real, fake = torch.tensor([[0.0], [2.0]]), torch.tensor([[-2.0], [-4.0]])
    touching = neighbourhood_shares(fake, Reference.of(real, 1))
    assert touching == {"precision": 0.5, "recall": 0.5, "density": 0.0, "coverage": 0.0}


def test_equal_distances_are_equal_whatever_product_they_came_from():
    # On a grid an image's nearest are all exactly at its radius; thirds have no exact binary form.
    side = torch.arange(12, dtype=torch.float64)
    grid = torch.cartesian_prod(side, side) / 3 + 10
    # Strictly inside the ball: the image alone; on an edge or in a corner, its three nearest too.
    interior, edges, corners = 100 * 1, 40 * 4, 4 * 4
    density = neighbourhood_shares(grid, Reference.of(grid, 4))["density"]
    assert density == (interior + edges + corners) / (4 * 144)


# What float32 leaves open is settled in float64


def radii_from_all_distances(features: Tensor, neighbours: int) -> Tensor:
    return squared_distances(features, features).sort(1).values[:, neighbours]


def shares_from_all_distances(real: Tensor, fake: Tensor, neighbours: int) -> dict[str, float]:
    """All distances in float64 at once."""
    real_radii, fake_radii = (radii_from_all_distances(each, neighbours) for each in (real, fake))
    distances = squared_distances(fake, real)
    inside = distances < real_radii
    return {
        "precision": int((distances <= real_radii).any(1).sum()) / len(fake),
        "recall": int((distances <= fake_radii[:, None]).any(0).sum()) / len(real),
        "density": int(inside.sum()) / (neighbours * len(fake)),
        "coverage": int(inside.any(0).sum()) / len(real),
    }


@st.composite
def lattices(draw, width: int, most: int = 230) -> Tensor:
    """Points whose sums of squares float64 holds exactly, so that a distance is the same however it is summed.

    Few steps make ties, many make points in general position; a far place makes a collapsed set, in which float32
    can't tell points apart; some points are there several times, or all are one.
    """
    random = torch.Generator().manual_seed(draw(st.integers(0, 2**32)))
    images, distinct = draw(st.integers(8, most)), draw(st.sampled_from([1, 5, most]))
    steps = draw(st.sampled_from([1, 2, 300, 2**18]))
    place = draw(st.sampled_from([0, 2**10, 2**19])) * torch.rand(width, generator=random)
    points = place.round() + torch.randint(-steps, steps + 1, (distinct, width), generator=random)
    chosen = torch.randint(distinct, (images,), generator=random)
    return (points[chosen] * draw(st.sampled_from([2.0**-20, 1.0, 2.0**10]))).double()


@st.composite
def pairs_of_sets(draw) -> tuple[Tensor, Tensor]:
    """Two sets, far apart or with points in common."""
    width = draw(st.sampled_from([1, 3, 64]))
    real, fake = draw(lattices(width)), draw(lattices(width))
    return real, torch.cat([fake, real[: draw(st.sampled_from([0, 40]))]])


@given(pairs_of_sets(), st.sampled_from([1, 5, 7]), st.sampled_from([0, 1]))
def test_radii_and_shares_are_those_of_all_distances_in_float64(sets, neighbours, most_pairs):
    """Whether a chunk's distances are settled in pairs or all at once."""
    real, fake = sets
    for each in sets:
        assert torch.equal(squared_radii(each, neighbours), radii_from_all_distances(each, neighbours))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metrics, "MOST_PAIRS", most_pairs)
        shares = neighbourhood_shares(fake, Reference.of(real, neighbours))
    assert shares == shares_from_all_distances(real, fake, neighbours)


@given(pairs_of_sets(), st.integers(0, 2**32))
def test_no_distance_is_below_its_bound_in_float32_nor_far_above(sets, seed):
    rows, columns = (each + torch.rand(each.shape, generator=torch.Generator().manual_seed(seed)) for each in sets)
    bounds = torch.cat([*lower_bounds(rows, columns)])
    distances = squared_distances(rows, columns)
    assert (bounds <= distances).all()
    lost = torch.zeros(len(rows), len(columns), dtype=torch.float64)
    for number, origin in ((torch.float32, columns.mean(0)), (torch.float64, 0)):
        squares = [(each - origin).square().sum(1) for each in (rows, columns)]
        lost += 4 * (columns.shape[1] + 8) * torch.finfo(number).eps * (squares[0][:, None] + squares[1])
    assert (distances - bounds <= lost).all()


# Collapse


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
def test_exact_duplicates_are_no_distance_apart(scale):
    duplicates = (penultimate(1, 64, 21) * scale).expand(300, 64).double()
    assert squared_radii(duplicates, NEIGHBOURS).tolist() == [0.0] * 300


def test_near_duplicates_are_told_apart():
    features = normal(1, 64, 22).double() + 10 + 1e-3 * torch.eye(64)[:20]
    np.testing.assert_allclose(squared_radii(features, 1), 2e-6, rtol=1e-3)


def test_a_collapsed_generator_scores_badly_and_finitely():
    real = penultimate(300, 64, 23)
    reference = Reference.of(real, NEIGHBOURS)
    collapsed = score(real[:1].expand(200, 64), torch.full((200,), 7), reference, 0.01)
    assert all(math.isfinite(value) for value in collapsed.values())
    assert collapsed["precision"] == 1
    assert collapsed["recall"] == 1 / 300
    assert collapsed["coverage"] < 0.1
    assert collapsed["digits"] == 1
    missed = score(real[:1].expand(200, 64) + 1e-3, torch.full((200,), 7), reference, 0.01)
    assert missed["recall"] == 0


def test_a_reference_of_duplicates_covers_nothing_and_divides_by_nothing():
    features = torch.ones(20, 3)
    values = score(features, torch.zeros(20, dtype=torch.int64), Reference.of(features, NEIGHBOURS), 0.01)
    assert [values[name] for name in NEIGHBOURHOOD] == [1, 1, 0, 0]
    assert values["fid"] == 0
    assert values["kid"] == pytest.approx(0, abs=1e-12)


# Digits


def test_digit_shares():
    assert digit_shares(torch.tensor([0] * 5 + [3] * 4 + [9])) == [0.5, 0, 0, 0.4, 0, 0, 0, 0, 0, 0.1]
    assert digit_shares(torch.tensor([1])) == [0, 1, 0, 0, 0, 0, 0, 0, 0, 0]


@pytest.mark.parametrize(("threshold", "appearing"), [(0.0101, 1), (0.01, 2), (0.005, 3)])
def test_a_digit_appears_from_the_threshold_on(threshold, appearing):
    predictions = torch.tensor([4] * 985 + [5] * 10 + [6] * 5)
    features = normal(1000, 2, 24)
    assert score(features, predictions, Reference.of(features, 1), threshold)["digits"] == appearing


# The whole score


@pytest.fixture(scope="module")
def scored():
    real, fake = penultimate(450, 16, 25), penultimate(330, 16, 26) * 1.1
    predictions = torch.arange(330) % 10
    return real, fake, predictions, score(fake, predictions, Reference.of(real, NEIGHBOURS), 0.01)


def test_score_names_every_metric(scored):
    _, _, _, values = scored
    digits = [f"digit_{digit}" for digit in range(10)]
    assert list(values) == ["fid", "kid", *NEIGHBOURHOOD, "digits", *digits]
    assert all(type(value) in (int, float) for value in values.values())


def test_score_repeats_bit_for_bit(scored):
    real, fake, predictions, values = scored
    assert score(fake.clone(), predictions, Reference.of(real.clone(), NEIGHBOURS), 0.01) == values


@pytest.mark.parametrize("chunk", [1, 7, 1000])
def test_score_does_not_depend_on_the_chunks(scored, chunk, monkeypatch):
    real, fake, predictions, values = scored
    monkeypatch.setattr(metrics, "CHUNK", chunk)
    chunked = score(fake, predictions, Reference.of(real, NEIGHBOURS), 0.01)
    assert chunked == pytest.approx(values, rel=1e-10)
    assert all(chunked[name] == values[name] for name in NEIGHBOURHOOD)


def test_score_does_not_depend_on_the_order_of_the_images(scored):
    real, fake, predictions, values = scored
    shuffled = torch.randperm(len(fake), generator=torch.Generator().manual_seed(1))
    again = score(fake[shuffled], predictions[shuffled], Reference.of(real.flip(0), NEIGHBOURS), 0.01)
    assert again == pytest.approx(values, rel=1e-10)
    assert all(again[name] == values[name] for name in NEIGHBOURHOOD)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_score_is_the_same_on_a_gpu(scored):
    real, fake, predictions, values = scored
    reference = Reference.of(real.cuda(), NEIGHBOURS)
    assert score(fake.cuda(), predictions.cuda(), reference, 0.01) == pytest.approx(values, rel=1e-9)


# Bad input


@pytest.mark.parametrize("broken", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("use", [Moments.of, KernelMean.of, lambda features: Reference.of(features, NEIGHBOURS)])
def test_non_finite_features_are_refused(broken, use):
    features = normal(30, 4, 27)
    features[[3, 3, 8], [0, 1, 2]] = broken
    with pytest.raises(ValueError, match="2 of 30 images have non-finite features"):
        use(features)


def test_one_image_or_a_wrong_shape_is_refused():
    for features in (normal(1, 4, 28), normal(8, 4, 28)[0], normal(8, 4, 28)[None]):
        with pytest.raises(ValueError, match=r"features have shape .* 2 images or more"):
            Moments.of(features)


@pytest.mark.parametrize("neighbours", [0, 10])
def test_neighbours_that_no_image_has_are_refused(neighbours):
    with pytest.raises(ValueError, match=f"neighbours is {neighbours}, images are 10"):
        Reference.of(normal(10, 4, 29), neighbours)


@pytest.mark.parametrize("predictions", [[], [0, -1], [3, 10]])
def test_predictions_that_are_no_digits_are_refused(predictions):
    with pytest.raises(ValueError, match="predictions must be digits, 0 to 9"):
        digit_shares(torch.tensor(predictions, dtype=torch.int64))


def test_predictions_of_other_images_are_refused():
    features = normal(10, 4, 30)
    with pytest.raises(ValueError, match="10 images have features, 9 a prediction"):
        score(features, torch.zeros(9, dtype=torch.int64), Reference.of(features, 1), 0.01)
