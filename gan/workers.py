"""Where work is done: processes on cores, each with one thread, or this process when there is a GPU."""

import multiprocessing
import os
import platform
import queue
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch

from gan.errors import StudyError

if TYPE_CHECKING:
    from gan.study import Compute

Item = TypeVar("Item")
Result = TypeVar("Result")
Tick = Callable[[int], None]


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


def count_workers(compute: "Compute", tasks: int) -> int:
    """How many processes to use: one per core that this process may run on, never more than there are tasks."""
    wanted = count_cores() if compute.workers == "auto" else compute.workers
    return max(1, min(wanted, tasks))


def describe_hardware(device: str) -> dict[str, str | int]:
    """What the work runs on: device, its name and the cores at hand."""
    name = torch.cuda.get_device_name() if device == "cuda" else _processor_name()
    return {"device": device, "name": name, "cores": count_cores()}


def count_cores() -> int:
    """The cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def on_cores(
    task: Callable[[Any, Item, Tick], Result],
    items: Sequence[Item],
    shared: Any,
    workers: int,
    on_tick: Tick,
) -> Iterator[Result]:
    """Yield `task(shared, item, tick)` of every item as it is done, computed by single-threaded processes.

    `task` is a module's function; `shared` goes to each process once. What a task ticks arrives at `on_tick` here.
    One thread each: two threads of one process collapse as soon as anything else runs on the machine.
    """
    context = multiprocessing.get_context("spawn")
    ticks = context.Queue()
    with ProcessPoolExecutor(workers, context, _prepare, (shared, ticks)) as pool:
        pending = {pool.submit(_work, task, item) for item in items}
        try:
            while pending:
                done, pending = wait(pending, timeout=0.2, return_when=FIRST_COMPLETED)
                _drain(ticks, on_tick)
                for future in done:
                    yield future.result()
        except BrokenProcessPool:
            raise StudyError(
                "a worker process was killed, perhaps for want of memory: set compute.workers lower, run again"
            ) from None
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    _drain(ticks, on_tick)  # a process that has ended has sent all its ticks


_process: dict[str, Any] = {}


def _prepare(shared: Any, ticks: "multiprocessing.Queue[int]") -> None:
    torch.set_num_threads(1)
    _process.update(shared=shared, tick=ticks.put)


def _work(task: Callable[[Any, Item, Tick], Result], item: Item) -> Result:
    return task(_process["shared"], item, _process["tick"])


def _drain(ticks: "multiprocessing.Queue[int]", on_tick: Tick) -> None:
    while True:
        try:
            on_tick(ticks.get_nowait())
        except queue.Empty:
            return


def _processor_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
