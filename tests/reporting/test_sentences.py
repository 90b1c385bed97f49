"""The verdict in sentences says what the comparison says, and no more."""

import re
from dataclasses import replace
from itertools import zip_longest
from types import MappingProxyType

import pytest
from reporting import planted
from reporting.building import CLAIMS, CONTROLS, HYPOTHESES, LEVELS, compare, make_study, plain

from gan.records.comparison import Comparison, Literature, Ratio
from gan.reporting.results import Findings
from gan.reporting.sentences import adams_memory, details, leading, tuned_order
from gan.study.schema import Study


def leading_of(study: Study, levels=(), **lost) -> list[str]:
    return [plain(sentence) for sentence in leading(compare(study, LEVELS | dict(levels), **lost))]


def details_of(record: Comparison, claims=MappingProxyType({}), late=MappingProxyType({})) -> list[str]:
    findings = Findings(record, planted.ladder(), planted.search(), planted.scope(), {})
    return [plain(sentence) for sentence in details(findings, claims, late)]


def every_run(*names: str) -> list[tuple[str, int]]:
    return [(name, seed) for name in names for seed in range(8)]


FIRST = (
    "non_saturating and cewl share the first place, equivalent within a factor of 1.1; non_saturating is better than "
    "minimax."
)


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
            "minimax has the best score, but is not told apart from cewl.",
        ),
        (make_study(["cewl"]), {}, (), "cewl is the only variant, so there is nothing to set it against."),
        (
            *(make_study(seeds=3), {}, ()),
            "non_saturating has the best score, but is on too few seeds to be judged against cewl and minimax.",
        ),
        (
            *(make_study([*LEVELS, "softer"]), {"softer": 5}, ()),
            "softer has the best score: better than non_saturating (exploratory), but is not tested against cewl and "
            "minimax.",
        ),
        (
            *(make_study([*LEVELS, "a", "b", "c", "d"]), {"cewl": 4}, ()),
            "cewl has the best score: better than non_saturating and minimax, but is not tested against 4 others.",
        ),
    ],
)
def test_it_says_who_leads(study, levels, lost, expected, how):
    sentences = leading_of(study, levels, **{how: lost})
    assert sentences[0] == expected
    assert 2 <= len(sentences) <= 6


def with_contrasts(record: Comparison, *changes: dict) -> Comparison:
    """The comparison with its first contrasts changed."""
    pairs = zip_longest(record.contrasts, changes, fillvalue={})
    return replace(record, contrasts=[replace(contrast, **changed) for contrast, changed in pairs])


def test_it_says_no_more_than_the_contrasts():
    record = compare(make_study())
    worse = with_contrasts(record, {"verdict": "refuted"})  # the declared winner is the worse one
    assert leading(worse)[0].endswith("; non_saturating is worse, seed by seed, than minimax.")
    undecided, third = {"verdict": "undecided"}, {"verdict": "refuted", "ratio": 0.5}
    assert leading(with_contrasts(record, undecided, {}, third))[0] == (
        "non_saturating has the best score, but is worse, seed by seed, than cewl and not told apart from minimax."
    )
    assert leading(with_contrasts(record, undecided, {}, third | {"ratio": 2.0}))[0] == (
        "non_saturating has the best score: better than cewl, but is not told apart from minimax."
    )


def test_it_says_by_how_much():
    record = compare(make_study())
    standing = record.standings[0]
    leader = replace(standing.variants["non_saturating"], mean=6.54321)
    standing = replace(standing, variants={**standing.variants, "non_saturating": leader})
    record = replace(record, standings=[standing, *record.standings[1:]])

    def size(first: dict, third: dict) -> str:
        return plain(leading(with_contrasts(record, first, {}, third))[1])

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
    assert expected in details_of(compare(study, LEVELS | dict(levels)))[0]


def test_it_says_that_runs_were_trained_before_their_hypotheses_were_declared():
    record = compare(make_study())
    assert "hypotheses declared after 5 of their runs" in details_of(record, late={"cewl": 5, "another": 3})[0]
    assert "hypotheses declared beforehand" in details_of(record, late={"another": 3})[0]


def test_it_counts_runs():
    assert leading_of(make_study())[2] == "None of the 24 runs failed."
    assert leading_of(make_study(["cewl"], seeds=1))[2] == "The one run finished."
    sentences = leading_of(make_study(), failed=[("cewl", 1), ("minimax", 2), ("cewl", 4)])
    assert sentences[2] == (
        "3 of 24 runs failed: 2 of 8 of cewl (95 % interval of the share 3 – 65 %) and 1 of 8 of minimax (0 – 53 %); "
        "they count as worse than any that survived."
    )
    assert sentences[1].count("of the runs that survived)") == 2
    names = [*LEVELS, "a", "b"]
    sentences = leading_of(make_study(names), failed=[(name, seed) for name in names for seed in (1, 2)])
    assert re.search(r"\), 2 of 8 of \w+ \(.*?\) and 4 of \w+ and \w+;", sentences[2])


def test_it_counts_the_leaders_survivors():
    average = leading_of(make_study(["cewl"]), failed=[("cewl", 1)])[1]
    assert average.startswith("Its FID averages 6.")
    assert " over the 7 of 8 seeds that survived (95" in average


def test_a_double_is_no_leader_and_controls_are_told():
    study = make_study([*LEVELS, "twin"], controls=CONTROLS)
    for twin, told in ((6.0, "A1 is equivalent."), (5.0, "A1 is different.")):
        sentences = leading_of(study, {"twin": twin})
        assert sentences[0] == FIRST
        assert not any("twin" in sentence for sentence in sentences)
        assert sentences[2] == "None of the 24 runs failed."
        hypotheses = details_of(compare(study, LEVELS | {"twin": twin}))[0]
        assert hypotheses.endswith(f"; of the controls, the same mathematics in two forms, {told}")
    record = compare(make_study([*LEVELS, "twin"], hypotheses=(), controls=CONTROLS), LEVELS | {"twin": 6.0})
    assert details_of(record)[0] == (
        "No hypothesis was declared beforehand; of the controls, the same mathematics in two forms, A1 is equivalent."
    )


def test_a_leader_that_shares_its_place_is_still_set_beside_others():
    contrasts = with_contrasts(compare(make_study([*LEVELS, "softer"])), {"verdict": "undecided"})
    assert plain(leading(contrasts)[0]) == (
        "non_saturating and cewl share the first place, equivalent within a factor of 1.1; non_saturating is better "
        "than softer (exploratory), but is not told apart from minimax."
    )


def test_it_names_the_leader_at_other_epochs():
    study = make_study([*LEVELS, "twin", "r3"], controls=CONTROLS)
    levels = {"twin": 6.0, "r3": 2.0}
    last = leading_of(study, levels)[-1]
    assert last == "After 2 epochs r3 has the lowest FID of 4 variants, the controls' doubles left out."
    last = leading_of(study, levels, collapsed=every_run("r3"))[-1]
    assert last.startswith("After 2 epochs non_saturating has the lowest FID of 4")


def test_it_counts_identities_apart_from_what_was_measured():
    record = compare(make_study())
    assert details_of(record, CLAIMS)[-1] == (
        "Of the 4 claims of the sources, 1 is an identity, decided by algebra (1 undecided), and 3 were measured "
        "(2 supported, 1 refuted)."
    )
    assert details_of(record, {"Q9": CLAIMS["Q9"]})[-1] == "Of the 1 claim of the sources, 1 was measured (1 refuted)."
    assert "claim" not in details_of(record)[-1]


def test_it_counts_the_grounds():
    assert details_of(compare(make_study()))[1] == (
        "On 4 grounds, the non-saturating loss beside minimax is better on 1, equally good on 1, worse on 1 and "
        "undecided on 1."
    )


def test_it_says_what_adam_remembers():
    first, from_start, switched, *cosines = (plain(sentence) for sentence in adams_memory(planted.memory()))
    assert first == (
        "Steps in which the generator hardly moves, on the printed recipe: 20 % with minimax, 20 % with the "
        "non-saturating loss and 20 % with rescaled minimax."
    )
    assert from_start.startswith("With another beta2 from the start, over 8 standstills that ended, the time to move")
    assert switched.startswith("From one and the same standstill on, over 16 standstills that ended")
    assert "to the power 1.04 (95 % interval 0.84 – 1.24)" in switched
    assert switched.endswith("measured over predicted time is 0.833.")
    assert cosines[0] == (
        "On networks trained with minimax, the cosine between the two gradients is 0.90 at step 1 and 0.18 at step "
        "1800 (medians)."
    )
    assert all("too few standstills ended" in told for told in adams_memory(planted.memory(slope=None))[1:3])


@pytest.mark.parametrize(
    ("means", "expected"),
    [
        (
            {"minimax": 300.0, "non_saturating": 200.0},
            "After the search, each at its best setting on fresh seeds, the order of those that both have is "
            "non_saturating (200) and minimax (300), that of the table.",
        ),
        (
            {"minimax": 100.0, "non_saturating": 200.0},
            "After the search, each at its best setting on fresh seeds, the order of those that both have is "
            "minimax (100) and non_saturating (200), unlike the table.",
        ),
        ({"minimax": None, "non_saturating": 200.0}, ""),
    ],
)
def test_the_order_after_tuning_is_held_against_the_table(means: dict[str, float | None], expected: str) -> None:
    record = planted.search()
    found = {
        name: replace(each, tuned=replace(each.tuned, mean=means.get(name, 1.0)))
        for name, each in record.objectives.items()
    }
    table = Literature(
        "mnist", 3, ["non_saturating", "lsgan", "minimax"], ["lsgan", "non_saturating", "minimax"], {}, 0, 1
    )
    assert tuned_order(replace(record, objectives=found), table) == expected
    assert tuned_order(replace(record, objectives=found, data="digits"), table) == ""
