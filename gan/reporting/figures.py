"""The report's figures: tables of numbers in, SVG files out; identical numbers give identical bytes.

Tables have a column `variant` and a row per run, or per run and epoch. `colours` gives the variants' order
and each one's colour in every figure. Intervals and ratios are drawn as given. A bold line is seaborn's mean
over seeds, on a logarithmic axis the mean of logarithms.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from io import StringIO
from pathlib import Path
from textwrap import fill
from typing import Any

import matplotlib as mpl
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, LogLocator, MaxNLocator, NullLocator, PercentFormatter

from gan.files import write

# Each colour of paper and ink with the one that stands in for it on a dark page.
PAPER, INK, MUTED, RULE, BAND = "#ffffff", "#1f2328", "#59636e", "#d1d9e0", "#eef1f4"
DARK = {PAPER: "#0d1117", INK: "#e6edf3", MUTED: "#9198a1", RULE: "#3d444d", BAND: "#21262d"}

WIDTH = 10.4  # inches, at 96 pixels each: the report's column
PANELS_PER_ROW = 4
FEW_ROWS = 8  # so few that they may be tall
FEW_EPOCHS = 6  # so few that each is marked on the line
DASHES = (0, (4, 2))

mpl.rcdefaults()
sns.set_theme(
    context="paper",
    style="ticks",
    font="DejaVu Sans",  # comes with matplotlib
    rc={
        "axes.edgecolor": MUTED,
        "axes.labelcolor": MUTED,
        "axes.labelsize": 9,
        "axes.linewidth": 0.7,
        "axes.spines.right": False,
        "axes.spines.top": False,
        "axes.titlecolor": INK,
        "axes.titlelocation": "left",
        "axes.titlesize": 9.5,
        "axes.titleweight": "bold",
        "figure.labelsize": 9,
        "font.size": 9,
        "legend.fontsize": 9,
        "legend.frameon": False,
        "legend.labelcolor": MUTED,
        "lines.solid_capstyle": "round",
        "svg.fonttype": "path",  # outlines look the same on every machine
        "svg.hashsalt": "gan",
        "text.color": INK,
        "text.parse_math": False,  # names and texts are no formulas, whatever dollars they have
        "xtick.color": MUTED,
        "xtick.labelsize": 8.5,
        "xtick.major.size": 3,
        "xtick.major.width": 0.7,
        "ytick.color": MUTED,
        "ytick.labelsize": 8.5,
        "ytick.major.size": 3,
        "ytick.major.width": 0.7,
    },
)


def palette(variants: Sequence[str]) -> dict[str, str]:
    """Each variant's colour, by order; after ten the colours come round again."""
    cycle = sns.color_palette("colorblind", len(variants)).as_hex()
    return dict(zip(variants, cycle, strict=True))


def save(figure: Figure, path: Path) -> None:
    """Write `figure` as SVG. Browsers that prefer dark pages show paper and ink exchanged."""
    drawn = StringIO()
    figure.savefig(drawn, format="svg", metadata={"Date": None})
    exchange = "".join(
        f'[style*="{use}: {light}"]{{{use}:{dark}!important}}'
        for light, dark in DARK.items()
        for use in ("fill", "stroke")
    )
    style = f"<style>@media screen and (prefers-color-scheme:dark){{{exchange}}}</style>"
    write(path, drawn.getvalue().replace("<defs>", f"{style}\n <defs>", 1))


def seeds(metrics: pd.DataFrame, summary: pd.DataFrame, floor: float, colours: Mapping[str, str]) -> Figure:
    """One dot per run that survived on a logarithmic axis, above each variant's mean and interval.

    `metrics`: variant, seed, fid, missing where a run diverged, and whether it collapsed, which makes it a cross.
    `summary`: variant, mean, low, high, collapsed, diverged, for the figure's rows from above. A seed stands at the
    same height in all of them.
    """
    figure, axes = _rows(len(summary), 0.62 if len(summary) <= FEW_ROWS else 0.44)
    axes.axvline(floor, color=INK, linewidth=1, linestyle=DASHES)
    where = ("data", "axes fraction")
    axes.annotate("floor", (floor, 1), (4, -2), xycoords=where, textcoords="offset points", va="top")
    numbers = sorted(metrics["seed"].unique())
    lift = {seed: -0.4 + 0.5 * (place + 0.5) / len(numbers) for place, seed in enumerate(numbers)}
    rows = summary.astype({"mean": float, "low": float, "high": float}).to_dict("records")
    for place, row in enumerate(rows):
        colour = colours[row["variant"]]
        own = metrics[metrics["variant"] == row["variant"]].dropna(subset="fid")
        heights, lost = place + own["seed"].map(lift), own["collapsed"].astype(bool)
        sns.scatterplot(x=own["fid"][~lost], y=heights[~lost], color=colour, s=16, alpha=0.7, linewidth=0, ax=axes)
        axes.plot(own["fid"][lost], heights[lost], "x", color=colour, markersize=4, markeredgewidth=0.8, alpha=0.8)
        _interval(axes, place + 0.27, row["mean"], row["low"], row["high"], colour)
    notes = [", ".join(f"{row[how]} {how}" for how in ("collapsed", "diverged") if row[how]) for row in rows]
    labels = [[fill(row["variant"], 26), *filter(None, [note])] for row, note in zip(rows, notes, strict=True)]
    axes.set_yticks(range(len(rows)), ["\n".join(lines) for lines in labels])
    axes.set(xlabel="FID (logarithmic)", ylabel="")
    _plain_log_ticks(axes.xaxis)
    return figure


def ratios(contrasts: pd.DataFrame, margin: float, colours: Mapping[str, str]) -> Figure:
    """A forest plot: each contrast's ratio and interval, the margin of equivalence shaded.

    `contrasts`: label, variant, ratio, low, high, family, verdict, scored; a missing ratio leaves its row empty. What
    is exploratory is hollow; a ratio of all `scored` runs, for none survived, is an open triangle. A line parts
    families.
    """
    figure, axes = _rows(len(contrasts), 0.36 if len(contrasts) <= FEW_ROWS else 0.3)
    axes.axvspan(1 / margin, margin, color=BAND, linewidth=0)
    axes.axvline(1, color=MUTED, linewidth=0.8)
    contrasts = contrasts.astype({"ratio": float, "low": float, "high": float})
    for place, row in enumerate(contrasts.to_dict("records")):
        colour = colours[row["variant"]]
        filling = PAPER if row["scored"] or row["family"] == "exploratory" else colour
        _interval(axes, place, row["ratio"], row["low"], row["high"], colour, filling, "^" if row["scored"] else "D")
        if place and row["family"] != contrasts["family"].iloc[place - 1]:
            axes.axhline(place - 0.5, color=RULE, linewidth=0.8)
    axes.set_yticks(range(len(contrasts)), [fill(label, 44) for label in contrasts["label"]])
    verdicts = axes.secondary_yaxis("right")
    verdicts.set_yticks(range(len(contrasts)), contrasts["verdict"])
    verdicts.tick_params(length=0)
    verdicts.spines["right"].set_visible(False)
    drawn = [1 / margin, margin, *contrasts[["ratio", "low", "high"]].melt()["value"].dropna()]
    axes.set(
        xlim=(min(drawn) / 1.08, max(drawn) * 1.08),
        xlabel="←  first is better      ratio of FIDs, first / second (logarithmic)      second is better  →",
    )
    _plain_log_ticks(axes.xaxis)
    return figure


def learning(snapshots: pd.DataFrame, colours: Mapping[str, str]) -> Figure:
    """FID at the snapshots (variant, seed, epoch, fid, failed)."""
    figure, panels = _panels(colours, "epoch (logarithmic)", "FID (logarithmic)", x_scale="log", y_scale="log")
    _echo(panels, _curves(panels, snapshots, "fid", colours))
    _finish(panels)
    return figure


def probabilities(history: pd.DataFrame, colours: Mapping[str, str]) -> Figure:
    """Mean D(x) and D(G(z)) by epoch (variant, seed, epoch, real_probability, fake_probability, failed)."""
    figure, panels = _panels(colours, "epoch", "mean probability of being real")
    for axes in panels.values():
        axes.axhline(0.5, color=RULE, linewidth=0.8)
        axes.set_ylim(0, 1)
    _curves(panels, history, "real_probability", dict.fromkeys(colours, MUTED), dashed=True)
    _curves(panels, history, "fake_probability", colours)
    _finish(panels)
    _legend(figure, solid="D(G(z)), generated images", dashed="D(x), real images")
    return figure


def gradients(history: pd.DataFrame, colours: Mapping[str, str]) -> Figure:
    """The generator's gradient norm by epoch (variant, seed, epoch, generator_gradient_norm, failed)."""
    figure, panels = _panels(colours, "epoch", "gradient norm (logarithmic)", y_scale="log")
    column = "generator_gradient_norm"
    _echo(panels, _curves(panels, _above_zero(history, column), column, colours))
    _finish(panels)
    return figure


def saturation(history: pd.DataFrame, colours: Mapping[str, str]) -> Figure:
    """The generator's gradient norm against mean D(G(z)), one dot per run and epoch.

    `history`: variant, fake_probability, generator_gradient_norm. A zero sits on the smallest other value.
    """
    scales = {"x_scale": "log", "y_scale": "log"}
    figure, panels = _panels(colours, "mean D(G(z)) (logarithmic)", "gradient norm (logarithmic)", **scales)
    x, y = "fake_probability", "generator_gradient_norm"
    history = _above_zero(_above_zero(history, x), y)
    for variant, axes in panels.items():
        own = history[history["variant"] == variant]
        sns.scatterplot(own, x=x, y=y, color=colours[variant], s=9, alpha=0.5, linewidth=0, ax=axes)
    _finish(panels)
    _plain_log_ticks(axes.xaxis, most=2)
    return figure


def fresh(steps: pd.DataFrame, colours: Mapping[str, str]) -> Figure:
    """A frozen generator's gradient norm as a new discriminator learns: a panel for each age of the generator.

    `steps`: loss, which has one of `colours`, seed, epoch of the generator, step, fake_probability, gradient_norm.
    """
    titles = {epoch: f"generator after epoch {epoch}" for epoch in sorted(steps["epoch"].unique())}
    labels = ("mean D(G(z)), falling as the discriminator learns (logarithmic)", "gradient norm (logarithmic)")
    figure, panels = _panels(titles.values(), *labels, x_scale="log", y_scale="log")
    steps = _above_zero(_above_zero(steps, "fake_probability"), "gradient_norm")
    style: dict[str, Any] = {"marker": "o", "markersize": 2.5, "linewidth": 0.9, "alpha": 0.8}
    for (epoch, loss, _), own in steps.groupby(["epoch", "loss", "seed"]):
        x, y = own["fake_probability"], own["gradient_norm"]
        panels[titles[epoch]].plot(x, y, color=colours[str(loss)], **style)
    next(iter(panels.values())).invert_xaxis()
    _finish(panels)
    _plain_log_ticks(next(iter(panels.values())).xaxis, most=2)
    lines = {loss: Line2D([], [], color=colours[loss]) for loss in colours if loss in set(steps["loss"])}
    figure.legend(lines.values(), lines.keys(), loc="outside upper right", ncols=len(lines))
    return figure


def losses(history: pd.DataFrame, colours: Mapping[str, str]) -> Figure:
    """Both losses by epoch (variant, seed, epoch, discriminator_loss, generator_loss, failed).

    The axis leaves out the most extreme 1 % of the values, lest one diverging run hide the others.
    """
    figure, panels = _panels(colours, "epoch", "loss")
    drawn = ["discriminator_loss", "generator_loss"]
    _curves(panels, history, drawn[0], dict.fromkeys(colours, MUTED), dashed=True)
    _curves(panels, history, drawn[1], colours)
    if not history.empty:
        values = history[drawn].melt()["value"]
        low, high = float(values.quantile(0.005)), float(values.quantile(0.995))
        pad = 0.05 * (high - low) or 0.5
        next(iter(panels.values())).set_ylim(low - pad, high + pad)
    _finish(panels)
    _legend(figure, solid="generator", dashed="discriminator")
    return figure


def logits(history: pd.DataFrame, quantiles: Sequence[str], colours: Mapping[str, str]) -> Figure:
    """Nested bands of the generated images' logits by epoch: each quantile's mean over seeds.

    `quantiles` names the columns in rising order; the outermost pair bounds the lightest band.
    """
    figure, panels = _panels(colours, "epoch", "logit of generated images")
    middle = len(quantiles) // 2
    for variant, axes in panels.items():
        means = history[history["variant"] == variant].groupby("epoch")[list(quantiles)].mean()
        axes.axhline(0, color=RULE, linewidth=0.8)
        for low, high in zip(quantiles[:middle], reversed(quantiles), strict=False):
            axes.fill_between(means.index, means[low], means[high], color=colours[variant], alpha=0.25, linewidth=0)
        if len(quantiles) % 2:
            axes.plot(means[quantiles[middle]], color=colours[variant], linewidth=1.8)
    _finish(panels)
    _whole_epochs(axes.xaxis, history["epoch"])
    return figure


def audit(curves: pd.DataFrame, colours: Mapping[str, str]) -> Figure:
    """The size of dL/dlogit against the logit, a panel for each of the `losses` that `colours` has.

    `curves`: losses, by (real or fake), kind (float32, exact or company), logit, gradient; exact where float32 departs
    from it, company where a batch's other images change it. What is smaller than the axis lies on its lower end.
    """
    lowest, highest = 1e-18, 1e3
    figure, panels = _panels(colours, "logit", "|dL/dlogit| (logarithmic)", y_scale="log")
    styles: dict[str, dict[str, Any]] = {
        "float32": {"linewidth": 1.8},
        "company": {"linewidth": 1.2, "linestyle": (0, (1, 1.5))},
        "exact": {"linewidth": 0.9, "linestyle": DASHES, "color": INK, "zorder": 3},
    }
    for losses, axes in panels.items():
        own = curves[curves["losses"] == losses]
        for by, colour in (("real", MUTED), ("fake", colours[losses])):
            for kind, style in styles.items():
                line = own[(own["by"] == by) & (own["kind"] == kind)]
                sizes = line["gradient"].astype(float).abs().clip(lower=lowest)
                axes.plot(line["logit"], sizes, **{"color": colour, **style})
        axes.set_ylim(lowest, highest)
    _finish(panels)
    kinds = {"float32": "float32", "exact": "exact, where float32 departs", "company": "one image among others"}
    named = {name: Line2D([], [], **{"color": INK, **styles[kind]}) for kind, name in kinds.items()}
    if "real" in set(curves["by"]):
        named["by a real image's logit (coloured: a generated one's)"] = Line2D([], [], color=MUTED, linewidth=1.8)
    figure.legend(named.values(), named.keys(), loc="outside upper right", ncols=4)
    return figure


def digits(metrics: pd.DataFrame, test_shares: Sequence[float], colours: Mapping[str, str]) -> Figure:
    """Each digit's share of the images (variant, digit_0 … digit_9): bars are means over runs, dots are runs.

    `test_shares` has the test set's share of every digit, drawn as short lines.
    """
    figure, panels = _panels(colours, "digit that the classifier sees", "share of images")
    columns = {f"digit_{digit}": digit for digit in range(len(test_shares))}
    shares = metrics.rename(columns=columns).melt("variant", list(columns.values()), "digit", "share").dropna()
    for variant, axes in panels.items():
        own = shares[shares["variant"] == variant]
        style = {
            "x": "digit",
            "y": "share",
            "order": list(columns.values()),
            "color": colours[variant],
            "ax": axes,
        }
        sns.barplot(own, **style, errorbar=None, saturation=1, alpha=0.4)
        sns.stripplot(own, **style, jitter=False, size=2.2, alpha=0.7)
        for digit, share in enumerate(test_shares):
            axes.hlines(share, digit - 0.45, digit + 0.45, color=INK, linewidth=1.3)
        axes.yaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    _finish(panels)
    return figure


def _rows(count: int, row_height: float) -> tuple[Figure, Axes]:
    """Axes with `count` rows, the first on top, and a logarithmic x axis."""
    figure = Figure(figsize=(WIDTH, 0.7 + row_height * max(count, 1)), layout="constrained")
    axes = figure.subplots()
    axes.set(xscale="log", ylim=(max(count, 1) - 0.5, -0.6))
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.spines["left"].set_visible(False)
    return figure, axes


def _interval(
    axes: Axes,
    height: float,
    centre: float,
    low: float,
    high: float,
    colour: str,
    filling: str | None = None,
    marker: str = "D",
) -> None:
    """A line from `low` to `high` with a marker at the centre; nothing is drawn of what is missing."""
    axes.hlines(height, low, high, color=colour, linewidth=2)
    axes.plot(centre, height, marker, color=colour, markerfacecolor=filling, markersize=4.5 + (marker == "^"))


def _panels(
    variants: Iterable[str], x_label: str, y_label: str, x_scale: str = "linear", y_scale: str = "linear"
) -> tuple[Figure, dict[str, Axes]]:
    """One small panel per variant, all on the same axes."""
    names = list(variants)
    rows = math.ceil(len(names) / PANELS_PER_ROW)
    columns = math.ceil(len(names) / rows)
    width = max(columns, 2) * WIDTH / PANELS_PER_ROW if columns < 3 else WIDTH
    figure = Figure(figsize=(width, 0.5 + 2.1 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for place, axes in enumerate(grid.flat):
        if place >= len(names):
            axes.remove()
            grid.flat[place - columns].tick_params(labelbottom=True)
    panels = dict(zip(names, grid.flat, strict=False))
    for variant, axes in panels.items():
        axes.set(title=fill(variant, 26), xscale=x_scale, yscale=y_scale)
    figure.supxlabel(x_label, color=MUTED)
    figure.supylabel(y_label, color=MUTED)
    return figure, panels


def _curves(
    panels: Mapping[str, Axes], data: pd.DataFrame, y: str, colours: Mapping[str, str], dashed: bool = False
) -> dict[str, Line2D]:
    """A thin line per seed, ending in a cross where its run failed, and a bold line for their mean.

    Returns the bold lines, of the variants that have data.
    """
    marker = "o" if data["epoch"].nunique() <= FEW_EPOCHS else None
    means = {}
    for variant, axes in panels.items():
        _whole_epochs(axes.xaxis, data["epoch"])
        own = data[data["variant"] == variant].dropna(subset=y)
        if own.empty:
            continue
        style: dict[str, Any] = {"x": "epoch", "y": y, "color": colours[variant], "ax": axes}
        style |= {"linestyle": DASHES if dashed else "-", "marker": marker, "markeredgewidth": 0}
        sns.lineplot(own, **style, units="seed", estimator=None, linewidth=0.6, alpha=0.35, markersize=2)
        sns.lineplot(own, **style, errorbar=None, linewidth=1.8, markersize=4)
        means[variant] = axes.lines[-1]
        ends = own[own["failed"]].groupby("seed").tail(1)
        axes.plot(ends["epoch"], ends[y], "x", color=colours[variant], markersize=5)
    return means


def _echo(panels: Mapping[str, Axes], means: Mapping[str, Line2D]) -> None:
    """Repeat every panel's bold line in all the others, in grey."""
    for variant, axes in panels.items():
        for other, line in means.items():
            if other != variant:
                axes.plot(*line.get_data(), color=RULE, linewidth=1, zorder=1)


def _above_zero(data: pd.DataFrame, column: str) -> pd.DataFrame:
    """`data` with zeros of `column` raised to its smallest other value, for a logarithmic axis."""
    values = data[column]
    return data.assign(**{column: values.clip(lower=values[values > 0].min())})


def _finish(panels: Mapping[str, Axes]) -> None:
    for axes in panels.values():
        axes.set(xlabel="", ylabel="")
    if axes.get_yscale() == "log":
        _plain_log_ticks(axes.yaxis)


def _whole_epochs(axis: Axis, epochs: pd.Series) -> None:
    """Label epochs that there are: on a logarithmic axis the given ones, else round numbers."""
    if axis.get_scale() == "log":
        axis.set_major_locator(FixedLocator(sorted(epochs.unique()), nbins=4))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter("{x:g}")
    else:
        axis.set_major_locator(MaxNLocator(5, integer=True))


def _plain_log_ticks(axis: Axis, most: float = 3.5) -> None:
    """Label 1, 2, 5, 10 …; over more than `most` decades powers of 10 alone, within less than one round numbers."""
    low, high = sorted(axis.get_view_interval())
    decades = math.log10(high / low)
    if decades < 0.7:
        axis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    else:
        axis.set_major_locator(
            LogLocator(subs=[1, 2, 5] if decades < most else [1], numticks=6 if decades > 12 else None)
        )
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter("{x:g}")


def _legend(figure: Figure, solid: str, dashed: str) -> None:
    lines = [Line2D([], [], color=INK), Line2D([], [], color=MUTED, linestyle=DASHES)]
    figure.legend(lines, [solid, dashed], loc="outside upper right", ncols=2)
