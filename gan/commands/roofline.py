"""The floor of the benchmark: a roofline, the least time that a step could take on this machine.

A step's products and its optimizers' updates can't overlap, so the floor is the sum of two phases: the floating-point
operations at the rate that large float32 matrix products reach here, then the bytes of parameters and optimizer state,
each read and written once, at the bandwidth that a copy of as many bytes reaches. Everything else, activations and
gradients too, could in principle stay in a cache (Williams, Waterman and Patterson, 2009: Roofline).
"""

import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median

import torch

from gan.compute.executors import ProgressCallback
from gan.study.schema import Variant
from gan.training.networks import Architecture, discriminator_architecture, generator_architecture

SIDES = {"cpu": (512, 1024), "cuda": (4096, 8192)}  # of the products whose rate is measured; the better one counts
COPIES = {"cpu": 1, "cuda": 64}  # of a run's state, in the copy whose bandwidth is measured: more than a GPU's cache


@dataclass(frozen=True)
class Timed:
    """When work began and ended (seconds of time.perf_counter, one clock for all processes), and its peak memory."""

    begin: float
    end: float
    peak_bytes: int


@dataclass(frozen=True)
class Rates:
    """Floating-point operations and bytes per second."""

    operations: float
    bytes: float


def operations_per_step(variant: Variant, pixels: int) -> int:
    """Floating-point operations of one run's step in its matrix products, a multiplication and an addition each.

    The generator's step: forward and backward through the generator. The discriminator's step: forward and backward on
    real and on generated images, without gradients of the images; then for the generator forward on the generated
    images and back to them, without gradients of the weights.
    """

    def products(architecture: Architecture, first: int = 0) -> int:
        return 2 * variant.batch_size * sum(a * b for a, b in list(pairwise(architecture.widths))[first:])

    generator = generator_architecture(variant, pixels)
    discriminator = discriminator_architecture(variant, pixels)
    generating = 2 * products(generator) + products(generator, first=1)
    discriminating = 2 * (2 * products(discriminator) + products(discriminator, first=1))
    return generating + discriminating + 2 * products(discriminator)


def bytes_per_step(variant: Variant, pixels: int) -> int:
    """Bytes of one run's parameters and Adam's two moments, in float32, read once and written once."""
    generator = generator_architecture(variant, pixels)
    discriminator = discriminator_architecture(variant, pixels)
    return 2 * 3 * 4 * (generator.size + discriminator.size)


def measure_rates(shared: tuple[str, int], _: int, on_progress: ProgressCallback) -> Rates:
    """A worker's rates on its device; `shared` is the device and the bytes that a step moves."""
    device, moved = shared
    rates = []
    for side in SIDES[device]:
        a, b = torch.randn(2, side, side, device=device)
        product = torch.empty_like(a)
        rates.append(2 * side**3 / _median_seconds(lambda a=a, b=b, out=product: torch.mm(a, b, out=out), device))  # type: ignore[misc]
    source = torch.randn(COPIES[device] * moved // 8, device=device)
    target = torch.empty_like(source)
    return Rates(max(rates), 8 * len(source) / _median_seconds(lambda: target.copy_(source), device))


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


def _median_seconds(work: Callable[[], object], device: str) -> float:
    """A call's median time, over a second or so."""
    times = [call.end - call.begin for call in (timed(work, device) for _ in range(10))]
    times = [call.end - call.begin for call in (timed(work, device) for _ in range(int(1 / median(times)) + 1))]
    return median(times)
