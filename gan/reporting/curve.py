"""The specification curve: what the declared contrasts become under other choices, drawn and said."""

from collections.abc import Mapping, Sequence
from textwrap import fill

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from gan.formatting import counted, joined, percent
from gan.records.specifications import Outcome, Specification, SpecificationCurve, Summary
from gan.reporting import drawing
from gan.reporting.drawing import MUTED, RULE, WIDTH

OUTCOMES: tuple[Outcome, ...] = ("better", "equivalent", "worse", "undecided")
# What is undecided is as grey as the text beside it.
COLOURS: Mapping[str, str] = {**drawing.palette(OUTCOMES), "undecided": MUTED}
# An option of each choice beside its row, and in a sentence.
LABELS: Mapping[str, str] = {
    "metric": "{}",
    "snapshots": "{}",
    "failures": "{}",
    "epoch": "{} epochs",
    "classifier": "classifier {}",
    "margin": "margin {}",
}
PHRASES: Mapping[str, str] = {
    "epoch": "after {} epochs",
    "metric": "by {}",
    "snapshots": "with {}",
    "failures": "with {}",
    "classifier": "by classifier {}",
    "margin": "within a margin of {}",
}
NAMES: Mapping[str, str] = {
    "fid": "FID",
    "kid": "KID",
    "averaged": "averaged snapshots",
    "last": "the last snapshot",
    "worst": "failures ranked last",
    "as scored": "failures as scored",
    "left out": "failures left out",
}
NAMED_AT_MOST = 2  # options of one choice that a sentence lists
ROW_HEIGHT, CURVE_HEIGHT = 0.19, 2.1  # inches
TITLE_WIDTH = 96  # characters of all panels' titles on one line


def specifications(curve: SpecificationCurve, contrasts: Sequence[str]) -> Figure:
    """Each of these contrasts' estimates, sorted, above the choices that each estimate was made with.

    An estimate is the probability that a run of the first variant is better than one of the second, with its interval.
    A mark stands where a specification has the row's option; its colour is the outcome. Beside each row is how many
    specifications of all that have its option agree with the published verdict. Specifications that differ in their
    margin alone have one estimate and one column, in the colour of the published margin's outcome.
    """
    shown = [summary for summary in curve.contrasts if summary.contrast in contrasts and summary.total]
    rows = _rows(shown)
    height = ROW_HEIGHT * len(rows)
    figure = Figure(figsize=(WIDTH, CURVE_HEIGHT + height + 0.8), layout="constrained")
    columns, heights = max(len(shown), 1), [CURVE_HEIGHT, max(height, 1)]
    grid = figure.subplots(2, columns, sharex="col", sharey="row", squeeze=False, height_ratios=heights)
    for place, summary in enumerate(shown):
        above, below = grid[:, place]
        table = _columns([each for each in curve.specifications if each.contrast == summary.contrast], curve.margin)
        title = f"{summary.contrast}  {summary.variant} / {summary.against}"
        _estimates(above, table, fill(title, TITLE_WIDTH // len(shown)))
        _choices(below, table, rows, summary)
    grid[0, 0].set_ylabel(f"P(first is better), {percent(1 - curve.alpha)} intervals")
    occurring = {each.outcome for each in curve.specifications if each.contrast in contrasts}
    lines: dict[str, Line2D] = {
        each: Line2D([], [], color=COLOURS[each], linestyle="", marker="o", markersize=5)
        for each in OUTCOMES
        if each in occurring
    }
    drawing.legend(figure, lines)
    return figure


def _rows(summaries: Sequence[Summary]) -> list[tuple[str, str]]:
    """The choices and options that any of the contrasts has, in their order."""
    return list(
        dict.fromkeys(
            (choice, option) for choice in LABELS for each in summaries for option in each.choices.get(choice, {})
        )
    )


def _columns(specifications: Sequence[Specification], margin: float) -> pd.DataFrame:
    """A contrast's specifications with the `place` of their column and its `colour`, sorted by their estimates.

    An option is text, as in a summary.
    """
    table = pd.DataFrame(specifications)
    table["off"] = (table["margin"].astype(float) - margin).abs().fillna(0)
    table["outcome"] = pd.Categorical(table["outcome"], OUTCOMES[::-1])
    choices = [choice for choice in LABELS if choice != "margin"]
    of_column = table.sort_values("off", kind="stable").groupby(choices, sort=False).first()
    order = of_column.sort_values(["estimate", "outcome"], kind="stable")
    order["place"], order["colour"] = range(len(order)), order["outcome"].map(COLOURS).astype(str)
    table = table.join(order[["place", "colour"]], on=choices)
    return table.astype(dict.fromkeys(LABELS, str)).sort_values("place", kind="stable")


def _estimates(axes: Axes, table: pd.DataFrame, title: str) -> None:
    axes.axhline(0.5, color=MUTED, linewidth=0.8)
    columns = table.drop_duplicates("place")
    axes.vlines(columns["place"], columns["low"], columns["high"], color=columns["colour"], linewidth=1.2, alpha=0.4)
    axes.scatter(columns["place"], columns["estimate"], s=9, color=columns["colour"], linewidth=0, zorder=2)
    axes.set(title=title, xlim=(-1, table["place"].max() + 1), ylim=(-0.04, 1.04))
    axes.tick_params(axis="x", length=0, labelbottom=False)
    axes.spines["bottom"].set_visible(False)


def _choices(axes: Axes, table: pd.DataFrame, rows: Sequence[tuple[str, str]], summary: Summary) -> None:
    heights = range(len(rows))
    for height, (choice, option) in zip(heights, rows, strict=True):
        chosen = table[table[choice] == option].drop_duplicates("place")
        colours = chosen["outcome"].map(COLOURS).astype(str) if choice == "margin" else chosen["colour"]
        axes.vlines(chosen["place"], height - 0.32, height + 0.32, color=colours, linewidth=1.2)
        if height and choice != rows[height - 1][0]:
            axes.axhline(height - 0.5, color=RULE, linewidth=0.7)
    axes.set(ylim=(len(rows) - 0.5, -0.5), xlabel=f"specifications: {summary.agreeing} of {summary.total} agree")
    axes.set_yticks(heights, [LABELS[choice].format(NAMES.get(option, option)) for choice, option in rows])
    counts = axes.secondary_yaxis("right")
    counts.set_yticks(heights, [_count(summary, choice, option) for choice, option in rows])
    for each in (axes, counts):
        each.tick_params(length=0, labelbottom=False)
        each.spines[:].set_visible(False)


def _count(summary: Summary, choice: str, option: str) -> str:
    """`12 of 14`, or nothing where a contrast has no specification of that option."""
    agreement = summary.choices.get(choice, {}).get(option)
    return f"{agreement.agreeing} of {agreement.total}" if agreement else ""


def agreement(curve: SpecificationCurve) -> str:
    """One sentence on all contrasts: how many specifications agree, and whether any points the other way."""
    counted_in = [summary for summary in curve.contrasts if summary.total]
    if not counted_in:
        return "No contrast could be decided under other choices."
    by_contrast = joined([f"{one.agreeing} of {one.total} for {one.contrast}" for one in counted_in])
    total, agreeing = (sum(getattr(one, name) for one in counted_in) for name in ("total", "agreeing"))
    published = {one.contrast: one.published for one in counted_in}
    contrary = sum(
        not each.agrees and "undecided" not in (each.outcome, published[each.contrast]) for each in curve.specifications
    )
    against = f"{contrary} {'says' if contrary == 1 else 'say'} the contrary" if contrary else "none says the contrary"
    agree = f"{agreeing} agree with the published verdicts ({by_contrast})"
    return f"Of {counted(total, 'specification')}, {agree}, and {against}."


def agreement_of(curve: SpecificationCurve, contrast: str) -> str:
    """One sentence: how many of a contrast's specifications agree, what the others say and what they have in common."""
    summary = next(each for each in curve.contrasts if each.contrast == contrast)
    own = [each for each in curve.specifications if each.contrast == contrast]
    pair = f"{summary.contrast} ({summary.variant} against {summary.against})"
    if not own:
        return f"{pair}: none of its {counted(summary.left_out, 'specification')} could be computed."
    verb = "agrees" if summary.agreeing == 1 else "agree"
    published = f"{verb} that {_said(summary)}"
    left_out = f"; {summary.left_out} more could not be computed" if summary.left_out else ""
    others = [each for each in own if not each.agrees]
    if not others:
        which = f"all {summary.total} specifications" if summary.total > 1 else "the one specification"
        return f"{pair}: {which} {published}{left_out}."
    specifications = counted(summary.total, "specification")
    return f"{pair}: {summary.agreeing} of {specifications} {published}; {_others(others, own)}{left_out}."


def _said(summary: Summary) -> str:
    if summary.published == "undecided":
        return "nothing is decided"
    return "the two are equivalent" if summary.published == "equivalent" else f"the first is {summary.published}"


def _others(others: Sequence[Specification], own: Sequence[Specification]) -> str:
    """`of the others 3 are undecided and 1 is worse, all after 8 epochs by recall`."""
    counts = {outcome: sum(each.outcome == outcome for each in others) for outcome in OUTCOMES}
    occurring = {outcome: count for outcome, count in counts.items() if count}
    said = joined([f"{count} {'is' if count == 1 else 'are'} {outcome}" for outcome, count in occurring.items()])
    opening = "of the others" if len(occurring) > 1 else "the other"
    common = _common(others, own)
    if len(others) == 1:
        opening, said = "the other one", f"is {others[0].outcome}"
    quantity = {1: "", 2: "both "}.get(len(others), "all ")
    return f"{opening} {said}" + (f", {quantity}{common}" if common else "")


def _common(others: Sequence[Specification], own: Sequence[Specification]) -> str:
    """What `others` have in common and some of the rest of `own` have not: at most a few options of a choice."""
    phrases = []
    for choice, phrase in PHRASES.items():
        options = list(dict.fromkeys(getattr(each, choice) for each in others))
        within = [each for each in own if getattr(each, choice) in options]
        if len(options) <= NAMED_AT_MOST and len(within) < len(own):
            phrases.append(phrase.format(" or ".join(NAMES.get(str(option), str(option)) for option in options)))
            own = within
    return " ".join(phrases)
