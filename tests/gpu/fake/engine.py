"""The one place where the tests for a GPU, real or fake, call the engine."""

import gc
from collections.abc import Callable, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from conftest import TESTS

from gan.compute.trainer import Trained, TrainingImages, train_runs
from gan.study.loading import load_study
from gan.study.recipe import Variant
from gan.study.schema import Study
from gan.training import loop
from gan.training.population import RunSpec, memory_per_run

QUANTILES = (0.05, 0.5)
Runs = Sequence[tuple[Variant, int]]


class Kept:
    """A saver that keeps every epoch's checkpoint in memory."""

    def __init__(self) -> None:
        self.checkpoint: loop.Checkpoint | None = None

    def load(self) -> loop.Checkpoint | None:
        return deepcopy(self.checkpoint)

    def save(self, take: Callable[[], loop.Checkpoint]) -> None:
        self.checkpoint = deepcopy(take())

    def of(self, places: Sequence[int]) -> "Kept":
        """The checkpoint of the runs in these places."""
        assert self.checkpoint
        part, kept = deepcopy(self.checkpoint), Kept()
        runs, states = ([each[place] for place in places] for each in (part.runs, part.states))
        kept.checkpoint = loop.Checkpoint(part.epoch, runs, states)
        return kept


def train(runs: Runs, images: torch.Tensor, saver: Any = None, device: str = "cuda") -> list[loop.Run]:
    """Train the runs, each a variant and a seed, as one population."""
    specs = [RunSpec(variant, seed) for variant, seed in runs]
    return loop.train(specs, images, QUANTILES, device, lambda done: None, saver)


def train_variants(study: Study, names: Sequence[str], images: torch.Tensor, folder: Path) -> Trained:
    """Train what `folder` lacks of these variants, as the stages do."""
    specs = [RunSpec(study.variants[name], seed) for name in names for seed in study.variants[name].seeds]
    sets = {spec.variant.data: TrainingImages(images, "checksum") for spec in specs}
    return train_runs("check", specs, sets, QUANTILES, study.compute, folder, "declared")


def memory_of_one_more_run(name: str) -> tuple[float, int]:
    """Bytes that PyTorch takes from a GPU for one more run of a variant at its full widths, and their prediction."""
    variant = load_study(TESTS / "params.yaml").variants[name].model_copy(update={"epochs": 5, "snapshots": ()})
    images, sizes, taken = torch.zeros(3232, 28, 28, dtype=torch.uint8), (16, 64), []
    for runs in sizes:
        gc.collect()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        train([(variant, seed) for seed in range(runs)], images)
        taken.append(torch.cuda.max_memory_reserved())
    measured = (taken[1] - taken[0]) / (sizes[1] - sizes[0])
    return measured, memory_per_run(variant, len(images), images[0].numel(), "cuda")
