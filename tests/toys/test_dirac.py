"""Dirac-GAN: what autograd measures on the objectives beside what is known of it on paper."""

import math

import numpy as np
import pytest
import torch
from scipy.special import expit

from gan.errors import StudyError
from gan.records.toys import Eigenvalue
from gan.study.schema import Study
from gan.toys import dirac

# The slopes -dL_G/dl and dL_D/dl at the logit 0, by hand: f'(0) = 1/2, and CEWL halves the discriminator's loss.
SLOPES = {
    "minimax": (1 / 2, 1 / 2),
    "minimax_logits": (1 / 2, 1 / 2),
    "minimax_rescaled": (1 / 2, 1 / 2),
    "non_saturating": (1 / 2, 1 / 2),
    "non_saturating_logits": (1 / 2, 1 / 2),
    "cewl": (1 / 2, 1 / 4),
}
LR = 0.3


def sorted_eigenvalues(matrix: list[list[float]]) -> list[complex]:
    return sorted(np.linalg.eigvals(np.array(matrix)), key=lambda value: -value.imag)


def as_complex(values: list[Eigenvalue]) -> list[complex]:
    return [complex(value.real, value.imaginary) for value in values]


@pytest.mark.parametrize("name", SLOPES)
def test_the_fields_eigenvalues_are_those_on_paper(name: str) -> None:
    """±i/2 for the vanilla objectives (Mescheder et al. 2018, section 2), ±i/(2 sqrt 2) for CEWL."""
    found = dirac.equilibrium(name)
    omega = 1 / (2 * math.sqrt(2)) if name == "cewl" else 1 / 2
    generator, discriminator = SLOPES[name]
    assert sorted_eigenvalues([[0, generator], [-discriminator, 0]]) == pytest.approx([omega * 1j, -omega * 1j])
    assert as_complex(found.eigenvalues) == pytest.approx([omega * 1j, -omega * 1j], abs=1e-12)
    assert as_complex(found.closed_form) == pytest.approx([omega * 1j, -omega * 1j], abs=1e-12)


@pytest.mark.parametrize("name", SLOPES)
def test_steps_have_the_eigenvalues_of_their_matrices(name: str) -> None:
    generator, discriminator = SLOPES[name]
    learns, makes = np.array([[1, 0], [-LR * discriminator, 1]]), np.array([[1, LR * generator], [0, 1]])
    matrices = {
        "simultaneous": np.array([[1, LR * generator], [-LR * discriminator, 1]]),
        "alternating": makes @ learns,  # the discriminator's step comes first
    }
    for order, matrix in matrices.items():
        step = dirac.ORDERS[order](name, LR)
        jacobian = torch.autograd.functional.jacobian(step, torch.zeros(2, dtype=torch.float64))
        assert jacobian.numpy() == pytest.approx(matrix, abs=1e-12)
        largest = max(abs(np.linalg.eigvals(matrix)))
        assert dirac.modulus(name, order, LR) == pytest.approx(largest, rel=1e-12)


def test_simultaneous_steps_leave_the_equilibrium_and_alternating_ones_turn_about_it() -> None:
    for name in SLOPES:
        for order in dirac.ORDERS:
            row = dirac.update(name, order, lr=0.2, start=0.01, turns=2)
            assert row.modulus == pytest.approx(row.closed_form, rel=1e-12)
            assert row.simulated == pytest.approx(row.closed_form, abs=5e-5)
            assert (row.closed_form > 1.002) == (order == "simultaneous")


def test_large_alternating_steps_leave_it_too() -> None:
    """The unit circle ends at lr ω = 2."""
    for lr, leaves in ((3.9, False), (4.1, True)):
        step = dirac.alternating("minimax", lr)
        largest = max(map(abs, dirac.eigenvalues(step)))
        assert largest == pytest.approx(dirac.modulus("minimax", "alternating", lr), rel=1e-9)
        assert (largest > 1.01) == leaves


def test_the_objectives_differ_away_from_the_equilibrium() -> None:
    """At D = sigmoid(-6) the non-saturating push is e^6 times minimax's; a rescaled batch of one has it exactly."""
    for logit in (-6.0, -1.0, 0.0, 3.0):
        pushes = {name: dirac.push(name, logit) for name in SLOPES}
        for name, row in pushes.items():
            exact = expit(logit) if name in ("minimax", "minimax_logits") else expit(-logit)
            assert row.push == pytest.approx(exact, rel=1e-9)
            assert row.closed_form == pytest.approx(exact, rel=1e-12)
        ratio = pushes["non_saturating"].push / pushes["minimax"].push
        assert ratio == pytest.approx(math.exp(-logit), rel=1e-9)


def test_an_objective_that_does_not_turn_is_refused(study: Study) -> None:
    """With the label 0, the generator flees: real eigenvalues."""
    settings = study.toys.dirac.model_copy(update={"objectives": ("bce_label_zero",)})
    with pytest.raises(StudyError, match="bce_label_zero"):
        dirac.measure(settings)


def test_the_record_has_every_objective_as_declared(study: Study) -> None:
    settings = study.toys.dirac.model_copy(update={"objectives": ("cewl", "minimax"), "turns": 1})
    record = dirac.measure(settings)
    assert [row.objective for row in record.equilibrium] == ["cewl", "minimax"]
    assert [(row.objective, row.order) for row in record.updates] == [
        (name, order) for name in ("cewl", "minimax") for order in ("simultaneous", "alternating")
    ]
    assert [row.logit for row in record.pushes] == [*settings.logits] * 2
