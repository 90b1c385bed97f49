"""Figures of the designed experiments: the search, the ladder, and what training costs.

`colours` has that of each objective, in their order; each objective has a marker of its own, too, so that colour is
never all that tells them apart.
"""

from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FixedLocator, MaxNLocator, PercentFormatter

from gan.formatting import score
from gan.records.robustness import BestOfK, Cell, LadderRecord, Rung, SearchRecord
from gan.reporting.figures import drawing
from gan.reporting.figures.drawing import DASHES, INK, MUTED, RULE, WIDE, Page

MARKERS = ("o", "s", "^", "D", "v", "P")
SHARES = colormaps["cividis"]  # even in its lightness, and the same to all kinds of eyes
ON_DARK, ON_LIGHT = "#fdfdfd", "#101010"  # text on a tile, which stays as it is on a dark page
LABEL_WIDTH = 30  # characters of a rung's name on one line
TURNED = {"as printed": "", "no difference": "lead gone", "reversed": "reversed"}


def learning_map(search: SearchRecord, page: Page = WIDE) -> Figure:
    """The share of configurations that learn, by beta1 and the ratio of learning rates: a panel per objective.

    Each tile says how many of its configurations learn; the lighter the more.
    """
    objectives = {name: searched.map for name, searched in search.objectives.items()}
    cells = [cell for each in objectives.values() for cell in each]
    betas, bands = sorted({cell.beta1 for cell in cells}), sorted({(cell.ratio_low, cell.ratio_high) for cell in cells})
    figure = Figure(
        figsize=(page.width, 1.1 + (0.46 if page.narrow else 0.62) * max(len(bands), 1)), layout="constrained"
    )
    grid = figure.subplots(1, len(objectives), sharex=True, sharey=True, squeeze=False)
    for axes, (name, tiles) in zip(grid.flat, objectives.items(), strict=True):
        for cell in tiles:
            place = betas.index(cell.beta1), bands.index((cell.ratio_low, cell.ratio_high))
            _tile(axes, place, cell, name, page)
        searched = search.objectives[name]
        learnt = f"{searched.learnt} of {searched.configurations} learn"
        if page.narrow:
            axes.set_title(f"{name.replace('_', chr(10), 1)}\n{learnt}", fontsize=7.5)
        else:
            axes.set_title(f"{fill(name, drawing.NAME_WIDTH)}: {learnt}")
        axes.set(xlim=(-0.5, len(betas) - 0.5), ylim=(-0.5, len(bands) - 0.5))
        axes.set_xticks(range(len(betas)), [f"{beta:g}" for beta in betas])
        axes.set_yticks(range(len(bands)), [_band(*band) for band in bands])
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
    figure.supxlabel("Adam's beta1, of both players", color=MUTED)
    figure.supylabel("discriminator's learning rate\nover the generator's", color=MUTED)
    return figure


def _tile(axes: Axes, place: tuple[int, int], cell: Cell, objective: str, page: Page) -> None:
    (column, row), share = place, cell.learnt / cell.n
    tile = Rectangle((column - 0.48, row - 0.46), 0.96, 0.92, color=SHARES(share), linewidth=0)
    axes.add_patch(tile)
    style: dict[str, Any] = {"ha": "center", "va": "center", "color": ON_LIGHT if share > 0.55 else ON_DARK}
    written = f"{cell.learnt}/{cell.n}" if page.narrow else f"{cell.learnt} of {cell.n}"
    text = axes.text(column, row, written, **style, fontsize=8.5 if page.narrow else 10, fontweight="bold")
    for artist in (tile, text):
        where = f"beta1 {cell.beta1:g}, ratio of rates {_band(cell.ratio_low, cell.ratio_high)}"
        drawing.tip(artist, f"{objective}, {where}: {cell.learnt} of {cell.n} settings learn")


def _band(low: float, high: float) -> str:
    return f"{low:.2g}" if low == high else f"{low:.2g} to {high:.2g}"


def best_of_k(search: SearchRecord, colours: Mapping[str, str], page: Page = WIDE) -> Figure:
    """The expected metric of the best of k configurations, with its band, a line per objective."""
    figure = Figure(figsize=(page.width * (1 if page.narrow else 0.75), 3.1), layout="constrained")
    axes = figure.subplots()
    axes.axhline(search.mean_image, color=MUTED, linewidth=0.9, linestyle=DASHES)
    most = max(max(each.best_of_k.k) for each in search.objectives.values())
    style: dict[str, Any] = {"va": "bottom", "ha": "right", "fontsize": 8.5}
    axes.text(most, search.mean_image, "mean image: nothing learnt", color=MUTED, **style)
    lines = {}
    for marker, (name, searched) in zip(markers(search.objectives), search.objectives.items(), strict=True):
        curve: BestOfK = searched.best_of_k
        axes.fill_between(curve.k, curve.low, curve.high, color=colours[name], alpha=0.18, linewidth=0)
        (lines[name],) = axes.plot(
            curve.k, curve.expected, color=colours[name], linewidth=1.8, marker=marker, markersize=4
        )
        one, best = score(curve.expected[0]), score(curve.expected[-1])
        drawing.tip(lines[name], f"{name}: {one} with one setting, {best} with the best of {curve.k[-1]}")
    axes.set(
        yscale="log",
        xlabel="configurations tried",
        ylabel=f"expected {search.metric.upper()} of the best (log.)",
    )
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    drawing.log_ticks(axes.yaxis)
    drawing.legend(figure, lines, page)
    return figure


def ladder(record: LadderRecord, colours: Mapping[str, str], page: Page = WIDE) -> Figure:
    """Each rung's share of seeds that learn, and the metric, by objective; the printed recipe is on top."""
    rungs = record.rungs
    height = 0.32 + drawing.LABEL_LINE if page.narrow else 0.36
    figure = Figure(figsize=(page.width, 0.9 + height * len(rungs)), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=[1, 1.6])
    lift = np.linspace(-0.17, 0.17, len(record.objectives)) if len(record.objectives) > 1 else [0.0]
    lines = {}
    for place, (name, marker) in enumerate(zip(record.objectives, markers(record.objectives), strict=True)):
        steps = [next(step for step in rung.steps if step.objective == name) for rung in rungs]
        heights = np.arange(len(rungs)) + lift[place]
        style: dict[str, Any] = {"color": colours[name], "marker": marker, "markersize": 5.5, "linestyle": ""}
        for rung, step, y in zip(rungs, steps, heights, strict=True):
            x = np.nan if step.mean is None else step.mean
            marks = [*left.plot(step.learnt / step.n, y, **style, clip_on=False, zorder=3), *right.plot(x, y, **style)]
            lines[name] = marks[-1]
            told = f"{step.learnt} of {step.n} seeds learn, {record.metric.upper()} {score(step.mean)}"
            for mark in marks:
                drawing.tip(mark, f"{name}, {rung.name}: {told}")
    for axes in (left, right):
        for height in range(len(rungs)):
            axes.axhline(height, color=RULE, linewidth=0.6, zorder=0)
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", length=0, labelcolor=INK)
    left.set(xlabel="seeds that learn", xlim=(-0.03, 1.03), ylim=(len(rungs) - 0.5, -0.5))
    left.xaxis.set_major_locator(FixedLocator([0, 0.5, 1]))
    left.xaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    labels = [fill(rung.name, LABEL_WIDTH) for rung in rungs]
    if page.narrow:
        labels = [": ".join(filter(None, [rung.name, _turned(rung)])) for rung in rungs]
    drawing.label_rows(left, labels, page)
    right.set(xscale="log", xlabel=f"{record.metric.upper()} (log.; lower is better)")
    drawing.log_ticks(right.xaxis)
    if not page.narrow:
        notes = right.secondary_yaxis("right")
        notes.set_yticks(range(len(rungs)), [_turned(rung) for rung in rungs])
        notes.tick_params(length=0)
        notes.spines["right"].set_visible(False)
    drawing.legend(figure, lines, page)
    return figure


def _turned(rung: Rung) -> str:
    return TURNED[rung.turned] if rung.turned else ""


def cost(snapshots: pd.DataFrame, colours: Mapping[str, str], page: Page = WIDE) -> Figure:
    """FID against minutes of training (variant, seed, minutes, epoch, fid): each variant's geometric mean over seeds.

    The other variants' lines are repeated in grey.
    """
    figure, panels = drawing.panels(
        colours, "minutes that a run has trained (log.)", "FID (log.)", x_scale="log", y_scale="log", page=page
    )
    means = {}
    for variant, axes in panels.items():
        points = snapshots[snapshots["variant"] == variant].dropna(subset="fid")
        if points.empty:
            continue
        logs = points.assign(log=np.log(points["fid"].astype(float))).groupby("epoch")[["minutes", "log"]].mean()
        style: dict[str, Any] = {"color": colours[variant], "linewidth": 1.8, "marker": "o", "markersize": 3.5}
        (means[variant],) = axes.plot(logs["minutes"], np.exp(logs["log"]), **style)
        last = f"FID {score(float(np.exp(logs['log'].iloc[-1])))} after {logs['minutes'].iloc[-1]:.2g} minutes"
        drawing.tip(means[variant], f"{variant}: {last}")
    drawing.other_means(panels, means)
    drawing.finish(panels)
    if means:
        drawing.log_ticks(next(iter(panels.values())).xaxis)
    return figure


def markers(names: Sequence[Any] | Mapping[str, Any]) -> list[str]:
    """A marker for each name, in their order."""
    return [MARKERS[place % len(MARKERS)] for place in range(len(names))]
