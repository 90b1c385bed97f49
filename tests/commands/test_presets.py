"""A presets copies the sources, changes parameters and leaves what is published alone."""

import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
from conftest import ROOT
from ruamel.yaml import YAML

from gan.commands import presets
from gan.commands.presets import apply, lay_over, run_preset
from gan.errors import StudyError
from gan.study.loading import load_study


def test_values_are_laid_over_key_by_key() -> None:
    base = {"a": {"b": 1, "c": [1, 2]}, "d": 3}
    assert lay_over(base, {"a": {"c": [3]}, "e": 4}) == {"a": {"b": 1, "c": [3]}, "d": 3, "e": 4}
    assert base == {"a": {"b": 1, "c": [1, 2]}, "d": 3}


def test_a_preset_chooses_variants_and_rules_their_recipes() -> None:
    params = {"baseline": {"seeds": [1], "epochs": 9}, "variants": {"a": {"seeds": [2], "lr": 3}, "b": {}}, "c": 1}
    applied = apply({"only": ["a"], "baseline": {"seeds": [7]}}, params)
    assert applied == {"baseline": {"seeds": [7], "epochs": 9}, "variants": {"a": {"lr": 3}}, "c": 1}
    assert apply({"c": 2}, params) == {**params, "c": 2}
    with pytest.raises(StudyError, match="no variant z"):
        apply({"only": ["a", "z"]}, params)


@pytest.mark.parametrize("preset", sorted((ROOT / "presets").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_preset_makes_a_valid_study(preset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = subprocess.run
    commands: list[list[str]] = []

    def run(command: list[str], **options):
        if "dvc" not in command:
            return real(command, **options)
        commands.append(command)
        assert options["cwd"] == tmp_path / "copy"
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(presets.subprocess, "run", run)
    monkeypatch.chdir(ROOT)
    folder = tmp_path / "copy"
    run_preset(preset, folder)
    assert [command[-1] for command in commands] == ["repro"]
    study, published = load_study(folder / "params.yaml"), load_study(ROOT / "params.yaml")
    assert list(study.variants) == YAML(pure=True).load(preset)["only"]
    assert study.tracking.experiment != published.tracking.experiment
    if preset.stem == "pilot":
        assert all(not set(study.baseline.seeds) & set(variant.seeds) for variant in published.variants.values())
    assert Path(study.data.mirrors["mnist"][0]).is_absolute()
    assert (folder / "gan/training/population.py").read_bytes() == (ROOT / "gan/training/population.py").read_bytes()
    assert not any((folder / name).exists() for name in ("dvc.lock", "models", ".venv", ".git"))
    assert [path.name for path in (folder / "reports").iterdir()] == ["benchmark.json"]


def test_outside_a_checkout_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StudyError, match="git says"):
        run_preset(ROOT / "presets/pilot.yaml", tmp_path / "copy")
