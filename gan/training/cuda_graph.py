"""Replaying a step: on a GPU the launches of its many small kernels would take longer than the kernels."""

from collections.abc import Callable
from functools import cache
from typing import Any

import torch

# Calls that run as written before one is recorded: libraries allocate and choose kernels in their first calls.
WARM_UP = 3


def memory_pool(device: torch.device) -> Any:
    """A pool of a GPU's memory that several recordings can share; None without a GPU."""
    return torch.cuda.graph_pool_handle() if device.type == "cuda" else None


class Recorded:
    """Calls of one function of fixed memory: recorded as a CUDA graph and then replayed; without a GPU, just called.

    The function takes and returns nothing, reads and writes the same tensors at each call, draws no random numbers and
    never waits for the GPU, `device`. Each call is one real call: none is spent on warming up. Recordings that are
    called one after the other can share a `pool`: what one needs while it works, the next may use. The function is
    not kept here: it may be bound to the object that holds this one, and the two would keep each other alive.
    """

    def __init__(self, device: torch.device, pool: Any = None) -> None:
        self._device = device
        self._pool = pool
        self._calls = 0
        self._graph: torch.cuda.CUDAGraph | None = None

    def __call__(self, work: Callable[[], None]) -> None:
        """Call `work`, the same function as ever."""
        if self._device.type != "cuda":
            work()
            return
        if self._graph is None and self._calls == WARM_UP:
            self._graph = self._record(work)
        if self._graph is None:
            self._aside(work)
        else:
            self._graph.replay()
        self._calls += 1

    def _aside(self, work: Callable[[], None]) -> None:
        """A call on another stream, as recording demands of the calls before it."""
        stream = _side_stream(self._device)
        stream.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(stream):
            work()
        torch.cuda.current_stream(self._device).wait_stream(stream)

    def _record(self, work: Callable[[], None]) -> torch.cuda.CUDAGraph:
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, self._pool, _side_stream(self._device)):
            work()
        return graph


@cache
def _side_stream(device: torch.device) -> torch.cuda.Stream:
    """The one stream of a GPU where steps warm up and are recorded: cuBLAS keeps memory for every stream it meets."""
    return torch.cuda.Stream(device)
