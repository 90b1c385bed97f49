"""Training against the tutorial's own loop, against itself a second time, and alone against in a population."""

import gc
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
import torch
from conftest import ROOT, as_module, populate, same
from torch import nn

from gan.images import scale
from gan.mechanism.tutorial import Tutorial
from gan.seeding import random_generator
from gan.study.loading import load_study
from gan.study.recipe import Variant
from gan.study.schema import Study
from gan.training import kernels, streams
from gan.training.loop import Run, train
from gan.training.losses import OBJECTIVES
from gan.training.population import Population, RunSpec, memory_per_run
from gan.training.terms import TERMS

QUANTILES = (0.05, 0.5)


def run_all(variant: Variant, seeds: list[int], images: torch.Tensor) -> list[Run]:
    return [
        run for seed in seeds for run in train([RunSpec(variant, seed)], images, QUANTILES, "cpu", lambda done: None)
    ]


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
    population = populate(variant, [4, 9], images[:104], dtype)
    population.discriminator.parts[-1].fill_(bias)
    scaled = scale(images.flatten(1))[:104].to(dtype)
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


def test_without_numba_the_same_is_computed(
    variant: Variant, images: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To rounding. A machine that trains on a GPU may have none."""

    def trained() -> Population:
        population = populate(variant, [4], images[:104])
        population.epoch()
        return population

    expected = trained()
    monkeypatch.setattr(kernels, "AVAILABLE", False)
    alone = trained()
    for name, player in expected.players.items():
        torch.testing.assert_close(alone.players[name].parameters, player.parameters, rtol=2e-3, atol=1e-6)
    for name, values in expected.log.items():
        torch.testing.assert_close(alone.log[name], values, rtol=2e-3, atol=1e-5)
    code = "import sys; sys.modules['numba'] = None; from gan.training import kernels, loop; print(kernels.AVAILABLE)"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, cwd=ROOT, encoding="utf-8")
    assert printed.stdout == "False\n"


def test_a_second_run_has_the_same_bits(variant: Variant, images: torch.Tensor) -> None:
    first, second = run_all(variant, [7], images), run_all(variant, [7], images)
    assert same(first[0], second[0])
    assert sorted(first[0].generators) == [1, 2]


def test_a_cpu_trains_one_run_at_a_time(variant: Variant, images: torch.Tensor) -> None:
    """Whatever a kernel makes of a stack of matrices, a run's bits can't depend on it."""
    specs = [RunSpec(variant, seed) for seed in (5, 6)]
    with pytest.raises(ValueError, match=r"^a CPU trains one run at a time, not 2$"):
        train(specs, images, QUANTILES, "cpu", lambda done: None)


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
    beside = [populate(variant, [seed], images) for seed in (1, 2)]
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
        populate(variant.model_copy(update={"objective": objective}), [3], images) for objective in ("minimax", "cewl")
    )
    assert torch.equal(first.generator.parameters, second.generator.parameters)
    assert torch.equal(first.discriminator.parameters, second.discriminator.parameters)
    seen = []
    for population in (first, second):
        population.epoch()
        batches = dict.fromkeys(population._plan)
        seen.append([tensor.clone() for batch in batches for tensor in (batch.real, batch.draws[0].values)])
    assert all(torch.equal(one, other) for one, other in zip(*seen, strict=True))
    *_, whole, rest = (batch.draws[0].values for batch in first._plan)
    assert not torch.equal(whole[:, :8], rest)


def test_initial_weights_follow_torchs_default(variant: Variant, images: torch.Tensor) -> None:
    population = populate(variant, [0], images)
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
    whole, broken = (populate(variant, [1, 2, 3], images) for _ in range(2))
    broken.generator.parts[0][1, 0, 0] = float("nan")
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
        self.generator.parts[0][0, 0, 0] = float("nan")

    monkeypatch.setattr(Population, "__init__", poisoned)
    (broken,) = run_all(variant, [2], images)
    assert broken.status == "failed"
    assert broken.failure == {"epoch": 1, "cause": "discriminator loss not finite"}
    assert broken.history == []
    assert broken.generators == {}


def test_memory_grows_by_what_a_run_needs(variant: Variant) -> None:
    """A population's tensors, counted one by one, are no more than predicted, nor much less."""
    variant = variant.model_copy(update={"generator_hidden": (128, 256), "discriminator_hidden": (256, 128)})
    images = torch.zeros(1000, 28, 28, dtype=torch.uint8)

    def held(runs: int) -> int:
        gc.collect()
        before = {id(tensor) for tensor in gc.get_objects() if type(tensor) is torch.Tensor}
        population = populate(variant, range(runs), images)
        storages = {
            tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes()
            for tensor in gc.get_objects()
            if type(tensor) is torch.Tensor and id(tensor) not in before
        }
        del population
        return sum(storages.values())

    per_run, predicted = held(3) - held(2), memory_per_run(variant, 1000, 784, "cpu")
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
    weights = populate(study.variants["same_weights"], [3, 4], images)
    assert torch.equal(weights.generator.parameters[0], weights.generator.parameters[1])
    assert torch.equal(weights.discriminator.parameters[0], weights.discriminator.parameters[1])
    data = populate(study.variants["same_data"], [3, 4], images)
    assert not torch.equal(data.generator.parameters[0], data.generator.parameters[1])
    for population, shared in ((weights, False), (data, True)):
        population.epoch()
        batch, *_ = population._plan
        assert torch.equal(batch.real[0], batch.real[1]) == shared
        assert torch.equal(*batch.draws[0].values) == shared


def test_clipping_bounds_the_discriminator_alone(study: Study, images: torch.Tensor) -> None:
    variant = study.variants["wgan"]
    population = populate(variant, [0], images)
    population.epoch()
    assert population.discriminator.parameters.abs().max().item() == pytest.approx(variant.clip)
    assert population.generator.parameters.abs().max() > variant.clip


def test_an_encoder_is_kept_beside_its_generator(study: Study, images: torch.Tensor) -> None:
    (run,) = run_all(study.variants["vae"], [0], images)
    kept = run.generators[2]
    assert kept["encoder.0.weight"].shape == (12, 784)
    assert kept["encoder.4.weight"].shape == (16, 10)
    assert not np.array_equal(kept["encoder.0.weight"], run.generators[1]["encoder.0.weight"])


def test_what_cannot_be_trained_side_by_side_is_refused(variant: Variant, images: torch.Tensor) -> None:
    others = [
        {"generator_hidden": (16,)},
        {"batch_size": 8},
        {"epochs": 3},
        {"snapshots": ()},
        {"terms": {"r1": 1.0}},
        {"clip": 0.1},
        {"discriminator_steps": 2},
        {"objective": "relativistic"},
    ]
    for changes in others:
        specs = [RunSpec(variant, 0), RunSpec(variant.model_copy(update=changes), 0)]
        with pytest.raises(ValueError, match="can't be trained in one population"):
            Population(specs, images.flatten(1))
    with pytest.raises(ValueError, match=r"^the generator never learns: an epoch has only 13 discriminator steps$"):
        populate(variant.model_copy(update={"discriminator_steps": 14}), [0], images)


def test_the_log_has_a_place_for_every_value(variant: Variant, images: torch.Tensor) -> None:
    """13 batches, the last of 8 images; with five steps of the discriminator the generator has two."""
    for steps, learning, seen in ((1, 13, 200), (5, 2, 32), (13, 1, 8)):
        population = populate(variant.model_copy(update={"discriminator_steps": steps}), [0, 1], images)
        for values in population.log.values():
            values.fill_(torch.nan)
        for _ in range(2):
            population.epoch()
        assert {name: values.shape[1] for name, values in population.log.items()} == {
            "real_logits": 200,
            "fake_logits": seen,
            "discriminator_loss": 13,
            "generator_loss": learning,
            "generator_gradient_norm": learning,
        }
        assert all(values.isfinite().all() for values in population.log.values())


def test_a_run_draws_the_same_whoever_is_beside_it(study: Study, images: torch.Tensor, monkeypatch) -> None:
    """Also where numbers are drawn ahead, as on a GPU; a pinned stream is the same for all."""
    monkeypatch.setitem(streams.AHEAD, "cpu", 5)

    def drawn(variant: Variant, seeds: list[int]) -> list[torch.Tensor]:
        population, seen = populate(variant, seeds, images), []
        step = Population._step
        monkeypatch.setattr(
            Population,
            "_step",
            lambda self, batch, learns: (
                seen.extend(draws.values.clone() for draws in batch.draws),
                step(self, batch, learns),
            ),
        )
        for _ in range(2):
            population.epoch()
        monkeypatch.setattr(Population, "_step", step)
        return seen

    for name in ("dragan", "vae_gan", "non_saturating"):
        alone, beside = drawn(study.variants[name], [5]), drawn(study.variants[name], [8, 5, 1])
        assert all(torch.equal(one[0], other[1]) for one, other in zip(alone, beside, strict=True))
        assert not any(torch.equal(one[0], one[2]) for one in beside)
        assert not any(torch.equal(one, other) for one, other in pairwise(alone) if one.shape == other.shape)
    pinned = drawn(study.variants["same_data"], [8, 5])
    assert all(torch.equal(*values) for values in pinned)
