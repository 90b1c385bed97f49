"""How fast this machine trains: the tutorial's loop, a peer, this engine and the floor, measured in turns.

All are given in the same unit, the seconds that this whole machine takes for one run's epoch. The tutorial trains one
run after another with as many threads as torch takes; peer and engine have one thread on each core and train runs on
all cores at once.
"""

import multiprocessing
import time
from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from rich.table import Table
from torch import Tensor

from gan.benchmarking.contestants import (
    PEER_RUNS,
    TUTORIAL_SHARE,
    Turn,
    Work,
    curve,
    engine_turn,
    peer_turn,
    tutorial_turn,
    usable_paths,
)
from gan.benchmarking.roofline import bytes_per_step, operations_per_step
from gan.compute.executors import Executor
from gan.compute.hardware import describe_hardware, kind, versions
from gan.files import read_json, write_json
from gan.formatting import fixed, interval
from gan.study.recipe import Variant
from gan.training import arithmetic
from gan.training.population import memory_per_run

MIB = 2**20
MOST_SECONDS = 280.0  # that all rounds may take
SIZED_STEPS = 200  # steps for each point of the curve against population size
WORTHWHILE = 1.05  # how much faster another arithmetic must be than the one chosen to be worth a word


def measure(
    variant: Variant,
    images: Tensor,
    labels: Tensor,
    executor: Executor,
    repeats: int | None,
    announce: Callable[[str], None],
    *,
    compared: bool = True,
) -> dict[str, Any]:
    """This machine's entry of reports/benchmark.json; `images` are uint8 `[image, height, width]`.

    In each round all have a turn, in every other round in the opposite order, so that a drift of the machine's speed is
    the same for all. Without `repeats` there are as many rounds as end within MOST_SECONDS, one at least. `compared`
    adds the tutorial and the peer, which have the baseline's recipe. There is no peer on a GPU, nor where JAX is not
    installed.
    """
    started = time.perf_counter()
    turns = _turns(variant, images, labels, executor, announce, compared)
    paths = [path for path in arithmetic.PATHS if path in turns]
    chosen = arithmetic.choose()
    chosen = chosen if chosen in paths else "default"
    rounds: list[dict[str, Turn]] = []
    ends = [time.perf_counter()]
    while len(rounds) < (repeats or 1) or (
        repeats is None and ends[-1] - started + max(after - before for before, after in pairwise(ends)) < MOST_SECONDS
    ):
        names = list(reversed(turns)) if len(rounds) % 2 else list(turns)
        announce(f"round {len(rounds) + 1}{f' of {repeats}' if repeats else ''}: {', '.join(names)}")
        rounds.append({name: turns[name]() for name in names})
        ends.append(time.perf_counter())
    columns = {name: [of[name] for of in rounds] for name in turns}
    floors, floor = _floor(variant, images, [[of[path] for path in paths] for of in rounds])
    above = [turn.per_run_epoch / least for turn, least in zip(columns[chosen], floors, strict=True)]
    entry: dict[str, Any] = {
        "hardware": describe_hardware(executor.device),
        "versions": versions(),
        "work": {
            **_amount(executor.device),
            "workers": executor.workers,
            "images": len(images),
            "batch_size": variant.batch_size,
            "repeats": len(rounds),
        },
        "engine": {
            **_contestant(columns[chosen]),
            "seconds": _summary([turn.seconds for turn in columns[chosen]]),
            "path": chosen,
            "paths": {path: _summary([turn.per_run_epoch for turn in columns[path]]) for path in paths},
        },
        "floor": floor,
        "ratio_to_floor": _summary(above),
        **_sizes(variant, images, executor.device, announce),
    }
    if "tutorial" in turns:
        entry["tutorial"] = _contestant(columns["tutorial"])
        entry["tutorial"] |= {"threads": torch.get_num_threads(), "epochs": TUTORIAL_SHARE}
    if "peer" in turns:
        entry["peer"] = _contestant(columns["peer"])
        entry["peer"] |= {"runs": PEER_RUNS, "versions": {name: version(name) for name in ("jax", "optax")}}
    for name in entry.keys() & {"tutorial", "peer"}:
        entry[f"ratio_to_{name}"] = _summary([of[name].per_run_epoch / of[chosen].per_run_epoch for of in rounds])
    return entry


def slower_choice(entry: dict[str, Any]) -> str | None:
    """One line where another arithmetic than the chosen one is clearly faster in the step, else None."""
    chosen, paths = entry["engine"]["path"], entry["engine"]["paths"]
    seconds = {path: summary["median"] for path, summary in paths.items()}
    best = min(seconds, key=lambda path: seconds[path])
    if seconds[chosen] <= WORTHWHILE * seconds[best]:
        return None
    return (
        f"warning: gan.training.arithmetic.choose takes {chosen} for this processor, but {best} is faster: "
        f"{seconds[best]:.2f} instead of {seconds[chosen]:.2f} s per run-epoch"
    )


def save_entry(entry: dict[str, Any], path: Path, variant: str | None = None) -> None:
    """Put an entry into benchmark.json beside those of other hardware; it replaces one of the same hardware.

    One of another variant than the baseline stands beside the baseline's.
    """
    entries = read_json(path) if path.exists() else {}
    name = kind(entry["hardware"])
    write_json(path, {**entries, f"{name}, {variant}" if variant else name: entry})


def table(entry: dict[str, Any]) -> Table:
    """An entry as a table for the terminal."""
    shown = Table("", "seconds per run-epoch", "lowest – highest", "peak memory", title=entry["hardware"]["name"])
    for name in ("tutorial", "peer", "engine", "floor"):
        if name in entry:
            peak = f"{entry[name]['peak_mib']:.0f} MiB" if "peak_mib" in entry[name] else ""
            shown.add_row(name, *_cells(entry[name]["seconds_per_run_epoch"], 3), peak)
    for path, seconds in entry["engine"]["paths"].items():
        if path != entry["engine"]["path"]:
            shown.add_row(f"engine by {path}", *_cells(seconds, 3), "")
    for name in ("ratio_to_tutorial", "ratio_to_peer", "ratio_to_floor"):
        if name in entry:
            shown.add_row(name, *_cells(entry[name], 2), "")
    return shown


def _cells(summary: dict[str, float], decimals: int) -> tuple[str, str]:
    return fixed(summary["median"], decimals), interval(summary["low"], summary["high"], decimals)


def _amount(device: str) -> dict[str, int]:
    """What each worker trains in a turn of the engine."""
    return {"runs_per_worker": 30, "epochs": 20} if device == "cuda" else {"runs_per_worker": 1, "epochs": 1}


def _turns(
    variant: Variant,
    images: Tensor,
    labels: Tensor,
    executor: Executor,
    announce: Callable[[str], None],
    compared: bool,
) -> dict[str, Callable[[], Turn]]:
    """What is measured here; the engine by the name of its arithmetic."""
    device, amount = executor.device, _amount(executor.device)
    barrier = multiprocessing.get_context("spawn").Barrier(executor.workers) if executor.workers > 1 else None
    recipe = variant.model_copy(update={"epochs": amount["epochs"], "snapshots": ()})
    work = Work(recipe, images, labels, device, amount["runs_per_worker"], amount["epochs"], barrier)
    paths: list[arithmetic.Path] = ["default"] if device == "cuda" else usable_paths()
    turns: dict[str, Callable[[], Turn]] = {path: partial(engine_turn, work, executor, path) for path in paths}
    if compared and not has_rivals(variant):
        announce("tutorial and peer are left out: they have perceptrons, Adam, one step of each player and no terms")
        return turns
    if compared:
        turns = {"tutorial": partial(tutorial_turn, work), **turns}
    if compared and device == "cpu":
        if find_spec("jax") and find_spec("optax"):
            turns["peer"] = partial(peer_turn, work, executor)
        else:
            announce("peer: JAX is not installed, so it is left out; `make peer` installs it")
    return turns


def has_rivals(variant: Variant) -> bool:
    """Whether tutorial and peer train in the same way as this recipe, so that their times can stand beside its own."""
    optimizers = (variant.generator_optimizer.name, variant.discriminator_optimizer.name)
    return (
        variant.networks == "mlp"
        and optimizers == ("adam", "adam")
        and variant.discriminator_steps == 1
        and not variant.terms
        and variant.clip is None
    )


def _sizes(variant: Variant, images: Tensor, device: str, announce: Callable[[str], None]) -> dict[str, Any]:
    """Time and memory against the size of a population, on a GPU."""
    few = images[: SIZED_STEPS * variant.batch_size]
    sizes: list[dict[str, float]] = []
    if device == "cuda":
        announce("cost and memory against the size of a population")
        steps = -(-len(few) // variant.batch_size)
        for runs, epoch in curve(variant, few, device).items():
            milliseconds = 1e3 * epoch.seconds / (runs * steps)
            peak = epoch.peak_bytes / MIB
            sizes.append({"runs": runs, "milliseconds_per_run_step": milliseconds, "peak_mib": peak})
    return {
        "sizes": sizes,
        "mib_per_run": _slope(sizes) if sizes else None,
        "predicted_mib_per_run": memory_per_run(variant, len(few), images[0].numel(), device) / MIB,
    }


def _contestant(turns: Sequence[Turn]) -> dict[str, Any]:
    return {
        "seconds_per_run_epoch": _summary([turn.per_run_epoch for turn in turns]),
        "peak_mib": max(turn.peak_bytes for turn in turns) / MIB,
    }


def _floor(variant: Variant, images: Tensor, rounds: Sequence[Sequence[Turn]]) -> tuple[list[float], dict[str, Any]]:
    """Every round's floor, from the best rates that any of the engine's turns has seen in it, and what is kept."""
    steps = -(-len(images) // variant.batch_size)
    operations, moved = operations_per_step(variant, images), bytes_per_step(variant, images[0].numel())
    best = [(max(turn.operations for turn in turns), max(turn.bytes for turn in turns)) for turns in rounds]
    phases = [(steps * operations / rate, steps * moved / bandwidth) for rate, bandwidth in best]
    floors = list(map(sum, phases))
    return floors, {
        "seconds_per_run_epoch": _summary(floors),
        "arithmetic_seconds": _summary([seconds for seconds, _ in phases]),
        "memory_seconds": _summary([seconds for _, seconds in phases]),
        "gflop_per_step": operations / 1e9,
        "mb_per_step": moved / 1e6,
        "gflop_per_second": _summary([rate / 1e9 for rate, _ in best]),
        "gb_per_second": _summary([bandwidth / 1e9 for _, bandwidth in best]),
    }


def _summary(values: Sequence[float]) -> dict[str, float]:
    return {"median": median(values), "low": min(values), "high": max(values)}


def _slope(sizes: Sequence[dict[str, float]]) -> float:
    """MiB per further run: the line through peak memory against size."""
    runs, peaks = ([size[name] for size in sizes] for name in ("runs", "peak_mib"))
    return float(np.polyfit(runs, peaks, 1)[0])
