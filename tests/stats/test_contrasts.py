"""The decision on one contrast: planted effects, failures, too few seeds, controls and explorations."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from stats.planted import (
    ALPHA,
    FAMILY,
    MARGIN,
    SEEDS,
    compared,
    contrast,
    control,
    controlled,
    declared,
    explored,
    hypothesis,
    planted,
    rules,
    study_table,
    table,
)

from gan.stats import contrasts
from gan.stats.inference import sign_flip_test
from gan.stats.scores import Runs


@pytest.mark.parametrize(
    ("ratio", "verdict", "word"),
    [(0.8, "supported", "lower"), (1.25, "refuted", "higher"), (1, "undecided", "chance")],
)
def test_superiority_follows_the_planted_effect(ratio: float, verdict: str, word: str) -> None:
    result = contrast(*planted(ratio, 0.1))
    assert result["verdict"] == verdict
    assert word in result["reason"]
    assert result["low"] < ratio < result["high"]
    assert (result["hedges_g"] < 0) == (result["ratio"] < 1)
    assert (result["p_adjusted"] <= ALPHA) == (verdict != "undecided")


@pytest.mark.parametrize(
    ("ratio", "sd", "verdict"),
    [
        (1, 0.1, "supported"),
        (1, 0.6, "undecided"),
        (1.1, 0.1, "undecided"),
        (1.3, 0.1, "refuted"),
        (0.7, 0.1, "refuted"),
    ],
)
def test_equivalence_follows_the_planted_ratio_and_deviation(ratio: float, sd: float, verdict: str) -> None:
    result = contrast(*planted(ratio, sd), kind="equivalence")
    assert result["verdict"] == verdict
    assert "a factor of 1.1" in result["reason"]


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("family", [1, 3])
def test_equivalence_is_refuted_once_the_interval_of_tost_leaves_the_margin(sign: int, family: int) -> None:
    """Of 90 % for one test, and of 1 - 2 alpha/3 in a family of three."""
    variant, against = planted(1, 0.1)
    logs = sign * np.log(variant / against)
    level = 1 - 2 * ALPHA / family
    to_margin = math.log(MARGIN) - stats.t.interval(level, SEEDS - 1, logs.mean(), stats.sem(logs))[0]
    hypotheses = [hypothesis(f"H{place}", "equivalence", "a", "b") for place in range(family)]
    for beyond, verdict in ((1e-9, "refuted"), (-1e-9, "undecided")):
        moved = against * np.exp(sign * (logs + to_margin + beyond))
        results = compared([table("a", moved), table("b", against)], hypotheses)["contrasts"]
        assert {each["verdict"] for each in results} == {verdict}


def test_identical_variants_are_equivalent_and_not_better() -> None:
    same = planted(1, 0.1)[1]
    assert contrast(same, same, "equivalence")["verdict"] == "supported"
    superiority = contrast(same, same)
    assert (superiority["verdict"], superiority["p"], superiority["ratio"]) == ("undecided", 1, 1)
    assert (superiority["improvement"], superiority["hedges_g"]) == (0.5, None)


def test_mean_and_typical_seed_that_disagree_decide_nothing() -> None:
    # 15 seeds are slightly better, six much worse: the mean is worse (p = .03), the typical ratio below 1.
    against = np.full(21, 10.0)
    result = contrast(10 * np.exp(np.r_[np.full(15, -0.1), np.full(6, 5.0)]), against)
    assert result["p_adjusted"] < ALPHA
    assert result["ratio"] < 1
    assert result["verdict"] == "undecided"
    assert "points the other way" in result["reason"]


@pytest.mark.parametrize("n", [1, 2, 6])
def test_too_few_seeds_are_insufficient_data(n: int) -> None:
    results = compared(study_table(n), FAMILY, "non_saturating")["contrasts"]
    assert {c["verdict"] for c in results} == {"insufficient data"}
    assert all("at least 7 shared seeds" in c["reason"] for c in results)
    assert all(0 < c["p"] <= 1 for c in results)
    if n < 6:
        assert {(c["low"], c["high"]) for c in results} == {(None, None)}


def test_seven_seeds_suffice_for_a_family_of_three() -> None:
    results = compared(study_table(7), FAMILY, "non_saturating")["contrasts"]
    assert "insufficient data" not in {c["verdict"] for c in results}


def test_pairs_are_shared_seeds_only() -> None:
    variant, against = planted(0.8, 0.1)
    whole = contrast(variant, against)
    assert declared([table("a", np.append(variant, [500.0] * 3)), table("b", np.append([0.1], against), 0)]) == whole
    none = declared([table("a", variant), table("b", against, first_seed=100)])
    assert (none["n"]["variant"], none["p"], none["ratio"], none["improvement"]) == (0, 1, None, None)
    assert none["verdict"] == "insufficient data"
    assert "share no seed" in none["reason"]


def test_swapping_the_variants_inverts_every_effect() -> None:
    variant, against = planted(0.9, 0.2)
    variant[3] = math.inf
    forth, back = contrast(variant, against), contrast(against, variant)
    assert back["p"] == forth["p"]
    assert back["ratio"] == pytest.approx(1 / forth["ratio"])
    assert (back["low"], back["high"]) == pytest.approx((1 / forth["high"], 1 / forth["low"]))
    assert back["hedges_g"] == pytest.approx(-forth["hedges_g"])
    assert back["improvement"] == pytest.approx(1 - forth["improvement"])


def test_failures_are_tested_as_the_worst_results() -> None:
    # Wherever both finished `a` is 5 % worse, but `b` failed twelve times out of twenty.
    against = np.full(SEEDS, 10.0)
    variant = against * np.linspace(1.04, 1.06, SEEDS)
    against[:12] = math.inf
    result = contrast(variant, against)
    assert result["p"] == sign_flip_test(np.r_[np.full(12, -14.5), np.arange(1, 9)])
    assert result["verdict"] == "supported"
    assert result["failures"] == {"variant": 0, "against": 12, "alone": {"variant": 0, "against": 12}, "p": 2 / 2**12}
    assert 1.04 < result["ratio"] < 1.06
    assert "8 of 20 seeds that survived with both" in result["reason"]
    assert "0 of a, 12 of b" in result["reason"]
    assert result["improvement"] == 12 / 20


def test_where_everything_failed_the_order_still_decides() -> None:
    lost, won = np.full(SEEDS, math.inf), planted(1, 0.1)[1]
    result = contrast(won, lost)
    assert (result["verdict"], result["p"], result["ratio"]) == ("supported", 2 / 2**SEEDS, None)
    assert contrast(lost, won)["verdict"] == "refuted"
    neither = contrast(lost, lost)
    assert (neither["verdict"], neither["p"], neither["improvement"]) == ("undecided", 1, 0.5)


def test_a_collapse_is_tested_as_a_divergence_is() -> None:
    variant, against = planted(0.9, 0.2)
    lost = [0, 3, 4]
    collapsed = declared([table("a", variant), table("b", against, collapsed=lost)])
    diverged = contrast(variant, np.where(np.isin(range(SEEDS), lost), math.inf, against))
    for key in ("p", "ratio", "low", "high", "failures", "improvement", "verdict"):
        assert collapsed[key] == diverged[key]
    assert collapsed["scored_ratio"] == {key: contrast(variant, against)[key] for key in ("ratio", "low", "high")}
    assert diverged["scored_ratio"]["ratio"] == diverged["ratio"]


def test_two_failures_of_one_seed_are_no_difference() -> None:
    variant, against = planted(0.9, 0.2)
    both = declared([table("a", np.append(variant, math.inf)), table("b", np.append(against, 50.0), collapsed=[SEEDS])])
    without = contrast(variant, against)
    assert (both["p"], both["ratio"]) == (without["p"], without["ratio"])
    assert both["failures"] == {"variant": 1, "against": 1, "alone": {"variant": 0, "against": 0}, "p": 1}


def test_a_variant_that_always_collapses_is_worse_whatever_its_scores() -> None:
    variant, against = planted(1.5, 0.1)
    result = declared([table("a", variant), table("b", against, collapsed=range(SEEDS))])
    assert (result["verdict"], result["p"], result["ratio"]) == ("supported", 2 / 2**SEEDS, None)
    assert 1.4 < result["scored_ratio"]["low"] < result["scored_ratio"]["ratio"] < result["scored_ratio"]["high"] < 1.6
    assert result["reason"].startswith("No run of b survived (20 seeds, adjusted p < 1e-5); failed runs included, FID")
    assert result["reason"].endswith("with failed runs ranked last (0 of a, 20 of b), a does better seed by seed.")


def test_unequal_failures_void_equivalence() -> None:
    variant, against = planted(1, 0.05)
    variant[0] = math.inf
    result = contrast(variant, against, "equivalence")
    assert (result["verdict"], result["p"]) == ("undecided", 1)
    assert "unequal failures (1 of a, 0 of b)" in result["reason"]
    assert contrast(2 * variant, against, "equivalence")["verdict"] == "undecided"
    against[1] = math.inf
    result = contrast(variant, against, "equivalence")
    assert result["verdict"] == "supported"
    assert "18 of 20 seeds" in result["reason"]


def test_equivalence_needs_enough_pairs_that_finished() -> None:
    variant, against = planted(1, 0.02)
    variant[:14] = against[:14] = math.inf
    assert contrast(variant, against, "equivalence")["verdict"] == "supported"
    variant[14] = against[14] = math.inf
    assert contrast(variant, against, "equivalence")["verdict"] == "insufficient data"


def test_reason_reads_as_a_sentence_with_its_numbers() -> None:
    against = np.full(SEEDS, 10.0)
    result = contrast(against * np.linspace(0.74, 0.84, SEEDS), against)
    assert result["reason"] == (
        "FID is 21 % lower with a than with b (ratio 0.79, 95 % interval 0.774 to 0.806, 20 seeds, adjusted p < 1e-5)."
    )
    result = contrast(against * np.linspace(2.9, 3.1, SEEDS), against)
    assert result["reason"].startswith("FID is 3 times as high with a as with b (ratio 3,")


def test_equal_variants_are_rarely_called_different() -> None:
    generator = np.random.default_rng(0)
    family = [hypothesis(name, "superiority", name, "d") for name in "abc"]
    trials, alarms = 400, 0
    for _ in range(trials):
        fids = np.exp(generator.normal(2, 0.3, 10) + generator.normal(0, 0.2, (4, 10)))
        learnt = np.full(10, "learnt", object)
        scores = {name: {20: Runs(np.arange(10), fid, learnt)} for name, fid in zip("abcd", fids, strict=True)}
        tested = contrasts.run_tests("declared", family, scores, rules(family))
        alarms += any(contrasts.verdict(each) in ("supported", "refuted") for each in tested)
    assert stats.binomtest(alarms, trials, ALPHA, alternative="greater").pvalue > 0.001


@pytest.mark.parametrize(
    ("ratio", "sd", "verdict", "words"),
    [
        (1, 0.1, "equivalent", "the two agree within a factor of 1.1."),
        (1, 0.6, "undecided", "does not settle"),
        (1.03, 0.02, "detected, within the margin", "although the 2 forms of the same mathematics differ by more than"),
        (1.3, 0.1, "different", "lies wholly beyond a factor of 1.1"),
    ],
)
def test_a_control_is_different_only_beyond_the_margin(ratio: float, sd: float, verdict: str, words: str) -> None:
    variant, against = planted(ratio, sd)
    result = controlled([table("a", variant), table("b", against)])
    assert (result["family"], result["verdict"]) == ("control", verdict)
    assert words in result["reason"]
    assert result["p"] == contrast(variant, against, "equivalence")["p"]


def test_a_control_of_identical_runs_is_equivalent_and_one_of_failures_tells_nothing() -> None:
    same, lost = planted(1, 0.1)[1], np.full(SEEDS, math.inf)
    result = controlled([table("a", same), table("b", same)])
    assert (result["verdict"], result["p"]) == ("equivalent", 0)
    assert controlled([table("a", lost), table("b", lost)])["verdict"] == "insufficient data"
    assert controlled([table("a", same), table("b", lost)])["verdict"] == "insufficient data"


def test_two_seeds_suffice_for_a_control_with_the_same_bits() -> None:
    few = np.array([2.0, 3.0])
    result = controlled([table("a", few), table("b", few)])
    assert result["verdict"] == "equivalent"
    assert result["reason"].endswith("all scores being the same to the last bit.")
    assert controlled([table(name, few, collapsed=[0, 1]) for name in "ab"])["verdict"] == "equivalent"
    for other in (few * (1 + 1e-15), np.array([2.0, math.inf])):
        assert controlled([table("a", few), table("b", other)])["verdict"] == "insufficient data"
    assert contrast(few, few, "equivalence")["verdict"] == "insufficient data"


def test_a_control_whose_equivalence_is_refuted_is_different_without_an_alarm() -> None:
    against = np.full(6, 10.0)
    tables = [table("a", against * np.exp([1, 1, 1, 1, 1, -0.01])), table("b", against)]
    result = controlled(tables)
    assert result["verdict"] == "different"
    omnibus = compared(tables, controls=[control("A", "a", "b")])["omnibus"]
    assert omnibus == {"variants": ["a", "b"], "epoch": 20, "n": 6, "p": 4 / 64, "alarm": False}
    assert "lies wholly beyond a factor of 1.1" in result["reason"]


def test_a_control_that_failed_more_often_is_no_better_than_undecided() -> None:
    variant, against = planted(1, 0.1)
    variant[0] = math.inf
    result = controlled([table("a", variant), table("b", against)])
    assert (result["verdict"], result["p"]) == ("undecided", 1)


def test_few_runs_are_explored_against_many_without_pairing() -> None:
    few, many = planted(0.2, 0.1, 4)[0], planted(1, 0.1, 12, seed=1)[1]
    (result,) = explored([table("a", few), table("b", many)])
    assert (result["paired"], result["n"]) == (False, {"variant": 4, "against": 12})
    assert (result["verdict"], result["p"]) == ("supported", 2 / math.comb(16, 4))
    assert result["p"] == stats.mannwhitneyu(few, many).pvalue
    assert result["ratio"] == pytest.approx(np.exp(np.median(np.subtract.outer(np.log(few), np.log(many)))))
    assert result["low"] < result["ratio"] < result["high"]
    assert "4 against 12 seeds" in result["reason"]
    (elsewhere,) = explored([table("a", few[::-1], first_seed=100), table("b", many)])
    for key in ("p", "ratio", "low", "high", "improvement", "verdict"):
        assert elsewhere[key] == result[key]
    (swapped,) = explored([table("a", many), table("b", few)])
    assert (swapped["verdict"], swapped["p"], swapped["improvement"]) == ("refuted", result["p"], 0)
    assert (swapped["low"], swapped["high"]) == pytest.approx((1 / result["high"], 1 / result["low"]))


def test_an_exploration_in_which_no_p_could_be_significant_is_insufficient_data() -> None:
    few, many = planted(0.2, 0.1, 4)[0], planted(1, 0.1, 12, seed=1)[1]
    for others, verdict in ((44, "supported"), (45, "insufficient data")):  # 2/C(16, 4) times 45 is .0495, 46 .0505
        tables = [table(f"v{number}", few) for number in range(others)]
        results = explored([table("a", few), table("b", many), *tables])
        assert {result["verdict"] for result in results} == {verdict}
    assert "so few give 0.0011" in results[0]["reason"]


@pytest.mark.parametrize(("seeds", "verdict"), [(6, "supported"), (4, "insufficient data")])
def test_six_seeds_against_ten_survive_a_family_of_many_contrasts(seeds: int, verdict: str) -> None:
    """A user's further variants must not turn a clear contrast into too few seeds; 2/C(14, 4) times 37 is .074."""
    few, many = planted(0.2, 0.1, seeds)[0], planted(1, 0.1, 10, seed=1)[1]
    others = [table(f"v{number}", planted(1, 0.1, seeds, seed=number + 2)[1]) for number in range(36)]
    results = explored([table("a", few), table("b", many), *others])
    assert (len(results), results[0]["variant"], results[0]["verdict"]) == (37, "a", verdict)
    assert results[0]["p"] == 2 / math.comb(seeds + 10, seeds)


def test_failures_are_explored_as_the_worst_results() -> None:
    many = planted(1, 0.1, 12, seed=1)[1]
    (lost,) = explored([table("a", many[:4] / 2, collapsed=range(4)), table("b", many)])
    assert (lost["verdict"], lost["p"], lost["ratio"]) == ("refuted", 2 / math.comb(16, 4), None)
    assert lost["scored_ratio"]["ratio"] < 1
    assert lost["failures"] == {"variant": 4, "against": 0, "alone": {"variant": 4, "against": 0}, "p": 2 / 2**4}
    assert lost["reason"].startswith("No run of a survived (4 against 12 seeds,")
    (some,) = explored([table("a", many[:4] / 2, collapsed=[0]), table("b", many)])
    assert "the 3 of 4 against 12 of 12 seeds that survived" in some["reason"]
    assert some["ratio"] < 0.6


def holms(p: list[float]) -> list[float]:
    """Holm's adjusted p of a family, each in its place."""
    return [max(min(1, sum(each >= lower for each in p) * lower) for lower in p if lower <= value) for value in p]


def test_holm_multiplies_within_each_family() -> None:
    names = {"x": 1.02, "y": 1.05, "z": 1.0, "wide": 1.1, "worse": 1.3}
    extra = [table(name, planted(ratio, 0.1, seed=9)[0]) for name, ratio in names.items()]
    controls = [control(name, name, "non_saturating") for name in "xyz"]
    results = compared([study_table(), *extra], FAMILY, "non_saturating", controls)["contrasts"]
    assert [c["family"] for c in results] == ["declared"] * 3 + ["control"] * 3 + ["exploratory"] * 2
    for family in (results[:3], results[3:6], results[6:]):
        assert [c["p_adjusted"] for c in family] == pytest.approx(holms([c["p"] for c in family]), rel=1e-12)
    assert results[:3] == compared(study_table(), FAMILY, "non_saturating")["contrasts"]


def test_every_undeclared_variant_is_explored_against_the_reference() -> None:
    metrics = pd.concat([study_table(), table("wide", planted(1, 0.3)[0])])
    exploratory = compared(metrics, FAMILY[:1], "non_saturating")["contrasts"][1:]
    assert [(c["id"], c["variant"], c["against"], c["kind"]) for c in exploratory] == [
        (f"E: {name} vs non_saturating", name, "non_saturating", "superiority") for name in ("cewl", "wide")
    ]
    reverse = [hypothesis("R", "superiority", "non_saturating", "cewl")]
    repeated = [control("A", "wide", "minimax")]
    explored = compared(metrics, reverse, "non_saturating", repeated)["contrasts"][2:]
    assert [c["variant"] for c in explored] == ["minimax"]
