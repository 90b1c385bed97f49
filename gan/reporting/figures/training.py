"""Figures of training: how scores, probabilities, gradients, losses and logits go, and which digits come out.

A figure's tables have a column `variant` and a row per run, or per run and epoch. `colours` gives the order of the
variants and each one's colour.
"""

from collections.abc import Mapping, Sequence

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from gan.formatting import share
from gan.reporting.figures import drawing
from gan.reporting.figures.drawing import DASHES, INK, MUTED, RULE, WIDE, Page


def learning(snapshots: pd.DataFrame, colours: Mapping[str, str], page: Page = WIDE) -> Figure:
    """FID at the snapshots (variant, seed, epoch, fid, failed)."""
    figure, panels = drawing.panels(colours, "epoch (log.)", "FID (log.)", x_scale="log", y_scale="log", page=page)
    drawing.other_means(panels, drawing.curves(panels, snapshots, "fid", colours))
    drawing.finish(panels)
    return figure


def probabilities(history: pd.DataFrame, colours: Mapping[str, str], page: Page = WIDE) -> Figure:
    """Mean D(x) and D(G(z)) by epoch (variant, seed, epoch, real_probability, fake_probability, failed)."""
    figure, panels = drawing.panels(colours, "epoch", "mean probability of being real", page=page)
    for axes in panels.values():
        axes.axhline(0.5, color=RULE, linewidth=0.8)
        axes.set_ylim(0, 1)
    drawing.curves(panels, history, "real_probability", dict.fromkeys(colours, MUTED), dashed=True)
    drawing.curves(panels, history, "fake_probability", colours)
    drawing.finish(panels)
    _solid_and_dashed(figure, "D(G(z)), generated images", "D(x), real images", page)
    return figure


def gradients(history: pd.DataFrame, colours: Mapping[str, str], page: Page = WIDE) -> Figure:
    """The generator's gradient norm by epoch (variant, seed, epoch, generator_gradient_norm, failed)."""
    figure, panels = drawing.panels(colours, "epoch", "gradient norm (logarithmic)", y_scale="log", page=page)
    column = "generator_gradient_norm"
    drawing.other_means(panels, drawing.curves(panels, drawing.raise_zeros(history, column), column, colours))
    drawing.finish(panels)
    return figure


def saturation(history: pd.DataFrame, colours: Mapping[str, str], page: Page = WIDE) -> Figure:
    """The generator's gradient norm against mean D(G(z)), one dot per run and epoch.

    `history`: variant, fake_probability, generator_gradient_norm. A zero lies on the smallest other value.
    """
    scales = {"x_scale": "log", "y_scale": "log"}
    figure, panels = drawing.panels(colours, "mean D(G(z)) (log.)", "gradient norm (log.)", **scales, page=page)
    x, y = "fake_probability", "generator_gradient_norm"
    history = drawing.raise_zeros(history, x, y)
    for variant, axes in panels.items():
        points = history[history["variant"] == variant]
        sns.scatterplot(points, x=x, y=y, color=colours[variant], s=9, alpha=0.5, linewidth=0, ax=axes)
    drawing.finish(panels)
    drawing.log_ticks(axes.xaxis, most=2)
    return figure


def losses(history: pd.DataFrame, colours: Mapping[str, str], page: Page = WIDE) -> Figure:
    """Both losses by epoch (variant, seed, epoch, discriminator_loss, generator_loss, failed).

    The axis leaves out the most extreme 1 % of the values, so that one diverging run does not hide the others.
    """
    figure, panels = drawing.panels(colours, "epoch", "loss", page=page)
    columns = ["discriminator_loss", "generator_loss"]
    drawing.curves(panels, history, columns[0], dict.fromkeys(colours, MUTED), dashed=True)
    drawing.curves(panels, history, columns[1], colours)
    if not history.empty:
        values = history[columns].melt()["value"]
        low, high = float(values.quantile(0.005)), float(values.quantile(0.995))
        pad = 0.05 * (high - low) or 0.5
        next(iter(panels.values())).set_ylim(low - pad, high + pad)
    drawing.finish(panels)
    _solid_and_dashed(figure, "generator", "discriminator", page)
    return figure


def logits(history: pd.DataFrame, quantiles: Sequence[str], colours: Mapping[str, str], page: Page = WIDE) -> Figure:
    """Nested bands of the generated images' logits by epoch: each quantile's mean over seeds.

    `quantiles` names the columns in rising order; the outermost pair bounds the lightest band.
    """
    figure, panels = drawing.panels(colours, "epoch", "logit of generated images", page=page)
    middle = len(quantiles) // 2
    for variant, axes in panels.items():
        means = history[history["variant"] == variant].groupby("epoch")[list(quantiles)].mean()
        axes.axhline(0, color=RULE, linewidth=0.8)
        for low, high in zip(quantiles[:middle], reversed(quantiles), strict=False):
            axes.fill_between(means.index, means[low], means[high], color=colours[variant], alpha=0.25, linewidth=0)
        if len(quantiles) % 2:
            axes.plot(means[quantiles[middle]], color=colours[variant], linewidth=1.8)
    drawing.finish(panels)
    drawing.epoch_ticks(axes.xaxis, history["epoch"])
    return figure


def digits(
    metrics: pd.DataFrame, test_shares: Sequence[float], colours: Mapping[str, str], page: Page = WIDE
) -> Figure:
    """Each digit's share of the images (variant, digit_0 … digit_9): bars are means over runs, dots are runs.

    `test_shares` has the test set's share of every digit, drawn as short lines.
    """
    figure, panels = drawing.panels(colours, "digit that the classifier sees", "share of images", page=page)
    columns = {f"digit_{digit}": digit for digit in range(len(test_shares))}
    shares = metrics.rename(columns=columns).melt("variant", list(columns.values()), "digit", "share").dropna()
    for variant, axes in panels.items():
        runs = shares[shares["variant"] == variant]
        style = {"x": "digit", "y": "share", "order": list(columns.values()), "color": colours[variant], "ax": axes}
        sns.barplot(runs, **style, errorbar=None, saturation=1, alpha=0.4)
        sns.stripplot(runs, **style, jitter=False, size=2.2, alpha=0.7)
        for digit, expected in enumerate(test_shares):
            line = axes.hlines(expected, digit - 0.45, digit + 0.45, color=INK, linewidth=1.3)
            drawn = runs.loc[runs["digit"] == digit, "share"]
            told = share(drawn.mean(), 1) if len(drawn) else "none"
            drawing.tip(line, f"{variant}, digit {digit}: {told}; in the test set {share(expected, 1)}")
        axes.yaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    drawing.finish(panels)
    return figure


def _solid_and_dashed(figure: Figure, solid: str, dashed: str, page: Page) -> None:
    lines = {solid: Line2D([], [], color=INK), dashed: Line2D([], [], color=MUTED, linestyle=DASHES)}
    drawing.legend(figure, lines, page)
