"""The benchmark: its floor against torch's counter of operations, its entries, and a small benchmark."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from gan.commands.benchmark import measure, save_entry, table
from gan.commands.roofline import bytes_per_step, operations_per_step
from gan.compute.executors import ProcessExecutor
from gan.files import read_json
from gan.study.schema import Study, Variant
from gan.training.population import Population


@pytest.fixture
def tutorials(variant: Variant) -> Variant:
    """The tutorial's networks and batch."""
    changes = {
        "generator_hidden": (128, 256), "discriminator_hidden": (256, 128), "latent_dim": 100, "batch_size": 64
    }  # fmt: skip
    return variant.model_copy(update=changes)


def test_the_floor_counts_a_steps_operations(tutorials: Variant) -> None:
    """As torch's own counter sees them."""
    population = Population(tutorials, [0, 1], torch.rand(64, 784))
    with FlopCounterMode(display=False) as counter:
        population.epoch()
    assert counter.get_total_flops() / 2 == operations_per_step(tutorials, 784)
    assert operations_per_step(tutorials, 784) == pytest.approx(0.28e9, rel=0.01)


def test_the_floor_counts_parameters_and_moments_once_each_way(tutorials: Variant) -> None:
    parameters = 101 * 128 + 129 * 256 + 257 * 784 + 785 * 256 + 257 * 128 + 129
    assert bytes_per_step(tutorials, 784) == pytest.approx(6 * 4 * parameters, rel=0.001)


def test_other_hardwares_entries_are_kept(tmp_path: Path) -> None:
    def entry(name: str, device: str = "cpu", **more: int) -> dict[str, Any]:
        return {"hardware": {"device": device, "name": name, "cores": 2}, **more}

    path = tmp_path / "benchmark.json"
    save_entry(entry("A processor", round=1), path)
    save_entry(entry("A GPU", device="cuda"), path)
    save_entry(entry("A processor", round=2), path)
    assert list(read_json(path)) == ["A processor, 2 cores", "A GPU"]
    assert read_json(path)["A processor, 2 cores"]["round"] == 2


@pytest.mark.slow
def test_a_small_benchmark(study: Study, images: torch.Tensor) -> None:
    announced: list[str] = []
    measured = measure(study.baseline, images, torch.zeros(200), ProcessExecutor(2), 1, announced.append)
    assert len(announced) == 1
    assert measured["work"]["runs"] == 12
    tutored, trained = (measured[name]["seconds_per_run_epoch"]["median"] for name in ("tutorial", "engine"))
    assert measured["ratio_to_tutorial"]["median"] == pytest.approx(tutored / trained)
    floor = measured["floor"]["seconds_per_run_epoch"]["median"]
    assert measured["ratio_to_floor"]["median"] == pytest.approx(trained / floor)
    assert min(floor, trained, tutored) > 0
    assert measured["sizes"] == []
    assert measured["mib_per_run"] is None
    assert measured["engine"]["peak_mib"] > measured["tutorial"]["peak_mib"] > 50
    assert table(measured).row_count == 5
