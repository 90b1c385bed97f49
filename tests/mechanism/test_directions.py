"""Two gradients on the same networks and batch, against torch's modules."""

import pytest
import torch
from conftest import as_module, populate

from gan.mechanism.directions import direction, effective_size
from gan.seeding import random_generator
from gan.study.recipe import Variant
from gan.training.population import RunSpec


def test_it_is_what_torchs_modules_give(variant: Variant, images: torch.Tensor) -> None:
    population = populate(variant, [3], images)
    population.epoch()
    found = direction(population, RunSpec(variant, 3), 7, (0.0, 0.5, 1.0))
    generator, discriminator = as_module(population.generator, 0), as_module(population.discriminator, 0)
    random = random_generator(3, "directions/7")
    latents = torch.randn(variant.batch_size, variant.latent_dim, generator=random)
    probabilities = torch.sigmoid(discriminator(generator(latents)))
    gradients = []
    for loss in (torch.log1p(-probabilities).mean(), -torch.log(probabilities).mean()):
        parts = torch.autograd.grad(loss, generator.parameters(), retain_graph=True)
        gradients.append(torch.cat([part.flatten() for part in parts]))
    norms = [gradient.norm().item() for gradient in gradients]
    assert found.minimax_norm == pytest.approx(norms[0], rel=1e-4)
    assert found.non_saturating_norm == pytest.approx(norms[1], rel=1e-4)
    assert found.cosine == pytest.approx(torch.cosine_similarity(*gradients, dim=0).item(), rel=1e-4)
    points = {"q00": 0.0, "q50": 0.5, "q100": 1.0}
    expected = {name: probabilities.quantile(point).item() for name, point in points.items()}
    assert found.fake_probability == pytest.approx(expected)
    weights = probabilities.detach()
    for size, weight in ((found.minimax_size, weights), (found.non_saturating_size, 1 - weights)):
        assert size == pytest.approx((weight.sum() ** 2 / (weight**2).sum()).item(), rel=1e-5)


def test_training_goes_on_as_if_nobody_had_looked(variant: Variant, images: torch.Tensor) -> None:
    watched, alone = (populate(variant, [3], images) for _ in range(2))
    direction(watched, RunSpec(variant, 3), 1, (0.5,))
    for population in (watched, alone):
        population.epoch()
    assert torch.equal(watched.generator.parameters, alone.generator.parameters)


@pytest.mark.parametrize("scale", [1.0, 1e-200])
def test_equal_weights_count_all_and_one_alone_counts_one(scale: float) -> None:
    equal = torch.full((64,), scale, dtype=torch.float64)
    one = torch.zeros(64, dtype=torch.float64)
    one[5] = scale
    assert effective_size(equal) == pytest.approx(64)
    assert effective_size(one) == pytest.approx(1)
    assert effective_size(equal + one) == pytest.approx(65**2 / 67)
