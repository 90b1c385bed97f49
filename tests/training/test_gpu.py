"""What holds on a GPU; skipped where there is none."""

import pytest
import torch
from conftest import same

from gan.study.schema import Study, Variant
from gan.training import cuda_graph
from gan.training.loop import Run, train

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")

SEEDS = list(range(8))
EPOCHS = cuda_graph.WARM_UP + 3


def run_all(variant: Variant, images: torch.Tensor, device: str) -> list[Run]:
    # Enough epochs for the last, smaller batch of an epoch to be recorded and replayed, too.
    variant = variant.model_copy(update={"epochs": EPOCHS, "snapshots": (2,)})
    shares = [SEEDS] if device == "cuda" else [[seed] for seed in SEEDS]
    return [run for seeds in shares for run in train(variant, seeds, images, (0.05, 0.5), device, lambda done: None)]


def equal(first: list[Run], second: list[Run]) -> bool:
    return all(same(one, other) for one, other in zip(first, second, strict=True))


@pytest.mark.parametrize(
    "name",
    ["minimax", "non_saturating", "cewl", "wgan", "wgan_gp", "dragan", "r3gan", "feature_matching", "vae", "vae_gan"],
)
def test_graphs_change_nothing(study: Study, images: torch.Tensor, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    variant = study.variants[name]
    replayed = run_all(variant, images, "cuda")
    monkeypatch.setattr(cuda_graph, "WARM_UP", 10**9)
    called = run_all(variant, images, "cuda")
    assert equal(replayed, called)


def test_a_second_population_has_the_same_bits(variant: Variant, images: torch.Tensor) -> None:
    assert equal(run_all(variant, images, "cuda"), run_all(variant, images, "cuda"))


def test_runs_differ_from_the_processors_by_chance_alone(variant: Variant, images: torch.Tensor) -> None:
    """Same initial weights and order of images, other latents: means over seeds agree within their standard errors."""
    on_gpu, on_cpu = run_all(variant, images, "cuda"), run_all(variant, images, "cpu")
    for name in ("discriminator_loss", "generator_loss", "real_probability", "fake_probability"):
        gpu, cpu = (torch.tensor([run.history[-1][name] for run in runs]) for runs in (on_gpu, on_cpu))
        assert abs(gpu.mean() - cpu.mean()) < 4 * (gpu.std() + cpu.std() + 1e-6) / len(SEEDS) ** 0.5
