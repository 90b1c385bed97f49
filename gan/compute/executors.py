"""Where work is done on one machine: processes on its cores, each with one thread, or this process with its GPU."""

import multiprocessing
import os
import platform
import queue
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import connection
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

import torch

from gan.errors import StudyError

if TYPE_CHECKING:
    from gan.study.schema import Compute

Item = TypeVar("Item")
Result = TypeVar("Result")
ProgressCallback = Callable[[int], None]

# glibc would give every large tensor's memory back to the system and have it mapped and zeroed anew for the next one.
KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(32 * 2**20), "MALLOC_TRIM_THRESHOLD_": str(2**30)}
Task: TypeAlias = Callable[[Any, Item, ProgressCallback], Result]


def choose_device(compute: "Compute") -> str:
    """`cuda` or `cpu`; StudyError if params.yaml asks for a GPU that isn't there."""
    if compute.device == "cuda" and not torch.cuda.is_available():
        raise StudyError("compute.device is cuda, but this machine has no usable GPU: set it to auto or cpu")
    device = compute.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda":
        # In TF32, convolutions round to ten bits, and scores would differ from those on a CPU.
        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cudnn.deterministic = True
    return device


def describe_hardware(device: str) -> dict[str, str | int]:
    """What this process computes on: device, its name, the cores at hand, and the path that matrix products take."""
    if device == "cuda":
        name, path = torch.cuda.get_device_name(), "cuBLAS"
    else:
        library = "MKL" if torch.backends.mkl.is_available() else "BLAS"
        name, path = _processor_name(), f"{library}, {torch.backends.cpu.get_cpu_capability()}"
    return {"device": device, "name": name, "cores": count_cores(), "arithmetic": f"float32 ({path})"}


def versions() -> dict[str, str]:
    """Of what decides a result's last digits."""
    return {"python": platform.python_version(), "torch": torch.__version__}


def count_cores() -> int:
    """The cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def divide(items: Sequence[Item], workers: int, most: int) -> list[Sequence[Item]]:
    """Consecutive shares of `most` items or fewer, of equal size but for one, each worker having as many shares."""
    rounds = -(-len(items) // (workers * most))
    shares = min(len(items), workers * rounds)
    return [items[len(items) * share // shares : len(items) * (share + 1) // shares] for share in range(shares)]


class Executor(Protocol):
    """Who does the work: `workers` tasks at a time, each on a `device` of its own."""

    device: str
    workers: int

    def run(
        self, task: Task[Item, Result], items: Sequence[Item], shared: Any, on_progress: ProgressCallback
    ) -> Iterator[Result]:
        """Yield `task(shared, item, on_progress)` of every item as it is done.

        `task` is a module's function; `shared` goes to each worker once. `on_progress` is called here with what the
        tasks report as done.
        """


class ProcessExecutor:
    """Single-threaded processes on this machine's cores; no more are started than there are items."""

    device = "cpu"

    def __init__(self, workers: int) -> None:
        self.workers = workers

    def run(
        self, task: Task[Item, Result], items: Sequence[Item], shared: Any, on_progress: ProgressCallback
    ) -> Iterator[Result]:
        if not items:
            return
        os.environ |= KEEP_MEMORY  # for the processes to come; it is read when they start
        context = multiprocessing.get_context("spawn")
        ticks = context.Queue()
        with ProcessPoolExecutor(min(self.workers, len(items)), context, _prepare, (shared, ticks)) as pool:
            try:
                pending = _submit(pool, task, items)
                while pending:
                    done, pending = wait(pending, timeout=0.2, return_when=FIRST_COMPLETED)
                    _drain(ticks, on_progress)
                    for future in done:
                        yield future.result()
            except BrokenProcessPool:
                raise StudyError(
                    "a worker process was killed, perhaps for want of memory: set compute.workers lower, run again"
                ) from None
            except BaseException:
                for worker in multiprocessing.active_children():
                    worker.terminate()  # what it is at would be for nobody, and take its time
                pool.shutdown(cancel_futures=True)
                raise
        _drain(ticks, on_progress)  # a process that has ended has sent all its ticks


class InProcessExecutor:
    """This process with this machine's GPU."""

    device = "cuda"
    workers = 1

    def run(
        self, task: Task[Item, Result], items: Sequence[Item], shared: Any, on_progress: ProgressCallback
    ) -> Iterator[Result]:
        for item in items:
            yield task(shared, item, on_progress)


def _submit(pool: ProcessPoolExecutor, task: Task[Item, Result], items: Sequence[Item]) -> set[Future[Result]]:
    """Start the processes and give them their work; StudyError if what they share has no room."""
    with _uninterrupted():
        try:
            return {pool.submit(_work, task, item) for item in items}
        except RuntimeError as full:  # torch gives tensors to other processes through files in shared memory
            if "file </torch_" not in str(full):
                raise
            raise StudyError(
                f"the workers cannot be given the images: enlarge /dev/shm (docker's --shm-size), run again ({full})"
            ) from None


def local_executor(compute: "Compute") -> Executor:
    """This machine's GPU or cores, as params.yaml asks; StudyError if it asks for a GPU that isn't there.

    Where params.yaml speaks of a cluster, this machine gives what it has.
    """
    here = compute if compute.engine == "local" else compute.model_copy(update={"device": "auto"})
    return InProcessExecutor() if choose_device(here) == "cuda" else process_executor(compute)


def process_executor(compute: "Compute") -> ProcessExecutor:
    """As many of this machine's cores as params.yaml asks for; where it speaks of a cluster, all of them."""
    return ProcessExecutor(
        compute.workers if compute.engine == "local" and compute.workers != "auto" else count_cores()
    )


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Processes that start here never see Ctrl-C, which is their parent's affair; it sees it afterwards."""
    interrupted: list[int] = []
    # The mask is what the processes inherit; the handler is for a signal that another thread of this one gets.
    handler = signal.signal(signal.SIGINT, lambda number, frame: interrupted.append(number))
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGINT, handler)
        if interrupted:
            signal.raise_signal(signal.SIGINT)


_process: dict[str, Any] = {}


def _prepare(shared: Any, ticks: "multiprocessing.Queue[int]") -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    one_thread()
    _process.update(shared=shared, on_progress=ticks.put)


def _end_with_parent() -> None:
    """An orphan would train on for nobody, and beside the next one."""
    parent = multiprocessing.parent_process()
    assert parent, "workers are started by another process"
    connection.wait([parent.sentinel])
    os._exit(1)


def one_thread() -> None:
    """Compute on this thread alone: two of one process collapse as soon as anything else runs on the machine."""
    torch.set_num_threads(1)


def _work(task: Task[Item, Result], item: Item) -> Result:
    return task(_process["shared"], item, _process["on_progress"])


def _drain(ticks: "multiprocessing.Queue[int]", on_progress: ProgressCallback) -> None:
    while True:
        try:
            on_progress(ticks.get_nowait())
        except queue.Empty:
            return


def _processor_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
