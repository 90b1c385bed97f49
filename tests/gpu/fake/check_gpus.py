"""Two GPUs work side by side on the fake runtime, each in a process of its own."""

import os
import signal
from pathlib import Path

import pytest
import torch
from gpu.fake import runtime
from gpu.fake.engine import train, train_variants

from gan.compute.executors import ProcessExecutor, ProgressCallback, local_executor
from gan.errors import StudyError
from gan.study.recipe import Variant
from gan.study.schema import Study


@pytest.fixture
def study(study: Study) -> Study:
    return study.model_copy(update={"compute": study.compute.model_copy(update={"device": "cuda"})})


def places(shared: torch.Tensor, item: int, on_progress: ProgressCallback) -> tuple[int, str, int, bool]:
    """A task: the process, its GPU by two ways, and whether products are exact there."""
    on_progress(1)
    device = shared.to("cuda").device
    return os.getpid(), str(device), torch.cuda.current_device(), torch.backends.cuda.matmul.allow_tf32


def test_each_worker_has_a_gpu(study: Study, images: torch.Tensor) -> None:
    executor, done = local_executor(study.compute), list[int]()
    assert (executor.device, executor.workers) == ("cuda", 2)
    found = set(executor.run(places, range(40), images, done.append))
    assert sorted(found, key=lambda place: place[2])[0][1:] == ("cuda:0", 0, False)
    assert {device for _, device, *_ in found} <= {"cuda:0", "cuda:1"}
    assert len({process for process, *_ in found}) == len(found)
    assert sum(done) == 40
    assert local_executor(study.compute, most_gpus=1).workers == 1


def trained_there(
    shared: tuple[Variant, torch.Tensor], seed: int, on_progress: ProgressCallback
) -> tuple[int, int, int]:
    variant, images = shared
    train([(variant, seed)], images)
    on_progress(1)
    there = torch.cuda.current_device()
    other = torch.cuda.memory_allocated(1 - there)
    return there, other, runtime.count("faults")


def test_a_population_stays_on_its_gpu(variant: Variant, images: torch.Tensor) -> None:
    variant = variant.model_copy(update={"epochs": 8})
    for _, elsewhere, faults in ProcessExecutor(2, "cuda").run(trained_there, range(4), (variant, images), print):
        assert (elsewhere, faults) == (0, 0)


def test_the_second_gpu_records_as_the_first(variant: Variant, images: torch.Tensor) -> None:
    """In one process: nothing is kept for a GPU that another would get."""
    runs = [(variant.model_copy(update={"epochs": 8}), seed) for seed in (0, 1)]
    for device in ("cuda:0", "cuda:1", "cuda:0"):
        before = runtime.count("captures")
        with torch.cuda.device(device):
            train(runs, images, device=device)
        assert runtime.count("captures") - before == 2


def test_a_study_is_trained_on_both(study: Study, images: torch.Tensor, tmp_path: Path) -> None:
    trained = train_variants(study, ["cewl"], images, tmp_path)
    assert (trained.workers, len(trained.kept)) == (2, 3)


def killed(shared: None, item: int, on_progress: ProgressCallback) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_killed_worker_is_told() -> None:
    with pytest.raises(StudyError, match="a worker process was killed"):
        list(ProcessExecutor(2, "cuda").run(killed, [1, 2], None, print))
