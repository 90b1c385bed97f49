"""The whole audit of a small study: what it covers, that it is fit for JSON, and that a fault ends it in one line."""

import json
import math

import pytest
import torch.nn.functional as F

from gan.audit.record import audit, faults, refuse_faults
from gan.errors import StudyError
from gan.study.recipe import Variant
from gan.study.schema import Study
from gan.training.losses import OBJECTIVES, Objective


@pytest.fixture
def record(study: Study, variant: Variant) -> dict:
    names = ("minimax", "non_saturating", "cewl")
    variants = {name: variant.model_copy(update={"objective": name}) for name in names}
    variants["again"] = variants["cewl"]
    variants["penalised"] = variants["cewl"].model_copy(update={"terms": {"r1": 1.0}})
    return audit(study.model_copy(update={"variants": variants}))


def test_it_has_every_related_pair_and_is_json(record: dict) -> None:
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    refuse_faults(record)
    kinds = {(pair["first"], pair["second"]): pair["kind"] for pair in record["pairs"]}
    assert kinds["cewl", "again"] == "same"
    assert ("cewl", "penalised") not in kinds
    assert "different" not in kinds.values()
    assert record["variants"]["penalised"] == {"losses": "cewl, 1 r1", "adversarial_losses": "cewl"}


def test_curves_are_the_implementations_gradients(record: dict) -> None:
    assert (record["logits"][0], record["logits"][-1]) == (-40.0, 40.0)
    (line,) = [
        curve
        for curve in record["curves"]
        if curve["losses"] == ["minimax"] and (curve["player"], curve["kind"]) == ("generator", "float32")
    ]
    gradient = dict(zip(record["logits"], line["gradient"], strict=True))
    assert gradient[0] == -0.5
    assert gradient[-10] == pytest.approx(-1 / (1 + math.exp(10)), rel=1e-5)
    assert (gradient[16.5], gradient[17]) == (-1.0, 0.0)
    shared = [curve["losses"] for curve in record["curves"] if curve["player"] == "discriminator"]
    assert ["minimax", "non_saturating"] in shared


def test_a_planted_fault_is_refused_in_one_line(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = Objective(OBJECTIVES["minimax"].discriminator, lambda fake: F.softplus(-fake).mean(-1))
    monkeypatch.setitem(OBJECTIVES, "minimax", wrong)
    record = audit(study.model_copy(update={"variants": {"minimax": study.variants["minimax"]}}))
    assert len(faults(record)) > 1
    with pytest.raises(StudyError, match=r"^minimax: the generator's gradient .* but that of non_saturating") as caught:
        refuse_faults(record)
    assert "\n" not in str(caught.value)
