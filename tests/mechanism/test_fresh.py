"""New discriminators against frozen generators."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import as_module, populate
from torch import nn

from gan.images import scale
from gan.mechanism.fresh import fresh_discriminator, kept_steps, summary
from gan.records.mechanism import Step
from gan.seeding import random_generator
from gan.study.recipe import Variant

SEEDS = [3, 5]


def generators(variant: Variant, images: torch.Tensor) -> list[dict[str, np.ndarray]]:
    population = populate(variant, SEEDS, images)
    return [population.snapshot(run) for run in range(len(SEEDS))]


def trained(variant: Variant, images: torch.Tensor, loss: str) -> dict[int, dict[str, torch.Tensor]]:
    return {
        seed: fresh_discriminator(variant, seed, generator, images.flatten(1), loss)
        for seed, generator in zip(SEEDS, generators(variant, images), strict=True)
    }


def measured(variant: Variant, images: torch.Tensor, loss: str) -> dict[tuple[int, int], Step]:
    trainings = trained(variant, images, loss)
    return {
        (seed, row.step): row for seed, training in trainings.items() for row in kept_steps(training, 1, loss, seed)
    }


def test_both_losses_are_measured_on_the_same_networks(variant: Variant, images: torch.Tensor) -> None:
    minimax, non_saturating = (measured(variant, images, loss) for loss in ("minimax", "non_saturating"))
    assert minimax.keys() == non_saturating.keys()
    for step, row in minimax.items():
        other = non_saturating[step]
        assert replace(row, loss=other.loss, gradient_norm=other.gradient_norm) == other
        assert row.gradient_norm != other.gradient_norm


def test_the_first_step_is_torchs(variant: Variant, images: torch.Tensor) -> None:
    """The gradient norm that torch's modules have after one step of a new discriminator."""
    scaled = scale(images.flatten(1))
    (state, _), seed = generators(variant, images), SEEDS[0]
    population = populate(variant, [seed], images)
    discriminator, generator = as_module(population.discriminator, 0), as_module(population.generator, 0)
    assert all(np.array_equal(part.numpy(), state[f"model.{name}"]) for name, part in generator.state_dict().items())
    settings = variant.discriminator_optimizer
    optimizer = torch.optim.Adam(discriminator.parameters(), settings.lr, settings.betas, settings.eps)
    size = variant.batch_size
    real = scaled[torch.randperm(len(scaled), generator=random_generator(seed, "order"))[:size]]
    fake = generator(torch.randn(size, variant.latent_dim, generator=random_generator(seed, "latents")))
    loss = (
        nn.functional.softplus(-discriminator(real)).mean()
        + nn.functional.softplus(discriminator(fake.detach())).mean()
    )
    loss.backward()
    optimizer.step()
    nn.functional.softplus(-discriminator(fake)).mean().backward()
    norm = torch.cat([part.grad.flatten() for part in generator.parameters()]).norm()
    first = measured(variant, images, "non_saturating")[seed, 1]
    assert first.gradient_norm == pytest.approx(norm.item(), rel=1e-4)
    assert first.discriminator_loss == pytest.approx(loss.item(), rel=1e-5)


def test_an_untrained_generator_is_soon_recognised(variant: Variant, images: torch.Tensor) -> None:
    eager = variant.discriminator_optimizer.model_copy(update={"lr": 0.01})
    rows = measured(variant.model_copy(update={"discriminator_optimizer": eager}), images, "non_saturating")
    last = max(step for _, step in rows)
    assert rows[SEEDS[0], last].fake_probability < 0.05
    assert rows[SEEDS[0], last].accuracy > 0.8


def test_it_is_measured_step_by_step_whatever_the_recipe(variant: Variant, images: torch.Tensor) -> None:
    several = variant.model_copy(update={"discriminator_steps": 5})
    assert measured(several, images, "minimax") == measured(variant, images, "minimax")


def test_a_summary_has_every_step_of_the_epoch(variant: Variant, images: torch.Tensor) -> None:
    """All losses count alike, not those alone that a logarithmic axis shows."""
    training = trained(variant, images, "minimax")[SEEDS[0]]
    whole = summary(training, 4, "minimax", SEEDS[0], 0.999)
    assert whole.steps == len(images) // variant.batch_size == 12
    assert whole.discriminator_loss == pytest.approx(training["discriminator_loss"].mean().item(), rel=1e-6)
    assert (whole.epoch, whole.loss, whole.seed) == (4, "minimax", SEEDS[0])


@pytest.mark.parametrize(("sure", "first"), [(0.5, 1), (0.9, 3), (0.95, 3), (0.999, None)])
def test_the_first_sure_step_is_found(sure: float, first: int | None) -> None:
    accuracy = torch.tensor([0.5, 0.75, 0.96875, 0.5])
    loss = torch.tensor([4.0, 2.0, 1.0, 1.0])
    whole = summary({"accuracy": accuracy, "discriminator_loss": loss}, 1, "minimax", 0, sure)
    assert whole.first_sure == first
    assert (whole.discriminator_loss, whole.accuracy) == (2.0, 0.6796875)
