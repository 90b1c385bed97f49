"""What is measured inside training, where the answer is known beforehand."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import as_module, populate
from torch import nn

from gan.claims import mechanism
from gan.claims.mechanism import fresh_discriminator, frozen_discriminator, gradient_flow, perfect_generator
from gan.compute import store
from gan.compute.executors import ProcessExecutor
from gan.images import scale
from gan.records.mechanism import GradientFlow, Step
from gan.seeding import random_generator
from gan.study.schema import Study, Variant
from gan.training.loop import train
from gan.training.population import RunSpec

SEEDS = [3, 5]


def generators(variant: Variant, images: torch.Tensor) -> list[dict[str, np.ndarray]]:
    population = populate(variant, SEEDS, images)
    return [population.snapshot(run) for run in range(len(SEEDS))]


def measured(variant: Variant, images: torch.Tensor, loss: str) -> dict[tuple[int, int], Step]:
    return {
        (row.seed, row.step): row
        for seed, generator in zip(SEEDS, generators(variant, images), strict=True)
        for row in fresh_discriminator(variant, seed, 1, generator, images.flatten(1), loss)
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


def test_a_perfect_generator_is_a_toss_up_and_a_poor_one_is_not(variant: Variant, images: torch.Tensor) -> None:
    """Nothing distinguishes one half of the images from the other; an untrained generator is soon recognised."""
    eager = variant.discriminator_optimizer.model_copy(update={"lr": 0.01})
    variant = variant.model_copy(update={"discriminator_optimizer": eager})
    assert 0.3 < perfect_generator(variant, 0, images.flatten(1)).fake_probability < 0.7
    rows = measured(variant, images, "non_saturating")
    last = max(step for _, step in rows)
    assert rows[SEEDS[0], last].fake_probability < 0.05
    assert rows[SEEDS[0], last].accuracy > 0.8


def test_gradients_flow_as_torch_has_them() -> None:
    assert gradient_flow() == GradientFlow(
        generator_in_its_step=True,
        discriminator_in_the_generators_step=True,
        generator_under_no_grad=False,
        generator_behind_detach=False,
        discriminator_behind_detach=True,
    )


def test_freezing_saves_the_discriminators_gradient(variant: Variant, images: torch.Tensor) -> None:
    """Three weight matrices and biases of the tutorial's discriminator, four bytes each, and little beside them."""
    step = frozen_discriminator(variant, 3, images.flatten(1))
    assert step.same_weights
    gradient = 4 * (784 * 256 + 256 + 256 * 128 + 128 + 128 + 1)
    saved = step.peak_bytes.not_frozen - step.peak_bytes.frozen
    assert gradient - 4096 <= saved <= 1.1 * gradient
    assert min(step.milliseconds.frozen, step.milliseconds.not_frozen) > 0


def test_peak_counts_what_lives_at_a_time() -> None:
    with mechanism._Peak() as peak:
        one = torch.ones(1000)
        del one
        two = torch.ones(500)
        view = two.view(50, 10)
        view += 1
    assert peak.most == 4000
    assert peak.now == 2000


def test_the_record_has_every_seed_and_epoch(study: Study, images: torch.Tensor, tmp_path: Path) -> None:
    variant = study.variants["non_saturating"]
    for seed in SEEDS:
        (run,) = train([RunSpec(variant, seed)], images, (0.5,), "cpu", lambda done: None)
        store.save_run(run, tmp_path / "kept" / str(run.seed), {})
    store.export_runs({str(seed): tmp_path / "kept" / str(seed) for seed in SEEDS}, tmp_path / "runs")
    settings = study.mechanism.model_copy(update={"epochs": (1, 2), "seeds": tuple(SEEDS), "steps": 2})
    record = mechanism.measure(variant, settings, tmp_path / "runs", images, ProcessExecutor(2))
    assert {(row.loss, row.epoch, row.seed) for row in record.fresh_discriminator} == {
        (loss, epoch, seed) for loss in ("minimax", "non_saturating") for epoch in (1, 2) for seed in SEEDS
    }
    assert [row.seed for row in record.perfect_generator] == SEEDS
    again = mechanism.measure(variant, settings, tmp_path / "runs", images, ProcessExecutor(1))
    assert record.fresh_discriminator == again.fresh_discriminator
