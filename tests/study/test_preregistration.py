"""The preregistration's checksum changes with everything that decides a verdict, and with nothing else."""

from typing import Any

import pytest

from gan.commands.presets import lay_over
from gan.study import preregistration
from gan.study.schema import Study


def altered(study: Study, changes: dict[str, Any]) -> str:
    raw = study.model_dump(mode="json")
    return preregistration.checksum(Study.model_validate(lay_over(raw, changes), strict=False))


@pytest.mark.parametrize(
    "changes",
    [
        {"compare": {"margin": 1.2}},
        {"compare": {"alpha": 0.1}},
        {"compare": {"learnt": {"digits": 3}}},
        {"compare": {"hypotheses": []}},
        {"evaluate": {"scores": {2: [2]}}},
        {"evaluate": {"images": 300}},
        {"classify": {"seeds": [4]}},
        {"variants": {"cewl": {"seeds": [0, 1]}}},
        {"variants": {"minimax": {"epochs": 3}}},
        {"variants": {"non_saturating_logits": {"batch_size": 7}}},
    ],
    ids=str,
)
def test_it_changes_with_what_decides(study: Study, changes: dict[str, Any]) -> None:
    assert altered(study, changes) != preregistration.checksum(study)


@pytest.mark.parametrize(
    "changes",
    [
        {"rehearsal": True},
        {"compute": {"workers": 1}},
        {"classify": {"least_accuracy": {"mnist": 0.5}}},
        {"tracking": {"experiment": "other"}},
        {"evaluate": {"grid_columns": 3}},
        {"variants": {"hinge": {"seeds": [0, 1]}}},
    ],
    ids=str,
)
def test_it_does_not_change_with_what_decides_nothing(study: Study, changes: dict[str, Any]) -> None:
    assert altered(study, changes) == preregistration.checksum(study)


def test_the_claims_rules_are_part_of_it(study: Study, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = preregistration.checksum(study)
    changed, claims = tmp_path / "claims.yaml", preregistration.CLAIMS.read_text()
    changed.write_text(claims.replace("{fall: 0.1}", "{fall: 0.2}"))
    assert changed.read_text() != claims
    monkeypatch.setattr(preregistration, "CLAIMS", changed)
    assert preregistration.checksum(study) != before
