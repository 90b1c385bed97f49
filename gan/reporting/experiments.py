"""Figures of the designed experiments: the ladder, the search, and what Adam remembers.

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
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator, PercentFormatter

from gan.formatting import three_digits
from gan.records.memory import Memory, Run
from gan.records.robustness import BestOfK, Cell, LadderRecord, Rung, SearchRecord
from gan.reporting import drawing
from gan.reporting.drawing import DASHES, INK, MUTED, RULE, WIDTH

MARKERS = ("o", "s", "^", "D", "v", "P")
SHARES = colormaps["cividis"]  # even in its lightness, and the same to all kinds of eyes
ON_DARK, ON_LIGHT = "#fdfdfd", "#101010"  # text on a tile, which stays as it is on a dark page
LABEL_WIDTH = 30  # characters of a rung's name on one line
FROM_START, AFTER_SWITCH = "trained so from the start", "from one and the same freeze on"
TURNED = {"as printed": "", "no difference": "lead gone", "reversed": "reversed"}


def learning_map(search: SearchRecord) -> Figure:
    """The share of configurations that learn, by beta1 and the ratio of learning rates: a panel per objective.

    Each tile says how many of its configurations learn; the lighter the more.
    """
    objectives = {name: searched.map for name, searched in search.objectives.items()}
    cells = [cell for each in objectives.values() for cell in each]
    betas, bands = sorted({cell.beta1 for cell in cells}), sorted({(cell.ratio_low, cell.ratio_high) for cell in cells})
    figure = Figure(figsize=(WIDTH, 1.1 + 0.62 * max(len(bands), 1)), layout="constrained")
    grid = figure.subplots(1, len(objectives), sharex=True, sharey=True, squeeze=False)
    for axes, (name, tiles) in zip(grid.flat, objectives.items(), strict=True):
        for cell in tiles:
            _tile(axes, betas.index(cell.beta1), bands.index((cell.ratio_low, cell.ratio_high)), cell)
        searched = search.objectives[name]
        title = f"{fill(name, drawing.NAME_WIDTH)}: {searched.learnt} of {searched.configurations} learn"
        axes.set(title=title, xlim=(-0.5, len(betas) - 0.5), ylim=(-0.5, len(bands) - 0.5))
        axes.set_xticks(range(len(betas)), [f"{beta:g}" for beta in betas])
        axes.set_yticks(range(len(bands)), [_band(*band) for band in bands])
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
    figure.supxlabel("Adam's beta1, of both players", color=MUTED)
    figure.supylabel("discriminator's learning rate\nover the generator's", color=MUTED)
    return figure


def _tile(axes: Axes, column: int, row: int, cell: Cell) -> None:
    share = cell.learnt / cell.n
    axes.add_patch(Rectangle((column - 0.48, row - 0.46), 0.96, 0.92, color=SHARES(share), linewidth=0))
    style: dict[str, Any] = {"ha": "center", "va": "center", "color": ON_LIGHT if share > 0.55 else ON_DARK}
    axes.text(column, row, f"{cell.learnt} of {cell.n}", **style, fontsize=10, fontweight="bold")


def _band(low: float, high: float) -> str:
    return f"{low:.2g}" if low == high else f"{low:.2g} to {high:.2g}"


def best_of_k(search: SearchRecord, colours: Mapping[str, str]) -> Figure:
    """The expected metric of the best of k configurations, with its band, a line per objective."""
    figure = Figure(figsize=(WIDTH * 0.75, 3.1), layout="constrained")
    axes = figure.subplots()
    axes.axhline(search.mean_image, color=MUTED, linewidth=0.9, linestyle=DASHES)
    most = max(max(each.best_of_k.k) for each in search.objectives.values())
    style: dict[str, Any] = {"va": "bottom", "ha": "right", "fontsize": 8.5}
    axes.text(most, search.mean_image, "mean image: nothing learnt", color=MUTED, **style)
    lines = {}
    for marker, (name, searched) in zip(_markers(search.objectives), search.objectives.items(), strict=True):
        curve: BestOfK = searched.best_of_k
        axes.fill_between(curve.k, curve.low, curve.high, color=colours[name], alpha=0.18, linewidth=0)
        (lines[name],) = axes.plot(
            curve.k, curve.expected, color=colours[name], linewidth=1.8, marker=marker, markersize=4
        )
    axes.set(
        yscale="log",
        xlabel="configurations tried",
        ylabel=f"expected {search.metric.upper()} of the best (logarithmic)",
    )
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    drawing.log_ticks(axes.yaxis)
    drawing.legend(figure, lines)
    return figure


def ladder(record: LadderRecord, colours: Mapping[str, str]) -> Figure:
    """Each rung's share of seeds that learn, and the metric, by objective; the printed recipe is on top."""
    rungs = record.rungs
    figure = Figure(figsize=(WIDTH, 0.9 + 0.36 * len(rungs)), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=[1, 1.6])
    lift = np.linspace(-0.17, 0.17, len(record.objectives)) if len(record.objectives) > 1 else [0.0]
    lines = {}
    for place, (name, marker) in enumerate(zip(record.objectives, _markers(record.objectives), strict=True)):
        steps = [next(step for step in rung.steps if step.objective == name) for rung in rungs]
        heights = np.arange(len(rungs)) + lift[place]
        style: dict[str, Any] = {"color": colours[name], "marker": marker, "markersize": 5.5, "linestyle": ""}
        left.plot([step.learnt / step.n for step in steps], heights, **style, clip_on=False, zorder=3)
        (lines[name],) = right.plot([np.nan if step.mean is None else step.mean for step in steps], heights, **style)
    for axes in (left, right):
        for height in range(len(rungs)):
            axes.axhline(height, color=RULE, linewidth=0.6, zorder=0)
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", length=0, labelcolor=INK)
    left.set(xlabel="share of seeds that learn", xlim=(-0.03, 1.03), ylim=(len(rungs) - 0.5, -0.5))
    left.xaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    left.set_yticks(range(len(rungs)), [fill(rung.name, LABEL_WIDTH) for rung in rungs])
    right.set(xscale="log", xlabel=f"{record.metric.upper()} (logarithmic; lower is better)")
    drawing.log_ticks(right.xaxis)
    notes = right.secondary_yaxis("right")
    notes.set_yticks(range(len(rungs)), [_turned(rung) for rung in rungs])
    notes.tick_params(length=0)
    notes.spines["right"].set_visible(False)
    drawing.legend(figure, lines)
    return figure


def _turned(rung: Rung) -> str:
    return TURNED[rung.turned] if rung.turned else ""


def cost(snapshots: pd.DataFrame, colours: Mapping[str, str]) -> Figure:
    """FID against minutes of training (variant, seed, minutes, epoch, fid): each variant's geometric mean over seeds.

    The other variants' lines are repeated in grey.
    """
    figure, panels = drawing.panels(
        colours, "minutes that a run has trained (logarithmic)", "FID (logarithmic)", x_scale="log", y_scale="log"
    )
    means = {}
    for variant, axes in panels.items():
        points = snapshots[snapshots["variant"] == variant].dropna(subset="fid")
        if points.empty:
            continue
        logs = points.assign(log=np.log(points["fid"].astype(float))).groupby("epoch")[["minutes", "log"]].mean()
        style: dict[str, Any] = {"color": colours[variant], "linewidth": 1.8, "marker": "o", "markersize": 3.5}
        (means[variant],) = axes.plot(logs["minutes"], np.exp(logs["log"]), **style)
    drawing.other_means(panels, means)
    drawing.finish(panels)
    if means:
        drawing.log_ticks(next(iter(panels.values())).xaxis)
    return figure


def updates(memory: Memory, colours: Mapping[str, str]) -> Figure:
    """How far a parameter moves in a step, over the learning rate: a panel per objective on the printed recipe."""
    runs = [run for run in memory.runs if run.adam.printed]
    names = list(dict.fromkeys(run.adam.objective for run in runs))
    label = "mean move / learning rate (log.)"
    figure, panels = drawing.panels(names, "step of the generator", label, y_scale="log")
    least = min((value for run in runs for value in run.curve.update if value > 0), default=1e-6)
    for run in runs:
        values = np.maximum(run.curve.update, least)
        panels[run.adam.objective].plot(run.curve.step, values, color=colours[run.adam.objective], linewidth=0.9)
    for axes in panels.values():
        axes.axhline(1, color=MUTED, linewidth=0.8, linestyle=DASHES)
    drawing.finish(panels)
    return figure


def recovery(memory: Memory) -> Figure:
    """How long each freeze lasted against 1 / (1 - beta2), a marker per eps, with short lines where predicted.

    In one panel each run freezes when it happens to, in the other the runs of a seed begin in the same freeze. Both are
    of the objectives that were trained with other Adams than the printed one.
    """
    swept = {run.adam.objective for run in memory.runs if not run.adam.printed}
    runs = [run for run in memory.runs if run.adam.objective in swept]
    kinds = {FROM_START: False, AFTER_SWITCH: True}
    points = {
        title: [
            (run, freeze)
            for run in runs
            if (run.adam.switch is not None) == switched
            for freeze in run.freezes
            if freeze.lasted
        ]
        for title, switched in kinds.items()
    }
    figure = Figure(figsize=(WIDTH, 3.2), layout="constrained")
    panels = dict(zip(points, figure.subplots(1, len(points), sharex=True, sharey=True), strict=True))
    values = sorted({run.adam.eps for run in runs})
    shades, markers = drawing.palette([f"{eps:g}" for eps in values]), dict(zip(values, _markers(values), strict=True))
    for title, axes in panels.items():
        axes.set(title=title, xscale="log", yscale="log")
        for eps in values:
            own = [(run, freeze) for run, freeze in points[title] if run.adam.eps == eps]
            places = [_horizon(run) * (0.94 if eps == values[0] else 1.06) for run, _ in own]
            style: dict[str, Any] = {"linestyle": "", "color": shades[f"{eps:g}"], "marker": markers[eps]}
            axes.plot(places, [freeze.lasted for _, freeze in own], **style, markersize=4.5, alpha=0.75)
            for place, (_, freeze) in zip(places, own, strict=True):
                if freeze.predicted:
                    axes.hlines(freeze.predicted, place * 0.97, place * 1.03, color=INK, linewidth=1)
    horizons = sorted({_horizon(run) for run in runs})
    axes.set_xlim(horizons[0] / 1.5, horizons[-1] * 1.5)
    axes.set_xticks(horizons, [three_digits(horizon) for horizon in horizons])
    axes.set_xticks([], minor=True)
    drawing.log_ticks(axes.yaxis)
    figure.supxlabel("1 / (1 − beta2): the steps that Adam remembers (logarithmic)", color=MUTED)
    figure.supylabel("steps until it moves again (log.)", color=MUTED)
    lines = {
        f"eps {eps:g}": Line2D([], [], color=shades[f"{eps:g}"], marker=marker, linestyle="")
        for eps, marker in markers.items()
    }
    drawing.legend(figure, {**lines, "predicted": Line2D([], [], color=INK, linewidth=1)})
    return figure


def _horizon(run: Run) -> float:
    return 1 / (1 - run.adam.beta2)


def cosines(memory: Memory, colours: Mapping[str, str]) -> Figure:
    """The cosine between minimax's and the non-saturating gradient of the same networks, a line per seed."""
    directions = [each for each in memory.directions if each.cosine is not None]
    names = list(dict.fromkeys(each.objective for each in directions))
    figure, panels = drawing.panels(
        [f"trained by {name}" for name in names], "step (logarithmic)", "cosine", x_scale="log"
    )
    for name, axes in zip(names, panels.values(), strict=True):
        axes.axhline(0, color=RULE, linewidth=0.8)
        own = [each for each in directions if each.objective == name]
        for seed in dict.fromkeys(each.seed for each in own):
            line = [(each.step, each.cosine) for each in own if each.seed == seed]
            axes.plot(*zip(*line, strict=True), color=colours[name], marker="o", markersize=3.5, linewidth=1, alpha=0.8)
        axes.set_ylim(-1.05, 1.05)
    drawing.log_ticks(next(iter(panels.values())).xaxis, most=2)
    return figure


def _markers(names: Sequence[Any] | Mapping[str, Any]) -> list[str]:
    return [MARKERS[place % len(MARKERS)] for place in range(len(names))]
