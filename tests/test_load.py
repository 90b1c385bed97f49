"""The load study: variants that all differ, and costs that add up."""

from pathlib import Path

import pytest
from conftest import ROOT
from ruamel.yaml import YAML

from gan.audit import Losses
from gan.errors import StudyError
from gan.load import Command, measure, preset, shares
from gan.rehearsal import apply
from gan.study import load_study


def test_every_variant_has_losses_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    yaml = YAML(pure=True)
    yaml.dump(apply(preset(variants=20, seeds=4), yaml.load(ROOT / "params.yaml")), tmp_path / "params.yaml")
    study = load_study(tmp_path / "params.yaml")
    assert len({Losses.of(variant) for variant in study.variants.values()}) == len(study.variants) == 20
    assert {variant.seeds for variant in study.variants.values()} == {(0, 1, 2, 3)}
    assert not {"minimax", "non_saturating", "cewl"} - set(study.variants)


def test_every_second_is_some_commands_or_dvcs() -> None:
    lines = ["1 4 -m stages.train a", "4 5.5 -m stages.track a", "7 8 -m stages.train b", "9 10 -m stages.track"]
    rows = shares([Command.read(line) for line in lines], 0, 12)
    assert {row["what"]: row["seconds"] for row in rows} == {
        "train": 4,
        "track, of one variant": 1.5,
        "track": 1,
        "dvc, between stages": 5.5,
    }
    assert rows[0]["note"] == "2 times; the first tenth 3.00 s each, the last 1.00"


def test_only_an_earlier_load_study_is_removed(tmp_path: Path) -> None:
    (tmp_path / "results.csv").touch()
    with pytest.raises(StudyError, match=r"^\S+ is no load study's, and would be emptied: name a folder that is not"):
        measure(3, 1, tmp_path, print)
    assert (tmp_path / "results.csv").exists()
