"""Figures of the designed experiments show the records' numbers, each where it belongs."""

from dataclasses import replace

import numpy as np
import pandas as pd
from matplotlib.colors import to_hex
from reporting import planted
from scipy import stats

from gan.reporting.figures import colours, drawing, mechanism, robustness, scores
from gan.reporting.results import withheld

NAMES = ("minimax", "non_saturating", "minimax_rescaled")
COLOURS = colours.palette(NAMES)


def lines_of(axes, colour: str) -> list:
    return [line for line in axes.lines if line.get_color() == colour]


def test_the_map_has_a_tile_for_each_cell_and_says_how_many_learn():
    record = planted.search()
    figure = robustness.learning_map(record)
    assert [axes.get_title("left") for axes in figure.axes] == [
        "minimax: 27 of 49 learn", "non_saturating: 37 of 49 learn", "minimax_rescaled: 30 of 49 learn",
    ]  # fmt: skip
    for axes, searched in zip(figure.axes, record.objectives.values(), strict=True):
        tiles = {(round(tile.get_x() + 0.48), round(tile.get_y() + 0.46)): tile for tile in axes.patches}
        texts = {text.get_position(): text.get_text() for text in axes.texts}
        assert len(tiles) == len(texts) == 9
        for place, cell in enumerate(searched.map):
            corner = divmod(place, 3)
            assert texts[corner] == f"{cell.learnt} of {cell.n}"
            assert to_hex(tiles[corner].get_facecolor()) == to_hex(robustness.SHARES(cell.learnt / cell.n))
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["0", "0.5", "0.9"]
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == [
        "0.1 to 0.46",
        "0.46 to 2.2",
        "2.2 to 10",
    ]


def test_a_text_on_a_tile_stands_out_on_light_and_dark_pages():
    assert not {robustness.ON_DARK, robustness.ON_LIGHT} & {*drawing.DARK, *drawing.DARK.values()}
    for share in np.linspace(0, 1, 21):
        red, green, blue, _ = robustness.SHARES(share)
        luminance = 0.2126 * red**2.2 + 0.7152 * green**2.2 + 0.0722 * blue**2.2
        contrast = (luminance + 0.05) / 0.055 if share > 0.55 else 1.04 / (luminance + 0.05)
        assert contrast > 3.4, share


def test_a_map_may_lack_cells(tmp_path):
    record = planted.search()
    first = record.objectives["minimax"]
    few = {**record.objectives, "minimax": replace(first, map=first.map[:2])}
    figure = robustness.learning_map(replace(record, objectives=few))
    assert [len(axes.patches) for axes in figure.axes] == [2, 9, 9]
    drawing.save(figure, tmp_path / "map.svg")


def test_the_curves_of_the_best_of_k_are_the_records():
    record = planted.search()
    axes = robustness.best_of_k(record, COLOURS).axes[0]
    for name, searched in record.objectives.items():
        (line,) = lines_of(axes, COLOURS[name])
        np.testing.assert_allclose(line.get_xdata(), searched.best_of_k.k)
        np.testing.assert_allclose(line.get_ydata(), searched.best_of_k.expected)
    assert len(axes.collections) == 3  # a band each
    assert [line.get_ydata()[0] for line in axes.lines if line.get_color() == drawing.MUTED] == [record.mean_image]


def test_the_ladder_has_a_mark_for_each_rung_and_objective():
    record = planted.ladder()
    left, right = robustness.ladder(record, COLOURS).axes
    for objective in record.objectives:
        steps = [next(step for step in rung.steps if step.objective == objective) for rung in record.rungs]
        marks = [[line.get_xdata()[0] for line in lines_of(axes, COLOURS[objective])] for axes in (left, right)]
        np.testing.assert_allclose(marks[0], [each.learnt / 3 for each in steps])
        np.testing.assert_allclose(marks[1], [each.mean for each in steps])
    assert left.get_ylim()[0] > left.get_ylim()[1]  # the printed recipe is on top
    notes = right.child_axes[0].get_yticklabels()
    assert [note.get_text() for note in notes] == ["", "lead gone", "", "reversed", ""]


def test_a_rung_whose_runs_all_diverged_has_no_mark(tmp_path):
    record = planted.ladder()
    first, *others = record.rungs
    lost = replace(first, steps=[replace(step, mean=None) for step in first.steps], turned=None)
    figure = robustness.ladder(replace(record, rungs=[lost, *others]), COLOURS)
    assert np.isnan(lines_of(figure.axes[1], COLOURS["minimax"])[0].get_xdata()[0])
    drawing.save(figure, tmp_path / "ladder.svg")


def test_cost_is_the_geometric_mean_over_seeds_against_minutes():
    runs = pd.DataFrame([
        {"variant": name, "seed": seed, "epoch": epoch, "minutes": epoch / 4, "fid": 100.0 / epoch + seed}
        for name in NAMES[:2] for seed in (1, 2, 5) for epoch in (1, 4, 9)
    ])  # fmt: skip
    figure = robustness.cost(runs, {name: COLOURS[name] for name in NAMES[:2]})
    for name, axes in zip(NAMES, figure.axes, strict=False):
        (line,) = lines_of(axes, COLOURS[name])
        np.testing.assert_allclose(line.get_xdata(), [0.25, 1, 2.25])
        expected = runs[runs["variant"] == name].groupby("epoch")["fid"].agg(stats.gmean)
        np.testing.assert_allclose(line.get_ydata(), expected)
        assert len(lines_of(axes, drawing.OTHER)) == 1


def test_updates_are_of_the_printed_recipe_alone():
    record = planted.memory()
    figure = mechanism.updates(record, COLOURS)
    assert [axes.get_title("left") for axes in figure.axes] == list(NAMES)
    for axes in figure.axes:
        curves = lines_of(axes, COLOURS[axes.get_title("left")])
        assert len(curves) == 2  # seeds
        own = [run for run in record.runs if run.adam.printed and run.adam.objective == axes.get_title("left")]
        np.testing.assert_allclose(curves[0].get_ydata(), own[0].curve.update)


def test_each_freeze_that_ended_is_a_mark_beside_its_prediction():
    record = planted.memory()
    figure = mechanism.recovery(record)
    assert [axes.get_title("left") for axes in figure.axes] == [mechanism.FROM_START, mechanism.AFTER_SWITCH]
    for axes, switch in zip(figure.axes, (None, 1), strict=True):
        runs = [run for run in record.runs if run.adam.objective == "minimax" and run.adam.switch == switch]
        expected = [(1 / (1 - run.adam.beta2), each.lasted) for run in runs for each in run.freezes if each.lasted]
        marks = np.concatenate([line.get_xydata() for line in axes.lines if len(line.get_xydata())])
        assert len(marks) == len(expected) == (16 if switch else 8)
        np.testing.assert_allclose(sorted(marks[:, 1]), sorted(lasted for _, lasted in expected))
        for x, _ in marks:
            assert min(abs(np.log(x / horizon)) for horizon, _ in expected) < 0.07
        predicted = [segment[0, 1] for group in axes.collections for segment in group.get_segments()]
        np.testing.assert_allclose(sorted(predicted), sorted(1.2 * lasted for _, lasted in expected))


def test_cosines_are_lines_by_seed_in_a_panel_for_what_trained_the_networks():
    figure = mechanism.cosines(planted.memory(), COLOURS)
    titles = [axes.get_title("left") for axes in figure.axes]
    assert titles == ["trained by minimax", "trained by non_saturating"]
    for name, axes in zip(NAMES, figure.axes, strict=False):
        curves = lines_of(axes, COLOURS[name])
        assert len(curves) == 2
        np.testing.assert_allclose(curves[0].get_ydata(), [0.8996, 0.888, 0.54, 0.18])


def test_a_ground_has_its_interval_in_the_colour_of_what_is_better_there():
    record = planted.scope("better", "worse", "equivalent", "undecided")
    axes = scores.grounds(record, ["first", "second"], 1.1, COLOURS).axes[0]
    marks = [line for line in axes.lines if line.get_marker() in "Dso"]
    assert [line.get_xdata()[0] for line in marks] == [ground.ratio for ground in record.grounds]
    expected = [COLOURS["non_saturating"], COLOURS["minimax"], drawing.INK, drawing.MUTED]
    assert [line.get_color() for line in marks] == expected
    assert marks[-1].get_markerfacecolor() == drawing.PAPER
    low, high = axes.get_xlim()
    assert low < 0.347
    assert high > 1.1


def test_a_rehearsals_ground_is_drawn_as_an_undecided_one():
    record = withheld(planted.scope("better", "undecided"))
    axes = scores.grounds(record, ["first", "second"], 1.1, COLOURS).axes[0]
    marks = [line for line in axes.lines if line.get_marker() in "Dso"]
    assert [(line.get_marker(), line.get_markerfacecolor()) for line in marks] == [("o", drawing.PAPER)] * 2


def test_one_interval_over_decades_does_not_press_the_others_together():
    record = planted.scope("better", "better")
    wide = replace(record.grounds[1], low=1e-6, high=1e6, verdict="undecided")
    axes = scores.grounds(replace(record, grounds=[record.grounds[0], wide]), ["a", "b"], 1.1, COLOURS).axes[0]
    assert axes.get_xlim()[1] / axes.get_xlim()[0] < 30
