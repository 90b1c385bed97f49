"""The designed experiments: which runs they are made of."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gan.commands.presets import lay_over
from gan.errors import StudyError
from gan.study.designs import SPACE, configured, search_trial, search_trials, settings_of
from gan.study.loading import load_study
from gan.study.schema import Study

Write = Callable[[dict[str, Any]], Path]


def test_the_objectives_of_a_search_differ_in_nothing_else(study: Study) -> None:
    first, second = (search_trials(study.search, study.baseline, name) for name in ("minimax", "non_saturating"))
    for one, other in zip(first, second, strict=True):
        assert (one.labels, one.seed) == (other.labels, other.seed)
        assert one.variant.model_copy(update={"objective": other.variant.objective}) == other.variant
    assert len({trial.seed for trial in first}) == len(first)
    assert first[0].variant.generator_optimizer == study.baseline.generator_optimizer


def test_configurations_lie_in_the_space_and_fill_it(study: Study) -> None:
    search = study.search.model_copy(update={"points": 64})
    places = [search.space.at(np.full(len(SPACE), place)) for place in (0.0, 1 - 1e-9)]
    rates = np.array([each["generator_lr"] for each in search.configurations])
    low, high = search.space.generator_lr.log
    assert ((low <= rates) & (rates <= high)).all()
    assert 30 <= (rates < np.sqrt(low * high)).sum() <= 34  # half of a Sobol sequence lies in each half
    assert places[0]["generator_lr"] == pytest.approx(low)
    assert places[1]["generator_lr"] == pytest.approx(high)
    assert {each["beta1"] for each in search.configurations} == set(search.space.beta1.choice)


def test_a_configuration_sets_both_players(study: Study) -> None:
    settings = {"generator_lr": 1e-3, "rate_ratio": 0.5, "beta1": 0.5, "beta2": 0.99, "real_label": 0.9}
    recipe = configured(study.baseline, settings)
    assert recipe.generator_optimizer.lr == 1e-3
    assert recipe.discriminator_optimizer.lr == 5e-4
    assert recipe.generator_optimizer.betas == recipe.discriminator_optimizer.betas == (0.5, 0.99)
    assert settings_of(recipe) == pytest.approx(settings)
    assert recipe.batch_size == study.baseline.batch_size


def test_configurations_stay_when_objectives_join(study: Study) -> None:
    more = study.search.model_copy(update={"objectives": (*study.search.objectives, "cewl")})
    assert search_trials(more, study.baseline, "minimax") == search_trials(study.search, study.baseline, "minimax")


def test_a_trial_keeps_its_last_generator_alone(study: Study) -> None:
    trial = search_trial(study.search, study.baseline, "minimax", 3, 7, 5)
    assert trial.variant.checkpoints == (5,)
    assert all(each.variant.checkpoints == (each.variant.epochs,) for each in study.ladder.trials)


def test_a_rung_changes_what_it_says_and_nothing_else(study: Study) -> None:
    printed, slower = study.ladder.rungs["printed"], study.ladder.rungs["two discriminator steps"]
    assert slower.model_copy(update={"discriminator_steps": 1}) == printed
    assert {trial.seed for trial in study.ladder.trials} == set(study.ladder.seeds)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"search": {"final_seeds": [0, 9]}}, "final_seeds: 0 is the seed of another trial"),
        ({"search": {"chosen": 99}}, "chosen: 99 of 4 points"),
        ({"search": {"space": {"generator_lr": {"log": [1.0, 0.1]}}}}, "the first bound must be below the second"),
        ({"ladder": {"rungs": {"printed": {"epoch": 3}}}}, "ladder.rungs.printed.epoch: unknown key"),
        ({"baseline": {"generator_optimizer": {"name": "sgd", "lr": 0.1, "momentum": 0.0}}}, "not trained by Adam"),
    ],
)
def test_what_makes_no_sense_is_refused(
    raw_params: dict[str, Any], write_params: Write, change: dict[str, Any], named: str
) -> None:
    if "baseline" in change:  # the other rungs have Adam's constants, which would be refused first
        raw_params["baseline"]["generator_optimizer"] = {}
        raw_params["ladder"]["rungs"] = {"printed": {}}
    with pytest.raises(StudyError) as refused:
        load_study(write_params(lay_over(raw_params, change)))
    assert named in str(refused.value)
    assert "\n" not in str(refused.value)
