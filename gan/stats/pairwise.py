"""Any two sets of published runs compared at once, by the tests that decide the declared contrasts.

Nobody has declared such a comparison beforehand. Its p is that of this pair alone: whoever looks at many pairs finds
some that differ by chance.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, TypeAlias, get_args

import numpy as np
import pandas as pd

from gan.compute.tables import read_table
from gan.errors import StudyError
from gan.formatting import change, counted, joined, nearest, p_value, percent, score
from gan.records.comparison import Comparison
from gan.records.reading import read
from gan.records.robustness import SearchRecord
from gan.stats.contrasts import Contrast, run_tests, unequal_failures, verdict
from gan.stats.inference import (
    Estimate,
    equivalence_test,
    mean_estimate,
    pairs_for_verdict,
    probability_of_improvement,
    unpaired_equivalence_test,
    unpaired_mean_estimate,
)
from gan.stats.scores import Runs, read_scores, survivors_log_differences
from gan.study.schema import Compare, Hypothesis

TUNED = "tuned"  # the name of the place where the search's best settings were trained again
Outcome: TypeAlias = Literal["better", "worse", "equivalent", "identical", "undecided", "insufficient data"]
Estimator: TypeAlias = Literal["Hodges-Lehmann", "geometric means"]


@dataclass(frozen=True)
class Sample:
    """The runs behind a name: a variant's, or an objective's at a place of the designed experiments.

    `scored` has them by epoch and `averaged` the snapshots that such a score averages. `single` has the FID of single
    snapshots, of which nobody knows whether the run had learnt by then.
    """

    name: str
    data: str
    scored: Mapping[int, Runs]
    averaged: Mapping[int, str]
    single: Mapping[int, Runs]


@dataclass(frozen=True)
class Side:
    """One of the two: its runs, how many failed, how many had learnt (None if that is not known), their mean.

    The mean is geometric, over all runs that have a score.
    """

    name: str
    n: int
    failed: int
    learnt: int | None
    mean: float | None


@dataclass(frozen=True)
class Pair:
    """Two sets of runs compared at one epoch.

    `ratio` is of the metric, variant / against, with its interval at `confidence`: by `estimator` either Hodges and
    Lehmann's with the exact interval, or, where too few runs are there for that one, that of the geometric means with
    Student's or Welch's interval. Runs that failed count in it where hardly any survived (`failed_included`).
    `improvement` is the probability that a run of the first is better than one of the second, failures last.
    `p_difference` is that of sign flips (paired) or rank sums, `p_equivalence` that of two one-sided t-tests. Both are
    of this pair alone. `within_margin` tells whether the ratio is shown to be inside the margin of equivalence.
    """

    data: str
    metric: str
    epoch: int
    averaged: list[int]
    paired: bool
    seeds: int | None
    variant: Side
    against: Side
    ratio: float | None
    low: float | None
    high: float | None
    confidence: float
    estimator: Estimator
    failed_included: bool
    improvement: float
    p_difference: float
    p_equivalence: float
    margin: float
    within_margin: bool
    outcome: Outcome
    declared: list[str] = field(default_factory=list)


def compare_published(reports: Path, first: str, second: str, epoch: int | None, settings: Compare) -> Pair:
    """Compare two names by their published scores; see `read_sample` and `compare_pair`.

    A pair that was declared also has the verdict that counts.
    """
    if first == second:
        raise StudyError(f"{first} is compared with itself: name two")
    samples = [read_sample(reports, name, settings) for name in (first, second)]
    pair = compare_pair(samples[0], samples[1], epoch, settings)
    return replace(pair, declared=list(_declared(reports, first, second)))


def _declared(reports: Path, first: str, second: str) -> Iterator[str]:
    """A line for each declared verdict on these two."""
    told = "Declared beforehand as {}, {} against {}: {}. That verdict counts."
    if (path := reports / "comparison.json").exists():
        for each in read(Comparison, path).contrasts:
            if each.family != "exploratory" and {each.variant, each.against} == {first, second}:
                yield told.format(each.id, each.variant, each.against, each.verdict)
    if (path := reports / "search.json").exists():
        for pair in read(SearchRecord, path).pairs:
            names = [f"{objective}@{TUNED}" for objective in (pair.variant, pair.against)]
            if pair.declared and set(names) == {first, second}:
                yield told.format("S3", *names, pair.tuned.verdict)


def read_sample(reports: Path, name: str, settings: Compare) -> Sample:
    """The published runs of a variant, of a rung (`minimax@beta1 0.5`) or of tuned settings (`minimax@tuned`).

    Raises:
        StudyError: there are no such runs; the message has the nearest name.
    """
    objective, at, place = name.partition("@")
    table = _trials(reports, objective, place) if at else _variants(reports, name)
    if table is None or table.empty:
        known = known_names(reports)
        remedy = nearest(name, known) or f"; there are {joined([each for each in known if '@' not in each or at])}"
        raise StudyError(f"{reports} has no scores of {name}{remedy}")
    runs = table.assign(variant=name)
    averaged = runs["averaged"] if "averaged" in runs else runs["epoch"].astype(str)
    single = reports / "snapshots" / f"{name}.csv"
    return Sample(
        name,
        str(runs["data"].iloc[0]),
        read_scores(runs, settings.metric, settings.learnt)[name],
        dict(zip(runs["epoch"].astype(int), averaged, strict=True)),
        {} if at or not single.exists() else _single(read_table(single)),
    )


def known_names(reports: Path) -> list[str]:
    """All that `read_sample` finds below `reports`: variants, then rungs and tuned settings."""
    names = sorted(path.stem for path in (reports / "metrics").glob("*.csv"))
    if (reports / "ladder.csv").exists():
        ladder = read_table(reports / "ladder.csv").drop_duplicates(["rung", "objective"])
        names += [f"{row.objective}@{row.rung}" for row in ladder.itertuples()]
    return names + sorted(f"{path.stem}@{TUNED}" for path in (reports / "finals").glob("*.csv"))


def _variants(reports: Path, name: str) -> pd.DataFrame | None:
    path = reports / "metrics" / f"{name}.csv"
    return read_table(path) if path.exists() else None


def _trials(reports: Path, objective: str, place: str) -> pd.DataFrame | None:
    path = reports / "finals" / f"{objective}.csv" if place == TUNED else reports / "ladder.csv"
    if not path.exists():
        return None
    table = read_table(path)
    if place == TUNED:
        return table[table["role"] == "final"]
    return table[(table["rung"] == place) & (table["objective"] == objective)]


def _single(snapshots: pd.DataFrame) -> dict[int, Runs]:
    """The runs by epoch, all taken as survivors."""
    return {
        int(str(epoch)): Runs(
            rows["seed"].to_numpy(), rows["fid"].to_numpy(float), np.full(len(rows), "not yet", object)
        )
        for epoch, rows in snapshots.dropna(subset="fid").sort_values("seed").groupby("epoch")
    }


def compare_pair(first: Sample, second: Sample, epoch: int | None, settings: Compare) -> Pair:
    """Compare two samples at an epoch, or at the last one at which both are scored.

    They are paired on their common seeds if those are enough for a verdict, or all that one of them has; else all runs
    of both are compared without pairs.

    Raises:
        StudyError: they are on different data, or have no such epoch in common.
    """
    if first.data != second.data:
        raise StudyError(
            f"{first.name} is on {first.data} and {second.name} on {second.data}: scores on different data can't be "
            "compared"
        )
    epoch, runs, others, averaged = _at(first, second, epoch)
    enough = pairs_for_verdict(1, settings.alpha)
    shared = len(np.intersect1d(runs.seeds, others.seeds))
    paired = shared >= min(enough, len(runs.seeds), len(others.seeds)) and shared > 0
    scores = {first.name: {epoch: runs}, second.name: {epoch: others}}
    question = Hypothesis.model_construct(
        id="pair", kind="superiority", variant=first.name, against=second.name, text=""
    )
    (contrast,) = run_tests("declared" if paired else "exploratory", [question], scores, settings)
    runs, others = contrast.variant, contrast.against
    estimate, estimator, failed_included = _ratio(contrast)
    p_equivalence = _equivalence_p(contrast)
    within = p_equivalence <= settings.alpha and min(contrast.n) >= enough
    known = epoch in first.scored and epoch in second.scored
    return Pair(
        data=first.data,
        metric=settings.metric,
        epoch=epoch,
        averaged=averaged,
        paired=paired,
        seeds=len(runs.seeds) if paired else None,
        variant=_side(first.name, runs, known),
        against=_side(second.name, others, known),
        ratio=_finite(estimate.value),
        low=_finite(estimate.low),
        high=_finite(estimate.high),
        confidence=1 - settings.alpha,
        estimator=estimator,
        failed_included=failed_included,
        improvement=probability_of_improvement(runs.ranked, others.ranked),
        p_difference=contrast.difference.p,
        p_equivalence=p_equivalence,
        margin=settings.margin,
        within_margin=within,
        outcome=_outcome(contrast, within),
    )


def _at(first: Sample, second: Sample, epoch: int | None) -> tuple[int, Runs, Runs, list[int]]:
    """The epoch, the runs of both there, and the snapshots that their scores average."""
    scored = {
        each for each in first.scored.keys() & second.scored.keys() if first.averaged[each] == second.averaged[each]
    }
    single = first.single.keys() & second.single.keys()
    if epoch is None:
        if not scored | single:
            raise StudyError(f"{first.name} and {second.name} were scored at no epoch in common")
        epoch = max(scored or single)
    if epoch in scored:
        averaged = [int(each) for each in first.averaged[epoch].split()]
        return epoch, first.scored[epoch], second.scored[epoch], averaged
    if epoch in single:
        return epoch, first.single[epoch], second.single[epoch], [epoch]
    there = joined([str(each) for each in sorted(scored | single)]) or "none"
    raise StudyError(f"{first.name} and {second.name} have no scores after {epoch} epochs; in common they have {there}")


def _ratio(contrast: Contrast) -> tuple[Estimate, Estimator, bool]:
    """The ratio, how it was estimated, and whether failed runs count in it.

    Of the survivors as in declared contrasts, or of all runs that have a score if that leaves nothing. Too few runs for
    the exact interval are all taken as on the ladder, and their geometric means compared.
    """
    failed_included = not np.isfinite(contrast.ratio.value)
    exact = contrast.scored_ratio if failed_included else contrast.ratio
    if np.isfinite(exact.high):
        return exact, "Hodges-Lehmann", failed_included
    runs, others, confidence = contrast.variant.scored, contrast.against.scored, 1 - contrast.settings.alpha
    if contrast.paired:
        means = mean_estimate(survivors_log_differences(runs, others), confidence)
    else:
        means = unpaired_mean_estimate(np.log(runs.survivors), np.log(others.survivors), confidence)
    return means.exp(), "geometric means", any(contrast.failed)


def _equivalence_p(contrast: Contrast) -> float:
    runs, others, margin = contrast.variant, contrast.against, contrast.settings.margin
    if unequal_failures(runs, others):
        return 1.0  # the survivors alone can't show that two are equivalent
    if contrast.paired:
        return equivalence_test(survivors_log_differences(runs, others), margin)
    return unpaired_equivalence_test(np.log(runs.survivors), np.log(others.survivors), margin)


def _outcome(contrast: Contrast, within: bool) -> Outcome:
    if contrast.paired and contrast.identical:
        return "identical"
    decided = verdict(contrast)
    if decided in ("supported", "refuted"):
        return "better" if decided == "supported" else "worse"
    if within:
        return "equivalent"
    return "insufficient data" if decided == "insufficient data" else "undecided"


def _side(name: str, runs: Runs, known: bool) -> Side:
    scored = np.log(runs.scored.survivors)
    mean = float(np.exp(scored.mean())) if len(scored) else None
    learnt = runs.count("learnt") if known else None
    return Side(name, len(runs.seeds), int(runs.failed.sum()), learnt, mean)


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def sentences(pair: Pair) -> list[str]:
    """What was compared, the answer, and what it rests on: a sentence each, the answer first."""
    first, second = pair.variant, pair.against
    metric = pair.metric.upper()
    answers: dict[Outcome, str] = {
        "better": f"{first.name} is better than {second.name}",
        "worse": f"{first.name} is worse than {second.name}",
        "equivalent": f"{first.name} and {second.name} are equal within {percent(round(pair.margin - 1, 4))}",
        "identical": f"{first.name} and {second.name} have the same scores to the last bit",
        "undecided": f"The data do not decide between {first.name} and {second.name}",
        "insufficient data": f"Too few runs to decide between {first.name} and {second.name}",
    }
    assert set(answers) == set(get_args(Outcome))
    average = f", the mean over the snapshots after {joined([str(each) for each in pair.averaged])}"
    where = f"after {counted(pair.epoch, 'epoch')}{average if len(pair.averaged) > 1 else ''}, on {pair.data}"
    small = pair.within_margin and pair.outcome in ("better", "worse")
    caveat = f", by less than the margin of {percent(round(pair.margin - 1, 4))}" if small else ""
    told = [f"{answers[pair.outcome]}{caveat} ({where})."]
    if pair.ratio is not None:
        level = f"{percent(pair.confidence)} interval"
        interval = f"{level} {pair.low:.2f} to {pair.high:.2f}" if pair.low is not None else f"no {level}"
        by = "" if pair.estimator == "Hodges-Lehmann" else ", of geometric means because runs are few"
        failed = ", failed runs included" if pair.failed_included else ""
        change_in_words = f"{metric} is {change(pair.ratio)} with {first.name} than with {second.name}"
        told.append(f"{change_in_words}: ratio {pair.ratio:.2f} ({interval}{by}{failed}).")
    told += [f"{metric} of {each.name}: {score(each.mean)}, {_states(each)}." for each in (first, second)]
    runs = (
        f"{counted(pair.seeds, 'common seed')}, paired"
        if pair.seeds is not None
        else (f"{first.n} against {second.n} runs, not paired")
    )
    p = f"p {p_value(pair.p_difference)} for a difference, {p_value(pair.p_equivalence)} for equality within the margin"
    told.append(f"On {runs}: {p}. Both are of this pair alone.")
    return told + pair.declared


def _states(side: Side) -> str:
    if side.learnt is None:
        return counted(side.n, "run")
    return f"{side.learnt} of {counted(side.n, 'run')} learnt{f', {side.failed} failed' if side.failed else ''}"
