"""Scoring trained generators: latents to images, images to features, features to metrics."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from pathlib import Path
from statistics import fmean, geometric_mean
from typing import Any, Self

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import Tensor

from gan.compute import store
from gan.compute.executors import Executor, ProgressCallback
from gan.compute.progress import progress
from gan.evaluation import metrics
from gan.evaluation.classifier import Classifier, classify
from gan.images import scale
from gan.networks import registry
from gan.seeding import random_generator
from gan.study.recipe import Variant
from gan.study.schema import Evaluate

ALONE = ("fid", "kid", "recall", "coverage", "digits")  # told of the last snapshot alone, too
MORE_NAMES = (
    *(f"{name}_last" for name in ALONE),
    "fid_again",
    "fid_half",
    "output_variance",
    "mean_distance",
    "median_distance",
)
RECONSTRUCTION = "reconstruction_error"


@dataclass(frozen=True)
class Scored:
    """One seed's rows of metrics, its FID at each snapshot and its row of samples `[column, height, width]`."""

    rows: list[dict[str, Any]]
    snapshots: list[dict[str, float]]
    samples: Tensor


@dataclass(frozen=True)
class Further:
    """What the study's tests ask of a variant's runs beside their scores by the classifier that counts.

    `confirmed`: FID by the other classifiers, after the last epoch. `repeated`: FID of other latents.
    """

    confirmed: bool
    repeated: bool


@dataclass(frozen=True)
class Scorer:
    """What every run is scored with: the classifier that counts, those that confirm it, and the test images.

    `images` are the test images `[image, height, width]` in [-1, 1].
    """

    classifier: Classifier
    reference: metrics.Reference
    others: list[tuple[Classifier, metrics.Moments]]
    images: Tensor
    settings: Evaluate
    device: str

    @classmethod
    def of(cls, classifiers: Sequence[Classifier], images: Tensor, settings: Evaluate, device: str) -> Self:
        """A scorer whose reference is `images`, uint8 `[image, height, width]`; the first classifier counts."""
        if device == "cpu":
            torch.set_num_threads(1)  # as in the workers: the last digits depend on the order of additions
        images = scale(images.to(device))
        first, *others = (classifier.to(device) for classifier in classifiers)
        reference = metrics.Reference.of(classify(first, images)[0], settings.neighbours)
        moments = [metrics.Moments.of(classify(other, images)[0]) for other in others]
        return cls(first, reference, list(zip(others, moments, strict=True)), images, settings, device)

    @cached_property
    def mean_image(self) -> Tensor:
        return self.images.mean(0)

    @cached_property
    def median_image(self) -> Tensor:
        return self.images.median(0)[0]

    def score(self, images: Tensor) -> dict[str, float]:
        """All metrics of images `[image, height, width]` in [-1, 1] that need these images and one classifier alone.

        `fid_half` is FID of their first half. `output_variance` is the pixels' variance over images, `mean_distance`
        and `median_distance` the mean squared distance from the test images' mean and median image, all averaged over
        pixels.
        """
        images = images.to(self.device)
        features, digits = classify(self.classifier, images)
        return {
            **metrics.score(features, digits, self.reference, self.settings.digit_share),
            "fid_half": metrics.fid(features[: len(features) // 2], self.reference),
            "output_variance": images.var(0).mean().item(),
            "mean_distance": (images - self.mean_image).square().mean().item(),
            "median_distance": (images - self.median_image).square().mean().item(),
        }

    def score_trial(self, images: Tensor) -> dict[str, float]:
        """FID, KID, coverage and digits of images `[image, height, width]` in [-1, 1]: what a trial is compared by."""
        features, digits = classify(self.classifier, images.to(self.device))
        shares = metrics.digit_shares(digits)
        return {
            "fid": metrics.fid(features, self.reference),
            "kid": metrics.kernel_distance(metrics.KernelMean.of(features), self.reference.kernel_mean),
            "coverage": metrics.coverage(features, self.reference),
            "digits": sum(share >= self.settings.digit_share for share in shares),
        }

    def fid(self, images: Tensor) -> float:
        """FID of images `[image, height, width]` in [-1, 1] by the classifier that counts."""
        features, _ = classify(self.classifier, images.to(self.device))
        return metrics.fid(features, self.reference)

    def other_fids(self, images: Tensor) -> dict[str, float]:
        """FID of images `[image, height, width]` in [-1, 1] by each of the other classifiers."""
        images = images.to(self.device)
        fids = [
            metrics.frechet_distance(metrics.Moments.of(classify(classifier, images)[0]), reference)
            for classifier, reference in self.others
        ]
        return dict(zip(other_names(len(fids)), fids, strict=True))


def other_names(others: int) -> list[str]:
    """The names of FID by each of so many other classifiers."""
    return [f"fid_classifier_{place}" for place in range(1, others + 1)]


def evaluate_variant(
    name: str,
    variant: Variant,
    folder: Path,
    scorer: Scorer,
    executor: Executor,
    further: Further,
) -> list[Scored]:
    """Score every seed of a variant whose runs are in `folder`, in the order of its seeds.

    The scorer must be on the executor's device.
    """
    shared = (name, variant, folder, scorer, further)
    with progress(f"evaluate {name}", len(variant.seeds), "runs") as on_progress:
        scored = list(executor.run(score_run, variant.seeds, shared, on_progress))
    order = {seed: place for place, seed in enumerate(variant.seeds)}
    return sorted(scored, key=lambda result: order[result.rows[0]["seed"]])


def score_run(shared: tuple[str, Variant, Path, Scorer, Further], seed: int, on_progress: ProgressCallback) -> Scored:
    """One run's metrics, from latents that depend on the seed alone; none for the epochs that it did not finish."""
    name, variant, folder, scorer, further = shared
    side = scorer.images.shape[-1]
    record = store.load_record(folder, seed)
    images, columns = scorer.settings.images, scorer.settings.grid_columns
    latents, more_latents = (
        torch.randn(images, variant.latent_dim, generator=random_generator(seed, purpose)).to(scorer.device)
        for purpose in ("evaluation", "evaluation again")
    )
    shown = torch.randn(columns, variant.latent_dim, generator=random_generator(0, "grid"))
    failure = record["failure"] or {"epoch": None, "cause": None}
    identity = {"variant": name, "data": variant.data, "seed": seed, "key": record["key"]}
    scored = scorer.settings.scored(variant)
    averaged = {epoch for epochs in scored.values() for epoch in epochs}
    confirmed = scored[variant.epochs] if further.confirmed else ()
    rows: list[dict[str, Any]] = []
    measured: dict[int, dict[str, float]] = {}
    samples = torch.full((columns, side, side), -1.0)

    def generate(parameters: dict[str, np.ndarray], latents: Tensor) -> Tensor:
        return registry.generate(variant, parameters, latents).view(-1, side, side)

    for epoch in variant.checkpoints:
        if store.generator_file(epoch) not in record["files"]:
            break
        parameters = store.load_generator(folder, seed, epoch)
        generated = generate(parameters, latents)
        scores = scorer.score(generated) if epoch in averaged else {"fid": scorer.fid(generated)}
        if epoch in confirmed:
            scores |= scorer.other_fids(generated)
        if epoch in averaged and variant.encoder_hidden is not None:
            rebuilt = registry.reconstruct(variant, parameters, scorer.images.flatten(1)).view_as(scorer.images)
            scores[RECONSTRUCTION] = (rebuilt - scorer.images).square().mean().item()
        measured[epoch] = scores
        if epoch not in scored:
            continue
        last = {f"{name}_last": scores[name] for name in ALONE} | {"fid_half": scores["fid_half"]}
        if further.repeated:
            last["fid_again"] = scorer.fid(generate(parameters, more_latents))
        means = average([measured[each] for each in scored[epoch]])
        rows.append({**identity, "epoch": epoch, "status": "finished", **means, **last})
        samples = generate(parameters, shown)
    rows += [
        {**identity, "epoch": epoch, "status": "failed", "failed_epoch": failure["epoch"], "failure": failure["cause"]}
        for epoch in scored
        if epoch not in measured
    ]
    for row in rows:
        row["averaged"] = " ".join(map(str, scored[row["epoch"]]))
    on_progress(1)
    snapshots = [{"seed": seed, "epoch": epoch, "fid": scores["fid"]} for epoch, scores in measured.items()]
    return Scored(rows, snapshots, samples if variant.epochs in measured else torch.full_like(samples, -1.0))


def average(snapshots: Sequence[dict[str, float]]) -> dict[str, float]:
    """What all snapshots of a run have been scored by, over these: FID's geometric mean, the others' arithmetic one.

    So all columns of a row are of the same images.
    """
    names = set.intersection(*map(set, snapshots))
    return {
        name: (geometric_mean if name.startswith("fid") else fmean)([scores[name] for scores in snapshots])
        for name in snapshots[-1]
        if name in names
    }


def metrics_table(scored: list[Scored], others: int) -> pd.DataFrame:
    """One row per seed and scored epoch, with columns for so many `others` beside the classifier that counts.

    A score is the mean over the snapshots `averaged`, but `fid_half`, `fid_again` and what ends in `_last` are the last
    one's.
    What was not measured is empty: a failed run's metrics, and what nobody asked of the variant.
    """
    measured = [*metrics.NAMES, *MORE_NAMES, *other_names(others), RECONSTRUCTION]
    columns = ["variant", "data", "seed", "epoch", "averaged", "status", *measured, "failed_epoch", "failure", "key"]
    return pd.DataFrame([row for result in scored for row in result.rows], columns=columns).astype(
        {"failed_epoch": "Int64"}
    )


def snapshots_table(name: str, scored: list[Scored]) -> pd.DataFrame:
    """FID at every snapshot, one row per seed and epoch."""
    rows = [{"variant": name, **snapshot} for result in scored for snapshot in result.snapshots]
    return pd.DataFrame(rows, columns=["variant", "seed", "epoch", "fid"])


def sample_grid(scored: list[Scored], rows: int) -> bytes:
    """A PNG: a row for each of the first seeds, a column for each latent; white on black, a failed run's row black."""
    from torchvision.utils import make_grid  # its import takes two seconds, and no worker needs it

    samples = torch.cat([result.samples for result in scored[:rows]])
    columns = len(scored[0].samples)
    grid = make_grid(samples.unsqueeze(1), nrow=columns, padding=2, normalize=True, value_range=(-1, 1))
    png = BytesIO()
    Image.fromarray((255 * grid[0]).round().byte().numpy()).save(png, "PNG", optimize=True)
    return png.getvalue()
