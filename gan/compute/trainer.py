"""Training the missing runs of a study: a finished run is kept under its key and trained only once."""

import gc
import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

import torch

from gan import images
from gan.compute import checkpoints, store
from gan.compute.checkpoints import CheckpointFolder
from gan.compute.executors import Executor, ProgressCallback, divide, local_executor
from gan.compute.hardware import describe_hardware, versions
from gan.compute.progress import progress
from gan.compute.ray_executor import RayExecutor
from gan.files import remove_parts, room_checksum
from gan.own.registration import register
from gan.study.recipe import Variant
from gan.study.schema import Compute
from gan.training import arithmetic, loop
from gan.training.population import RunSpec, common_settings, memory_per_run

# Of a GPU's free memory. The rest is for libraries and for fragments that the allocator can't use.
MEMORY_SHARE = 0.8
STORE = Path(".work/runs")


class TrainingImages(NamedTuple):
    """A data set's images, uint8 `[image, height, width]`, and their checksum."""

    images: torch.Tensor
    checksum: str

    @classmethod
    def load(cls, names: Iterable[str], folder: Path = Path("data")) -> dict[str, Self]:
        """The data sets of these names, as they were downloaded."""
        return {
            name: cls(images.load(folder / name, "train")[0], images.checksum(folder / name, "train"))
            for name in sorted(set(names))
        }


@dataclass(frozen=True)
class Trained:
    """The folder of each run by its key, in the order of the specs; the number of workers; how many runs are new."""

    kept: dict[str, Path]
    workers: int
    new: int


@dataclass(frozen=True)
class Task:
    """What all populations have in common; `checkpoints` is a folder, or None for no checkpoints.

    `preregistration` is its checksum when they begin.
    """

    sets: Mapping[str, TrainingImages]
    quantiles: Sequence[float]
    device: str
    compute: Compute
    checkpoints: Path | None
    preregistration: str


class Missing(NamedTuple):
    """A run that is to be trained, and its key."""

    key: str
    spec: RunSpec


def code_checksum() -> str:
    """SHA-256, in hex, of the code that decides a run's weights."""
    return room_checksum("training", "networks")


def run_key(variant: Variant, seed: int, quantiles: Sequence[float], data: str) -> str:
    """A run's identity, in hex: everything that decides its result but the machine.

    `data` is the training images' checksum. A file of the user's own is part of the keys of the variants that name it.
    """
    parts = [variant.identity(exclude={"seeds"}), seed, list(quantiles), data, code_checksum()]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def train_runs(
    title: str,
    specs: Sequence[RunSpec],
    sets: Mapping[str, TrainingImages],
    quantiles: Sequence[float],
    compute: Compute,
    folder: Path,
    preregistration: str,
) -> Trained:
    """Train every run that `folder` doesn't hold yet, on the images in `sets` that its variant names.

    On a CPU each run is a population of its own; on a GPU runs that share shapes and terms are trained side by side,
    as many as its memory holds. Runs are kept in `folder` as soon as they are finished, each with the
    preregistration's checksum when its training began. An interruption loses what unfinished runs did after their last
    checkpoint. On a cluster, whose machines share no files, there are no checkpoints.
    """
    register(spec.variant for spec in specs)
    executor = RayExecutor(compute) if compute.engine == "ray" else local_executor(compute)
    # Weights depend on the kind of device and on torch, so runs of different ones are kept apart.
    cache_folder = folder / f"{executor.device}-torch{torch.__version__}"
    # All keys are computed now: the code on disk may change while the runs are trained.
    code = code_checksum()
    runs = {run_key(spec.variant, spec.seed, quantiles, sets[spec.variant.data].checksum): spec for spec in specs}
    kept = {key: cache_folder / key for key in runs}
    missing = [Missing(key, spec) for key, spec in runs.items() if not store.is_whole(kept[key])]
    checkpoint_folder = cache_folder / "checkpoints" / code[:32]
    for other in set(checkpoint_folder.parent.glob("*")) - {checkpoint_folder}:
        shutil.rmtree(other, ignore_errors=True)  # of other code: nobody can go on from them
    begun = checkpoints.begun(checkpoint_folder, [run.key for run in missing])
    shares = populations(missing, begun, executor, compute)
    saved_in = None if compute.engine == "ray" else checkpoint_folder
    task = Task(sets, tuple(quantiles), executor.device, compute, saved_in, preregistration)
    try:
        with progress(title, sum(run.spec.variant.epochs for run in missing), "epochs") as on_progress:
            for trained in executor.run(train_population, shares, task, on_progress):
                for key, run, origin in trained:
                    store.save_run(run, kept[key], origin)
                    checkpoints.remove(checkpoint_folder, key)
    except BaseException:
        remove_parts(checkpoint_folder)  # free the space: the disk may be full
        raise
    return Trained(kept, executor.workers, len(missing))


def populations(
    missing: Sequence[Missing], begun: Mapping[str, int], executor: Executor, compute: Compute
) -> list[Sequence[Missing]]:
    """Shares of the runs; each worker trains one share at a time, side by side. The longest are first.

    On a CPU each run is a share. On a GPU those of a share agree in all that a population has in common and have been
    trained for the same number of epochs.
    """
    if executor.device == "cpu":
        shares: list[Sequence[Missing]] = [[run] for run in missing]
    else:
        together: dict[object, list[Missing]] = {}
        for run in missing:
            variant = run.spec.variant
            together.setdefault((str(common_settings(variant)), begun[run.key]), []).append(run)
        most = compute.population
        shares = [
            share
            # Runs of one objective and optimizer are neighbours, so that they are one call of it.
            for runs in (sorted(group, key=_call) for group in together.values())
            for share in divide(runs, executor.workers, len(runs) if most == "auto" else most)
        ]
    return sorted(shares, key=_work, reverse=True)


def _call(run: Missing) -> str:
    variant = run.spec.variant
    parts = (variant.objective, variant.generator_optimizer, variant.discriminator_optimizer)
    return repr(parts)


def _work(share: Sequence[Missing]) -> int:
    """How long a share takes, roughly: a term is about as much work as the rest of a step."""
    return sum(run.spec.variant.epochs * (1 + len(run.spec.variant.terms)) for run in share)


def train_population(
    task: Task, share: Sequence[Missing], on_progress: ProgressCallback
) -> list[tuple[str, loop.Run, dict[str, Any]]]:
    """Train a share's runs; each with its key and origin. On a GPU in turns, if memory is too small for all."""
    variant, most = share[0].spec.variant, len(share)
    trained_on = task.sets[variant.data].images
    if task.device == "cuda":
        gc.collect()  # or the memory of an earlier population would count as not free
        torch.cuda.empty_cache()
        free, total = torch.cuda.mem_get_info()
        usable = MEMORY_SHARE * min(free, task.compute.gpu_share * total) - trained_on.numel()
        per_run = memory_per_run(variant, len(trained_on), trained_on[0].numel(), task.device)
        most = max(1, int(usable / per_run))
    path = arithmetic.use(arithmetic.choose()) if task.device == "cpu" else None  # the chosen one, if it is exact
    hardware = describe_hardware(task.device, path)
    here = {"hardware": hardware, "versions": versions(), "preregistration": task.preregistration}
    trained: list[tuple[str, loop.Run, dict[str, Any]]] = []
    for part in divide(share, 1, most):
        keys, specs = [run.key for run in part], [run.spec for run in part]
        saver = None
        if task.checkpoints:
            saver = CheckpointFolder(task.checkpoints, keys, task.compute.checkpoint_seconds, here)
        runs = loop.train(specs, trained_on, task.quantiles, task.device, on_progress, saver, path)
        trained += zip(keys, runs, saver.origins if saver else [here] * len(runs), strict=True)
        gc.collect()  # the next population needs the memory of this one
    return trained
