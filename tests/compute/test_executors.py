"""Work on several processes: every result, every report of progress and every error arrives."""

import os
import resource
import signal
import tempfile
import threading
import time
from itertools import product
from typing import Any

import pytest
import torch

from gan import machine
from gan.compute.executors import (
    ProcessExecutor,
    ProgressCallback,
    _uninterrupted,
    divide,
    local_executor,
)
from gan.errors import StudyError
from gan.study.schema import Compute


def work(shared: int, item: int, on_progress: ProgressCallback) -> tuple[int, int, bool]:
    """A task: the product, the number of threads, and whether a GPU may round."""
    on_progress(item)
    if item < 0:
        raise ValueError("negative item")
    rounded = torch.backends.cuda.matmul.allow_tf32 or torch.backends.cudnn.allow_tf32
    return shared * item, torch.get_num_threads(), rounded or os.environ["NVIDIA_TF32_OVERRIDE"] != "0"


def compute(**changes: Any) -> Compute:
    values = {"engine": "local", "device": "cpu", "workers": "auto", "population": "auto", "gpu_share": 1.0}
    values["checkpoint_seconds"] = 60
    return Compute(**{**values, **changes})


def test_results_and_progress_arrive_from_single_exact_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the environment says of exactness."""
    for name in ("NVIDIA_TF32_OVERRIDE", "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE"):
        monkeypatch.setenv(name, "1")
    reported: list[int] = []
    results = sorted(ProcessExecutor(2).run(work, [1, 2, 3, 4], 10, reported.append))
    assert results == [(product, 1, False) for product in (10, 20, 30, 40)]
    assert sorted(reported) == [1, 2, 3, 4]


def test_a_failing_task_raises_its_error() -> None:
    with pytest.raises(ValueError, match="negative item"):
        list(ProcessExecutor(2).run(work, [1, -1], 10, lambda done: None))


def test_ctrl_c_waits_until_workers_have_started() -> None:
    """Also if another thread of the process receives it."""
    received, end = [], threading.Event()
    before = signal.signal(signal.SIGINT, lambda number, frame: received.append(number))
    other = threading.Thread(target=end.wait)
    other.start()
    try:
        with _uninterrupted():
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.1)
            assert not received
        assert received == [signal.SIGINT]
    finally:
        end.set()
        other.join()
        signal.signal(signal.SIGINT, before)


def is_shielded(shared: None, item: int, on_progress: ProgressCallback) -> bool:
    """A task: whether Ctrl-C, which reaches all processes of a terminal, passes this one by."""
    return signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, [])


def test_workers_leave_ctrl_c_to_their_parent() -> None:
    assert list(ProcessExecutor(2).run(is_shielded, [1, 2], None, lambda done: None)) == [True, True]


def test_full_shared_memory_is_one_line() -> None:
    """As in a container whose /dev/shm is smaller than the images."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)  # it limits shared memory, too
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(StudyError, match=r"^the workers cannot be given the images: enlarge /dev/shm .*\)$"):
            list(ProcessExecutor(2).run(work, [1, 2], torch.ones(10_000), lambda done: None))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_workers_are_cores_unless_told() -> None:
    assert local_executor(compute()).workers == machine.cores()
    assert local_executor(compute(workers=3)).workers == 3


@pytest.mark.parametrize(("free", "workers"), [(8.0, 4), (2.5, 2), (0.3, 1)])
def test_memory_bounds_the_workers_and_a_line_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], free: float, workers: int
) -> None:
    monkeypatch.setattr(machine, "cores", lambda: 4)
    monkeypatch.setattr(machine, "free_memory", lambda: int(free * 2**30))
    assert local_executor(compute()).workers == workers
    told = capsys.readouterr().err
    assert told == (
        ""
        if workers == 4
        else f"workers: {workers} instead of 4, only {free} GiB of memory are free; "
        "compute.workers sets another number\n"
    )
    assert local_executor(compute(workers=9)).workers == 9


def test_without_any_folder_for_temporary_files_a_line_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", none)
    with pytest.raises(StudyError, match=r"^no folder for temporary files can be written: .* TMPDIR$"):
        list(ProcessExecutor(2).run(work, [1], 10, lambda done: None))


def test_scoring_beside_a_cluster_uses_what_this_machine_has(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine that scores needs no workers and GPUs that a cluster was asked for."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    executor = local_executor(compute(engine="ray", device="cuda", workers=1000))
    assert (executor.device, executor.workers) == ("cpu", machine.cores())


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
