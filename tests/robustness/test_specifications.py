"""The specification curve on planted tables: its size, its agreement, and what turns an outcome."""

import json
import math
from collections.abc import Collection
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import TypeAdapter
from scipy import stats
from stats.planted import control, hypothesis, planted, rules, table

from gan.records.specifications import SpecificationCurve, Summary
from gan.robustness.specifications import specification_curve
from gan.stats.comparison import compare
from gan.stats.inference import improvement_estimate, sign_flip_test, signed_ranks
from gan.study.analyses import Specifications

N = 12
CHOICES = Specifications(
    metrics=("fid", "kid", "coverage", "recall", "digits"),
    snapshots=("averaged", "last"),
    failures=("worst", "as scored", "left out"),
    epochs=(8, 20),
    classifiers=(0, 1, 2),
    margins=(1.05, 1.2),
)
SUPERIORITIES = 2 * 3 * 2 * (3 + 4)  # snapshots, failures, epochs; FID by three classifiers, four other metrics by one


def scored(variant: str, quality: Collection[float]) -> pd.DataFrame:
    """A variant's metrics at both epochs, all of the same order: of the given values lower is better."""
    lower = np.asarray(quality, float)
    tables = []
    for epoch in (8, 20):
        measured = dict.fromkeys(("fid", "kid", "fid_classifier_1", "fid_classifier_2"), lower)
        measured |= {"coverage": 1 / lower, "recall": 1 / lower, "digits": 1000 / lower}
        measured |= {f"{name}_last": values for name, values in measured.items()}
        tables.append(table(variant, lower, epoch=epoch).assign(**measured))
    return pd.concat(tables)


def curve(tables: list[pd.DataFrame], *hypotheses: Any, choices: Specifications = CHOICES) -> SpecificationCurve:
    """The curve as its JSON file has it, which reads as the same curve."""
    metrics = pd.concat(tables, ignore_index=True)
    snapshots = metrics[["variant", "seed", "epoch", "fid"]]
    declared = hypotheses or (hypothesis("H", "superiority", "a", "b"),)
    comparison = compare(
        metrics, rules(declared, controls=[control("A", "c", "b")] if "c" in set(metrics.variant) else [])
    )
    made = specification_curve(metrics, snapshots, comparison, choices)
    assert TypeAdapter(SpecificationCurve).validate_json(json.dumps(asdict(made), allow_nan=False)) == made
    return made


def only(made: SpecificationCurve) -> Summary:
    (summary,) = made.contrasts
    return summary


def test_a_large_effect_is_found_by_all_specifications_and_their_number_is_the_product_of_the_choices() -> None:
    better, worse = planted(0.5, 0.05, N)
    made = curve([scored("a", better), scored("b", worse)])
    summary = only(made)
    assert (summary.total, summary.agreeing, summary.left_out) == (SUPERIORITIES, SUPERIORITIES, 0)
    assert summary.published == "better"
    assert {each.outcome for each in made.specifications} == {"better"}
    keys = ("metric", "snapshots", "failures", "epoch", "classifier", "margin")
    assert len({tuple(getattr(each, key) for key in keys) for each in made.specifications}) == SUPERIORITIES
    assert summary.choices["classifier"]["1"].total == 2 * 3 * 2
    for options in (options for name, options in summary.choices.items() if name != "classifier"):
        assert sum(option.total for option in options.values()) == SUPERIORITIES


def test_the_roles_exchanged_give_the_contrary() -> None:
    better, worse = planted(0.8, 0.1, N)
    made, exchanged = curve([scored("a", better), scored("b", worse)]), curve([scored("a", worse), scored("b", better)])
    assert only(exchanged).published == "worse"
    for one, other in zip(made.specifications, exchanged.specifications, strict=True):
        assert (one.p, one.estimate) == (other.p, pytest.approx(1 - other.estimate))
        assert (one.low, one.high) == pytest.approx((1 - other.high, 1 - other.low))
        assert {one.outcome, other.outcome} == {"better", "worse"}


def test_one_metric_that_says_the_contrary_is_the_only_one_that_does_not_agree() -> None:
    better, worse = planted(0.5, 0.05, N)
    a, b = scored("a", better), scored("b", worse)
    a["coverage"], b["coverage"] = b["coverage"].to_numpy(), a["coverage"].to_numpy()
    made = curve([a, b])
    contrary = [each for each in made.specifications if not each.agrees]
    assert {(each.metric, each.snapshots, each.outcome) for each in contrary} == {("coverage", "averaged", "worse")}
    assert len(contrary) == 3 * 2
    assert only(made).choices["metric"]["coverage"].agreeing == only(made).choices["metric"]["coverage"].total / 2
    assert only(made).choices["metric"]["fid"].agreeing == only(made).choices["metric"]["fid"].total


def test_nothing_depends_on_the_order_of_rows() -> None:
    tables = [scored(name, values) for name, values in zip("ab", planted(0.9, 0.1, N), strict=True)]
    shuffled = [each.sample(frac=1, random_state=3) for each in reversed(tables)]
    assert curve(tables) == curve(shuffled)


def test_the_published_choices_give_the_published_numbers() -> None:
    """Every p, adjusted or not, and every outcome of the comparison are those of its specification."""
    a, b = planted(0.93, 0.05, N)
    tables = [scored("a", a), scored("b", b), scored("c", planted(1, 0.02, N)[0]), scored("d", planted(1, 0.3, N)[0])]
    tables[3].loc[[2, 5], "digits"] = 1
    choices = CHOICES.model_copy(update={"margins": (1.1,)})
    declared = (hypothesis("H", "superiority", "a", "b"), hypothesis("I", "superiority", "d", "b"))
    made = curve(tables, *declared, choices=choices)
    published = compare(pd.concat(tables), rules(declared, controls=[control("A", "c", "b")])).contrasts
    same = {
        each.contrast: each
        for each in made.specifications
        if (each.metric, each.snapshots, each.failures, each.epoch, each.classifier)
        == ("fid", "averaged", "worst", 20, 0)
    }
    assert same.keys() == {"H", "I", "A"}
    for contrast in published[:3]:
        one = same[contrast.id]
        assert (one.p, one.p_adjusted) == pytest.approx((contrast.p, contrast.p_adjusted))
        assert one.estimate == contrast.improvement
        assert one.agrees


def test_an_equivalence_holds_within_its_margin_and_fails_beyond() -> None:
    ratio = 1.1
    near, far = planted(ratio, 0.02, N)
    choices = CHOICES.model_copy(update={"margins": (1.05, 1.2), "metrics": ("fid", "kid", "coverage")})
    made = curve([scored("a", near), scored("b", far)], hypothesis("H", "equivalence", "a", "b"), choices=choices)
    assert only(made).total == 2 * 3 * 2 * (3 + 2) * 2
    assert {(each.margin, each.outcome) for each in made.specifications} == {(1.05, "worse"), (1.2, "equivalent")}


def test_failures_are_ranked_last_or_as_scored_or_left_out() -> None:
    """Of the first variant, which is otherwise equal, five runs collapsed with the best scores of all."""
    same = np.linspace(2, 3, N)
    a, b = scored("a", [0.1] * 5 + list(same[5:])), scored("b", same)
    a["digits"] = [1.0] * 5 + [10.0] * (N - 5) + [10.0] * N  # at epoch 8
    choices = CHOICES.model_copy(update={"metrics": ("fid",), "epochs": (8,), "classifiers": (0,)})
    made = [each for each in curve([a, b], choices=choices).specifications if each.snapshots == "averaged"]
    worst, as_scored, left_out = made
    assert [each.failures for each in made] == ["worst", "as scored", "left out"]
    assert worst.estimate < 0.5 < as_scored.estimate
    assert (worst.n, as_scored.n, left_out.n) == (N, N, N - 5)
    assert left_out.estimate == 0.5
    assert worst.p == pytest.approx(sign_flip_test(signed_ranks(np.array([math.inf] * 5 + [0.0] * (N - 5)))))
    assert left_out.p == 1


def test_what_the_tables_lack_is_left_out_and_counted() -> None:
    better, worse = planted(0.5, 0.05, N)
    a, b = scored("a", better), scored("b", worse)
    for each in (a, b):
        each.loc[each["epoch"] == 8, "fid_classifier_1"] = np.nan
    a, b = (each.drop(columns=["recall_last", "fid_last", "fid_classifier_2"]) for each in (a, b))
    summary = only(curve([a, b]))
    # fid_last is among the snapshots; the last snapshot's FID by classifier 2 is still there.
    left_out = 3 * 1 + 3 * 2 + 3 * 2  # classifier 1 at one epoch, the last recall, classifier 2 averaged
    assert (summary.left_out, summary.total) == (left_out, SUPERIORITIES - left_out)
    later = CHOICES.model_copy(update={"epochs": (30,)})
    summary = only(curve([a, b], choices=later))
    assert (summary.total, summary.left_out, summary.choices) == (0, SUPERIORITIES / 2, {})


def test_values_that_are_not_positive_are_compared_but_make_no_ratio() -> None:
    better, worse = planted(0.5, 0.05, N)
    a, b = scored("a", better), scored("b", worse)
    b["recall"] = 0.0
    choices = CHOICES.model_copy(update={"metrics": ("recall",), "snapshots": ("averaged",)})
    made = curve([a, b], choices=choices)
    assert only(made).total == 3 * 2
    for each in made.specifications:
        assert (each.outcome, each.estimate, each.p) == ("better", 1, 2 / 2**N)
    made = curve([a, b], hypothesis("H", "equivalence", "a", "b"), choices=choices)
    assert (only(made).total, only(made).left_out) == (0, 3 * 2 * 2)


def test_a_run_that_diverged_is_the_worst_unless_it_is_left_out() -> None:
    better, worse = planted(0.1, 0.05, N)
    made = curve([scored("a", np.where(np.arange(N) == 4, np.inf, better)), scored("b", worse)])
    found = {(each.failures, each.n, round(each.estimate, 9)) for each in made.specifications if each.metric == "fid"}
    lost = round(1 - 1 / N, 9)
    assert found == {("worst", N, lost), ("as scored", N, lost), ("left out", N - 1, 1)}


def test_the_interval_of_an_improvement_covers_the_truth_as_often_as_it_says() -> None:
    generator, shift = np.random.default_rng(0), 0.8
    truth = stats.norm.cdf(shift / math.sqrt(2))
    draws = [
        improvement_estimate(generator.normal(size=10), generator.normal(shift, size=8), 0.95) for _ in range(2000)
    ]
    covered = np.mean([draw.low <= truth <= draw.high for draw in draws])
    assert 0.93 < covered < 0.98


def test_the_ends_of_an_improvement_are_scores() -> None:
    """One run of each is a coin: Wilson's interval. All better: the high end is 1. Nothing to compare: no interval."""
    one = improvement_estimate(np.array([1.0]), np.array([2.0]), 0.95)
    z = stats.norm.ppf(0.975)
    assert (one.value, one.low, one.high) == pytest.approx((1, 1 / (1 + z**2), 1))
    wilson = stats.binomtest(1, 1).proportion_ci(0.95, method="wilson")
    assert one.low == pytest.approx(wilson.low)
    none = improvement_estimate(np.array([]), np.array([2.0]), 0.95)
    assert math.isnan(none.value)
    all_better = improvement_estimate(np.arange(10.0), np.arange(10.0, 20), 0.95)
    assert (all_better.value, all_better.high) == (1, 1)
    assert one.low < all_better.low < 1
