"""Where float32 leaves the exact losses, at logits that are known from BCELoss and the sigmoid."""

import math
from dataclasses import replace

import pytest
import torch

from gan.audit.gradients import Losses
from gan.audit.numerics import Departure, departures
from gan.training.losses import OBJECTIVES

ONSET = 24 * math.log(2)  # from here on sigmoid is 1 in float32


def departure(name: str, player: str, side: str) -> Departure:
    """The one departure of a player's gradient on generated images on that side of 0."""
    (found,) = [
        entry
        for entry in departures(Losses(name, OBJECTIVES[name]))
        if (entry.player, entry.by, entry.side) == (player, "fake", side)
    ]
    return found


@pytest.mark.parametrize(
    ("name", "player", "clamp"),
    [
        ("minimax", "generator", "−100"),
        ("bce_label_zero", "generator", "100"),
        ("non_saturating", "discriminator", "100.3"),
    ],
)
def test_float32_dies_where_its_sigmoid_is_one(name: str, player: str, clamp: str) -> None:
    found = departure(name, player, "up")
    assert found.zero_from == found.off_from == found.clamp_from == pytest.approx(ONSET, abs=1e-5)
    assert f"the {player}'s gradient on generated images is exactly 0 from logit 16.64 up" in found.text
    assert f"the loss stays at {clamp} from logit 16.64 up" in found.text


def test_bceloss_bounds_a_gradients_denominator() -> None:
    """p (1 - p) from below by 1e-12, so from logit -27.63 down the gradient dwindles that should be -1."""
    found = departure("non_saturating", "generator", "down")
    assert found.off_from == pytest.approx(math.log(1e-12), abs=0.01)
    assert found.zero_from is found.clamp_from is None
    assert "at −40: −4.248e−06, not −1" in found.text


@pytest.mark.parametrize("name", ["non_saturating_logits", "minimax_logits", "least_squares", "relativistic", "hinge"])
def test_losses_on_logits_are_exact_in_float32(name: str) -> None:
    assert departures(Losses(name, OBJECTIVES[name])) == []


def test_an_objective_without_an_equation_is_held_against_float64() -> None:
    assert departures(Losses("unknown", OBJECTIVES["hinge"])) == []
    assert departures(Losses("unknown", OBJECTIVES["minimax"])) != []


def test_a_planted_epsilon_in_the_logarithm_is_found_to_clamp() -> None:
    clamping = replace(
        OBJECTIVES["non_saturating"], generator=lambda fake: -torch.log(torch.sigmoid(fake) + 1e-8).mean(-1)
    )
    entries = departures(Losses("non_saturating", clamping))
    (found,) = [entry for entry in entries if (entry.player, entry.side) == ("generator", "down")]
    assert -12 < found.off_from < -11
    assert "the loss stays at 18.42 " in found.text
