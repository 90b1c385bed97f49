"""Terms against closed forms, and the engine's training against torch's modules, autograd and optimizers."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest
import torch
from conftest import TESTS, as_module
from ruamel.yaml import YAML
from torch import Tensor, nn
from torch.distributions import Normal, kl_divergence

from gan.images import scale
from gan.seeding import random_generator
from gan.study.recipe import Variant
from gan.study.schema import Study
from gan.training.losses import OBJECTIVES
from gan.training.population import Population, RunSpec
from gan.training.terms import TERMS, LossInputs

VARIANTS = list(YAML(typ="safe", pure=True).load(TESTS / "params.yaml")["variants"])


def linear_loss_inputs(
    real: Tensor, fake: Tensor, weights: Tensor, seen: Callable[[Tensor], None] = lambda images: None
) -> LossInputs:
    """A discriminator w·x per run, whose gradient is w everywhere; `seen` is told what it judges."""

    def refuse(*_: object) -> Tensor:
        raise AssertionError("this term has no use for it")

    def discriminate(images: Tensor) -> Tensor:
        seen(images.detach())
        return torch.einsum("rbp,rp->rb", images, weights)

    return LossInputs(
        real=real,
        fake=fake,
        discriminate=discriminate,
        features=lambda images: torch.relu(images * weights[:, None, :]),
        generate=refuse,
        infer=refuse,  # type: ignore[arg-type]
    )


def test_penalties_are_taken_where_their_sources_say() -> None:
    """That they are per sample and have their closed forms is checked by the audit."""
    torch.manual_seed(0)
    real, fake = torch.rand(2, 3, 7, 5, dtype=torch.float64) * 2 - 1
    points = {}
    for name in ("gradient_penalty", "dragan", "r1", "r2"):
        seen: list[Tensor] = []
        inputs = linear_loss_inputs(real, fake, torch.ones(3, 5, dtype=torch.float64), seen.append)
        noise = torch.rand(3, 7, TERMS[name].noise_width(5, 2), dtype=torch.float64)
        TERMS[name].loss(replace(inputs, noise=noise))
        (points[name],) = seen
    torch.testing.assert_close(points["r1"], real)
    torch.testing.assert_close(points["r2"], fake)
    shares = (points["gradient_penalty"] - fake) / (real - fake)
    torch.testing.assert_close(shares, shares[:, :, :1].expand_as(shares))
    assert 0 <= shares.min() < 0.2 < 0.8 < shares.max() <= 1
    distances = (points["dragan"] - real).abs()
    assert (distances <= real.flatten(1).std(1)[:, None, None] / 2).all()
    assert distances.amax() > 0.1
    assert points["dragan"].abs().max() <= 1


def test_a_flat_discriminator_has_a_finite_penalty_and_gradient() -> None:
    """|∇D| = 0 has no derivative; a NaN there would end the run."""
    weights = torch.zeros(1, 4, requires_grad=True)
    for term in ("gradient_penalty", "dragan", "r1", "r2"):
        inputs = linear_loss_inputs(*torch.randn(2, 1, 3, 4), weights)
        loss = TERMS[term].loss(replace(inputs, noise=torch.rand(1, 3, TERMS[term].noise_width(4, 2))))
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


def test_the_evidence_bound_is_that_of_torchs_distributions() -> None:
    real, noise = torch.rand(2, 1, 6, 3, dtype=torch.float64)
    mean, log_variance = torch.randn(2, 1, 6, 3, dtype=torch.float64)
    inputs = replace(
        linear_loss_inputs(real, real, torch.ones(1, 3)),
        generate=torch.tanh,
        infer=lambda images: (mean + images, log_variance),
        noise=noise,
    )
    posterior, prior = Normal(mean + real, (log_variance / 2).exp()), Normal(torch.zeros_like(mean), 1.0)
    rebuilt = torch.tanh(posterior.mean + posterior.scale * noise)
    pixels = Normal(rebuilt, 1.0)
    likelihood = (pixels.log_prob(real) - pixels.log_prob(rebuilt)).sum(-1)
    expected = (kl_divergence(posterior, prior).sum(-1) - likelihood).mean(-1)
    torch.testing.assert_close(TERMS["evidence_bound"].loss(inputs), expected)


def apply(module: nn.Module, inputs: Tensor) -> Tensor:
    """A module of `[batch, …]` for `[run, batch, …]` of one run."""
    return module(inputs[0])[None]


class Oracle:
    """One run of a variant in torch's modules, trained by autograd and torch's optimizers on the package's losses."""

    def __init__(self, variant: Variant, population: Population, run: int, seed: int) -> None:
        self.variant = variant
        self.generator = as_module(population.generator, run)
        self.discriminator = as_module(population.discriminator, run)
        self.encoder = as_module(population.encoder, run) if population.encoder else nn.Sequential()
        self.draws = random_generator(variant.pinned.get("terms", seed), "terms")
        self.noise: dict[str, Tensor] = {}
        # What comes before the last layer.
        self.features = max(place for place, part in enumerate(self.discriminator) if isinstance(part, nn.Linear))

        def optimizer(settings, *networks: nn.Module) -> torch.optim.Optimizer:
            parameters = [parameter for network in networks for parameter in network.parameters()]
            if settings.name == "sgd":
                return torch.optim.SGD(parameters, settings.lr, settings.momentum)
            return torch.optim.Adam(parameters, settings.lr, settings.betas, settings.eps)

        self.discriminator_optimizer = optimizer(variant.discriminator_optimizer, self.discriminator)
        self.generator_optimizer = optimizer(variant.generator_optimizer, self.generator, self.encoder)

    def step(self, real: Tensor, latents: Tensor, *, learns: bool) -> None:
        """A step on real images `[batch, pixel]` and latents `[batch, latent]`; the generator's, too, if it learns."""
        self.draw(len(real))
        objective, real, fake = OBJECTIVES[self.variant.objective], real[None], self.generator(latents)[None]

        logits = self.discriminate(real), self.discriminate(fake.detach())
        loss = objective.discriminator(*logits, self.variant.real_label) + self.terms(real, fake.detach(), judge=True)
        self.discriminator_optimizer.zero_grad()
        loss.sum().backward()
        self.discriminator_optimizer.step()
        if self.variant.clip:
            for parameter in self.discriminator.parameters():
                parameter.data.clamp_(-self.variant.clip, self.variant.clip)

        if not learns:
            return
        partners = [self.discriminate(real).detach()] if objective.relativistic else []
        loss = self.variant.adversarial * objective.generator(self.discriminate(fake), *partners)
        loss = loss + self.terms(real, fake, judge=False)
        self.generator_optimizer.zero_grad()
        loss.sum().backward()
        self.generator_optimizer.step()

    def discriminate(self, images: Tensor) -> Tensor:
        return apply(self.discriminator, images)[..., 0]

    def terms(self, real: Tensor, fake: Tensor, *, judge: bool) -> Tensor:
        """The weighted sum of the discriminator's terms (`judge`) or of all others."""

        inputs = LossInputs(
            real=real,
            fake=fake,
            discriminate=self.discriminate,
            features=partial(apply, self.discriminator[: self.features]),
            generate=partial(apply, self.generator),
            infer=lambda images: apply(self.encoder, images).chunk(2, -1),
        )
        total = real.new_zeros(1)
        for name, weight in self.variant.terms.items():
            if (TERMS[name].player == "discriminator") == judge:
                total = total + weight * TERMS[name].loss(replace(inputs, noise=self.noise.get(name)))
        return total

    def draw(self, batch: int) -> None:
        """A step's noise of all terms, in their order."""
        rules = {"uniform": torch.rand, "normal": torch.randn}
        for name in self.variant.terms:
            if rule := TERMS[name].rule:
                width = TERMS[name].noise_width(784, self.variant.latent_dim)
                self.noise[name] = rules[rule](batch, width, generator=self.draws).double()[None]


def check_epoch(specs: list[RunSpec], images: Tensor) -> None:
    """Same initial weights, images, latents and noise: the same weights of every run's networks after seven batches."""
    scaled = scale(images.flatten(1))[:104].double()
    population = Population(specs, images[:104].flatten(1), torch.float64)
    oracles = [Oracle(spec.variant, population, run, spec.seed) for run, spec in enumerate(specs)]
    population.epoch()
    for run, (spec, oracle) in enumerate(zip(specs, oracles, strict=True)):
        variant = spec.variant
        order, latents = (
            random_generator(variant.pinned.get(purpose, spec.seed), purpose) for purpose in ("order", "latents")
        )
        for step, chosen in enumerate(torch.randperm(104, generator=order).split(16), start=1):
            drawn = torch.randn(len(chosen), variant.latent_dim, generator=latents).double()
            oracle.step(scaled[chosen], drawn, learns=step % variant.discriminator_steps == 0)
        networks = [(population.generator, oracle.generator), (population.discriminator, oracle.discriminator)]
        if population.encoder:
            networks.append((population.encoder, oracle.encoder))
        for network, module in networks:
            for part, expected in module.state_dict().items():
                torch.testing.assert_close(network.state(run)[f"model.{part}"], expected, rtol=1e-7, atol=1e-11)


@pytest.mark.parametrize("name", VARIANTS)
def test_an_epoch_is_that_of_torchs_modules(study: Study, images: Tensor, name: str) -> None:
    check_epoch([RunSpec(study.variants[name], seed) for seed in (4, 9)], images)


@pytest.mark.parametrize("name", ["non_saturating", "wgan", "vae_gan", "wgan_gp", "r3gan", "feature_matching"])
def test_an_epoch_of_a_dcgan_is_that_of_torchs_modules(study: Study, images: Tensor, name: str) -> None:
    shapes = {"networks": "dcgan", "generator_hidden": (4, 3), "discriminator_hidden": (3, 4)}
    encoder = {"encoder_hidden": (2, 3)} if study.variants[name].encoder_hidden else {}
    variant = study.variants[name].model_copy(update=shapes | encoder)
    check_epoch([RunSpec(variant, seed) for seed in (4, 9)], images)


@pytest.mark.parametrize("steps", [2, 5])
def test_the_discriminator_may_take_several_steps(study: Study, images: Tensor, steps: int) -> None:
    """Each on new images, and only the last one's are the generator's."""
    for name in ("wgan", "wgan_gp", "vae_gan"):
        variant = study.variants[name].model_copy(update={"discriminator_steps": steps})
        check_epoch([RunSpec(variant, seed) for seed in (4, 9)], images)


def test_runs_of_different_recipes_are_trained_side_by_side(study: Study, images: Tensor) -> None:
    """Each by its own numbers: objectives, both optimizers', the label, the weights of the terms, the clip."""

    def adam(**changes: object) -> object:
        return study.baseline.generator_optimizer.model_copy(update=changes)

    base = study.baseline.model_copy(update={"terms": {"r1": 0.5, "pixel_mse": 2.0}, "clip": 0.05})
    recipes = [
        base,
        base.model_copy(update={"generator_optimizer": adam(lr=1e-3, betas=(0.5, 0.9))}),
        base.model_copy(update={"discriminator_optimizer": adam(lr=1e-3, eps=1e-3)}),
        base.model_copy(update={"objective": "cewl", "real_label": 0.8, "adversarial": 0.3}),
        base.model_copy(update={"objective": "cewl", "terms": {"r1": 3.0, "pixel_mse": 0.1}, "clip": 0.02}),
        base.model_copy(update={"objective": "minimax", "real_label": 0.9}),
    ]
    check_epoch([RunSpec(recipe, seed) for recipe, seed in zip(recipes, (3, 3, 4, 5, 5, 6), strict=True)], images)


def test_momentum_may_differ_and_be_none(study: Study, images: Tensor) -> None:
    base = study.variants["minimax_sgd"]
    recipes = [
        base.model_copy(update={"generator_optimizer": base.generator_optimizer.model_copy(update={"momentum": m})})
        for m in (0.9, 0.0, 0.5)
    ]
    check_epoch([RunSpec(recipe, 3) for recipe in recipes], images)
