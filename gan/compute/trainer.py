"""Training a variant's seeds where they are missing: a finished run is kept under its key and trained only once."""

import gc
import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from gan.compute import store
from gan.compute.checkpoints import CheckpointFile, unfinished
from gan.compute.executors import Executor, ProgressCallback, describe_hardware, divide, local_executor, versions
from gan.compute.progress import progress
from gan.compute.ray_executor import RayExecutor
from gan.files import remove_parts, room_checksum
from gan.training import loop
from gan.training.population import memory_per_run

if TYPE_CHECKING:
    from gan.study.schema import Compute, Variant

# Of a GPU's free memory; the rest is for libraries and for what an allocator can't use.
MEMORY_SHARE = 0.8


@dataclass(frozen=True)
class Trained:
    """Where each run is kept, by key in the order of the seeds, and how many workers there were for missing ones."""

    kept: dict[str, Path]
    workers: int


@dataclass(frozen=True)
class Task:
    """What the populations of one variant have in common; `checkpoints` is a folder, None where none are to be made.

    `preregistration` is the checksum of what is declared as they begin.
    """

    variant: "Variant"
    images: torch.Tensor
    quantiles: Sequence[float]
    device: str
    compute: "Compute"
    checkpoints: Path | None
    preregistration: str


def code_checksum() -> str:
    """SHA-256 of the code that decides what a trained run is."""
    return room_checksum("training")


def run_key(variant: "Variant", seed: int | None, quantiles: Sequence[float], data: str) -> str:
    """A run's identity, in hex: everything that decides its result but the machine; without a seed, that of all.

    `data` is the training images' checksum.
    """
    recipe = variant.model_dump(mode="json", exclude={"seeds"})
    parts = [recipe, seed, list(quantiles), data, code_checksum()]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def train_variant(
    title: str,
    variant: "Variant",
    images: torch.Tensor,
    data: str,
    quantiles: Sequence[float],
    compute: "Compute",
    folder: Path,
    preregistration: str,
) -> Trained:
    """Train every seed that `folder` doesn't hold yet, on `images` (uint8, with checksum `data`).

    A run is kept with the checksum of what was declared when its training began. Each population's runs enter it
    the moment they are finished; of those in progress an interruption loses what came after their last checkpoint. On
    a cluster, whose machines share no files, there are no checkpoints.
    """
    executor = RayExecutor(compute) if compute.engine == "ray" else local_executor(compute)
    # Weights depend on the kind of device and on torch, so runs of different ones are kept apart.
    cache_folder = folder / f"{executor.device}-torch{torch.__version__}"
    kept = {seed: cache_folder / run_key(variant, seed, quantiles, data) for seed in variant.seeds}
    missing = [seed for seed, place in kept.items() if not store.is_whole(place)]
    checkpoints = cache_folder / "checkpoints" / run_key(variant, None, quantiles, data)
    begun = unfinished(checkpoints, missing)
    # Of seeds, too, that params.yaml had when they were begun; all of it now, for the code may change meanwhile.
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
        remove_parts(checkpoints)  # a full disk's room is dear
        raise
    shutil.rmtree(checkpoints, ignore_errors=True)
    return Trained({folder.name: folder for folder in kept.values()}, executor.workers)


def populations(seeds: Sequence[int], executor: Executor, compute: "Compute") -> list[Sequence[int]]:
    """The seeds in shares that are trained side by side, one share at a time on each worker; on a CPU each alone."""
    if executor.device == "cpu":
        return [[seed] for seed in seeds]
    return divide(seeds, executor.workers, max(1, len(seeds)) if compute.population == "auto" else compute.population)


def train_population(
    task: Task, seeds: Sequence[int], on_progress: ProgressCallback
) -> list[tuple[loop.Run, dict[str, Any]]]:
    """Runs of some seeds, each with its origin. On a GPU the seeds are trained in turns if memory demands it."""
    most = len(seeds)
    if task.device == "cuda":
        gc.collect()  # an earlier population, if it is still held, would be taken for somebody else's
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
