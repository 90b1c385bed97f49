"""Evidence as the sources expect it, and ways to plant other evidence in it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pandas as pd

from gan.claims.evidence import Evidence
from gan.claims.identities import identities
from gan.claims.ledger import ledger
from gan.records.comparison import Comparison, Contrast, Counts, Failures, Learnt, Ratio
from gan.records.mechanism import (
    Cost,
    FreshSummary,
    FrozenDiscriminator,
    GradientFlow,
    Mechanism,
    PerfectGenerator,
    Step,
    StepCost,
    Twin,
    Twins,
    UpdateRatio,
)

IDENTITIES = identities()


def contrast(
    variant: str, against: str, verdict: str, failed: tuple[int, int] = (0, 0), p: float = 1.0, low: float = 0.7
) -> Contrast:
    return Contrast(
        id=f"{variant}/{against}", family="declared" if against == "minimax" else "exploratory",
        kind="superiority", paired=True, variant=variant, against=against,
        text="", epoch=20, n=Counts(8, 8), failures=Failures(*failed, alone=Counts(*failed), p=p),
        ratio=0.8, low=low, high=0.9, scored_ratio=Ratio(0.8, 0.7, 0.9), p=0.01, p_adjusted=0.01,
        hedges_g=-1.0, improvement=0.9, verdict=verdict, reason="A reason.",
    )  # fmt: skip


def runs(variant: str, **columns: Any) -> pd.DataFrame:
    ordinary = {
        "variant": variant, "data": "mnist", "epoch": 20, "status": "finished", "digits": 9, "fid": 400.0,
        "coverage": 0.01, "output_variance": 0.3, "mean_distance": 0.4, "median_distance": 0.4,
    }  # fmt: skip
    typical = {**ordinary, **columns}
    return pd.DataFrame([{**typical, "seed": seed, "fid": typical["fid"] * (1 + 0.01 * seed)} for seed in range(8)])


def learning(loss: str, seed: int, epoch: int) -> list[Step]:
    """A discriminator that grows sure within three steps, of an early generator more easily."""
    hard = 0.01 * epoch
    return [
        Step(
            epoch, loss, seed, step, gradient_norm=probability if loss == "minimax" else 1 - probability,
            fake_probability=probability, discriminator_loss=probability + hard, accuracy=1 - hard,
        )
        for step, probability in enumerate((0.49, 0.1, 1e-4), 1)
    ]  # fmt: skip


NEVER = {"digits": 1, "coverage": 0.0, "fid": 1000.0}


AGES = (1, 3, 8, 16, 20)


def training(variant: str, losses: Any, **trends: float) -> pd.DataFrame:
    """Eight runs' histories: losses by epoch, and what else grows by so much an epoch."""
    typical = {"discriminator_loss": 0.2, "discriminator_accuracy": 0.9, "fake_probability": 0.1}
    return pd.DataFrame([
        {
            "variant": variant, "seed": seed, "epoch": epoch, "generator_loss": loss,
            **{name: value + trends.get(name, 0.0) * epoch for name, value in typical.items()},
        }
        for seed in range(8)
        for epoch, loss in zip(AGES, losses, strict=True)
    ])  # fmt: skip


AWAKE = (2.0,) * 5
ASLEEP = (-0.1, -2e-4, -1e-5, -9e-3, -1e-5)
EXPECTED = {"discriminator_loss": 0.01, "discriminator_accuracy": -0.01, "fake_probability": 0.042}
"""What the sources expect to happen per epoch of training."""


def expected() -> Evidence:
    """What the sources expect."""
    steps = [
        row
        for loss in ("minimax", "non_saturating")
        for seed in (0, 1)
        for epoch in (1, 20)
        for row in learning(loss, seed, epoch)
    ]
    snapshots = [
        {"variant": "non_saturating", "seed": seed, "epoch": epoch, "fid": 1000.0 / epoch}
        for seed in range(8)
        for epoch in AGES
    ]
    early = [runs(name, epoch=3) for name in ("lsgan", "wgan", "wgan_gp", "hinge", "feature_matching")]
    return Evidence(
        identities=IDENTITIES,
        mechanism=Mechanism(
            fresh_discriminator=steps,
            perfect_generator=[PerfectGenerator(seed, 0.5) for seed in (0, 1)],
            gradient_flow=GradientFlow(
                generator_in_its_step=True, discriminator_in_the_generators_step=True,
                generator_under_no_grad=False, generator_behind_detach=False, discriminator_behind_detach=True,
            ),
            frozen_discriminator=FrozenDiscriminator(
                True,
                whole_iteration=StepCost(peak_bytes=Cost(3000, 4000), milliseconds=Cost(2.0, 2.2)),
                generators_half=StepCost(peak_bytes=Cost(1000, 2000), milliseconds=Cost(1.0, 1.2)),
            ),
            fresh_summaries=[
                FreshSummary(epoch, "non_saturating", 0, 938, 0.001 * epoch, 0.9, first_sure=5) for epoch in (20, 1)
            ],
            twins=Twins(
                seed=0, steps=300,
                trained=[Twin("eps halved", "matching", True, 0.0), Twin("sgd", "matching", False, 0.01)],
                first_update=[UpdateRatio("matching", 0.5, 0.5)],
            ),
        ),
        comparison=Comparison(
            metric="fid", alpha=0.05, margin=1.1, learnt=Learnt(coverage=0.002, digits=2, epochs=20),
            preregistration=None, standings=[], untested=[],
            contrasts=[
                contrast("non_saturating", "minimax", "supported", failed=(0, 8), p=2 / 2**8),
                contrast("cewl", "minimax", "supported"),
                contrast("cewl", "non_saturating", "supported"),
                contrast("feature_matching", "non_saturating", "undecided", low=0.95),
                *(contrast(name, "non_saturating", "supported") for name in OTHER_LOSSES),
            ],
        ),
        floor={
            "mnist": {
                "output_variance": 0.4, "mean_distance": 0.4,
                "controls": {"mean_image": {"fid": 1200.0}, "noise": {"fid": 1600.0}},
            }
        },
        metrics=pd.concat([
            runs("minimax", **NEVER),
            runs("non_saturating"),
            runs("non_saturating", epoch=3, fid=800.0, coverage=0.001),
            runs("pixel_mse", epoch=3, digits=1, fid=900.0, output_variance=1e-5, mean_distance=1e-3),
            runs("pixel_mae", epoch=3, digits=1, fid=900.0, output_variance=1e-5, median_distance=1e-3),
            runs("vae", epoch=3, fid=200.0, reconstruction_error=0.1),
            runs("vae_gan", epoch=3, reconstruction_error=0.1),
            *early,
        ]),
        history=pd.concat([training("minimax", ASLEEP), training("non_saturating", AWAKE, **EXPECTED)]),
        snapshots=pd.DataFrame(snapshots),
    )  # fmt: skip


OTHER_LOSSES = ("lsgan", "wgan", "wgan_gp", "hinge")


def verdict(evidence: Evidence, claim: str) -> str:
    return ledger(evidence)[claim].verdict


def rewritten(evidence: Evidence, change: Callable[[Step], Step]) -> Evidence:
    """The steps of all fresh discriminators, changed one by one."""
    return measured(evidence, fresh_discriminator=list(map(change, evidence.mechanism.fresh_discriminator)))


def measured(evidence: Evidence, **changes: Any) -> Evidence:
    return replace(evidence, mechanism=replace(evidence.mechanism, **changes))


def trained(evidence: Evidence, variant: str, losses: Any = AWAKE, **trends: float) -> Evidence:
    """The variant's history planted anew."""
    others = evidence.history[evidence.history["variant"] != variant]
    return replace(evidence, history=pd.concat([others, training(variant, losses, **trends)]))


def for_some(evidence: Evidence, other: Evidence, seeds: int) -> Evidence:
    """The histories of `other` for the first so many seeds."""
    kept, planted = evidence.history, other.history
    return replace(evidence, history=pd.concat([kept[kept["seed"] >= seeds], planted[planted["seed"] < seeds]]))


def replaced(evidence: Evidence, *contrasts: Contrast) -> Evidence:
    pairs = {(each.variant, each.against) for each in contrasts}
    kept = [c for c in evidence.comparison.contrasts if (c.variant, c.against) not in pairs]
    return replace(evidence, comparison=replace(evidence.comparison, contrasts=[*kept, *contrasts]))


def scored(evidence: Evidence, variant: str, **columns: Any) -> Evidence:
    others = evidence.metrics[evidence.metrics["variant"] != variant]
    return replace(evidence, metrics=pd.concat([others, runs(variant, **columns)]))


def some(evidence: Evidence, variant: str, seeds: int, **columns: Any) -> Evidence:
    """The runs of the variant's first so many seeds with other scores."""
    metrics = evidence.metrics.reset_index(drop=True)
    metrics.loc[(metrics["variant"] == variant) & (metrics["seed"] < seeds), list(columns)] = list(columns.values())
    return replace(evidence, metrics=metrics)
