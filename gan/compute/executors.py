"""Where work is done on one machine: in processes, each on a core or a GPU of its own, or in this one on its GPU."""

import multiprocessing
import os
import queue
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import connection
from typing import Any, Protocol, TypeAlias, TypeVar

import torch

from gan import machine
from gan.compute.hardware import choose_device, compute_in_float32
from gan.errors import StudyError
from gan.own.registration import Definition, register_again, registered
from gan.study.schema import Compute

Item = TypeVar("Item")
Result = TypeVar("Result")
ProgressCallback = Callable[[int], None]
Task: TypeAlias = Callable[[Any, Item, ProgressCallback], Result]

# Without these glibc returns the memory of every large tensor to the system, which maps and zeroes it for the next one.
KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(32 * 2**20), "MALLOC_TRIM_THRESHOLD_": str(2**30)}

GIB = 2**30
WORKER_MEMORY = GIB  # bytes; a worker was measured to take 0.6 to 0.8 GiB, most of them for torch itself
SOCKET_PATH = 107  # bytes; the system's limit
SOCKET_NAME = len("/pymp-xxxxxxxx/listener-xxxxxxxx")  # what multiprocessing adds to the folder for temporary files


def divide(items: Sequence[Item], workers: int, most: int) -> list[Sequence[Item]]:
    """Consecutive shares of `most` items or fewer, of equal size but for one, each worker having as many shares."""
    rounds = -(-len(items) // (workers * most))
    shares = min(len(items), workers * rounds)
    return [items[len(items) * share // shares : len(items) * (share + 1) // shares] for share in range(shares)]


class Executor(Protocol):
    """Does the work: up to `workers` tasks at a time, on a `device` (`cpu` or `cuda`)."""

    device: str
    workers: int

    def run(
        self, task: Task[Item, Result], items: Sequence[Item], shared: Any, on_progress: ProgressCallback
    ) -> Iterator[Result]:
        """Yield `task(shared, item, on_progress)` of every item as soon as it is done, in any order.

        `task` is a module's function. `shared` is sent to each worker once. `on_progress` is called in this process
        with the number of units that a task reports as done.
        """


class ProcessExecutor:
    """Single-threaded processes, no more than there are items: on this machine's cores, or each on a GPU of its own."""

    def __init__(self, workers: int, device: str = "cpu") -> None:
        self.workers, self.device = workers, device

    def run(
        self, task: Task[Item, Result], items: Sequence[Item], shared: Any, on_progress: ProgressCallback
    ) -> Iterator[Result]:
        if not items:
            return
        _check_sockets()
        os.environ |= KEEP_MEMORY  # glibc reads it when a process starts
        context = multiprocessing.get_context("forkserver")
        # Libraries take seconds to import. A server does it once for all the workers that this process will have.
        context.set_forkserver_preload([task.__module__])
        done_units, gpus = context.Queue(), context.Queue()
        if self.device == "cuda":
            for gpu in range(self.workers):
                gpus.put(gpu)
        given = _Given(shared, done_units, machine.AFFINITY, gpus if self.device == "cuda" else None, registered())
        with ProcessPoolExecutor(min(self.workers, len(items)), context, _prepare, (given,)) as pool:
            try:
                pending = _submit(pool, task, items)
                while pending:
                    done, pending = wait(pending, timeout=0.2, return_when=FIRST_COMPLETED)
                    _report(done_units, on_progress)
                    for future in done:
                        yield future.result()
            except BrokenProcessPool:
                raise StudyError(
                    "a worker process was killed, perhaps for want of memory: set compute.workers (on a GPU "
                    "compute.population) lower, run again"
                ) from None
            except BaseException:
                for worker in multiprocessing.active_children():
                    worker.terminate()  # nobody is waiting for its result
                pool.shutdown(cancel_futures=True)
                raise
        _report(done_units, on_progress)  # the processes have ended, so everything that they sent is here


class InProcessExecutor:
    """This process with this machine's GPU."""

    device = "cuda"
    workers = 1

    def run(
        self, task: Task[Item, Result], items: Sequence[Item], shared: Any, on_progress: ProgressCallback
    ) -> Iterator[Result]:
        for item in items:
            yield task(shared, item, on_progress)


def local_executor(compute: Compute, most_gpus: int | None = None) -> Executor:
    """This machine's GPUs or cores, as params.yaml asks; StudyError if it asks for a GPU that isn't there.

    `most_gpus` is 1 if the tasks share what lies on a GPU. CUDA_VISIBLE_DEVICES says which GPUs are used. Where
    params.yaml describes a cluster, this machine uses what it has.
    """
    here = compute if compute.engine == "local" else compute.model_copy(update={"device": "auto"})
    if choose_device(here) == "cpu":
        return process_executor(compute)
    gpus = min(torch.cuda.device_count(), most_gpus or sys.maxsize)
    return InProcessExecutor() if gpus == 1 else ProcessExecutor(gpus, "cuda")


def process_executor(compute: Compute) -> ProcessExecutor:
    """As many workers as params.yaml asks for; for `auto`, and where it describes a cluster, as fit on this machine."""
    if compute.engine == "local" and compute.workers != "auto":
        return ProcessExecutor(compute.workers)
    cores, free = machine.cores(), machine.free_memory()
    workers = min(cores, max(1, free // WORKER_MEMORY))
    if workers < cores:
        why = f"only {free / GIB:.1f} GiB of memory are free"
        print(f"workers: {workers} instead of {cores}, {why}; compute.workers sets another number", file=sys.stderr)
    return ProcessExecutor(workers)


def begin_worker(own: list[Definition]) -> None:
    """What holds in every process that does tasks: it computes on one thread, and in float32.

    With two threads, a process becomes very slow as soon as anything else runs on the machine. `own` is what the user's
    own files have brought into the registries where the tasks come from.
    """
    torch.set_num_threads(1)
    compute_in_float32()
    register_again(own)


def _check_sockets() -> None:
    """StudyError if the sockets by which processes share images would have no place."""
    try:
        folder = tempfile.gettempdir()
    except FileNotFoundError:
        raise StudyError("no folder for temporary files can be written: free space in /tmp, or set TMPDIR") from None
    if len(os.fsencode(folder)) + SOCKET_NAME > SOCKET_PATH:
        raise StudyError(
            f"TMPDIR is too long for the sockets in it: {len(os.fsencode(folder))} bytes of at most "
            f"{SOCKET_PATH - SOCKET_NAME}; set it to another folder, such as TMPDIR=/tmp"
        )


def _submit(pool: ProcessPoolExecutor, task: Task[Item, Result], items: Sequence[Item]) -> set[Future[Result]]:
    """Start the processes and give them their work; StudyError if shared memory is too small for what they share."""
    with _uninterrupted():
        try:
            return {pool.submit(_work, task, item) for item in items}
        except RuntimeError as full:  # torch gives tensors to other processes through files in shared memory
            if "file </torch_" not in str(full):
                raise
            raise StudyError(
                f"the workers cannot be given the images: enlarge /dev/shm (docker's --shm-size), run again ({full})"
            ) from None


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Hold Ctrl-C back until the end; processes that are started here never receive it.

    Their parent handles it and ends them.
    """
    interrupted: list[int] = []
    # The processes inherit the mask. The handler is needed because another thread of this process may get the signal.
    handler = signal.signal(signal.SIGINT, lambda number, frame: interrupted.append(number))
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGINT, handler)
        if interrupted:
            signal.raise_signal(signal.SIGINT)


@dataclass(frozen=True)
class _Given:
    """What a worker process is given when it starts; of `gpus` each takes one, None for cores.

    `own` is what the user's own files have brought into the registries here.
    """

    shared: Any
    done_units: "multiprocessing.Queue[int]"
    cores: frozenset[int] | None
    gpus: "multiprocessing.Queue[int] | None"
    own: list[Definition]


_given: _Given  # in a worker process


def _prepare(given: _Given) -> None:
    global _given
    _given = given
    machine.restore_affinity(given.cores)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    begin_worker(given.own)
    if given.gpus:
        torch.cuda.set_device(given.gpus.get())


def _end_with_parent() -> None:
    """End this worker when its parent ends: nobody is waiting for its result, and the next study needs the core."""
    parent = multiprocessing.parent_process()
    assert parent, "workers are started by another process"
    connection.wait([parent.sentinel])
    os._exit(1)


def _work(task: Task[Item, Result], item: Item) -> Result:
    return task(_given.shared, item, _given.done_units.put)


def _report(done_units: "multiprocessing.Queue[int]", on_progress: ProgressCallback) -> None:
    while True:
        try:
            on_progress(done_units.get_nowait())
        except queue.Empty:
            return
