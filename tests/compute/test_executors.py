"""Work on several processes: every result arrives, ticks arrive, errors arrive."""

import os
import resource
import signal
import threading
import time
from itertools import product
from typing import Any

import pytest
import torch

from gan.compute.executors import (
    ProcessExecutor,
    ProgressCallback,
    _uninterrupted,
    choose_device,
    count_cores,
    describe_hardware,
    divide,
    local_executor,
)
from gan.errors import StudyError
from gan.study.schema import Compute


def work(shared: int, item: int, on_progress: ProgressCallback) -> tuple[int, int]:
    """A task: multiply, tell the number of threads."""
    on_progress(item)
    if item < 0:
        raise ValueError("negative item")
    return shared * item, torch.get_num_threads()


def compute(**changes: Any) -> Compute:
    values = {"engine": "local", "device": "cpu", "workers": "auto", "population": "auto", "gpu_share": 1.0}
    values["checkpoint_seconds"] = 60
    return Compute(**{**values, **changes})


def test_results_and_ticks_arrive_from_single_threads() -> None:
    ticks: list[int] = []
    results = sorted(ProcessExecutor(2).run(work, [1, 2, 3, 4], 10, ticks.append))
    assert results == [(10, 1), (20, 1), (30, 1), (40, 1)]
    assert sorted(ticks) == [1, 2, 3, 4]


def test_a_failing_task_raises_its_error() -> None:
    with pytest.raises(ValueError, match="negative item"):
        list(ProcessExecutor(2).run(work, [1, -1], 10, lambda done: None))


def test_ctrl_c_waits_until_workers_have_started() -> None:
    """Also where another thread gets it."""
    heard, end = [], threading.Event()
    before = signal.signal(signal.SIGINT, lambda number, frame: heard.append(number))
    other = threading.Thread(target=end.wait)
    other.start()
    try:
        with _uninterrupted():
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.1)
            assert not heard
        assert heard == [signal.SIGINT]
    finally:
        end.set()
        other.join()
        signal.signal(signal.SIGINT, before)


def test_full_shared_memory_is_one_line() -> None:
    """As in a container whose /dev/shm is smaller than the images."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)  # which holds for shared memory, too
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(StudyError, match=r"^the workers cannot be given the images: enlarge /dev/shm .*\)$"):
            list(ProcessExecutor(2).run(work, [1, 2], torch.ones(10_000), lambda done: None))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_workers_are_cores_unless_told() -> None:
    assert local_executor(compute()).workers == count_cores()
    assert local_executor(compute(workers=3)).workers == 3


def test_beside_a_cluster_this_machine_gives_what_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers and GPUs that a cluster is asked for are not asked of the machine that scores."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    executor = local_executor(compute(engine="ray", device="cuda", workers=1000))
    assert (executor.device, executor.workers) == ("cpu", count_cores())


def test_shares_are_even_and_each_worker_has_as_many() -> None:
    shares = divide(range(25), 2, 8)
    assert [len(share) for share in shares] == [6, 6, 6, 7]
    assert [item for share in shares for item in share] == list(range(25))
    assert [list(share) for share in divide([5, 6], 4, 8)] == [[5], [6]]
    assert [len(share) for share in divide(range(30), 1, 30)] == [30]
    for items, workers, most in product(range(1, 40), range(1, 6), range(1, 10)):
        sizes = [len(share) for share in divide(range(items), workers, most)]
        assert sum(sizes) == items
        assert max(sizes) <= most
        assert max(sizes) - min(sizes) <= 1


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
    assert "float32" in hardware["arithmetic"]
