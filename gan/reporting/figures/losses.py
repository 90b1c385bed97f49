"""The figure of the audit: what gradient each loss gives at each logit."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from gan.reporting.figures import drawing
from gan.reporting.figures.drawing import DASHES, INK, MUTED, WIDE, Page


def audit(curves: pd.DataFrame, colours: Mapping[str, str], page: Page = WIDE) -> Figure:
    """The size of dL/dlogit against the logit, a panel for each of the `losses` that `colours` has.

    `curves`: losses, by (real or fake), kind (float32, exact or company), logit, gradient. There is a line of kind
    exact where float32 departs from it, and one of kind company where a batch's other images change the gradient.
    What is smaller than the axis lies on its lower end.
    """
    lowest, highest = 1e-18, 1e3
    figure, panels = drawing.panels(colours, "logit", "|dL/dlogit| (logarithmic)", y_scale="log", page=page)
    styles: dict[str, dict[str, Any]] = {
        "float32": {"linewidth": 1.8},
        "company": {"linewidth": 1.2, "linestyle": (0, (1, 1.5))},
        "exact": {"linewidth": 0.9, "linestyle": DASHES, "color": INK, "zorder": 3},
    }
    for loss, axes in panels.items():
        of_loss = curves[curves["losses"] == loss]
        for by, colour in (("real", MUTED), ("fake", colours[loss])):
            for kind, style in styles.items():
                line = of_loss[(of_loss["by"] == by) & (of_loss["kind"] == kind)]
                sizes = line["gradient"].astype(float).abs().clip(lower=lowest)
                axes.plot(line["logit"], sizes, **{"color": colour, **style})
        axes.set_ylim(lowest, highest)
    drawing.finish(panels)
    names = {"float32": "float32", "exact": "exact, where float32 departs", "company": "one image among others"}
    lines = {name: Line2D([], [], **{"color": INK, **styles[kind]}) for kind, name in names.items()}
    if "real" in set(curves["by"]):
        lines["by a real image's logit (coloured: a generated one's)"] = Line2D([], [], color=MUTED, linewidth=1.8)
    drawing.legend(figure, lines, page)
    return figure
