"""From a pilot's runs to the number of seeds that the study needs."""

import math
from typing import TYPE_CHECKING, Any

import pandas as pd

from gan.statistics import pairs_for_equivalence, pairs_for_superiority, pairs_for_verdict

if TYPE_CHECKING:
    from gan.study import Compare


def plan(metrics: pd.DataFrame, settings: "Compare") -> dict[str, Any]:
    """Seeds that each declared hypothesis needs for `settings.power`, and the largest of them.

    `metrics` has one row per run of the pilot: `variant`, `seed` and the metric. Every test is given the level that
    Holm's correction guarantees it, alpha over the number of hypotheses; superiority is given the pilot's own effect,
    equivalence the pilot's spread and a true ratio of 1. No verdict rests on fewer seeds than the exact test needs.
    """
    logs = metrics.pivot_table(index="seed", columns="variant", values=settings.metric).map(math.log)
    family = len(settings.hypotheses)
    alpha, fewest = settings.alpha / family, pairs_for_verdict(family, settings.alpha)
    needs: list[dict[str, Any]] = []
    for hypothesis in settings.hypotheses:
        differences = (logs[hypothesis.variant] - logs[hypothesis.against]).dropna()
        mean, sd = float(differences.mean()), float(differences.std(ddof=1))
        if hypothesis.kind == "superiority":
            seeds = pairs_for_superiority(abs(mean) / sd, alpha, settings.power)
        else:
            seeds = pairs_for_equivalence(settings.margin, sd, alpha, settings.power)
        needs.append({"id": hypothesis.id, "pairs": len(differences), "mean": mean, "sd": sd, "seeds": seeds})
    return {
        "metric": settings.metric,
        "alpha": settings.alpha,
        "power": settings.power,
        "margin": settings.margin,
        "pilot_seeds": sorted(int(seed) for seed in logs.index),
        "hypotheses": needs,
        "seeds": max(fewest, *(need["seeds"] for need in needs)),
    }
