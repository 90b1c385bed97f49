"""The ledger of claims: what is expected, what algebra decides, what is counted and told."""

from dataclasses import replace

import pytest
from claims.planting import IDENTITIES, expected, measured, verdict
from conftest import ROOT

from gan.claims.evidence import Evidence
from gan.claims.ledger import ledger
from gan.claims.rules import RULES
from gan.records.claims import ClaimEntry, Tally, tally
from gan.records.reading import read
from gan.study.preregistration import claims

CLAIMS = claims()


@pytest.fixture
def evidence() -> Evidence:
    return expected()


REFUTED = {"V6b", "T1", "Q7"}


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
        ("V6a", "V6.sign", "refuted"),
        ("V6b", "V6.equal", "supported"),
        ("V6b", "V6.ratio", "undecided"),
        ("Q7", "Q7.discriminator", "refuted"),
        ("T1", "T1.negative", "undecided"),
        ("T1", "T1.direction", "undecided"),
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
    assert verdict(everything_holds, "T1") == "undecided"
    same = {"T1.negative": False, "T1.direction": True}
    same_way = {key: replace(IDENTITIES[key], holds=holds) for key, holds in same.items()}
    assert verdict(replace(evidence, identities=IDENTITIES | same_way), "T1") == "supported"
    assert verdict(everything_holds, "Q8") == "refuted"
    assert verdict(everything_holds, "Q1") == "refuted"


def test_the_half_of_cewls_loss_is_told_by_optimizer(evidence: Evidence) -> None:
    entry = ledger(evidence)["Q8"]
    assert "its weights are bitwise those of the non-saturating form on logits" in entry.reason
    assert "Under plain SGD its discriminator's first step is 0.5 to 0.5 times the other's." in entry.reason
    assert (entry.numbers["same_weights.eps halved"], entry.numbers["same_weights.sgd"]) == (True, False)
    without = ledger(measured(evidence, twins=replace(evidence.mechanism.twins, first_update=[])))["Q8"]
    assert without.verdict == entry.verdict == "supported"
    assert "Trained" not in without.reason


def test_identities_are_counted_apart_from_what_is_measured(evidence: Evidence) -> None:
    entries = ledger(evidence)
    identities = {name for name, entry in entries.items() if not entry.measured}
    assert identities == {"V1", "V5", "V6a", "V6b", "T1", "T5", "Q1", "Q7", "Q8", "Q10"}
    assert tally(entries.values(), measured=False) == Tally(10, supported=7, refuted=3, undecided=0)
    assert tally(entries.values(), measured=True) == Tally(16, supported=16, refuted=0, undecided=0)


def test_an_identity_needs_no_run(evidence: Evidence) -> None:
    nothing = {name: getattr(evidence, name).iloc[:0] for name in ("metrics", "history", "snapshots")}
    before, without = ledger(evidence), ledger(replace(evidence, **nothing))
    for name, entry in before.items():
        if not entry.measured:
            assert without[name] == entry


def test_one_fact_that_carries_several_claims_is_said_to(evidence: Evidence) -> None:
    entries = ledger(evidence)
    assert {name for name, entry in entries.items() if entry.shared_fact == "minimax"} == {"V4", "T2", "Q9"}
    fact = (
        "V4, T2, Q9, non_saturating/minimax and cewl/minimax rest on one fact: of the 8 runs of minimax, after 20 "
        "epochs, 8 never learnt."
    )
    for name, entry in entries.items():
        assert entry.reason.endswith(fact) == (entry.shared_fact is not None), name


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


@pytest.mark.published
def test_the_published_ledger_belongs_to_the_rules() -> None:
    published = read(dict[str, ClaimEntry], ROOT / "reports/claims.json")
    for name, claim in CLAIMS.items():
        entry = published[name]
        stated = (claim.kind, claim.text, claim.stated, claim.figure)
        assert (entry.kind, entry.text, entry.rule, entry.figure) == stated
        assert not entry.reason.startswith("Not tested")
