"""From a pilot's runs to the number of seeds that the study needs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from gan.compute.tables import read_tables
from gan.errors import StudyError
from gan.files import write_json
from gan.stats.contrasts import last_shared_runs, shared_epochs, unequal_failures
from gan.stats.inference import Floats, pairs_for_equivalence, pairs_for_superiority, pairs_for_verdict
from gan.stats.scores import (
    Runs,
    Scores,
    on_shared_seeds,
    ordered_differences,
    read_scores,
    survivors_log_differences,
)
from gan.stats.variance import interval_of_sd
from gan.study.schema import Compare, Hypothesis, Study

Pairs: TypeAlias = tuple[Runs, Runs]
"""Runs of a hypothesis's two variants on shared seeds."""


def plan(metrics: pd.DataFrame, settings: Compare) -> dict[str, Any]:
    """Seeds that each hypothesis and control needs for `settings.power`, and each variant for all of them: for JSON.

    `metrics` is the pilot's, as `compare` takes the study's; the last epochs count. Superiority is planned for the
    pilot's effect, equivalence for the pilot's standard deviation and a true ratio of 1. No verdict rests on fewer
    seeds than the exact test needs. The standard deviation's 90 % interval tells how sure it is, and a `note` what else
    a number rests on.

    Holm tests the smallest of k p values at the level alpha/k, the next at alpha/(k - 1), the largest at alpha. So the
    hypothesis that needs the fewest seeds gets alpha/k, and each further one the level that is left once those before
    it are rejected, as they almost surely are with the seeds that the last one needs. The simulation study tells the
    power of all of them together.

    Raises:
        StudyError: there is no hypothesis, or the pilot has fewer than two pairs for one.
    """
    if not settings.hypotheses:
        raise StudyError("compare.hypotheses is empty: there is nothing that a number of seeds could be needed for")
    scores = read_scores(metrics, settings.metric, settings.learnt)
    for h in settings.hypotheses:
        if (pairs := len(_tested_differences(h, _pairs(h, scores)))) < 2:
            raise StudyError(
                f"{h.id}: the pilot has {pairs} pairs of {h.variant} and {h.against}, and needs at least 2"
            )
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


def plan_from(reports: Path, study: Study, path: Path) -> list[str]:
    """Plan from a pilot's reports; the plan is written to `path`. Returns a line for each hypothesis and control.

    Raises:
        StudyError: there are no scores, or the pilot's seeds are the study's.
    """
    scored = sorted(path.stem for path in (reports / "metrics").glob("*.csv"))
    if not scored:
        raise StudyError(f"{reports / 'metrics'} has no scores: run `make pilot` first")
    metrics = read_tables(reports / "metrics", scored)
    if seen := set(metrics["seed"]) & {seed for variant in study.variants.values() for seed in variant.seeds}:
        raise StudyError(f"seed {min(seen)} is the study's own: a pilot's seeds must be others")
    planned = plan(metrics, study.compare)
    write_json(path, planned)
    lines = []
    for need in planned["hypotheses"] + planned["controls"]:
        reason = f"sd of log ratios {need['sd']:.3f}" if need["sd"] is not None else need["note"]
        lines.append(f"{need['id']}: {need['seeds']} seeds ({reason})")
    return lines


@dataclass(frozen=True)
class Need:
    """The seeds that one test needs, at the level that Holm leaves the least likely of `family` tests.

    `seeds_for_power` are those that the power asks for, `fewest` those without which the exact test gives no verdict.
    """

    question: str
    level: float
    power: float
    seeds_for_power: int
    fewest: int

    @property
    def seeds(self) -> int:
        return max(self.seeds_for_power, self.fewest)


def seeds_for_effect(ratio: float, sd: float, family: int, settings: Compare) -> Need:
    """Seeds that show a true ratio of the metric, if `sd` is that of the log ratios of pairs.

    Raises:
        StudyError: the ratio is not positive or is 1, or `sd` is not positive.
    """
    if not (0 < ratio < math.inf and ratio != 1):
        raise StudyError(f"an effect is a ratio of two scores, such as 0.9 or 1.1, not {ratio:g}")
    level = _level(sd, family, settings)
    seeds = pairs_for_superiority(abs(math.log(ratio)) / sd, level, settings.power)
    fewest = pairs_for_verdict(family, settings.alpha)
    return Need(f"a true ratio of {ratio:g}", level, settings.power, seeds, fewest)


def seeds_for_margin(margin: float, sd: float, family: int, settings: Compare) -> Need:
    """Seeds that show two equal variants to be within a ratio of `margin`, if `sd` is that of the log ratios of pairs.

    Raises:
        StudyError: the margin is not above 1, or `sd` is not positive.
    """
    if not 1 < margin < math.inf:
        raise StudyError(f"a margin of equivalence is a ratio above 1, such as 1.1, not {margin:g}")
    level = _level(sd, family, settings)
    seeds = pairs_for_equivalence(margin, sd, level, settings.power)
    return Need(f"equality within {margin:g}", level, settings.power, seeds, pairs_for_verdict(family, settings.alpha))


def _level(sd: float, family: int, settings: Compare) -> float:
    if not 0 < sd < math.inf:
        raise StudyError(f"the standard deviation of log ratios is a positive number, such as 0.1, not {sd:g}")
    return settings.alpha / family


def _needs(family: Sequence[Hypothesis], scores: Scores, settings: Compare) -> list[dict[str, Any]]:
    """What each of a family's tests needs, in the family's order; Holm's levels go to the least needy first."""
    pairs = {h.id: _pairs(h, scores) for h in family}
    planned: dict[str, dict[str, Any]] = {}
    for waiting in range(len(family), 0, -1):
        level, fewest = settings.alpha / waiting, pairs_for_verdict(len(family), settings.alpha)
        needs: list[dict[str, Any]] = []
        for h in family:
            if h.id not in planned:
                seeds, note = _seeds(h, pairs[h.id], level, settings)
                needs.append({"id": h.id, "level": level, "seeds": max(seeds, fewest), "note": note})
        least = min(needs, key=lambda need: need["seeds"])
        planned[least["id"]] = least
    return [{"variant": h.variant, "against": h.against, **_moments(pairs[h.id]), **planned[h.id]} for h in family]


def _seeds(hypothesis: Hypothesis, pairs: Pairs, level: float, settings: Compare) -> tuple[int, str | None]:
    """Seeds for a test at that level, and a note; 0 where the exact test's minimum is all that is known or needed."""
    differences = _tested_differences(hypothesis, pairs)
    if len(differences) < 2:
        return 0, f"the pilot has {len(differences)} pairs to go by: the exact test's minimum"
    if hypothesis.kind == "equivalence":
        if not differences.std():
            return 0, "in the pilot both have the same scores: the exact test's minimum"
        note = "unequal failures, which the pilot has, would void it" if unequal_failures(*pairs) else None
        return pairs_for_equivalence(settings.margin, float(differences.std(ddof=1)), level, settings.power), note
    variant, against = pairs
    ranks = bool((variant.failed != against.failed).any())
    if ranks and abs(differences.sum()) == np.abs(differences).sum():
        return 0, "failures and scores of all the pilot's pairs point the same way: the exact test's minimum"
    note = "from signed ranks, for some runs failed" if ranks else None
    return pairs_for_superiority(abs(differences.mean()) / differences.std(ddof=1), level, settings.power), note


def _tested_differences(hypothesis: Hypothesis, pairs: Pairs) -> Floats:
    """The differences that a test of that kind rests on, `[pair]`."""
    return survivors_log_differences(*pairs) if hypothesis.kind == "equivalence" else ordered_differences(*pairs)


def _pairs(hypothesis: Hypothesis, scores: Scores) -> Pairs:
    """The pilot's, none where it lacks a variant."""
    if not shared_epochs(hypothesis, scores):
        none = Runs(np.empty(0, int), np.empty(0), np.empty(0, object))
        return none, none
    _, variant, against = last_shared_runs(hypothesis, scores)
    return on_shared_seeds(variant, against)


def _moments(pairs: Pairs) -> dict[str, Any]:
    """Mean and SD, with its 90 % interval, of log differences; None for fewer than two `pairs` that survived."""
    differences = survivors_log_differences(*pairs)
    n = len(differences)
    counts = {"pairs": n, "failed": len(pairs[0].seeds) - n}
    if n < 2:
        return {**counts, **dict.fromkeys(("mean", "sd", "sd_low", "sd_high"))}
    sd = float(differences.std(ddof=1))
    low, high = interval_of_sd(sd, n - 1, 0.05)
    return {**counts, "mean": float(differences.mean()), "sd": sd, "sd_low": low, "sd_high": high}
