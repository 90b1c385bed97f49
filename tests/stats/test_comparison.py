"""The decision: planted effects, failures, too few seeds and faulty tables, from metrics to verdicts."""

import json
import math
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from gan.files import read_json
from gan.stats.comparison import compare, rank, sensitivity
from gan.stats.contrasts import Hypothesis, weigh
from gan.stats.inference import sign_flip_test
from gan.stats.scores import Runs
from gan.study import preregistration
from gan.study.schema import Study
from stages.compare import main as stage

ALPHA, MARGIN = 0.05, 1.1
SEEDS = 20


def hypothesis(name: str, kind: str, variant: str, against: str) -> Hypothesis:
    return SimpleNamespace(id=name, kind=kind, variant=variant, against=against, text=f"{variant}, {against}")


H1 = hypothesis("H1", "superiority", "non_saturating", "minimax")
H2 = hypothesis("H2", "superiority", "cewl", "minimax")
H3 = hypothesis("H3", "equivalence", "cewl", "non_saturating")
FAMILY = [H1, H2, H3]


def table(
    variant: str, fid: Collection[float], first_seed: int = 1, epoch: int = 20, collapsed: Collection[int] = ()
) -> pd.DataFrame:
    """One variant's metrics; an infinite FID stands for a run that diverged, `collapsed` are places."""
    failed = [not math.isfinite(value) for value in fid]
    return pd.DataFrame(
        {
            "variant": variant,
            "seed": range(first_seed, first_seed + len(fid)),
            "epoch": epoch,
            "status": ["failed" if lost else "finished" for lost in failed],
            "fid": [math.nan if lost else value for lost, value in zip(failed, fid, strict=True)],
            "digits": [math.nan if lost else 2.0 if place in collapsed else 10.0 for place, lost in enumerate(failed)],
            "failure": ["loss is not finite" if lost else math.nan for lost in failed],
        }
    )


def runs(fid: Collection[float]) -> Runs:
    values = np.array(fid, float)
    return Runs(np.arange(len(values)), np.where(np.isinf(values), np.nan, values), np.zeros(len(values), bool))


def planted(ratio: float, spread: float, n: int = SEEDS, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """FID of two variants that share each seed's luck; bar noise, the first is `ratio` times the second."""
    generator = np.random.default_rng(seed)
    luck = generator.normal(2, 0.3, n)
    return np.exp(luck + math.log(ratio) + generator.normal(0, spread, n)), np.exp(luck)


def rule(hypotheses: Sequence[Hypothesis], reference: str = "non_saturating", **others: Any) -> Any:
    settings = {"metric": "fid", "alpha": ALPHA, "margin": MARGIN, "collapse": 2, "controls": ()}
    return SimpleNamespace(hypotheses=hypotheses, reference=reference, **settings | others)


def decide(
    metrics: pd.DataFrame, hypotheses: Sequence[Hypothesis], reference: str = "non_saturating", **others: Any
) -> dict[str, Any]:
    comparison = compare(metrics, rule(hypotheses, reference, **others))
    assert json.loads(json.dumps(comparison, allow_nan=False)) == comparison
    return comparison


def only(tables: Sequence[pd.DataFrame], kind: str = "superiority") -> dict[str, Any]:
    """The declared contrast of `a` against `b`."""
    (contrast,) = decide(pd.concat(tables), [hypothesis("H", kind, "a", "b")], "b")["contrasts"]
    return contrast


def contrast(variant: np.ndarray, against: np.ndarray, kind: str = "superiority") -> dict[str, Any]:
    return only([table("a", variant), table("b", against)], kind)


def control(variant: np.ndarray, against: np.ndarray) -> dict[str, Any]:
    tables = [table("a", variant), table("b", against)]
    (found,) = decide(pd.concat(tables), [], "b", controls=[hypothesis("A", "equivalence", "a", "b")])["contrasts"]
    return found


def explored(tables: Sequence[pd.DataFrame]) -> list[dict[str, Any]]:
    return decide(pd.concat(tables), [], "b")["contrasts"]


def summary(metrics: pd.DataFrame, **others: Any) -> dict[str, Any]:
    return decide(metrics, [], **others)["standings"][0]["variants"]["a"]


def study(n: int = SEEDS) -> pd.DataFrame:
    cewl, non_saturating = planted(1, 0.05, n)
    return pd.concat(
        [
            table(
                "minimax",
                1.25 * non_saturating * planted(1, 0.1, n, seed=1)[0] / planted(1, 0.1, n, seed=1)[1],
            ),
            table("non_saturating", non_saturating),
            table("cewl", cewl),
        ]
    )


@pytest.mark.parametrize(
    ("ratio", "spread", "verdict", "word"),
    [(0.8, 0.1, "supported", "lower"), (1.25, 0.1, "refuted", "higher"), (1, 0.1, "undecided", "chance")],
)
def test_superiority_follows_the_planted_effect(ratio: float, spread: float, verdict: str, word: str) -> None:
    result = contrast(*planted(ratio, spread))
    assert result["verdict"] == verdict
    assert word in result["reason"]
    assert result["low"] < ratio < result["high"]
    assert (result["hedges_g"] < 0) == (result["ratio"] < 1)
    assert (result["p_adjusted"] <= ALPHA) == (verdict != "undecided")


@pytest.mark.parametrize(
    ("ratio", "spread", "verdict"),
    [
        (1, 0.1, "supported"),
        (1, 0.6, "undecided"),
        (1.1, 0.1, "undecided"),
        (1.3, 0.1, "refuted"),
        (0.7, 0.1, "refuted"),
    ],
)
def test_equivalence_follows_the_planted_ratio_and_spread(ratio: float, spread: float, verdict: str) -> None:
    result = contrast(*planted(ratio, spread), kind="equivalence")
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
        contrasts = decide(pd.concat([table("a", moved), table("b", against)]), hypotheses, "b")["contrasts"]
        assert {each["verdict"] for each in contrasts} == {verdict}


def test_identical_variants_are_equivalent_and_not_better() -> None:
    same = planted(1, 0.1)[1]
    assert contrast(same, same, "equivalence")["verdict"] == "supported"
    superiority = contrast(same, same)
    assert (superiority["verdict"], superiority["p"], superiority["ratio"]) == ("undecided", 1, 1)
    assert (superiority["improvement"], superiority["hedges_g"]) == (0.5, None)


def test_mean_and_typical_seed_that_disagree_decide_nothing() -> None:
    # 15 seeds slightly better, six collapsed: the mean is worse (p = .03), the typical ratio below 1.
    against = np.full(21, 10.0)
    result = contrast(10 * np.exp(np.r_[np.full(15, -0.1), np.full(6, 5.0)]), against)
    assert result["p_adjusted"] < ALPHA
    assert result["ratio"] < 1
    assert result["verdict"] == "undecided"
    assert "points the other way" in result["reason"]


def test_the_whole_comparison() -> None:
    comparison = decide(study(), FAMILY)
    assert {
        key: comparison[key] for key in ("metric", "alpha", "margin", "collapse", "preregistration", "untested")
    } == {
        "metric": "fid",
        "alpha": ALPHA,
        "margin": MARGIN,
        "collapse": 2,
        "preregistration": None,
        "untested": [],
    }
    (standing,) = comparison["standings"]
    assert standing["epochs"] == 20
    assert list(standing["variants"]) == ["minimax", "non_saturating", "cewl"]
    assert standing["ranking"][-1] == "minimax"
    assert [c["id"] for c in comparison["contrasts"]] == ["H1", "H2", "H3"]
    for result in comparison["contrasts"]:
        assert (result["family"], result["paired"], result["verdict"]) == ("declared", True, "supported")
        assert (result["epoch"], result["n"]) == (20, {"variant": SEEDS, "against": SEEDS})
    assert comparison["contrasts"][0].keys() == {
        *("id", "family", "kind", "paired", "variant", "against", "text", "epoch", "n", "failures", "ratio", "low"),
        *("high", "scored_ratio", "p", "p_adjusted", "p_difference", "p_difference_adjusted", "hedges_g"),
        *("improvement", "verdict", "reason"),
    }


def test_holm_multiplies_within_the_declared_family_and_apart_from_it() -> None:
    extra = [table(name, planted(ratio, 0.3, seed=9)[0]) for name, ratio in (("wide", 1.1), ("worse", 1.3))]
    comparison = decide(pd.concat([study(), *extra]), FAMILY)
    for name in ("declared", "exploratory"):
        family = [c for c in comparison["contrasts"] if c["family"] == name]
        assert len(family) > 1
        adjusted = 0.0
        for place, result in enumerate(sorted(family, key=lambda c: c["p"])):
            adjusted = max(adjusted, min(1, (len(family) - place) * result["p"]))
            assert result["p_adjusted"] == pytest.approx(adjusted, rel=1e-12)
    alone = decide(study(), FAMILY)["contrasts"]
    assert [c for c in comparison["contrasts"] if c["family"] == "declared"] == alone


def test_exploratory_contrasts_set_every_undeclared_variant_beside_the_reference() -> None:
    metrics = pd.concat([study(), table("wide", planted(1, 0.3)[0])])
    comparison = decide(metrics, [H1])
    exploratory = [c for c in comparison["contrasts"] if c["family"] == "exploratory"]
    assert {(c["variant"], c["against"], c["kind"]) for c in exploratory} == {
        ("cewl", "non_saturating", "superiority"),
        ("wide", "non_saturating", "superiority"),
    }
    assert {c["id"] for c in exploratory} == {"E: cewl vs non_saturating", "E: wide vs non_saturating"}
    reverse = hypothesis("R", "superiority", "non_saturating", "cewl")
    assert "cewl" not in {c["variant"] for c in decide(metrics, [reverse])["contrasts"] if c["family"] == "exploratory"}
    assert decide(metrics, [], reference="absent")["contrasts"] == []


def test_hypotheses_without_data_are_untested_and_leave_the_family() -> None:
    metrics = study().query("variant != 'cewl'")
    comparison = decide(metrics, FAMILY)
    assert comparison["untested"] == [
        {"id": name, "family": "declared", "missing": ["cewl"], "reason": "no data for cewl"} for name in ("H2", "H3")
    ]
    (only,) = comparison["contrasts"]
    assert only["p_adjusted"] == only["p"]


@pytest.mark.parametrize("n", [1, 2, 6])
def test_too_few_seeds_are_descriptive_only(n: int) -> None:
    results = decide(study(n), FAMILY)["contrasts"]
    assert {c["verdict"] for c in results} == {"insufficient data"}
    assert all("at least 7 shared seeds" in c["reason"] for c in results)
    assert all(0 < c["p"] <= 1 for c in results)
    assert {c["verdict"] for c in decide(study(7), FAMILY)["contrasts"]} != {"insufficient data"}
    if n < 6:
        assert {(c["low"], c["high"]) for c in results} == {(None, None)}


def test_pairs_are_shared_seeds_only() -> None:
    variant, against = planted(0.8, 0.1)
    whole = contrast(variant, against)
    shifted = pd.concat([table("a", np.append(variant, [500.0] * 3)), table("b", np.append([0.1], against), 0)])
    assert only([shifted]) == whole
    disjoint = pd.concat([table("a", variant), table("b", against, first_seed=100)])
    none = only([disjoint])
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


def test_order_of_rows_and_scale_of_the_metric_change_no_decision() -> None:
    metrics = study()
    lost = (metrics["variant"] == "minimax") & (metrics["seed"] == 5)
    metrics = metrics.assign(status=metrics["status"].mask(lost, "failed"))
    plain = decide(metrics, FAMILY)
    shuffled = decide(metrics.sample(frac=1, random_state=0), FAMILY)
    scaled = decide(metrics.assign(fid=metrics["fid"] * 1e-3), FAMILY)
    assert shuffled["contrasts"] == plain["contrasts"]
    for other in (shuffled, scaled):
        assert other["standings"][0]["ranking"] == plain["standings"][0]["ranking"]
        for result, expected in zip(other["contrasts"], plain["contrasts"], strict=True):
            for key in ("verdict", "failures", "n"):
                assert result[key] == expected[key]
            for key in ("p", "p_adjusted", "ratio", "low", "high", "hedges_g", "improvement"):
                assert result[key] == pytest.approx(expected[key], rel=1e-9)


def test_failures_are_tested_as_the_worst_results() -> None:
    # Wherever both finished `a` is 5 % worse, but `b` failed twelve times out of twenty.
    against = np.full(SEEDS, 10.0)
    variant = against * np.linspace(1.04, 1.06, SEEDS)
    against[:12] = math.inf
    result = contrast(variant, against)
    ranks = np.r_[np.full(12, -14.5), np.arange(1, 9)]
    assert result["p"] == sign_flip_test(ranks)
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


def test_unequal_failures_void_equivalence() -> None:
    variant, against = planted(1, 0.05)
    variant[0] = math.inf
    result = contrast(variant, against, "equivalence")
    assert (result["verdict"], result["p"]) == ("undecided", 1)
    assert "unequal failures (1 of a, 0 of b)" in result["reason"]
    assert contrast(against, variant, "equivalence")["verdict"] == "undecided"
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


def test_a_failure_never_raises_a_variants_rank() -> None:
    generator = np.random.default_rng(0)
    for _ in range(30):
        scores = {name: generator.lognormal(2, 0.2, 5) for name in "abc"}
        for lost in generator.permutation(15)[:9].tolist():
            before, name = rank({each: runs(fid) for each, fid in scores.items()}), "abc"[lost % 3]
            scores[name][lost // 3] = math.inf
            assert rank({each: runs(fid) for each, fid in scores.items()}).index(name) >= before.index(name)


def test_equal_medians_rank_by_finished_runs_then_by_mean() -> None:
    inf = math.inf
    fid = {"a": [inf, inf, inf], "b": [inf, inf, 1], "c": [3, 5, inf], "d": [3, 5, 7], "e": [2, 5, 7]}
    assert rank({"mean": runs([3, 4, 5]), "median": runs([1, 2, 900])}) == ["median", "mean"]
    assert rank({name: runs(values) for name, values in fid.items()}) == ["e", "d", "c", "b", "a"]


def test_summary_of_a_variant() -> None:
    fid = np.array([4.0, 5.0, 8.0, math.inf])
    found = summary(table("a", fid))
    logs = np.log(fid[:3])
    low, high = np.exp(stats.t.interval(1 - ALPHA, 2, logs.mean(), stats.sem(logs)))
    assert [found[key] for key in ("n", "finished", "collapsed", "diverged", "failed")] == [4, 3, 0, 1, 1]
    assert found["mean"] == found["scored_mean"] == pytest.approx(stats.gmean(fid[:3]))
    assert (found["low"], found["high"]) == pytest.approx((low, high))
    assert (found["median"], found["digits"]) == (6.5, 10)
    assert found["spread"] == pytest.approx(np.std(logs, ddof=1))
    lost = summary(table("a", [math.inf, 3.0]))
    assert (lost["mean"], lost["median"], lost["low"], lost["spread"]) == (pytest.approx(3), None, None, None)
    none = summary(table("a", [math.inf]))
    assert (none["mean"], none["scored_mean"], none["digits"], none["failure_rate"]) == (None, None, None, 1)


def test_rate_of_failure_has_clopper_and_pearsons_interval() -> None:
    found = summary(table("a", np.full(10, 3.0)))
    assert (found["failure_rate"], found["failure_low"]) == (0, 0)
    assert found["failure_high"] == pytest.approx(0.308497, abs=5e-7)
    assert summary(table("a", np.full(10, math.inf)))["failure_low"] == pytest.approx(1 - 0.308497, abs=5e-7)


def test_a_collapsed_run_has_failed_but_keeps_its_score() -> None:
    fid = [4.0, 5.0, 8.0, 1000.0, math.inf]
    found = summary(table("a", fid, collapsed=[3]))
    assert [found[key] for key in ("n", "finished", "collapsed", "diverged", "failed")] == [5, 3, 1, 1, 2]
    assert found["mean"] == pytest.approx(stats.gmean(fid[:3]))
    assert found["scored_mean"] == pytest.approx(stats.gmean(fid[:4]))
    assert (found["median"], found["digits"], found["failure_rate"]) == (8, 10, 0.4)


def test_how_few_digits_are_a_collapse_is_the_rules() -> None:
    metrics = table("a", [4.0, 5.0, 6.0, 7.0]).assign(digits=[1, 2, 3, 10])
    assert [summary(metrics, collapse=most)["collapsed"] for most in (0, 1, 2, 3)] == [0, 1, 2, 3]
    assert summary(metrics.drop(columns="digits"))["collapsed"] == 0


def test_a_collapse_is_tested_as_a_divergence_is() -> None:
    variant, against = planted(0.9, 0.2)
    lost = [0, 3, 4]
    collapsed = only([table("a", variant), table("b", against, collapsed=lost)])
    diverged = contrast(variant, np.where(np.isin(range(SEEDS), lost), math.inf, against))
    for key in ("p", "ratio", "low", "high", "failures", "improvement", "verdict"):
        assert collapsed[key] == diverged[key]
    assert collapsed["scored_ratio"] == {key: contrast(variant, against)[key] for key in ("ratio", "low", "high")}
    assert diverged["scored_ratio"]["ratio"] == diverged["ratio"]


def test_two_failures_of_one_seed_are_no_difference() -> None:
    variant, against = planted(0.9, 0.2)
    both = only([table("a", np.append(variant, math.inf)), table("b", np.append(against, 50.0), collapsed=[SEEDS])])
    without = contrast(variant, against)
    assert (both["p"], both["ratio"]) == (without["p"], without["ratio"])
    assert both["failures"] == {"variant": 1, "against": 1, "alone": {"variant": 0, "against": 0}, "p": 1}


def test_a_variant_that_always_collapses_is_worse_whatever_its_scores() -> None:
    variant, against = planted(1.5, 0.1)
    result = only([table("a", variant), table("b", against, collapsed=range(SEEDS))])
    assert (result["verdict"], result["p"], result["ratio"]) == ("supported", 2 / 2**SEEDS, None)
    assert 1.4 < result["scored_ratio"]["low"] < result["scored_ratio"]["ratio"] < result["scored_ratio"]["high"] < 1.6
    assert result["reason"].startswith(
        "No run of b survived (20 seeds, adjusted p < 1e-5); collapsed runs included, FID"
    )
    assert result["reason"].endswith("with failed runs ranked last (0 of a, 20 of b), a does better seed by seed.")


def test_reason_reads_as_a_sentence_with_its_numbers() -> None:
    against = np.full(SEEDS, 10.0)
    result = contrast(against * np.linspace(0.74, 0.84, SEEDS), against)
    assert result["reason"] == (
        "FID is 21 % lower with a than with b (ratio 0.79, 95 % interval 0.774 to 0.806, 20 seeds, adjusted p < 1e-5)."
    )
    result = contrast(against * np.linspace(2.9, 3.1, SEEDS), against)
    assert result["reason"].startswith("FID is 3 times as high with a as with b (ratio 3,")


@pytest.mark.parametrize(
    ("column", "value", "fault"),
    [
        ("fid", math.nan, "missing or infinite"),
        ("digits", math.nan, "missing or infinite"),
        ("fid", math.inf, "missing or infinite"),
        ("fid", 0.0, "fid is not positive"),
        ("status", "running", "neither finished nor failed"),
        ("seed", 2, "more than one row"),
    ],
)
def test_faulty_rows_are_named(column: str, value: float | str, fault: str) -> None:
    metrics = table("minimax", planted(1, 0.1)[0])
    metrics.loc[2, column] = value
    with pytest.raises(ValueError, match=f"minimax, seed {2 if column == 'seed' else 3}, epoch 20: .*{fault}"):
        decide(metrics, [])


def test_unknown_kind_is_named() -> None:
    with pytest.raises(ValueError, match="H9: kind 'better'"):
        decide(study(), [hypothesis("H9", "better", "cewl", "minimax")])


def test_equal_variants_are_rarely_called_different() -> None:
    generator = np.random.default_rng(0)
    family = [hypothesis(name, "superiority", name, "d") for name in "abc"]
    trials, alarms = 400, 0
    for _ in range(trials):
        luck = generator.normal(2, 0.3, 10)
        scores = {name: {20: runs(np.exp(luck + generator.normal(0, 0.2, 10)))} for name in "abcd"}
        verdicts = {evidence.verdict for evidence in weigh("declared", family, scores, rule(family))}
        alarms += bool(verdicts & {"supported", "refuted"})
    assert stats.binomtest(alarms, trials, ALPHA, alternative="greater").pvalue > 0.001


def test_variants_are_compared_at_the_last_epoch_that_both_have() -> None:
    short, long = planted(0.8, 0.1)
    tables = [table("a", short, epoch=10), table("b", long, epoch=10), table("b", 3 * short, epoch=20)]
    comparison = decide(pd.concat(tables), [hypothesis("H", "superiority", "a", "b")], "b")
    (result,) = comparison["contrasts"]
    assert result == only(tables[:2])
    assert (result["epoch"], result["verdict"]) == (10, "supported")
    assert [(each["epochs"], each["ranking"]) for each in comparison["standings"]] == [(20, ["b"]), (10, ["a", "b"])]
    assert comparison["standings"][0]["variants"]["b"]["mean"] == pytest.approx(stats.gmean(3 * short))
    assert comparison["standings"][1]["variants"]["b"]["mean"] == pytest.approx(stats.gmean(long))
    with_both = [*tables, table("a", 9 * long, epoch=20)]
    assert only(with_both)["epoch"] == 20
    assert only(with_both)["verdict"] == "refuted"


def test_variants_without_a_shared_epoch_are_untested() -> None:
    metrics = pd.concat([table("a", planted(1, 0.1)[0], epoch=10), table("b", planted(1, 0.1)[1], epoch=20)])
    comparison = decide(metrics, [hypothesis("H", "superiority", "a", "b")], "b")
    assert comparison["contrasts"] == []
    assert comparison["untested"] == [
        {"id": "H", "family": "declared", "missing": [], "reason": "a and b were scored at no epoch in common"}
    ]
    assert decide(metrics, [], "b")["contrasts"] == []


@pytest.mark.parametrize(
    ("ratio", "spread", "verdict", "words"),
    [
        (1, 0.1, "equivalent", "the two agree within a factor of 1.1"),
        (1, 0.6, "undecided", "does not settle"),
        (1.03, 0.02, "different", "differ by more than chance"),
        (1.3, 0.1, "different", "differ by more than chance"),
    ],
)
def test_a_control_must_not_come_out_different(ratio: float, spread: float, verdict: str, words: str) -> None:
    variant, against = planted(ratio, spread)
    result = control(variant, against)
    assert (result["family"], result["verdict"]) == ("control", verdict)
    assert words in result["reason"]
    assert result["p_difference"] == contrast(variant, against)["p"]
    assert result["p"] == contrast(variant, against, "equivalence")["p"]


def test_a_control_of_identical_runs_is_equivalent_and_one_of_failures_tells_nothing() -> None:
    same = planted(1, 0.1)[1]
    result = control(same, same)
    assert (result["verdict"], result["p"], result["p_difference"]) == ("equivalent", 0, 1)
    lost = np.full(SEEDS, math.inf)
    assert control(lost, lost)["verdict"] == "insufficient data"
    assert control(same, lost)["verdict"] == "different"


def test_two_seeds_suffice_for_a_control_with_the_same_bits() -> None:
    few = np.array([2.0, 3.0])
    result = control(few, few)
    assert result["verdict"] == "equivalent"
    assert result["reason"].endswith("all scores being the same to the last bit.")
    assert control(few, few * (1 + 1e-15))["verdict"] == "insufficient data"
    assert control(few, np.array([2.0, math.inf]))["verdict"] == "insufficient data"
    collapsed = [table(name, few, collapsed=[0, 1]) for name in "ab"]
    (lost,) = decide(pd.concat(collapsed), [], "b", controls=[hypothesis("A", "equivalence", "a", "b")])["contrasts"]
    assert lost["verdict"] == "equivalent"
    assert contrast(few, few, "equivalence")["verdict"] == "insufficient data"


def test_a_control_whose_equivalence_is_refuted_is_different_though_sign_flips_do_not_tell() -> None:
    against = np.full(6, 10.0)
    result = control(against * np.exp([1, 1, 1, 1, 1, -0.01]), against)
    assert (result["verdict"], result["p_difference"]) == ("different", 4 / 64)
    assert "lies wholly beyond a factor of 1.1" in result["reason"]


def test_a_control_that_failed_more_often_is_no_better_than_undecided() -> None:
    variant, against = planted(1, 0.1)
    variant[0] = math.inf
    result = control(variant, against)
    assert (result["verdict"], result["p"]) == ("undecided", 1)
    assert result["p_difference"] > ALPHA


def test_controls_are_a_family_of_their_own_for_both_tests() -> None:
    extra = [table(name, planted(ratio, 0.1, seed=9)[0]) for name, ratio in (("x", 1.02), ("y", 1.05), ("z", 1.0))]
    controls = [hypothesis(name, "equivalence", name, "non_saturating") for name in "xyz"]
    comparison = decide(pd.concat([study(), *extra]), FAMILY, controls=controls)
    assert [c["family"] for c in comparison["contrasts"]] == ["declared"] * 3 + ["control"] * 3
    beside_another = decide(
        pd.concat([study(), extra[0]]), FAMILY, controls=[hypothesis("A", "equivalence", "x", "minimax")]
    )
    assert "exploratory" not in {c["family"] for c in beside_another["contrasts"]}
    assert comparison["contrasts"][:3] == decide(study(), FAMILY)["contrasts"]
    for key in ("p", "p_difference"):
        before = [c[key] for c in comparison["contrasts"][3:]]
        ordered, largest = sorted(before), 0.0
        for place, p in enumerate(ordered):
            largest = max(largest, min(1, (3 - place) * p))
            assert comparison["contrasts"][3 + before.index(p)][f"{key}_adjusted"] == pytest.approx(largest, rel=1e-12)
    lacking = decide(study(), FAMILY, controls=controls)
    assert {each["family"] for each in lacking["untested"]} == {"control"}


def test_few_runs_are_explored_beside_many_without_pairing() -> None:
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


def test_exploration_that_no_p_could_survive_is_descriptive_only() -> None:
    few, many = planted(0.2, 0.1, 4)[0], planted(1, 0.1, 12, seed=1)[1]
    for others, verdict in ((44, "supported"), (45, "insufficient data")):  # 2/C(16, 4) times 45 is .0495, 46 .0505
        tables = [table(f"v{number}", few) for number in range(others)]
        results = explored([table("a", few), table("b", many), *tables])
        assert {result["verdict"] for result in results} == {verdict}
    assert "so few give 0.0011" in results[0]["reason"]


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


def test_the_same_verdicts_by_another_classifiers_metric_agree() -> None:
    metrics = study()
    by_others = metrics.assign(fid_classifier_1=3 * metrics["fid"], fid_classifier_2=1 / metrics["fid"], fid_other=1.0)
    found = sensitivity(by_others, rule(FAMILY))
    assert list(found) == ["fid_classifier_1", "fid_classifier_2"]
    own = {c["id"]: c for c in decide(metrics, FAMILY)["contrasts"]}
    for same, inverse in zip(*found.values(), strict=True):
        assert (same["verdict"], same["agree"]) == (own[same["id"]]["verdict"], True)
        for key in ("ratio", "low", "high", "p_adjusted"):
            assert same[key] == pytest.approx(own[same["id"]][key], rel=1e-9)
        assert inverse["ratio"] == pytest.approx(1 / same["ratio"])
    assert [each["agree"] for each in found["fid_classifier_2"]] == [False, False, True]
    assert sensitivity(metrics, rule(FAMILY)) == {}


def test_another_classifier_changes_no_failure() -> None:
    variant, against = planted(0.8, 0.1)
    metrics = pd.concat([table("a", variant), table("b", against, collapsed=range(SEEDS))])
    pair = [hypothesis("H", "superiority", "a", "b"), hypothesis("R", "superiority", "b", "a")]
    found = sensitivity(metrics.assign(fid_classifier_1=1.0), rule(pair, "b"))["fid_classifier_1"]
    assert [each["verdict"] for each in found] == ["supported", "refuted"]
    assert all(each["agree"] and each["ratio"] is None and each["scored_ratio"]["ratio"] == 1 for each in found)


OTHER_FIDS = ("classifier_1", "last", "again")


def test_the_stage_writes_comparison_and_metrics_of_each_variants_last_epoch(
    study: Study, write_params: Callable[..., Path], raw_params: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write_params(raw_params).parent
    monkeypatch.chdir(root)
    (root / "reports/metrics").mkdir(parents=True)
    for place, name in enumerate(study.variants):
        last = 20 if place % 2 else 10
        epochs = [table(name, (place + 1) * epoch * np.arange(1, 4.0), 0, epoch) for epoch in (10, 20) if epoch <= last]
        metrics = pd.concat(epochs).assign(**{f"fid_{kind}": lambda of: of["fid"] for kind in OTHER_FIDS})
        metrics.to_csv(root / f"reports/metrics/{name}.csv", index=False)
    stage()
    comparison = read_json(root / "reports/comparison.json")
    assert comparison["preregistration"] == preregistration.checksum(study)
    assert comparison["literature"]["epochs"] == 10
    assert {row["variant"] for row in comparison["spread"]} == {"non_saturating", "same_weights", "same_data"}
    assert [each["epochs"] for each in comparison["standings"]] == [20, 10]
    assert [each["id"] for each in comparison["sensitivity"]["fid_classifier_1"]] == ["H1", "H2", "H3"]
    summaries = read_json(root / "reports/metrics.json")
    assert set(summaries) == set(study.compared)
    for place, found in ((list(study.variants).index(name), of) for name, of in summaries.items()):
        assert found["fid"] == pytest.approx((place + 1) * (20 if place % 2 else 10) * 6 ** (1 / 3))
        assert (found["n"], found["failed"]) == (3, 0)
