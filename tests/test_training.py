"""Training against the tutorial's own loop, against itself a second time, and alone against in a population."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from gan.pixels import scale
from gan.randomness import random_generator
from gan.study import Variant
from gan.training import Population, Run, train

QUANTILES = (0.05, 0.5)


def run_all(variant: Variant, seeds: list[int], images: torch.Tensor) -> list[Run]:
    return train(variant, seeds, images, QUANTILES, "cpu", lambda done: None)


def same(first: Run, second: Run) -> bool:
    """Bitwise equal weights and history."""
    if first.history != second.history or first.generators.keys() != second.generators.keys():
        return False
    return all(
        np.array_equal(first.generators[epoch][name], second.generators[epoch][name])
        for epoch in first.generators
        for name in first.generators[epoch]
    )


def in_words_of_the_tutorial(population: Population, run: int, variant: Variant) -> tuple[nn.Module, nn.Module]:
    """The tutorial's modules with one run's initial weights."""
    nets = []
    for network, end in ((population.generator, nn.Tanh()), (population.discriminator, nn.Sigmoid())):
        widths = network.architecture.widths
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(widths):
            layers += [nn.Linear(inputs, outputs), nn.LeakyReLU(network.architecture.negative_slope)]
        layers[-1] = end
        module = nn.Sequential(*layers).to(network.parameters.dtype)
        module.load_state_dict({k.removeprefix("model."): v for k, v in network.state(run).items()})
        nets.append(module)
    return nets[0], nets[1]


@pytest.mark.parametrize("objective", ["minimax", "non_saturating"])
@pytest.mark.parametrize("bias", [0.0, -20.0, -30.0])
@pytest.mark.parametrize(("dtype", "rtol"), [(torch.float64, 1e-8), (torch.float32, 2e-3)])
def test_steps_are_the_tutorials(
    variant: Variant, images: torch.Tensor, objective: str, bias: float, dtype: torch.dtype, rtol: float
) -> None:
    """Same initial weights, images and latents; also where a sure discriminator (negative bias) saturates the loss."""
    variant = variant.model_copy(update={"objective": objective})
    population = Population(variant, [4, 9], 784, dtype=dtype)
    population.discriminator._weights[-1].fill_(bias)
    g, d = in_words_of_the_tutorial(population, 1, variant)
    optimizer_g, optimizer_d = torch.optim.Adam(g.parameters(), lr=2e-4), torch.optim.Adam(d.parameters(), lr=2e-4)
    criterion = nn.BCELoss()
    order, draws = random_generator(9, "order"), random_generator(9, "latents")
    mine = population.draw_order(len(images))
    for start in range(0, 96, 16):
        real = scale(images.flatten(1)[mine[:, start : start + 16]]).to(dtype)
        step = population.step(real, population.draw_latents(16))
        if start == 0:
            assert torch.equal(mine[1], torch.randperm(len(images), generator=order))
        z = torch.randn(16, 8, generator=draws).to(dtype)
        ones, zeros = torch.ones(16, 1, dtype=dtype), torch.zeros(16, 1, dtype=dtype)
        fake = g(z)
        d_loss = criterion(d(real[1]), ones) + criterion(d(fake.detach()), zeros)
        optimizer_d.zero_grad()
        d_loss.backward()
        optimizer_d.step()
        g_loss = -criterion(d(fake), zeros) if objective == "minimax" else criterion(d(fake), ones)
        optimizer_g.zero_grad()
        g_loss.backward()
        norm = torch.stack([p.grad.norm() for p in g.parameters()]).norm()
        optimizer_g.step()
        torch.testing.assert_close(step.discriminator_loss[1], d_loss.detach(), rtol=rtol, atol=0)
        torch.testing.assert_close(step.generator_loss[1], g_loss.detach(), rtol=rtol, atol=0)
        torch.testing.assert_close(step.generator_gradient_norm[1], norm, rtol=rtol, atol=0)
    for module, network in ((g, population.generator), (d, population.discriminator)):
        for name, part in module.state_dict().items():
            torch.testing.assert_close(
                network.state(1)[f"model.{name}"], part, rtol=rtol, atol=1e-6 if dtype == torch.float32 else 1e-12
            )


def test_a_second_run_has_the_same_bits(variant: Variant, images: torch.Tensor) -> None:
    first, second = run_all(variant, [7], images), run_all(variant, [7], images)
    assert same(first[0], second[0])
    assert sorted(first[0].generators) == [1, 2]


@pytest.mark.parametrize("objective", ["minimax", "non_saturating", "cewl"])
@pytest.mark.parametrize("batch_size", [16, 37])
def test_a_seed_alone_equals_itself_in_any_population(
    variant: Variant, images: torch.Tensor, objective: str, batch_size: int
) -> None:
    variant = variant.model_copy(update={"objective": objective, "batch_size": batch_size})
    (alone,) = run_all(variant, [5], images)
    for seeds in ([5, 6], [1, 5, 3], [8, 2, 4, 5, 0]):
        together = run_all(variant, seeds, images)
        assert same(alone, together[seeds.index(5)])
        assert not same(alone, together[(seeds.index(5) + 1) % len(seeds)])


def test_seeds_share_weights_order_and_latents_across_variants(variant: Variant) -> None:
    populations = [
        Population(variant.model_copy(update={"objective": objective}), [3], 784) for objective in ("minimax", "cewl")
    ]
    first, second = populations
    assert torch.equal(first.generator.parameters, second.generator.parameters)
    assert torch.equal(first.discriminator.parameters, second.discriminator.parameters)
    assert torch.equal(first.draw_order(50), second.draw_order(50))
    assert torch.equal(first.draw_latents(16), second.draw_latents(16))
    assert not torch.equal(first.draw_latents(16), first.draw_latents(16))


def test_initial_weights_follow_torchs_default(variant: Variant) -> None:
    population = Population(variant, [0], 784)
    state = population.discriminator.state(0)
    for name in ("weight", "bias"):
        values = state[f"model.0.{name}"]
        assert values.abs().max() <= 1 / 28
        assert values.abs().max() > 0.9 / 28
    assert state["model.0.weight"].std().item() == pytest.approx(1 / 28 / 3**0.5, rel=0.02)


def test_history_tells_what_happened(variant: Variant, images: torch.Tensor) -> None:
    (run,) = run_all(variant, [1], images)
    assert [row["epoch"] for row in run.history] == [1, 2]
    for row in run.history:
        assert 0 < row["fake_probability"] < 1
        assert 0 < row["real_probability"] < 1
        assert row["generator_gradient_norm"] > 0
        assert row["fake_logit_q05"] < row["fake_logit_q50"]
    assert run.status == "finished"


def test_one_broken_run_leaves_the_others_alone(
    variant: Variant, images: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that turns to NaN fails with epoch and cause; its neighbours keep the bits they'd have had."""
    whole = run_all(variant, [1, 2, 3], images)
    initial = Population.__init__

    def poisoned(self: Population, *args, **kwargs) -> None:
        initial(self, *args, **kwargs)
        self.generator._weights[0][1, 0, 0] = float("nan")

    monkeypatch.setattr(Population, "__init__", poisoned)
    broken = run_all(variant, [1, 2, 3], images)
    assert same(whole[0], broken[0])
    assert same(whole[2], broken[2])
    assert broken[1].status == "failed"
    assert broken[1].failure == {"epoch": 1, "cause": "discriminator loss not finite"}
    assert broken[1].history == []
    assert broken[1].generators == {}


def test_images_are_scaled_as_the_tutorial_does(images: torch.Tensor) -> None:
    from torchvision import transforms

    transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize([0.5], [0.5])])
    expected = torch.stack([transform(image.numpy())[0] for image in images[:20]])
    assert torch.equal(scale(images[:20]), expected)
