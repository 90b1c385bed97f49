"""Training a variant's seeds where they are missing: a finished run is kept under its key and trained only once."""

import hashlib
import json
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from gan import networks, objectives, pixels, randomness, runs, training
from gan.progress import progress
from gan.workers import Tick, choose_device, count_workers, describe_hardware, on_cores

if TYPE_CHECKING:
    from gan.study import Compute, Variant

TRAINING_SOURCES = (networks, objectives, pixels, randomness, training)


@dataclass(frozen=True)
class Trained:
    """Where each run is kept, by key in the order of the seeds, and on what the missing ones were trained."""

    kept: dict[str, Path]
    hardware: dict[str, Any]
    versions: dict[str, str]


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
) -> Trained:
    """Train every seed that `store` doesn't hold yet, on `images` (uint8, with checksum `data`).

    Each run enters the store the moment it is finished, so that an interruption loses only runs in progress.
    """
    device = choose_device(compute)
    # Weights depend on the kind of device and on torch, so runs of different ones are kept apart.
    shelf = store / f"{device}-torch{torch.__version__}"
    kept = {seed: shelf / run_key(variant, seed, quantiles, data) for seed in variant.seeds}
    missing = [seed for seed, folder in kept.items() if not runs.is_whole(folder)]
    workers = count_workers(compute, len(kept)) if device == "cpu" else 1
    with progress(title, len(missing) * variant.epochs, "epochs") as tick:
        if device == "cpu":
            shared = (variant, images, tuple(quantiles))
            for run in on_cores(_train_alone, missing, shared, workers, tick) if missing else ():
                runs.keep(run, kept[run.seed])
        elif missing:
            for run in training.train(variant, missing, images, quantiles, device, tick):
                runs.keep(run, kept[run.seed])
    return Trained(
        {folder.name: folder for folder in kept.values()},
        {**describe_hardware(device), "workers": workers},
        {"python": platform.python_version(), "torch": torch.__version__},
    )


def _train_alone(shared: tuple["Variant", torch.Tensor, Sequence[float]], seed: int, tick: Tick) -> training.Run:
    variant, images, quantiles = shared
    (run,) = training.train(variant, [seed], images, quantiles, "cpu", tick)
    return run
