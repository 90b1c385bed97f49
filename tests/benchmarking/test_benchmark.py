"""The benchmark: its floor against closed forms, its entries, its peer against the tutorial, and a small benchmark."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gan.benchmarking import benchmark, contestants
from gan.benchmarking.benchmark import has_rivals, measure, save_entry, slower_choice, table
from gan.benchmarking.contestants import Turn
from gan.benchmarking.roofline import Rates, Timed, bytes_per_step, measure_rates, operations_per_step, shapes
from gan.compute.executors import ProcessExecutor
from gan.files import read_json
from gan.mechanism.tutorial import Tutorial, discriminator, generator
from gan.study.recipe import Sgd, Variant
from gan.study.schema import Study
from gan.training import arithmetic

needs_jax = pytest.mark.skipif(find_spec("jax") is None, reason="JAX is not installed: `make peer`")


@pytest.fixture
def tutorials(variant: Variant) -> Variant:
    """The tutorial's networks and batch."""
    changes = {
        "generator_hidden": (128, 256), "discriminator_hidden": (256, 128), "latent_dim": 100, "batch_size": 64
    }  # fmt: skip
    return variant.model_copy(update=changes)


def test_the_floor_counts_a_steps_operations(tutorials: Variant, images: torch.Tensor) -> None:
    """The first layers are passed forward and for the weights, the others back to their inputs, too.

    The discriminator learns from real and generated images; then the generator learns through it, for which it passes
    generated images forward and back to the images, without its weights.
    """
    g, d = (100 * 128, 128 * 256, 256 * 784), (784 * 256, 256 * 128, 128)
    generator_step = 2 * 64 * (2 * sum(g) + sum(g[1:]) + 2 * sum(d))
    discriminator_step = 2 * 128 * (2 * sum(d) + sum(d[1:]))
    assert operations_per_step(tutorials, images) == generator_step + discriminator_step


def test_the_floor_counts_parameters_and_moments_once_each_way(tutorials: Variant) -> None:
    parameters = 101 * 128 + 129 * 256 + 257 * 784 + 785 * 256 + 257 * 128 + 129
    assert bytes_per_step(tutorials, 784) == 6 * 4 * parameters


def test_the_floors_rate_is_that_of_the_best_product(tutorials: Variant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gan.benchmarking.roofline._seconds", lambda work, device: 1.0)
    assert (784, 128, 256) in shapes(tutorials, 784)
    assert measure_rates(tutorials, 784, "cpu").operations == 2 * 1024**3
    assert measure_rates(tutorials, 784, "cpu").bytes == bytes_per_step(tutorials, 784)


def test_workers_side_by_side_add_up() -> None:
    turn = Turn.of([Timed(0, 2, 10), Timed(1, 5, 20)], 1, [Rates(3, 4), Rates(5, 6)])
    assert turn == Turn(per_run_epoch=1 / (1 / 2 + 1 / 4), seconds=5, peak_bytes=30, operations=8, bytes=10)


def test_other_hardwares_entries_are_kept(tmp_path: Path) -> None:
    def entry(name: str, device: str = "cpu", **more: int) -> dict[str, Any]:
        return {"hardware": {"device": device, "name": name, "cores": 2}, **more}

    path = tmp_path / "benchmark.json"
    save_entry(entry("A processor", round=1), path)
    save_entry(entry("A GPU", device="cuda"), path)
    save_entry(entry("A processor", round=2), path)
    save_entry(entry("A GPU", device="cuda"), path, "hinge")
    assert list(read_json(path)) == ["A processor, 2 cores", "A GPU", "A GPU, hinge"]
    assert read_json(path)["A processor, 2 cores"]["round"] == 2


@pytest.mark.parametrize(("default", "onednn", "warned"), [(3.0, 2.0, True), (2.05, 2.0, False), (2.0, 3.0, False)])
def test_a_rule_that_chose_badly_is_one_line(default: float, onednn: float, warned: bool) -> None:
    paths = {"default": {"median": default}, "onednn": {"median": onednn}}
    line = slower_choice({"engine": {"path": "default", "paths": paths}})
    assert bool(line) == warned
    assert not line or ("onednn is faster: 2.00 instead of 3.00 s" in line and "\n" not in line)


class Bench:
    """A benchmark whose contestants take no time; `told` is what it said, `order` who had a turn."""

    def __init__(self, variant: Variant, images: torch.Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
        self.told: list[str] = []
        self.order: list[str] = []
        self.now = 0.0
        self._variant, self._images = variant, images
        monkeypatch.setattr(benchmark, "usable_paths", lambda: ["default", "onednn"])
        monkeypatch.setattr(benchmark, "version", lambda name: "1.0")
        monkeypatch.setattr(benchmark.time, "perf_counter", lambda: self.now)
        monkeypatch.setattr(arithmetic, "choose", lambda: "onednn")
        monkeypatch.setattr(benchmark, "tutorial_turn", lambda work: self.turn("tutorial", 8.0))
        monkeypatch.setattr(benchmark, "peer_turn", lambda work, executor: self.turn("peer", 3.0))
        seconds = {"default": 4.0, "onednn": 2.0}
        monkeypatch.setattr(benchmark, "engine_turn", lambda work, executor, path: self.turn(path, seconds[path]))

    def turn(self, name: str, seconds: float) -> Turn:
        self.order.append(name)
        self.now += 25
        rate = 1e9 if name == "default" else 2e9
        return Turn(seconds, seconds, 2**20, rate, 1e9)

    def measure(self, repeats: int | None, **options: Any) -> dict[str, Any]:
        return measure(
            self._variant, self._images, torch.zeros(200), ProcessExecutor(2), repeats, self.told.append, **options
        )


@pytest.fixture
def bench(tutorials: Variant, images: torch.Tensor, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr(benchmark, "find_spec", lambda name: True)
    return Bench(tutorials, images, monkeypatch)


def test_all_are_measured_in_turns_and_set_beside_the_chosen_engine(bench: Bench) -> None:
    measured = bench.measure(2)
    assert bench.order == ["tutorial", "default", "onednn", "peer", "peer", "onednn", "default", "tutorial"]
    assert measured["engine"]["path"] == "onednn"
    assert {path: found["median"] for path, found in measured["engine"]["paths"].items()} == {"default": 4, "onednn": 2}
    assert [measured[f"ratio_to_{name}"]["median"] for name in ("tutorial", "peer")] == [4, 1.5]
    # Four steps of 0.28 GFLOP at the better rate, then 11.6 MB each.
    floor = 4 * (measured["floor"]["gflop_per_step"] / 2 + measured["floor"]["mb_per_step"] / 1e3)
    assert measured["floor"]["seconds_per_run_epoch"]["median"] == pytest.approx(floor)
    assert measured["ratio_to_floor"]["median"] == pytest.approx(2 / floor)
    assert table(measured).row_count == 8


def test_rounds_end_within_five_minutes(bench: Bench) -> None:
    """A round of these takes 100 seconds."""
    assert bench.measure(None)["work"]["repeats"] == 2
    assert bench.now <= 280


def test_a_variant_has_no_comparison(bench: Bench) -> None:
    measured = bench.measure(1, compared=False)
    assert set(bench.order) == {"default", "onednn"}
    assert not measured.keys() & {"tutorial", "peer", "ratio_to_tutorial", "ratio_to_peer"}
    assert table(measured).row_count == 4


@pytest.mark.parametrize(
    "changes", [{"networks": "dcgan"}, {"discriminator_steps": 2}, {"terms": {"r1": 1.0}}, {"clip": 0.1}, {"sgd": True}]
)
def test_tutorial_and_peer_are_compared_on_their_own_recipe_only(tutorials: Variant, changes: dict[str, Any]) -> None:
    assert has_rivals(tutorials)
    if changes.pop("sgd", False):
        changes["generator_optimizer"] = Sgd(name="sgd", lr=0.01, momentum=0.0)
    assert not has_rivals(tutorials.model_copy(update=changes))


def test_tutorial_and_peer_are_left_out_with_a_word(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark, "has_rivals", lambda variant: False)
    measured = bench.measure(1)
    assert set(bench.order) == {"default", "onednn"}
    assert "tutorial and peer are left out" in bench.told[0]
    assert not measured.keys() & {"tutorial", "peer"}


def test_without_jax_the_rest_is_measured(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark, "find_spec", lambda name: None)
    measured = bench.measure(1)
    assert "make peer" in bench.told[0]
    assert "peer" not in measured
    assert measured["ratio_to_tutorial"]["median"] == 4


def test_set_up_is_not_timed_with_the_curve(variant: Variant, images: torch.Tensor, monkeypatch) -> None:
    """What comes before the end of the first epoch: making the population, choosing kernels, recording a graph."""
    now = [0.0]

    def train(specs, images, quantiles, device, on_epoch, **options: Any) -> None:
        now[0] += 100
        for _ in range(specs[0].variant.epochs):
            now[0] += 1
            on_epoch(len(specs))

    monkeypatch.setattr(contestants, "train", train)
    monkeypatch.setattr(contestants.time, "perf_counter", lambda: now[0])
    assert contestants._last_epoch((variant, images, "cpu"), [0], print).seconds == 1


@pytest.mark.slow
@needs_jax
def test_the_peer_takes_the_tutorials_steps(tutorials: Variant) -> None:
    """From the same weights, on the same images and latents: losses, and weights after six steps."""
    import jax
    import jax.numpy as jnp

    from gan.benchmarking.peer import Recipe

    def layers(network: torch.nn.Module) -> list[tuple[Any, Any]]:
        parameters = [jnp.array(part.detach().numpy().T) for part in network.parameters()]
        return list(zip(parameters[::2], parameters[1::2], strict=True))

    torch.manual_seed(0)
    theirs = Tutorial(generator().double(), discriminator().double())
    recipe = Recipe(tutorials, 784)
    with jax.enable_x64(True):
        state = recipe.start(layers(theirs.generator), layers(theirs.discriminator), jax.random.key(0))
        step = jax.jit(recipe.step)
        for _ in range(6):
            real, latents = torch.rand(64, 784).double() * 2 - 1, torch.randn(64, 100).double()
            losses = theirs.step(real, latents)
            state, logged = step(state, real.numpy(), latents.numpy())
            ours = [logged["discriminator_loss"], logged["generator_loss"]]
            np.testing.assert_allclose(ours, torch.stack(losses), rtol=1e-9)
        for mine, network in ((state.generator, theirs.generator), (state.discriminator, theirs.discriminator)):
            for pair, expected in zip(mine, layers(network), strict=True):
                for part, other in zip(pair, expected, strict=True):
                    np.testing.assert_allclose(part, other, atol=1e-8)


@pytest.mark.slow
@needs_jax
def test_the_peer_trains_its_runs_on_the_images(variant: Variant, images: torch.Tensor) -> None:
    """Side by side, each from weights of its own; how many epochs is told by the images that they were trained on."""
    from gan.benchmarking.peer import Training

    training = Training(variant, images.flatten(1).numpy(), runs=2)
    before = [np.asarray(part) for layer in training.states.generator for part in layer]
    bounds = [inputs**-0.5 for inputs in (8, 16, 24)]
    for part, bound in zip(before[::2], bounds, strict=True):
        assert abs(part).max() == pytest.approx(bound, rel=0.1)
        assert abs(part).max() <= bound
        assert not np.array_equal(*part)
    assert training.run(12) == pytest.approx(12 * 16 / 200)  # parts of one batch
    for part, layer in zip(before[::2], training.states.generator, strict=True):
        assert not np.array_equal(part, layer[0])


@pytest.mark.slow
def test_a_small_benchmark(study: Study, images: torch.Tensor) -> None:
    announced: list[str] = []
    measured = measure(study.baseline, images, torch.zeros(200), ProcessExecutor(2), 1, announced.append)
    assert announced[-1].startswith("round 1 of 1: tutorial, default, onednn")
    tutored, trained = (measured[name]["seconds_per_run_epoch"]["median"] for name in ("tutorial", "engine"))
    assert measured["ratio_to_tutorial"]["median"] == pytest.approx(tutored / trained)
    floor = measured["floor"]["seconds_per_run_epoch"]["median"]
    assert measured["ratio_to_floor"]["median"] == pytest.approx(trained / floor)
    assert min(floor, trained, tutored) > 0
    assert measured["sizes"] == []
    assert measured["mib_per_run"] is None
    assert measured["engine"]["peak_mib"] > measured["tutorial"]["peak_mib"] > 50
