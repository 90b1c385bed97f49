"""The published generators are those of the published scores, and the published pictures are theirs."""

import numpy as np
import pytest
from conftest import ROOT
from pictures.keeping import pixels

from gan.compute.tables import read_table
from gan.files import read_json
from gan.pictures import drawing
from gan.pictures.sources import published
from gan.study.loading import load_study

REPORTS = ROOT / "reports"
MARGIN, SIDE = 2, 28
STEP = SIDE + MARGIN


@pytest.mark.published
def test_generators_scores_and_pictures_are_of_one_run() -> None:
    study = load_study(ROOT / "params.yaml")
    for variant, recipe in study.variants.items():
        found = published(study, variant, root=ROOT)
        metrics = read_table(REPORTS / f"metrics/{variant}.csv")
        assert (found.seed, found.key) == (recipe.seeds[0], metrics["key"][0])
        strip = pixels(REPORTS / f"strips/{variant}.png")
        epochs = read_json(REPORTS / f"strips/{variant}.json", "epochs")
        assert (epochs[-1], len(epochs)) == (found.epoch, len(strip) // SIDE)

        grid = pixels(REPORTS / f"samples/{variant}.png")[MARGIN:STEP]
        columns = [grid[:, STEP * column + MARGIN : STEP * (column + 1)] for column in range(drawing.STRIP_COLUMNS)]
        assert np.array_equal(strip[-SIDE:], np.concatenate(columns, axis=1))

        # Other processors round in other ways.
        ways = pixels(drawing.png(drawing.interpolations(recipe, found.state))).astype(int)
        assert np.abs(pixels(REPORTS / f"interpolations/{variant}.png") - ways).max() <= 1
