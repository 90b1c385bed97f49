"""Figures show the numbers they are given, every one, and are the same bytes whenever the numbers are the same."""

import re

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from scipy import stats

from gan.reporting.figures import colours, drawing, mechanism, scores, training
from gan.reporting.results import HISTORY

VARIANTS = ("minimax", "non_saturating", "cewl")
COLOURS = colours.palette(VARIANTS)
QUANTILES = ["fake_logit_q05", "fake_logit_q50", "fake_logit_q95"]
SHARES = np.linspace(0.05, 0.15, 10)


def history_of(variants=VARIANTS, seeds=3, epochs=7) -> pd.DataFrame:
    generator = np.random.default_rng(0)
    rows = pd.MultiIndex.from_product(
        [variants, range(seeds), range(1, epochs + 1)], names=["variant", "seed", "epoch"]
    )
    values = generator.uniform(0.1, 0.9, (len(rows), len(HISTORY)))
    logits = np.sort(generator.normal(size=(len(rows), 3)))
    data = pd.DataFrame(np.hstack([values, logits]), index=rows, columns=[*HISTORY, *QUANTILES])
    return data.reset_index().assign(failed=False, fid=generator.uniform(4, 90, len(rows)))


def metrics_of(variants=VARIANTS, seeds=5) -> pd.DataFrame:
    generator = np.random.default_rng(1)
    data = pd.DataFrame([(variant, seed) for variant in variants for seed in range(seeds)], columns=["variant", "seed"])
    shares = generator.dirichlet(np.ones(10), len(data))
    fids = generator.uniform(4, 20, len(data))
    return data.assign(fid=fids, state="learnt", **{f"digit_{k}": shares[:, k] for k in range(10)})


def summary_of(variants=VARIANTS) -> pd.DataFrame:
    return pd.DataFrame([
        {"variant": name, "mean": 5.0 + k, "low": 4.0 + k, "high": 7.0 + k, "never_learnt": 0, "mode_collapse": k // 2,
         "diverged": k}
        for k, name in enumerate(variants)
    ])  # fmt: skip


def contrasts_of(variants=VARIANTS) -> pd.DataFrame:
    return pd.DataFrame([
        {"label": f"{name} / other", "variant": name, "ratio": 0.8 + k / 10, "low": 0.7, "high": 1.5 + k / 10,
         "family": "exploratory" if k else "declared", "scored": False, "verdict": "undecided"}
        for k, name in enumerate(variants)
    ])  # fmt: skip


def draw_all() -> dict[str, Figure]:
    history = history_of()
    return {
        "seeds": scores.seeds(metrics_of(), summary_of(), 0.3, COLOURS),
        "ratios": scores.ratios(contrasts_of(), 1.1, COLOURS),
        "learning": training.learning(history, COLOURS),
        "probabilities": training.probabilities(history, COLOURS),
        "gradients": training.gradients(history, COLOURS),
        "saturation": training.saturation(history, COLOURS),
        "losses": training.losses(history, COLOURS),
        "logits": training.logits(history, QUANTILES, COLOURS),
        "digits": training.digits(metrics_of(), SHARES, COLOURS),
    }


def bold(axes) -> list:
    return [line for line in axes.lines if line.get_linewidth() == 1.8]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Every figure twice, as text."""
    folder = tmp_path_factory.mktemp("figures")
    texts = []
    for name in ("first", "second"):
        texts.append({})
        for figure_name, figure in draw_all().items():
            path = folder / f"{name}-{figure_name}.svg"
            drawing.save(figure, path)
            texts[-1][figure_name] = path.read_text()
    return texts


def test_identical_numbers_give_identical_bytes(drawn):
    assert drawn[0] == drawn[1]


def test_every_figure_shows_every_variant_in_its_own_colour(drawn):
    for name, svg in drawn[0].items():
        for variant, colour in COLOURS.items():
            assert colour in svg, (name, variant)


def test_nothing_is_loaded_and_no_date_is_written(drawn):
    for svg in drawn[0].values():
        assert not re.search(r"""(href|src)\s*=\s*["'](?!#)|@import|url\((?!#)|<dc:date>""", svg)


def test_dark_pages_exchange_paper_and_ink(drawn):
    for svg in drawn[0].values():
        assert svg.count("prefers-color-scheme:dark") == 1
        for use, colour in re.findall(r"\b(fill|stroke): (#[0-9a-f]{6})", svg):
            if colour in drawing.DARK:
                assert f'[style*="{use}: {colour}"]{{{use}:{drawing.DARK[colour]}' in svg


def test_a_colour_belongs_to_a_name_whatever_stands_beside_it():
    names = [f"variant_{k}" for k in range(25)]
    assert colours.palette(names)["variant_3"] == colours.palette(names[3:])["variant_3"] == colours.of("variant_3")
    assert len(set(COLOURS.values())) == 3


def test_every_colour_stands_out_on_a_light_and_on_a_dark_page():
    shades = [colours.of(name) for name in (*colours.KNOWN, *(f"variant_{k}" for k in range(200)))]
    for paper in (drawing.PAPER, drawing.DARK[drawing.PAPER]):
        assert min(colours.contrast(shade, paper) for shade in shades) >= 3
    for light in (drawing.INK, drawing.MUTED, drawing.OTHER):
        assert colours.contrast(light, drawing.PAPER) >= 3
        assert colours.contrast(drawing.DARK[light], drawing.DARK[drawing.PAPER]) >= 3
    assert colours.contrast("#000000", "#ffffff") == pytest.approx(21)  # WCAG 2.1's own example


def test_a_mark_tells_the_pointer_its_value(drawn):
    assert "<title>minimax, seed 0: " in drawn[0]["seeds"]
    assert "<title>minimax / other: 0.800, 0.700 – 1.500: undecided</title>" in drawn[0]["ratios"]
    assert not any("tip:" in svg for svg in drawn[0].values())


def test_letters_on_a_narrow_page_are_as_large_as_on_a_wide_one():
    for maker in (scores.seeds, scores.ratios, training.learning):
        arguments = {
            scores.seeds: (metrics_of(), summary_of(), 0.3, COLOURS), scores.ratios: (contrasts_of(), 1.1, COLOURS),
            training.learning: (history_of(), COLOURS),
        }[maker]  # fmt: skip
        svg = drawing.svg(maker(*arguments, page=drawing.NARROW))
        width = float(re.search(r'viewBox="0 0 ([\d.]+)', svg).group(1)) * 96 / 72
        assert width < 360  # of 390 pixels
        assert min(float(size) for size in re.findall(r"font-size: ([\d.]+)px", svg)) * 96 / 72 >= 10


def test_an_axis_is_not_stretched_to_a_floor_far_away():
    near, far = (scores.seeds(metrics_of(), summary_of(), floor, COLOURS).axes[0] for floor in (3.0, 0.01))
    assert [text.get_text() for text in near.texts + far.texts] == ["floor 3.00", "← floor 0.0100"]
    assert near.get_xlim()[0] < 3.1
    assert far.get_xlim()[0] > 1


@pytest.mark.parametrize("count", [1, 5, 25])
def test_each_variant_has_a_panel(count):
    names = [f"variant_{k}" for k in range(count)]
    figure = training.logits(history_of(names, 2, 2), QUANTILES, colours.palette(names))
    assert [axes.get_title("left") for axes in figure.axes] == names
    figure.draw_without_rendering()
    boxes = [axes.get_window_extent() for axes in figure.axes]
    assert not any(a.overlaps(b) for k, a in enumerate(boxes) for b in boxes[:k])


def test_seeds_are_dots_at_their_fid_at_one_height_in_every_row():
    metrics = metrics_of()
    metrics.loc[2, "fid"] = np.nan
    axes = scores.seeds(metrics, summary_of(), 0.3, COLOURS).axes[0]
    dots: dict[str, list] = {}
    for line in axes.lines:
        if line.get_marker() == "o":
            dots.setdefault(line.get_color(), []).append(line.get_xydata()[0])
    heights = []
    for row, variant in enumerate(VARIANTS):
        runs = metrics[metrics["variant"] == variant].dropna()
        x, y = np.asarray(dots[COLOURS[variant]]).T
        np.testing.assert_allclose(x, runs["fid"])
        heights.append(dict(zip(runs["seed"], np.round(y - row, 9), strict=True)))
    assert heights[0].items() < heights[1].items() == heights[2].items()
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        "minimax",
        "non_saturating\n1 diverged",
        "cewl\n1 mode collapse, 2 diverged",
    ]


def test_a_failed_run_is_a_cross_where_its_dot_would_be():
    metrics = metrics_of()
    metrics.loc[[1, 7], "state"] = "mode collapse"
    plain, marked = (scores.seeds(each, summary_of(), 0.3, COLOURS).axes[0] for each in (metrics_of(), metrics))

    def dots(axes) -> set:
        return {
            (line.get_color(), *np.round(point, 9))
            for line in axes.lines
            if line.get_marker() == "o"
            for point in line.get_xydata()
        }

    crosses = {
        (line.get_color(), *np.round(point, 9))
        for line in marked.lines
        if line.get_marker() == "x"
        for point in line.get_xydata()
    }
    assert {cross[1] for cross in crosses} == set(metrics.loc[[1, 7], "fid"].round(9))
    assert crosses == dots(plain) - dots(marked)


def intervals(axes) -> list:
    """Centre, low and high of every interval drawn."""
    diamonds = [line.get_xdata()[0] for line in axes.lines if line.get_marker() in ("D", "^")]
    lines = [group.get_segments() for group in axes.collections if hasattr(group, "get_segments")]
    return [(centre, *line[0][:, 0]) for centre, line in zip(diamonds, lines, strict=True)]


def test_intervals_are_drawn_as_given():
    summary, contrasts = summary_of(), contrasts_of()
    axes = scores.seeds(metrics_of(), summary, 0.3, COLOURS).axes[0]
    assert intervals(axes) == list(summary[["mean", "low", "high"]].itertuples(index=False, name=None))
    axes = scores.ratios(contrasts, 1.1, COLOURS).axes[0]
    assert intervals(axes) == list(contrasts[["ratio", "low", "high"]].itertuples(index=False, name=None))
    low, high = axes.get_xlim()
    assert low < 0.7 < 1.7 < high
    fillings = [line.get_markerfacecolor() for line in axes.lines if line.get_marker() == "D"]
    assert fillings == [COLOURS["minimax"], drawing.PAPER, drawing.PAPER]


def test_a_ratio_with_collapsed_runs_is_an_open_triangle_and_a_line_parts_families():
    contrasts = contrasts_of().assign(family=["declared", "declared", "control"], scored=[True, False, False])
    axes = scores.ratios(contrasts, 1.1, COLOURS).axes[0]
    assert intervals(axes) == list(contrasts[["ratio", "low", "high"]].itertuples(index=False, name=None))
    markers = [(line.get_marker(), line.get_markerfacecolor()) for line in axes.lines if line.get_marker() in "D^"]
    assert markers == [("^", drawing.PAPER), ("D", COLOURS["non_saturating"]), ("D", COLOURS["cewl"])]
    assert [line.get_ydata()[0] for line in axes.lines if line.get_color() == drawing.RULE] == [1.5]


def test_a_missing_interval_leaves_its_row_empty(tmp_path):
    contrasts = contrasts_of().assign(ratio=[None, 0.9, None], low=None, high=None)
    summary = summary_of().assign(mean=[5.0, None, 6.0], low=None, high=None)
    nothing = metrics_of().assign(fid=np.nan)
    for figure, missing in (
        (scores.ratios(contrasts, 1.1, COLOURS), [True, False, True]),
        (scores.seeds(nothing, summary, 0.3, COLOURS), [False, True, False]),
    ):
        diamonds = [line.get_xdata()[0] for line in figure.axes[0].lines if line.get_marker() == "D"]
        assert np.isnan(diamonds).tolist() == missing
        drawing.save(figure, tmp_path / "figure.svg")


def test_the_bold_line_is_the_mean_over_seeds_on_the_axis_shown():
    history = history_of()
    for figure, column, mean in (
        (training.learning(history, COLOURS), "fid", stats.gmean),
        (training.gradients(history, COLOURS), "generator_gradient_norm", stats.gmean),
        (training.probabilities(history, COLOURS), "fake_probability", np.mean),
        (training.losses(history, COLOURS), "generator_loss", np.mean),
    ):
        for variant, axes in zip(VARIANTS, figure.axes, strict=True):
            expected = history[history["variant"] == variant].groupby("epoch")[column].agg(mean)
            np.testing.assert_allclose(bold(axes)[-1].get_ydata(), expected)
            assert len([line for line in axes.lines if line.get_linewidth() == 0.6]) % 3 == 0


def test_a_failed_run_ends_in_a_cross():
    history = history_of()
    fails = (history["variant"] == "cewl") & (history["seed"] == 1)
    history = history.assign(failed=fails)[~fails | (history["epoch"] <= 4)]
    figure = training.learning(history, COLOURS)
    crosses = [
        [line for line in axes.lines if line.get_marker() == "x" and len(line.get_xdata())] for axes in figure.axes
    ]
    assert [len(found) for found in crosses] == [0, 0, 1]
    assert crosses[2][0].get_xdata().tolist() == [4]
    assert crosses[2][0].get_ydata().tolist() == history.query("failed and epoch == 4")["fid"].tolist()


def test_a_gradient_of_zero_shows_on_the_logarithmic_axis(tmp_path):
    history = history_of()
    history.loc[0, "generator_gradient_norm"] = 0.0
    least = history["generator_gradient_norm"].drop(0).min()
    figure = training.saturation(history, COLOURS)
    np.testing.assert_allclose(figure.axes[0].collections[0].get_offsets()[0, 1], least)
    drawing.save(figure, tmp_path / "saturation.svg")
    drawing.save(training.gradients(history, COLOURS), tmp_path / "gradients.svg")


def test_fresh_discriminators_are_lines_by_age_loss_and_seed(tmp_path):
    steps = pd.DataFrame([
        {"loss": loss, "seed": seed, "epoch": epoch, "step": step, "fake_probability": 0.5 / step / epoch,
         "gradient_norm": (0.0 if step == 30 else 0.1 / step) if loss == "minimax" else 1.0 + seed}
        for loss in ("minimax", "non_saturating") for epoch in (20, 1) for seed in (0, 1) for step in (1, 5, 30)
    ])  # fmt: skip
    figure = mechanism.fresh(steps, COLOURS)
    assert [axes.get_title("left") for axes in figure.axes] == ["generator of epoch 1", "generator of epoch 20"]
    for axes, epoch in zip(figure.axes, (1, 20), strict=True):
        assert axes.get_xlim()[0] > axes.get_xlim()[1]  # it falls from left to right
        assert [line.get_color() for line in axes.lines] == [COLOURS["minimax"]] * 2 + [COLOURS["non_saturating"]] * 2
        np.testing.assert_allclose(axes.lines[0].get_xdata(), [0.5 / epoch, 0.1 / epoch, 0.5 / 30 / epoch])
        np.testing.assert_allclose(axes.lines[0].get_ydata(), [0.1, 0.02, 0.02])  # a zero lies on the least other
        np.testing.assert_allclose(axes.lines[3].get_ydata(), 2.0)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["minimax", "non_saturating"]
    drawing.save(figure, tmp_path / "fresh.svg")


def test_one_diverging_run_does_not_hide_the_others():
    history = history_of(seeds=10)
    history.loc[0, "generator_loss"] = 1e9
    assert training.losses(history, COLOURS).axes[0].get_ylim()[1] < 2


def test_bars_are_mean_shares_beside_those_of_the_test_set():
    metrics = metrics_of()
    figure = training.digits(metrics, SHARES, COLOURS)
    for variant, axes in zip(VARIANTS, figure.axes, strict=True):
        expected = metrics[metrics["variant"] == variant].filter(like="digit_").mean()
        np.testing.assert_allclose([bar.get_height() for bar in axes.patches], expected)
        lines = [group.get_segments()[0][0, 1] for group in axes.collections if hasattr(group, "get_segments")]
        assert lines == SHARES.tolist()


def test_bands_lie_between_the_mean_quantiles():
    history = history_of(seeds=2)
    for variant, axes in zip(VARIANTS, training.logits(history, QUANTILES, COLOURS).axes, strict=True):
        means = history[history["variant"] == variant].groupby("epoch")[QUANTILES].mean()
        (band,) = axes.collections
        corners = band.get_paths()[0].vertices[:, 1]
        assert corners.min() == means[QUANTILES[0]].min()
        assert corners.max() == means[QUANTILES[2]].max()
        np.testing.assert_allclose(bold(axes)[0].get_ydata(), means[QUANTILES[1]])


def test_long_names_keep_to_their_panel_and_row(tmp_path):
    names = [f"{letter * 63}{k}" for k, letter in enumerate("wxyz")]
    shades = colours.palette(names)
    figure = training.learning(history_of(names, 1, 1), shades)
    drawing.save(figure, tmp_path / "figure.svg")
    titles = [axes._left_title.get_window_extent() for axes in figure.axes]
    assert not any(a.overlaps(b) for k, a in enumerate(titles) for b in titles[:k])
    labels = [f"H{k}  {name} / {name}" for k, name in enumerate(names)]
    for figure in (
        scores.ratios(contrasts_of(names).assign(label=labels), 1.1, shades),
        scores.seeds(metrics_of(names), summary_of(names), 0.3, shades),
    ):
        drawing.save(figure, tmp_path / "figure.svg")
        assert figure.axes[0].get_position().width > 0.4


def test_dollars_make_no_formula(tmp_path):
    name = r"$\frac{a$"  # as a formula it would be an error
    drawing.save(training.learning(history_of([name]), colours.palette([name])), tmp_path / "figure.svg")
    drawing.save(scores.ratios(contrasts_of([name]), 1.1, colours.palette([name])), tmp_path / "figure.svg")


def test_variants_without_a_finished_epoch_keep_their_panel(tmp_path):
    history = history_of(epochs=1)
    for known in (["cewl"], []):
        rows = history[history["variant"].isin(known)]
        for figure in (
            training.learning(rows, COLOURS),
            training.gradients(rows, COLOURS),
            training.saturation(rows, COLOURS),
            training.losses(rows, COLOURS),
            training.logits(rows, QUANTILES, COLOURS),
        ):
            assert [axes.get_title("left") for axes in figure.axes] == list(VARIANTS)
            figure.draw_without_rendering()
