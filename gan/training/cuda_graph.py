"""Replaying a step: on a GPU the launches of its many small kernels would take longer than the kernels."""

from collections.abc import Callable

import torch

# Calls that run as written before one is recorded: libraries allocate and choose kernels in their first calls.
WARM_UP = 3


class Recorded:
    """Calls of one function of fixed memory: recorded as a CUDA graph and then replayed; without a GPU, just called.

    The function takes and returns nothing, reads and writes the same tensors at each call and never waits for the
    GPU. `random` is the generator it draws from, on the device where it works. Each call is one real call: none is
    spent on warming up. The function is not kept here: it may be bound to the object
    that holds this one, and the two would keep each other alive.
    """

    def __init__(self, random: torch.Generator) -> None:
        self._device = random.device
        self._random = random
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
        stream = torch.cuda.Stream(self._device)
        stream.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(stream):
            work()
        torch.cuda.current_stream(self._device).wait_stream(stream)

    def _record(self, work: Callable[[], None]) -> torch.cuda.CUDAGraph:
        graph = torch.cuda.CUDAGraph()
        graph.register_generator_state(self._random)
        with torch.cuda.graph(graph):
            work()
        return graph
