"""How fast this machine trains: the tutorial's loop, this engine and the floor, measured in turns."""

import gc
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from rich.table import Table
from torch import Tensor

from gan.claims import tutorial
from gan.commands.roofline import Timed, bytes_per_step, measure_rates, operations_per_step, timed
from gan.compute.executors import Executor, ProcessExecutor, ProgressCallback, divide
from gan.compute.hardware import describe_hardware, versions
from gan.files import read_json, write_json
from gan.formatting import fixed, interval
from gan.study.schema import Variant
from gan.training.loop import train
from gan.training.population import memory_per_run

MIB = 2**20
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
SIZED_STEPS = 200  # steps for each point of the curve against population size
WARM_UP = 640  # images to train on before the clock starts: libraries choose their kernels at first use


def measure(
    variant: Variant, images: Tensor, labels: Tensor, executor: Executor, repeats: int, announce: Callable[[str], None]
) -> dict[str, Any]:
    """This machine's entry of reports/benchmark.json; `images` are uint8 `[image, height, width]`.

    In each repeat the tutorial trains one half of its runs before the engine trains and the other half afterwards, so
    that a drift of the machine's speed slows both. It trains as many runs as the engine but at most twelve, and on a
    GPU two for one epoch, because it trains one after the other, which would take hours.
    """
    gpu = executor.device == "cuda"
    runs, epochs = (30, 20) if gpu else (6 * executor.workers, 1)
    tutorial_runs = 2 if gpu else min(runs, 12)
    shares = divide(range(runs), executor.workers, runs if gpu else 1)
    recipe = variant.model_copy(update={"epochs": epochs, "snapshots": ()})
    pixels = images[0].numel()
    operations, moved = operations_per_step(variant, pixels), bytes_per_step(variant, pixels)
    steps = -(-len(images) // variant.batch_size)
    threads = torch.get_num_threads()

    def time_tutorial(runs: int) -> list[Timed]:
        return list(ProcessExecutor(1).run(_tutor, range(runs), (images, labels, threads, executor.device), _silent))

    rounds: list[dict[str, float]] = []
    for repeat in range(1, repeats + 1):
        announce(f"round {repeat} of {repeats}: {tutorial_runs} runs by the tutorial, {runs} by the engine")
        tutored = time_tutorial(tutorial_runs // 2)
        trained = list(executor.run(_train, shares, (recipe, images, executor.device), _silent))
        tutored += time_tutorial(tutorial_runs - tutorial_runs // 2)
        rates = list(executor.run(measure_rates, range(executor.workers), (executor.device, moved), _silent))
        tutorial_seconds = sum(run.end - run.begin for run in tutored) / tutorial_runs
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
                "tutorial_peak": max(run.peak_bytes for run in tutored) / MIB,
                "engine_peak": sum(sorted((part.peak_bytes for part in trained), reverse=True)[: executor.workers])
                / MIB,
            }
        )
    few = images[: SIZED_STEPS * variant.batch_size]
    sizes = []
    if gpu:
        announce("cost and memory against the size of a population")
        sizes = curve(variant, few, executor.device)
    summary = {name: _summary([measured[name] for measured in rounds]) for name in rounds[0]}
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
            "seconds_per_run_epoch": summary["tutorial"],
            "peak_mib": summary["tutorial_peak"]["high"],
            "threads": threads,
        },
        "engine": {
            "seconds_per_run_epoch": summary["engine"],
            "seconds": summary["total"],
            "peak_mib": summary["engine_peak"]["high"],
        },
        "floor": {
            "seconds_per_run_epoch": summary["floor"],
            "arithmetic_seconds": summary["arithmetic"],
            "memory_seconds": summary["memory"],
            "gflop_per_step": operations / 1e9,
            "mb_per_step": moved / 1e6,
            "gflop_per_second": summary["operations"],
            "gb_per_second": summary["bytes"],
        },
        "ratio_to_tutorial": summary["ratio_to_tutorial"],
        "ratio_to_floor": summary["ratio_to_floor"],
        "sizes": sizes,
        "mib_per_run": _slope(sizes) if sizes else None,
        "predicted_mib_per_run": memory_per_run(variant, len(few), pixels) / MIB,
    }


def curve(variant: Variant, images: Tensor, device: str) -> list[dict[str, float]]:
    """Seconds per run and step, and peak memory in MiB, of populations of growing size on one GPU."""
    points = []
    recipe = variant.model_copy(update={"epochs": 1, "snapshots": ()})
    steps = -(-len(images) // variant.batch_size)
    for runs in SIZES:
        # In a process of its own, because a process's peak never falls.
        (population,) = ProcessExecutor(1).run(_train, [range(runs)], (recipe, images, device), _silent)
        seconds = (population.end - population.begin) / (runs * steps)
        points.append(
            {"runs": runs, "milliseconds_per_run_step": 1e3 * seconds, "peak_mib": population.peak_bytes / MIB}
        )
    return points


def save_entry(entry: dict[str, Any], path: Path) -> None:
    """Put an entry into benchmark.json beside those of other hardware; it replaces one of the same hardware."""
    entries = read_json(path) if path.exists() else {}
    hardware = entry["hardware"]
    kind = hardware["name"] if hardware["device"] == "cuda" else f"{hardware['name']}, {hardware['cores']} cores"
    write_json(path, {**entries, kind: entry})


def table(entry: dict[str, Any]) -> Table:
    """An entry as a table for the terminal."""
    shown = Table("", "seconds per run-epoch", "lowest – highest", "peak memory", title=entry["hardware"]["name"])
    for name in ("tutorial", "engine", "floor"):
        seconds = entry[name]["seconds_per_run_epoch"]
        peak = f"{entry[name]['peak_mib']:.0f} MiB" if "peak_mib" in entry[name] else ""
        shown.add_row(name, *_cells(seconds, 3), peak)
    for name in ("ratio_to_tutorial", "ratio_to_floor"):
        shown.add_row(name, *_cells(entry[name], 2), "")
    return shown


def _cells(summary: dict[str, float], decimals: int) -> tuple[str, str]:
    return fixed(summary["median"], decimals), interval(summary["low"], summary["high"], decimals)


def _tutor(shared: tuple[Tensor, Tensor, int, str], _: int, on_progress: ProgressCallback) -> Timed:
    images, labels, threads, device = shared
    torch.set_num_threads(threads)
    tutorial.train(images[:WARM_UP], labels[:WARM_UP], 1, device)
    return timed(lambda: tutorial.train(images, labels, 1, device), device)


def _train(shared: tuple[Variant, Tensor, str], seeds: Sequence[int], on_progress: ProgressCallback) -> Timed:
    variant, images, device = shared
    quantiles = (0.05, 0.25, 0.5, 0.75, 0.95)
    train(variant.model_copy(update={"epochs": 1}), seeds, images[:WARM_UP], quantiles, device, on_progress)
    gc.collect()
    return timed(lambda: train(variant, seeds, images, quantiles, device, on_progress), device)


def _summary(values: Sequence[float]) -> dict[str, float]:
    return {"median": median(values), "low": min(values), "high": max(values)}


def _slope(sizes: Sequence[dict[str, float]]) -> float:
    """MiB per further run: the line through peak memory against size."""
    runs, peaks = ([size[name] for size in sizes] for name in ("runs", "peak_mib"))
    return float(np.polyfit(runs, peaks, 1)[0])


def _silent(done: int) -> None:
    pass
