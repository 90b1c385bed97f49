"""Planted runs and contrasts turn the verdicts of the rules that rest on them."""

from dataclasses import replace
from typing import Any

import pytest
from claims.planting import OTHER_LOSSES, contrast, expected, replaced, scored, some, verdict

from gan.claims.evidence import Evidence
from gan.claims.ledger import ledger


@pytest.fixture
def evidence() -> Evidence:
    return expected()


def test_failures_decide_on_stability_and_spread_where_they_do_not(evidence: Evidence) -> None:
    worse = replaced(evidence, contrast("non_saturating", "minimax", "refuted", failed=(8, 0), p=0.01))
    assert verdict(worse, "V4") == "refuted"
    even = replaced(evidence, contrast("non_saturating", "minimax", "supported"))
    assert verdict(even, "V4") == "undecided", "none of minimax's runs survives"
    wide = scored(even, "minimax")
    wide.metrics.loc[wide.metrics["variant"] == "minimax", "fid"] = [100, 900, 90, 1000, 95, 950, 105, 990]
    assert verdict(wide, "V4") == "supported"


def test_contrasts_decide(evidence: Evidence) -> None:
    assert verdict(replaced(evidence, contrast("cewl", "minimax", "refuted")), "Q9") == "refuted"
    assert verdict(replaced(evidence, contrast("cewl", "minimax", "undecided")), "Q9") == "undecided"


@pytest.mark.parametrize(
    ("found", "low", "turned"),
    [
        ("supported", 0.7, "refuted"),
        ("supported", 0.95, "supported"),
        ("refuted", 0.7, "supported"),
        ("undecided", 0.95, "supported"),
        ("undecided", 0.7, "undecided"),
        ("undecided", None, "undecided"),
    ],
)
def test_a_gain_that_is_ruled_out_supports_that_there_is_none(
    evidence: Evidence, found: str, low: float, turned: str
) -> None:
    planted = contrast("feature_matching", "non_saturating", found, low=low)
    assert verdict(replaced(evidence, planted), "Q5") == turned


def test_one_better_loss_is_enough_and_all_must_be_useless(evidence: Evidence) -> None:
    def losses(*found: tuple[str, float]) -> Evidence:
        pairs = zip(OTHER_LOSSES, found, strict=True)
        return replaced(evidence, *(contrast(name, "non_saturating", word, low=low) for name, (word, low) in pairs))

    useless = [("refuted", 0.7), ("undecided", 0.95), ("undecided", 1.2)]
    assert verdict(losses(*useless, ("supported", 0.7)), "Q11") == "supported"
    assert verdict(losses(*useless, ("refuted", 1.3)), "Q11") == "refuted"
    assert verdict(losses(*useless, ("undecided", 0.7)), "Q11") == "undecided"


@pytest.mark.parametrize("columns", [{"digits": 4}, {"fid": 601.0}, {"coverage": 0.001}, {"status": "failed"}], ids=str)
def test_a_working_recipe_is_better_than_one_that_draws_nothing(evidence: Evidence, columns: dict[str, Any]) -> None:
    assert verdict(some(evidence, "non_saturating", 8, **columns), "T4") == "refuted"
    assert verdict(some(evidence, "non_saturating", 4, **columns), "T4") == "undecided"


def test_noise_and_the_mean_image_do_not_work(evidence: Evidence) -> None:
    for control in evidence.floor["mnist"]["controls"].values():
        # What makes a run learnt is left aside: the FID alone keeps them out.
        assert verdict(some(evidence, "non_saturating", 8, fid=control["fid"]), "T4") == "refuted"
    without = {"mnist": {key: value for key, value in evidence.floor["mnist"].items() if key != "controls"}}
    entry = ledger(replace(evidence, floor=without))["T4"]
    assert entry.reason == "Not tested: this study has no scores of the mean image and of noise."


def test_runs_decide_on_pixel_losses(evidence: Evidence) -> None:
    assert verdict(scored(evidence, "pixel_mse", epoch=3, output_variance=0.3), "Q3") == "refuted"
    far = {"output_variance": 1e-5, "median_distance": 0.1}
    assert verdict(scored(evidence, "pixel_mae", epoch=3, **far), "Q3") == "undecided"


def test_reconstructions_decide(evidence: Evidence) -> None:
    def planted(**columns: Any) -> str:
        return verdict(some(evidence, "vae", 8, **columns), "Q4")

    assert planted(reconstruction_error=0.32) == "refuted", "a digit's class tells as much"
    assert planted(reconstruction_error=0.2) == "undecided", "the nearest training image is closer"
    assert planted(fid=950.0) == "undecided"
    assert planted(fid=1100.0) == "refuted", "the pixel loss draws better from independent images"
    assert planted(coverage=0.001) == "undecided"
    assert verdict(some(evidence, "vae", 1, reconstruction_error=0.2), "Q4") == "undecided"


def test_what_joining_costs_decides(evidence: Evidence) -> None:
    def planted(**columns: Any) -> str:
        return verdict(some(evidence, "vae_gan", 8, **columns), "Q6")

    assert planted(reconstruction_error=0.32) == "refuted", "a digit's class tells as much"
    assert planted(reconstruction_error=0.13) == "refuted", "the plain VAE rebuilds better"
    assert planted(fid=1000.0) == "refuted", "the plain GAN draws better"
    assert planted(coverage=0.001) == "undecided"
    assert planted(reconstruction_error=0.105, fid=820.0) == "supported"
    assert planted(status="failed", coverage=float("nan"), reconstruction_error=float("nan")) == "refuted"
    assert verdict(some(evidence, "vae_gan", 4, reconstruction_error=0.13), "Q6") == "undecided"


def test_a_run_that_has_not_learnt_yet_has_not_failed(evidence: Evidence) -> None:
    early = evidence.runs("non_saturating", 3)
    assert set(early["state"]) == {"not yet"}
    assert not early["failed"].any()
    assert evidence.runs("minimax")["failed"].all()
