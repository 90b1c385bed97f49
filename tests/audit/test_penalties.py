"""Penalties are per sample, and planted ones that are not are caught."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from gan.audit.penalties import check_penalty
from gan.training.terms import TERMS, LossInputs, Term


def slopes(inputs: LossInputs, images: Tensor) -> Tensor:
    points = images.detach().requires_grad_()
    (gradients,) = torch.autograd.grad(inputs.discriminate(points).sum(), points, create_graph=True)
    return gradients


def normed_over_the_batch(inputs: LossInputs) -> Tensor:
    return (torch.linalg.vector_norm(slopes(inputs, inputs.real).flatten(1), dim=-1) - 1).square()


def root_of_the_mean(inputs: LossInputs) -> Tensor:
    """As large for every batch of equal samples as it should be."""
    return (slopes(inputs, inputs.real).square().sum(-1).mean(-1).sqrt() - 1).square()


def summed(inputs: LossInputs) -> Tensor:
    return slopes(inputs, inputs.real).square().sum((-1, -2))


def one_sided(inputs: LossInputs) -> Tensor:
    return (torch.linalg.vector_norm(slopes(inputs, inputs.real), dim=-1) - 1).relu().square().mean(-1)


@pytest.mark.parametrize("name", [name for name, term in TERMS.items() if term.player == "discriminator"])
def test_penalties_are_per_sample(name: str) -> None:
    check = check_penalty(name, TERMS[name])
    assert check.holds, check.faults
    assert check.linear


@pytest.mark.parametrize(
    ("name", "wrong", "part"),
    [
        ("gradient_penalty", normed_over_the_batch, "in a batch of 7, not"),
        ("gradient_penalty", root_of_the_mean, "of three samples it is"),
        ("r1", summed, "in a batch of 2, not"),
        ("r1", TERMS["gradient_penalty"].loss, "= |w|²"),
        ("unknown", normed_over_the_batch, "in a batch of 7, not"),
        ("unknown", root_of_the_mean, "of three samples it is"),
    ],
)
def test_a_wrong_penalty_is_caught(name: str, wrong: Callable[[LossInputs], Tensor], part: str) -> None:
    check = check_penalty(name, Term(wrong, player="discriminator", rule="uniform"))
    assert not check.holds
    assert any(fault.startswith(name) and part in fault for fault in check.faults), check.faults


def test_an_unknown_penalty_need_only_be_per_sample() -> None:
    check = check_penalty("unknown", Term(one_sided, player="discriminator"))
    assert check.holds
    assert check.linear is None
