"""Training a variant's seeds where they are missing: a finished run is kept under its key and trained only once."""

import gc
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from gan import networks, objectives, optimizers, pixels, randomness, recording, runs, terms, training
from gan.cluster import Cluster
from gan.progress import progress
from gan.workers import Crew, Tick, describe_hardware, divide, local_crew, versions

if TYPE_CHECKING:
    from gan.study import Compute, Variant

TRAINING_SOURCES = (networks, objectives, optimizers, pixels, randomness, recording, terms, training)

# Beyond as many runs a core gains nothing from training them side by side, and an interruption costs more.
MOST_ON_A_CORE = 8

# Of a GPU's free memory; the rest is for libraries and for what an allocator can't use.
MEMORY_SHARE = 0.8


@dataclass(frozen=True)
class Trained:
    """Where each run is kept, by key in the order of the seeds, and how many workers there were for missing ones."""

    kept: dict[str, Path]
    workers: int


def code_checksum() -> str:
    """SHA-256 of the modules that decide what a trained run is."""
    digest = hashlib.sha256()
    for module in TRAINING_SOURCES:
        digest.update(Path(str(module.__file__)).read_bytes())
    return digest.hexdigest()


def run_key(variant: "Variant", seed: int, quantiles: Sequence[float], data: str) -> str:
    """A run's identity, in hex: everything that decides its result but the machine.

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
    store: Path,
    declaration: str,
) -> Trained:
    """Train every seed that `store` doesn't hold yet, on `images` (uint8, with checksum `data`).

    A run is kept with the checksum of what was declared when it was trained. Each population's runs enter the store the
    moment they are finished, so that an interruption loses only those in progress.
    """
    crew = Cluster(compute) if compute.engine == "ray" else local_crew(compute)
    # Weights depend on the kind of device and on torch, so runs of different ones are kept apart.
    shelf = store / f"{crew.device}-torch{torch.__version__}"
    kept = {seed: shelf / run_key(variant, seed, quantiles, data) for seed in variant.seeds}
    missing = [seed for seed, folder in kept.items() if not runs.is_whole(folder)]
    shared = (variant, images, tuple(quantiles), crew.device, compute.gpu_share)
    with progress(title, len(missing) * variant.epochs, "epochs") as tick:
        for trained, origin in crew.run(train_population, populations(missing, crew, compute), shared, tick):
            for run in trained:
                runs.keep(run, kept[run.seed], {**origin, "declaration": declaration})
    return Trained({folder.name: folder for folder in kept.values()}, crew.workers)


def populations(seeds: Sequence[int], crew: Crew, compute: "Compute") -> list[Sequence[int]]:
    """The seeds in shares that are trained side by side, one share at a time on each worker."""
    if compute.population != "auto":
        most = compute.population
    else:
        most = MOST_ON_A_CORE if crew.device == "cpu" else max(1, len(seeds))
    return divide(seeds, crew.workers, most)


def train_population(
    shared: tuple["Variant", torch.Tensor, Sequence[float], str, float], seeds: Sequence[int], tick: Tick
) -> tuple[list[training.Run], dict[str, Any]]:
    """Runs of some seeds, and where they come from. On a GPU the seeds are trained in turns if memory demands it."""
    variant, images, quantiles, device, gpu_share = shared
    most = len(seeds)
    if device == "cuda":
        gc.collect()  # an earlier population, if it is still held, would be taken for somebody else's
        torch.cuda.empty_cache()
        free, total = torch.cuda.mem_get_info()
        usable = MEMORY_SHARE * min(free, gpu_share * total) - images.numel() * torch.float32.itemsize
        per_run = training.memory_per_run(variant, len(images), images[0].numel())
        most = max(1, int(usable / per_run))
    trained: list[training.Run] = []
    for share in divide(seeds, 1, most):
        trained += training.train(variant, share, images, quantiles, device, tick)
        gc.collect()  # recorded steps and their population refer to each other
    return trained, {"hardware": describe_hardware(device), "versions": versions()}
