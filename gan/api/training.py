"""Training one variant, and what comes of it: records, histories, generators and images."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from gan.api.materials import data_folder
from gan.audit.recipes import check_recipe
from gan.compute import guards, store
from gan.compute.trainer import STORE, TrainingImages, train_runs
from gan.errors import StudyError
from gan.formatting import unknown
from gan.images import SIDE
from gan.networks import registry
from gan.seeding import random_generator
from gan.study import preregistration
from gan.study.loading import load_study, load_variant
from gan.study.recipe import Variant
from gan.training.population import RunSpec


@dataclass(frozen=True)
class TrainedVariant:
    """A variant's runs; `folders` has where each seed's is kept, under its key in .work/runs/."""

    name: str
    variant: Variant
    folders: dict[int, Path]

    def record(self, seed: int) -> dict[str, Any]:
        """What is recorded of a run: its status, failure, history, seconds, hardware, versions and files."""
        if seed not in self.folders:
            raise StudyError(f"seed {unknown(str(seed), list(map(str, self.folders)))}")
        return store.kept_record(self.folders[seed])

    @property
    def history(self) -> pd.DataFrame:
        """Losses, probabilities and the generator's gradient: a row per seed and epoch, each a mean over steps."""
        return store.history_table(map(self.record, self.folders))

    def generator(self, seed: int, epoch: int | None = None) -> dict[str, np.ndarray]:
        """A generator's parameters, named as in the tutorial's module; the last epoch's, or those of a snapshot."""
        files, epoch = self.record(seed)["files"], epoch or self.variant.epochs
        if store.generator_file(epoch) not in files:
            kept = ", ".join(map(str, self.variant.checkpoints))
            raise StudyError(f"seed {seed} has no generator of epoch {epoch}: the variant keeps those of {kept}")
        return store.kept_generator(self.folders[seed], epoch)

    def images(self, seed: int, count: int = 1000, epoch: int | None = None) -> Tensor:
        """A generator's images `[count, 28, 28]` in [-1, 1], of the latents from which the study scores this seed."""
        random = random_generator(seed, "evaluation")
        latents = torch.randn(count, self.variant.latent_dim, generator=random)
        return registry.generate(self.variant, self.generator(seed, epoch), latents).view(count, SIDE, SIDE)


def train(name: str, root: Path | str = ".", **changes: Any) -> TrainedVariant:
    """Train all seeds of a variant of params.yaml, with `changes` of its recipe, such as `epochs=5, seeds=[0, 1]`.

    Runs that are kept from an earlier call, or from the study itself, are not trained again. StudyError, one line, if
    there is no such variant or the recipe can't be trained.
    """
    root = Path(root)
    path = root / "params.yaml"
    study, variant = load_study(path), load_variant(path, name, changes)
    check_recipe(f"variants.{name}", variant, path)
    sets = TrainingImages.load([variant.data], data_folder(study, variant.data, root).parent)
    specs = [RunSpec(variant, seed) for seed in variant.seeds]
    with guards.alone("train", root / ".work/locks"):
        declared = preregistration.checksum(study)
        trained = train_runs(f"train {name}", specs, sets, study.train.quantiles, study.compute, root / STORE, declared)
    return TrainedVariant(name, variant, dict(zip(variant.seeds, trained.kept.values(), strict=True)))
