"""Work on a Ray cluster; the only importer of ray.

Tasks and results travel through Ray: the machines need no common file system, only this project's environment. A task
whose worker or machine is lost is done again elsewhere.
"""

import logging
import os
import socket
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import gan
from gan.compute.executors import Item, ProgressCallback, Result, Task, begin_worker
from gan.compute.hardware import versions
from gan.errors import StudyError
from gan.own.registration import Definition, registered
from gan.study.schema import Compute

RETRIES = 5  # a task that always takes its worker down must not be tried for ever


class RayExecutor:
    """An Executor on the cluster at RAY_ADDRESS, or on one started on this machine if that is unset.

    Each task gets a core, and on GPUs a share of one (`compute.gpu_share`). Raises StudyError if ray is not installed,
    the cluster doesn't answer, or it has no GPU where params.yaml asks for one.
    """

    def __init__(self, compute: Compute) -> None:
        try:
            import ray
        except ImportError:
            raise StudyError("compute.engine is ray, which is not installed here: pip install 'gan[ray]'") from None
        self._ray = ray
        address = os.environ.get("RAY_ADDRESS", "")
        _reach(address)
        if not address:
            warning = "warning: Ray starts on this machine and listens on all its addresses, to holders of its token"
            print(warning, file=sys.stderr)
        try:
            ray.init(
                ignore_reinit_error=True,
                log_to_driver=False,
                logging_level=logging.ERROR,
                include_dashboard=False,
                runtime_env={"py_modules": [str(Path(gan.__file__).parent)]},
            )
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise StudyError(f"no Ray cluster answers at RAY_ADDRESS: {_first_line(error)}") from None
        resources = ray.cluster_resources()
        gpus = int(resources.get("GPU", 0))
        if compute.device == "cuda" and not gpus:
            raise StudyError("compute.device is cuda, but the Ray cluster has no GPU: set it to auto or cpu")
        self.device = "cuda" if gpus and compute.device != "cpu" else "cpu"
        self._needs = {"num_cpus": 1, "num_gpus": compute.gpu_share if self.device == "cuda" else 0}
        # A share can't span two GPUs: 0.3 fits three times into one, and a tenth stays unused.
        places = gpus * int(1 / compute.gpu_share) if self.device == "cuda" else int(resources.get("CPU", 1))
        self.workers = max(1, places) if compute.workers == "auto" else compute.workers

    def run(
        self, task: Task[Item, Result], items: Sequence[Item], shared: Any, on_progress: ProgressCallback
    ) -> Iterator[Result]:
        """Yield the results as they come in, in any order (see gan.compute.executors.Executor)."""
        ray = self._ray
        here = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
            ray.get_runtime_context().get_node_id(), soft=False
        )
        counter = ray.remote(_Counter).options(num_cpus=0, scheduling_strategy=here).remote()
        remote = ray.remote(**self._needs, max_retries=RETRIES)(_work)
        everywhere = ray.put(shared)
        waiting = list(items)
        pending: list[Any] = []
        try:
            while waiting or pending:
                while waiting and len(pending) < self.workers:
                    pending.append(remote.remote(task, everywhere, waiting.pop(0), counter, versions(), registered()))
                done, pending = ray.wait(pending, timeout=1)
                on_progress(ray.get(counter.take.remote()))
                for reference in done:
                    yield ray.get(reference)
            on_progress(ray.get(counter.take.remote()))
        except ray.exceptions.RayTaskError as error:
            raise error.cause from None
        except ray.exceptions.RayError as error:
            kind = type(error).__name__
            raise StudyError(
                f"the Ray cluster failed, {RETRIES} retries included: {kind}: {_first_line(error)}"
            ) from None
        finally:
            for reference in pending:
                ray.cancel(reference, force=True)


class _Counter:
    """Counts the units that tasks have done since it was last asked; an actor on the machine that asks."""

    def __init__(self) -> None:
        self._units = 0

    def add(self, units: int) -> None:
        self._units += units

    def take(self) -> int:
        units, self._units = self._units, 0
        return units


def _work(
    task: Task[Item, Result],
    shared: Any,
    item: Item,
    counter: Any,
    expected: dict[str, str],
    own: list[Definition],
) -> Result:
    import ray

    if versions()["torch"] != expected["torch"]:
        raise StudyError(f"a machine of the Ray cluster has torch {versions()['torch']}, this one {expected['torch']}")
    begin_worker(own)
    return task(shared, item, lambda done: ray.get(counter.add.remote(done)))


def _reach(address: str) -> None:
    """StudyError if nobody listens at `host:port`, which ray itself would find out only after minutes."""
    host, separator, port = address.rpartition(":")
    if not separator or not port.isdecimal():  # empty, or `auto`
        return
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except (OSError, OverflowError) as error:
        raise StudyError(f"no Ray cluster answers at RAY_ADDRESS, {address}: {_first_line(error)}") from None


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "no reason given")
