"""Scoring the runs of designed experiments: a row for each, of its last generator."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from gan.compute.executors import Executor, ProgressCallback
from gan.compute.progress import progress
from gan.compute.store import kept_generator, kept_record
from gan.compute.trials import TrainedTrial
from gan.evaluation.classifier import load_classifiers
from gan.evaluation.scoring import Scorer
from gan.images import load
from gan.networks import registry
from gan.seeding import random_generator
from gan.study.schema import Study

SCORES = ("fid", "kid", "coverage", "digits")
COLUMNS = ("seed", "data", "epoch", "status", *SCORES, "failed_epoch", "failure", "key")


def scorers(data_sets: Iterable[str], study: Study, device: str) -> dict[str, Scorer]:
    """A scorer for each data set, by the classifier that counts there."""
    return {
        name: Scorer.of(
            load_classifiers(Path("models") / name)[:1], load(Path("data") / name, "test")[0], study.evaluate, device
        )
        for name in sorted(set(data_sets))
    }


def score_trials(
    title: str, trained: Sequence[TrainedTrial], scorers: Mapping[str, Scorer], executor: Executor
) -> pd.DataFrame:
    """A row per trial, in their order: its labels, then `COLUMNS`.

    `scorers` has one for each data set, on the executor's device. `epoch` is that of the scores.
    A run that diverged has none.
    """
    rows: dict[int, dict[str, Any]] = {}
    with progress(title, len(trained), "runs") as on_progress:
        for data, scorer in scorers.items():
            tasks = [(place, each) for place, each in enumerate(trained) if each.trial.variant.data == data]
            rows |= dict(executor.run(_score, tasks, scorer, on_progress))
    labels = list(trained[0].trial.labels)
    table = pd.DataFrame([rows[place] for place in range(len(trained))], columns=[*labels, *COLUMNS])
    return table.astype({"failed_epoch": "Int64", "digits": "Int64"})


def _score(scorer: Scorer, task: tuple[int, TrainedTrial], on_progress: ProgressCallback) -> tuple[int, dict[str, Any]]:
    place, trained = task
    trial, variant = trained.trial, trained.trial.variant
    record = kept_record(trained.folder)
    row = {**trial.labels, "seed": trial.seed, "data": variant.data, "epoch": variant.epochs, "key": trained.key}
    row["status"] = record["status"]
    if failure := record["failure"]:
        row |= {"failed_epoch": failure["epoch"], "failure": failure["cause"]}
    else:
        generator = kept_generator(trained.folder, variant.epochs)
        random = random_generator(trial.seed, "evaluation")
        latents = torch.randn(scorer.settings.images, variant.latent_dim, generator=random).to(scorer.device)
        side = scorer.images.shape[-1]
        row |= scorer.score_trial(registry.generate(variant, generator, latents).view(-1, side, side))
    on_progress(1)
    return place, row
