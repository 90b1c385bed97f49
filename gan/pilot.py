"""From a pilot's runs to the number of seeds that the study needs."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.stats import chi2

from gan.errors import StudyError
from gan.statistics import pairs_for_equivalence, pairs_for_superiority, pairs_for_verdict

if TYPE_CHECKING:
    from gan.study import Compare


def plan(metrics: pd.DataFrame, settings: "Compare") -> dict[str, Any]:
    """Seeds that each declared hypothesis needs for `settings.power`, and the largest of them.

    `metrics` has one row per run of the pilot: `variant`, `seed` and the metric, empty for a failed run. Every test is
    given the level that Holm's correction guarantees it, alpha over the number of hypotheses; superiority is given the
    pilot's own effect, equivalence the pilot's spread and a true ratio of 1. The spread's 90 % interval tells how sure
    it is. No verdict rests on fewer seeds than the exact test needs. Raises StudyError without hypotheses or pairs.
    """
    logs = metrics.pivot_table(index="seed", columns="variant", values=settings.metric, dropna=False).map(math.log)
    if not settings.hypotheses:
        raise StudyError("compare.hypotheses is empty: there is nothing that a number of seeds could be needed for")
    family = len(settings.hypotheses)
    alpha, fewest = settings.alpha / family, pairs_for_verdict(family, settings.alpha)
    needs: list[dict[str, Any]] = []
    for hypothesis in settings.hypotheses:
        if absent := {hypothesis.variant, hypothesis.against} - set(logs):
            raise StudyError(f"{hypothesis.id}: the pilot has no runs of {', '.join(sorted(absent))}")
        differences = (logs[hypothesis.variant] - logs[hypothesis.against]).dropna()  # failed runs have no score
        if len(differences) < 2:
            raise StudyError(f"{hypothesis.id}: the pilot has {len(differences)} finished pairs, and needs 2 at least")
        mean, sd = float(differences.mean()), float(differences.std(ddof=1))
        if hypothesis.kind == "superiority":
            seeds = pairs_for_superiority(abs(mean) / sd, alpha, settings.power)
        else:
            seeds = pairs_for_equivalence(settings.margin, sd, alpha, settings.power)
        low, high = sd * np.sqrt((len(differences) - 1) / chi2.ppf([0.95, 0.05], len(differences) - 1))
        interval = {"sd_low": float(low), "sd_high": float(high)}
        pairs = {"pairs": len(differences), "failed": len(logs) - len(differences)}
        needs.append({"id": hypothesis.id, **pairs, "mean": mean, "sd": sd, **interval, "seeds": seeds})
    return {
        "metric": settings.metric,
        "alpha": settings.alpha,
        "power": settings.power,
        "margin": settings.margin,
        "pilot_seeds": sorted(int(seed) for seed in logs.index),
        "hypotheses": needs,
        "seeds": max(fewest, *(need["seeds"] for need in needs)),
    }
