"""The specification curve: what the declared contrasts become under other choices, drawn."""

from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from gan.formatting import fixed, interval, percent
from gan.records.specifications import Outcome, Specification, SpecificationCurve, Summary
from gan.reporting.figures import drawing
from gan.reporting.figures.drawing import MUTED, RULE, WIDE, Page

OUTCOMES: tuple[Outcome, ...] = ("better", "equivalent", "worse", "undecided")
# What is undecided is as grey as the text beside it.
COLOURS: Mapping[str, str] = {"better": "#0072b2", "equivalent": "#009e73", "worse": "#d55e00", "undecided": MUTED}
# An option of each choice, beside its row.
LABELS: Mapping[str, str] = {
    "metric": "{}",
    "snapshots": "{}",
    "failures": "{}",
    "epoch": "{} epochs",
    "classifier": "classifier {}",
    "margin": "margin {}",
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
ROW_HEIGHT, CURVE_HEIGHT = 0.19, 2.1  # inches
TITLE_WIDTH = 96  # characters of all panels' titles on one line


def specifications(curve: SpecificationCurve, contrasts: Sequence[str], page: Page = WIDE) -> Figure:
    """Each of these contrasts' estimates, sorted, above the choices that each estimate was made with.

    An estimate is the probability that a run of the first variant is better than one of the second, with its interval.
    A mark stands where a specification has the row's option; its colour is the outcome. Beside each row is how many
    specifications of all that have its option agree with the published verdict. Specifications that differ in their
    margin alone have one estimate and one column, in the colour of the published margin's outcome.
    """
    shown = [summary for summary in curve.contrasts if summary.contrast in contrasts and summary.total]
    rows = _rows(shown)
    height = ROW_HEIGHT * len(rows)
    count, heights = max(len(shown), 1), [CURVE_HEIGHT, max(height, 1)]
    stacked = count if page.narrow else 1  # pairs of panels, one below the other
    figure = Figure(figsize=(page.width, stacked * (CURVE_HEIGHT + height + 0.8)), layout="constrained")
    shape = (2 * stacked, 1) if page.narrow else (2, count)
    sharing: dict[str, Any] = {} if page.narrow else {"sharex": "col", "sharey": "row"}
    grid = figure.subplots(*shape, squeeze=False, height_ratios=heights * stacked, **sharing)
    for place, summary in enumerate(shown):
        above, below = grid[2 * place : 2 * place + 2, 0] if page.narrow else grid[:, place]
        table = _columns([each for each in curve.specifications if each.contrast == summary.contrast], curve.margin)
        title = f"{summary.contrast}  {summary.variant} / {summary.against}"
        _estimates(above, table, fill(title, 44 if page.narrow else TITLE_WIDTH // len(shown)))
        _choices(below, table, rows, summary)
        below.set_xlim(above.get_xlim())
        if page.narrow or not place:
            above.set_ylabel(f"P(first is better), {percent(1 - curve.alpha)} intervals", fontsize=8.5)
    occurring = {each.outcome for each in curve.specifications if each.contrast in contrasts}
    lines: dict[str, Line2D] = {
        each: Line2D([], [], color=COLOURS[each], linestyle="", marker="o", markersize=5)
        for each in OUTCOMES
        if each in occurring
    }
    drawing.legend(figure, lines, page)
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
    for row in columns.to_dict("records"):
        line = axes.vlines(row["place"], row["low"], row["high"], color=row["colour"], linewidth=1.2, alpha=0.5)
        (dot,) = axes.plot(
            row["place"], row["estimate"], "o", color=row["colour"], markersize=3, markeredgewidth=0, zorder=2
        )
        chosen = ", ".join(LABELS[each].format(row[each]) for each in LABELS if each != "margin")
        for mark in (line, dot):
            drawing.tip(
                mark,
                f"{chosen}: {fixed(row['estimate'], 2)} ({interval(row['low'], row['high'], 2)}), {row['outcome']}",
            )
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
