"""A published generator scored again, without any training: are the published scores those of its weights?"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from gan.compute.executors import local_executor
from gan.compute.tables import read_table
from gan.errors import StudyError
from gan.evaluation.classifier import load_classifiers
from gan.evaluation.scoring import ALONE, Scorer
from gan.formatting import counted, significant
from gan.images import load
from gan.pictures.drawing import draw
from gan.pictures.sources import Source, published
from gan.seeding import random_generator
from gan.study.loading import load_study
from gan.study.schema import Study

# The weights are the same everywhere, so scores differ by rounding alone: by 1e-6 or so of FID on another processor.
MOST_DIFFERENCE = 1e-3


@dataclass(frozen=True)
class Rescored:
    """A published generator's scores, each by its name: as published, and as they come out here."""

    source: Source
    device: str
    published: dict[str, float]
    here: dict[str, float]

    @property
    def identical(self) -> bool:
        """Whether all are equal to the last digit."""
        return self.published == self.here

    @property
    def difference(self) -> float:
        """By how much FID differs, relative to the published one."""
        return abs(self.here["fid"] - self.published["fid"]) / max(abs(self.published["fid"]), 1e-12)


def rescore(variant: str, root: Path = Path()) -> Rescored:
    """Score the variant's published generator as the stage `evaluate` does, and look up its published scores.

    StudyError if there is no such generator, or no score of it.
    """
    study = load_study(root / "params.yaml")
    source = published(study, variant, root=root)
    recorded = _recorded(variant, source, root / "reports")
    folder = root / "data" / source.recipe.data
    if not (folder / "data.json").exists():
        raise StudyError(f"{folder} has no images: `.venv/bin/dvc repro download` fetches them")
    device = local_executor(study.compute, most_gpus=1).device
    scores = _scores(study, source, folder, root / "models" / source.recipe.data, device)
    return Rescored(source, device, recorded, {name: float(scores[name]) for name in recorded})


def show(rescored: Rescored) -> None:
    """Print the scores; StudyError if FID is another one than published."""
    source = rescored.source
    print(f"{source.path}: seed {source.seed}, after {counted(source.epoch, 'epoch')}, scored on {rescored.device}")
    for name, value in rescored.here.items():
        print(f"  {name:<9} {value!r:<20} published {rescored.published[name]!r}")
    if rescored.identical:
        print("Equal to the published scores, to the last digit")
        return
    difference = f"FID differs from the published one by {significant(rescored.difference)} of it"
    if not rescored.difference <= MOST_DIFFERENCE:
        raise StudyError(
            f"{difference}, more than rounding explains: are the images and classifiers the published ones?"
        )
    print(f"{difference}: rounding, as on another kind of processor")


def _recorded(variant: str, source: Source, reports: Path) -> dict[str, float]:
    """The published scores of this generator alone; of a run that failed later only FID was kept for it."""
    table = read_table(reports / f"metrics/{variant}.csv")
    of_run = table[(table["seed"] == source.seed) & (table["key"] == source.key)]
    rows = of_run[(of_run["epoch"] == source.epoch) & (of_run["status"] == "finished")]
    if len(rows):
        return {name: float(rows.iloc[0][f"{name}_last"]) for name in ALONE}
    table = read_table(reports / f"snapshots/{variant}.csv")
    rows = table[(table["seed"] == source.seed) & (table["epoch"] == source.epoch)]
    if not len(of_run) or not len(rows):
        raise StudyError(f"{reports} has no score of {source.path}: `make study` makes both anew")
    return {"fid": float(rows.iloc[0]["fid"])}


def _scores(study: Study, source: Source, data: Path, models: Path, device: str) -> Mapping[str, float]:
    images, _ = load(data, "test")
    scorer = Scorer.of(load_classifiers(models)[:1], images, study.evaluate, device)
    random = random_generator(source.seed, "evaluation")
    latents = torch.randn(study.evaluate.images, source.recipe.latent_dim, generator=random).to(device)
    return scorer.score(draw(source.recipe, source.state, latents))
