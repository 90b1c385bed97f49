"""The declared contrasts decided again under every combination of reasonable choices (Simonsohn et al. 2020).

A choice is the metric, which snapshots it is of, what becomes of failed runs, the epoch, the classifier, the margin of
equivalence. The tests are those of the published decision: sign flips of paired runs, TOST, and Holm's correction, here
among the contrasts of one family and kind. The effect is one that all metrics share: the probability that a run of
the first variant is better than one of the second.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd

from gan.compute.tables import states
from gan.records.comparison import Comparison, Contrast
from gan.records.specifications import Agreement, Outcome, Specification, SpecificationCurve, Summary
from gan.stats.contrasts import unequal_failures
from gan.stats.inference import (
    Floats,
    equivalence_test,
    holm,
    improvement_estimate,
    mean_estimate,
    pairs_for_verdict,
    sign_flip_test,
    signed_ranks,
)
from gan.stats.scores import Runs, on_shared_seeds
from gan.study.analyses import Specifications

LOWER_IS_BETTER = ("fid", "kid")  # of all the other metrics more is better
ROW = ["variant", "epoch", "seed"]


@dataclass(frozen=True)
class _Choice:
    """How a contrast is measured; the margin of equivalence comes on top."""

    metric: str
    snapshots: str
    failures: str
    epoch: int
    classifier: int

    @property
    def column(self) -> str:
        return f"{self.metric}_classifier_{self.classifier}" if self.classifier else self.metric


@dataclass(frozen=True)
class _Pairs:
    """A contrast's runs on shared seeds; their `metric` is lower where a run is better.

    It is a logarithm, so that differences are of ratios, if `logarithmic`, else the plain value: where one of them is
    not above 0.
    """

    contrast: Contrast
    variant: Runs
    against: Runs
    logarithmic: bool

    @property
    def survivors_differences(self) -> Floats:
        survived = ~(self.variant.failed | self.against.failed)
        return self.variant.metric[survived] - self.against.metric[survived]

    @property
    def differences(self) -> Floats:
        """What sign flips are tested on: 0 where both runs failed, signed ranks if one failure makes one infinite."""
        one_survived = ~(self.variant.failed & self.against.failed)
        ranked = (self.variant.ranked, self.against.ranked)
        differences = np.subtract(*ranked, out=np.zeros(len(one_survived)), where=one_survived)
        return signed_ranks(differences) if np.isinf(differences).any() else differences


def specification_curve(
    metrics: pd.DataFrame, snapshots: pd.DataFrame, comparison: Comparison, choices: Specifications
) -> SpecificationCurve:
    """The comparison's hypotheses and controls under all combinations of `choices`.

    `metrics` has a row per run and scored epoch, `snapshots` one per run and snapshot; both have `variant`, `seed`,
    `epoch` and the metrics' columns. A column of `metrics` is averaged over snapshots; that of the last one alone is
    `<column>_last`, else the column of `snapshots`. The other classifiers are for FID alone, the margins for
    equivalences. A specification is left out if its column, its epoch, a finished run's value or every surviving pair
    is missing, as is an equivalence by values that are not all above 0, which make no ratios.
    """
    metrics = metrics.assign(state=states(metrics, comparison.learnt))
    measured, last = (table.set_index(ROW).sort_index() for table in (metrics, snapshots))
    families: dict[tuple[str, str], list[Contrast]] = {}
    for contrast in comparison.contrasts:
        if contrast.family != "exploratory":
            families.setdefault((contrast.family, contrast.kind), []).append(contrast)
    combinations = list(_combinations(choices))
    curve: list[Specification] = []
    summaries: list[Summary] = []
    for (_, kind), contrasts in families.items():
        margins = choices.margins if kind == "equivalence" else (None,)
        decided: list[Specification] = []
        for choice in combinations:
            scores = _scores(measured, last, choice)
            found = [_pairs(each, choice, scores, measured["state"]) for each in contrasts]
            testable = [pairs for pairs in found if pairs is not None and _can_be_tested(pairs)]
            for margin in margins if testable else ():
                decided += _decide(testable, choice, margin, comparison.alpha)
        for contrast in contrasts:
            own = [each for each in decided if each.contrast == contrast.id]
            curve += own
            summaries.append(_summary(contrast, own, len(combinations) * len(margins)))
    return SpecificationCurve(comparison.alpha, comparison.margin, summaries, curve)


def _combinations(choices: Specifications) -> Iterator[_Choice]:
    for metric in choices.metrics:
        classifiers = choices.classifiers if metric == "fid" else (0,)
        rest = product(choices.snapshots, choices.failures, choices.epochs, classifiers)
        yield from (_Choice(metric, *each) for each in rest)


def _scores(metrics: pd.DataFrame, snapshots: pd.DataFrame, choice: _Choice) -> pd.Series | None:
    """The chosen column by variant, epoch and seed; None if no table has it."""
    column = choice.column
    if choice.snapshots == "averaged":
        return metrics.get(column)
    if f"{column}_last" in metrics:
        return metrics[f"{column}_last"]
    return snapshots[column].reindex(metrics.index) if column in snapshots else None


def _pairs(contrast: Contrast, choice: _Choice, scores: pd.Series | None, state: pd.Series) -> _Pairs | None:
    """The contrast's runs as they are chosen; None if they were not scored so."""
    names = (contrast.variant, contrast.against)
    if scores is None:
        return None
    runs = pd.DataFrame({"score": scores.astype(float), "finished": state != "diverged", "state": state})
    at_epoch = runs[runs.index.get_level_values("epoch") == choice.epoch].droplevel("epoch")
    first, second = (at_epoch.loc[at_epoch.index.get_level_values("variant") == name] for name in names)
    values = np.concatenate([table["score"][table["finished"]].to_numpy() for table in (first, second)])
    if first.empty or second.empty or not np.isfinite(values).all():
        return None
    logarithmic, sign = bool((values > 0).all()), 1 if choice.metric in LOWER_IS_BETTER else -1
    both = []
    for table in (first, second):
        scored = table["score"].where(table["finished"]).to_numpy()
        metric = sign * (np.log(scored) if logarithmic else scored)
        both.append(Runs(table.index.get_level_values("seed").to_numpy(), metric, table["state"].to_numpy()))
    variant, against = on_shared_seeds(*both)
    if choice.failures == "as scored":
        variant, against = variant.scored, against.scored
    elif choice.failures == "left out":
        survived = np.flatnonzero(~(variant.failed | against.failed))
        variant, against = variant.at(survived), against.at(survived)
    return _Pairs(contrast, variant, against, logarithmic)


def _can_be_tested(pairs: _Pairs) -> bool:
    if pairs.contrast.kind == "equivalence":
        return pairs.logarithmic and len(pairs.survivors_differences) > 0
    return len(pairs.differences) > 0


def _decide(family: Sequence[_Pairs], choice: _Choice, margin: float | None, alpha: float) -> list[Specification]:
    """A family's contrasts, all of one kind, under one specification."""
    p_values = [_p_value(pairs, margin) for pairs in family]
    specifications = []
    for pairs, p, p_adjusted in zip(family, p_values, holm(p_values).tolist(), strict=True):
        estimate = improvement_estimate(pairs.variant.ranked, pairs.against.ranked, 1 - alpha)
        if margin is None:
            outcome = _superiority(pairs, p_adjusted, alpha)
        else:
            outcome = _equivalence(pairs, p_adjusted, margin, alpha, len(family))
        specifications.append(
            Specification(
                contrast=pairs.contrast.id,
                **vars(choice),
                margin=margin,
                n=len(pairs.variant.seeds),
                estimate=estimate.value,
                low=estimate.low,
                high=estimate.high,
                p=p,
                p_adjusted=p_adjusted,
                outcome=outcome,
                agrees=outcome in _published(pairs.contrast),
            )
        )
    return specifications


def _p_value(pairs: _Pairs, margin: float | None) -> float:
    if margin is None:
        return sign_flip_test(pairs.differences)
    if unequal_failures(pairs.variant, pairs.against):
        return 1.0
    return equivalence_test(pairs.survivors_differences, margin)


def _superiority(pairs: _Pairs, p_adjusted: float, alpha: float) -> Outcome:
    if p_adjusted > alpha:
        return "undecided"
    return "better" if pairs.differences.sum() < 0 else "worse"


def _equivalence(pairs: _Pairs, p_adjusted: float, margin: float, alpha: float, family_size: int) -> Outcome:
    """As the published decision has it: too few pairs show nothing, unless all scores are the same."""
    differences = pairs.survivors_differences
    few = len(differences) < pairs_for_verdict(family_size, alpha) and differences.any()
    if few or unequal_failures(pairs.variant, pairs.against):
        return "undecided"
    if p_adjusted <= alpha:
        return "equivalent"
    mean = mean_estimate(differences, 1 - 2 * alpha / family_size)
    if mean.high < -np.log(margin):
        return "better"
    return "worse" if mean.low > np.log(margin) else "undecided"


def _published(contrast: Contrast) -> tuple[Outcome, ...]:
    """The outcomes that agree with the published verdict; by the ratio, which is of FIDs, the first is the likelier."""
    outcomes: Mapping[str, tuple[Outcome, ...]] = {"supported": ("better",), "refuted": ("worse",)}
    if contrast.kind == "equivalence":
        different: tuple[Outcome, ...] = ("better", "worse") if (contrast.ratio or 1) < 1 else ("worse", "better")
        outcomes = {
            "supported": ("equivalent",),
            "equivalent": ("equivalent",),
            "detected, within the margin": ("equivalent",),
            "refuted": different,
            "different": different,
        }
    return outcomes.get(contrast.verdict, ("undecided",))


def _summary(contrast: Contrast, decided: Sequence[Specification], declared: int) -> Summary:
    """One contrast's specifications counted, `declared` being how many there would be if all could be computed."""
    choices: dict[str, dict[str, list[bool]]] = {}
    for each in decided:
        for choice in ("metric", "snapshots", "failures", "epoch", "classifier", "margin"):
            if (option := getattr(each, choice)) is not None:
                choices.setdefault(choice, {}).setdefault(str(option), []).append(each.agrees)
    return Summary(
        total=len(decided),
        agreeing=sum(each.agrees for each in decided),
        contrast=contrast.id,
        kind=contrast.kind,
        variant=contrast.variant,
        against=contrast.against,
        published=_published(contrast)[0],
        left_out=declared - len(decided),
        choices={
            choice: {option: Agreement(len(agree), sum(agree)) for option, agree in options.items()}
            for choice, options in choices.items()
        },
    )
