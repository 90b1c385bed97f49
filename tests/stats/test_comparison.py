"""The whole comparison: rankings, summaries, faulty tables, other classifiers, and what its stage writes."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from stats.planted import (
    ALPHA,
    FAMILY,
    LEARNT,
    MARGIN,
    SEEDS,
    compared,
    control,
    declared,
    hypothesis,
    planted,
    rules,
    runs,
    study_table,
    table,
)

from gan.errors import StudyError
from gan.files import read_json
from gan.records.comparison import Standing
from gan.stats.comparison import rank, sensitivity
from gan.study import preregistration
from gan.study.schema import Study
from stages.compare import main as stage


def summary(metrics: pd.DataFrame, **changes: Any) -> dict[str, Any]:
    """What is published of the variant `a`."""
    return compared(metrics, **changes)["standings"][0]["variants"]["a"]


def test_the_whole_comparison() -> None:
    comparison = compared(study_table(), FAMILY, "non_saturating")
    assert comparison["learnt"] == LEARNT.model_dump()
    rule = {key: comparison[key] for key in ("metric", "alpha", "margin", "preregistration", "omnibus")}
    assert rule == {"metric": "fid", "alpha": ALPHA, "margin": MARGIN, "preregistration": None, "omnibus": None}
    assert comparison["untested"] == []
    (standing,) = comparison["standings"]
    assert (standing["epochs"], standing["averaged"]) == (20, [20])
    assert standing["places"] == {"non_saturating": 1, "cewl": 1, "minimax": 3}
    assert list(standing["variants"]) == ["minimax", "non_saturating", "cewl"]
    assert standing["ranking"][-1] == "minimax"
    assert [c["id"] for c in comparison["contrasts"]] == ["H1", "H2", "H3"]
    for result in comparison["contrasts"]:
        assert (result["family"], result["paired"], result["verdict"]) == ("declared", True, "supported")
        assert (result["epoch"], result["n"]) == (20, {"variant": SEEDS, "against": SEEDS})


def test_order_of_rows_and_scale_of_the_metric_change_no_decision() -> None:
    metrics = study_table()
    lost = (metrics["variant"] == "minimax") & (metrics["seed"] == 5)
    metrics = metrics.assign(status=metrics["status"].mask(lost, "failed"))
    plain = compared(metrics, FAMILY, "non_saturating")
    shuffled = compared(metrics.sample(frac=1, random_state=0), FAMILY, "non_saturating")
    scaled = compared(metrics.assign(fid=metrics["fid"] * 1e-3), FAMILY, "non_saturating")
    assert shuffled["contrasts"] == plain["contrasts"]
    for other in (shuffled, scaled):
        assert other["standings"][0]["ranking"] == plain["standings"][0]["ranking"]
        for result, expected in zip(other["contrasts"], plain["contrasts"], strict=True):
            for key in ("verdict", "failures", "n"):
                assert result[key] == expected[key]
            for key in ("p", "p_adjusted", "ratio", "low", "high", "hedges_g", "improvement"):
                assert result[key] == pytest.approx(expected[key], rel=1e-9)


def test_variants_are_compared_at_the_last_epoch_that_both_have() -> None:
    short, long = planted(0.8, 0.1)
    tables = [table("a", short, epoch=10), table("b", long, epoch=10), table("b", 3 * short, epoch=20)]
    comparison = compared(tables, [hypothesis("H", "superiority", "a", "b")])
    (result,) = comparison["contrasts"]
    assert result == declared(tables[:2])
    assert (result["epoch"], result["verdict"]) == (10, "supported")
    assert [(each["epochs"], each["ranking"]) for each in comparison["standings"]] == [(20, ["b"]), (10, ["a", "b"])]
    assert comparison["standings"][0]["variants"]["b"]["mean"] == pytest.approx(stats.gmean(3 * short))
    assert comparison["standings"][1]["variants"]["b"]["mean"] == pytest.approx(stats.gmean(long))
    with_both = declared([*tables, table("a", 9 * long, epoch=20)])
    assert (with_both["epoch"], with_both["verdict"]) == (20, "refuted")


def test_variants_without_a_shared_epoch_are_untested_and_leave_the_family() -> None:
    metrics = pd.concat([study_table().query("variant != 'cewl'"), table("cewl", planted(1, 0.05)[0], epoch=10)])
    comparison = compared(metrics, FAMILY, "non_saturating", [control("A", "cewl", "minimax")])
    (tested,) = comparison["contrasts"]
    assert (tested["id"], tested["p_adjusted"]) == ("H1", tested["p"])
    assert [(each["id"], each["family"]) for each in comparison["untested"]] == [
        ("H2", "declared"),
        ("H3", "declared"),
        ("A", "control"),
    ]
    assert comparison["untested"][1]["reason"] == "cewl and non_saturating were scored at no epoch in common"
    assert compared(metrics, FAMILY[:1], "non_saturating")["contrasts"] == [tested]


def test_a_ranking_is_sorted_by_what_it_shows() -> None:
    inf = math.inf
    fid = {"a": [inf, inf, inf], "b": [inf, inf, 9], "c": [3, 5, inf], "d": [3, 5, 7], "e": [2, 5, 7], "f": [1, 5, 900]}
    assert rank({name: runs(values) for name, values in fid.items()}) == ["c", "e", "d", "b", "f", "a"]
    tables = pd.concat([table(name, values) for name, values in fid.items() if name != "a"])
    (standing,) = compared(tables)["standings"]
    means = [standing["variants"][name]["mean"] for name in standing["ranking"]]
    assert means == sorted(means)


def test_variants_without_survivors_come_last_by_the_scores_of_all_runs() -> None:
    tables = [table("b", [900.0, 901.0]), table("c", [5.0, 6.0], collapsed=[0, 1]), table("d", [math.inf, math.inf])]
    (standing,) = compared([*tables, table("a", [3.0, 4.0], collapsed=[0, 1])])["standings"]
    assert standing["ranking"] == ["b", "a", "c", "d"]


LOW = np.linspace(0.98, 1.02, 8)


@pytest.mark.parametrize(
    ("fids", "expected"),
    [
        ({"a": LOW, "b": 1.001 * LOW, "c": 1.5 * LOW}, [1, 1, 3]),
        ({"a": LOW, "b": 1.5 * LOW, "c": 1.52 * LOW, "d": 3 * LOW}, [1, 2, 2, 4]),
        ({"a": LOW, "b": 1.08 * LOW}, [1, 1]),  # told apart, but within the margin
        ({"a": LOW[:3], "b": 5 * LOW[:3]}, [1, 1]),  # beyond the margin, but on too few runs to be told apart
        ({"a": LOW, "b": 1.09 * LOW, "c": 1.18 * LOW}, [1, 1, 3]),  # c is within the margin of b, not of the best
        ({"a": LOW, "b": [math.inf] * 8, "c": [math.inf] * 8}, [1, 2, 2]),
    ],
)
def test_variants_that_the_data_do_not_tell_apart_share_a_place(fids: dict[str, Any], expected: list[int]) -> None:
    (standing,) = compared([table(name, fid) for name, fid in fids.items()], reference="a")["standings"]
    assert [standing["places"][name] for name in standing["ranking"]] == expected


def test_a_shared_place_is_marked() -> None:
    places = {"a": 1, "b": 1, "c": 3}
    standing = Standing("mnist", 8, [4, 6, 8], list(places), places, {})
    assert [standing.place(name) for name in places] == ["1=", "1=", "3"]


def test_summary_of_a_variant() -> None:
    fid = np.array([4.0, 5.0, 8.0, math.inf])
    of_four = summary(table("a", fid))
    logs = np.log(fid[:3])
    low, high = np.exp(stats.t.interval(1 - ALPHA, 2, logs.mean(), stats.sem(logs)))
    assert [of_four[key] for key in ("n", "finished", "mode_collapse", "diverged", "failed")] == [4, 3, 0, 1, 1]
    assert of_four["mean"] == of_four["scored_mean"] == pytest.approx(stats.gmean(fid[:3]))
    assert (of_four["low"], of_four["high"]) == pytest.approx((low, high))
    assert (of_four["median"], of_four["digits"]) == (6.5, 10)
    assert of_four["spread"] == pytest.approx(np.std(logs, ddof=1))
    rate = stats.binomtest(1, 4).proportion_ci(1 - ALPHA)
    assert [of_four[f"failure_{key}"] for key in ("rate", "low", "high")] == pytest.approx([0.25, rate.low, rate.high])
    one = summary(table("a", [math.inf, 3.0]))
    assert (one["mean"], one["median"], one["low"], one["spread"]) == (pytest.approx(3), None, None, None)
    none = summary(table("a", [math.inf]))
    assert (none["mean"], none["scored_mean"], none["digits"], none["failure_rate"]) == (None, None, None, 1)


def test_a_collapsed_run_has_failed_but_keeps_its_score() -> None:
    fid = [4.0, 5.0, 8.0, 1000.0, math.inf]
    of_five = summary(table("a", fid, collapsed=[3]))
    assert [of_five[key] for key in ("n", "finished", "mode_collapse", "diverged", "failed")] == [5, 3, 1, 1, 2]
    assert of_five["mean"] == pytest.approx(stats.gmean(fid[:3]))
    assert of_five["scored_mean"] == pytest.approx(stats.gmean(fid[:4]))
    assert (of_five["median"], of_five["digits"], of_five["failure_rate"]) == (8, 10, 0.4)


def test_every_run_is_counted_in_its_state() -> None:
    metrics = table("a", [4.0, 5.0, 6.0, 7.0, math.inf]).assign(digits=[1, 5, 10, 10, math.nan])
    metrics = metrics.assign(coverage=[0.1, 0.001, 0.3, 0.002, math.nan])
    names = ("learnt", "not_yet", "never_learnt", "mode_collapse", "diverged", "failed")
    assert [summary(metrics)[name] for name in names] == [2, 0, 1, 1, 1, 3]
    assert [summary(metrics.assign(epoch=8, averaged="8"))[name] for name in names] == [2, 1, 0, 1, 1, 2]
    rule = LEARNT.model_copy(update={"digits": 0, "coverage": 0.2})
    assert [summary(metrics, learnt=rule)[name] for name in names] == [1, 0, 3, 0, 1, 4]


def test_a_standing_says_which_snapshots_its_scores_average() -> None:
    early = table("a", [5.0, 6.0], epoch=8).assign(averaged="4 6 8")
    late = table("a", [3.0, 4.0], epoch=20).assign(averaged="16 18 20")
    clothes = table("b", [3.0, 4.0], epoch=8).assign(data="fashion_mnist", averaged="8")
    short = table("c", [3.0, 4.0], epoch=8).assign(averaged="4 6 8")
    standings = compared([early, late, clothes, short], reference="a")["standings"]
    averaged = {(each["data"], each["epochs"]): each["averaged"] for each in standings}
    assert averaged == {("mnist", 20): [16, 18, 20], ("mnist", 8): [4, 6, 8], ("fashion_mnist", 8): [8]}


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
    with pytest.raises(StudyError, match=f"minimax, seed {2 if column == 'seed' else 3}, epoch 20: .*{fault}"):
        compared(metrics)


def test_the_same_verdicts_by_another_classifiers_metric_agree() -> None:
    metrics, rule = study_table(), rules(FAMILY, "non_saturating")
    by_others = metrics.assign(fid_classifier_1=3 * metrics["fid"], fid_classifier_2=1 / metrics["fid"], fid_other=1.0)
    again = sensitivity(by_others, rule)
    assert list(again) == ["fid_classifier_1", "fid_classifier_2"]
    published = compared(metrics, FAMILY, "non_saturating")["contrasts"]
    for same, inverse, first in zip(*again.values(), published, strict=True):
        assert (same.id, same.verdict, same.agree) == (first["id"], first["verdict"], True)
        for key in ("ratio", "low", "high", "p_adjusted"):
            assert getattr(same, key) == pytest.approx(first[key], rel=1e-9)
        assert inverse.ratio == pytest.approx(1 / same.ratio)
    assert [each.agree for each in again["fid_classifier_2"]] == [False, False, True]
    assert sensitivity(metrics, rule) == {}


def test_another_classifier_is_asked_for_the_last_epoch_of_declared_variants_only() -> None:
    metrics, rule = study_table(), rules(FAMILY, "non_saturating")
    others = pd.concat([table("explored", planted(1, 0.1)[0]), metrics.assign(epoch=10)])
    by_others = pd.concat([others, metrics.assign(fid_classifier_1=metrics["fid"])])
    (again,) = sensitivity(by_others, rule).values()
    assert [(each.id, each.agree) for each in again] == [("H1", True), ("H2", True), ("H3", True)]
    with pytest.raises(StudyError, match="finished, but a metric is missing"):
        sensitivity(metrics.assign(fid_classifier_1=math.nan), rule)


def test_another_classifier_changes_no_failure() -> None:
    variant, against = planted(0.8, 0.1)
    metrics = pd.concat([table("a", variant), table("b", against, collapsed=range(SEEDS))])
    pair = [hypothesis("H", "superiority", "a", "b"), hypothesis("R", "superiority", "b", "a")]
    again = sensitivity(metrics.assign(fid_classifier_1=1.0), rules(pair))["fid_classifier_1"]
    assert [each.verdict for each in again] == ["supported", "refuted"]
    assert all(each.agree and each.ratio is None and each.scored_ratio.ratio == 1 for each in again)


def test_the_stage_writes_comparison_and_metrics_of_each_variants_last_epoch(
    study: Study, write_params: Callable[..., Path], raw_params: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write_params(raw_params).parent
    monkeypatch.chdir(root)
    (root / "reports/metrics").mkdir(parents=True)
    last = {name: 20 if place % 2 else 10 for place, name in enumerate(study.variants)}
    for place, name in enumerate(study.variants):
        epochs = [
            table(name, (place + 1) * epoch * np.arange(1, 4.0), 0, epoch) for epoch in range(10, last[name] + 1, 10)
        ]
        metrics = pd.concat(epochs)
        for kind in ("classifier_1", "last", "again"):
            metrics[f"fid_{kind}"] = metrics["fid"]
        metrics = metrics.assign(failed_epoch=None, failure=None, key="a1")
        metrics.to_csv(root / f"reports/metrics/{name}.csv", index=False)
    stage()
    comparison = read_json(root / "reports/comparison.json")
    assert comparison["preregistration"] == preregistration.checksum(study)
    assert comparison["literature"]["epochs"] == 10
    assert {row["variant"] for row in comparison["spread"]} == {"non_saturating", "same_weights", "same_data"}
    assert [each["epochs"] for each in comparison["standings"]] == [20, 10]
    # The others are decided before the last epoch of one of their variants.
    assert [each["id"] for each in comparison["sensitivity"]["fid_classifier_1"]] == ["H2"]
    scores = read_json(root / "reports/metrics.json")
    assert set(scores["scores"]) == set(study.compared)
    for place, name in enumerate(study.variants):
        if name in study.compared:
            fid = (place + 1) * last[name] * 6 ** (1 / 3)
            figures = {"fid": pytest.approx(fid), "runs": 3, "learnt": 3, "failed": 0}
            assert scores["scores"][name][f"after_{last[name]}_epochs"] == figures


def test_a_data_set_has_a_ranking_of_its_own_and_no_contrast_with_another() -> None:
    clothes = [table("c", [9.0, 9.5]).assign(data="fashion_mnist"), table("d", [7.0, 7.5]).assign(data="fashion_mnist")]
    alone = [table("a", [3.0, 2.5, 2.0]), table("b", [1.0, 1.5, 1.2]), table("e", [2.0, 2.5], epoch=8)]
    both = compared([*clothes, *alone])
    assert [(each["data"], each["epochs"], each["ranking"]) for each in both["standings"]] == [
        ("mnist", 20, ["b", "a"]),
        ("mnist", 8, ["e"]),
        ("fashion_mnist", 20, ["d", "c"]),
    ]
    assert [(each["variant"], each["against"]) for each in both["contrasts"]] == [("a", "b")]
    assert both["contrasts"] == compared(alone)["contrasts"]
    declared = compared([*clothes, *alone], [hypothesis("H", "superiority", "d", "c")])["contrasts"]
    assert [each["id"] for each in declared] == ["H", "E: a vs b"]
