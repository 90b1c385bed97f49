"""How many seeds a pilot asks for: the power functions with Holm's levels and the pilot's numbers."""

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from stats.planted import FAMILY, control, hypothesis
from statsmodels.stats.power import TTestPower

from gan.errors import StudyError
from gan.stats.inference import pairs_for_equivalence, pairs_for_superiority, pairs_for_verdict, signed_ranks
from gan.stats.pilot import plan, seeds_for_effect, seeds_for_margin
from gan.study.schema import Study

FORMS = {"non_saturating": "non_saturating_logits", "minimax": "minimax_logits"}


@pytest.fixture
def study(study: Study) -> Study:
    """With an equivalence among the hypotheses, and controls of several kinds."""
    controls = (
        control("A1", "non_saturating_logits", "non_saturating"),
        control("A2", "minimax_logits", "minimax"),
        control("A3", "unfrozen", "non_saturating"),
    )
    compare = study.compare.model_copy(update={"hypotheses": FAMILY, "controls": controls})
    return study.model_copy(update={"compare": compare})


def pilot(effect: float, noise: float, seeds: int = 30) -> pd.DataFrame:
    """The variants that are named, minimax in both forms worse by `effect` in log FID; `unfrozen` has the same bits."""
    random = np.random.default_rng(0)
    means = {"minimax": 3 + effect, "non_saturating": 3.0, "cewl": 3.0}
    means |= {FORMS[name]: means[name] for name in FORMS}
    logs = {name: mean + noise * random.standard_normal(seeds) for name, mean in means.items()}
    logs["unfrozen"] = logs["non_saturating"]
    finished = {"status": "finished", "coverage": 0.5, "digits": 10}
    rows = [
        {"variant": name, "seed": seed, "epoch": epoch, **finished, "fid": math.exp(log)}
        for name, values in logs.items()
        for seed, log in enumerate(values)
        for epoch in (10, 20)
    ]
    return pd.DataFrame(rows)


def collapse(runs: pd.DataFrame, variant: str, seeds: int) -> pd.DataFrame:
    """As if the variant's first seeds had collapsed."""
    lost = (runs["variant"] == variant) & (runs["seed"] < seeds)
    return runs.assign(digits=runs["digits"].mask(lost, 1))


def by_id(planned: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {need["id"]: need for need in planned["hypotheses"] + planned["controls"]}


def test_seeds_follow_the_pilots_effect_and_deviation_at_holms_levels(study: Study) -> None:
    settings = study.compare
    planned = plan(pilot(effect=0.11, noise=0.1), settings)
    h1, h2, h3 = planned["hypotheses"]
    ordered = sorted((h1, h2, h3), key=lambda need: need["seeds"])
    assert [need["level"] for need in ordered] == pytest.approx(
        [settings.alpha / 3, settings.alpha / 2, settings.alpha]
    )
    assert ordered[-1]["id"] != "H3"
    for need in (h1, h2):
        effect = abs(need["mean"]) / need["sd"]
        assert need["seeds"] == math.ceil(TTestPower().solve_power(effect, alpha=need["level"], power=settings.power))
    assert h3["seeds"] == pairs_for_equivalence(settings.margin, h3["sd"], h3["level"], settings.power)
    assert h1["mean"] == pytest.approx(-0.11, abs=0.06)
    assert h3["sd_low"] < 0.1 * math.sqrt(2) < h3["sd_high"]
    assert planned["seeds"] == ordered[-1]["seeds"]
    assert planned["pilot_seeds"] == list(range(30))


def test_the_least_needy_hypothesis_takes_holms_strictest_level(study: Study) -> None:
    needs = by_id(plan(pilot(effect=1.0, noise=0.1), study.compare))
    assert {needs["H1"]["level"], needs["H2"]["level"]} == {study.compare.alpha / 3, study.compare.alpha / 2}
    assert needs["H3"]["level"] == study.compare.alpha
    strictest = pairs_for_equivalence(study.compare.margin, needs["H3"]["sd"], study.compare.alpha / 3, 0.8)
    assert needs["H3"]["seeds"] < strictest


def test_each_variant_needs_what_the_neediest_of_its_tests_needs(study: Study) -> None:
    planned = plan(pilot(effect=1.0, noise=0.1), study.compare)
    needs = by_id(planned)
    tests = {"non_saturating": ["H1", "H3", "A1", "A3"], "minimax": ["H1", "H2", "A2"], "unfrozen": ["A3"]}
    for variant, names in tests.items():
        assert planned["variants"][variant] == max(needs[name]["seeds"] for name in names)


def test_controls_are_planned_as_equivalences_in_a_family_of_their_own(study: Study) -> None:
    needs = by_id(plan(pilot(effect=1.0, noise=0.1), study.compare))
    a1, a2, a3 = (needs[name] for name in ("A1", "A2", "A3"))
    assert (a3["seeds"], a3["level"], a3["sd"]) == (pairs_for_verdict(3, 0.05), 0.05 / 3, 0)
    assert "the same scores" in a3["note"]
    assert sorted((a1["level"], a2["level"])) == [0.025, 0.05]
    for need in (a1, a2):
        assert need["seeds"] == pairs_for_equivalence(study.compare.margin, need["sd"], need["level"], 0.8)


def test_only_the_last_epoch_counts(study: Study) -> None:
    runs = pilot(effect=1.0, noise=0.1)
    early = runs["epoch"] == 10
    changed = runs.assign(fid=runs["fid"].mask(early, 7.0), digits=runs["digits"].mask(early, 1))
    assert plan(changed, study.compare) == plan(runs, study.compare)


def test_a_variant_that_always_collapses_needs_what_the_exact_test_needs(study: Study) -> None:
    runs = collapse(collapse(pilot(effect=-1.0, noise=0.1, seeds=6), "minimax", 6), "minimax_logits", 6)
    needs = by_id(plan(runs, study.compare))
    for name in ("H1", "H2", "A2"):
        assert needs[name]["seeds"] == pairs_for_verdict(3, study.compare.alpha) == 7
        assert needs[name]["note"]
        assert [needs[name][key] for key in ("pairs", "failed", "mean", "sd")] == [0, 6, None, None]
    assert needs["H3"]["note"] is None


def test_a_variant_that_collapses_now_and_then_is_planned_from_signed_ranks(study: Study) -> None:
    whole = pilot(effect=-0.05, noise=0.1)
    runs = collapse(whole, "minimax", 10)
    h1, *_ = plan(runs, study.compare)["hypotheses"]
    logs = whole.query("epoch == 20").pivot_table(index="seed", columns="variant", values="fid").map(math.log)
    differences = (logs["non_saturating"] - logs["minimax"]).to_numpy().copy()
    differences[:10] = -math.inf
    ranks = signed_ranks(differences)
    assert "signed ranks" in h1["note"]
    assert h1["seeds"] == pairs_for_superiority(abs(ranks.mean()) / ranks.std(ddof=1), h1["level"], 0.8)
    assert (h1["pairs"], h1["failed"]) == (20, 10)


def test_a_pilot_that_tells_nothing_is_refused(study: Study) -> None:
    runs = pilot(effect=0.1, noise=0.1)
    with pytest.raises(StudyError, match="H2: the pilot has 0 pairs of cewl and minimax"):
        plan(runs[runs["variant"] != "cewl"], study.compare)
    with pytest.raises(StudyError, match="H1: the pilot has 1 pairs"):
        plan(runs[runs["seed"] == 0], study.compare)
    with pytest.raises(StudyError, match="H3: the pilot has 1 pairs"):
        plan(collapse(runs, "cewl", 29), study.compare)
    with pytest.raises(StudyError, match=r"compare\.hypotheses is empty"):
        plan(runs, study.compare.model_copy(update={"hypotheses": ()}))


def test_controls_that_the_pilot_lacks_get_the_exact_tests_minimum(study: Study) -> None:
    runs = pilot(effect=1.0, noise=0.1)
    planned = plan(runs[~runs["variant"].isin(["unfrozen", "minimax_logits"])], study.compare)
    assert [(need["seeds"], need["note"] is None) for need in planned["controls"]][1:] == [(7, False), (7, False)]
    assert plan(runs, study.compare.model_copy(update={"controls": ()}))["controls"] == []


def test_no_verdict_on_fewer_seeds_than_the_exact_test_needs(study: Study) -> None:
    planned = plan(pilot(effect=5.0, noise=0.001), study.compare)
    assert {need["seeds"] for need in planned["hypotheses"]} == {7}
    assert planned["seeds"] == pairs_for_verdict(3, study.compare.alpha) == 7
    many = [hypothesis(f"H{n}", "superiority", "cewl", "minimax") for n in range(9)]
    nine = plan(pilot(effect=5.0, noise=0.001), study.compare.model_copy(update={"hypotheses": tuple(many)}))
    assert nine["seeds"] == pairs_for_verdict(9, study.compare.alpha) == 9


def test_seeds_for_an_effect_or_a_margin_need_no_pilot(study: Study) -> None:
    settings = study.compare
    need = seeds_for_effect(0.9, 0.2, 2, settings)
    exact = TTestPower().solve_power(abs(math.log(0.9)) / 0.2, alpha=settings.alpha / 2, power=settings.power)
    assert (need.seeds, need.level) == (math.ceil(exact), settings.alpha / 2)
    assert seeds_for_effect(1 / 0.9, 0.2, 2, settings).seeds == need.seeds
    assert seeds_for_effect(0.1, 0.2, 2, settings).seeds == pairs_for_verdict(2, settings.alpha)
    assert seeds_for_margin(1.1, 0.1, 1, settings).seeds == pairs_for_equivalence(1.1, 0.1, 0.05, settings.power)
    for ratio, sd in ((1.0, 0.1), (-1.0, 0.1), (math.nan, 0.1), (0.9, 0.0), (0.9, math.inf)):
        with pytest.raises(StudyError):
            seeds_for_effect(ratio, sd, 1, settings)
    with pytest.raises(StudyError, match="a ratio above 1"):
        seeds_for_margin(0.9, 0.1, 1, settings)
