"""Objectives, terms and networks from a user's own files: named in params.yaml, registered everywhere, keyed apart."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import ROOT
from ruamel.yaml import YAML

from gan.audit.gradients import PLAYERS
from gan.audit.recipes import check_study
from gan.audit.record import audit, faults
from gan.compute import executors, store
from gan.compute.trainer import TrainingImages, run_key, train_runs
from gan.data import download as dataset
from gan.errors import StudyError
from gan.files import write
from gan.images import load as load_images
from gan.networks import registry
from gan.own import registration
from gan.study import preregistration
from gan.study.loading import load_study
from gan.study.schema import Study
from gan.training import loop
from gan.training.losses import OBJECTIVES
from gan.training.population import RunSpec
from gan.training.terms import TERMS
from stages import download

Load = Callable[..., Study]

# The package's own minimax, R1 and perceptrons under other names.
COPIES = """
from gan.networks import perceptrons
from gan.own import Networks, Objective, Term
from gan.training import loop
from gan.training.losses import OBJECTIVES
from gan.training.terms import TERMS

again = OBJECTIVES["minimax"]
steep = TERMS["r1"]
plain = Networks(perceptrons.generator, perceptrons.discriminator)
number = 3
"""
MINE = {"objective": "copies.py:again", "terms": {"copies.py:steep": 0.5}, "networks": "copies.py:plain"}
THEIRS = {"objective": "minimax", "terms": {"r1": 0.5}}


@pytest.fixture(autouse=True)
def _registries_as_they_were(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(registration, "_registered", {})
    monkeypatch.setattr(registration, "_modules", {})
    before = [dict(each) for each in (OBJECTIVES, TERMS, registry.NETWORKS)]
    yield
    for each, entries in zip((OBJECTIVES, TERMS, registry.NETWORKS), before, strict=True):
        each.clear()
        each.update(entries)


@pytest.fixture
def load(raw_params: dict[str, Any], write_params: Callable[[dict[str, Any]], Path], tmp_path: Path) -> Load:
    """The tests' study with the variants `mine`, which takes all from own/copies.py, and `theirs`, which takes none."""

    def load(text: str = COPIES, mine: dict[str, Any] = MINE) -> Study:
        (tmp_path / "own").mkdir(exist_ok=True)
        (tmp_path / "own/copies.py").write_text(text)
        raw_params["variants"] |= {"mine": mine, "theirs": THEIRS}
        return load_study(write_params(raw_params))

    return load


@pytest.mark.parametrize(
    ("mine", "message"),
    [
        ({"objective": "xyz.py:again"}, "variants.mine.objective: own/xyz.py is missing, not 'xyz.py:again'"),
        ({"objective": "copis.py:again"}, "variants.mine.objective: own/copis.py is missing: did you mean copies.py?"),
        (
            {"networks": "copies.py"},
            "variants.mine.networks: must be my_file.py:name, for what the file own/my_file.py",
        ),
        ({"terms": {"../copies.py:steep": 1.0}}, "variants.mine.terms.../copies.py:steep: must be my_file.py:name"),
        ({"objective": "copies.py:agin"}, "variants.mine: own/copies.py: agin is unknown: did you mean again?"),
        (
            {"objective": "copies.py:number"},
            "variants.mine: own/copies.py: number is a int; objective needs a gan.own.O",
        ),
        (
            {"terms": {"copies.py:again": 1.0}},
            "variants.mine: own/copies.py: again is a Objective; terms needs a gan.o",
        ),
    ],
)
def test_what_is_not_there_is_one_line(load: Load, mine: dict[str, Any], message: str) -> None:
    with pytest.raises(StudyError) as caught:
        check_study(load(mine=mine))
    assert str(caught.value).partition("params.yaml: ")[2].startswith(message)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1\n1 / 0\n", "own/copies.py, line 2: ZeroDivisionError: division by zero"),
        ("def again(:\n", "own/copies.py, line 1: SyntaxError: "),
        ("import nowhere_at_all\n", "own/copies.py, line 1: ModuleNotFoundError: No module named 'nowhere_at_all'"),
        ("raise SystemExit(3)\n", "own/copies.py, line 1: SystemExit: 3"),
        ("", "own/copies.py: again is unknown; the file defines no Objective"),
    ],
)
def test_a_file_that_cannot_be_run_is_one_line(load: Load, text: str, message: str) -> None:
    with pytest.raises(StudyError) as caught:
        check_study(load(text, {"objective": "copies.py:again"}))
    assert str(caught.value).startswith(f"params.yaml: variants.mine: {message}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("generator", "message"),
    [
        ("lambda fake: fake.mean()", "the generator's loss has the shape [], not one number for each of 2 runs"),
        ("lambda fake: fake.mean(0)", "the generator's loss has the shape [3]"),
        ("lambda fake: fake.detach().mean(-1)", "the generator's loss has no gradient"),
        ("lambda fake: 0 * fake.mean(-1)", "the generator's loss has no gradient"),
        ("lambda fake: (fake - fake).sqrt().mean(-1)", "the generator's loss has a gradient that is not finite"),
        ("lambda fake: (0 * fake).log().mean(-1)", "the generator's loss is not finite"),
        ("lambda fake: fake.mean(-1) - fake.mean()", "the generator's loss of a run depends on another run"),
        ("lambda fake: 3.0", "the generator's loss is a float, no tensor"),
        ("lambda fake, real: fake.mean(-1)", "raises TypeError: "),
    ],
)
def test_an_unsound_objective_is_one_line(load: Load, generator: str, message: str) -> None:
    text = f"{COPIES}\nfrom dataclasses import replace\nagain = replace(again, generator={generator})\n"
    with pytest.raises(StudyError) as caught:
        check_study(load(text))
    assert str(caught.value).startswith(f"params.yaml: variants.mine: own/copies.py, again: {message}")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ("steep = Term(lambda inputs: inputs.real.mean((1, 2)), 'discriminator')", "steep: the loss has no gradient"),
        ("steep = Term(lambda inputs: inputs.fake.mean(1), 'generator')", "steep: the loss has the shape [2, 784]"),
        ("steep = Term(lambda inputs: inputs.noise.mean(1), 'generator')", "steep: raises AttributeError: "),
        ("plain = Networks(perceptrons.discriminator, perceptrons.discriminator)", "plain: raises TypeError: "),
        (
            "plain = Networks(perceptrons.generator, lambda *settings: perceptrons.generator(784, (3,), 1))",
            "plain: the encoder makes 1 numbers of 784, not 16 of 784",
        ),
        (
            "plain = Networks(lambda *settings: 3, perceptrons.discriminator)",
            "plain: the generator is a int, no gan.own",
        ),
        (
            "plain = Networks(lambda a, b, c: perceptrons.discriminator(a, b, c, 0.2), perceptrons.discriminator)",
            "plain: the generator's pixels are not within -1 and 1",
        ),
    ],
)
def test_an_unsound_term_or_network_is_one_line(load: Load, changed: str, message: str) -> None:
    text = COPIES + changed.replace("0.2), ", "9.0), ")
    encoding = {**MINE, "terms": {**MINE["terms"], "evidence_bound": 1.0}, "encoder_hidden": [4]}
    with pytest.raises(StudyError) as caught:
        check_study(load(text, encoding))
    assert str(caught.value).startswith(f"params.yaml: variants.mine: own/copies.py, {message}")


@pytest.mark.parametrize(
    ("section", "change"),
    [
        ("baseline", {"objective": "copies.py:again"}),
        ("ladder", {"rungs": {"mine": {"networks": "copies.py:plain"}}}),
        ("search", {"objectives": ["minimax", "copies.py:again"]}),
        ("mechanism", {"variant": "mine", "epochs": [2]}),
    ],
)
def test_only_a_variant_may_name_a_file(
    load: Load, raw_params: dict[str, Any], section: str, change: dict[str, Any]
) -> None:
    """What else could train it would not see an edit."""
    raw_params[section] |= change
    with pytest.raises(StudyError, match="a variant alone"):
        load()


def test_an_edit_of_the_file_is_a_new_run_of_its_variants_alone(load: Load) -> None:
    def keys(study: Study) -> dict[str, str]:
        return {name: run_key(variant, 0, (0.5,), "data") for name, variant in study.variants.items()}

    study, edited = load(), load(COPIES + "# edited\n")
    first, second = keys(study), keys(edited)
    assert {name for name in first if first[name] != second[name]} == {"mine"}
    assert study.variants["mine"] != edited.variants["mine"]  # by which a stage sees an edit while it runs
    assert study.variants["mine"] == load().variants["mine"]
    assert study.variants["theirs"].identity() == study.variants["theirs"].model_dump(mode="json")


def test_the_preregistration_covers_the_files_of_the_variants_that_it_names(load: Load, raw_params: Any) -> None:
    before = preregistration.checksum(load())
    assert preregistration.checksum(load(COPIES + "# edited\n")) == before
    raw_params["compare"]["hypotheses"][0] |= {"variant": "mine"}
    named = preregistration.checksum(load())
    assert preregistration.checksum(load(COPIES + "# edited\n")) != named


def test_worker_processes_train_it_to_the_same_bits(load: Load, images: torch.Tensor, tmp_path: Path) -> None:
    """The package's own losses under another name are the same losses, in processes that never saw the file."""
    study = load()
    (tmp_path / "own/copies.py").unlink()
    specs = [RunSpec(study.variants[name], 0) for name in ("mine", "theirs")]
    sets = {"mnist": TrainingImages(images, "data")}
    (kept,) = train_runs("test", specs[:1], sets, (0.5,), study.compute, tmp_path / "store", "declared").kept.values()
    (expected,) = loop.train(specs[1:], images, (0.5,), "cpu", lambda runs: None)
    weights = store.kept_generator(kept, 2)
    assert weights.keys() == expected.generators[2].keys()
    assert all((weights[name] == expected.generators[2][name]).all() for name in weights)


def test_an_edited_file_takes_the_place_of_the_earlier_one(load: Load) -> None:
    check_study(load())
    assert OBJECTIVES["copies.py:again"] is OBJECTIVES["minimax"]
    study = load(COPIES.replace("minimax", "hinge"), {"objective": "copies.py:again"})
    check_study(study)
    assert OBJECTIVES["copies.py:again"] is OBJECTIVES["hinge"]
    OBJECTIVES.pop("copies.py:again")
    handed_on, registration._registered = registration.registered(), {}
    executors.register_again(handed_on)
    assert OBJECTIVES["copies.py:again"] is OBJECTIVES["hinge"]


def test_the_audit_says_what_it_can(load: Load) -> None:
    def audited(study: Study) -> dict[str, Any]:
        return audit(
            study.model_copy(update={"variants": {name: study.variants[name] for name in ("minimax", "mine")}})
        )

    record = audited(load(mine={"objective": "copies.py:again"}))
    (entry,) = [each for each in record["equations"] if each["objective"] == "copies.py:again"]
    assert (entry["holds"], entry["generator"], entry["discriminator"]) == (None, None, None)
    assert record["variants"]["mine"]["adversarial_losses"] == "copies.py:again"
    assert [(pair["first"], pair["second"], pair["kind"]) for pair in record["pairs"]] == [("minimax", "mine", "same")]
    assert {curve["player"] for curve in record["curves"] if "copies.py:again" in curve["losses"]} == set(PLAYERS)
    assert faults(record) == []
    broken = COPIES + "steep = Term(lambda inputs: 1 / 0, 'discriminator')\n"
    assert faults(audited(load(broken))) == [
        "copies.py:steep: raises ZeroDivisionError: division by zero on small images"
    ]


def test_the_index_of_the_images_has_the_files_of_each_variant(
    load: Load, raw_params: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stages of a variant depend on its entry: an edit changes that of no other variant."""
    raw_params["baseline"]["data"] = "digits"
    monkeypatch.chdir(tmp_path)

    def index(text: str) -> dict[str, Any]:
        study = load(text)
        download.main()
        written = json.loads((tmp_path / "data/data.json").read_text())["variants"]
        assert written["mine"].pop("files") == study.variants["mine"].file_checksums
        return {**written, "mine": study.variants["mine"].file_checksums["copies.py"]}

    first, second = index(COPIES), index(COPIES + "# edited\n")
    assert {name for name in first if first[name] != second[name]} == {"mine"}
    assert first["theirs"].keys() == {"train", "test"}


def test_the_example_of_the_manual_can_be_trained(
    raw_params: dict[str, Any], write_params: Callable[[dict[str, Any]], Path], tmp_path: Path
) -> None:
    """Its file and its variants as they stand there, on scikit-learn's digits."""
    page = (ROOT / "docs/own-losses.md").read_text()
    (file,), (variants,) = (re.findall(rf"```{kind}\n(.*?)```", page, re.DOTALL) for kind in ("python", "yaml"))
    write(tmp_path / "own/my_losses.py", file)
    added = YAML(typ="safe", pure=True).load(variants)
    for recipe in added.values():
        recipe |= {"data": "digits", "epochs": 1}
    raw_params["variants"] |= added
    study = load_study(write_params(raw_params))
    check_study(study)
    dataset.download("digits", (), 1.0, tmp_path / "digits")
    images, _ = load_images(tmp_path / "digits", "train")
    for name in added:
        (run,) = loop.train([RunSpec(study.variants[name], 500)], images, (0.5,), "cpu", lambda runs: None)
        assert run.status == "finished"
    assert registry.generator(study.variants["sparse"]).size > registry.generator(study.variants["minimax"]).size
    (misspelt,) = re.findall(r"error: (params.yaml: .* boundry is .*)", page)
    raw_params["variants"]["boundary"]["objective"] = "my_losses.py:boundry"
    with pytest.raises(StudyError, match=f"^{re.escape(misspelt)}$"):
        check_study(load_study(write_params(raw_params)))
