"""What a GPU does besides a step, on the fake runtime: the trainer, the mechanism's measurements, the benchmark."""

from pathlib import Path

import pytest
import torch
from gpu.fake import runtime
from gpu.fake.engine import train_variants

from gan.benchmarking import benchmark, contestants, roofline
from gan.compute.executors import InProcessExecutor, local_executor
from gan.compute.hardware import describe_hardware
from gan.compute.store import export_runs
from gan.mechanism import measuring, tutorial
from gan.study.schema import Study


@pytest.fixture
def study(study: Study) -> Study:
    """On a GPU, with a checkpoint after every epoch."""
    compute = study.compute.model_copy(update={"device": "auto", "checkpoint_seconds": 0.0})
    return study.model_copy(update={"compute": compute})


def test_the_gpu_is_found(study: Study) -> None:
    executor = local_executor(study.compute)
    assert isinstance(executor, InProcessExecutor)
    assert describe_hardware(executor.device)["name"] == "Fake H100"


def test_the_trainer_keeps_what_it_trains(study: Study, images: torch.Tensor, tmp_path: Path) -> None:
    trained = train_variants(study, ["wgan_gp"], images, tmp_path)
    again = train_variants(study, ["wgan_gp"], images, tmp_path)
    assert again.kept == trained.kept
    assert all((folder / "run.json").exists() for folder in trained.kept.values())


def test_little_memory_splits_a_population(
    study: Study, images: torch.Tensor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (3 * 2**20, 80 * 2**30))
    before = runtime.count("captures")
    trained = train_variants(study, ["wgan_gp"], images, tmp_path)
    assert len(trained.kept) == 3
    assert runtime.count("captures") - before > 2


def test_the_mechanism_is_measured(study: Study, images: torch.Tensor, tmp_path: Path) -> None:
    name = study.mechanism.variant
    export_runs(train_variants(study, [name], images, tmp_path / "store").kept, tmp_path / "runs")
    measured = measuring.measure(study, tmp_path / "runs", images, InProcessExecutor())
    assert measured.fresh_discriminator


def test_the_tutorial_runs(images: torch.Tensor) -> None:
    tutorial.train(images, torch.zeros(len(images)), 1, "cuda")


def test_the_benchmark_runs(study: Study, images: torch.Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contestants, "SIZES", (1, 2))
    monkeypatch.setattr(roofline, "SAMPLE", 1e-9)  # nothing takes time here
    measured = benchmark.measure(
        study.baseline, images, torch.zeros(len(images)), InProcessExecutor(), 1, lambda line: None
    )
    assert measured["hardware"]["name"] == "Fake H100"
    assert [size["runs"] for size in measured["sizes"]] == [1, 2]
