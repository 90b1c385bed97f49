"""The floor of the benchmark: a roofline, the least time that a step could take on this machine.

A step's products and its optimizers' updates can't overlap, so the floor is the sum of two phases: the floating-point
operations at the best rate that float32 matrix products reach here, whichever library multiplies them, then the bytes
of parameters and optimizer state, each read and written once, at the bandwidth that a copy of as many bytes reaches.
Everything else, activations and gradients too, could in principle stay in a cache (Williams, Waterman and Patterson,
2009: Roofline).
"""

import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from pathlib import Path
from statistics import median

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from gan.networks import registry
from gan.study.recipe import Variant
from gan.training.loop import train
from gan.training.population import RunSpec

SIDES = {"cpu": (512, 1024), "cuda": (4096, 8192)}  # of the square products whose rate is measured
COPIES = {"cpu": 1, "cuda": 64}  # of a run's state, in the copy whose bandwidth is measured: more than a GPU's cache
SAMPLE, SAMPLES = 0.01, 20  # seconds of a measurement of a rate, and how many there are


@dataclass(frozen=True)
class Timed:
    """When work began and ended (seconds of time.perf_counter, one clock for all processes), and its peak memory."""

    begin: float
    end: float
    peak_bytes: int

    @property
    def seconds(self) -> float:
        return self.end - self.begin


@dataclass(frozen=True)
class Rates:
    """Floating-point operations and bytes per second."""

    operations: float
    bytes: float


def operations_per_step(variant: Variant, images: Tensor) -> int:
    """Floating-point operations of the products of one run's step, a multiplication and an addition each.

    Torch counts them in an epoch of few `images`, uint8 `[image, height, width]`: a batch, or so many that the
    generator takes a step.
    """
    one = variant.model_copy(update={"epochs": 1, "snapshots": ()})
    few = images[: variant.discriminator_steps * variant.batch_size]
    with FlopCounterMode(display=False) as counter:
        train([RunSpec(one, 0)], few, (0.5,), "cpu", lambda runs: None, path="default")
    return counter.get_total_flops() // variant.discriminator_steps


def bytes_per_step(variant: Variant, pixels: int) -> int:
    """Bytes of one run's parameters and Adam's two moments, in float32, read once and written once."""
    encoder = registry.encoder(variant, pixels)
    players = [registry.generator(variant, pixels), registry.discriminator(variant, pixels)]
    return 2 * 3 * 4 * sum(player.size for player in [*players, *([encoder] if encoder else [])])


def shapes(variant: Variant, pixels: int) -> list[tuple[int, int, int]]:
    """Rows, sum and columns of the large products of a step: each network's largest linear layer, forward and back."""
    found = []
    for architecture, batch in (
        (registry.generator(variant, pixels), variant.batch_size),
        (registry.discriminator(variant, pixels), 2 * variant.batch_size),
    ):
        linear = [layer.weight for layer in architecture.layers if len(layer.weight) == 2]
        outputs, inputs = max(linear, key=prod)
        found += [(batch, inputs, outputs), (inputs, batch, outputs), (batch, outputs, inputs)]
    return found


def measure_rates(variant: Variant, pixels: int, device: str) -> Rates:
    """The best rates of this process on its device, by the library that multiplies its matrices."""
    products = [*((side, side, side) for side in SIDES[device]), *shapes(variant, pixels)]
    source = torch.randn(COPIES[device] * bytes_per_step(variant, pixels) // 8, device=device)
    target = torch.empty_like(source)
    return Rates(
        max(_operations_per_second(*product, device) for product in products),
        8 * len(source) / _seconds(lambda: target.copy_(source), device),
    )


def _operations_per_second(rows: int, summed: int, columns: int, device: str) -> float:
    def matrix(*shape: int) -> Tensor:
        return torch.randn(1, *shape, device=device)

    first, second, product = matrix(rows, summed), matrix(summed, columns), matrix(rows, columns)
    return 2 * rows * summed * columns / _seconds(lambda: torch.bmm(first, second, out=product), device)


def timed(work: Callable[[], object], device: str) -> Timed:
    """Do the work on `device` and measure it."""
    if device == "cuda":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
    begin = time.perf_counter()
    work()
    if device == "cuda":
        torch.cuda.synchronize()
        return Timed(begin, time.perf_counter(), torch.cuda.max_memory_allocated())
    return Timed(begin, time.perf_counter(), _peak_bytes())


def _peak_bytes() -> int:
    """The most memory that this process has held, in bytes. getrusage may report the parent's."""
    status = Path("/proc/self/status")
    if not status.exists():
        return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    (line,) = (line for line in status.read_text(encoding="utf-8").splitlines() if line.startswith("VmHWM:"))
    return 1024 * int(line.split()[1])


def _seconds(work: Callable[[], object], device: str) -> float:
    """A call's time: the median over samples of so many calls that the clock's own cost does not matter."""

    def sample(calls: int) -> float:
        return timed(lambda: [work() for _ in range(calls)], device).seconds / calls

    sample(2)  # the first call chooses a kernel
    calls = int(SAMPLE / sample(2)) + 1
    return median(sample(calls) for _ in range(SAMPLES))
