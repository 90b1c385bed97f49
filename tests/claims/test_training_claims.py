"""Planted measurements of what goes on in training turn the verdicts of the rules that rest on them."""

from dataclasses import replace

import pytest
from claims.planting import NEVER, expected, for_some, measured, rewritten, scored, trained, verdict

from gan.claims.evidence import Evidence
from gan.claims.ledger import ledger
from gan.records.mechanism import (
    Cost,
    StepCost,
)


@pytest.fixture
def evidence() -> Evidence:
    return expected()


def test_gradients_decide_on_saturation(evidence: Evidence) -> None:
    level = rewritten(evidence, lambda step: replace(step, gradient_norm=1.0))
    assert verdict(level, "V2") == "refuted"
    assert verdict(level, "V3") == "refuted"
    one = rewritten(evidence, lambda step: replace(step, gradient_norm=1.0) if step.seed == 0 else step)
    assert verdict(one, "V2") == "undecided"
    assert verdict(one, "V3") == "undecided"
    swapped = {"minimax": "non_saturating", "non_saturating": "minimax"}
    assert verdict(rewritten(evidence, lambda step: replace(step, loss=swapped[step.loss])), "T3") == "refuted"


def test_the_trained_discriminators_task_decides(evidence: Evidence) -> None:
    easier = trained(evidence, "non_saturating", discriminator_loss=-0.01, discriminator_accuracy=0.001)
    assert verdict(easier, "V7") == "refuted"
    mixed = trained(evidence, "non_saturating", discriminator_loss=0.01, discriminator_accuracy=0.001)
    assert verdict(mixed, "V7") == "undecided"
    level = trained(evidence, "non_saturating")
    assert verdict(level, "V7") == "undecided"
    assert verdict(for_some(evidence, easier, 1), "V7") == "undecided", "7 against 1 may be chance"
    assert verdict(for_some(evidence, level, 2), "V7") == "supported", "6 against none is not"


def test_the_first_epoch_tells_of_the_discriminators_own_learning(evidence: Evidence) -> None:
    history = evidence.history.copy()
    history.loc[history["epoch"] == 1, ["discriminator_loss", "discriminator_accuracy"]] = (9.0, 0.1)
    entry = ledger(replace(evidence, history=history))["V7"]
    assert (entry.verdict, entry.numbers["loss_trend"]) == ("supported", 1.0)


def test_new_discriminators_stand_beside_the_trained_ones(evidence: Evidence) -> None:
    numbers = ledger(evidence)["V7"].numbers
    assert (numbers["fresh_loss_first"], numbers["fresh_loss_last"]) == (0.001, 0.02)
    without = ledger(measured(evidence, fresh_summaries=[]))["V7"]
    assert (without.verdict, "fresh_loss_first" in without.numbers) == ("supported", False)


def test_the_path_of_fake_probability_decides(evidence: Evidence) -> None:
    falling = trained(evidence, "non_saturating", fake_probability=-0.004)
    assert verdict(falling, "Q2") == "refuted"
    assert verdict(trained(evidence, "non_saturating", fake_probability=0.01), "Q2") == "undecided", "it rises to 0.3"
    assert verdict(trained(evidence, "non_saturating"), "Q2") == "undecided", "it stays where it is"
    high = falling.history.assign(fake_probability=falling.history["fake_probability"] + 0.6)
    assert verdict(replace(falling, history=high), "Q2") == "undecided", "it falls, but from 0.7"
    assert verdict(for_some(evidence, falling, 1), "Q2") == "undecided"
    numbers = ledger(evidence)["Q2"].numbers
    assert (numbers["real_lowest"], numbers["real_highest"]) == (0.5, 0.5)


def test_too_few_kept_generators_give_no_trend(evidence: Evidence) -> None:
    two = evidence.snapshots[evidence.snapshots["epoch"].isin([1, 8, 20])]
    entry = ledger(replace(evidence, snapshots=two))["V7"]
    assert entry.reason == "Not tested: this study has no 3 generators of non_saturating kept from epoch 2 on."


def test_bursts_decide_on_training_that_cannot_go_on(evidence: Evidence) -> None:
    burst = trained(evidence, "minimax", (-0.1, -2e-4, -1e-5, -0.5, -1e-5))
    assert verdict(burst, "T2") == "refuted"
    assert verdict(for_some(evidence, burst, 2), "T2") == "undecided"
    early = trained(evidence, "minimax", (-0.5, -0.5, -1e-4, -1e-4, -1e-4))
    assert verdict(early, "T2") == "supported", "what comes before the loss is near 0 does not count"
    assert verdict(scored(evidence, "minimax"), "T2") == "refuted", "they have learnt"
    assert verdict(scored(evidence, "minimax", **NEVER, status="failed"), "T2") == "undecided", "they diverged"
    awake = trained(evidence, "minimax")
    assert verdict(awake, "T2") == "undecided", "none comes near 0"
    assert verdict(for_some(awake, burst, 2), "T2") == "undecided", "two are too few"


def test_measurements_decide(evidence: Evidence) -> None:
    leaking = replace(evidence.mechanism.gradient_flow, generator_behind_detach=True)
    assert verdict(measured(evidence, gradient_flow=leaking), "T5") == "refuted"
    freezing = evidence.mechanism.frozen_discriminator
    moved = replace(freezing, same_weights=False)
    assert verdict(measured(evidence, frozen_discriminator=moved), "T6b") == "refuted"

    def whole(frozen: int) -> str:
        cost = StepCost(peak_bytes=Cost(frozen, 4000), milliseconds=Cost(2.0, 2.2))
        return verdict(measured(evidence, frozen_discriminator=replace(freezing, whole_iteration=cost)), "T6a")

    assert (whole(4000), whole(3999)) == ("refuted", "undecided"), "the half step's memory does not count"
