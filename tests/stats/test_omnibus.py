"""The one test of all controls: the same mathematics in several forms, permuted within seeds."""

import math
from itertools import permutations, product

import numpy as np
import pytest
from scipy import stats
from stats.planted import ALPHA, compared, contrast, control, controlled, planted, rules, runs, table

from gan.records.comparison import Omnibus
from gan.stats.contrasts import omnibus
from gan.stats.inference import blocks_test

FORMS = [control("A1", "a", "c"), control("A2", "b", "c")]


def noise(blocks: int, forms: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(blocks, forms))


def test_few_blocks_are_permuted_in_all_ways() -> None:
    scores = noise(4, 3) + np.array([0, 0.5, 1])

    def between(blocks: np.ndarray) -> float:
        return float(((blocks.mean(0) - blocks.mean()) ** 2).sum())

    everything = [between(np.array(each)) for each in product(*(list(permutations(block)) for block in scores))]
    reached = np.mean([value >= between(scores) * (1 - 1e-12) for value in everything])
    assert len(everything) == math.factorial(3) ** 4
    assert blocks_test(scores) == pytest.approx(reached, abs=1e-12)


def test_of_two_forms_it_is_the_sign_flip_test() -> None:
    variant, against = planted(1.05, 0.1, 8)
    expected = contrast(variant, against)["p"]
    assert blocks_test(np.log([variant, against]).T) == pytest.approx(expected)


def test_on_ranks_it_is_friedmans_test() -> None:
    ranks = stats.rankdata(noise(30, 3) + np.array([0, 0.2, 0.4]), axis=1)
    assert blocks_test(ranks) == pytest.approx(stats.friedmanchisquare(*ranks.T).pvalue, abs=0.02)


def test_the_luck_of_a_seed_and_the_order_of_forms_do_not_count() -> None:
    scores = noise(4, 3) + np.array([0, 0, 1])
    assert blocks_test(scores + 100 * noise(4, 1, 1)) == pytest.approx(blocks_test(scores))
    assert blocks_test(scores[:, ::-1]) == pytest.approx(blocks_test(scores))
    assert blocks_test(np.repeat(scores[:, :1], 3, axis=1)) == 1


@pytest.mark.parametrize("shape", [(0, 3), (1, 3), (5, 1)])
def test_one_block_or_form_shows_nothing(shape: tuple[int, int]) -> None:
    assert blocks_test(np.ones(shape)) == 1


def test_equal_forms_alarm_no_more_often_than_alpha() -> None:
    trials = 300
    alarms = sum(blocks_test(noise(4, 3, seed)) <= ALPHA for seed in range(trials))
    assert stats.binomtest(alarms, trials, ALPHA, alternative="greater").pvalue > 0.001


def test_one_form_among_several_that_differs_gives_the_alarm_to_all_controls() -> None:
    fids = np.exp(2 + 0.02 * noise(10, 3))
    tables = [table(name, fid) for name, fid in zip("abc", fids.T * [[1], [1.05], [1]], strict=True)]
    comparison = compared(tables, controls=FORMS, reference="c")
    test = comparison["omnibus"]
    assert (test["variants"], test["epoch"], test["n"], test["alarm"]) == (["a", "c", "b"], 20, 10, True)
    assert {each["verdict"] for each in comparison["contrasts"]} == {"detected, within the margin"}
    assert all("the 3 forms of the same mathematics" in each["reason"] for each in comparison["contrasts"])
    alike = compared([table(name, fid) for name, fid in zip("abc", fids.T, strict=True)], controls=FORMS)
    assert not alike["omnibus"]["alarm"]
    assert {each["verdict"] for each in alike["contrasts"]} == {"equivalent"}


def test_it_is_made_on_shared_seeds_after_the_last_shared_epoch() -> None:
    fids = np.exp(2 + 0.1 * noise(8, 3))
    tables = [table(name, fid, epoch=8) for name, fid in zip("abc", fids.T, strict=True)]
    early = [table(name, np.arange(1, 9.0), epoch=3) for name in "abc"]
    more = [*early, table("a", [1.0] * 8), table("c", [9.0] * 8), table("b", [7.0, 8.0], first_seed=50, epoch=8)]
    test = compared([*tables, *more], controls=FORMS, reference="c")["omnibus"]
    assert (test["epoch"], test["n"]) == (8, 8)
    assert test["p"] == blocks_test(np.log(fids[:, [0, 2, 1]]))


def test_without_shared_seeds_or_epochs_there_is_no_test() -> None:
    settings = rules(controls=FORMS)
    assert omnibus({"a": {8: runs([1, 2])}, "c": {20: runs([1, 2])}}, settings) is None
    assert omnibus({"a": {8: runs([1, 2])}}, settings) is None
    assert omnibus({}, settings) is None
    assert omnibus({"a": {8: runs([1, 2])}, "c": {8: runs([1, 2])}}, settings) == Omnibus(["a", "c"], 8, 2, 1.0, False)
    elsewhere = compared(
        [table("a", [1.0, 2.0]), table("b", [1.0, 2.0], first_seed=9)], controls=[control("A", "a", "b")]
    )
    assert elsewhere["omnibus"] is None


def test_where_a_run_failed_ranks_within_seeds_are_permuted() -> None:
    variant, against = planted(0.5, 0.01, 6)
    lost = np.append(against[:-1], math.inf)
    tables = [table("a", variant), table("b", lost)]
    assert compared(tables, controls=[control("A", "a", "b")])["omnibus"]["p"] == 2 / 2**6
    both = [table("a", np.append(variant[:-1], math.inf)), table("b", lost)]
    assert compared(both, controls=[control("A", "a", "b")])["omnibus"]["p"] == 2 / 2**5
    assert controlled(both)["verdict"] == "insufficient data"
