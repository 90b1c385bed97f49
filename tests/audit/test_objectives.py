"""Every objective is the equation of its name, and planted wrong ones are caught and named."""

import json
from collections.abc import Callable
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from gan.audit.equations import EQUATIONS
from gan.audit.gradients import VIEWS
from gan.audit.record import ObjectiveCheck, check_objective
from gan.training.losses import OBJECTIVES, Objective


def discriminator(sign: float) -> Callable[[Tensor, Tensor, float], Tensor]:
    """Cross-entropy with labels 1 and 0 (sign 1), or with labels swapped (sign -1)."""
    return lambda real, fake, label: F.softplus(-sign * real).mean(-1) + F.softplus(sign * fake).mean(-1)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_objective_is_the_equation_of_its_name(name: str) -> None:
    check = check_objective(name, OBJECTIVES[name])
    assert check.holds, check.faults
    assert check.error < 1e-9
    assert check.generator
    assert check.discriminator


@pytest.mark.parametrize("name", EQUATIONS)
def test_derivatives_on_record_are_those_of_the_values_on_record(name: str) -> None:
    """By differences; the rescaled minimax loss is exempt, whose scale is no part of the derivative."""
    random, step, label = np.random.default_rng(0), 1e-6, 0.9
    logits = {"real": random.normal(size=(6, 3)), "fake": random.normal(size=(6, 3))}
    for player, by in VIEWS:
        if (name, player) == ("minimax_rescaled", "generator"):
            continue
        evaluate = EQUATIONS[name][player].evaluate
        for column in range(3):
            nudge = step * np.eye(3)[column]
            moved = [{**logits, by: logits[by] + sign * nudge} for sign in (1, -1)]
            high, low = (evaluate(**each, label=label)[0] for each in moved)
            slope = evaluate(**logits, label=label)[1][by][:, column]
            np.testing.assert_allclose(3 * (high - low) / (2 * step), slope, rtol=1e-6, atol=1e-8)


PLANTED = {
    "minimax that is BCE to label 1": (
        "minimax",
        replace(OBJECTIVES["minimax"], generator=lambda fake: F.softplus(-fake).mean(-1)),
        ["generator's gradient", "but that of non_saturating, non_saturating_logits, cewl"],
    ),
    "minimax as mean(1 - log D)": (
        "minimax",
        replace(OBJECTIVES["minimax"], generator=lambda fake: (1 - torch.log(torch.sigmoid(fake))).mean(-1)),
        ["generator's gradient", "E log(1 − D(G(z)))", "but that of non_saturating"],
    ),
    "mean(1 - log D) under its gradient's name": (
        "non_saturating",
        replace(OBJECTIVES["non_saturating"], generator=lambda fake: (1 + F.softplus(-fake)).mean(-1)),
        ["generator's gradient on generated images is that of −E log D(G(z)), its value is not"],
    ),
    "log(D + 1e-8)": (
        "non_saturating",
        replace(OBJECTIVES["non_saturating"], generator=lambda fake: -torch.log(torch.sigmoid(fake) + 1e-8).mean(-1)),
        ["generator's gradient", "(at logit −15 −0.9683, not −1)"],
    ),
    "swapped labels": (
        "non_saturating",
        replace(OBJECTIVES["non_saturating"], discriminator=discriminator(-1)),
        ["discriminator's gradient on real images", "discriminator's gradient on generated images"],
    ),
    "half a loss": (
        "cewl",
        replace(OBJECTIVES["cewl"], discriminator=discriminator(1)),
        ["discriminator's gradient on real images", "but that of minimax, minimax_logits"],
    ),
    "a sum for a mean": (
        "wasserstein",
        replace(OBJECTIVES["wasserstein"], generator=lambda fake: -fake.sum(-1)),
        ["generator's gradient"],
    ),
    "a label that is forgotten": (
        "non_saturating",
        replace(OBJECTIVES["non_saturating"], discriminator=discriminator(1)),
        ["non_saturating, label 0.9: the discriminator's gradient on real images"],
    ),
    "alike only where a batch has one image": (
        "non_saturating",
        replace(OBJECTIVES["non_saturating"], generator=OBJECTIVES["minimax_rescaled"].generator),
        ["generator's gradient", "but that of minimax_rescaled"],
    ),
    "a relativistic loss without real images": (
        "relativistic",
        replace(OBJECTIVES["relativistic"], generator=OBJECTIVES["cewl"].generator, relativistic=False),
        ["generator's gradient", "but that of non_saturating"],
    ),
    "not a number": (
        "hinge",
        replace(OBJECTIVES["hinge"], generator=lambda fake: -fake.mean(-1) * torch.nan),
        ["generator's gradient on generated images is not that of −E l_f"],
    ),
}


@pytest.mark.parametrize("wrong", PLANTED)
def test_a_wrong_loss_is_caught_and_named(wrong: str) -> None:
    name, objective, parts = PLANTED[wrong]
    check = check_objective(name, objective)
    assert check.holds is False
    for part in parts:
        assert any(part in fault for fault in check.faults), check.faults
    assert all(fault.startswith(name) for fault in check.faults)
    json.dumps(asdict(check), allow_nan=False)


def test_an_objective_without_an_equation_has_no_fault() -> None:
    unknown = Objective(discriminator(1), lambda fake: fake.square().mean(-1))
    assert check_objective("unknown", unknown) == ObjectiveCheck("unknown")
