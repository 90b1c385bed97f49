"""Scoring trained generators: latents to images, images to features, features to metrics."""

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor
from torchvision.utils import make_grid

from gan import metrics, runs
from gan.classifier import Classifier, classify
from gan.pixels import scale
from gan.progress import progress
from gan.randomness import random_generator
from gan.workers import Crew, Tick

if TYPE_CHECKING:
    from gan.study import Evaluate, Variant


@dataclass(frozen=True)
class Scored:
    """One seed's row of metrics, its FID at each snapshot and its row of samples `[column, height, width]`."""

    row: dict[str, Any]
    snapshots: list[dict[str, float]]
    samples: Tensor


@dataclass(frozen=True)
class Judge:
    """What every run is scored with: the frozen classifier, the test images' side and the settings."""

    classifier: Classifier
    reference: metrics.Reference
    settings: "Evaluate"
    device: str

    @classmethod
    def of(cls, classifier: Classifier, images: Tensor, settings: "Evaluate", device: str) -> "Judge":
        """A judge whose reference is `images`, uint8 `[image, height, width]`."""
        if device == "cpu":
            torch.set_num_threads(1)  # as the workers: the last digits depend on the order of additions
        classifier = classifier.to(device)
        features, _ = classify(classifier, scale(images.to(device)))
        return cls(classifier, metrics.Reference.of(features, settings.neighbours), settings, device)

    def score(self, images: Tensor) -> dict[str, float]:
        """All metrics of images `[image, height, width]` in [-1, 1]."""
        features, digits = classify(self.classifier, images.to(self.device))
        return metrics.score(features, digits, self.reference, self.settings.digit_share)

    def fid(self, images: Tensor) -> float:
        features, _ = classify(self.classifier, images.to(self.device))
        return metrics.fid(features, self.reference)


def generate(parameters: dict[str, np.ndarray], latents: Tensor, side: int) -> Tensor:
    """The generator's images `[image, side, side]` in [-1, 1] from latents `[image, latent]`."""
    layers = sorted({int(name.split(".")[1]) for name in parameters})
    x = latents
    for layer in layers:
        weight, bias = (
            torch.as_tensor(parameters[f"model.{layer}.{kind}"], device=x.device) for kind in ("weight", "bias")
        )
        x = F.linear(x, weight, bias)
        x = torch.tanh(x) if layer == layers[-1] else torch.relu(x)
    return x.view(-1, side, side)


def evaluate_variant(name: str, variant: "Variant", folder: Path, judge: Judge, side: int, crew: Crew) -> list[Scored]:
    """Score every seed of a variant whose runs lie in `folder`; results in the order of its seeds.

    The judge is on the crew's device.
    """
    shared = (name, variant, folder, judge, side)
    with progress(f"evaluate {name}", len(variant.seeds), "runs") as tick:
        scored = list(crew.run(score_run, variant.seeds, shared, tick))
    order = {seed: place for place, seed in enumerate(variant.seeds)}
    return sorted(scored, key=lambda result: order[result.row["seed"]])


def score_run(shared: tuple[str, "Variant", Path, Judge, int], seed: int, tick: Tick) -> Scored:
    """One run's metrics, from latents that seed k of every variant shares; a failed run's row has none."""
    name, variant, folder, judge, side = shared
    record = runs.load_record(folder, seed)
    images, columns = judge.settings.images, judge.settings.grid_columns
    latents = torch.randn(images, variant.latent_dim, generator=random_generator(seed, "evaluation"))
    shown = torch.randn(columns, variant.latent_dim, generator=random_generator(0, "grid"))
    row: dict[str, Any] = {"variant": name, "seed": seed, "status": record["status"]}
    snapshots, samples = [], torch.full((columns, side, side), -1.0)
    for epoch in variant.checkpoints:
        if runs.generator_file(epoch) not in record["files"]:
            break
        parameters = runs.load_generator(folder, seed, epoch)
        generated = generate(parameters, latents.to(judge.device), side)
        if epoch == variant.epochs:
            samples = generate(parameters, shown, side)
            scores = judge.score(generated)
            row |= scores
            snapshots.append({"seed": seed, "epoch": epoch, "fid": scores["fid"]})
        else:
            snapshots.append({"seed": seed, "epoch": epoch, "fid": judge.fid(generated)})
    failure = record["failure"] or {"epoch": None, "cause": None}
    row |= {"failed_epoch": failure["epoch"], "failure": failure["cause"], "key": record["key"]}
    tick(1)
    return Scored(row, snapshots, samples)


def metrics_table(scored: list[Scored]) -> pd.DataFrame:
    """One row per seed; a failed run's metrics are empty."""
    columns = ["variant", "seed", "status", *metrics.NAMES, "failed_epoch", "failure", "key"]
    return pd.DataFrame([result.row for result in scored], columns=columns).astype(
        {"failed_epoch": "Int64", "digits": "Int64"}
    )


def snapshots_table(name: str, scored: list[Scored]) -> pd.DataFrame:
    """FID along the snapshots, one row per seed and epoch."""
    rows = [{"variant": name, **snapshot} for result in scored for snapshot in result.snapshots]
    return pd.DataFrame(rows, columns=["variant", "seed", "epoch", "fid"])


def sample_grid(scored: list[Scored], rows: int) -> bytes:
    """A PNG: a row for each of the first seeds, a column for each latent; white on black, a failed run's row black."""
    samples = torch.cat([result.samples for result in scored[:rows]])
    columns = len(scored[0].samples)
    grid = make_grid(samples.unsqueeze(1), nrow=columns, padding=2, normalize=True, value_range=(-1, 1))
    png = BytesIO()
    Image.fromarray((255 * grid[0]).round().byte().numpy()).save(png, "PNG", optimize=True)
    return png.getvalue()
