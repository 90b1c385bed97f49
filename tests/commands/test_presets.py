"""A preset runs in a copy of the sources with some parameters changed and leaves the published results alone."""

from contextlib import chdir
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, TESTS

from gan.commands import presets
from gan.commands.presets import apply, is_rehearsal, lay_over, prepare, run_preset
from gan.errors import StudyError
from gan.study.loading import load_study, read_yaml, validate


def test_values_are_laid_over_key_by_key() -> None:
    base = {"a": {"b": 1, "c": [1, 2]}, "d": 3}
    assert lay_over(base, {"a": {"c": [3]}, "e": 4}) == {"a": {"b": 1, "c": [3]}, "d": 3, "e": 4}
    assert base == {"a": {"b": 1, "c": [1, 2]}, "d": 3}


def test_a_presets_baseline_holds_for_the_variants_that_it_chooses() -> None:
    baseline, variants = {"seeds": [1], "epochs": 9}, {"a": {"seeds": [2], "lr": 3}, "b": {}}
    contrasts = [{"variant": "a", "against": "a"}, {"variant": "a", "against": "b"}]
    params = {"baseline": baseline, "variants": variants, "compare": {"hypotheses": contrasts, "controls": []}}
    params |= {"ladder": {"rungs": {"printed": {}, "slower": {}}}}
    applied = apply({"only": ["a"], "baseline": {"seeds": [7]}}, params, Path("preset.yaml"))
    assert applied["baseline"] == {"seeds": [7], "epochs": 9}
    assert applied["variants"] == {"a": {"lr": 3}}
    assert applied["compare"]["hypotheses"] == contrasts[:1]
    assert apply({"rungs": ["slower"]}, params, Path("preset.yaml"))["ladder"]["rungs"] == {"slower": {}}
    assert apply({"more": 2}, params, Path("preset.yaml")) == {**params, "more": 2}


@pytest.mark.parametrize(
    ("preset", "fault"),
    [
        ("only: [minimax, cewll]", "only: cewll is unknown: did you mean cewl?"),
        ("rungs: [printd]", "rungs: printd is unknown: did you mean printed?"),
        ("variants: {cewll: {}}", "variants: cewll is unknown: did you mean cewl?"),
        ("variants: {cewl: {objectiv: hinge}}", "variants.cewl.objectiv: unknown key: did you mean objective?"),
        ("baseline: {epoch: 1}", "baseline.epoch: unknown key: did you mean epochs?"),
        ("baseline: {objective: minmax}", "baseline.objective: minmax is unknown: did you mean minimax?"),
        ("simulat: {studies: 1}", "simulat: unknown key: did you mean simulate?"),
        ("compare: {reference: cewll}", "compare.reference: cewll is unknown: did you mean cewl?"),
        ("mechanism: {variant: cewll}", "mechanism.variant: cewll is unknown: did you mean cewl?"),
        ("baseline: {epochs: 1, epochs: 2}", "found duplicate key"),
        ("[1]", "a preset is a mapping"),
        ("", "a preset is a mapping"),
    ],
)
def test_a_presets_fault_is_named_with_its_key_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, preset: str, fault: str
) -> None:
    path = tmp_path / "preset.yaml"
    path.write_text(preset)
    monkeypatch.chdir(ROOT)
    with pytest.raises(StudyError) as caught:
        prepare(path, tmp_path / "copy", TESTS / "params.yaml")
    assert str(caught.value).startswith(str(path))
    assert fault in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "copy").exists()


@pytest.mark.parametrize("preset", sorted((ROOT / "presets").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_preset_makes_a_valid_study(preset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run: list[Path] = []
    monkeypatch.setattr(presets, "reproduce", lambda folder: run.append(folder))
    monkeypatch.chdir(ROOT)
    folder = tmp_path / "copy"
    run_preset(preset, folder)
    assert run == [folder]
    study, published = load_study(folder / "params.yaml"), load_study(ROOT / "params.yaml")
    assert list(study.variants) == read_yaml(preset)["only"]
    assert study.rehearsal
    assert not published.rehearsal
    assert study.tracking.experiment != published.tracking.experiment
    if preset.stem == "pilot":
        assert all(not set(study.baseline.seeds) & set(variant.seeds) for variant in published.variants.values())
    assert Path(study.data.mirrors["mnist"][0]).is_absolute()
    assert (folder / "gan/training/population.py").read_bytes() == (ROOT / "gan/training/population.py").read_bytes()
    assert not any((folder / name).exists() for name in ("dvc.lock", "models", ".venv", ".git"))
    assert {path.name for path in (folder / "reports").iterdir()} == {"benchmark.json", "history-of-studies"}


def test_no_preset_can_pass_for_the_study(raw_params: dict[str, Any], write_params: Any, tmp_path: Path) -> None:
    (tmp_path / "preset.yaml").write_text("rehearsal: false", encoding="utf-8")
    params = write_params(raw_params)
    assert not is_rehearsal(tmp_path / "reports")
    with chdir(ROOT):
        prepare(tmp_path / "preset.yaml", tmp_path / "copy", params)
    assert is_rehearsal(tmp_path / "copy/reports")
    assert not is_rehearsal(tmp_path / "nowhere/reports")


@pytest.mark.parametrize("data", ["digits", "mnist"])
def test_make_quick_asks_the_question_in_small(data: str) -> None:
    """Minimax and the non-saturating loss on the printed recipe, and with the change of it that wakes minimax."""
    preset = ROOT / f"presets/quick-{data}.yaml"
    study = validate(apply(read_yaml(preset), read_yaml(ROOT / "params.yaml"), preset), preset, ROOT)
    assert {"minimax", "non_saturating", "cewl"} <= set(study.variants)
    assert {"printed", "beta1 0.5"} <= set(study.ladder.rungs)
    assert study.data_sets == (data,)
    assert study.baseline.generator_optimizer.betas == (0.9, 0.999)
    assert [each.id for each in study.compare.hypotheses] == ["H1", "H2"]


def test_mirrors_are_the_same_folders_for_the_copy(
    raw_params: dict[str, Any], write_params: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The copy has output folders of its own, and may lie in one of the checkout's."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    places = ["mirror", "../a#b", "~/mnist", "a:b", "HTTP://host/x?y=http://z", "~nobody-has-this-name"]
    raw_params["data"]["mirrors"]["mnist"] = [f" {place}\n" for place in places]
    params, copy = write_params(raw_params), tmp_path / ".scratch/copy"
    (tmp_path / "preset.yaml").write_text("simulate: {studies: 1}", encoding="utf-8")
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").touch()
    monkeypatch.setattr(presets, "CODE", ())
    monkeypatch.setattr(presets, "FILES", (".dvc/config",))
    monkeypatch.chdir(tmp_path)
    prepare(Path("preset.yaml"), copy, params)
    assert load_study(copy / "params.yaml").data.mirrors["mnist"] == (
        *(str(tmp_path / "mirror"), str(tmp_path.parent / "a#b"), str(tmp_path / "home/mnist"), str(tmp_path / "a:b")),
        *places[-2:],
    )
    (tmp_path / "presets").mkdir()
    (tmp_path / "presets/preset.yaml").write_text(
        f"data: {{mirrors: {{mnist: [{tmp_path / 'data/raw'}]}}}}", encoding="utf-8"
    )
    with pytest.raises(StudyError, match=r"^presets/preset\.yaml: data\.mirrors\.mnist\.0: must not lie in data/"):
        prepare(Path("presets/preset.yaml"), copy, params)
