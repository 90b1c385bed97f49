"""Figures of the mechanism: what new discriminators leave of a gradient, and what Adam remembers of it.

`colours` has that of each objective or loss, in their order.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from gan.formatting import share, three_digits
from gan.records.memory import Memory, Run
from gan.reporting.figures import colours as colouring
from gan.reporting.figures import drawing
from gan.reporting.figures.drawing import DASHES, INK, MUTED, RULE, WIDE, Page
from gan.reporting.figures.robustness import markers

FROM_START, AFTER_SWITCH = "trained so from the start", "from one and the same freeze on"


def fresh(steps: pd.DataFrame, colours: Mapping[str, str], page: Page = WIDE) -> Figure:
    """A frozen generator's gradient norm as a new discriminator learns: a panel for each age of the generator.

    `steps`: loss (which has one of `colours`), seed, epoch of the generator, step, fake_probability, gradient_norm.
    """
    titles = {epoch: f"generator of epoch {epoch}" for epoch in sorted(steps["epoch"].unique())}
    labels = ("mean D(G(z)), falling as the discriminator learns (logarithmic)", "gradient norm (logarithmic)")
    figure, panels = drawing.panels(titles.values(), *labels, x_scale="log", y_scale="log", page=page)
    steps = drawing.raise_zeros(steps, "fake_probability", "gradient_norm")
    style: dict[str, Any] = {"marker": "o", "markersize": 2.5, "linewidth": 0.9, "alpha": 0.8}
    for (epoch, loss, _), line in steps.groupby(["epoch", "loss", "seed"]):
        x, y = line["fake_probability"], line["gradient_norm"]
        (drawn_line,) = panels[titles[epoch]].plot(x, y, color=colours[str(loss)], **style)
        told = f"gradient norm {y.iloc[0]:.3g} at D(G(z)) = {x.iloc[0]:.2g}, {y.iloc[-1]:.3g} at {x.iloc[-1]:.2g}"
        drawing.tip(drawn_line, f"{loss}: {told}")
    first = next(iter(panels.values()))
    first.invert_xaxis()
    drawing.finish(panels)
    drawing.log_ticks(first.xaxis, most=2, ticks=3 if page.narrow else None)
    drawn = [loss for loss in colours if loss in set(steps["loss"])]
    drawing.legend(figure, {loss: Line2D([], [], color=colours[loss]) for loss in drawn}, page)
    return figure


def updates(memory: Memory, colours: Mapping[str, str], page: Page = WIDE) -> Figure:
    """How far a parameter moves in a step, over the learning rate: a panel per objective on the printed recipe."""
    runs = [run for run in memory.runs if run.adam.printed]
    names = list(dict.fromkeys(run.adam.objective for run in runs))
    label = "mean move / learning rate (log.)"
    figure, panels = drawing.panels(names, "step of the generator", label, y_scale="log", page=page)
    least = min((value for run in runs for value in run.curve.update if value > 0), default=1e-6)
    for run in runs:
        values = np.maximum(run.curve.update, least)
        name = run.adam.objective
        (line,) = panels[name].plot(run.curve.step, values, color=colours[name], linewidth=0.9)
        drawing.tip(line, f"{name}, seed {run.seed}: the generator stands still in {share(run.asleep)} of the steps")
    for axes in panels.values():
        axes.axhline(1, color=MUTED, linewidth=0.8, linestyle=DASHES)
    drawing.finish(panels)
    return figure


def recovery(memory: Memory, page: Page = WIDE) -> Figure:
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
    shape = (len(points), 1) if page.narrow else (1, len(points))
    figure = Figure(figsize=(page.width, 4.6 if page.narrow else 3.2), layout="constrained")
    panels = dict(zip(points, figure.subplots(*shape, sharex=True, sharey=True), strict=True))
    values = sorted({run.adam.eps for run in runs})
    shades = colouring.palette([f"eps {eps:g}" for eps in values])
    shapes = dict(zip(values, markers(values), strict=True))
    for title, axes in panels.items():
        axes.set(title=title, xscale="log", yscale="log")
        for eps in values:
            own = [(run, freeze) for run, freeze in points[title] if run.adam.eps == eps]
            places = [_horizon(run) * (0.94 if eps == values[0] else 1.06) for run, _ in own]
            style: dict[str, Any] = {"linestyle": "", "color": shades[f"eps {eps:g}"], "marker": shapes[eps]}
            axes.plot(places, [freeze.lasted for _, freeze in own], **style, markersize=4.5, alpha=0.75)
            for place, (_, freeze) in zip(places, own, strict=True):
                if freeze.predicted:
                    axes.hlines(freeze.predicted, place * 0.97, place * 1.03, color=INK, linewidth=1)
    horizons = sorted({_horizon(run) for drawn in points.values() for run, _ in drawn})
    axes.set_xlim(horizons[0] / 1.5, horizons[-1] * 1.5)
    axes.set_xticks(horizons, [three_digits(horizon) for horizon in horizons])
    axes.set_xticks([], minor=True)
    drawing.log_ticks(axes.yaxis)
    figure.supxlabel("1 / (1 − beta2): the steps that Adam remembers (log.)", color=MUTED)
    figure.supylabel("steps until it moves again (log.)", color=MUTED)
    lines = {
        f"eps {eps:g}": Line2D([], [], color=shades[f"eps {eps:g}"], marker=marker, linestyle="")
        for eps, marker in shapes.items()
    }
    drawing.legend(figure, {**lines, "predicted": Line2D([], [], color=INK, linewidth=1)}, page)
    return figure


def _horizon(run: Run) -> float:
    return 1 / (1 - run.adam.beta2)


def cosines(memory: Memory, colours: Mapping[str, str], page: Page = WIDE) -> Figure:
    """The cosine between minimax's and the non-saturating gradient of the same networks, a line per seed."""
    directions = [each for each in memory.directions if each.cosine is not None]
    names = list(dict.fromkeys(each.objective for each in directions))
    values = [each.cosine for each in directions if each.cosine is not None]
    figure, panels = drawing.panels(
        [f"trained by {name}" for name in names],
        "step (logarithmic)",
        "cosine (1: the same way)",
        x_scale="log",
        page=page,
    )
    for name, axes in zip(names, panels.values(), strict=True):
        own = [each for each in directions if each.objective == name]
        for seed in dict.fromkeys(each.seed for each in own):
            line = [(each.step, each.cosine) for each in own if each.seed == seed]
            style: dict[str, Any] = {"color": colours[name], "marker": "o", "markersize": 3.5, "linewidth": 1}
            (drawn,) = axes.plot(*zip(*line, strict=True), **style, alpha=0.8)
            ends = f"{line[0][1]:.3f} at step {line[0][0]}, {line[-1][1]:.3f} at step {line[-1][0]}"
            drawing.tip(drawn, f"trained by {name}, seed {seed}: {ends}")
        # Most are near 1; the empty half of the axis is left out, and said on its label.
        axes.axhline(0, color=RULE, linewidth=0.8)
        axes.set_ylim(min(0.5, *values) - 0.05, 1.05)
    drawing.log_ticks(next(iter(panels.values())).xaxis, most=2)
    return figure
