"""CEWL and the non-saturating objective on logits, where the answer is known: a factor of one half cancels or not."""

import pytest
import torch
from conftest import populate

from gan.compute.executors import ProcessExecutor
from gan.mechanism.twins import first_update, twins
from gan.records.mechanism import Twin
from gan.study.schema import Study
from gan.training.losses import OBJECTIVES


@pytest.fixture
def trained(study: Study, images: torch.Tensor) -> dict[tuple[str, str], Twin]:
    record = twins(study.baseline, 0, 8, 0.05, images.flatten(1), ProcessExecutor(2))
    assert (record.seed, record.steps) == (0, 8)
    return {(row.condition, row.form): row for row in record.trained}


def test_in_matching_form_they_are_one_algorithm_where_the_factor_cancels(
    trained: dict[tuple[str, str], Twin],
) -> None:
    same = {condition: row.same_weights for (condition, form), row in trained.items() if form == "matching"}
    # Whether a unit of these few gets no gradient at first, and so makes 0 / 0 of eps 0, is chance.
    del same["eps zero"]
    expected = {"eps least": True, "eps printed": False, "eps halved": True, "sgd": False, "sgd doubled": True}
    assert same == expected
    for row in trained.values():
        assert row.same_weights == (row.largest_difference == 0)


def test_the_printed_form_rounds_in_other_places(trained: dict[tuple[str, str], Twin]) -> None:
    for condition in ("eps halved", "sgd doubled"):
        row = trained[condition, "printed"]
        assert row.largest_difference is not None
        assert row.largest_difference < 1e-5
    assert trained["sgd", "printed"].largest_difference > 100 * trained["sgd doubled", "printed"].largest_difference


def test_sgd_halves_the_discriminators_rate(study: Study, images: torch.Tensor) -> None:
    ratio = first_update(study.baseline, 0, 0.05, images.flatten(1), "matching")
    assert (ratio.least, ratio.greatest) == (0.5, 0.5)
    printed = first_update(study.baseline, 0, 0.05, images.flatten(1), "printed")
    assert printed.least <= 0.5 <= printed.greatest
    assert printed.greatest - printed.least < 0.05


def test_nothing_is_left_of_the_matching_form(study: Study, images: torch.Tensor) -> None:
    before = dict(OBJECTIVES)
    first_update(study.baseline, 0, 0.05, images.flatten(1), "matching")
    assert before == OBJECTIVES
    with pytest.raises(KeyError):
        populate(study.baseline.model_copy(update={"objective": "cewl_matching"}), [0], images)
