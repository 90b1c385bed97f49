"""The ladder: who is better on a rung, and whether that is what the printed recipe says."""

from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gan.robustness.ladder import climbed, rung_contrast
from gan.study.schema import Study

PAIR = ("non_saturating", "minimax")


def runs(study: Study, metric: dict[tuple[str, str], list[float]], never: set[tuple[str, str]] = frozenset()) -> Any:
    """A table of runs, by rung and objective a metric for each seed; those in `never` have not learnt."""
    rows = [
        {
            "rung": rung,
            "objective": objective,
            "seed": seed,
            "epoch": 1,
            "status": "failed" if np.isnan(fid) else "finished",
            "fid": fid,
            "coverage": 0.0 if (rung, objective) in never else 0.5,
            "digits": 10.0,
        }
        for (rung, objective), fids in metric.items()
        for seed, fid in enumerate(fids)
    ]
    return pd.DataFrame(rows)


def ladder_of(study: Study, metric: dict[str, tuple[list[float], list[float]]], **options: Any) -> Any:
    """What the ladder says; for each rung the metrics of minimax, then those of non_saturating."""
    table = {(rung, name): fids for rung, both in metric.items() for name, fids in zip(PAIR[::-1], both, strict=True)}
    return climbed(runs(study, table, **options), study.ladder, study.baseline, study.compare)


def test_a_rung_is_judged_beside_the_printed_recipe(study: Study) -> None:
    record = ladder_of(
        study,
        {
            "printed": ([9.0, 8.0], [4.0, 4.0]),
            "beta1 0.5": ([2.0, 2.0], [4.0, 4.0]),
            "two discriminator steps": ([3.0, 5.0], [4.0, 4.0]),
        },
    )
    assert [rung.turned for rung in record.rungs] == [None, "reversed", "no difference"]
    assert [rung.contrast.better for rung in record.rungs] == ["non_saturating", "minimax", None]
    assert record.rungs[1].contrast.ratio == pytest.approx(2.0)
    assert record.rungs[2].contrast.improvement == 0.5
    assert record.rungs[1].changes == {
        "generator_optimizer.betas": "[0.5, 0.999]",
        "discriminator_optimizer.betas": "[0.5, 0.999]",
    }
    assert record.rungs[0].changes == {}


def test_who_alone_learns_is_better_whatever_the_metric(study: Study) -> None:
    rungs = {name: ([1.0, 1.0], [4.0, 4.0]) for name in study.ladder.rungs}
    never = {("printed", "minimax")}
    first, second, _ = ladder_of(study, rungs, never=never).rungs
    assert first.contrast.better == "non_saturating"
    assert second.contrast.better == "minimax"
    assert [step.learnt for step in first.steps] == [0, 2]
    assert first.steps[0].states == {"not yet": 2}
    assert first.steps[1].mean == pytest.approx(4.0)


def test_a_run_that_diverged_is_worst(study: Study) -> None:
    table = runs(study, {("printed", "minimax"): [np.nan, np.nan], ("printed", "non_saturating"): [4.0, 5.0]})
    table = table.assign(state=["diverged", "diverged", "learnt", "learnt"])
    contrast = rung_contrast(table, *PAIR, 0.95, 1.1)
    assert contrast.better == "non_saturating"
    assert contrast.improvement == 1.0
    assert (contrast.ratio, contrast.low) == (None, None)


def test_a_run_that_diverged_is_worse_than_one_that_has_not_learnt(study: Study) -> None:
    table = runs(study, {("printed", "minimax"): [np.nan, np.nan], ("printed", "non_saturating"): [4.0, 5.0]})
    contrast = rung_contrast(table.assign(state=["diverged", "diverged", "not yet", "not yet"]), *PAIR, 0.95, 1.1)
    assert contrast.better == "non_saturating"


@pytest.mark.parametrize(("swap", "shuffle"), product((False, True), repeat=2))
def test_neither_order_nor_names_matter(study: Study, swap: bool, shuffle: bool) -> None:
    table = runs(study, {("printed", "minimax"): [9.0, 8.0, 2.0], ("printed", "non_saturating"): [4.0, 5.0, 6.0]})
    table = table.assign(state="learnt")
    if shuffle:
        table = table.sample(frac=1, random_state=1)
    pair = PAIR[::-1] if swap else PAIR
    contrast = rung_contrast(table, *pair, 0.95, 1.1)
    expected = (4 * 5 * 6 / (9 * 8 * 2)) ** (1 / 3)
    assert contrast.ratio == pytest.approx(1 / expected if swap else expected)
    assert contrast.improvement == pytest.approx(1 / 3 if swap else 2 / 3)


def test_a_difference_within_the_margin_decides_nothing(study: Study) -> None:
    close = runs(study, {("printed", "minimax"): [9.0, 8.0], ("printed", "non_saturating"): [8.5, 7.5]})
    contrast = rung_contrast(close.assign(state="learnt"), *PAIR, 0.95, 1.1)
    assert contrast.better is None
    assert contrast.improvement == 1.0
    assert rung_contrast(close.assign(state="learnt"), *PAIR, 0.95, 1.01).better == "non_saturating"
