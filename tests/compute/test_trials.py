"""Trials are trained once, and which of them are missing is read from their tables."""

from pathlib import Path

import pandas as pd
import pytest
import torch

from gan.compute import trials
from gan.compute.trainer import TrainingImages
from gan.files import write, write_json
from gan.records.reading import read
from gan.records.training import Provenance
from gan.study.designs import search_trials
from gan.study.schema import Study


@pytest.fixture
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, images: torch.Tensor) -> Path:
    """A folder to train in, with images in the place of MNIST's."""
    monkeypatch.chdir(tmp_path)
    sets = {"mnist": TrainingImages(images, "data")}
    monkeypatch.setattr(trials.TrainingImages, "load", lambda names: {name: sets[name] for name in names})
    return tmp_path


def test_trials_are_trained_once_and_come_back_in_order(study: Study, in_folder: Path) -> None:
    asked = search_trials(study.search, study.baseline, "minimax")[:3]
    trained = trials.train_trials("test", [*asked, asked[0]], study)
    assert [each.trial for each in trained] == [*asked, asked[0]]
    assert trained[0].key == trained[-1].key
    assert len({each.key for each in trained}) == 3
    times = {each.folder: (each.folder / "run.json").stat().st_mtime_ns for each in trained}
    again = trials.train_trials("test", asked, study)
    assert {each.folder: (each.folder / "run.json").stat().st_mtime_ns for each in again} == times
    described = trials.provenance(trained)
    assert described.seconds.keys() == {each.key for each in trained}
    assert described.hardware.device == "cpu"
    write_json(in_folder / "trials.json", described)
    assert read(Provenance, in_folder / "trials.json") == described


def test_a_trial_in_a_table_is_known(study: Study, tmp_path: Path) -> None:
    table = pd.DataFrame({name: [1] for name in ("configuration", "seed", "epoch", "fid", "coverage", "digits")})
    table = table.assign(status="finished", key="abc")
    write(tmp_path / "search/minimax.csv", table.to_csv(index=False))
    assert trials.tabled_keys(tmp_path) == {"abc"}
    write(tmp_path / "search/minimax.csv", "no table")
    assert trials.tabled_keys(tmp_path) == set()


def test_all_first_trials_are_known_beforehand(study: Study) -> None:
    first = trials.first_trials(study)
    rungs = len(study.ladder.rungs) * len(study.ladder.objectives) * len(study.ladder.seeds)
    searches = len(study.search.objectives) * (study.search.points + 1)
    assert len(first) == rungs + searches
