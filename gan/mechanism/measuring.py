"""All that reports/mechanism.json has, measured one after the other."""

from pathlib import Path

from torch import Tensor

from gan.compute import store
from gan.compute.executors import Executor, ProgressCallback
from gan.compute.progress import progress
from gan.mechanism.freezing import frozen_discriminator
from gan.mechanism.fresh import fresh_discriminator, kept_steps, summary
from gan.mechanism.gradients import gradient_flow
from gan.mechanism.perfect import perfect_generator
from gan.mechanism.twins import twins
from gan.records.mechanism import FreshSummary, Mechanism, Step
from gan.study import schema
from gan.study.recipe import Variant

LOSSES = ("minimax", "non_saturating")


def measure(study: schema.Study, folder: Path, images: Tensor, executor: Executor) -> Mechanism:
    """All measurements; `images` uint8 `[image, height, width]`, `folder` has the runs of `mechanism.variant`."""
    settings, variant = study.mechanism, study.variants[study.mechanism.variant]
    tasks = [(seed, epoch, loss) for seed in settings.seeds for epoch in settings.epochs for loss in LOSSES]
    flat = images.flatten(1).to(executor.device)
    steps: list[Step] = []
    summaries: list[FreshSummary] = []
    with progress("mechanism", len(tasks), "discriminators") as on_progress:
        for rows, whole in executor.run(_fresh, tasks, (variant, settings.sure, folder, flat), on_progress):
            steps += rows
            summaries.append(whole)
    steps.sort(key=lambda row: (row.loss, row.epoch, row.seed, row.step))
    summaries.sort(key=lambda row: (row.loss, row.epoch, row.seed))
    return Mechanism(
        fresh_discriminator=steps,
        fresh_summaries=summaries,
        perfect_generator=[perfect_generator(variant, seed, flat) for seed in settings.seeds],
        gradient_flow=gradient_flow(),
        frozen_discriminator=frozen_discriminator(variant, settings.steps, flat),
        twins=twins(study.baseline, settings.seeds[0], settings.steps, settings.sgd_lr, flat, executor),
    )


def _fresh(
    shared: tuple[Variant, float, Path, Tensor], task: tuple[int, int, str], on_progress: ProgressCallback
) -> tuple[list[Step], FreshSummary]:
    variant, sure, folder, images = shared
    seed, epoch, loss = task
    training = fresh_discriminator(variant, seed, store.load_generator(folder, seed, epoch), images, loss)
    on_progress(1)
    return kept_steps(training, epoch, loss, seed), summary(training, epoch, loss, seed, sure)
