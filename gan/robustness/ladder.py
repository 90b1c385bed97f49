"""The ladder: one change of the printed recipe at a time, and whether the same objective is still the better one."""

import math
from collections import Counter
from typing import Literal

import numpy as np
import pandas as pd

from gan.compute.tables import states
from gan.formatting import flatten
from gan.records.robustness import LadderRecord, Rung, RungContrast, Step
from gan.stats.comparison import bounds, number
from gan.stats.inference import mean_estimate
from gan.study.designs import Ladder
from gan.study.recipe import Variant
from gan.study.schema import Compare


def climbed(table: pd.DataFrame, ladder: Ladder, baseline: Variant, compare: Compare) -> LadderRecord:
    """What each rung shows; `table` has a row per run: `rung`, `objective`, `seed`, `epoch`, `status` and the scores.

    The second objective of the ladder is compared with the first one.
    """
    table = table.assign(state=states(table, compare.learnt))
    plain = flatten(baseline.model_dump(mode="json"))
    rungs: list[Rung] = []
    for name, variant in ladder.rungs.items():
        runs = table[table["rung"] == name]
        contrast = None
        if len(ladder.objectives) > 1:
            against, objective, *_ = ladder.objectives
            contrast = rung_contrast(runs, objective, against, 1 - compare.alpha, compare.margin)
        printed = rungs[0].contrast if rungs else None
        changes = {
            key: f"{value}"
            for key, value in flatten(variant.model_dump(mode="json")).items()
            if plain.get(key) != value and key not in ("seeds", "epochs", "snapshots", "objective")
        }
        rungs.append(
            Rung(
                name=name,
                changes=changes,
                data=variant.data,
                epochs=variant.epochs,
                steps=[step(runs[runs["objective"] == objective], objective) for objective in ladder.objectives],
                contrast=contrast,
                turned=turned(printed, contrast),
            )
        )
    return LadderRecord(compare.metric, list(ladder.objectives), rungs)


def step(runs: pd.DataFrame, objective: str) -> Step:
    """One objective's runs on a rung."""
    kept = runs[runs["status"] == "finished"]

    def mean(values: pd.Series) -> float | None:
        return float(values.astype(float).mean()) if len(values) else None

    logs = mean(kept["fid"].astype(float).map(math.log))
    return Step(
        objective=objective,
        n=len(runs),
        states=dict(Counter(runs["state"].tolist())),
        learnt=int((runs["state"] == "learnt").sum()),
        mean=None if logs is None else math.exp(logs),
        coverage=mean(kept["coverage"]),
        digits=mean(kept["digits"]),
    )


def rung_contrast(runs: pd.DataFrame, variant: str, against: str, confidence: float, margin: float) -> RungContrast:
    """Two objectives' runs on a rung, seed by seed.

    Of two runs the better one is that which alone learns, or else the one with the lower metric. One objective is
    better on the rung if it is so on every seed, and by more than the factor `margin` where it is by the metric.
    """
    first, second = (runs[runs["objective"] == name].set_index("seed") for name in (variant, against))
    seeds = first.index.intersection(second.index)
    metric, other = (each.loc[seeds, "fid"].astype(float).to_numpy() for each in (first, second))
    learns, other_learns = ((each.loc[seeds, "state"] == "learnt").to_numpy() for each in (first, second))
    # A run that diverged has no metric and is the worst.
    ranked, others = (np.nan_to_num(values, nan=np.inf) for values in (metric, other))
    alone, other_alone = learns & ~other_learns, other_learns & ~learns
    alike = learns == other_learns
    wins, losses = alone | (alike & (ranked < others)), other_alone | (alike & (ranked > others))
    clear_wins = alone | (alike & (ranked * margin < others))
    clear_losses = other_alone | (alike & (ranked > others * margin))
    both = np.isfinite(metric) & np.isfinite(other)
    ratio = mean_estimate(np.log(metric[both]) - np.log(other[both]), confidence).exp()
    return RungContrast(
        variant=variant,
        against=against,
        ratio=number(ratio.value),
        **bounds(ratio),
        improvement=float((wins + 0.5 * (~wins & ~losses)).mean()),
        better=variant if clear_wins.all() else against if clear_losses.all() else None,
    )


def turned(
    printed: RungContrast | None, contrast: RungContrast | None
) -> Literal["as printed", "no difference", "reversed"] | None:
    """How a rung's verdict lies beside the printed recipe's; None where that has none."""
    if contrast is None or printed is None or printed.better is None:
        return None
    if contrast.better is None:
        return "no difference"
    return "as printed" if contrast.better == printed.better else "reversed"
