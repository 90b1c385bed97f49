"""The report's figures: which there are, and what each shows.

A figure's tables have a column `variant` and a row per run, or per run and epoch. `colours` gives the order of the
variants and each one's colour. Intervals and ratios are drawn as given.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import fill
from typing import Any

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from gan.compute.tables import FAILURES
from gan.records.comparison import Contrast
from gan.reporting import drawing, experiments
from gan.reporting.curve import specifications
from gan.reporting.drawing import BAND, DASHES, INK, MUTED, NAME_WIDTH, PAPER, RULE, palette
from gan.reporting.results import Results, measured, suffix

FEW_ROWS = 8  # up to so many, rows are tall
LABEL_WIDTH = 44  # characters of a contrast's label on one line


def draw(results: Results, colours: Mapping[str, str], folder: Path) -> list[str]:
    """Save every figure into `folder`, and remove the others of an earlier report; their names."""
    folder.mkdir(parents=True, exist_ok=True)
    for figure in folder.glob("*.svg"):
        if figure.is_file() and drawing.is_saved(figure):
            figure.unlink()
    makers = (_of_experiments, _of_scores, _of_training, _of_losses)
    figures = {name: figure for make in makers for name, figure in make(results, colours).items()}
    for name, drawn in figures.items():
        drawing.save(drawn, folder / f"{name}.svg")
    return list(figures)


def _of_experiments(results: Results, colours: Mapping[str, str]) -> dict[str, Figure]:
    ladder, search, memory = results.ladder, results.search, results.memory
    trained = [run.adam.objective for run in memory.runs] + [each.objective for each in memory.directions]
    names = dict.fromkeys([*colours, *ladder.objectives, *search.objectives, *trained])
    shades = palette(list(names))
    figures = {
        "map": experiments.learning_map(search),
        "best-of-k": experiments.best_of_k(search, shades),
        "ladder": experiments.ladder(ladder, shades),
    }
    if any(run.adam.printed for run in memory.runs):
        figures["updates"] = experiments.updates(memory, shades)
    if memory.from_start.ended or memory.after_switch.ended:
        figures["recovery"] = experiments.recovery(memory)
    if any(each.cosine is not None for each in memory.directions):
        figures["cosines"] = experiments.cosines(memory, shades)
    decided = [summary.contrast for summary in results.specifications.contrasts if summary.total]
    declared = [each.id for each in results.comparison.contrasts if each.family == "declared" and each.id in decided]
    if shown := declared or decided:
        figures["specifications"] = specifications(results.specifications, shown)
    paid = {name: results.training[name].seconds_per_epoch for name in results.followed}
    known = {name: seconds for name, seconds in paid.items() if seconds}
    snapshots = results.snapshots[results.snapshots["variant"].isin(known)]
    if len(snapshots):
        minutes = snapshots["epoch"] * snapshots["variant"].map(known) / 60
        figures["cost"] = experiments.cost(snapshots.assign(minutes=minutes), {name: colours[name] for name in known})
    return figures


def _of_training(results: Results, colours: Mapping[str, str]) -> dict[str, Figure]:
    figures: dict[str, Figure] = {}
    data_sets = results.study.data_sets
    quantiles = [name for name in results.history.columns if name.startswith("fake_logit_q")]
    metrics = results.metrics
    last = metrics[metrics["epoch"] == metrics.groupby("variant")["epoch"].transform("max")]
    for data in data_sets:
        names = results.compared_on(data)
        compared = {name: colours[name] for name in results.drawn(names)}
        followed = {name: colours[name] for name in results.followed if name in names}
        if not followed:
            continue
        snapshots = results.snapshots[results.snapshots["variant"].isin(list(compared))]
        history = results.history[results.history["variant"].isin(list(followed))]
        drawn = {
            "learning": learning(snapshots, compared),
            "probabilities": probabilities(history, followed),
            "gradients": gradients(history, followed),
            "saturation": saturation(history, followed),
            "losses": losses(history, followed),
            "logits": logits(history, quantiles, followed),
            "digits": digits(last, results.floor[data]["digit_shares"], followed),
        }
        figures |= {f"{name}{suffix(data, data_sets)}": figure for name, figure in drawn.items()}
    return figures


def _of_scores(results: Results, colours: Mapping[str, str]) -> dict[str, Figure]:
    comparison, metrics, figures = results.comparison, results.metrics, {}
    for standing in comparison.standings:
        ranking = results.drawn(standing.ranking)
        summary = pd.DataFrame([standing.variants[name] for name in ranking]).assign(variant=ranking)
        scored = metrics[(metrics["epoch"] == standing.epochs) & (metrics["data"] == standing.data)]
        name = f"seeds{suffix(standing.data, results.study.data_sets)}-{standing.epochs}"
        figures[name] = seeds(scored, summary, results.floor[standing.data]["fid"], colours)
    pairs = [each for each in comparison.contrasts if not {each.variant, each.against} & results.omitted]
    if pairs:
        figures["ratios"] = ratios(_ratio_rows(pairs), comparison.margin, colours)
    return figures


def _of_losses(results: Results, colours: Mapping[str, str]) -> dict[str, Figure]:
    figures = {}
    steps = pd.DataFrame(results.mechanism.fresh_discriminator)
    if len(steps):
        figures["fresh"] = fresh(steps, {**palette(list(steps["loss"].unique())), **colours})
    # One colour for all of them, because grey stands for real images.
    colour = palette(["loss"])["loss"]
    for player in ("generator", "discriminator"):
        curves = _audit_rows(results.audit, player)
        figures[f"audit-{player}"] = audit(curves, dict.fromkeys(results.plain_losses, colour))
    return figures


def _ratio_rows(contrasts: Sequence[Contrast]) -> pd.DataFrame:
    """The contrasts as `ratios` draws them; a contrast that nobody declared is labelled without an id."""
    rows = []
    for contrast in contrasts:
        pair, shown = f"{contrast.variant} / {contrast.against}", measured(contrast)
        rows.append(
            {
                "label": pair if contrast.family == "exploratory" else f"{contrast.id}  {pair}",
                "variant": contrast.variant,
                "ratio": shown.ratio,
                "low": shown.low,
                "high": shown.high,
                "family": contrast.family,
                "verdict": contrast.verdict,
                "scored": shown is not contrast,
            }
        )
    return pd.DataFrame(rows)


def _audit_rows(record: Mapping[str, Any], player: str) -> pd.DataFrame:
    """A player's gradients as `audit` draws them: a row per loss, line and logit."""
    lines = pd.DataFrame([curve for curve in record["curves"] if curve["player"] == player])
    lines = lines.assign(logit=[record["logits"]] * len(lines)).explode("losses")
    return lines.explode(["logit", "gradient"])


def seeds(metrics: pd.DataFrame, summary: pd.DataFrame, floor: float, colours: Mapping[str, str]) -> Figure:
    """One dot per run that survived on a logarithmic axis, above each variant's mean and interval.

    `metrics`: variant, seed, fid (missing where a run diverged) and state; a failed run's dot is a cross.
    `summary`: variant, mean, low, high and how many runs are in each state, for the figure's rows from the top. A seed
    stands at the same height in all of them.
    """
    figure, axes = drawing.rows(len(summary), 0.62 if len(summary) <= FEW_ROWS else 0.44)
    axes.axvline(floor, color=INK, linewidth=1, linestyle=DASHES)
    where = ("data", "axes fraction")
    axes.annotate("floor", (floor, 1), (4, -2), xycoords=where, textcoords="offset points", va="top")
    numbers = sorted(metrics["seed"].unique())
    lift = {seed: -0.4 + 0.5 * (place + 0.5) / len(numbers) for place, seed in enumerate(numbers)}
    rows = summary.astype({"mean": float, "low": float, "high": float}).to_dict("records")
    for place, row in enumerate(rows):
        colour = colours[row["variant"]]
        runs = metrics[metrics["variant"] == row["variant"]].dropna(subset="fid")
        heights, lost = place + runs["seed"].map(lift), runs["state"].isin(FAILURES)
        sns.scatterplot(x=runs["fid"][~lost], y=heights[~lost], color=colour, s=16, alpha=0.7, linewidth=0, ax=axes)
        axes.plot(runs["fid"][lost], heights[lost], "x", color=colour, markersize=4, markeredgewidth=0.8, alpha=0.8)
        drawing.interval(axes, place + 0.27, row["mean"], row["low"], row["high"], colour)
    counts = {state: state.replace(" ", "_") for state in FAILURES}
    notes = [", ".join(f"{row[name]} {state}" for state, name in counts.items() if row[name]) for row in rows]
    labels = [[fill(row["variant"], NAME_WIDTH), *filter(None, [note])] for row, note in zip(rows, notes, strict=True)]
    axes.set_yticks(range(len(rows)), ["\n".join(lines) for lines in labels])
    axes.set(xlabel="FID (logarithmic)", ylabel="")
    drawing.log_ticks(axes.xaxis)
    return figure


def ratios(contrasts: pd.DataFrame, margin: float, colours: Mapping[str, str]) -> Figure:
    """A forest plot: each contrast's ratio and interval, the margin of equivalence shaded, a line between families.

    `contrasts`: label, variant, ratio, low, high, family, verdict, scored; a missing ratio leaves its row empty. An
    exploratory contrast is hollow. A ratio with failed runs included (`scored`) is an open triangle.
    """
    figure, axes = drawing.rows(len(contrasts), 0.36 if len(contrasts) <= FEW_ROWS else 0.3)
    axes.axvspan(1 / margin, margin, color=BAND, linewidth=0)
    axes.axvline(1, color=MUTED, linewidth=0.8)
    contrasts = contrasts.astype({"ratio": float, "low": float, "high": float})
    for place, row in enumerate(contrasts.to_dict("records")):
        colour = colours[row["variant"]]
        filling = PAPER if row["scored"] or row["family"] == "exploratory" else colour
        marker = "^" if row["scored"] else "D"
        drawing.interval(axes, place, row["ratio"], row["low"], row["high"], colour, filling, marker)
        if place and row["family"] != contrasts["family"].iloc[place - 1]:
            axes.axhline(place - 0.5, color=RULE, linewidth=0.8)
    axes.set_yticks(range(len(contrasts)), [fill(label, LABEL_WIDTH) for label in contrasts["label"]])
    verdicts = axes.secondary_yaxis("right")
    verdicts.set_yticks(range(len(contrasts)), contrasts["verdict"])
    verdicts.tick_params(length=0)
    verdicts.spines["right"].set_visible(False)
    drawn = [1 / margin, margin, *contrasts[["ratio", "low", "high"]].melt()["value"].dropna()]
    axes.set(
        xlim=(min(drawn) / 1.08, max(drawn) * 1.08),
        xlabel="←  first is better      ratio of FIDs, first / second (logarithmic)      second is better  →",
    )
    drawing.log_ticks(axes.xaxis)
    return figure


def learning(snapshots: pd.DataFrame, colours: Mapping[str, str]) -> Figure:
    """FID at the snapshots (variant, seed, epoch, fid, failed)."""
    figure, panels = drawing.panels(colours, "epoch (logarithmic)", "FID (logarithmic)", x_scale="log", y_scale="log")
    drawing.other_means(panels, drawing.curves(panels, snapshots, "fid", colours))
    drawing.finish(panels)
    return figure


def probabilities(history: pd.DataFrame, colours: Mapping[str, str]) -> Figure:
    """Mean D(x) and D(G(z)) by epoch (variant, seed, epoch, real_probability, fake_probability, failed)."""
    figure, panels = drawing.panels(colours, "epoch", "mean probability of being real")
    for axes in panels.values():
        axes.axhline(0.5, color=RULE, linewidth=0.8)
        axes.set_ylim(0, 1)
    drawing.curves(panels, history, "real_probability", dict.fromkeys(colours, MUTED), dashed=True)
    drawing.curves(panels, history, "fake_probability", colours)
    drawing.finish(panels)
    _solid_and_dashed(figure, "D(G(z)), generated images", "D(x), real images")
    return figure


def gradients(history: pd.DataFrame, colours: Mapping[str, str]) -> Figure:
    """The generator's gradient norm by epoch (variant, seed, epoch, generator_gradient_norm, failed)."""
    figure, panels = drawing.panels(colours, "epoch", "gradient norm (logarithmic)", y_scale="log")
    column = "generator_gradient_norm"
    drawing.other_means(panels, drawing.curves(panels, drawing.raise_zeros(history, column), column, colours))
    drawing.finish(panels)
    return figure


def saturation(history: pd.DataFrame, colours: Mapping[str, str]) -> Figure:
    """The generator's gradient norm against mean D(G(z)), one dot per run and epoch.

    `history`: variant, fake_probability, generator_gradient_norm. A zero lies on the smallest other value.
    """
    scales = {"x_scale": "log", "y_scale": "log"}
    figure, panels = drawing.panels(colours, "mean D(G(z)) (logarithmic)", "gradient norm (logarithmic)", **scales)
    x, y = "fake_probability", "generator_gradient_norm"
    history = drawing.raise_zeros(history, x, y)
    for variant, axes in panels.items():
        points = history[history["variant"] == variant]
        sns.scatterplot(points, x=x, y=y, color=colours[variant], s=9, alpha=0.5, linewidth=0, ax=axes)
    drawing.finish(panels)
    drawing.log_ticks(axes.xaxis, most=2)
    return figure


def fresh(steps: pd.DataFrame, colours: Mapping[str, str]) -> Figure:
    """A frozen generator's gradient norm as a new discriminator learns: a panel for each age of the generator.

    `steps`: loss (which has one of `colours`), seed, epoch of the generator, step, fake_probability, gradient_norm.
    """
    titles = {epoch: f"generator after epoch {epoch}" for epoch in sorted(steps["epoch"].unique())}
    labels = ("mean D(G(z)), falling as the discriminator learns (logarithmic)", "gradient norm (logarithmic)")
    figure, panels = drawing.panels(titles.values(), *labels, x_scale="log", y_scale="log")
    steps = drawing.raise_zeros(steps, "fake_probability", "gradient_norm")
    style: dict[str, Any] = {"marker": "o", "markersize": 2.5, "linewidth": 0.9, "alpha": 0.8}
    for (epoch, loss, _), line in steps.groupby(["epoch", "loss", "seed"]):
        x, y = line["fake_probability"], line["gradient_norm"]
        panels[titles[epoch]].plot(x, y, color=colours[str(loss)], **style)
    first = next(iter(panels.values()))
    first.invert_xaxis()
    drawing.finish(panels)
    drawing.log_ticks(first.xaxis, most=2)
    drawn = [loss for loss in colours if loss in set(steps["loss"])]
    drawing.legend(figure, {loss: Line2D([], [], color=colours[loss]) for loss in drawn})
    return figure


def losses(history: pd.DataFrame, colours: Mapping[str, str]) -> Figure:
    """Both losses by epoch (variant, seed, epoch, discriminator_loss, generator_loss, failed).

    The axis leaves out the most extreme 1 % of the values, so that one diverging run does not hide the others.
    """
    figure, panels = drawing.panels(colours, "epoch", "loss")
    columns = ["discriminator_loss", "generator_loss"]
    drawing.curves(panels, history, columns[0], dict.fromkeys(colours, MUTED), dashed=True)
    drawing.curves(panels, history, columns[1], colours)
    if not history.empty:
        values = history[columns].melt()["value"]
        low, high = float(values.quantile(0.005)), float(values.quantile(0.995))
        pad = 0.05 * (high - low) or 0.5
        next(iter(panels.values())).set_ylim(low - pad, high + pad)
    drawing.finish(panels)
    _solid_and_dashed(figure, "generator", "discriminator")
    return figure


def logits(history: pd.DataFrame, quantiles: Sequence[str], colours: Mapping[str, str]) -> Figure:
    """Nested bands of the generated images' logits by epoch: each quantile's mean over seeds.

    `quantiles` names the columns in rising order; the outermost pair bounds the lightest band.
    """
    figure, panels = drawing.panels(colours, "epoch", "logit of generated images")
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


def audit(curves: pd.DataFrame, colours: Mapping[str, str]) -> Figure:
    """The size of dL/dlogit against the logit, a panel for each of the `losses` that `colours` has.

    `curves`: losses, by (real or fake), kind (float32, exact or company), logit, gradient. There is a line of kind
    exact where float32 departs from it, and one of kind company where a batch's other images change the gradient.
    What is smaller than the axis lies on its lower end.
    """
    lowest, highest = 1e-18, 1e3
    figure, panels = drawing.panels(colours, "logit", "|dL/dlogit| (logarithmic)", y_scale="log")
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
    drawing.legend(figure, lines)
    return figure


def digits(metrics: pd.DataFrame, test_shares: Sequence[float], colours: Mapping[str, str]) -> Figure:
    """Each digit's share of the images (variant, digit_0 … digit_9): bars are means over runs, dots are runs.

    `test_shares` has the test set's share of every digit, drawn as short lines.
    """
    figure, panels = drawing.panels(colours, "digit that the classifier sees", "share of images")
    columns = {f"digit_{digit}": digit for digit in range(len(test_shares))}
    shares = metrics.rename(columns=columns).melt("variant", list(columns.values()), "digit", "share").dropna()
    for variant, axes in panels.items():
        runs = shares[shares["variant"] == variant]
        style = {"x": "digit", "y": "share", "order": list(columns.values()), "color": colours[variant], "ax": axes}
        sns.barplot(runs, **style, errorbar=None, saturation=1, alpha=0.4)
        sns.stripplot(runs, **style, jitter=False, size=2.2, alpha=0.7)
        for digit, share in enumerate(test_shares):
            axes.hlines(share, digit - 0.45, digit + 0.45, color=INK, linewidth=1.3)
        axes.yaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    drawing.finish(panels)
    return figure


def _solid_and_dashed(figure: Figure, solid: str, dashed: str) -> None:
    lines = {solid: Line2D([], [], color=INK), dashed: Line2D([], [], color=MUTED, linestyle=DASHES)}
    drawing.legend(figure, lines)
