"""This study's order and the published one."""

import pytest
from stats.planted import runs

from gan.records.comparison import BothFids, Standing
from gan.stats.comparison import summary
from gan.stats.literature import DATA, LUCIC, compare_with_published


def standing(ranking: list[str], data: str = DATA) -> Standing:
    scores = [runs([place]) for place in range(1, len(ranking) + 1)]
    places = {name: place for place, name in enumerate(ranking, 1)}
    summaries = {name: summary(one, 0.95) for name, one in zip(ranking, scores, strict=True)}
    return Standing(data, 10, [10], ranking, places, summaries)


def test_the_published_order_is_that_of_the_table() -> None:
    order = compare_with_published([standing(list(LUCIC))])
    assert order
    assert order.published == ["wgan", "non_saturating", "dragan", "lsgan", "minimax", "wgan_gp", "vae"]
    assert order.fids["wgan_gp"] == BothFids(published=20.3, spread=5.0, ours=pytest.approx(5.0))
    assert order.fids["vae"] == BothFids(published=23.8, spread=0.6, ours=pytest.approx(7.0))


@pytest.mark.parametrize(
    ("ours", "tau", "p"),
    [
        (["wgan", "non_saturating", "dragan", "lsgan", "minimax", "wgan_gp"], 1, 2 / 720),
        (["wgan_gp", "minimax", "lsgan", "dragan", "non_saturating", "wgan"], -1, 2 / 720),
        (["wgan", "non_saturating", "dragan", "lsgan", "wgan_gp", "minimax"], 13 / 15, 12 / 720),
    ],
)
def test_tau_counts_pairs_in_the_same_order(ours: list[str], tau: float, p: float) -> None:
    """One exchange of neighbours among 15 pairs; exactly 1 + 5 of 720 orders are as close, and as many as far off."""
    order = compare_with_published([standing([*ours, "r3gan"])])
    assert order
    assert order.ours == ours
    assert order.tau == pytest.approx(tau)
    assert order.p == pytest.approx(p)


def test_it_is_the_order_of_most_variants() -> None:
    """Those that were trained longest are few; of equally many the last count."""
    many = [standing(["minimax", "vae", "wgan"]), standing(["wgan", "vae", "minimax"])]
    order = compare_with_published([*many, standing(["vae", "minimax"])])
    assert order
    assert order.ours == ["wgan", "vae", "minimax"]


def test_two_variants_make_no_order() -> None:
    order = compare_with_published([standing(["minimax", "wgan"])])
    assert order
    assert (order.tau, order.p) == (None, None)


@pytest.mark.parametrize("data", ["fashion_mnist", "digits"])
def test_another_data_set_has_no_published_order(data: str) -> None:
    elsewhere = standing(list(LUCIC), data)
    assert compare_with_published([elsewhere]) is None
    order = compare_with_published([elsewhere, standing(["wgan", "minimax"]), elsewhere])
    assert order
    assert order.ours == ["wgan", "minimax"]
