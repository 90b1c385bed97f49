"""How long Adam takes to forget: the closed form against torch's own Adam."""

from math import inf, log

import numpy as np
import pytest
import torch

from gan.mechanism.recovery import recovery, recovery_steps
from gan.records.memory import Adam, Curve, Freeze, Run


def updates(gradients: list[float], betas: tuple[float, float], eps: float = 0.0) -> np.ndarray:
    """Each step's |update| over the learning rate by torch.optim.Adam, in float64."""
    parameter = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    optimizer, sizes = torch.optim.Adam([parameter], lr=1.0, betas=betas, eps=eps), []
    for gradient in gradients:
        before = parameter.item()
        parameter.grad = torch.full_like(parameter, gradient)
        optimizer.step()
        sizes.append(abs(parameter.item() - before))
    return np.array(sizes)


@pytest.mark.parametrize("beta2", [0.9, 0.97, 0.99])
@pytest.mark.parametrize("fall", [1e-2, 1e-5])
@pytest.mark.parametrize("eps", [0.0, 1e-6])
def test_torchs_adam_recovers_when_it_is_said_to(beta2: float, fall: float, eps: float) -> None:
    before = round(20 / (1 - beta2))  # so that mean squares have no bias left
    sizes = updates([1.0] * before + [fall] * 5000, (0.0, beta2), eps)[before:]
    assert sizes.argmin() == 0
    above = int(np.flatnonzero(sizes > 0.5)[0])
    assert recovery_steps(sizes[0], 0.5, beta2, eps / fall) == pytest.approx(above, abs=1.01)


def test_the_mean_of_gradients_only_delays_it() -> None:
    """With the printed beta1 the least update comes later, and the time from it is the same."""
    sizes = updates([1.0] * 4000 + [1e-4] * 5000, (0.9, 0.995))[4000:]
    lowest = int(sizes.argmin())
    above = int(np.flatnonzero(sizes[lowest:] > 0.1)[0])
    assert 50 < lowest < 200
    assert recovery_steps(sizes[lowest], 0.1, 0.995) == pytest.approx(above, rel=0.03)


def test_the_rule_of_thumb_is_its_limit() -> None:
    """2 ln(a / r) / (1 - beta2)."""
    assert recovery_steps(1e-6, 0.01, 0.9999) == pytest.approx(2 * log(0.01 / 1e-6) / 1e-4, rel=1e-3)


def test_eps_sets_a_bound() -> None:
    """Where eps is as large as the gradient, the update never exceeds one half."""
    assert updates([1.0] * 200 + [1e-3] * 2000, (0.0, 0.9), eps=1e-3)[-1] == pytest.approx(0.5)
    assert recovery_steps(1e-3, 0.49, 0.9, eps=1.0) < inf
    assert recovery_steps(1e-3, 0.51, 0.9, eps=1.0) == inf
    assert recovery_steps(0.0, 0.1, 0.9) == inf
    assert recovery_steps(0.2, 0.1, 0.9) == 0


def run(beta2: float, *times: tuple[int | None, float | None]) -> Run:
    freezes = [Freeze(1, 2, 1e-4, 1e-3, 1.0, lasted, predicted) for lasted, predicted in times]
    return Run(Adam("minimax", beta2, 1e-8, printed=False), 0, 10, 0.5, Curve([], [], [], [], []), freezes)


def test_times_that_go_with_the_memory_have_a_slope_of_one() -> None:
    runs = [run(beta2, (round(8 / (1 - beta2)), 10 / (1 - beta2))) for beta2 in (0.9, 0.99, 0.999)]
    found = recovery([*runs, run(0.9999, (None, 5e4)), run(0.5)], 0.95)
    assert (found.runs, found.ended, found.censored) == (3, 3, 1)
    for slope in (found.slope, found.of_prediction):
        assert slope is not None
        assert slope.low <= slope.value <= slope.high
        assert slope.value == pytest.approx(1)
    assert found.ratio == pytest.approx(0.8)


def test_a_freeze_without_a_prediction_counts_beside_the_others() -> None:
    runs = [run(beta2, (round(1 / (1 - beta2)), None)) for beta2 in (0.9, 0.99, 0.999)]
    found = recovery([*runs, run(0.9, (10, 20.0))], 0.95)
    assert (found.runs, found.of_prediction) == (4, None)
    assert found.slope is not None
    assert found.slope.value == pytest.approx(1)
    assert found.ratio == pytest.approx(0.5)


def test_the_interval_is_students() -> None:
    """Three points on a triangle: slope 1/2, standard error sqrt(3)/2, and t of one degree of freedom."""
    runs = [run(1 - 10**-x, (round(10**y), 1.0)) for x, y in ((1, 1), (2, 3), (3, 2))]
    found = recovery(runs, 0.95)
    assert found.slope is not None
    assert found.slope.value == pytest.approx(0.5)
    assert found.slope.high - found.slope.value == pytest.approx(12.7062047 * 3**0.5 / 2, rel=1e-6)


def test_too_few_runs_have_no_slope() -> None:
    assert recovery([run(0.9, (10, 10.0)), run(0.99, (100, 100.0))], 0.95).slope is None
    assert recovery([run(0.9, (10, 10.0))] * 3, 0.95).slope is None
    nothing = recovery([run(0.9)], 0.95)
    assert (nothing.runs, nothing.ratio) == (0, None)
