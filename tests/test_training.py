"""Training against the tutorial's own loop, against itself a second time, and alone against in a population."""

import gc

import numpy as np
import pytest
import torch
from conftest import as_module, same
from torch import nn

from gan.pixels import scale
from gan.randomness import random_generator
from gan.study import Study, Variant
from gan.training import Population, Run, memory_per_run, train
from gan.tutorial import Tutorial

QUANTILES = (0.05, 0.5)


def run_all(variant: Variant, seeds: list[int], images: torch.Tensor) -> list[Run]:
    return train(variant, seeds, images, QUANTILES, "cpu", lambda done: None)


def as_tutorial(population: Population, run: int) -> Tutorial:
    """The tutorial's loop over torch's modules with one run's initial weights."""
    generator, discriminator = (as_module(network, run) for network in (population.generator, population.discriminator))
    return Tutorial(generator, nn.Sequential(discriminator, nn.Sigmoid()))


@pytest.mark.parametrize("objective", ["minimax", "non_saturating"])
@pytest.mark.parametrize("bias", [0.0, -20.0, -30.0])
@pytest.mark.parametrize(("dtype", "rtol"), [(torch.float64, 1e-8), (torch.float32, 2e-3)])
def test_an_epoch_is_the_tutorials(
    variant: Variant, images: torch.Tensor, objective: str, bias: float, dtype: torch.dtype, rtol: float
) -> None:
    """Same initial weights, images and latents; also where a sure discriminator (negative bias) saturates the loss."""
    variant = variant.model_copy(update={"objective": objective})
    scaled = scale(images.flatten(1))[:104].to(dtype)
    population = Population(variant, [4, 9], scaled)
    population.discriminator.layers[-1][1].fill_(bias)
    tutorial = as_tutorial(population, 1)
    population.epoch()
    losses, norms = [], []
    latents = random_generator(9, "latents")
    for chosen in torch.randperm(104, generator=random_generator(9, "order")).split(16):
        z = torch.randn(len(chosen), 8, generator=latents).to(dtype)
        losses.append(torch.stack(tutorial.step(scaled[chosen], z, minimax=objective == "minimax")))
        norms.append(nn.utils.get_total_norm([p.grad for p in tutorial.generator.parameters()]))
    log = population.log
    assert len(losses) == 7, "six whole batches and a smaller one"
    mine = torch.stack([log["discriminator_loss"][1], log["generator_loss"][1]], 1)
    torch.testing.assert_close(mine, torch.stack(losses), rtol=rtol, atol=0)
    torch.testing.assert_close(log["generator_gradient_norm"][1], torch.stack(norms), rtol=rtol, atol=0)
    for module, network in (
        (tutorial.generator, population.generator),
        (tutorial.discriminator[0], population.discriminator),
    ):
        for name, part in module.state_dict().items():
            torch.testing.assert_close(
                network.state(1)[f"model.{name}"], part, rtol=rtol, atol=1e-6 if dtype == torch.float32 else 1e-12
            )


def test_a_second_run_has_the_same_bits(variant: Variant, images: torch.Tensor) -> None:
    first, second = run_all(variant, [7], images), run_all(variant, [7], images)
    assert same(first[0], second[0])
    assert sorted(first[0].generators) == [1, 2]


@pytest.mark.parametrize(
    "name",
    [
        *("minimax", "non_saturating", "cewl", "minimax_rescaled", "wgan", "lsgan", "hinge", "non_saturating_sgd"),
        *("wgan_gp", "dragan", "r3gan", "pixel_mse", "pixel_mae", "feature_matching", "vae_gan"),
    ],
)
@pytest.mark.parametrize("batch_size", [16, 37])
def test_a_seed_alone_equals_itself_in_any_population(
    study: Study, images: torch.Tensor, name: str, batch_size: int
) -> None:
    variant = study.variants[name].model_copy(update={"batch_size": batch_size})
    (alone,) = run_all(variant, [5], images)
    for seeds in ([5, 6], [1, 5, 3], [8, 2, 4, 5, 0]):
        together = run_all(variant, seeds, images)
        assert same(alone, together[seeds.index(5)])
        assert not same(alone, together[(seeds.index(5) + 1) % len(seeds)])


def test_seeds_share_weights_order_and_latents_across_variants(variant: Variant, images: torch.Tensor) -> None:
    first, second = (
        Population(variant.model_copy(update={"objective": objective}), [3], scale(images.flatten(1)))
        for objective in ("minimax", "cewl")
    )
    assert torch.equal(first.generator.parameters, second.generator.parameters)
    assert torch.equal(first.discriminator.parameters, second.discriminator.parameters)
    seen = []
    for population in (first, second):
        population.epoch()
        seen.append([tensor.clone() for batch, *_ in population._plan for tensor in (batch.real, batch.latents)])
    assert all(torch.equal(one, other) for one, other in zip(*seen, strict=True))
    whole, rest = first._plan
    assert not torch.equal(whole[0].latents[:, :8], rest[0].latents)


def test_initial_weights_follow_torchs_default(variant: Variant, images: torch.Tensor) -> None:
    population = Population(variant, [0], scale(images.flatten(1)))
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
        self.generator.layers[0][0][1, 0, 0] = float("nan")

    monkeypatch.setattr(Population, "__init__", poisoned)
    broken = run_all(variant, [1, 2, 3], images)
    assert same(whole[0], broken[0])
    assert same(whole[2], broken[2])
    assert broken[1].status == "failed"
    assert broken[1].failure == {"epoch": 1, "cause": "discriminator loss not finite"}
    assert broken[1].history == []
    assert broken[1].generators == {}


def test_memory_grows_by_what_a_run_needs(variant: Variant) -> None:
    """A population's tensors, counted one by one, are no more than predicted, nor much less."""
    variant = variant.model_copy(update={"generator_hidden": (128, 256), "discriminator_hidden": (256, 128)})
    images = torch.zeros(1000, 784)

    def held(runs: int) -> int:
        gc.collect()
        before = {id(tensor) for tensor in gc.get_objects() if type(tensor) is torch.Tensor}
        population = Population(variant, list(range(runs)), images)
        storages = {
            tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes()
            for tensor in gc.get_objects()
            if type(tensor) is torch.Tensor and id(tensor) not in before
        }
        del population
        return sum(storages.values())

    per_run, predicted = held(3) - held(2), memory_per_run(variant, 1000, 784)
    assert predicted / 2 < per_run <= predicted


def test_images_are_scaled_as_the_tutorial_does(images: torch.Tensor) -> None:
    from torchvision import transforms

    transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize([0.5], [0.5])])
    expected = torch.stack([transform(image.numpy())[0] for image in images[:20]])
    assert torch.equal(scale(images[:20]), expected)


def test_a_frozen_discriminator_changes_no_bit(study: Study, images: torch.Tensor) -> None:
    """Claim T6: the gradient that is not computed was of no use."""
    frozen, unfrozen = (run_all(study.variants[name], [3], images)[0] for name in ("non_saturating", "unfrozen"))
    assert same(frozen, unfrozen)


def test_pinned_streams_are_shared_by_all_seeds(study: Study, images: torch.Tensor) -> None:
    scaled = scale(images.flatten(1))
    weights = Population(study.variants["same_weights"], [3, 4], scaled)
    assert torch.equal(weights.generator.parameters[0], weights.generator.parameters[1])
    assert torch.equal(weights.discriminator.parameters[0], weights.discriminator.parameters[1])
    data = Population(study.variants["same_data"], [3, 4], scaled)
    assert not torch.equal(data.generator.parameters[0], data.generator.parameters[1])
    for population, shared in ((weights, False), (data, True)):
        population.epoch()
        (batch, *_), *_ = population._plan
        assert torch.equal(batch.real[0], batch.real[1]) == shared
        assert torch.equal(batch.latents[0], batch.latents[1]) == shared


def test_clipping_bounds_the_discriminator_alone(study: Study, images: torch.Tensor) -> None:
    variant = study.variants["wgan"]
    population = Population(variant, [0], scale(images.flatten(1)))
    population.epoch()
    assert population.discriminator.parameters.abs().max().item() == pytest.approx(variant.clip)
    assert population.generator.parameters.abs().max() > variant.clip


def test_an_encoder_is_kept_beside_its_generator(study: Study, images: torch.Tensor) -> None:
    (run,) = run_all(study.variants["vae"], [0], images)
    kept = run.generators[2]
    assert kept["encoder.0.weight"].shape == (12, 784)
    assert kept["encoder.4.weight"].shape == (16, 10)
    assert not np.array_equal(kept["encoder.0.weight"], run.generators[1]["encoder.0.weight"])
