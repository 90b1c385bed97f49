"""One bad run among others: it fails with epoch and cause, and the others are what they would have been."""

import random
from collections.abc import Callable
from typing import Any

import pytest
import torch
from conftest import same

from gan.study.recipe import Variant
from gan.training import population as training
from gan.training.loop import Run, train
from gan.training.population import Population, RunSpec
from gan.training.streams import Draws

SEEDS = [3, 1, 4, 5, 9]
EPOCHS, STEPS = 4, 13  # 200 images in batches of 16


def poison_weights(population: Population, run: int, value: float) -> None:
    population.generator.parameters[run, 7] = value


def poison_discriminator(population: Population, run: int, value: float) -> None:
    population.discriminator.parameters[run, 7] = value


def poison_optimizer(population: Population, run: int, value: float) -> None:
    next(iter(population.generator.optimizer.state.values()))[run] = value


WEIGHTS = (poison_weights, poison_discriminator, poison_optimizer)
VALUES = (float("nan"), float("inf"), float("-inf"))


@pytest.mark.fault(
    "not a number, or infinity, in one run's weights, loss or data",
    full=90,
    short=30,
    note="the run fails with epoch and cause; the others of its population stay the same",
)
def test_one_bad_run(
    variant: Variant,
    images: torch.Tensor,
    monkeypatch: pytest.MonkeyPatch,
    injection: int,
    record_property: Callable[[str, Any], None],
) -> None:
    chance = random.Random(injection)
    run, at, value = chance.randrange(len(SEEDS)), chance.randrange(EPOCHS * STEPS), chance.choice(VALUES)
    variant = variant.model_copy(update={"epochs": EPOCHS, "snapshots": (1,)})
    undisturbed = [train_one(variant, seed, images) for seed in SEEDS]
    disturbed = []
    for index, seed in enumerate(SEEDS):
        with monkeypatch.context() as patch:
            if index == run:
                poison(patch, (*WEIGHTS, "loss", "data")[injection % 5], at, value)
            disturbed.append(train_one(variant, seed, images))
    for index, (one, other) in enumerate(zip(undisturbed, disturbed, strict=True)):
        assert same(one, other) == (index != run)
    bad = disturbed[run]
    assert bad.status == "failed"
    assert bad.failure is not None
    assert bad.failure["epoch"] == at // STEPS + 1
    assert bad.failure["cause"].endswith("not finite")
    assert bad.history == undisturbed[run].history[: at // STEPS]  # it ends before the epoch of the failure
    record_property("identical", True)


def train_one(variant: Variant, seed: int, images: torch.Tensor) -> Run:
    (run,) = train([RunSpec(variant, seed)], images, (0.5,), "cpu", lambda runs: None)
    return run


def poison(patch: pytest.MonkeyPatch, what: Any, at: int, value: float) -> None:
    """Put `value` somewhere into a run before the step `at`, counted over epochs, or while it is made."""
    step, gradient, draw, steps = Population._step, training._gradient, Draws.step, 0

    def poisoned_step(population: Population, *arguments: Any) -> None:
        nonlocal steps
        if steps == at and callable(what):
            what(population, 0, value)
        step(population, *arguments)
        steps += 1

    def poisoned_gradient(loss: Callable[..., torch.Tensor], *logits: torch.Tensor) -> Any:
        losses, grad_outputs = gradient(loss, *logits)
        if steps == at:
            losses[0] = value
        return losses, grad_outputs

    def poisoned_draw(draws: Draws) -> None:
        draw(draws)
        if steps == at:
            draws.values[0, 0] = value

    patch.setattr(Population, "_step", poisoned_step)
    if what == "loss":
        patch.setattr(training, "_gradient", poisoned_gradient)
    if what == "data":
        patch.setattr(Draws, "step", poisoned_draw)
