"""Earlier studies and their pooled estimate, on planted scores."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from gan.robustness.history import past

PAIR = [("better", "worse")]


def study(ratio: float, n: int, seed: int, spread: float = 0.1) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    logs = {name: random.normal(level, spread, n) for name, level in (("better", np.log(ratio)), ("worse", 0.0))}
    return pd.concat(
        [pd.DataFrame({"variant": name, "seed": range(n), "fid": np.exp(log)}) for name, log in logs.items()]
    )


def test_a_studys_ratio_is_the_paired_t_tests() -> None:
    table = study(0.8, 12, 0)
    (found,) = past({"one": table}, PAIR, "fid", 0.95).studies[0].contrasts
    first, second = (np.log(table.loc[table["variant"] == name, "fid"]) for name in PAIR[0])
    oracle = stats.ttest_rel(first, second)
    interval = oracle.confidence_interval(0.95)
    assert np.log([found.low, found.high]) == pytest.approx([interval.low, interval.high])
    assert found.ratio == pytest.approx(np.exp(np.mean(first.to_numpy() - second.to_numpy())))


def test_pooling_narrows_and_weighs_by_precision() -> None:
    tables = {f"study {place}": study(0.8, 20, place) for place in range(6)}
    history = past(tables, PAIR, "fid", 0.95)
    (pooled,) = history.pooled
    widths = [np.log(each.contrasts[0].high / each.contrasts[0].low) for each in history.studies]
    assert pooled.studies == 6
    assert np.log(pooled.high / pooled.low) < min(widths)
    assert pooled.low < 0.8 < pooled.high
    differing = past({"low": study(0.5, 20, 1), "high": study(1.0, 20, 2)}, PAIR, "fid", 0.95).pooled[0]
    assert differing.heterogeneity > 0.9
    assert differing.low < 0.6 < 0.9 < differing.high


def test_a_study_of_the_same_seeds_is_told_and_not_pooled() -> None:
    tables = {"one": study(0.8, 10, 0), "two": study(0.8, 10, 1)}
    again = past({**tables, "two-again": study(0.1, 10, 2)}, PAIR, "fid", 0.95)
    assert again.pooled == past(tables, PAIR, "fid", 0.95).pooled
    assert len(again.studies) == 3


def test_a_study_without_one_of_the_variants_has_no_contrast() -> None:
    alone = study(0.8, 5, 0).query("variant == 'better'")
    history = past({"one": alone}, PAIR, "fid", 0.95)
    assert history.studies[0].contrasts == []
    assert history.pooled == []
