"""How the report's figures are drawn and saved: colours, rows, panels, lines, ticks, and SVG files.

Tables of results have a column `variant` and a row per run, or per run and epoch. `colours` gives the order of the
variants and each one's colour. Identical numbers give identical bytes.
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
from matplotlib.ticker import FixedLocator, LogLocator, MaxNLocator, NullLocator

from gan.files import write

# Each colour of paper and ink with the one that replaces it on a dark page.
PAPER, INK, MUTED, RULE, BAND = "#ffffff", "#1f2328", "#59636e", "#d1d9e0", "#eef1f4"
DARK = {PAPER: "#0d1117", INK: "#e6edf3", MUTED: "#9198a1", RULE: "#3d444d", BAND: "#21262d"}

WIDTH = 10.4  # inches, at 96 pixels each: the report's column
PANELS_PER_ROW = 4
NAME_WIDTH = 26  # characters of a variant's name on one line
FEW_EPOCHS = 6  # up to so many, each is marked on the line
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
        "text.parse_math": False,  # names and texts may have dollars, and are no formulas
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

_EXCHANGE = "".join(
    f'[style*="{use}: {light}"]{{{use}:{dark}!important}}' for light, dark in DARK.items() for use in ("fill", "stroke")
)
_STYLE = f"<style>@media screen and (prefers-color-scheme:dark){{{_EXCHANGE}}}</style>"


def palette(names: Sequence[str]) -> dict[str, str]:
    """A colour for each name, by its place; after ten names the colours repeat."""
    return dict(zip(names, sns.color_palette("colorblind", len(names)).as_hex(), strict=True))


def save(figure: Figure, path: Path) -> None:
    """Write `figure` as SVG. Browsers that prefer dark pages show paper and ink exchanged."""
    svg = StringIO()
    figure.savefig(svg, format="svg", metadata={"Date": None})
    write(path, svg.getvalue().replace("<defs>", f"{_STYLE}\n <defs>", 1))


def is_saved(path: Path) -> bool:
    """Whether `save` has written this file, by the style that it gives to each."""
    return _STYLE.encode() in path.read_bytes()


def rows(count: int, row_height: float) -> tuple[Figure, Axes]:
    """Axes with `count` rows, the first on top, and a logarithmic x axis."""
    figure = Figure(figsize=(WIDTH, 0.7 + row_height * max(count, 1)), layout="constrained")
    axes = figure.subplots()
    axes.set(xscale="log", ylim=(max(count, 1) - 0.5, -0.6))
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.spines["left"].set_visible(False)
    return figure, axes


def interval(
    axes: Axes,
    height: float,
    centre: float,
    low: float,
    high: float,
    colour: str,
    filling: str | None = None,
    marker: str = "D",
) -> None:
    """A line from `low` to `high` with a marker at the centre; what is missing is not drawn."""
    axes.hlines(height, low, high, color=colour, linewidth=2)
    axes.plot(centre, height, marker, color=colour, markerfacecolor=filling, markersize=4.5 + (marker == "^"))


def panels(
    titles: Iterable[str], x_label: str, y_label: str, x_scale: str = "linear", y_scale: str = "linear"
) -> tuple[Figure, dict[str, Axes]]:
    """A small panel per title, all on the same axes."""
    names = list(titles)
    grid_rows = math.ceil(len(names) / PANELS_PER_ROW)
    columns = math.ceil(len(names) / grid_rows)
    width = max(columns, 2) * WIDTH / PANELS_PER_ROW if columns < 3 else WIDTH
    figure = Figure(figsize=(width, 0.5 + 2.1 * grid_rows), layout="constrained")
    grid = figure.subplots(grid_rows, columns, sharex=True, sharey=True, squeeze=False)
    for place, axes in enumerate(grid.flat):
        if place >= len(names):
            axes.remove()
            grid.flat[place - columns].tick_params(labelbottom=True)
    by_title = dict(zip(names, grid.flat, strict=False))
    for title, axes in by_title.items():
        axes.set(title=fill(title, NAME_WIDTH), xscale=x_scale, yscale=y_scale)
    figure.supxlabel(x_label, color=MUTED)
    figure.supylabel(y_label, color=MUTED)
    return figure, by_title


def curves(
    panels: Mapping[str, Axes], data: pd.DataFrame, y: str, colours: Mapping[str, str], dashed: bool = False
) -> dict[str, Line2D]:
    """A thin line per seed, which ends in a cross where its run failed, and a bold line for their mean.

    On a logarithmic axis the mean is that of the logarithms. Returns the bold lines of the variants that have data.
    """
    marker = "o" if data["epoch"].nunique() <= FEW_EPOCHS else None
    means = {}
    for variant, axes in panels.items():
        epoch_ticks(axes.xaxis, data["epoch"])
        points = data[data["variant"] == variant].dropna(subset=y)
        if points.empty:
            continue
        style: dict[str, Any] = {"x": "epoch", "y": y, "color": colours[variant], "ax": axes}
        style |= {"linestyle": DASHES if dashed else "-", "marker": marker, "markeredgewidth": 0}
        sns.lineplot(points, **style, units="seed", estimator=None, linewidth=0.6, alpha=0.35, markersize=2)
        sns.lineplot(points, **style, errorbar=None, linewidth=1.8, markersize=4)
        means[variant] = axes.lines[-1]
        ends = points[points["failed"]].groupby("seed").tail(1)
        axes.plot(ends["epoch"], ends[y], "x", color=colours[variant], markersize=5)
    return means


def other_means(panels: Mapping[str, Axes], means: Mapping[str, Line2D]) -> None:
    """Repeat every panel's bold line in all the others, in grey."""
    for variant, axes in panels.items():
        for other, line in means.items():
            if other != variant:
                axes.plot(*line.get_data(), color=RULE, linewidth=1, zorder=1)


def raise_zeros(data: pd.DataFrame, *columns: str) -> pd.DataFrame:
    """`data` with the zeros of each column raised to its smallest other value, for a logarithmic axis."""
    return data.assign(**{name: data[name].clip(lower=data[name][data[name] > 0].min()) for name in columns})


def finish(panels: Mapping[str, Axes]) -> None:
    """Remove the labels that seaborn writes on each panel, and label a logarithmic y axis in plain numbers."""
    for axes in panels.values():
        axes.set(xlabel="", ylabel="")
    if axes.get_yscale() == "log":
        log_ticks(axes.yaxis)


def epoch_ticks(axis: Axis, epochs: pd.Series) -> None:
    """Label epochs that there are: on a logarithmic axis the given ones, else round numbers."""
    if axis.get_scale() == "log":
        axis.set_major_locator(FixedLocator(sorted(epochs.unique()), nbins=4))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter("{x:g}")
    else:
        axis.set_major_locator(MaxNLocator(5, integer=True))


def log_ticks(axis: Axis, most: float = 3.5) -> None:
    """Label 1, 2, 5, 10 …; over more than `most` decades only powers of 10, within less than one round numbers."""
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


def legend(figure: Figure, lines: Mapping[str, Line2D]) -> None:
    """A legend above the figure, in one row: each line's name and an example of it."""
    figure.legend(lines.values(), lines.keys(), loc="outside upper right", ncols=len(lines))
