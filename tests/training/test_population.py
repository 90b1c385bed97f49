"""Training against the tutorial's own loop, against itself a second time, and alone against in a population."""

import gc

import numpy as np
import pytest
import torch
from conftest import ROOT, as_module, same
from torch import nn

from gan.claims.tutorial import Tutorial
from gan.images import scale
from gan.seeding import random_generator
from gan.study.loading import load_study
from gan.study.schema import Study, Variant
from gan.training.loop import Run, train
from gan.training.losses import OBJECTIVES
from gan.training.population import Population, memory_per_run
from gan.training.terms import TERMS

QUANTILES = (0.05, 0.5)


def run_all(variant: Variant, seeds: list[int], images: torch.Tensor) -> list[Run]:
    return [run for seed in seeds for run in train(variant, [seed], images, QUANTILES, "cpu", lambda done: None)]


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


def test_a_cpu_trains_one_run_at_a_time(variant: Variant, images: torch.Tensor) -> None:
    """Whatever a kernel makes of a stack of matrices, a run's bits can't depend on it."""
    with pytest.raises(ValueError, match=r"^a CPU trains one run at a time, not the 2 seeds \[5, 6\]$"):
        train(variant, [5, 6], images, QUANTILES, "cpu", lambda done: None)


def odd(variant: Variant, batch_size: int) -> Variant:
    """Shapes that fill no vector register, at which libraries have been seen to round by a matrix's neighbours."""
    widths = {"latent_dim": 5, "generator_hidden": (6, 10), "discriminator_hidden": (9, 3), "batch_size": batch_size}
    return variant.model_copy(update=widths)


def with_term(variant: Variant, term: str) -> Variant:
    encoder = (7, 5) if TERMS[term].player == "autoencoder" else None
    return variant.model_copy(update={"terms": {term: 1.0}, "encoder_hidden": encoder})


def same_beside_others(variant: Variant, images: torch.Tensor) -> bool:
    """Whether a seed has the same bits before anything else, and after and beside other runs in one process."""
    alone, *_ = run_all(variant, [5], images)
    beside = [Population(variant, [seed], scale(images.flatten(1))) for seed in (1, 2)]
    *_, among = run_all(variant, [8, 5], images)
    assert len(beside) == 2
    return same(alone, among) and not same(alone, *run_all(variant, [8], images))


@pytest.mark.parametrize("batch_size", [16, 37])
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_each_objectives_runs_are_the_same_beside_others(
    variant: Variant, images: torch.Tensor, objective: str, batch_size: int
) -> None:
    assert same_beside_others(odd(variant.model_copy(update={"objective": objective}), batch_size), images)


@pytest.mark.parametrize("batch_size", [16, 37])
@pytest.mark.parametrize("term", TERMS)
def test_each_terms_runs_are_the_same_beside_others(
    variant: Variant, images: torch.Tensor, term: str, batch_size: int
) -> None:
    assert same_beside_others(odd(with_term(variant, term), batch_size), images)


def test_published_recipes_runs_are_the_same_beside_others(images: torch.Tensor) -> None:
    for name, variant in load_study(ROOT / "params.yaml").variants.items():
        assert same_beside_others(variant.model_copy(update={"epochs": 1, "snapshots": ()}), images), name


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


def test_one_broken_run_leaves_the_others_alone(variant: Variant, images: torch.Tensor) -> None:
    """Side by side, as on a GPU: where one turns to NaN its neighbours are what they would have been."""
    whole, broken = (Population(variant, [1, 2, 3], scale(images.flatten(1))) for _ in range(2))
    broken.generator.layers[0][0][1, 0, 0] = float("nan")
    for population in (whole, broken):
        population.epoch()
    assert whole.finite().tolist() == [True, True, True]
    assert broken.finite().tolist() == [True, False, True]
    for first, second in zip(whole.players.values(), broken.players.values(), strict=True):
        assert torch.equal(first.parameters[::2], second.parameters[::2])
    for name, values in broken.log.items():
        assert torch.equal(values[::2], whole.log[name][::2])
        assert values[1].isnan().any()


def test_a_run_that_breaks_fails_with_epoch_and_cause(
    variant: Variant, images: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    initial = Population.__init__

    def poisoned(self: Population, *args, **kwargs) -> None:
        initial(self, *args, **kwargs)
        self.generator.layers[0][0][0, 0, 0] = float("nan")

    monkeypatch.setattr(Population, "__init__", poisoned)
    (broken,) = run_all(variant, [2], images)
    assert broken.status == "failed"
    assert broken.failure == {"epoch": 1, "cause": "discriminator loss not finite"}
    assert broken.history == []
    assert broken.generators == {}


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
