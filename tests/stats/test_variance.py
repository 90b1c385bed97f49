"""Where variation over seeds comes from, on scores of which it is known."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from gan.stats.variance import sources_of_variation

SEEDS = 400


def runs(variant: str, epoch: int, sd: float, evaluation: float = 0.0) -> pd.DataFrame:
    random = np.random.default_rng(len(variant))
    log = random.normal(6, sd, SEEDS)
    last, again = (np.exp(log + random.normal(0, evaluation, SEEDS)) for _ in range(2))
    known = {"variant": variant, "epoch": epoch, "seed": range(SEEDS), "status": "finished"}
    return pd.DataFrame({**known, "fid": np.exp(log), "fid_last": last, "fid_again": again})


def test_each_source_has_its_standard_deviation() -> None:
    metrics = pd.concat([runs("all", 10, 0.1, 0.02), runs("all", 20, 0.5), runs("weights", 10, 0.05)])
    sources = sources_of_variation(metrics, "all", {"weights": {"generator": 0, "discriminator": 0}}, 0.999)
    assert [(each.source, each.variant, each.epoch) for each in sources] == [
        ("everything", "all", 10),
        ("all but generator and discriminator", "weights", 10),
        ("evaluation latents", "all", 10),
    ]
    for each, sd in zip(sources, (0.1, 0.05, 0.02), strict=True):
        assert each.sd == pytest.approx(sd, rel=0.1)
        assert each.low < sd < each.high
        assert each.n == SEEDS


def test_intervals_are_the_chi_squared_ones() -> None:
    metrics = runs("all", 10, 0.1).iloc[:10]
    (source, _) = sources_of_variation(metrics, "all", {}, 0.9)
    variance = np.log(metrics["fid"]).var(ddof=1)
    assert source.low == pytest.approx(np.sqrt(9 * variance / stats.chi2.ppf(0.95, 9)))
    assert source.high == pytest.approx(np.sqrt(9 * variance / stats.chi2.ppf(0.05, 9)))


def test_failed_runs_and_variants_without_runs_tell_nothing() -> None:
    metrics = runs("all", 10, 0.1)
    failed = metrics.assign(status="failed", fid=np.nan)
    assert sources_of_variation(failed, "all", {}, 0.95) == []
    assert sources_of_variation(metrics, "all", {"other": {"order": 0}}, 0.95) == []
