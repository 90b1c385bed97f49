"""Training on a GPU: its values are the processor's, and a run's are its own. Skipped where there is no GPU."""

from typing import Any

import pytest
import torch
from conftest import TESTS, same
from gpu.fake.engine import Kept, memory_of_one_more_run, train
from torch import Tensor

from gan.seeding import random_generator
from gan.study.loading import read_yaml
from gan.study.recipe import Variant
from gan.study.schema import Study
from gan.training import cuda_graph, population
from gan.training.loop import Run
from gan.training.population import Population, RunSpec
from gan.training.streams import Draws

GPU = torch.device("cuda")
SEEDS = list(range(8))
# Enough for the last, smaller batch of an epoch to be recorded and replayed, too.
EPOCHS = cuda_graph.WARM_UP + 3
VARIANTS = list(read_yaml(TESTS / "params.yaml")["variants"])
DCGAN: dict[str, Any] = {"networks": "dcgan", "generator_hidden": (6, 4), "discriminator_hidden": (4, 6)}

pytestmark = pytest.mark.skipif(GPU.type == "cuda" and not torch.cuda.is_available(), reason="needs a GPU")


def run_all(variant: Variant, images: Tensor, device: str, seeds: list[int] = SEEDS) -> list[Run]:
    variant = variant.model_copy(update={"epochs": EPOCHS, "snapshots": (2,)})
    shares = [seeds] if device == GPU.type else [[seed] for seed in seeds]
    return [run for share in shares for run in train([(variant, seed) for seed in share], images, device=device)]


def equal(first: list[Run], second: list[Run]) -> bool:
    return all(same(one, other) for one, other in zip(first, second, strict=True))


def after_epochs(variants: list[Variant], seeds: list[int], images: Tensor, device: torch.device) -> list[Tensor]:
    """The players' parameters `[run, parameter]` in float64, which shows any difference but one of rounding."""
    specs = [RunSpec(variant, seed) for variant, seed in zip(variants, seeds, strict=True)]
    trained = Population(specs, images.flatten(1).to(device), torch.float64)
    for _ in range(EPOCHS):
        trained.epoch()
    return [player.parameters.cpu() for player in trained.players.values()]


def assert_close(first: list[Tensor], second: list[Tensor]) -> None:
    for one, other in zip(first, second, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-8)


@pytest.fixture
def _latents_of_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a GPU compute with the numbers that a processor draws."""

    def step(self: Draws) -> None:
        for rows, stream in zip(self.values, self._streams, strict=True):
            rows.copy_(self._fill(torch.empty(rows.shape), generator=stream))

    monkeypatch.setattr(population, "random_generator", lambda seed, purpose, device: random_generator(seed, purpose))
    monkeypatch.setattr(Draws, "step", step)


@pytest.mark.usefixtures("_latents_of_the_processor")
@pytest.mark.parametrize("name", VARIANTS)
def test_values_are_the_processors(study: Study, images: Tensor, name: str) -> None:
    variants, seeds = [study.variants[name]] * 3, [0, 1, 2]
    assert_close(after_epochs(variants, seeds, images, GPU), after_epochs(variants, seeds, images, torch.device("cpu")))


@pytest.mark.usefixtures("_latents_of_the_processor")
@pytest.mark.parametrize("steps", [1, 5])
def test_convolutions_are_the_processors(study: Study, images: Tensor, steps: int) -> None:
    variant = study.variants["wgan_gp"].model_copy(update=DCGAN | {"discriminator_steps": steps})
    assert_close(
        after_epochs([variant] * 2, [0, 1], images, GPU),
        after_epochs([variant] * 2, [0, 1], images, torch.device("cpu")),
    )


@pytest.mark.parametrize("changes", [{}, DCGAN, {"terms": {"dragan": 1.0}}], ids=["mlp", "dcgan", "a term that draws"])
def test_a_run_alone_is_itself_in_any_population(variant: Variant, images: Tensor, changes: dict[str, Any]) -> None:
    """Beside other seeds and other recipes, in any place; cuBLAS may round in other ways."""
    mine = variant.model_copy(update=changes)
    slower = mine.generator_optimizer.model_copy(update={"lr": 1e-5})
    other = mine.model_copy(update={"generator_optimizer": slower, "real_label": 0.9, "objective": "minimax"})
    alone = after_epochs([mine], [1], images, GPU)
    together = after_epochs([other, other, mine, mine], [1, 5, 1, 4], images, GPU)
    assert_close(alone, [parameters[2:3] for parameters in together])
    assert not torch.allclose(together[0][0], together[0][2], rtol=1e-3)


@pytest.mark.parametrize("pinned", [{}, {"latents": 7}])
def test_pinned_latents_are_shared(variant: Variant, images: Tensor, pinned: dict[str, int]) -> None:
    specs = [RunSpec(variant.model_copy(update={"pinned": pinned}), seed) for seed in (0, 1)]
    trained = Population(specs, images.flatten(1).to(GPU))
    for _ in range(2):
        trained.epoch()
        first, second = trained._plan[-1].draws[0].values
        assert torch.equal(first, second) == bool(pinned)


@pytest.mark.parametrize("name", VARIANTS)
def test_graphs_change_nothing(study: Study, images: Tensor, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    replayed = run_all(study.variants[name], images, GPU.type)
    monkeypatch.setattr(cuda_graph, "WARM_UP", 10**9)
    assert equal(replayed, run_all(study.variants[name], images, GPU.type))


@pytest.mark.parametrize("changes", [{}, DCGAN], ids=["mlp", "dcgan"])
def test_a_second_population_has_the_same_bits(variant: Variant, images: Tensor, changes: dict[str, Any]) -> None:
    variant = variant.model_copy(update=changes)
    assert equal(run_all(variant, images, GPU.type), run_all(variant, images, GPU.type))


def test_a_resumed_population_has_the_same_bits(study: Study, images: Tensor) -> None:
    """And its runs go on from their checkpoints with fewer beside them, as where less memory is free."""
    variant = study.variants["wgan_gp"].model_copy(update={"snapshots": ()})
    begun, whole = (variant.model_copy(update={"epochs": epochs}) for epochs in (EPOCHS, 2 * EPOCHS))
    saver = Kept()
    train([(begun, seed) for seed in range(4)], images, saver)
    half = saver.of([1, 3])
    uninterrupted = train([(whole, seed) for seed in range(4)], images)
    assert equal(train([(whole, seed) for seed in range(4)], images, saver), uninterrupted)
    for run, of_four in zip(train([(whole, seed) for seed in (1, 3)], images, half), uninterrupted[1::2], strict=True):
        assert run.history[:EPOCHS] == of_four.history[:EPOCHS]
        last, other = run.history[-1], of_four.history[-1]
        assert last == pytest.approx(other, rel=0.02, abs=0.02)


def test_runs_differ_from_the_processors_by_chance_alone(variant: Variant, images: Tensor) -> None:
    """Same initial weights and order of images, other latents: means over seeds agree within their standard errors."""
    on_gpu, on_cpu = run_all(variant, images, GPU.type), run_all(variant, images, "cpu")
    for name in ("discriminator_loss", "generator_loss", "real_probability", "fake_probability"):
        gpu, cpu = (torch.tensor([run.history[-1][name] for run in runs]) for runs in (on_gpu, on_cpu))
        assert abs(gpu.mean() - cpu.mean()) < 4 * (gpu.std() + cpu.std() + 1e-6) / len(SEEDS) ** 0.5


@pytest.mark.parametrize("name", ["non_saturating", "wgan_gp", "vae_gan"])
def test_memory_is_as_predicted(name: str) -> None:
    measured, predicted = memory_of_one_more_run(name)
    assert measured < predicted
