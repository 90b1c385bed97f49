"""Training the missing seeds of a variant: a finished run is kept under its key and trained only once."""

import gc
import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import torch

from gan.compute import store
from gan.compute.checkpoints import CheckpointFile, unfinished
from gan.compute.executors import Executor, ProgressCallback, divide, local_executor
from gan.compute.hardware import describe_hardware, versions
from gan.compute.progress import progress
from gan.compute.ray_executor import RayExecutor
from gan.files import remove_parts, room_checksum
from gan.study.schema import Compute, Variant
from gan.training import loop
from gan.training.population import memory_per_run

# Of a GPU's free memory. The rest is for libraries and for fragments that the allocator can't use.
MEMORY_SHARE = 0.8


@dataclass(frozen=True)
class Trained:
    """The folder of each run by its key, in the order of the seeds, and the number of workers."""

    kept: dict[str, Path]
    workers: int


@dataclass(frozen=True)
class Task:
    """What the populations of one variant have in common; `checkpoints` is a folder, or None for no checkpoints.

    `preregistration` is its checksum when they begin.
    """

    variant: Variant
    images: torch.Tensor
    quantiles: Sequence[float]
    device: str
    compute: Compute
    checkpoints: Path | None
    preregistration: str


def code_checksum() -> str:
    """SHA-256, in hex, of the code that decides a run's weights."""
    return room_checksum("training")


def run_key(variant: Variant, seed: int | None, quantiles: Sequence[float], data: str) -> str:
    """A run's identity, in hex: everything that decides its result but the machine. Without a seed, the recipe's.

    `data` is the training images' checksum.
    """
    recipe = variant.model_dump(mode="json", exclude={"seeds"})
    parts = [recipe, seed, list(quantiles), data, code_checksum()]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def train_variant(
    title: str,
    variant: Variant,
    images: torch.Tensor,
    data: str,
    quantiles: Sequence[float],
    compute: Compute,
    folder: Path,
    preregistration: str,
) -> Trained:
    """Train every seed that `folder` doesn't hold yet, on `images` (uint8 `[image, height, width]`, checksum `data`).

    The runs of a population are kept in `folder` as soon as they are finished, each with the preregistration's checksum
    when its training began. An interruption loses what unfinished runs did after their last checkpoint. On a cluster,
    whose machines share no files, there are no checkpoints.
    """
    executor = RayExecutor(compute) if compute.engine == "ray" else local_executor(compute)
    # Weights depend on the kind of device and on torch, so runs of different ones are kept apart.
    cache_folder = folder / f"{executor.device}-torch{torch.__version__}"
    kept = {seed: cache_folder / run_key(variant, seed, quantiles, data) for seed in variant.seeds}
    missing = [seed for seed, place in kept.items() if not store.is_whole(place)]
    checkpoints = cache_folder / "checkpoints" / run_key(variant, None, quantiles, data)
    begun = unfinished(checkpoints, missing)
    # Runs that were begun are finished even if params.yaml has dropped their seeds. All keys are computed now: the code
    # on disk may change while the runs are trained.
    places = {seed: cache_folder / run_key(variant, seed, quantiles, data) for seed in chain(kept, *begun)}
    afresh = [seed for seed in missing if not any(seed in seeds for seeds in begun)]
    shares = [*begun, *populations(afresh, executor, compute)]
    saved_in = None if compute.engine == "ray" else checkpoints
    task = Task(variant, images, tuple(quantiles), executor.device, compute, saved_in, preregistration)
    try:
        with progress(title, sum(map(len, shares)) * variant.epochs, "epochs") as on_progress:
            for trained in executor.run(train_population, shares, task, on_progress):
                for run, origin in trained:
                    store.save_run(run, places[run.seed], origin)
    except BaseException:
        remove_parts(checkpoints)  # free the space: the disk may be full
        raise
    shutil.rmtree(checkpoints, ignore_errors=True)
    return Trained({folder.name: folder for folder in kept.values()}, executor.workers)


def populations(seeds: Sequence[int], executor: Executor, compute: Compute) -> list[Sequence[int]]:
    """Shares of the seeds; each worker trains one share at a time, side by side. On a CPU each seed is a share."""
    if executor.device == "cpu":
        return [[seed] for seed in seeds]
    return divide(seeds, executor.workers, max(1, len(seeds)) if compute.population == "auto" else compute.population)


def train_population(
    task: Task, seeds: Sequence[int], on_progress: ProgressCallback
) -> list[tuple[loop.Run, dict[str, Any]]]:
    """Train some seeds; each run with its origin. On a GPU they are trained in turns if memory is too small for all."""
    most = len(seeds)
    if task.device == "cuda":
        gc.collect()  # or the memory of an earlier population would count as not free
        torch.cuda.empty_cache()
        free, total = torch.cuda.mem_get_info()
        usable = MEMORY_SHARE * min(free, task.compute.gpu_share * total) - task.images.numel() * torch.float32.itemsize
        per_run = memory_per_run(task.variant, len(task.images), task.images[0].numel())
        most = max(1, int(usable / per_run))
    here = {"hardware": describe_hardware(task.device), "versions": versions(), "preregistration": task.preregistration}
    trained: list[tuple[loop.Run, dict[str, Any]]] = []
    for share in divide(seeds, 1, most):
        saver = None
        if task.checkpoints:
            saver = CheckpointFile(task.checkpoints, share, task.compute.checkpoint_seconds, here)
        population = loop.train(task.variant, share, task.images, task.quantiles, task.device, on_progress, saver)
        trained += [(run, saver.origin if saver else here) for run in population]
        gc.collect()  # recorded steps and their population refer to each other
    return trained
