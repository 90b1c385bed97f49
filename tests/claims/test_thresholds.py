"""Every number of a rule is declared in claims.yaml, stated in its sentence, and decides."""

import inspect
import string
from collections.abc import Callable
from pathlib import Path

import pytest
from claims.planting import (
    OTHER_LOSSES,
    contrast,
    expected,
    replaced,
    scored,
    some,
    trained,
    verdict,
)
from conftest import ROOT
from ruamel.yaml import YAML

from gan.claims.evidence import Evidence
from gan.claims.rules import RULES
from gan.study import preregistration
from gan.study.preregistration import claims
from gan.study.schema import Study

CLAIMS = claims()


@pytest.fixture
def evidence() -> Evidence:
    return expected()


THRESHOLDS = [(name, threshold) for name, claim in CLAIMS.items() for threshold in claim.thresholds]


@pytest.fixture
def change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str, float], None]:
    """Change a threshold in a copy of claims.yaml that is read in its place."""

    def change(claim: str, threshold: str, number: float) -> None:
        yaml = YAML()
        declared = yaml.load(ROOT / "gan/study/claims.yaml")
        declared[claim]["thresholds"][threshold] = number
        yaml.dump(declared, tmp_path / "claims.yaml")
        monkeypatch.setattr(preregistration, "CLAIMS", tmp_path / "claims.yaml")

    return change


@pytest.mark.parametrize("name", RULES)
def test_a_rule_uses_its_thresholds_and_no_others(name: str) -> None:
    claim, (_, *parameters) = CLAIMS[name], inspect.signature(RULES[name]).parameters
    stated = {field for _, field, _, _ in string.Formatter().parse(claim.rule) if field}
    assert set(claim.thresholds) == stated == set(parameters)


@pytest.mark.parametrize(("name", "threshold"), THRESHOLDS)
def test_a_changed_threshold_is_stated_and_preregistered(
    study: Study, change: Callable[[str, str, float], None], name: str, threshold: str
) -> None:
    checksum = preregistration.checksum(study)
    change(name, threshold, 2 * CLAIMS[name].thresholds[threshold])
    assert claims()[name].stated != CLAIMS[name].stated
    assert preregistration.checksum(study) != checksum


def even(evidence: Evidence) -> Evidence:
    """As many failures of both: minimax's runs all survive, and their FIDs vary more."""
    wide = scored(replaced(evidence, contrast("non_saturating", "minimax", "supported")), "minimax")
    wide.metrics.loc[wide.metrics["variant"] == "minimax", "fid"] = [100, 900, 90, 1000, 95, 950, 105, 990]
    return wide


def both_poor(evidence: Evidence) -> Evidence:
    """VAE and joint model rebuild worse than the nearest training image."""
    error = {"reconstruction_error": 0.2}
    return some(some(evidence, "vae", 8, **error), "vae_gan", 8, **error)


def useless(evidence: Evidence) -> Evidence:
    """No other loss can be better by a tenth."""
    return replaced(evidence, *(contrast(name, "non_saturating", "undecided", low=0.95) for name in OTHER_LOSSES))


@pytest.mark.parametrize(
    ("name", "threshold", "number", "planted"),
    [
        ("V2", "fall", 1e-9, None),
        ("V3", "sure", 1e-9, None),
        ("V4", "survivors", 9, even),
        ("V7", "first", 9, None),
        ("T2", "near", 1e-9, None),
        ("T2", "awake", 1e-3, None),
        ("T2", "most", 1.1, None),
        ("T2", "some", 1.1, lambda evidence: scored(evidence, "minimax")),
        ("T2", "least", 9, None),
        ("T4", "digits", 10, None),
        ("T4", "fid", 0.3, None),
        ("T4", "share", 1.0, None),
        ("T6a", "saved", 0.6, None),
        ("Q2", "first", 9, None),
        ("Q2", "close", 0.99, None),
        ("Q2", "low", 0.05, lambda evidence: trained(evidence, "non_saturating", fake_probability=-0.004)),
        ("Q3", "variance", 0.0, None),
        ("Q3", "distance", 0.0, None),
        ("Q3", "sound", 1.0, lambda evidence: scored(evidence, "pixel_mse", epoch=3, output_variance=0.3)),
        ("Q4", "nearest", 0.2, None),
        ("Q4", "digit", 0.2, lambda evidence: some(evidence, "vae", 8, reconstruction_error=0.2)),
        ("Q5", "matters", 1.01, None),
        ("Q6", "nearest", 0.2, None),
        ("Q6", "digit", 0.2, both_poor),
        ("Q6", "cost", 0.9, None),
        ("Q11", "matters", 1.01, useless),
    ],
)
def test_a_changed_threshold_changes_the_verdict(
    evidence: Evidence,
    change: Callable[[str, str, float], None],
    name: str,
    threshold: str,
    number: float,
    planted: Callable[[Evidence], Evidence] | None,
) -> None:
    evidence = planted(evidence) if planted else evidence
    before = verdict(evidence, name)
    change(name, threshold, number)
    assert verdict(evidence, name) != before
