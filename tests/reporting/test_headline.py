"""The answer in two sentences says what the records say, whatever that is, and has no name of the code in it."""

import itertools
import re
from dataclasses import replace

import pytest
from reporting import planted
from reporting.building import CONTROLS, LEVELS, compare, make_study, plain
from reporting.planted import BETA1, FIRST, SECOND

from gan.records.comparison import Comparison, Ratio
from gan.records.robustness import SearchRecord
from gan.reporting.headline import answer, change_in_words, headline, outcome, recipe_rungs, spoken
from gan.reporting.results import Findings

STUDY = make_study([*LEVELS, "twin"], controls=CONTROLS)
RECIPES = {name: variant.model_dump(mode="json") for name, variant in STUDY.variants.items()}
RECORD = compare(STUDY, LEVELS | {"twin": 6.0})
STATES = ("learnt", "not_yet", "never_learnt", "mode_collapse", "diverged")


def findings(comparison: Comparison = RECORD, **records) -> Findings:
    shared = {"ladder": planted.ladder(), "search": planted.search(), "scope": planted.scope()}
    return Findings(comparison=comparison, recipes=RECIPES, **(shared | records))


def compared(states: dict[str, str], **contrast) -> Comparison:
    """The comparison with all runs of these variants in one state, and its first contrast changed."""
    standing = RECORD.standings[0]
    variants = {
        name: replace(summary, **dict.fromkeys(STATES, 0) | {states[name]: summary.n}) if name in states else summary
        for name, summary in standing.variants.items()
    }
    standings = [replace(standing, variants=variants), *RECORD.standings[1:]]
    return replace(
        RECORD, standings=standings, contrasts=[replace(RECORD.contrasts[0], **contrast), *RECORD.contrasts[1:]]
    )


def told(found: Findings) -> str:
    return plain(headline(found))


def clauses(found: Findings) -> list[str]:
    """What is said of the printed recipe, its changes, the settings and the best ones."""
    recipe, settings = told(found).removesuffix(".").split(". Over ")
    return [*recipe.split("; "), *settings.split("; ")]


def test_the_whole_answer():
    assert told(findings(compared({SECOND: "never_learnt"}, p_adjusted=0.0156))) == (
        "On the tutorial's recipe (fully connected networks on MNIST, Adam with beta1 0.9, 3 epochs) the "
        "non-saturating loss learns and minimax never does (8 runs each, p = 0.016); with Adam's beta1 at 0.5 instead "
        "of 0.9 minimax learns as well (2 of 3 single changes of the recipe end that lead). Over 49 settings of the "
        "two optimizers neither is shown to be the better one: the non-saturating loss is in 56 % of the 36 in which "
        "at least one of the two learns (95 % interval 41 to 70 %); with each at its best setting, the two are equally "
        "good within 10 %."
    )


VERDICTS = ("supported", "refuted", "undecided", "insufficient data", "equivalent", "different")
SEARCHED = ("better", "worse", "detected, not meaningful", "undecided")
TUNED = ("better", "worse", "equivalent", "undecided")


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("verdict", VERDICTS)
def test_every_combination_is_two_whole_sentences_for_a_newcomer(verdict, state):
    kind = "superiority" if verdict in ("supported", "refuted") else "equivalence"
    comparison = compared({SECOND: state}, verdict=verdict, kind=kind)
    turns = ("as printed", "no difference", "reversed", None)
    for search, tuned, turned, share in itertools.product(SEARCHED, TUNED, turns, (0.8, 0.2, None)):
        wins = planted.wins(search, share, share and share - 0.1, share and share + 0.1)
        found = findings(
            comparison,
            ladder=planted.ladder({"printed": ({}, 0, 3, "as printed"), "beta1 0.5": (BETA1, 3, 3, turned)}),
            search=planted.search(wins, planted.tuned_contrast(tuned)),
        )
        text = told(found)
        assert re.fullmatch(r"On [^.]*(\.\d[^.]*)*\. Over [^.]*(\.\d[^.]*)*\.", text), text
        assert not re.search(r"\w_\w|\b[HAS]\d\b|None|nan|\{|\d{4}|\d,\d{3}|\d\.\d{4}", text), text


@pytest.mark.parametrize(
    ("kind", "verdict", "ratio", "expected"),
    [
        ("superiority", "supported", 0.6, "better"),
        ("superiority", "refuted", 1.6, "worse"),
        ("superiority", "undecided", 0.9, "undecided"),
        ("equivalence", "supported", 1.0, "equivalent"),
        ("equivalence", "equivalent", 1.0, "equivalent"),
        ("equivalence", "detected, within the margin", 1.05, "equivalent"),
        ("equivalence", "refuted", 0.6, "better"),
        ("equivalence", "different", 1.6, "worse"),
        ("equivalence", "insufficient data", None, "insufficient data"),
    ],
)
def test_an_outcome_is_that_of_the_contrast(kind, verdict, ratio, expected):
    contrast = replace(RECORD.contrasts[0], kind=kind, verdict=verdict, ratio=ratio)
    assert outcome(contrast) == expected
    every_run = Ratio(0.5, 0.4, 0.6)
    if verdict == "different":
        assert outcome(replace(contrast, ratio=None, scored_ratio=every_run)) == "better"
        assert outcome(replace(contrast, ratio=None, scored_ratio=Ratio(None, None, None))) == "undecided"


@pytest.mark.parametrize(
    ("states", "contrast", "expected"),
    [
        ({SECOND: "never_learnt"}, {}, "the non-saturating loss learns and minimax never does"),
        ({SECOND: "not_yet"}, {}, "the non-saturating loss learns and minimax has not begun to"),
        ({SECOND: "diverged"}, {}, "the non-saturating loss learns and minimax always diverges"),
        ({SECOND: "mode_collapse"}, {}, "the non-saturating loss learns and minimax always draws the same few images"),
        ({FIRST: "never_learnt"}, {"verdict": "refuted"}, "minimax learns and the non-saturating loss never does"),
        (
            {},
            {"ratio": 0.6, "low": 0.5, "high": 0.75},
            "the non-saturating loss is better than minimax, its FID 40 % lower (95 % interval 25 % to 50 % lower;",
        ),
        (
            {},
            {"verdict": "refuted", "ratio": 2.0, "low": 1.25, "high": 4.0},
            "minimax is better than the non-saturating loss, its FID 50 % lower (95 % interval 20 % to 75 % lower;",
        ),
        ({}, {"ratio": None, "low": None, "high": None}, "the non-saturating loss is better than minimax (8 runs each"),
        ({}, {"verdict": "undecided"}, "the data do not decide between the non-saturating loss and minimax (8 runs"),
        ({}, {"verdict": "insufficient data"}, "8 runs each are too few to judge between the non-saturating loss and"),
        (
            {},
            {"verdict": "equivalent", "kind": "equivalence"},
            "the non-saturating loss and minimax are equally good within 10 % (8 runs each",
        ),
        (
            {SECOND: "not_yet"},
            {"verdict": "undecided"},
            "), which learn in 8 of 8 and 0 of 8 runs",
        ),
    ],
)
def test_what_it_says_of_the_printed_recipe(states, contrast, expected):
    assert expected in told(findings(compared(states, **contrast)))


def test_a_p_is_rounded_and_never_zero():
    assert "p = 0.023)" in told(findings(compared({SECOND: "never_learnt"}, p_adjusted=0.02341)))
    assert "p < 0.001)" in told(findings(compared({SECOND: "never_learnt"}, p_adjusted=0.0)))


@pytest.mark.parametrize(
    ("rungs", "expected"),
    [
        ({"printed": (0, 3, "as printed"), "a": (0, 3, "as printed")}, "a single change of it does not alter that"),
        (
            {"printed": (0, 3, "as printed"), "a": (0, 3, "as printed"), "b": (1, 3, "as printed")},
            "none of 2 single changes of it alters that",
        ),
        (
            {"printed": (0, 3, "as printed"), "a": (3, 3, "no difference"), "b": (1, 3, "as printed")},
            "with Adam's beta1 at 0.5 instead of 0.9 minimax learns as well "
            "(1 of 2 single changes of the recipe ends that lead)",
        ),
        (
            {"printed": (0, 3, "as printed"), "a": (1, 3, "no difference")},
            "neither is better on every seed (1 of 1 single change of the recipe ends that lead)",
        ),
        ({"printed": (0, 3, "as printed"), "a": (3, 0, "reversed")}, "minimax is the better one"),
        (
            {"printed": (1, 3, "no difference"), "a": (3, 3, None)},
            "after the 3 epochs for which single changes of it were tried, this lead does not show on every seed",
        ),
        (
            {"printed": (0, 1, None), "a": (3, 3, None)},
            "after the 3 epochs for which single changes of it were tried, this lead does not show on every seed",
        ),
        (
            {"printed": (0, 0, None), "a": (2, 3, None)},
            "after the 3 epochs for which single changes of it were tried, this lead does not show on every seed",
        ),
        (
            {"printed": (0, 0, None), "a": (3, 2, None), "b": (0, 0, None)},
            "within 3 epochs, when neither does on the recipe itself, minimax learns in every run with 1 of 2 single "
            "changes of it: Adam's beta1 at 0.5 instead of 0.9",
        ),
    ],
)
def test_what_it_says_of_single_changes(rungs, expected):
    ladder = planted.ladder({name: ({} if name == "printed" else BETA1, *rest) for name, rest in rungs.items()})
    assert expected in clauses(findings(compared({SECOND: "never_learnt"}), ladder=ladder))[1]


@pytest.mark.parametrize(
    ("rungs", "expected"),
    [
        (
            {"printed": (0, 0, None), "a": (3, 2, None), "b": (2, 3, None)},
            "; 1 of 2 single changes of it lets minimax learn as well, and",
        ),
        (
            {"printed": (0, 0, None), "a": (3, 3, None), "b": (3, 3, None)},
            "; 2 of 2 single changes of it let minimax learn as well, and",
        ),
        (
            {"printed": (0, 3, "as printed"), "a": (3, 3, "no difference"), "b": (1, 3, "as printed")},
            "; 1 of 2 single changes of it ends that lead, and",
        ),
        ({"printed": (0, 0, None), "a": (2, 3, None)}, "minimax never does, and"),
    ],
)
def test_what_the_plain_answer_says_of_single_changes(rungs, expected):
    ladder = planted.ladder({name: ({} if name == "printed" else BETA1, *rest) for name, rest in rungs.items()})
    assert expected in answer(findings(compared({SECOND: "never_learnt", FIRST: "learnt"}), ladder=ladder))


def test_without_a_leader_it_counts_what_the_changes_favour():
    found = findings(compared({}, verdict="undecided"))
    assert clauses(found)[1] == (
        "of 3 single changes of it, 1 favour the non-saturating loss and 1 minimax on every seed"
    )


def test_other_ground_is_no_change_of_the_recipe():
    assert [rung.name for rung in recipe_rungs(planted.ladder())] == [
        "beta1 0.5", "generator's rate x 4", "real label 0.9",
    ]  # fmt: skip
    only = planted.ladder({"printed": ({}, 0, 3, "as printed"), "F": ({"data": "fashion_mnist"}, 3, 0, "reversed")})
    assert "single change" not in told(findings(ladder=only))


@pytest.mark.parametrize(
    ("wins", "expected"),
    [
        (("better", 0.8, 0.66, 0.9), "the non-saturating loss is better than minimax in 80 % of the 36 in which"),
        (("worse", 0.2, 0.1, 0.34), "minimax is better than the non-saturating loss in 80 % of the 36 in which"),
        (("detected, not meaningful", 0.7, 0.55, 0.8), "in the 75 % that we called meaningful"),
        (("detected, not meaningful", 0.3, 0.2, 0.45), "minimax is better than the non-saturating loss in 70 %"),
        (("undecided", 0.4, 0.25, 0.55), "minimax is in 60 % of the 36 in which at least one of the two learns (95 % "
         "interval 45 to 75 %)"),
        (("undecided", None, None, None), "neither the non-saturating loss nor minimax learns"),
    ],
)  # fmt: skip
def test_what_it_says_of_the_settings(wins, expected):
    assert expected in clauses(findings(search=planted.search(planted.wins(*wins))))[-2]


@pytest.mark.parametrize(
    ("tuned", "expected"),
    [
        (
            ("better", 0.8, 0.7, 0.9),
            "the non-saturating loss is better, its FID 20 % lower (95 % interval 10 % to 30 %",
        ),
        (("worse", 1.25, 1.0 / 0.9, 2.0), "minimax is better, its FID 20 % lower (95 % interval 10 % to 50 % lower)"),
        (("worse", None, None, None), "minimax is better"),
        (("equivalent", 1.0, 0.97, 1.03), "the two are equally good within 10 %"),
        (("undecided", 1.0, 0.8, 1.25), "the data do not decide between the two"),
    ],
)
def test_what_it_says_of_the_best_settings(tuned, expected):
    said = clauses(findings(search=planted.search(tuned=planted.tuned_contrast(*tuned))))[-1]
    assert said.startswith(f"with each at its best setting, {expected}")


def test_what_was_not_compared_is_not_told():
    none: SearchRecord = replace(planted.search(), pairs=[])
    untested = replace(RECORD, contrasts=[])
    assert "Over" not in told(findings(search=none))
    assert told(findings(untested)).startswith("Over 49 settings")
    assert told(findings(untested, search=none)) == "No two objectives were compared."


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (BETA1, "Adam's beta1 at 0.5 instead of 0.9"),
        (dict.fromkeys(BETA1, "[0.9, 0.99]"), "Adam's beta2 at 0.99 instead of 0.999"),
        (dict.fromkeys(BETA1, "[0.0, 0.9]"), "Adam's beta1 at 0 instead of 0.9 and beta2 at 0.9 instead of 0.999"),
        ({"generator_optimizer.betas": "[0.5, 0.999]"}, "its name"),
        ({"generator_optimizer.lr": "0.0008"}, "the generator's learning rate times 4"),
        ({"discriminator_optimizer.lr": "5e-05"}, "the discriminator's learning rate divided by 4"),
        ({"generator_optimizer.eps": "1e-15"}, "the generator's eps at 1e-15 instead of 1e-08"),
        ({"real_label": "0.9"}, "real images labelled 0.9 instead of 1"),
        ({"batch_size": "128"}, "batches of 128 instead of 64"),
        ({"discriminator_steps": "2"}, "2 discriminator steps for each of the generator's instead of 1"),
        ({"networks": "dcgan"}, "its name"),
        ({"generator_optimizer.momentum": "0.9"}, "its name"),  # the printed recipe has none
        ({"batch_size": "128", "real_label": "0.9"}, "its name"),
    ],
)
def test_a_change_in_words(changes, expected):
    assert change_in_words(planted.rung("its name", changes, 0, 3, None), RECIPES[FIRST]) == expected


def test_an_objective_of_a_users_own_has_a_name_without_underscores():
    assert spoken("non_saturating") == "the non-saturating loss"
    assert spoken("my_own_idea") == "the my own idea loss"
