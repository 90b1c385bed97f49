"""What is noted of Adam while a generator trains."""

import numpy as np
import pytest
import torch
from conftest import populate

from gan.compute.executors import InProcessExecutor, ProcessExecutor
from gan.mechanism.memory import Watched, conditions, curve, freezes, measure
from gan.mechanism.recovery import recovery_steps
from gan.records.memory import Adam
from gan.study.recipe import Variant
from gan.study.schema import Study
from gan.training.optimizers import OPTIMIZERS

ADAM = Adam("minimax", 0.99, 1e-8, printed=False)


@pytest.mark.parametrize("eps", [1e-8, 1e-2])
def test_an_update_is_the_change_over_the_learning_rate(variant: Variant, eps: float) -> None:
    settings = variant.generator_optimizer.model_copy(update={"lr": 0.01, "betas": (0.8, 0.9), "eps": eps})
    random = torch.Generator().manual_seed(0)
    parameters, gradient = torch.zeros(1, 50), torch.zeros(1, 50)
    steps: list[int] = []
    watched = Watched(OPTIMIZERS["adam"](parameters, gradient, [settings]), settings, steps.append)
    for step in range(12):
        gradient.normal_(generator=random).mul_(10.0**-step)
        before = parameters.clone()
        watched.step()
        change = (parameters - before).double().abs().mean().item() / settings.lr
        assert watched.updates[-1] == pytest.approx(change, rel=1e-3)
    assert steps == list(range(1, 13))


def test_what_is_remembered_of_equal_gradients_is_their_size(variant: Variant) -> None:
    settings = variant.generator_optimizer
    parameters, gradient = torch.zeros(1, 4), torch.tensor([[3.0, 0.0, -4.0, 0.0]])
    watched = Watched(OPTIMIZERS["adam"](parameters, gradient, [settings]), settings, lambda step: None)
    for _ in range(3):
        watched.step()
    assert watched.remembered == pytest.approx([5.0] * 3, rel=1e-4)
    assert watched.updates == pytest.approx([0.5] * 3, rel=1e-4)


def test_watching_changes_no_bit(variant: Variant, images: torch.Tensor) -> None:
    watched, alone = (populate(variant, [3], images) for _ in range(2))
    player = watched.generator
    player.optimizer = Watched(player.optimizer, variant.generator_optimizer, lambda step: None)
    for population in (watched, alone):
        population.epoch()
    assert torch.equal(watched.generator.parameters, alone.generator.parameters)
    assert len(player.optimizer.updates) == 13


def test_freezes_are_told_from_their_first_step_to_their_last() -> None:
    updates = np.array([0.5, 0.05, 0.005, 0.001, 0.004, 0.05, 0.2, 0.05, 0.5, 0.009, 0.05])
    gradients = np.array([1.0, 1, 1e-3, 2e-3, 2e-3, 4e-3, 1, 1, 1, 1e-3, 1e-3])
    first, second = freezes(updates, gradients, ADAM, 100, frozen=0.01, awake=0.1)
    assert (first.start, first.lowest, first.fell_to, first.gradient_norm) == (3, 4, 0.001, 2e-3)
    assert first.lasted == 3  # the seventh step is the first one awake
    assert first.gradient_growth == pytest.approx(4)
    share = 1e-8 / (2e-3 / 100**0.5)
    assert first.predicted == pytest.approx(recovery_steps(0.001, 0.1, 0.99, share))
    assert (second.start, second.lowest, second.lasted) == (10, 10, None)
    assert not freezes(updates, gradients, ADAM, 100, frozen=0.0005, awake=0.1)


def test_without_a_gradient_no_end_is_predicted() -> None:
    (freeze,) = freezes(np.array([1.0, 0.0]), np.zeros(2), ADAM, 100, frozen=0.01, awake=0.1)
    assert (freeze.predicted, freeze.lasted, freeze.gradient_growth) == (None, None, None)


def test_a_curve_has_the_medians_of_windows() -> None:
    noted = {
        name: np.array([1.0, 2.0, 9.0, 4.0, 5.0])
        for name in ("update", "gradient_norm", "remembered_norm", "fake_probability")
    }
    drawn = curve(noted, 2)
    assert drawn.step == [3, 5]
    assert drawn.update == drawn.fake_probability == [2.0, 4.5]


def test_from_the_start_the_printed_adam_is_no_part_of_its_own_sweep(study: Study) -> None:
    settings = study.memory.model_copy(update={"beta2": (0.9, 0.999), "eps": (1e-15, 1e-8)})
    _, others, switched = conditions(study.baseline, settings)
    assert [(adam.beta2, adam.eps) for adam in others] == [(0.9, 1e-8)]
    assert [(adam.beta2, adam.eps) for adam in switched] == [(0.9, 1e-15), (0.9, 1e-8), (0.999, 1e-15), (0.999, 1e-8)]


def test_a_switch_to_the_same_adam_changes_nothing(study: Study, images: torch.Tensor) -> None:
    """The run goes on as if it had not been stopped: the same second epoch, step by step."""
    changes = {"beta2": (0.999,), "epochs": 2, "windows": 26, "objectives": ("minimax",), "awake": 0.999}
    settings = study.memory.model_copy(update=changes)
    whole, rest = measure(study.baseline, settings, (0.5,), 0.95, images, InProcessExecutor()).runs
    assert (whole.adam.switch, rest.adam.switch) == (None, 1)
    assert rest.curve.gradient_norm[:13] == whole.curve.gradient_norm[13:]
    assert rest.curve.update[:13] == whole.curve.update[13:]


def test_the_record_has_every_run(study: Study, images: torch.Tensor) -> None:
    settings = study.memory
    record = measure(study.baseline, settings, (0.5,), 0.95, images, InProcessExecutor())
    runs = [(run.adam.objective, run.adam.beta2, run.adam.printed) for run in record.runs]
    printed = [(name, 0.999, True) for name in settings.objectives]
    assert runs == [*printed, ("minimax", 0.9, False), ("minimax", 0.9, False)]
    assert [run.adam.switch for run in record.runs] == [None] * 4 + [1]
    assert {run.steps for run in record.runs} == {13}
    assert record.steps == 13 * 5
    assert [(row.objective, row.step) for row in record.directions] == [
        (name, step) for name in sorted(settings.objectives) for step in settings.compared
    ]
    assert all(len(run.curve.step) == settings.windows for run in record.runs)
    assert record == measure(study.baseline, settings, (0.5,), 0.95, images, ProcessExecutor(2))
