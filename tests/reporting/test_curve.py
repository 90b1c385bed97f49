"""The specification curve shows every specification where it belongs, and the sentences count right."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from matplotlib.colors import to_hex

from gan.records.specifications import Agreement, Outcome, Specification, SpecificationCurve, Summary
from gan.reporting import curve
from gan.reporting.figures import drawing
from gan.reporting.figures import specifications as drawn_curve

FAILURES = ("worst", "left out")


def specification(
    contrast: str, metric: str, failures: str, epoch: int, margin: float | None, estimate: float, outcome: Outcome
) -> Specification:
    return Specification(
        contrast=contrast,
        metric=metric,
        snapshots="averaged",
        failures=failures,
        epoch=epoch,
        classifier=0,
        margin=margin,
        n=10,
        estimate=estimate,
        low=estimate - 0.1,
        high=min(1, estimate + 0.1),
        p=0.01,
        p_adjusted=0.02,
        outcome=outcome,
        agrees=outcome == ("better" if margin is None else "equivalent"),
    )


def summary(own: list[Specification], published: Outcome = "better", left_out: int = 0) -> Summary:
    choices: dict[str, dict[str, Agreement]] = {}
    for choice in drawn_curve.LABELS:
        for option in dict.fromkeys(getattr(each, choice) for each in own):
            among = [each.agrees for each in own if getattr(each, choice) == option]
            if option is not None:
                choices.setdefault(choice, {})[str(option)] = Agreement(len(among), sum(among))
    return Summary(
        total=len(own),
        agreeing=sum(each.agrees for each in own),
        contrast=own[0].contrast if own else "H1",
        kind="superiority",
        variant="non_saturating",
        against="minimax",
        published=published,
        left_out=left_out,
        choices=choices,
    )


def superiority(*undecided: tuple[str, str, int]) -> list[Specification]:
    """H1 under three metrics, two rules and two epochs; those given are undecided."""
    places = list(product(("fid", "recall", "digits"), FAILURES, (8, 20)))
    return [
        specification("H1", *place, None, 0.95 - 0.02 * k, "undecided" if place in undecided else "better")
        for k, place in enumerate(places)
    ]


def equivalence() -> list[Specification]:
    return [
        specification("A1", "fid", rule, 20, margin, 0.4 + 0.1 * k, "undecided" if margin < 1.1 else "equivalent")
        for k, (rule, margin) in enumerate(product(FAILURES, (1.05, 1.1)))
    ]


def whole(own: list[Specification], others: list[Specification] | None = None, left_out: int = 0) -> SpecificationCurve:
    summaries = [summary(own, left_out=left_out)]
    summaries += [summary(others, "equivalent")] if others else []
    return SpecificationCurve(alpha=0.05, margin=1.1, contrasts=summaries, specifications=[*own, *(others or [])])


@pytest.mark.parametrize(
    ("undecided", "said"),
    [
        ((), "all 12 specifications agree that the first is better."),
        (
            [("digits", "worst", 8), ("digits", "left out", 8)],
            "10 of 12 specifications agree that the first is better; the other 2 are undecided, both after 8 epochs by "
            "digits.",
        ),
        (
            [("recall", "worst", 8), ("recall", "worst", 20), ("digits", "worst", 8)],
            "9 of 12 specifications agree that the first is better; the other 3 are undecided, all by recall or digits "
            "with failures ranked last.",
        ),
        (
            [("fid", "worst", 20), ("recall", "left out", 8), ("digits", "worst", 8)],
            "9 of 12 specifications agree that the first is better; the other 3 are undecided.",
        ),
        (
            [("fid", "worst", 20)],
            "11 of 12 specifications agree that the first is better; the other one is undecided, after 20 epochs by "
            "FID with failures ranked last.",
        ),
    ],
    ids=["all", "one metric at one epoch", "two metrics under one rule", "nothing in common", "one alone"],
)
def test_a_sentence_says_what_those_that_do_not_agree_have_in_common(undecided: tuple, said: str) -> None:
    assert curve.agreement_of(whole(superiority(*undecided)), "H1") == f"H1 (non_saturating against minimax): {said}"


def test_a_sentence_counts_what_says_the_contrary_and_what_could_not_be_computed() -> None:
    own = superiority(("fid", "worst", 8))
    own[1] = replace(own[1], outcome="worse", agrees=False)
    made = whole(own, equivalence(), left_out=5)
    assert "of the others 1 is worse and 1 is undecided" in curve.agreement_of(made, "H1")
    assert curve.agreement_of(made, "H1").endswith("; 5 more could not be computed.")
    assert curve.agreement(made) == (
        "Of 16 specifications, 12 agree with the published verdicts (10 of 12 for H1 and 2 of 4 for A1), "
        "and 1 says the contrary."
    )
    assert curve.agreement(whole(superiority())).endswith("and none says the contrary.")
    empty = whole([], left_out=84)
    assert curve.agreement(empty) == "No contrast could be decided under other choices."
    assert "none of its 84 specifications could be computed" in curve.agreement_of(empty, "H1")


def test_estimates_rise_and_every_mark_stands_below_its_own() -> None:
    own = superiority(("digits", "worst", 8), ("digits", "left out", 8))
    above, below = drawn_curve.specifications(whole(own), ["H1"]).axes[:2]
    points = np.asarray([line.get_xydata()[0] for line in above.lines[1:]])  # the first is at 0.5
    ordered = sorted(own, key=lambda each: each.estimate)
    np.testing.assert_allclose(points[:, 1], [each.estimate for each in ordered])
    np.testing.assert_allclose(
        [line.get_segments()[0][:, 1] for line in above.collections], [[each.low, each.high] for each in ordered]
    )
    labels = [label.get_text() for label in below.get_yticklabels()]
    assert labels == [
        "FID", "recall", "digits", "averaged snapshots", "failures ranked last", "failures left out", "8 epochs",
        "20 epochs", "classifier 0",
    ]  # fmt: skip
    for row, (choice, option) in enumerate(
        [("metric", "fid"), ("metric", "recall"), ("metric", "digits"), ("snapshots", "averaged")]
    ):
        places = [segment[0, 0] for segment in below.collections[row].get_segments()]
        assert places == [place for place, each in enumerate(ordered) if getattr(each, choice) == option]
    colours = [to_hex(colour) for colour in below.collections[2].get_colors()]
    assert colours == [drawn_curve.COLOURS[each.outcome] for each in ordered if each.metric == "digits"]


def test_margins_share_a_column_and_beside_each_row_is_its_agreement() -> None:
    own = [replace(each, estimate=0.5, low=0.3, high=0.7) for each in equivalence()]
    figure = drawn_curve.specifications(whole(superiority(), own), ["A1"])
    above, below = figure.axes[:2]
    assert len(above.lines[1:]) == len(FAILURES)
    assert {line.get_color() for line in above.lines[1:]} == {drawn_curve.COLOURS["equivalent"]}
    (counts,) = below.child_axes
    beside = dict(
        zip(
            [label.get_text() for label in below.get_yticklabels()],
            [label.get_text() for label in counts.get_yticklabels()],
            strict=True,
        )
    )
    assert beside == {
        "FID": "2 of 4",
        "averaged snapshots": "2 of 4",
        "failures ranked last": "1 of 2",
        "failures left out": "1 of 2",
        "20 epochs": "2 of 4",
        "classifier 0": "2 of 4",
        "margin 1.05": "0 of 2",
        "margin 1.1": "2 of 2",
    }
    assert {to_hex(each) for each in below.collections[-2].get_colors()} == {drawn_curve.COLOURS["undecided"]}
    assert below.get_xlabel() == "specifications: 2 of 4 agree"


@pytest.mark.parametrize("contrasts", [["H1"], ["H1", "A1"], ["H9"]])
def test_identical_numbers_give_identical_bytes_whatever_is_shown(tmp_path, contrasts: list[str]) -> None:
    texts = []
    for name in ("first", "second"):
        drawing.save(drawn_curve.specifications(whole(superiority(), equivalence()), contrasts), tmp_path / name)
        texts.append((tmp_path / name).read_bytes())
    assert texts[0] == texts[1]


def test_no_label_overlaps_another() -> None:
    figure = drawn_curve.specifications(whole(superiority(), equivalence()), ["H1", "A1"])
    figure.draw_without_rendering()
    boxes = [axes.title.get_window_extent() for axes in figure.axes[:2]]
    boxes += [label.get_window_extent() for axes in figure.axes[2:] for label in axes.get_yticklabels()]
    assert not any(one.overlaps(other) for k, one in enumerate(boxes) for other in boxes[:k])
