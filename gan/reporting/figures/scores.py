"""Figures of scores: seed by seed, contrast by contrast, and ground by ground.

Tables have a column `variant` and a row per run or per contrast. `colours` gives each variant's colour. Intervals and
ratios are drawn as given.
"""

from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gan.compute.tables import FAILURES
from gan.formatting import fixed, interval, score
from gan.records.robustness import Scope
from gan.reporting.figures import drawing
from gan.reporting.figures.drawing import BAND, DASHES, INK, MUTED, NAME_WIDTH, PAPER, RULE, WIDE, Page

FEW_ROWS = 8  # up to so many, rows are tall
LABEL_WIDTH = 44  # characters of a contrast's label on one line
# A ground's verdict is a shape, too: filled where something is decided.
MARKS = {"better": "D", "worse": "D", "equivalent": "s", "undecided": "o"}


def seeds(
    metrics: pd.DataFrame, summary: pd.DataFrame, floor: float, colours: Mapping[str, str], page: Page = WIDE
) -> Figure:
    """One dot per run that survived on a logarithmic axis, above each variant's mean and interval.

    `metrics`: variant, seed, fid (missing where a run diverged) and state; a failed run's dot is a cross.
    `summary`: variant, mean, low, high and how many runs are in each state, for the figure's rows from the top. A seed
    stands at the same height in all of them.
    """
    rows = summary.astype({"mean": float, "low": float, "high": float}).to_dict("records")
    counts = {state: state.replace(" ", "_") for state in FAILURES}
    notes = [", ".join(f"{row[name]} {state}" for state, name in counts.items() if row[name]) for row in rows]
    labels = [[fill(row["variant"], NAME_WIDTH), *filter(None, [note])] for row, note in zip(rows, notes, strict=True)]
    joint = ": " if page.narrow else "\n"
    height = 0.6 if len(summary) <= FEW_ROWS else 0.42
    figure, axes = drawing.rows([joint.join(lines) for lines in labels], height, page)
    numbers = sorted(metrics["seed"].unique())
    top, share = (-0.12, 0.32) if page.narrow else (-0.4, 0.5)
    lift = {seed: top + share * (place + 0.5) / len(numbers) for place, seed in enumerate(numbers)}
    for place, row in enumerate(rows):
        colour = colours[row["variant"]]
        runs = metrics[metrics["variant"] == row["variant"]].dropna(subset="fid")
        heights, lost = place + runs["seed"].map(lift), runs["state"].isin(FAILURES)
        for run, height, failed in zip(runs.itertuples(), heights, lost, strict=True):
            style: dict[str, Any] = (
                {"marker": "x", "markeredgewidth": 0.9} if failed else {"marker": "o", "markeredgewidth": 0}
            )
            (dot,) = axes.plot(run.fid, height, linestyle="", color=colour, markersize=4.2, alpha=0.85, **style)
            drawing.tip(dot, f"{row['variant']}, seed {run.seed}: {score(run.fid)}{' (failed)' if failed else ''}")
        told = f"{row['variant']}: mean {score(row['mean'])}, {score(row['low'])} – {score(row['high'])}"
        lower = 0.36 if page.narrow else 0.27
        drawing.interval(axes, place + lower, row["mean"], row["low"], row["high"], colour, told=told)
    _mark_floor(axes, floor)
    axes.set(xlabel="FID (logarithmic)", ylabel="")
    drawing.log_ticks(axes.xaxis)
    return figure


def _mark_floor(axes: Axes, floor: float) -> None:
    """A dashed line at the floor; a note at the left edge where the line would leave most of the axis empty."""
    low, high = axes.get_xlim()
    note, near = f"floor {score(floor)}", floor > low / (high / low) ** 0.6
    where: Any = ("data", "axes fraction") if near else "axes fraction"
    if near:
        axes.axvline(floor, color=INK, linewidth=1, linestyle=DASHES)
    text, place = (note, (floor, 1.0)) if near else (f"← {note}", (0.0, 1.0))
    style: dict[str, Any] = {"textcoords": "offset points", "va": "bottom", "fontsize": 8.5, "color": MUTED}
    axes.annotate(text, place, (2, 2), xycoords=where, **style)


def ratios(contrasts: pd.DataFrame, margin: float, colours: Mapping[str, str], page: Page = WIDE) -> Figure:
    """A forest plot: each contrast's ratio and interval, the margin of equivalence shaded, a line between families.

    `contrasts`: label, variant, ratio, low, high, family, verdict, scored; a missing ratio leaves its row empty. An
    exploratory contrast is hollow. A ratio with failed runs included (`scored`) is an open triangle.
    """
    height = 0.36 if len(contrasts) <= FEW_ROWS else 0.3
    labels = [fill(label, LABEL_WIDTH) for label in contrasts["label"]]
    if page.narrow:  # there is no room on the right
        labels = [f"{label}: {verdict}" for label, verdict in zip(labels, contrasts["verdict"], strict=True)]
    figure, axes = drawing.rows(labels, 0.8 * height if page.narrow else height, page)
    axes.axvspan(1 / margin, margin, color=BAND, linewidth=0)
    axes.axvline(1, color=MUTED, linewidth=0.8)
    contrasts = contrasts.astype({"ratio": float, "low": float, "high": float})
    for place, row in enumerate(contrasts.to_dict("records")):
        colour = colours[row["variant"]]
        filling = PAPER if row["scored"] or row["family"] == "exploratory" else colour
        marker = "^" if row["scored"] else "D"
        told = f"{row['label']}: {fixed(row['ratio'], 3)}, {interval(row['low'], row['high'], 3)}: {row['verdict']}"
        drawing.interval(axes, place, row["ratio"], row["low"], row["high"], colour, filling, marker, told)
        if place and row["family"] != contrasts["family"].iloc[place - 1]:
            axes.axhline(place - 0.5, color=RULE, linewidth=0.8)
    if not page.narrow:
        verdicts = axes.secondary_yaxis("right")
        verdicts.set_yticks(range(len(contrasts)), contrasts["verdict"])
        verdicts.tick_params(length=0)
        verdicts.spines["right"].set_visible(False)
    gap = "\n" if page.narrow else "  ·  "
    drawn = [1 / margin, margin, *contrasts[["ratio", "low", "high"]].melt()["value"].dropna()]
    axes.set(
        xlim=(min(drawn) / 1.08, max(drawn) * 1.08),
        xlabel=gap.join(["←  first is better", "ratio of FIDs, first / second (logarithmic)", "second is better  →"]),
    )
    drawing.log_ticks(axes.xaxis)
    return figure


def grounds(scope: Scope, names: Sequence[str], margin: float, colours: Mapping[str, str], page: Page = WIDE) -> Figure:
    """A forest plot of one pair of objectives, a row per ground: its ratio and interval, the margin shaded.

    `names` has the two objectives in words. A decided ground has the colour of the objective that is better there; an
    undecided one is a hollow grey ring. An interval that leaves the axis ends at its edge.
    """
    rows = scope.grounds
    figure, axes = drawing.rows([fill(ground.name, LABEL_WIDTH) for ground in rows], 0.24, page)
    axes.axvspan(1 / margin, margin, color=BAND, linewidth=0)
    axes.axvline(1, color=MUTED, linewidth=0.8)
    better = {"better": colours[scope.variant], "worse": colours[scope.against], "equivalent": INK}
    for place, ground in enumerate(rows):
        colour = better.get(ground.verdict, MUTED)
        told = (
            f"{ground.name} ({ground.data}): ratio {fixed(ground.ratio, 2)}, "
            f"{interval(ground.low, ground.high, 2)}, n = {ground.n}: {ground.verdict}"
        )
        ratio, low, high = (float("nan") if end is None else end for end in (ground.ratio, ground.low, ground.high))
        filling = colour if ground.verdict in better else PAPER
        marker = MARKS.get(ground.verdict, MARKS["undecided"])
        drawing.interval(axes, place, ratio, low, high, colour, filling, marker, told)
    # One ground with an interval over decades must not press all others together.
    ratios = [ground.ratio for ground in rows if ground.ratio] or [1.0]
    ends = [end for ground in rows for end in (ground.low, ground.high) if end]
    least = max(min([*ends, *ratios, 1 / margin]), min([*ratios, 1 / margin]) / 2.5)
    most = min(max([*ends, *ratios, margin]), max([*ratios, margin]) * 2.5)
    left, right = (f"{name} better" for name in names)
    gap = "\n" if page.narrow else "  ·  "
    axes.set(
        xlim=(least / 1.08, most * 1.08),
        xlabel=f"←  {left}{gap}ratio of {scope.metric.upper()}s (logarithmic){gap}{right}  →",
    )
    drawing.log_ticks(axes.xaxis)
    return figure
