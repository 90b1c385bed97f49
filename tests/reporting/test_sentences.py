"""The verdict in sentences says what the comparison says, and no more."""

import re
from dataclasses import replace
from itertools import zip_longest

import pandas as pd
import pytest
from reporting.building import CLAIMS, CONTROLS, HYPOTHESES, LEVELS, make_study, plain

from gan.records.comparison import Comparison, Ratio
from gan.reporting.sentences import verdict
from gan.stats import comparison
from gan.study.schema import Study


def compare(study: Study, levels=LEVELS, failed=(), collapsed=()) -> Comparison:
    """The comparison of a study whose variants have these FIDs, give or take the luck of the seed."""
    rows = [
        {"variant": name, "data": variant.data, "seed": seed, "epoch": epoch,
         "status": "failed" if (name, seed) in failed else "finished",
         "fid": levels.get(name, 8.0) * (1 + 0.02 * ((seed * 7 + len(name)) % 5 - 2)),
         "digits": 1 if (name, seed) in collapsed else 10}
        for name, variant in study.variants.items() for seed in variant.seeds
        for epoch in study.evaluate.scored(variant)
    ]  # fmt: skip
    return comparison.compare(pd.DataFrame(rows), study.compare)


def verdict_of(study: Study, levels=(), **lost) -> list[str]:
    return [plain(sentence) for sentence in verdict(compare(study, LEVELS | dict(levels), **lost), {}, {})]


def every_run(*names: str) -> list[tuple[str, int]]:
    return [(name, seed) for name in names for seed in range(8)]


FIRST = "non_saturating ranks first: better than minimax and equivalent to cewl (within a factor of 1.1)."


@pytest.mark.parametrize("how", ["failed", "collapsed"])
@pytest.mark.parametrize(
    ("study", "levels", "lost", "expected"),
    [
        (make_study(), {}, (), FIRST),
        (make_study(), {}, every_run("minimax"), FIRST),
        (make_study(), {}, every_run(*LEVELS), "No run survived, so no variant can be called better."),
        (make_study(), {"cewl": 7.5}, (), "non_saturating comes out best: better than cewl and minimax."),
        (make_study(), {"cewl": 4}, (), "cewl comes out best: better than non_saturating and minimax."),
        (
            make_study(["minimax", "cewl"]),
            {"minimax": 6.1},
            (),
            "minimax ranks first, but is not told apart from cewl.",
        ),
        (make_study(["cewl"]), {}, (), "cewl is the only variant, so there is nothing to set it against."),
        (
            *(make_study(seeds=3), {}, ()),
            "non_saturating ranks first, but is on too few seeds to be judged against cewl and minimax.",
        ),
        (
            *(make_study([*LEVELS, "softer"]), {"softer": 5}, ()),
            "softer ranks first: better than non_saturating (exploratory), but is not tested against cewl and minimax.",
        ),
        (
            *(make_study([*LEVELS, "a", "b", "c", "d"]), {"cewl": 4}, ()),
            "cewl ranks first: better than non_saturating and minimax, but is not tested against 4 others.",
        ),
    ],
)
def test_it_says_who_leads(study, levels, lost, expected, how):
    sentences = verdict_of(study, levels, **{how: lost})
    assert sentences[0] == expected
    assert 2 <= len(sentences) <= 6


def with_contrasts(record: Comparison, *changes: dict) -> Comparison:
    """The comparison with its first contrasts changed."""
    pairs = zip_longest(record.contrasts, changes, fillvalue={})
    return replace(record, contrasts=[replace(contrast, **changed) for contrast, changed in pairs])


def test_it_says_no_more_than_the_contrasts():
    record = compare(make_study())
    worse = with_contrasts(record, {"verdict": "refuted"})  # the declared winner is the worse one
    assert verdict(worse, {}, {})[0].endswith("but is worse, seed by seed, than minimax.")
    undecided, third = {"verdict": "undecided"}, {"verdict": "refuted", "ratio": 0.5}
    assert verdict(with_contrasts(record, undecided, {}, third), {}, {})[0] == (
        "non_saturating ranks first, but is worse, seed by seed, than cewl and not told apart from minimax."
    )
    assert verdict(with_contrasts(record, undecided, {}, third | {"ratio": 2.0}), {}, {})[0] == (
        "non_saturating ranks first: better than cewl, but is not told apart from minimax."
    )


def test_it_says_by_how_much():
    record = compare(make_study())
    standing = record.standings[0]
    leader = replace(standing.variants["non_saturating"], mean=6.54321)
    standing = replace(standing, variants={**standing.variants, "non_saturating": leader})
    record = replace(record, standings=[standing, *record.standings[1:]])

    def size(first: dict, third: dict) -> str:
        return plain(verdict(with_contrasts(record, first, {}, third), {}, {})[1])

    first = {"ratio": 0.804, "low": 0.75, "high": 0.86}
    third = {"ratio": 1.25, "low": 0.98, "high": 1.6}  # the other way round: the leader stands second
    assert size(first, third) == (
        "Its FID averages 6.54 over 8 seeds, 20 % lower than with cewl (95 % interval 38 % lower to 2.0 % higher) "
        "and 20 % lower than with minimax (95 % interval 14 % to 25 % lower)."
    )
    third = {"ratio": 0.8, "low": 0.5, "high": 0.9}
    assert "25 % higher than with cewl (95 % interval 11 % to 100 % higher)" in size(first, third)
    none = {"ratio": None, "low": None, "high": None}
    known = size(none | {"scored_ratio": Ratio(**none)}, third | {"low": None, "high": None})
    assert known.endswith("over 8 seeds, 25 % higher than with cewl.")


@pytest.mark.parametrize(
    ("study", "levels", "expected"),
    [
        (make_study(), {}, "H1, H2 and H3 are supported at a risk of 5 %"),
        (make_study(), {"cewl": 7.5}, "H1 and H2 are supported and H3 is refuted at a risk of 5 %"),
        (make_study(), {"minimax": 6.0}, "H3 is supported and H1 and H2 are undecided at a risk of 5 %"),
        (make_study(seeds=3), {}, "H1, H2 and H3 have insufficient data."),
        (
            # They were scored at no epoch in common.
            make_study([*LEVELS, "short"], hypotheses=(*HYPOTHESES, ("H4", "superiority", "short", "minimax"))),
            {},
            "H1, H2 and H3 are supported and H4 is untested at a risk of 5 %",
        ),
        (make_study(hypotheses=()), {}, "No hypothesis was declared beforehand: every contrast is exploratory."),
    ],
)
def test_it_says_what_became_of_the_hypotheses(study, levels, expected):
    assert expected in verdict_of(study, levels)[3]


def test_it_says_that_runs_were_trained_before_their_hypotheses_were_declared():
    record = compare(make_study())
    assert "hypotheses declared after 5 of their runs" in verdict(record, {}, {"cewl": 5, "another": 3})[3]
    assert "hypotheses declared beforehand" in verdict(record, {}, {"another": 3})[3]


def test_it_counts_runs():
    assert verdict_of(make_study())[2] == "None of the 24 runs failed."
    assert verdict_of(make_study(["cewl"], seeds=1))[2] == "The one run finished."
    sentences = verdict_of(make_study(), failed=[("cewl", 1), ("minimax", 2), ("cewl", 4)])
    assert sentences[2] == (
        "3 of 24 runs failed: 2 of 8 of cewl (95 % interval of the share 3 – 65 %) and 1 of 8 of minimax (0 – 53 %); "
        "they count as worse than any that survived."
    )
    assert sentences[1].count("of the runs that survived)") == 2
    names = [*LEVELS, "a", "b"]
    sentences = verdict_of(make_study(names), failed=[(name, seed) for name in names for seed in (1, 2)])
    assert re.search(r"\), 2 of 8 of \w+ \(.*?\) and 4 of \w+ and \w+;", sentences[2])


def test_it_counts_the_leaders_survivors():
    average = verdict_of(make_study(["cewl"]), failed=[("cewl", 1)])[1]
    assert average.startswith("Its FID averages 6.")
    assert " over the 7 of 8 seeds that survived (95" in average


def test_a_double_is_no_leader_and_controls_are_told():
    study = make_study([*LEVELS, "twin"], controls=CONTROLS)
    sentences = verdict_of(study, {"twin": 6.0})
    assert sentences[0].startswith("non_saturating ranks first")
    assert not any("twin" in sentence for sentence in sentences)
    assert sentences[2] == "None of the 24 runs failed."
    assert sentences[3].endswith("; of the controls, the same mathematics in two forms, A1 is equivalent.")
    sentences = verdict_of(study, {"twin": 5.5})
    assert sentences[0].startswith("non_saturating ranks first")
    assert sentences[3].endswith("A1 is different.")
    sentences = verdict_of(make_study([*LEVELS, "twin"], hypotheses=(), controls=CONTROLS), {"twin": 6.0})
    assert sentences[3] == (
        "No hypothesis was declared beforehand; of the controls, the same mathematics in two forms, A1 is equivalent."
    )


def test_it_names_the_leader_at_other_epochs():
    study = make_study([*LEVELS, "twin", "r3"], controls=CONTROLS)
    levels = {"twin": 6.0, "r3": 2.0}
    last = verdict_of(study, levels)[-1]
    assert last == "After 2 epochs r3 ranks first of 4 variants, the controls' doubles left out."
    last = verdict_of(study, levels, collapsed=every_run("r3"))[-1]
    assert last.startswith("After 2 epochs non_saturating ranks first of 4")


def test_it_counts_claims():
    record = compare(make_study())
    assert "Of the 4 claims of the sources, 2 are supported, 1 refuted and 1 undecided." in verdict(record, CLAIMS, {})
    assert "Of the 1 claims of the sources, 1 is refuted." in verdict(record, {"Q9": CLAIMS["Q9"]}, {})
