"""Terms against closed forms, and training with them against torch's modules, autograd and optimizers."""

from collections.abc import Callable

import pytest
import torch
from conftest import as_module
from torch import Tensor, nn

from gan.images import scale
from gan.seeding import random_generator
from gan.study.schema import Study, Variant
from gan.training.population import Population
from gan.training.terms import TERMS, LossInputs


def linear_loss_inputs(real: Tensor, fake: Tensor, weights: Tensor) -> LossInputs:
    """A discriminator w·x per run, whose gradient is w everywhere; nothing else can be asked."""

    def refuse(*_: object) -> Tensor:
        raise AssertionError("not this term's to ask")

    return LossInputs(
        real=real,
        fake=fake,
        discriminate=lambda images: torch.einsum("rbp,rp->rb", images, weights),
        features=lambda images: torch.relu(images * weights[:, None, :]),
        generate=refuse,
        infer=refuse,  # type: ignore[arg-type]
        uniform=lambda width: torch.rand(*real.shape[:2], width, dtype=real.dtype),
        normal=refuse,
    )


@pytest.mark.parametrize("batch", [1, 7, 64])
@pytest.mark.parametrize(
    ("term", "expected"),
    [
        ("gradient_penalty", lambda norm: (norm - 1) ** 2),
        ("dragan", lambda norm: (norm - 1) ** 2),
        ("r1", lambda norm: norm**2),
        ("r2", lambda norm: norm**2),
    ],
)
def test_penalties_are_per_sample(term: str, expected: Callable[[Tensor], Tensor], batch: int) -> None:
    """Whatever the batch's size, |∇D| is |w|: normed over a batch it would be |w| times the root of its size."""
    real, fake = torch.randn(2, 3, batch, 5, dtype=torch.float64)
    weights = torch.tensor([[3.0, 0, 0, 4, 0], [0, 0, 0.5, 0, 0], [1, 1, 1, 1, 0]], dtype=torch.float64)
    losses = TERMS[term].loss(linear_loss_inputs(real, fake, weights))
    torch.testing.assert_close(losses, expected(torch.tensor([5.0, 0.5, 2.0], dtype=torch.float64)))


def test_a_flat_discriminator_has_a_finite_penalty_and_gradient() -> None:
    """|∇D| = 0 has no derivative; a NaN there would end the run."""
    weights = torch.zeros(1, 4, requires_grad=True)
    for term in ("gradient_penalty", "dragan", "r1", "r2"):
        loss = TERMS[term].loss(linear_loss_inputs(*torch.randn(2, 1, 3, 4), weights))
        (gradient,) = torch.autograd.grad(loss.sum(), weights)
        assert gradient.isfinite().all()


def test_pixel_and_feature_terms_have_their_closed_forms() -> None:
    real, fake = torch.randn(2, 2, 6, 5, dtype=torch.float64)
    weights = torch.ones(2, 5, dtype=torch.float64)
    inputs = linear_loss_inputs(real, fake, weights)
    for run in range(2):
        expected = nn.functional.mse_loss(fake[run], real[run])
        torch.testing.assert_close(TERMS["pixel_mse"].loss(inputs)[run], expected)
        torch.testing.assert_close(TERMS["pixel_mae"].loss(inputs)[run], nn.functional.l1_loss(fake[run], real[run]))
        means = real[run].relu().mean(0), fake[run].relu().mean(0)
        torch.testing.assert_close(TERMS["feature_matching"].loss(inputs)[run], nn.functional.mse_loss(*means))


class Oracle:
    """One run of a variant in torch's modules, trained by its own optimizers on losses written here once more."""

    def __init__(self, variant: Variant, population: Population, run: int, seed: int) -> None:
        self.variant = variant
        self.generator = as_module(population.generator, run)
        self.discriminator = as_module(population.discriminator, run)
        self.encoder = as_module(population.encoder, run) if population.encoder else nn.Sequential()
        self.draws = random_generator(seed, "terms")

        def optimizer(settings, *networks: nn.Module) -> torch.optim.Optimizer:
            parameters = [parameter for network in networks for parameter in network.parameters()]
            if settings.name == "sgd":
                return torch.optim.SGD(parameters, settings.lr, settings.momentum)
            return torch.optim.Adam(parameters, settings.lr, settings.betas, settings.eps)

        self.discriminator_optimizer = optimizer(variant.discriminator_optimizer, self.discriminator)
        self.generator_optimizer = optimizer(variant.generator_optimizer, self.generator, self.encoder)

    def step(self, real: Tensor, latents: Tensor) -> None:
        fake = self.generator(latents)
        loss = self.discriminator_loss(self.discriminator(real)[:, 0], self.discriminator(fake.detach())[:, 0])
        for name, weight in self.variant.terms.items():
            if name in ("gradient_penalty", "dragan", "r1", "r2"):
                loss = loss + weight * self.penalty(name, real, fake.detach())
        self.discriminator_optimizer.zero_grad()
        loss.backward()
        self.discriminator_optimizer.step()
        if self.variant.clip:
            for parameter in self.discriminator.parameters():
                parameter.data.clamp_(-self.variant.clip, self.variant.clip)

        with torch.no_grad():
            real_logits = self.discriminator(real)[:, 0]
        loss = self.variant.adversarial * self.generator_loss(self.discriminator(fake)[:, 0], real_logits)
        for name, weight in self.variant.terms.items():
            if name not in ("gradient_penalty", "dragan", "r1", "r2"):
                loss = loss + weight * self.addition(name, real, fake)
        self.generator_optimizer.zero_grad()
        loss.backward()
        self.generator_optimizer.step()

    def discriminator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        softplus = nn.functional.softplus
        match self.variant.objective:
            case "least_squares":
                return (real - 1).pow(2).mean() / 2 + fake.pow(2).mean() / 2
            case "wasserstein":
                return fake.mean() - real.mean()
            case "hinge":
                return (1 - real).clamp(min=0).mean() + (1 + fake).clamp(min=0).mean()
            case "relativistic":
                return softplus(fake - real).mean()
            case "cewl":
                return (softplus(-real).mean() + softplus(fake).mean()) / 2
            case _:
                return softplus(-real).mean() + softplus(fake).mean()

    def generator_loss(self, fake: Tensor, real: Tensor) -> Tensor:
        softplus, probability = nn.functional.softplus, torch.sigmoid(fake)
        match self.variant.objective:
            case "least_squares":
                return (fake - 1).pow(2).mean() / 2
            case "wasserstein" | "hinge":
                return -fake.mean()
            case "relativistic":
                return softplus(real - fake).mean()
            case "minimax" | "minimax_logits":
                return (1 - probability).log().mean()
            case "minimax_rescaled":
                share = probability.mean().item()
                return (1 - share) / share * (1 - probability).log().mean()
            case "bce_label_zero":
                return -(1 - probability).log().mean()
            case _:
                return -probability.log().mean()

    def penalty(self, name: str, real: Tensor, fake: Tensor) -> Tensor:
        match name:
            case "gradient_penalty":
                share = torch.rand(len(real), 1, generator=self.draws).double()
                points = share * real + (1 - share) * fake
            case "dragan":
                noise = torch.rand(real.shape, generator=self.draws).double() - 0.5
                points = (real + real.std() * noise).clip(-1, 1)
            case _:
                points = real if name == "r1" else fake
        norms = []
        for point in points:  # one by one: per sample by construction
            leaf = point.clone().requires_grad_()
            (gradient,) = torch.autograd.grad(self.discriminator(leaf[None])[0, 0], leaf, create_graph=True)
            norms.append(gradient.norm())
        found = torch.stack(norms)
        return found.pow(2).mean() if name in ("r1", "r2") else (found - 1).pow(2).mean()

    def addition(self, name: str, real: Tensor, fake: Tensor) -> Tensor:
        match name:
            case "pixel_mse":
                return nn.functional.mse_loss(fake, real)
            case "pixel_mae":
                return nn.functional.l1_loss(fake, real)
            case "feature_matching":
                features = self.discriminator[:-2]  # without the last layer and what follows it
                return nn.functional.mse_loss(features(fake).mean(0), features(real).mean(0))
            case _:
                mean, log_variance = self.encoder(real).chunk(2, 1)
                posterior = torch.distributions.Normal(mean, (log_variance / 2).exp())
                noise = torch.randn(mean.shape, generator=self.draws).double()
                made = self.generator(mean + posterior.scale * noise)
                prior = torch.distributions.Normal(torch.zeros_like(mean), torch.ones_like(mean))
                divergence = torch.distributions.kl_divergence(posterior, prior).sum(1)
                return (nn.functional.mse_loss(made, real, reduction="none").sum(1) / 2 + divergence).mean()


PUBLISHED = [
    "minimax_logits",
    "minimax_rescaled",
    "minimax_sgd",
    "non_saturating_sgd",
    "non_saturating_logits",
    "cewl",
    "bce_label_zero",
    "unfrozen",
    "lsgan",
    "wgan",
    "wgan_gp",
    "dragan",
    "hinge",
    "r3gan",
    "pixel_mse",
    "pixel_mae",
    "feature_matching",
    "vae",
    "vae_gan",
]


@pytest.mark.parametrize("name", PUBLISHED)
def test_an_epoch_is_that_of_torchs_modules(study: Study, images: Tensor, name: str) -> None:
    """Same initial weights, images, latents and noise: the same weights of every network after seven steps."""
    variant, seed, run = study.variants[name], 9, 1
    scaled = scale(images.flatten(1))[:104].double()
    population = Population(variant, [4, seed], scaled)
    oracle = Oracle(variant, population, run, seed)
    population.epoch()
    draws = random_generator(seed, "latents")
    for chosen in torch.randperm(104, generator=random_generator(seed, "order")).split(16):
        oracle.step(scaled[chosen], torch.randn(len(chosen), 8, generator=draws).double())
    networks = [(population.generator, oracle.generator), (population.discriminator, oracle.discriminator)]
    if population.encoder:
        networks.append((population.encoder, oracle.encoder))
    for network, module in networks:
        for part, expected in module.state_dict().items():
            torch.testing.assert_close(network.state(run)[f"model.{part}"], expected, rtol=1e-7, atol=1e-11)


def test_every_variant_that_differs_in_more_than_seeds_is_tested(study: Study) -> None:
    others = {"minimax", "non_saturating"}  # tests/test_training.py
    pinned = {name for name, variant in study.variants.items() if variant.pinned}
    assert set(study.variants) == {*PUBLISHED, *others, *pinned}
