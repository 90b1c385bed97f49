"""The ledger of claims: the rule stated beforehand decides, and planted evidence to the contrary turns each verdict."""

import inspect
import string
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from conftest import ROOT
from ruamel.yaml import YAML

from gan.claims.evidence import Evidence
from gan.claims.identities import identities
from gan.claims.ledger import ledger
from gan.claims.rules import RULES
from gan.records.claims import ClaimEntry
from gan.records.comparison import Comparison, Contrast, Counts, Failures, Ratio
from gan.records.mechanism import Cost, FrozenDiscriminator, GradientFlow, Mechanism, PerfectGenerator, Step
from gan.records.reading import read
from gan.study import preregistration
from gan.study.preregistration import claims
from gan.study.schema import Study

IDENTITIES = identities()
CLAIMS = claims()
THRESHOLDS = [(name, threshold) for name, claim in CLAIMS.items() for threshold in claim.thresholds]


def contrast(variant: str, against: str, verdict: str, failed: tuple[int, int] = (0, 0), p: float = 1.0) -> Contrast:
    return Contrast(
        id=f"{variant}/{against}", family="declared", kind="superiority", paired=True, variant=variant, against=against,
        text="", epoch=20, n=Counts(8, 8), failures=Failures(*failed, alone=Counts(*failed), p=p),
        ratio=0.8, low=0.7, high=0.9, scored_ratio=Ratio(0.8, 0.7, 0.9), p=0.01, p_adjusted=0.01, p_difference=None,
        p_difference_adjusted=None, hedges_g=-1.0, improvement=0.9, verdict=verdict, reason="A reason.",
    )  # fmt: skip


def runs(variant: str, **columns: Any) -> pd.DataFrame:
    ordinary = {
        "variant": variant, "data": "mnist", "epoch": 10, "status": "finished", "digits": 9, "fid": 400.0,
        "precision": 0.9, "recall": 0.1, "output_variance": 0.3, "mean_distance": 0.4, "median_distance": 0.4,
    }  # fmt: skip
    typical = {**ordinary, **columns}
    return pd.DataFrame([{**typical, "seed": seed, "fid": typical["fid"] * (1 + 0.01 * seed)} for seed in range(8)])


def learning(loss: str, seed: int, epoch: int) -> list[Step]:
    """A discriminator that grows sure within three steps, of an early generator more easily."""
    hard = 0.01 * epoch
    return [
        Step(
            epoch, loss, seed, step, gradient_norm=probability if loss == "minimax" else 1 - probability,
            fake_probability=probability, discriminator_loss=probability + hard, accuracy=1 - hard,
        )
        for step, probability in enumerate((0.49, 0.1, 1e-4), 1)
    ]  # fmt: skip


@pytest.fixture
def evidence() -> Evidence:
    """What the sources' expectations would look like."""
    minimax = runs("minimax", digits=1, fid=1000.0)
    history = pd.DataFrame([
        {"variant": variant, "seed": seed, "epoch": epoch, "generator_loss": loss / epoch, "fake_probability": 0.1}
        for variant, loss in (("minimax", -0.02), ("non_saturating", 2.0))
        for seed in range(8)
        for epoch in (1, 5)
    ])  # fmt: skip
    steps = [
        row
        for loss in ("minimax", "non_saturating")
        for seed in (0, 1)
        for epoch in (1, 20)
        for row in learning(loss, seed, epoch)
    ]
    return Evidence(
        identities=IDENTITIES,
        mechanism=Mechanism(
            fresh_discriminator=steps,
            perfect_generator=[PerfectGenerator(seed, 0.5) for seed in (0, 1)],
            gradient_flow=GradientFlow(
                generator_in_its_step=True, discriminator_in_the_generators_step=True,
                generator_under_no_grad=False, generator_behind_detach=False, discriminator_behind_detach=True,
            ),
            frozen_discriminator=FrozenDiscriminator(True, peak_bytes=Cost(1000, 2000), milliseconds=Cost(1.0, 1.2)),
        ),
        comparison=Comparison(
            metric="fid", alpha=0.05, margin=1.1, collapse=2, preregistration=None, standings=[], untested=[],
            contrasts=[
                contrast("non_saturating", "minimax", "supported", failed=(0, 8), p=2 / 2**8),
                contrast("cewl", "minimax", "supported"),
                contrast("cewl", "non_saturating", "supported"),
                contrast("bce_label_zero", "non_saturating", "refuted"),
                contrast("feature_matching", "non_saturating", "supported"),
                *(contrast(name, "non_saturating", "supported") for name in ("lsgan", "wgan", "wgan_gp", "hinge")),
            ],
        ),
        floor={"mnist": {"output_variance": 0.4, "mean_distance": 0.4}},
        metrics=pd.concat([
            minimax,
            runs("non_saturating"),
            runs("bce_label_zero", digits=1, fid=1000.0),
            runs("pixel_mse", digits=1, fid=900.0, output_variance=1e-5, mean_distance=1e-3),
            runs("pixel_mae", digits=1, fid=900.0, output_variance=1e-5, median_distance=1e-3),
            runs("vae", fid=200.0, reconstruction_error=0.1),
            runs("vae_gan", reconstruction_error=0.1),
            *(runs(name) for name in ("lsgan", "wgan", "wgan_gp", "hinge")),
        ]),
        history=history,
    )  # fmt: skip


REFUTED = {"V6", "T1", "Q2", "Q5", "Q7"}


def verdict(evidence: Evidence, claim: str) -> str:
    return ledger(evidence)[claim].verdict


def test_every_claim_has_its_rule_and_its_test() -> None:
    assert list(CLAIMS) == list(RULES)


def test_expectations_give_the_expected_verdicts(evidence: Evidence) -> None:
    found = ledger(evidence)
    assert {name for name, entry in found.items() if entry.verdict == "refuted"} == REFUTED
    assert {entry.verdict for name, entry in found.items() if name not in REFUTED} == {"supported"}
    assert all(entry.numbers and entry.reason for entry in found.values())


@pytest.mark.parametrize(
    ("claim", "key", "turned"),
    [
        ("V1", "V1.value", "refuted"),
        ("V2", "V2.gradient", "refuted"),
        ("V5", "V5.value", "refuted"),
        ("V6", "V6.equal", "supported"),
        ("V6", "V6.ratio", "undecided"),
        ("Q7", "Q7.discriminator", "refuted"),
        ("T1", "T1.negative", "undecided"),
        ("T3", "T3.size", "refuted"),
        ("Q1", "Q1.image", "refuted"),
        ("Q8", "Q8.generator", "refuted"),
        ("Q10", "Q10.increasing", "refuted"),
    ],
)
def test_an_identity_that_fails_turns_the_verdict(evidence: Evidence, claim: str, key: str, turned: str) -> None:
    identity = replace(IDENTITIES[key], holds=not IDENTITIES[key].holds)
    assert verdict(replace(evidence, identities={**IDENTITIES, key: identity}), claim) == turned


def test_the_identities_that_must_fail_decide_too(evidence: Evidence) -> None:
    everything_holds = replace(
        evidence, identities={key: replace(identity, holds=True) for key, identity in IDENTITIES.items()}
    )
    assert verdict(everything_holds, "Q7") == "supported"
    assert verdict(everything_holds, "Q8") == "refuted"
    assert verdict(everything_holds, "Q1") == "refuted"


def rewritten(evidence: Evidence, change: Callable[[Step], Step]) -> Evidence:
    """The steps of all fresh discriminators, changed one by one."""
    return measured(evidence, fresh_discriminator=list(map(change, evidence.mechanism.fresh_discriminator)))


def measured(evidence: Evidence, **changes: Any) -> Evidence:
    return replace(evidence, mechanism=replace(evidence.mechanism, **changes))


def test_gradients_decide_on_saturation(evidence: Evidence) -> None:
    level = rewritten(evidence, lambda step: replace(step, gradient_norm=1.0))
    assert verdict(level, "V2") == "refuted"
    assert verdict(level, "V3") == "refuted"
    one = rewritten(evidence, lambda step: replace(step, gradient_norm=1.0) if step.seed == 0 else step)
    assert verdict(one, "V2") == "undecided"
    assert verdict(one, "V3") == "undecided"
    swapped = {"minimax": "non_saturating", "non_saturating": "minimax"}
    assert verdict(rewritten(evidence, lambda step: replace(step, loss=swapped[step.loss])), "T3") == "refuted"


def test_a_discriminators_task_decides(evidence: Evidence) -> None:
    easier = rewritten(evidence, lambda step: replace(step, discriminator_loss=1 / step.epoch))
    assert verdict(easier, "V7") == "refuted"
    mixed = rewritten(evidence, lambda step: replace(step, accuracy=step.epoch / 20))
    assert verdict(mixed, "V7") == "undecided"


def replaced(evidence: Evidence, *contrasts: Contrast) -> Evidence:
    pairs = {(each.variant, each.against) for each in contrasts}
    kept = [c for c in evidence.comparison.contrasts if (c.variant, c.against) not in pairs]
    return replace(evidence, comparison=replace(evidence.comparison, contrasts=[*kept, *contrasts]))


def scored(evidence: Evidence, variant: str, **columns: Any) -> Evidence:
    others = evidence.metrics[evidence.metrics["variant"] != variant]
    return replace(evidence, metrics=pd.concat([others, runs(variant, **columns)]))


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
    matched = replaced(evidence, contrast("feature_matching", "non_saturating", "refuted"))
    assert verdict(matched, "Q5") == "supported"
    names = ("lsgan", "wgan", "wgan_gp", "hinge")
    none = replaced(evidence, *(contrast(name, "non_saturating", "undecided") for name in names))
    assert verdict(none, "Q11") == "undecided"
    for name in names:
        none = scored(none, name, digits=1)
    assert verdict(none, "Q11") == "refuted"


def test_runs_decide(evidence: Evidence) -> None:
    assert verdict(scored(evidence, "non_saturating", digits=4), "T4") == "refuted"
    half = scored(evidence, "non_saturating")
    half.metrics.loc[(half.metrics["variant"] == "non_saturating") & (half.metrics["seed"] < 4), "precision"] = 0.1
    assert verdict(half, "T4") == "undecided"
    assert verdict(scored(evidence, "minimax"), "T2") == "refuted"
    assert verdict(scored(evidence, "pixel_mse", output_variance=0.3), "Q3") == "refuted"
    assert verdict(scored(evidence, "pixel_mae", output_variance=1e-5, median_distance=0.1), "Q3") == "undecided"
    assert verdict(scored(evidence, "vae", fid=200.0, reconstruction_error=0.3), "Q4") == "refuted"
    assert verdict(scored(evidence, "vae", fid=950.0, reconstruction_error=0.1), "Q4") == "undecided"
    assert verdict(scored(evidence, "vae_gan", digits=1, reconstruction_error=0.1), "Q6") == "undecided"


def test_measurements_decide(evidence: Evidence) -> None:
    perfect = [PerfectGenerator(0, 0.95)]
    assert verdict(measured(evidence, perfect_generator=perfect), "Q2") == "supported"
    mixed = [*perfect, PerfectGenerator(1, 0.5)]
    assert verdict(measured(evidence, perfect_generator=mixed), "Q2") == "undecided"
    leaking = replace(evidence.mechanism.gradient_flow, generator_behind_detach=True)
    assert verdict(measured(evidence, gradient_flow=leaking), "T5") == "refuted"
    freezing = evidence.mechanism.frozen_discriminator
    moved = replace(freezing, same_weights=False)
    assert verdict(measured(evidence, frozen_discriminator=moved), "T6") == "refuted"
    costly = replace(freezing, peak_bytes=Cost(2000, 2000))
    assert verdict(measured(evidence, frozen_discriminator=costly), "T6") == "refuted"


def test_without_a_bound_no_run_collapses(evidence: Evidence) -> None:
    without = replace(evidence, comparison=replace(evidence.comparison, collapse=0))
    assert not without.runs("minimax")["failed"].any()
    assert verdict(without, "T2") == "refuted"


def test_runs_on_other_data_are_no_rivals(evidence: Evidence) -> None:
    moved = evidence.metrics.assign(data=evidence.metrics["data"].where(evidence.metrics["variant"] != "vae", "digits"))
    entry = ledger(replace(evidence, metrics=moved, floor={**evidence.floor, "digits": evidence.floor["mnist"]}))["Q4"]
    assert entry.verdict == "undecided"
    assert entry.reason == "Not tested: this study has no vae and pixel_mse on the same data."


def test_what_a_study_lacks_is_undecided_and_told(evidence: Evidence) -> None:
    without = replace(evidence, metrics=evidence.metrics[evidence.metrics["variant"] != "vae"])
    entry = ledger(without)["Q4"]
    assert (entry.verdict, entry.numbers) == ("undecided", {})
    assert entry.reason == "Not tested: this study has no variant vae."


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


@pytest.mark.parametrize(
    ("name", "threshold", "number", "planted"),
    [
        ("V2", "fall", 1e-9, None),
        ("V3", "sure", 1e-9, None),
        ("V4", "survivors", 9, even),
        ("T2", "near", 1e-9, None),
        ("T2", "most", 1.1, None),
        ("T2", "few", -1, lambda evidence: scored(evidence, "minimax")),
        ("T4", "digits", 10, None),
        ("T4", "precision", 0.95, None),
        ("T4", "share", 1.0, None),
        ("T6", "saved", 0.6, None),
        ("Q2", "close", 0.4, None),
        ("Q2", "low", 0.5, None),
        ("Q2", "high", 0.5, None),
        ("Q3", "variance", 0.0, None),
        ("Q3", "distance", 0.0, None),
        ("Q3", "sound", 1.0, lambda evidence: scored(evidence, "pixel_mse", output_variance=0.3)),
        ("Q4", "error", 0.01, None),
        ("Q6", "error", 0.01, None),
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


@pytest.mark.published
def test_the_published_ledger_belongs_to_the_rules() -> None:
    published = read(dict[str, ClaimEntry], ROOT / "reports/claims.json")
    for name, claim in CLAIMS.items():
        entry = published[name]
        stated = (claim.kind, claim.text, claim.stated, claim.figure)
        assert (entry.kind, entry.text, entry.rule, entry.figure) == stated
        assert not entry.reason.startswith("Not tested")
