"""The ring of Gaussians: its scores against brute force and against the mixture itself, and its runs."""

from dataclasses import asdict

import numpy as np
import pytest
import torch
from conftest import as_module
from scipy.spatial.distance import cdist
from torch import nn

from gan.compute.executors import InProcessExecutor, ProcessExecutor
from gan.networks import perceptrons
from gan.networks.architecture import Network
from gan.records.toys import Ring, RingRun
from gan.seeding import random_generator
from gan.study.schema import Study
from gan.study.toys import Ring as Settings
from gan.toys import ring
from gan.toys.ring import Mixture, mean_distance, scores

METZ = Mixture(8, 2.0, 0.02)


@pytest.fixture
def settings(study: Study) -> Settings:
    return study.toys.ring


def drawn(count: int, mixture: Mixture = METZ) -> np.ndarray:
    return mixture.draw(count, torch.Generator().manual_seed(0)).double().numpy()


def test_the_mixture_covers_itself(settings: Settings) -> None:
    """In the plane, the share within 3 standard deviations is 1 - exp(-9/2)."""
    modes, quality, distance = scores(drawn(20_000), METZ, settings)
    assert modes == 8
    assert quality == pytest.approx(1 - np.exp(-4.5), abs=0.003)
    assert distance == pytest.approx(METZ.spread / 20_000, abs=2e-4)


def test_the_mixture_has_its_moments() -> None:
    samples = drawn(200_000)
    nearest = cdist(samples, METZ.centres).argmin(1)
    for mode, centre in enumerate(METZ.centres):
        own = samples[nearest == mode]
        assert len(own) / len(samples) == pytest.approx(1 / 8, abs=0.004)
        assert np.linalg.norm(centre) == pytest.approx(2.0)
        assert own.mean(0) == pytest.approx(centre, abs=1e-3)
        assert own.std(0) == pytest.approx([0.02, 0.02], rel=0.03)


def test_modes_and_quality_are_counted_one_by_one(settings: Settings) -> None:
    samples = np.concatenate([drawn(300)[:40], np.random.default_rng(0).normal(0, 2, (60, 2)), METZ.centres[[0] * 30]])
    counts, good = [0] * 8, 0
    for x, y in samples:
        inside = [mode for mode, (a, b) in enumerate(METZ.centres) if (x - a) ** 2 + (y - b) ** 2 <= 0.06**2]
        good += bool(inside)
        for mode in inside:
            counts[mode] += 1
    for share in (0.01, 0.05, 0.2):
        own = settings.model_copy(update={"mode_share": share})
        modes, quality, _ = scores(samples, METZ, own)
        assert modes == sum(count / len(samples) >= share for count in counts)
        assert quality == good / len(samples)


@pytest.mark.parametrize("mixture", [METZ, Mixture(3, 0.5, 0.7)])
def test_the_distance_is_brute_forces(mixture: Mixture) -> None:
    """Against as many draws of the mixture as a mean over pairs allows."""
    samples, truth = np.random.default_rng(1).normal(0.3, 1, (200, 2)), drawn(6000, mixture)
    between, within = cdist(samples, truth).mean(), cdist(samples, samples).mean()
    spread = cdist(truth, truth).sum() / len(truth) / (len(truth) - 1)
    assert mixture.spread == pytest.approx(spread, rel=0.01)
    assert mixture.energy_distance(samples) == pytest.approx(2 * between - within - spread, abs=0.02)


def test_the_mean_distance_to_a_gaussian_has_its_limits() -> None:
    """Rayleigh's mean at its centre, the distance itself from afar; a quadrature between."""
    near, between, far = mean_distance(np.array([0.0, 1.0, 1e6]), 0.5)
    assert near == pytest.approx(0.5 * np.sqrt(np.pi / 2))
    assert far == pytest.approx(1e6)
    axis = np.linspace(-4, 4, 801)
    x, y = np.meshgrid(axis, axis)
    weights = np.exp(-(x**2 + y**2) / 2 / 0.25)
    assert between == pytest.approx((np.hypot(1 + x, y) * weights).sum() / weights.sum(), rel=1e-6)


def test_the_distance_is_never_negative_and_less_is_better() -> None:
    truth = drawn(1000)
    one_mode = truth[cdist(truth, METZ.centres).argmin(1) == 0]
    distances = [METZ.energy_distance(samples) for samples in (truth, truth * 1.05, truth * 1.5, one_mode)]
    assert distances == sorted(distances)
    assert distances[0] > 0


def test_a_diverged_run_has_no_distance(settings: Settings) -> None:
    assert scores(np.full((50, 2), np.nan), METZ, settings) == (0, 0.0, None)


def runs(record: Ring) -> dict[tuple[str, float, int, int], RingRun]:
    return {(row.objective, row.beta1, row.seed, row.step): row for row in record.runs}


def test_the_record_has_every_run_and_the_same_bits_again(study: Study, settings: Settings) -> None:
    record = ring.measure(settings, study.baseline, InProcessExecutor())
    assert list(runs(record)) == [
        (objective, beta1, seed, step)
        for objective in settings.objectives
        for beta1 in settings.beta1
        for seed in settings.seeds
        for step in settings.steps
    ]
    assert [row.seed for row in record.truth] == [*settings.seeds]
    assert asdict(ring.measure(settings, study.baseline, ProcessExecutor(2))) == asdict(record)


def test_the_first_steps_are_torchs(study: Study, settings: Settings) -> None:
    """Every seed's samples after three steps of torch's own modules, losses and Adam; the last draws are unseen."""
    steps, baseline = 3, study.baseline
    settings = settings.model_copy(update={"steps": (steps,), "hidden": (8, 6)})
    ((_, samples),) = ring.train(settings, baseline, METZ, ("minimax", 0.5), lambda done: None)
    for run, seed in enumerate(settings.seeds):

        def stream(purpose: str, seed: int = seed) -> torch.Generator:
            return random_generator(seed, f"ring, {purpose}")

        architectures = {
            "generator": perceptrons.discriminator(settings.latent_dim, settings.hidden, 2, 0.0),
            "discriminator": perceptrons.discriminator(2, settings.hidden, 1, baseline.leaky_slope),
        }
        generator, discriminator = (
            as_module(Network(architecture, [stream(name)]), 0) for name, architecture in architectures.items()
        )
        adams = [
            torch.optim.Adam(player.parameters(), lr=own.lr, betas=(0.5, own.betas[1]), eps=own.eps)
            for player, own in (
                (generator, baseline.generator_optimizer),
                (discriminator, baseline.discriminator_optimizer),
            )
        ]
        size, loss = baseline.batch_size, nn.BCEWithLogitsLoss()
        data = METZ.draw(ring.AHEAD * size, stream("data")).split(size)
        noise = torch.randn(ring.AHEAD * size, settings.latent_dim, generator=stream("latents")).split(size)
        ones, zeros = torch.ones(size, 1), torch.zeros(size, 1)
        for step in range(steps):
            fake = generator(noise[step])
            told = loss(discriminator(data[step]), ones) + loss(discriminator(fake.detach()), zeros)
            discriminator.zero_grad()
            told.backward()
            adams[1].step()
            generator.zero_grad()
            (-loss(discriminator(fake), zeros)).backward()
            adams[0].step()
        latents = torch.randn(settings.samples, settings.latent_dim, generator=stream("samples"))
        assert samples[run] == pytest.approx(generator(latents).detach().double().numpy(), abs=1e-5)


def test_seeds_and_objectives_share_what_they_should(study: Study, settings: Settings) -> None:
    """Before it has learnt, a seed makes the same samples in every task, and another seed others."""
    still = study.baseline.generator_optimizer.model_copy(update={"lr": 1e-30})
    baseline = study.baseline.model_copy(update={"generator_optimizer": still})
    rows = runs(ring.measure(settings, baseline, InProcessExecutor()))
    first, second = settings.seeds
    scored = {key: (row.modes, row.quality, row.score) for key, row in rows.items()}
    by_seed = {seed: {value for key, value in scored.items() if key[2:] == (seed, 3)} for seed in settings.seeds}
    assert len(by_seed[first]) == len(by_seed[second]) == 1
    assert by_seed[first] != by_seed[second]
