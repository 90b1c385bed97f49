"""Recipes that can't be trained are refused in one line that names the key and, for a name, the nearest known one."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gan.audit.recipes import check_study
from gan.errors import StudyError
from gan.study.loading import load_study
from gan.study.schema import Study

Write = Callable[[dict[str, Any]], Path]


@pytest.mark.parametrize(
    ("variant", "message"),
    [
        ({"objective": "minmax"}, ".objective: minmax is unknown: did you mean minimax?"),
        ({"objective": "xyz"}, ".objective: xyz is unknown; known are "),
        ({"terms": {"draggan": 1.0}}, ".terms.draggan: draggan is unknown: did you mean dragan?"),
        ({"terms": {"evidence_bound": 1.0}}, ": terms.evidence_bound needs an encoder: "),
        ({"encoder_hidden": [8]}, ": encoder_hidden describes an encoder that no term trains: "),
        ({"adversarial": 0.0}, ": adversarial is 0 and terms has none for the generator: "),
        ({"adversarial": 0.0, "terms": {"r1": 1.0}}, ": adversarial is 0 and terms has none for the generator: "),
        ({"objective": "hinge", "real_label": 0.9}, ": real_label has no meaning for hinge, "),
    ],
)
def test_a_recipe_that_cannot_be_trained_is_refused(
    raw_params: dict[str, Any], write_params: Write, variant: dict[str, Any], message: str
) -> None:
    raw_params["variants"]["odd"] = variant
    with pytest.raises(StudyError) as caught:
        check_study(load_study(write_params(raw_params)))
    assert str(caught.value).startswith(f"params.yaml: variants.odd{message}")
    assert "\n" not in str(caught.value)


def test_the_baseline_is_checked_too(raw_params: dict[str, Any], write_params: Write) -> None:
    raw_params["baseline"]["objective"] = "cewll"
    with pytest.raises(StudyError, match=r"^params\.yaml: baseline\.objective: cewll is unknown: did you mean cewl\?$"):
        check_study(load_study(write_params(raw_params)))


@pytest.mark.parametrize("game", ["dirac", "ring"])
def test_the_toys_objectives_are_checked_too(raw_params: dict[str, Any], write_params: Write, game: str) -> None:
    raw_params["toys"][game]["objectives"] = ["minimax", "cewll"]
    with pytest.raises(
        StudyError, match=rf"^params\.yaml: toys\.{game}\.objectives: cewll is unknown: did you mean cewl"
    ):
        check_study(load_study(write_params(raw_params)))


def test_the_recipes_of_the_tests_can_be_trained(study: Study) -> None:
    check_study(study)


@pytest.mark.parametrize(
    ("section", "change", "message"),
    [
        ("search", {"against": "hinge"}, "search.against: hinge is unknown; known are "),
        ("search", {"against": "non_saturating"}, "search.against: non_saturating is the objective of compare"),
        ("search", {"objectives": ["minimax", "cewl"]}, "search.objectives: non_saturating is unknown"),
        (
            "search",
            {"objectives": ["minimax", "non_saturating", "hing"]},
            "search.objectives (hing).objective: hing is",
        ),
        ("ladder", {"objectives": ["minmax"]}, "ladder.rungs.printed (minmax).objective: minmax is unknown: did you"),
        ("ladder", {"rungs": {"odd": {"networks": "cnn"}}}, "ladder.rungs.odd (minimax).networks: cnn is unknown"),
    ],
)
def test_a_design_that_cannot_be_trained_is_refused(
    raw_params: dict[str, Any], write_params: Write, section: str, change: dict[str, Any], message: str
) -> None:
    raw_params[section] |= change
    with pytest.raises(StudyError) as caught:
        check_study(load_study(write_params(raw_params)))
    assert str(caught.value).startswith(f"params.yaml: {message}")
    assert "\n" not in str(caught.value)
