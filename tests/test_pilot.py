"""How many seeds a pilot asks for: the power functions with the family's level and the pilot's numbers."""

import math

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.power import TTestPower

from gan.errors import StudyError
from gan.pilot import plan
from gan.statistics import pairs_for_equivalence, pairs_for_verdict
from gan.study import Study


def pilot(effect: float, noise: float, seeds: int = 30) -> pd.DataFrame:
    """Three variants of which minimax is worse by `effect` in log FID."""
    random = np.random.default_rng(0)
    rows = []
    for name, mean in (("minimax", 3 + effect), ("non_saturating", 3.0), ("cewl", 3.0)):
        values = np.exp(mean + noise * random.standard_normal(seeds))
        rows += [{"variant": name, "seed": seed, "fid": fid} for seed, fid in enumerate(values)]
    return pd.DataFrame(rows)


def test_seeds_follow_the_pilots_effect_and_spread(study: Study) -> None:
    planned = plan(pilot(effect=0.15, noise=0.1), study.compare)
    h1, h2, h3 = planned["hypotheses"]
    alpha = study.compare.alpha / 3
    expected = math.ceil(TTestPower().solve_power(abs(h1["mean"]) / h1["sd"], alpha=alpha, power=study.compare.power))
    assert h1["seeds"] == expected
    assert h1["mean"] == pytest.approx(-0.15, abs=0.06)
    assert h3["seeds"] == pairs_for_equivalence(study.compare.margin, h3["sd"], alpha, study.compare.power)
    assert planned["seeds"] == max(h1["seeds"], h2["seeds"], h3["seeds"])
    assert h3["sd_low"] < 0.1 * math.sqrt(2) < h3["sd_high"]
    assert planned["pilot_seeds"] == list(range(30))


def test_a_pilot_that_tells_nothing_is_refused(study: Study) -> None:
    runs = pilot(effect=0.1, noise=0.1)
    with pytest.raises(StudyError, match="H2: the pilot has no runs of cewl"):
        plan(runs[runs["variant"] != "cewl"], study.compare)
    with pytest.raises(StudyError, match="H1: the pilot has 1 finished pairs"):
        plan(runs[runs["seed"] == 0], study.compare)
    with pytest.raises(StudyError, match=r"compare\.hypotheses is empty"):
        plan(runs, study.compare.model_copy(update={"hypotheses": ()}))


def test_no_verdict_on_fewer_seeds_than_the_exact_test_needs(study: Study) -> None:
    planned = plan(pilot(effect=5.0, noise=0.001), study.compare)
    assert max(need["seeds"] for need in planned["hypotheses"]) < 7
    assert planned["seeds"] == pairs_for_verdict(3, study.compare.alpha) == 7
