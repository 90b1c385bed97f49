"""How fast this machine trains: the tutorial's loop, this engine and the floor, measured in turns.

The floor is a roofline, phase by phase, for a step's products and its optimizers' updates can't overlap: its
floating-point operations at the rate that large float32 matrix products reach here, then the bytes of parameters and
optimizer state, each read and written once, at the bandwidth that a copy of as many bytes reaches. All else,
activations and gradients too, could in principle stay in a cache.
"""

import gc
import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from rich.table import Table
from torch import Tensor

from gan.claims import tutorial
from gan.compute.executors import Executor, ProcessExecutor, ProgressCallback, describe_hardware, divide, versions
from gan.files import read_json, write_json
from gan.training.loop import train
from gan.training.networks import Architecture, discriminator_architecture, generator_architecture
from gan.training.population import memory_per_run

if TYPE_CHECKING:
    from gan.study.schema import Variant

MIB = 2**20
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
SIZED_STEPS = 200  # of the curve against population size
WARM_UP = 640  # images that are trained on before the clock starts: libraries choose their kernels at first use
SIDES = {"cpu": (512, 1024), "cuda": (4096, 8192)}  # of the products whose rate is taken, the better one
COPIES = {"cpu": 1, "cuda": 64}  # of a run's state in the copy whose bandwidth is taken: beyond a GPU's cache


@dataclass(frozen=True)
class Timed:
    """Work that began and ended (seconds of time.perf_counter, one clock for all processes), and its peak memory."""

    begin: float
    end: float
    peak_bytes: int


@dataclass(frozen=True)
class Rates:
    """Floating-point operations and bytes per second."""

    operations: float
    bytes: float


def measure(
    variant: "Variant", images: Tensor, labels: Tensor, executor: Executor, repeats: int, say: Callable[[str], None]
) -> dict[str, Any]:
    """This machine's entry of reports/benchmark.json; `images` are uint8 `[image, height, width]`.

    In each repeat the tutorial trains one half of its runs before the engine trains, and the other half after it, so
    that a machine whose speed drifts is as slow to both. It trains as many runs as the engine, but no more than twelve,
    and on a GPU two for one epoch: one after another, they'd take hours.
    """
    gpu = executor.device == "cuda"
    runs, epochs = (30, 20) if gpu else (6 * executor.workers, 1)
    tutored = 2 if gpu else min(runs, 12)
    shares = divide(range(runs), executor.workers, runs if gpu else 1)
    recipe = variant.model_copy(update={"epochs": epochs, "snapshots": ()})
    pixels = images[0].numel()
    operations, moved = operations_per_step(variant, pixels), bytes_per_step(variant, pixels)
    steps = -(-len(images) // variant.batch_size)
    threads = torch.get_num_threads()

    def taught(runs: int) -> list[Timed]:
        return list(ProcessExecutor(1).run(_tutor, range(runs), (images, labels, threads, executor.device), _silent))

    rounds: list[dict[str, float]] = []
    for repeat in range(1, repeats + 1):
        say(f"round {repeat} of {repeats}: {tutored} runs by the tutorial, {runs} by the engine")
        lessons = taught(tutored // 2)
        trained = list(executor.run(_train, shares, (recipe, images, executor.device), _silent))
        lessons += taught(tutored - tutored // 2)
        rates = list(executor.run(_rates, range(executor.workers), (executor.device, moved), _silent))
        tutorial_seconds = sum(lesson.end - lesson.begin for lesson in lessons) / tutored
        total = max(part.end for part in trained) - min(part.begin for part in trained)
        engine_seconds = total / (runs * epochs)
        arithmetic = steps * operations / sum(rate.operations for rate in rates)
        memory = steps * moved / sum(rate.bytes for rate in rates)
        rounds.append(
            {
                "tutorial": tutorial_seconds,
                "engine": engine_seconds,
                "total": total,
                "floor": arithmetic + memory,
                "arithmetic": arithmetic,
                "memory": memory,
                "ratio_to_tutorial": tutorial_seconds / engine_seconds,
                "ratio_to_floor": engine_seconds / (arithmetic + memory),
                "operations": sum(rate.operations for rate in rates) / 1e9,
                "bytes": sum(rate.bytes for rate in rates) / 1e9,
                "tutorial_peak": max(lesson.peak_bytes for lesson in lessons) / MIB,
                "engine_peak": sum(sorted((part.peak_bytes for part in trained), reverse=True)[: executor.workers])
                / MIB,
            }
        )
    few = images[: SIZED_STEPS * variant.batch_size]
    sizes = []
    if gpu:
        say("cost and memory against the size of a population")
        sizes = curve(variant, few, executor.device)
    spread = {name: _spread([each[name] for each in rounds]) for name in rounds[0]}
    return {
        "hardware": describe_hardware(executor.device),
        "versions": versions(),
        "work": {
            "runs": runs,
            "epochs": epochs,
            "workers": executor.workers,
            "population": max(map(len, shares)),
            "images": len(images),
            "batch_size": variant.batch_size,
            "repeats": repeats,
        },
        "tutorial": {
            "seconds_per_run_epoch": spread["tutorial"],
            "peak_mib": spread["tutorial_peak"]["high"],
            "threads": threads,
        },
        "engine": {
            "seconds_per_run_epoch": spread["engine"],
            "seconds": spread["total"],
            "peak_mib": spread["engine_peak"]["high"],
        },
        "floor": {
            "seconds_per_run_epoch": spread["floor"],
            "arithmetic_seconds": spread["arithmetic"],
            "memory_seconds": spread["memory"],
            "gflop_per_step": operations / 1e9,
            "mb_per_step": moved / 1e6,
            "gflop_per_second": spread["operations"],
            "gb_per_second": spread["bytes"],
        },
        "ratio_to_tutorial": spread["ratio_to_tutorial"],
        "ratio_to_floor": spread["ratio_to_floor"],
        "sizes": sizes,
        "mib_per_run": _slope(sizes) if sizes else None,
        "predicted_mib_per_run": memory_per_run(variant, len(few), pixels) / MIB,
    }


def curve(variant: "Variant", images: Tensor, device: str) -> list[dict[str, float]]:
    """Seconds per run and step, and peak memory in MiB, of populations of growing size on one GPU."""
    points = []
    recipe = variant.model_copy(update={"epochs": 1, "snapshots": ()})
    steps = -(-len(images) // variant.batch_size)
    for runs in SIZES:
        # A process of its own, for a process's peak never falls.
        (timed,) = ProcessExecutor(1).run(_train, [range(runs)], (recipe, images, device), _silent)
        seconds = (timed.end - timed.begin) / (runs * steps)
        points.append({"runs": runs, "milliseconds_per_run_step": 1e3 * seconds, "peak_mib": timed.peak_bytes / MIB})
    return points


def operations_per_step(variant: "Variant", pixels: int) -> int:
    """Floating-point operations of one run's step in its matrix products, a multiplication and an addition each.

    The generator goes forth and back once. The discriminator goes forth and back, weights' gradients only, on real and
    generated images; then again on the generated ones, forth and back to the images.
    """

    def products(architecture: Architecture, first: int = 0) -> int:
        return 2 * variant.batch_size * sum(a * b for a, b in list(pairwise(architecture.widths))[first:])

    generator = generator_architecture(variant, pixels)
    discriminator = discriminator_architecture(variant, pixels)
    generating = 2 * products(generator) + products(generator, first=1)
    judging = 2 * (2 * products(discriminator) + products(discriminator, first=1))
    return generating + judging + 2 * products(discriminator)


def bytes_per_step(variant: "Variant", pixels: int) -> int:
    """Bytes of one run's parameters and Adam's two moments, in float32, read once and written once."""
    generator = generator_architecture(variant, pixels)
    discriminator = discriminator_architecture(variant, pixels)
    return 2 * 3 * 4 * (generator.size + discriminator.size)


def keep(entry: dict[str, Any], path: Path) -> None:
    """Put an entry into benchmark.json beside those of other hardware; an older one of the same kind goes."""
    entries = read_json(path) if path.exists() else {}
    hardware = entry["hardware"]
    kind = hardware["name"] if hardware["device"] == "cuda" else f"{hardware['name']}, {hardware['cores']} cores"
    write_json(path, {**entries, kind: entry})


def table(entry: dict[str, Any]) -> Table:
    """An entry for the terminal."""
    shown = Table("", "seconds per run-epoch", "spread", "peak memory", title=entry["hardware"]["name"])
    for name in ("tutorial", "engine", "floor"):
        of = entry[name]["seconds_per_run_epoch"]
        peak = f"{entry[name]['peak_mib']:.0f} MiB" if "peak_mib" in entry[name] else ""
        shown.add_row(name, f"{of['median']:.3f}", f"{of['low']:.3f} – {of['high']:.3f}", peak)
    for name in ("ratio_to_tutorial", "ratio_to_floor"):
        of = entry[name]
        shown.add_row(name, f"{of['median']:.2f}", f"{of['low']:.2f} – {of['high']:.2f}", "")
    return shown


def _tutor(shared: tuple[Tensor, Tensor, int, str], _: int, on_progress: ProgressCallback) -> Timed:
    images, labels, threads, device = shared
    torch.set_num_threads(threads)
    tutorial.train(images[:WARM_UP], labels[:WARM_UP], 1, device)
    return _timed(lambda: tutorial.train(images, labels, 1, device), device)


def _train(shared: tuple["Variant", Tensor, str], seeds: Sequence[int], on_progress: ProgressCallback) -> Timed:
    variant, images, device = shared
    quantiles = (0.05, 0.25, 0.5, 0.75, 0.95)
    train(variant.model_copy(update={"epochs": 1}), seeds, images[:WARM_UP], quantiles, device, on_progress)
    gc.collect()
    return _timed(lambda: train(variant, seeds, images, quantiles, device, on_progress), device)


def _timed(work: Callable[[], object], device: str) -> Timed:
    if device == "cuda":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
    begin = time.perf_counter()
    work()
    if device == "cuda":
        torch.cuda.synchronize()
        return Timed(begin, time.perf_counter(), torch.cuda.max_memory_allocated())
    return Timed(begin, time.perf_counter(), _peak())


def _peak() -> int:
    """The most memory that this process has held, in bytes. (getrusage tells a parent's, if that held more.)"""
    status = Path("/proc/self/status")
    if not status.exists():
        return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
    return 1024 * int(line.split()[1])


def _rates(shared: tuple[str, int], _: int, on_progress: ProgressCallback) -> Rates:
    device, moved = shared
    rates = []
    for side in SIDES[device]:
        a, b = torch.randn(2, side, side, device=device)
        product = torch.empty_like(a)
        rates.append(2 * side**3 / _seconds(lambda a=a, b=b, out=product: torch.mm(a, b, out=out), device))  # type: ignore[misc]
    source = torch.randn(COPIES[device] * moved // 8, device=device)
    target = torch.empty_like(source)
    return Rates(max(rates), 8 * len(source) / _seconds(lambda: target.copy_(source), device))


def _seconds(work: Callable[[], object], device: str) -> float:
    """A call's median time, over a second or so."""
    times = [timed.end - timed.begin for timed in (_timed(work, device) for _ in range(10))]
    times = [timed.end - timed.begin for timed in (_timed(work, device) for _ in range(int(1 / median(times)) + 1))]
    return median(times)


def _spread(values: Sequence[float]) -> dict[str, float]:
    return {"median": median(values), "low": min(values), "high": max(values)}


def _slope(sizes: Sequence[dict[str, float]]) -> float:
    """MiB per further run: the line through peak memory against size."""
    runs, peaks = ([size[name] for size in sizes] for name in ("runs", "peak_mib"))
    return float(np.polyfit(runs, peaks, 1)[0])


def _silent(done: int) -> None:
    pass
