"""How the report's figures are drawn and saved: pages, rows, panels, lines, ticks, what a pointer is told, SVG files.

Tables of results have a column `variant` and a row per run, or per run and epoch. `colours` gives the order of the
variants and each one's colour. Identical numbers give identical bytes. A figure is drawn once for a wide page and once
for a telephone's, with letters of the same size, so that nobody has to scroll sideways or to guess.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from textwrap import fill
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, LogLocator, MaxNLocator, NullLocator

from gan.files import write

# Each colour of paper and ink with the one that replaces it on a dark page.
# OTHER is that of lines which stand behind: they, too, stand out by 3 to 1. RULE and BAND carry no data.
PAPER, INK, MUTED, OTHER, RULE, BAND = "#ffffff", "#1f2328", "#59636e", "#8b939c", "#d1d9e0", "#e7ebef"
DARK = {PAPER: "#0d1117", INK: "#e6edf3", MUTED: "#9198a1", OTHER: "#6e7681", RULE: "#3d444d", BAND: "#262c34"}


@dataclass(frozen=True)
class Page:
    """Where a figure is to be read: its width in inches, at 96 pixels each, and how many panels stand side by side."""

    width: float
    columns: int

    @property
    def narrow(self) -> bool:
        """Whether labels have no room beside what they label."""
        return self.width < 6


WIDE, NARROW = Page(10.0, 4), Page(3.7, 2)  # the report's column, and that of a telephone with 390 pixels
NAME_WIDTH = 26  # characters of a variant's name on one line
LABEL_LINE = 0.19  # inches of a row's label that stands above it
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
        "svg.fonttype": "none",  # text stays text: it can be searched, read aloud and set in the reader's font
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

EXCHANGE = "".join(
    f'[style*="{use}: {light}"]{{{use}:{dark}!important}}' for light, dark in DARK.items() for use in ("fill", "stroke")
)
_STYLE = f"<style>@media screen and (prefers-color-scheme:dark){{{EXCHANGE}}}</style>"
_TIP = "tip:"


def tip(artist: Artist, text: str) -> None:
    """What a pointer that rests on a mark is told; `save` writes it as the mark's SVG title."""
    artist.set_gid(f"{_TIP}{text}")


def svg(figure: Figure) -> str:
    """`figure` as SVG. Browsers that prefer dark pages show paper and ink exchanged."""
    text = StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None})
    drawn = text.getvalue().replace("<defs>", f"{_STYLE}\n <defs>", 1)
    drawn = drawn.replace("'DejaVu Sans'", "'DejaVu Sans', sans-serif")  # where a reader lacks it
    return re.sub(rf'<g id="{_TIP}([^"]*)">', r'<g class="tip"><title>\1</title>', drawn)


def save(figure: Figure, path: Path) -> None:
    """Write `figure` as an SVG file."""
    write(path, svg(figure))


def is_saved(path: Path) -> bool:
    """Whether `save` has written this file, by the style that it gives to each."""
    return b"<style>@media screen and (prefers-color-scheme:dark)" in path.read_bytes()


def rows(labels: Sequence[str], row_height: float, page: Page = WIDE, head: float = 0.7) -> tuple[Figure, Axes]:
    """Axes with a row for each label, the first on top, and a logarithmic x axis.

    A row is `row_height` inches tall. Its label stands to its left, on a narrow page above it.
    """
    count, extra = len(labels), LABEL_LINE if page.narrow else 0.0
    figure = Figure(figsize=(page.width, head + (row_height + extra) * max(count, 1)), layout="constrained")
    axes = figure.subplots()
    axes.set(xscale="log", ylim=(max(count, 1) - 0.5, -0.6))
    label_rows(axes, labels, page, 0.5)
    return figure, axes


def label_rows(axes: Axes, labels: Sequence[str], page: Page, lift: float = 0.5) -> None:
    """Write each row's label: beside it, or on a narrow page so much above its middle, on one line."""
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.spines["left"].set_visible(False)
    axes.set_yticks(range(len(labels)), ["" if page.narrow else label for label in labels])
    if page.narrow:
        for place, label in enumerate(labels):
            text = " ".join(label.split())
            where = axes.get_yaxis_transform()
            axes.text(0, place - lift, text, transform=where, va="top", ha="left", fontsize=8.5, clip_on=False)


def interval(
    axes: Axes,
    height: float,
    centre: float,
    low: float,
    high: float,
    colour: str,
    filling: str | None = None,
    marker: str = "D",
    told: str = "",
) -> None:
    """A line from `low` to `high` with a marker at the centre, which tells a pointer `told`; without data none."""
    line = axes.hlines(height, low, high, color=colour, linewidth=2)
    (mark,) = axes.plot(centre, height, marker, color=colour, markerfacecolor=filling, markersize=4.5 + (marker == "^"))
    if told:
        tip(line, told)
        tip(mark, told)


def panels(
    titles: Iterable[str],
    x_label: str,
    y_label: str,
    x_scale: str = "linear",
    y_scale: str = "linear",
    page: Page = WIDE,
) -> tuple[Figure, dict[str, Axes]]:
    """A small panel per title, all on the same axes."""
    names = list(titles)
    grid_rows = math.ceil(len(names) / page.columns)
    columns = math.ceil(len(names) / grid_rows)
    width = max(columns, 2) * page.width / page.columns if columns < 3 and not page.narrow else page.width
    figure = Figure(figsize=(width, 0.5 + (1.7 if page.narrow else 2.1) * grid_rows), layout="constrained")
    grid = figure.subplots(grid_rows, columns, sharex=True, sharey=True, squeeze=False)
    for place, axes in enumerate(grid.flat):
        if place >= len(names):
            axes.remove()
            grid.flat[place - columns].tick_params(labelbottom=True)
    by_title = dict(zip(names, grid.flat, strict=False))
    for title, axes in by_title.items():
        axes.set_title(fill(title, 22 if page.narrow else NAME_WIDTH), fontsize=8.5 if page.narrow else 9.5)
        axes.set(xscale=x_scale, yscale=y_scale)
    figure.supxlabel(fill(x_label, 48) if page.narrow else x_label, color=MUTED)
    figure.supylabel(fill(y_label, 30) if page.narrow else y_label, color=MUTED)
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
        tip(means[variant], f"{variant}: {_ends(means[variant])}")
        ends = points[points["failed"]].groupby("seed").tail(1)
        axes.plot(ends["epoch"], ends[y], "x", color=colours[variant], markersize=5)
    return means


def _ends(line: Line2D) -> str:
    """A line's values where it begins and ends, for a pointer."""
    x, y = np.asarray(line.get_xdata(), dtype=float), np.asarray(line.get_ydata(), dtype=float)
    first = f"{y[0]:.3g} after epoch {x[0]:g}"
    return first if len(x) < 2 else f"{first}, {y[-1]:.3g} after epoch {x[-1]:g}"


def other_means(panels: Mapping[str, Axes], means: Mapping[str, Line2D]) -> None:
    """Repeat every panel's bold line in all the others, in grey."""
    for variant, axes in panels.items():
        for other, line in means.items():
            if other != variant:
                axes.plot(*line.get_data(), color=OTHER, linewidth=0.8, zorder=1)


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


def log_ticks(axis: Axis, most: float = 3.5, ticks: int | None = None) -> None:
    """Label 1, 2, 5, 10 …, up to so many `ticks`.

    Over more than `most` decades only powers of 10, within less than one round numbers.
    """
    low, high = sorted(axis.get_view_interval())
    decades = math.log10(high / low)
    if decades < 0.7:
        axis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    else:
        axis.set_major_locator(
            LogLocator(subs=[1, 2, 5] if decades < most else [1], numticks=ticks or (6 if decades > 12 else None))
        )
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter("{x:g}")


def legend(figure: Figure, lines: Mapping[str, Line2D], page: Page = WIDE) -> None:
    """A legend above the figure: each line's name and an example of it, in one row where there is room."""
    columns = 1 if page.narrow and max(map(len, lines), default=0) > 22 else 2 if page.narrow else len(lines)
    place: Literal["outside upper left", "outside upper right"] = (
        "outside upper left" if page.narrow else "outside upper right"
    )
    figure.legend(list(lines.values()), list(lines), loc=place, ncols=max(columns, 1))
