"""Work on several processes: every result arrives, ticks arrive, errors arrive."""

from typing import Any

import pytest
import torch

from gan.errors import StudyError
from gan.study import Compute
from gan.workers import Tick, choose_device, count_cores, count_workers, describe_hardware, on_cores


def work(shared: int, item: int, tick: Tick) -> tuple[int, int]:
    """A task: multiply, tell the number of threads."""
    tick(item)
    if item < 0:
        raise ValueError("negative item")
    return shared * item, torch.get_num_threads()


def compute(**changes: Any) -> Compute:
    return Compute(**{"device": "cpu", "workers": "auto", **changes})


def test_results_and_ticks_arrive_from_single_threads() -> None:
    ticks: list[int] = []
    results = sorted(on_cores(work, [1, 2, 3, 4], 10, 2, ticks.append))
    assert results == [(10, 1), (20, 1), (30, 1), (40, 1)]
    assert sorted(ticks) == [1, 2, 3, 4]


def test_a_failing_task_raises_its_error() -> None:
    with pytest.raises(ValueError, match="negative item"):
        list(on_cores(work, [1, -1], 10, 2, lambda done: None))


def test_workers_are_cores_but_no_more_than_tasks() -> None:
    assert count_workers(compute(), 1000) == count_cores()
    assert count_workers(compute(workers=3), 1000) == 3
    assert count_workers(compute(workers=3), 2) == 2
    assert count_workers(compute(), 0) == 1


def test_a_missing_gpu_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device(compute(device="auto")) == "cpu"
    with pytest.raises(StudyError, match=r"compute\.device is cuda, but"):
        choose_device(compute(device="cuda"))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device(compute(device="auto")) == "cuda"


def test_hardware_has_a_name() -> None:
    hardware = describe_hardware("cpu")
    assert hardware["name"]
    assert hardware["cores"] == count_cores()
