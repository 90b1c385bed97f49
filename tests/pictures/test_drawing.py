"""What the pictures show: latents on the sphere, images in their places, the same latents in every row."""

import math

import numpy as np
import pytest
import torch
from pictures.keeping import pixels

from gan.evaluation.scoring import Scored, sample_grid
from gan.networks import registry
from gan.networks.architecture import Network
from gan.pictures import drawing
from gan.seeding import random_generator
from gan.study.recipe import Variant


def generator(variant: Variant, seed: int) -> dict[str, np.ndarray]:
    network = Network(registry.generator(variant), [random_generator(seed, "test")])
    return {name: part.numpy() for name, part in network.state(0).items()}


def test_the_way_between_latents_turns_at_equal_angles() -> None:
    """Closed form: between orthogonal vectors of one length the way is a quarter of a circle."""
    start, end = torch.tensor([2.0, 0.0, 0.0]), torch.tensor([0.0, 0.0, 2.0])
    angles = [math.pi / 2 * share for share in (0, 1 / 3, 2 / 3, 1)]
    expected = torch.tensor([[2 * math.cos(angle), 0.0, 2 * math.sin(angle)] for angle in angles])
    torch.testing.assert_close(drawing.between(start, end, 4), expected)


def test_the_way_begins_and_ends_at_its_latents_and_keeps_their_length() -> None:
    start, end = drawing.latents(100, 0)[0], drawing.latents(100, 1)[0]
    way = drawing.between(start, end, 12)
    torch.testing.assert_close(way[[0, -1]], torch.stack([start, end]))
    lengths = way.norm(dim=1)
    assert lengths.min() > 0.95 * min(start.norm(), end.norm())
    assert (start + end).norm() / 2 < 0.9 * lengths.min()  # the middle of the straight line, where latents are rare
    torch.testing.assert_close(drawing.between(end, start, 12), way.flip(0))


@pytest.mark.parametrize("factor", [1.0, 3.0, -2.0])
def test_where_there_is_no_angle_the_way_is_straight(factor: float) -> None:
    start = torch.tensor([1.0, 2.0])
    expected = torch.stack([start, start * (1 + factor) / 2, start * factor])
    torch.testing.assert_close(drawing.between(start, start * factor, 3), expected)


def test_images_lie_side_by_side() -> None:
    images = torch.full((2, 3, 28, 28), -1.0)
    images[1, 2, 5, 7] = 1.0
    images[0, 1, 0, 0] = 0.0
    images[0, 0, 0, 0] = 5.0  # not a tanh's, and no reason for another picture
    shown = pixels(drawing.png(images))
    assert shown.shape == (2 * 28, 3 * 28)
    assert {tuple(map(int, place)): int(shown[*place]) for place in np.argwhere(shown)} == {
        (0, 0): 255,
        (0, 28): 128,
        (28 + 5, 2 * 28 + 7): 255,
    }


def test_what_the_last_row_lacks_is_black() -> None:
    rows = drawing.in_rows(torch.ones(5, 2, 2), 3)
    assert rows.shape == (2, 3, 2, 2)
    assert rows.sum((2, 3)).tolist() == [[4, 4, 4], [4, 4, -4]]


@pytest.mark.parametrize("latent_dim", [8, 100])
def test_a_strips_row_is_the_sample_grids_first_columns(variant: Variant, latent_dim: int) -> None:
    """Of the published grid, which has 16 columns and two pixels around each image."""
    variant = variant.model_copy(update={"latent_dim": latent_dim})
    states = [generator(variant, seed) for seed in range(2)]
    latents = torch.randn(16, latent_dim, generator=random_generator(0, "grid"))
    samples = registry.generate(variant, states[1], latents).view(-1, 28, 28)
    grid = pixels(sample_grid([Scored([], [], samples)], 1))
    shown = np.concatenate([grid[2:30, 30 * column + 2 : 30 * column + 30] for column in range(10)], axis=1)
    strip = pixels(drawing.png(drawing.strip(variant, states)))
    assert strip.shape == (2 * 28, 10 * 28)
    assert np.array_equal(strip[28:], shown)
    assert not np.array_equal(strip[:28], shown)


def test_interpolations_do_not_depend_on_what_else_is_drawn(variant: Variant) -> None:
    state = generator(variant, 0)
    ways = drawing.interpolations(variant, state)
    assert ways.shape == (4, 12, 28, 28)
    torch.testing.assert_close(drawing.interpolations(variant, state, [(2, 3)])[0], ways[1])
    ends = drawing.draw(variant, state, torch.cat([drawing.latents(variant.latent_dim, seed) for seed in (6, 7)]))
    torch.testing.assert_close(ways[3, [0, -1]], ends)


def test_without_a_generator_all_is_black(variant: Variant) -> None:
    assert pixels(drawing.png(drawing.strip(variant, []))).shape == (28, 280)
    assert not pixels(drawing.png(drawing.strip(variant, []))).any()
    assert not pixels(drawing.png(drawing.interpolations(variant, {}))).any()
