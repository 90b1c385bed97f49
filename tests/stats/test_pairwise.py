"""Any two sets of runs compared at once: the numbers are those of a declared contrast, and the words fit them."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from reporting.planted import FIRST, RECORDS, SECOND
from scipy import stats
from stats.planted import MARGIN, compared, hypothesis, rules, table

from gan.errors import StudyError
from gan.files import write, write_json
from gan.stats.comparison import compare
from gan.stats.inference import unpaired_equivalence_test, unpaired_mean_estimate
from gan.stats.pairwise import Pair, compare_published, sentences

LOGS = np.random.default_rng(5).normal(0, 0.1, (2, 10))


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    return tmp_path / "reports"


def publish(reports: Path, *tables: pd.DataFrame) -> None:
    for name, rows in pd.concat(tables).groupby("variant"):
        more = {"failed_epoch": "", "failure": "", "key": "a1"}
        write(reports / f"metrics/{name}.csv", rows.assign(**more).to_csv(index=False))


def pair(reports: Path, first: str = "a", second: str = "b", epoch: int | None = None) -> Pair:
    return compare_published(reports, first, second, epoch, rules())


def test_it_is_the_declared_contrast_of_the_same_runs(reports: Path) -> None:
    """With a family of one there is nothing to correct."""
    runs = [table("a", np.exp(LOGS[0] - 0.3)), table("b", np.exp(LOGS[1]))]
    publish(reports, *runs)
    (declared,) = compared(runs, [hypothesis("H", "superiority", "a", "b")])["contrasts"]
    found = pair(reports)
    assert (found.ratio, found.low, found.high) == (declared["ratio"], declared["low"], declared["high"])
    assert found.p_difference == declared["p"]
    assert (found.outcome, found.paired, found.seeds, found.epoch) == ("better", True, 10, 20)
    assert pair(reports, "b", "a").outcome == "worse"
    (equivalence,) = compared(runs, [hypothesis("H", "equivalence", "a", "b")])["contrasts"]
    assert found.p_equivalence == equivalence["p"]
    told = sentences(found)
    assert told[0] == "a is better than b (after 20 epochs, on mnist)."
    assert "with a than with b: ratio 0.7" in told[1]
    assert "On 10 common seeds, paired" in told[4]


def test_equal_close_and_unclear_ones_are_told_apart(reports: Path) -> None:
    noise = 0.02 * np.tile([1.0, -1.0], 5)
    publish(
        reports,
        table("a", np.exp(LOGS[0])),
        table("same", np.exp(LOGS[0])),
        table("close", np.exp(LOGS[0] + noise)),
        table("slightly", np.exp(LOGS[0] + 0.03 + noise / 4)),
        table("unclear", np.exp(LOGS[0] + 20 * noise)),
    )
    assert pair(reports, "same", "a").outcome == "identical"
    assert pair(reports, "close", "a").outcome == "equivalent"
    assert pair(reports, "unclear", "a").outcome == "undecided"
    slightly = pair(reports, "slightly", "a")
    assert (slightly.outcome, slightly.within_margin) == ("worse", True)
    assert sentences(slightly)[0].startswith("slightly is worse than a, by less than the margin of 10")


def test_without_common_seeds_all_runs_are_compared(reports: Path) -> None:
    first, second = LOGS[0] - 0.3, LOGS[1][:6]
    publish(reports, table("a", np.exp(first)), table("b", np.exp(second), first_seed=100))
    found = pair(reports)
    assert (found.paired, found.seeds, found.variant.n, found.against.n) == (False, None, 10, 6)
    assert found.p_difference == pytest.approx(stats.mannwhitneyu(first, second, method="exact").pvalue)
    assert found.ratio == pytest.approx(math.exp(np.median(np.subtract.outer(first, second))))
    assert found.outcome == "better"
    assert "On 10 against 6 runs, not paired" in sentences(found)[4]


def test_two_common_seeds_of_many_are_no_reason_to_forget_the_others(reports: Path) -> None:
    publish(reports, table("a", np.exp(LOGS[0])), table("b", np.exp(LOGS[1]), first_seed=9))
    assert not pair(reports).paired
    publish(reports, table("b", np.exp(LOGS[1][:2]), first_seed=9))
    assert pair(reports).seeds == 2


def test_three_runs_have_an_interval_and_no_verdict(reports: Path) -> None:
    publish(reports, table("a", np.exp(LOGS[0][:3] - 0.5)), table("b", np.exp(LOGS[1][:3])))
    found = pair(reports)
    differences = LOGS[0][:3] - 0.5 - LOGS[1][:3]
    ends = stats.t.interval(0.95, 2, differences.mean(), stats.sem(differences))
    assert (found.low, found.high) == pytest.approx(tuple(np.exp(ends)))
    assert (found.estimator, found.outcome) == ("geometric means", "insufficient data")
    assert "of geometric means" in sentences(found)[1]


def test_where_all_runs_fail_the_ratio_is_of_all(reports: Path) -> None:
    publish(reports, table("a", np.exp(LOGS[0])), table("b", np.exp(LOGS[1] + 1), collapsed=range(10)))
    found = pair(reports)
    assert found.failed_included
    assert (found.outcome, found.against.failed, found.against.learnt) == ("better", 10, 0)
    assert found.p_equivalence == 1
    assert "failed runs included" in sentences(found)[1]
    assert "0 of 10 runs learnt, 10 failed" in sentences(found)[3]


def test_the_epoch_is_the_latest_that_both_have_or_the_one_asked_for(reports: Path) -> None:
    early, late = table("a", np.exp(LOGS[0]), epoch=8), table("a", np.exp(LOGS[0]))
    publish(reports, early, late, table("b", np.exp(LOGS[1]), epoch=8))
    assert pair(reports).epoch == 8
    with pytest.raises(StudyError, match=r"^a and b have no scores after 20 epochs; in common they have 8$"):
        pair(reports, epoch=20)
    for name, logs in (("a", LOGS[0] - 1), ("b", LOGS[1])):
        snapshots = {"variant": name, "seed": range(10), "epoch": 4, "fid": np.exp(logs)}
        write(reports / f"snapshots/{name}.csv", pd.DataFrame(snapshots).to_csv(index=False))
    single = pair(reports, epoch=4)
    assert (single.outcome, single.variant.learnt) == ("better", None)
    assert pair(reports).epoch == 8


def test_what_cannot_be_compared_is_refused(reports: Path) -> None:
    runs = [table("first", np.exp(LOGS[0])), table("clothes", np.exp(LOGS[1])).assign(data="fashion_mnist")]
    publish(reports, *runs)
    with pytest.raises(StudyError, match="scores on different data can't be compared"):
        pair(reports, "first", "clothes")
    with pytest.raises(StudyError, match=r"has no scores of frist: did you mean first\?$"):
        pair(reports, "frist", "clothes")
    with pytest.raises(StudyError, match="first is compared with itself"):
        pair(reports, "first", "first")


def test_rungs_and_tuned_settings_have_names(reports: Path) -> None:
    rows = table("x", np.exp(LOGS[0][:3])).assign(failed_epoch="", failure="", key="a1").drop(columns="variant")
    ladder = [rows.assign(rung="beta1 0.5", objective="one"), rows.assign(rung="printed", objective="one")]
    write(reports / "ladder.csv", pd.concat(ladder).to_csv(index=False))
    finals = [rows.assign(configuration=3, role="chosen", fid=1.0), rows.assign(configuration=3, role="final")]
    write(reports / "finals/one.csv", pd.concat(finals).to_csv(index=False))
    publish(reports, table("a", np.exp(LOGS[1])))
    found = pair(reports, "one@beta1 0.5", "one@tuned")
    assert (found.variant.n, found.against.n, found.outcome) == (3, 3, "identical")
    assert pair(reports, "a", "one@printed").against.name == "one@printed"
    with pytest.raises(StudyError, match=r"no scores of one@beta1: did you mean one@beta1 0\.5\?"):
        pair(reports, "a", "one@beta1")


def test_a_declared_pair_has_the_verdict_that_counts(reports: Path) -> None:
    runs = [table("a", np.exp(LOGS[0] - 0.3)), table("b", np.exp(LOGS[1]))]
    publish(reports, *runs)
    assert pair(reports).declared == []
    write_json(
        reports / "comparison.json", compare(pd.concat(runs), rules([hypothesis("H7", "superiority", "a", "b")]))
    )
    (line,) = pair(reports, "b", "a").declared
    assert line == "Declared beforehand as H7, a against b: supported. That verdict counts."


def test_a_tuned_pair_has_the_searchs_verdict(reports: Path) -> None:
    rows = table("x", np.exp(LOGS[0])).assign(failed_epoch="", failure="", key="a1", configuration=3, role="final")
    for objective in (FIRST, SECOND):
        write(reports / f"finals/{objective}.csv", rows.drop(columns="variant").to_csv(index=False))
    write_json(reports / "search.json", RECORDS["search"]())
    (line,) = pair(reports, f"{SECOND}@tuned", f"{FIRST}@tuned").declared
    assert line.startswith(f"Declared beforehand as S3, {FIRST}@tuned against {SECOND}@tuned: ")


def test_welchs_tests_are_those_of_the_textbook() -> None:
    first, second = LOGS[0], LOGS[1][:6]
    variances = [sample.var(ddof=1) / len(sample) for sample in (first, second)]
    error = math.sqrt(sum(variances))
    freedom = sum(variances) ** 2 / sum(
        variance**2 / (len(sample) - 1) for variance, sample in zip(variances, (first, second), strict=True)
    )
    difference = first.mean() - second.mean()
    p = max(
        stats.t.sf((difference + math.log(MARGIN)) / error, freedom),
        stats.t.cdf((difference - math.log(MARGIN)) / error, freedom),
    )
    assert unpaired_equivalence_test(first, second, MARGIN) == pytest.approx(p)
    estimate = unpaired_mean_estimate(first, second, 0.95)
    assert estimate.high - estimate.value == pytest.approx(stats.t.ppf(0.975, freedom) * error)
    assert unpaired_equivalence_test(first, second[:1], MARGIN) == 1
