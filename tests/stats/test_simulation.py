"""The decision's error rates in simulated studies: that a sound decision passes and one of another kind would not."""

import json
import math
from collections import Counter
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import TypeAdapter
from scipy import stats
from stats.planted import FAMILY, control, hypothesis

from gan.compute.executors import InProcessExecutor
from gan.errors import StudyError
from gan.records.simulation import Simulation
from gan.stats import simulation
from gan.stats.comparison import compare
from gan.stats.contrasts import decide, verdict
from gan.stats.simulation import Scenario, draw, judge, levels, scenarios, simulation_study, summary
from gan.study.schema import Study

SEEDS = 12
EXECUTOR = InProcessExecutor()


@pytest.fixture
def study(study: Study) -> Study:
    """With an equivalence among the hypotheses, and enough seeds for verdicts."""
    seeds = {"seeds": tuple(range(SEEDS))}
    variants = {name: variant.model_copy(update=seeds) for name, variant in study.variants.items()}
    few = study.simulate.model_copy(update={"studies": 200})
    controls = (
        control("A1", "non_saturating_logits", "non_saturating"),
        control("A2", "unfrozen", "non_saturating"),
    )
    compare = study.compare.model_copy(update={"hypotheses": FAMILY, "controls": controls})
    return study.model_copy(update={"variants": variants, "simulate": few, "compare": compare})


def with_rules(study: Study, **changes: Any) -> Study:
    return study.model_copy(update={"compare": study.compare.model_copy(update=changes)})


def test_false_verdicts_are_as_rare_as_declared_and_right_ones_frequent(study: Study) -> None:
    record = simulation_study(study, EXECUTOR)
    rates = json.loads(json.dumps(asdict(record), allow_nan=False))
    assert TypeAdapter(Simulation).validate_python(rates) == record
    by_name = {scenario["name"]: scenario for scenario in rates["scenarios"]}
    for scenario in by_name.values():
        for name, error in scenario["errors"].items():
            assert error["low"] <= 0.05, (scenario["name"], name)
            assert error["low"] <= error["rate"] <= error["high"]
            assert error["kept"] == (error["rate"] <= 0.06)
    # Not because there is no verdict at all: both tests err about as often as they may.
    assert by_name["null"]["errors"]["false superiority"]["high"] > 0.04
    assert by_name["margin"]["errors"]["false equivalence"]["high"] > 0.04
    assert by_name["null"]["errors"]["false alarm of the controls"]["high"] > 0.03
    assert by_name["margin"]["power"]["controls"]["rate"] > 0.8
    assert by_name["large effect"]["joint_power"]["rate"] > 0.9
    assert by_name["large effect"]["power"].keys() == {"H1", "H2", "H3", "A1", "A2"}
    assert by_name["null"]["power"].keys() == {"H3", "A1", "A2"}
    assert by_name["null"]["joint_power"] is None
    assert by_name["one fails"]["errors"] == {}
    for scenario in by_name.values():
        for shares in scenario["verdicts"].values():
            assert sum(shares.values()) == pytest.approx(1)


def test_a_family_of_many_hypotheses_errs_no_more_often_than_one(study: Study) -> None:
    """Without Holm's correction, eight independent tests at 5 % would err in a third of the studies."""
    named = list(study.variants)[:16]
    many = tuple(hypothesis(f"H{n}", "superiority", named[2 * n], named[2 * n + 1]) for n in range(8))
    null, *_ = simulation_study(with_rules(study, hypotheses=many, controls=()), EXECUTOR).scenarios
    assert null.errors["false superiority"].low <= 0.05


def test_no_rate_depends_on_how_the_work_is_divided(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    few = study.model_copy(update={"simulate": study.simulate.model_copy(update={"studies": 7})})
    whole = simulation_study(few, EXECUTOR)
    monkeypatch.setattr(simulation, "STUDIES_PER_TASK", 3)
    assert simulation_study(few, EXECUTOR) == whole
    assert whole.seeds == dict.fromkeys(study.compare.named, SEEDS)
    assert (whole.studies, whole.alpha, whole.margin) == (7, 0.05, 1.1)


def test_what_is_simulated_is_what_is_published(study: Study) -> None:
    """The verdicts of `compare` on a table of simulated scores are those of the simulation."""
    drawn = draw(scenarios(study)[8], study, np.random.default_rng(0))
    assert sum(runs.failed.sum() for epochs in drawn.values() for runs in epochs.values())
    tables = [
        pd.DataFrame(
            {
                "variant": name,
                "data": "mnist",
                "seed": epochs[1].seeds,
                "epoch": 20,
                "averaged": "20",
                "status": "finished",
                "coverage": np.where(epochs[1].failed, 0.001, 0.1),
                "fid": epochs[1].metric,
                "digits": 10,
            }
        )
        for name, epochs in drawn.items()
    ]
    contrasts = compare(pd.concat(tables), study.compare).contrasts
    published = [(each.id, each.verdict) for each in contrasts if each.family != "exploratory"]
    assert published == [(each.hypothesis.id, verdict(each)) for each in decide(drawn, study.compare)]


def test_rates_count_studies(study: Study) -> None:
    supported = {("H1", "supported"), ("H2", "supported"), ("H3", "supported")}
    right = frozenset({*supported, ("A1", "different"), ("controls", "alarm")})
    one_wrong = frozenset({("H1", "refuted"), ("H2", "supported"), ("H3", "undecided"), ("A1", "equivalent")})
    both_wrong = frozenset({("H1", "refuted"), ("H2", "refuted"), ("H3", "refuted"), ("A1", "different")})
    scenario = Scenario("", "", levels(study, 2, 1))
    rates = summary(scenario, Counter({right: 5, one_wrong: 3, both_wrong: 2}), study)
    assert {name: error.rate for name, error in rates.errors.items()} == {
        "false superiority": 0.5,
        "false refutation of equivalence": 0.2,
        "false difference of a control": 0.7,
        "false alarm of the controls": 0.5,
    }
    assert not any(error.kept for error in rates.errors.values())
    power = {name: share.rate for name, share in rates.power.items()}
    assert power == {"H1": 0.5, "H2": 0.8, "H3": 0.5, "A1": 0.3, "A2": 0}
    assert rates.joint_power
    assert rates.joint_power.rate == 0.5
    expected = stats.binomtest(3, 10).proportion_ci(0.95)
    assert (rates.power["A1"].low, rates.power["A1"].high) == pytest.approx((expected.low, expected.high))
    assert rates.verdicts["H3"] == {"refuted": 0.2, "supported": 0.5, "undecided": 0.3}


def test_levels_make_hypotheses_true_and_equivalences_off_by_the_ratio(study: Study) -> None:
    assert levels(study, 2.5, 1.1) == pytest.approx(
        {
            "non_saturating": 1,
            "minimax": 2.5,
            "cewl": 1.1,
            "non_saturating_logits": 1.1,
            "unfrozen": 1.1,
        }
    )
    assert set(levels(study, 1, 1).values()) == {1}


@pytest.mark.parametrize(
    ("minimax", "cewl", "wrong", "right"),
    [
        (
            1.0,
            1.0,
            {"H1 supported", "H1 refuted", "H2 supported", "H2 refuted", "H3 refuted", "ranking ordered"},
            {"H3"},
        ),
        (2.5, 1.1, {"H1 refuted", "H2 refuted", "H3 supported", "H3 refuted"}, {"H1", "H2"}),
        (2.5, 1 / 1.1, {"H1 refuted", "H2 refuted", "H3 supported", "H3 refuted"}, {"H1", "H2"}),
        (2.5, 1.2, {"H1 refuted", "H2 refuted", "H3 supported"}, {"H1", "H2"}),
        (0.5, 1.05, {"H1 supported", "H2 supported", "H3 refuted"}, {"H3"}),
    ],
)
def test_which_claims_are_wrong_follows_from_the_levels(
    study: Study, minimax: float, cewl: float, wrong: set[str], right: set[str]
) -> None:
    scenario = Scenario("", "", {"non_saturating": 1.0, "minimax": minimax, "cewl": cewl})
    errors, claims = judge(scenario, with_rules(study, controls=()))
    assert {" ".join(claim) for wrongs in errors.values() for claim in wrongs} == wrong
    assert claims == {name: (name, "supported") for name in right}


@pytest.mark.parametrize(
    ("level", "wrong", "right"),
    [
        (1.0, {"A1 different", "controls alarm", "ranking ordered"}, {"A1 equivalent"}),
        (1.05, {"A1 different"}, {"A1 equivalent", "controls alarm"}),
        (1.1, {"A1 different", "A1 equivalent", "A1 detected, within the margin"}, {"controls alarm"}),
        (1.2, {"A1 equivalent", "A1 detected, within the margin"}, {"controls alarm"}),
    ],
)
def test_controls_are_to_alarm_once_they_differ_and_to_be_different_beyond_the_margin(
    study: Study, level: float, wrong: set[str], right: set[str]
) -> None:
    scenario = Scenario("", "", {"non_saturating": 1.0, "non_saturating_logits": level})
    errors, claims = judge(scenario, with_rules(study, hypotheses=(), controls=study.compare.controls[:1]))
    assert {" ".join(claim) for wrongs in errors.values() for claim in wrongs} == wrong
    assert {" ".join(claim) for claim in claims.values()} == right


@pytest.mark.parametrize("heavy_tails", [False, True])
def test_simulated_scores_vary_and_fail_as_asked(study: Study, heavy_tails: bool) -> None:
    many = study.variants["cewl"].model_copy(update={"seeds": tuple(range(100_000))})
    study = study.model_copy(update={"variants": {"cewl": many}})
    scenario = Scenario("", "", {"cewl": 3.0}, heavy_tails, {"cewl": 0.1})
    runs = draw(scenario, study, np.random.default_rng(0))["cewl"][1]
    logs = np.log(runs.metric / 3)
    assert logs.mean() == pytest.approx(0, abs=5 * 0.06 / math.sqrt(100_000))
    assert logs.std() == pytest.approx(0.06, rel=0.05)
    assert runs.failed.mean() == pytest.approx(0.1, abs=0.005)
    drawn_from, other = stats.t(3, scale=0.06 / math.sqrt(3)), stats.norm(scale=0.06)
    if not heavy_tails:
        drawn_from, other = other, drawn_from
    assert stats.kstest(logs, drawn_from.cdf).statistic < 0.01 < stats.kstest(logs, other.cdf).statistic


def test_a_study_without_hypotheses_has_nothing_to_simulate(study: Study) -> None:
    with pytest.raises(StudyError, match=r"compare\.hypotheses is empty"):
        simulation_study(with_rules(study, hypotheses=()), EXECUTOR)
