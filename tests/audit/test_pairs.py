"""Verdicts on pairs of losses whose relation is known."""

import math

import numpy as np
import pytest

from gan.audit.gradients import CORE_LOGITS, Losses, implementation, probe
from gan.audit.pairs import WORDS, compare
from gan.training.losses import OBJECTIVES


def losses(name: str, **changes) -> Losses:
    return Losses(name, OBJECTIVES[name], **changes)


PAIRS = {
    ("minimax", "minimax"): ("same", "same", None),
    ("minimax", "minimax_logits"): ("numerics", "numerics", None),
    ("non_saturating", "non_saturating_logits"): ("numerics", "numerics", None),
    ("non_saturating_logits", "cewl"): ("same", "size", None),
    ("non_saturating", "cewl"): ("numerics", "size", None),
    ("minimax", "non_saturating"): ("size", "same", (math.exp(-15), math.exp(15))),
    ("minimax", "minimax_rescaled"): ("size", "numerics", (math.exp(-15), math.exp(15))),
    ("minimax", "bce_label_zero"): ("different", "same", None),
    ("wasserstein", "hinge"): ("same", "different", None),
    ("relativistic", "non_saturating_logits"): ("size", "size", (math.exp(-1), math.exp(2))),
    ("least_squares", "wasserstein"): ("different", "different", None),
}


@pytest.mark.parametrize("pair", PAIRS)
def test_verdicts_on_known_pairs(pair: tuple[str, str]) -> None:
    generator, discriminator, factor = PAIRS[pair]
    verdict = compare(*map(losses, pair), pair)
    assert (verdict["generator"]["kind"], verdict["discriminator"]["kind"]) == (generator, discriminator)
    assert verdict["kind"] == max(generator, discriminator, key=list(WORDS).index)
    if factor:
        assert verdict["generator"]["factor"] == pytest.approx(factor, rel=1e-6)
    other_way = compare(*map(losses, pair[::-1]))
    assert (other_way["kind"], other_way["verdict"]) == (verdict["kind"], verdict["verdict"])


def test_reasons_name_the_variants_and_say_where() -> None:
    cewl = compare(losses("non_saturating"), losses("cewl"), ("non_saturating", "cewl"))
    assert cewl["discriminator"]["factor"] == pytest.approx([0.5, 0.5])
    assert cewl["discriminator"]["reason"] == "that of cewl is 0.5 times that of non_saturating"
    assert "from logit −27.63 down (at −40: −4.248e−06 against −1)" in cewl["generator"]["reason"]
    pair = compare(losses("minimax"), losses("minimax_logits"))
    assert pair["logit"] == pair["discriminator"]["logit"] == pytest.approx(9.86, abs=0.5)
    assert pair["generator"]["verdict"] == "same mathematics, different numerics from logit 16.64 on"
    zero = compare(losses("minimax"), losses("bce_label_zero"))
    assert zero["reason"] == "generator: opposite directions on generated images at every logit"
    hinge = compare(losses("wasserstein"), losses("hinge"), ("wasserstein", "hinge"))
    assert "no gradient in hinge on real images from logit 1 up" in hinge["reason"]


def test_minimax_rescaled_is_non_saturating_in_size_and_minimax_among_images() -> None:
    """Alone it has the non-saturating gradient, in company minimax's times a constant."""
    pair = compare(losses("non_saturating"), losses("minimax_rescaled"))["generator"]
    assert pair["kind"] == "size"
    low, high = pair["factor"]
    assert low < 1 < high
    rescaled, non_saturating, minimax = (
        probe(implementation(losses(name), "generator"), "fake", CORE_LOGITS)[1]
        for name in ("minimax_rescaled", "non_saturating", "minimax")
    )
    np.testing.assert_allclose(rescaled[:, 0], non_saturating[:, 0], rtol=1e-8)
    scale = rescaled[:, 1:] / minimax[:, 1:]
    np.testing.assert_allclose(scale, scale[:, :1] * np.ones(4), rtol=1e-9)


def test_what_a_variant_adds_is_part_of_the_verdict() -> None:
    def verdict(first: dict, second: dict) -> dict:
        return compare(losses("wasserstein", **first), losses("wasserstein", **second), ("a", "b"))

    penalty = {"terms": (("gradient_penalty", 10.0),)}
    pairs = {
        "discriminator: gradient_penalty added in b": verdict({}, penalty),
        "discriminator: gradient_penalty weighs 10 in a, 1 in b": verdict(
            penalty, {"terms": (("gradient_penalty", 1.0),)}
        ),
        "discriminator: parameters clipped at 0.01 in a, not clipped in b": verdict({"clip": 0.01}, {}),
        "generator: pixel_mse added in b": verdict({}, {"terms": (("pixel_mse", 1.0),)}),
        "generator: evidence_bound added in a": verdict({"terms": (("evidence_bound", 1.0),)}, {}),
        "generator: only a has an adversarial loss": verdict({}, {"adversarial": 0.0}),
    }
    for reason, pair in pairs.items():
        assert (pair["kind"], pair["verdict"], pair["reason"]) == ("different", "different", reason)
    assert verdict(penalty, penalty)["kind"] == "same"
    assert verdict({"adversarial": 0.0}, {"adversarial": 0.0})["kind"] == "same"
    half = verdict({}, {"adversarial": 0.5})
    assert half["kind"] == "size"
    assert half["generator"]["factor"] == [0.5, 0.5]
    softer = compare(losses("non_saturating"), losses("non_saturating", real_label=0.9))
    assert softer["generator"]["kind"] == "same"
    assert softer["discriminator"]["reason"] == "opposite directions on real images from logit 2.25 up"
