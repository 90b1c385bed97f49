"""From a pilot's runs to the number of seeds that the study needs."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.stats import chi2

from gan.errors import StudyError
from gan.stats.contrasts import Hypothesis, Pairs, last_shared, obstacle
from gan.stats.inference import Floats, pairs_for_equivalence, pairs_for_superiority, pairs_for_verdict
from gan.stats.scores import Runs, Scores, read_scores

if TYPE_CHECKING:
    from gan.study.schema import Compare


def plan(metrics: pd.DataFrame, settings: "Compare") -> dict[str, Any]:
    """Seeds that each hypothesis and control needs for `settings.power`, and each variant for all of its own.

    `metrics` is the pilot's, as `compare` takes the study's; the last epochs count. Superiority is given
    the pilot's own effect, equivalence the pilot's spread and a true ratio of 1. No verdict rests on fewer seeds than
    the exact test needs. The spread's 90 % interval tells how sure it is. A `note` tells what else a number rests on.

    Holm tests the smallest of k p at the level alpha/k, the next at alpha/(k - 1), the largest at alpha. So the
    hypothesis that needs the fewest seeds is given alpha/k, and each further one the level that is left once those
    before it are rejected, as they almost surely are with the seeds that the last one needs. The simulation tells the
    power of all of them together.

    Raises:
        StudyError: there is no hypothesis, or the pilot has fewer than two pairs for one.
    """
    if not settings.hypotheses:
        raise StudyError("compare.hypotheses is empty: there is nothing that a number of seeds could be needed for")
    scores = read_scores(metrics, settings.metric, settings.collapse)
    for hypothesis in settings.hypotheses:
        if reason := obstacle(hypothesis, scores):
            raise StudyError(f"{hypothesis.id}: the pilot has {reason}")
        if (told := len(_told(hypothesis, _pairs(hypothesis, scores)))) < 2:
            raise StudyError(f"{hypothesis.id}: the pilot has {told} pairs to go by, and needs 2 at least")
    hypotheses = _needs(settings.hypotheses, scores, settings)
    controls = _needs(settings.controls, scores, settings)
    variants: dict[str, int] = {}
    for need in hypotheses + controls:
        for name in (need["variant"], need["against"]):
            variants[name] = max(need["seeds"], variants.get(name, 0))
    return {
        "metric": settings.metric,
        "alpha": settings.alpha,
        "power": settings.power,
        "margin": settings.margin,
        "pilot_seeds": sorted(int(seed) for seed in metrics["seed"].unique()),
        "hypotheses": hypotheses,
        "controls": controls,
        "variants": variants,
        "seeds": max(need["seeds"] for need in hypotheses),
    }


def _needs(family: Sequence[Hypothesis], scores: Scores, settings: "Compare") -> list[dict[str, Any]]:
    """What each of a family's tests needs, in the family's order; Holm's levels go to the least needy first."""
    found: dict[str, dict[str, Any]] = {}
    for waiting in range(len(family), 0, -1):
        level, fewest = settings.alpha / waiting, pairs_for_verdict(len(family), settings.alpha)
        needs: list[dict[str, Any]] = []
        for h in family:
            seeds, note = _seeds(h, _pairs(h, scores), level, settings)
            needs.append({"id": h.id, "level": level, "seeds": max(seeds, fewest), "note": note})
        least = min((need for need in needs if need["id"] not in found), key=lambda need: need["seeds"])
        found[least["id"]] = least
    return [{"variant": h.variant, "against": h.against, **_spread(_pairs(h, scores)), **found[h.id]} for h in family]


def _seeds(hypothesis: Hypothesis, pairs: Pairs, level: float, settings: "Compare") -> tuple[int, str | None]:
    """Seeds for a test at that level, and a note; 0 where the exact test's minimum is all that is known or needed."""
    told = _told(hypothesis, pairs)
    if len(told) < 2:
        return 0, f"the pilot has {len(told)} pairs to go by: the exact test's minimum"
    if hypothesis.kind == "equivalence":
        if not told.std():
            return 0, "in the pilot both have the same scores: the exact test's minimum"
        note = "unequal failures, which the pilot has, would void it" if pairs.failed[0] != pairs.failed[1] else None
        return pairs_for_equivalence(settings.margin, float(told.std(ddof=1)), level, settings.power), note
    if pairs.ranked and abs(told.sum()) == np.abs(told).sum():
        return 0, "failures and scores of all the pilot's pairs point the same way: the exact test's minimum"
    note = "from signed ranks, for some runs failed" if pairs.ranked else None
    return pairs_for_superiority(abs(told.mean()) / told.std(ddof=1), level, settings.power), note


def _told(hypothesis: Hypothesis, pairs: Pairs) -> Floats:
    """The differences that a test of that kind rests on, `[pair]`."""
    return pairs.survived_differences if hypothesis.kind == "equivalence" else pairs.flipped


def _pairs(hypothesis: Hypothesis, scores: Scores) -> Pairs:
    """The pilot's, none where it lacks a variant."""
    if obstacle(hypothesis, scores):
        none = Runs(np.empty(0, int), np.empty(0), np.empty(0, bool))
        return Pairs(none, none)
    _, variant, against = last_shared(hypothesis, scores)
    return Pairs.shared(variant, against)


def _spread(pairs: Pairs) -> dict[str, Any]:
    """Mean and SD, with its 90 % interval, of log differences; None for fewer than two `pairs` that survived."""
    differences = pairs.survived_differences
    n = len(differences)
    counts = {"pairs": n, "failed": len(pairs.log_differences) - n}
    if n < 2:
        return {**counts, **dict.fromkeys(("mean", "sd", "sd_low", "sd_high"))}
    mean, sd = float(differences.mean()), float(differences.std(ddof=1))
    low, high = sd * np.sqrt((n - 1) / chi2.ppf([0.95, 0.05], n - 1))
    return {**counts, "mean": mean, "sd": sd, "sd_low": float(low), "sd_high": float(high)}
