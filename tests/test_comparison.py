"""The decision: planted effects, failures, too few seeds and faulty tables, from metrics to verdicts."""

import json
import math
from collections.abc import Collection
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from gan.comparison import Hypothesis, Rule, compare, rank, weigh
from gan.statistics import sign_flip_test

ALPHA, MARGIN = 0.05, 1.1
SEEDS = 20


@pytest.fixture(autouse=True)
def no_forced_collection(monkeypatch: pytest.MonkeyPatch) -> None:
    """multipletests forces a garbage collection at each call: most of these tests' time."""
    monkeypatch.setattr("gc.collect", lambda: 0)


def hypothesis(name: str, kind: str, variant: str, against: str) -> Hypothesis:
    return SimpleNamespace(id=name, kind=kind, variant=variant, against=against, text=f"{variant}, {against}")


H1 = hypothesis("H1", "superiority", "non_saturating", "minimax")
H2 = hypothesis("H2", "superiority", "cewl", "minimax")
H3 = hypothesis("H3", "equivalence", "cewl", "non_saturating")
FAMILY = [H1, H2, H3]


def table(variant: str, fid: Collection[float], first_seed: int = 1) -> pd.DataFrame:
    """One variant's metrics; an infinite FID stands for a failed run."""
    failed = [not math.isfinite(value) for value in fid]
    return pd.DataFrame(
        {
            "variant": variant,
            "seed": range(first_seed, first_seed + len(fid)),
            "status": ["failed" if lost else "finished" for lost in failed],
            "fid": [math.nan if lost else value for lost, value in zip(failed, fid, strict=True)],
            "digits": [math.nan if lost else 10.0 for lost in failed],
            "failure": ["loss is not finite" if lost else math.nan for lost in failed],
        }
    )


def planted(ratio: float, spread: float, n: int = SEEDS, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """FID of two variants that share each seed's luck; bar noise, the first is `ratio` times the second."""
    generator = np.random.default_rng(seed)
    luck = generator.normal(2, 0.3, n)
    return np.exp(luck + math.log(ratio) + generator.normal(0, spread, n)), np.exp(luck)


def decide(metrics: pd.DataFrame, hypotheses: list[Hypothesis], reference: str = "non_saturating") -> dict[str, Any]:
    comparison = compare(metrics, hypotheses, reference, ALPHA, MARGIN, "fid")
    assert json.loads(json.dumps(comparison, allow_nan=False)) == comparison
    return comparison


def contrast(variant: np.ndarray, against: np.ndarray, kind: str = "superiority") -> dict[str, Any]:
    declared = hypothesis("H", kind, "a", "b")
    (only,) = decide(pd.concat([table("a", variant), table("b", against)]), [declared], "b")["contrasts"]
    return only


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
def test_equivalence_is_refuted_once_the_90_percent_interval_leaves_the_margin(sign: int) -> None:
    variant, against = planted(1, 0.1)
    logs = sign * np.log(variant / against)
    to_margin = math.log(MARGIN) - stats.t.interval(0.90, SEEDS - 1, logs.mean(), stats.sem(logs))[0]
    for beyond, verdict in ((1e-9, "refuted"), (-1e-9, "undecided")):
        moved = against * np.exp(sign * (logs + to_margin + beyond))
        assert contrast(moved, against, "equivalence")["verdict"] == verdict


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
    assert {key: comparison[key] for key in ("metric", "alpha", "margin", "untested")} == {
        "metric": "fid",
        "alpha": ALPHA,
        "margin": MARGIN,
        "untested": [],
    }
    assert comparison["ranking"][-1] == "minimax"
    assert [c["id"] for c in comparison["contrasts"]] == ["H1", "H2", "H3"]
    assert all(c["declared"] and c["verdict"] == "supported" and c["n"] == SEEDS for c in comparison["contrasts"])
    assert comparison["contrasts"][0].keys() == {
        *("id", "declared", "kind", "variant", "against", "text", "n", "failed", "ratio", "low", "high"),
        *("p", "p_adjusted", "hedges_g", "improvement", "verdict", "reason"),
    }


def test_holm_multiplies_within_the_declared_family_and_apart_from_it() -> None:
    extra = [table(name, planted(ratio, 0.3, seed=9)[0]) for name, ratio in (("wide", 1.1), ("worse", 1.3))]
    comparison = decide(pd.concat([study(), *extra]), FAMILY)
    for declared in (True, False):
        family = [c for c in comparison["contrasts"] if c["declared"] is declared]
        adjusted = 0.0
        for place, result in enumerate(sorted(family, key=lambda c: c["p"])):
            adjusted = max(adjusted, min(1, (len(family) - place) * result["p"]))
            assert result["p_adjusted"] == pytest.approx(adjusted, rel=1e-12)
    alone = decide(study(), FAMILY)["contrasts"]
    assert [c for c in comparison["contrasts"] if c["declared"]] == alone


def test_exploratory_contrasts_set_every_undeclared_variant_beside_the_reference() -> None:
    metrics = pd.concat([study(), table("wide", planted(1, 0.3)[0])])
    comparison = decide(metrics, [H1])
    exploratory = [c for c in comparison["contrasts"] if not c["declared"]]
    assert {(c["variant"], c["against"], c["kind"]) for c in exploratory} == {
        ("cewl", "non_saturating", "superiority"),
        ("wide", "non_saturating", "superiority"),
    }
    assert {c["id"] for c in exploratory} == {"E: cewl vs non_saturating", "E: wide vs non_saturating"}
    reverse = hypothesis("R", "superiority", "non_saturating", "cewl")
    assert "cewl" not in {c["variant"] for c in decide(metrics, [reverse])["contrasts"] if not c["declared"]}
    assert decide(metrics, [], reference="absent")["contrasts"] == []


def test_hypotheses_without_data_are_untested_and_leave_the_family() -> None:
    metrics = study().query("variant != 'cewl'")
    comparison = decide(metrics, FAMILY)
    assert comparison["untested"] == [{"id": "H2", "missing": ["cewl"]}, {"id": "H3", "missing": ["cewl"]}]
    (only,) = comparison["contrasts"]
    assert only["p_adjusted"] == only["p"]


@pytest.mark.parametrize("n", [1, 2, 6])
def test_too_few_seeds_are_descriptive_only(n: int) -> None:
    results = decide(study(n), FAMILY)["contrasts"]
    assert {c["verdict"] for c in results} == {"descriptive only"}
    assert all("at least 7 shared seeds" in c["reason"] for c in results)
    assert all(0 < c["p"] <= 1 for c in results)
    assert {c["verdict"] for c in decide(study(7), FAMILY)["contrasts"]} != {"descriptive only"}
    if n < 6:
        assert {(c["low"], c["high"]) for c in results} == {(None, None)}


def test_pairs_are_shared_seeds_only() -> None:
    variant, against = planted(0.8, 0.1)
    whole = contrast(variant, against)
    shifted = pd.concat([table("a", np.append(variant, [500.0] * 3)), table("b", np.append([0.1], against), 0)])
    (shared,) = decide(shifted, [hypothesis("H", "superiority", "a", "b")], "b")["contrasts"]
    assert shared == whole
    disjoint = pd.concat([table("a", variant), table("b", against, first_seed=100)])
    (none,) = decide(disjoint, [hypothesis("H", "superiority", "a", "b")], "b")["contrasts"]
    assert (none["n"], none["p"], none["ratio"], none["improvement"]) == (0, 1, None, None)
    assert none["verdict"] == "descriptive only"
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
        assert other["ranking"] == plain["ranking"]
        for result, expected in zip(other["contrasts"], plain["contrasts"], strict=True):
            for key in ("verdict", "failed", "n"):
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
    assert (result["verdict"], result["failed"]) == ("supported", {"variant": 0, "against": 12})
    assert 1.04 < result["ratio"] < 1.06
    assert "8 of 20 seeds" in result["reason"]
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
    assert contrast(variant, against, "equivalence")["verdict"] == "descriptive only"


def test_a_failure_never_raises_a_variants_rank() -> None:
    generator = np.random.default_rng(0)
    for _ in range(30):
        scores = {name: pd.Series(generator.lognormal(2, 0.2, 5)) for name in "abc"}
        for lost in generator.permutation(15)[:9].tolist():
            before, name = rank(scores), "abc"[lost % 3]
            scores[name][lost // 3] = math.inf
            assert rank(scores).index(name) >= before.index(name)


def test_equal_medians_rank_by_finished_runs_then_by_mean() -> None:
    inf = math.inf
    fid = {"a": [inf, inf, inf], "b": [inf, inf, 1], "c": [3, 5, inf], "d": [3, 5, 7], "e": [2, 5, 7]}
    assert rank({"mean": pd.Series([3, 4, 5]), "median": pd.Series([1, 2, 900])}) == ["median", "mean"]
    assert rank({name: pd.Series(values) for name, values in fid.items()}) == ["e", "d", "c", "b", "a"]


def test_summary_of_a_variant() -> None:
    fid = np.array([4.0, 5.0, 8.0, math.inf])
    summary = decide(table("a", fid), [])["variants"]["a"]
    logs = np.log(fid[:3])
    low, high = np.exp(stats.t.interval(1 - ALPHA, 2, logs.mean(), stats.sem(logs)))
    assert (summary["n"], summary["finished"], summary["failed"]) == (4, 3, 1)
    assert summary["mean"] == pytest.approx(stats.gmean(fid[:3]))
    assert (summary["low"], summary["high"]) == pytest.approx((low, high))
    assert (summary["median"], summary["digits"]) == (6.5, 10)
    assert summary["spread"] == pytest.approx(np.std(logs, ddof=1))
    lost = decide(table("a", [math.inf, 3.0]), [])["variants"]["a"]
    assert (lost["mean"], lost["median"], lost["low"], lost["spread"]) == (pytest.approx(3), None, None, None)
    assert decide(table("a", [math.inf]), [])["variants"]["a"]["mean"] is None


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
    with pytest.raises(ValueError, match=f"minimax, seed {2 if column == 'seed' else 3}: .*{fault}"):
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
        scores = {name: pd.Series(np.exp(luck + generator.normal(0, 0.2, 10))) for name in "abcd"}
        verdicts = {evidence.verdict for evidence in weigh(family, scores, Rule(ALPHA, MARGIN, "fid"))}
        alarms += bool(verdicts & {"supported", "refuted"})
    assert stats.binomtest(alarms, trials, ALPHA, alternative="greater").pvalue > 0.001
