"""What scores the generators is itself checked: settings while params.yaml is read, classifiers before any training."""

import copy
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import ROOT

from gan.commands.presets import lay_over
from gan.errors import StudyError
from gan.evaluation.classifier import Classifier, load_classifiers, save_classifiers
from gan.evaluation.instrument import check_accuracies, check_floor, check_weights
from gan.evaluation.scoring import Scorer
from gan.files import read_json
from gan.study.loading import load_study
from gan.study.schema import Study
from stages import classify
from stages.classify import main as classify_stage
from stages.download import main as download_stage
from stages.floor import main as floor_stage

Write = Callable[[dict[str, Any]], Path]
DIGITS = {"baseline": {"data": "digits"}}

SETTINGS: tuple[tuple[dict[str, Any], str], ...] = (
    (
        {**DIGITS, "evaluate": {"images": 600, "neighbours": 550}},
        "evaluate.neighbours: 550 .* 500 test images of digits",
    ),
    (
        {**DIGITS, "evaluate": {"images": 600, "neighbours": 500}},
        "evaluate.neighbours: 500 .* 500 test images of digits",
    ),
    (
        {"evaluate": {"images": 100_000, "neighbours": 10_000}},
        "evaluate.neighbours: 10000 .* 10000 test images of mnist",
    ),
    ({"evaluate": {"images": 100, "neighbours": 100}}, "evaluate: neighbours must be fewer than images, which are 100"),
    ({**DIGITS, "classify": {"batch_size": 1_000_000}}, "classify.batch_size: 1000000 .* 1297 training images"),
    ({"baseline": {"data": "digits", "batch_size": 1_298}}, "batch_size: 1298 .* 1297 training images of digits"),
    ({"classify": {"least_accuracy": {"mnist": 1.0}}}, "classify.least_accuracy.mnist"),
    ({"compare": {"learnt": {"digits": 10}}}, "compare.learnt.digits: 10 must be less than 10"),
    (
        {"evaluate": {"digit_share": 0.4}},
        "compare.learnt.digits: 2 must be less than 2: with evaluate.digit_share 0.4",
    ),
    ({"variants": {"cewl": {"snapshots": []}}}, "variants.cewl.snapshots: .* over epochs 2, that of .* over 1, 2"),
)


def untrained(model: Classifier) -> None:
    """It is as it was made."""


def constant(model: Classifier) -> None:
    """Every unit of the penultimate layer is dead."""
    torch.nn.init.constant_(model.penultimate.bias, -1e6)


def one_digit(model: Classifier) -> None:
    torch.nn.init.zeros_(model.digits.weight)


def not_finite(model: Classifier) -> None:
    model.digits.weight.data[3, 4] = math.nan


def infinite(model: Classifier) -> None:
    model.convolutions[0].weight.data[0] = math.inf


CLASSIFIERS = (
    (
        untrained,
        "seed 1 recognises 0.* of the test images of digits, less than 0.5 .classify.least_accuracy.*classify.epochs",
    ),
    (constant, "seed 1 recognises 0.*, less than 0.5"),
    (one_digit, "seed 1 recognises 0.*, less than 0.5"),
    (not_finite, "seed 1 has weights that are not finite on digits: set classify.epochs higher, or classify.lr"),
    (infinite, "seed 1 has weights that are not finite"),
)
NOTHING_SEEN = (
    ("fid", 0.0),
    ("fid", 1e-12),
    ("fid", math.nan),
    ("fid_classifier_1", 0.0),
    ("fid_classifier_1", math.inf),
)
NO_NEIGHBOURS = ("precision", "recall", "density", "coverage")
FLOORS = (
    *((name, value, f"floor of mnist: {name} of training images is") for name, value in NOTHING_SEEN),
    *((name, 0.0, f"floor of mnist: {name} of training images is 0") for name in NO_NEIGHBOURS),
    ("digits", 2, "floor of mnist: training images cover 0.9 .* and show 2 digits, which counts as mode collapse: set"),
    ("coverage", 0.001, "floor of mnist: training images cover 0.001 .* which counts as never learnt: set"),
)
ALL = len(SETTINGS) + len(CLASSIFIERS) + len(FLOORS)


@pytest.fixture(scope="module")
def published() -> Classifier:
    return load_classifiers(ROOT / "models/mnist")[0]


@pytest.fixture
def scorer(published: Classifier, study: Study, images: torch.Tensor) -> Scorer:
    return Scorer.of([published, published], images, study.evaluate, "cpu")


@pytest.mark.fault(
    "a measuring instrument that measures nothing",
    full=ALL,
    short=ALL,
    note="stops the study before anything is trained, in one line: an untrained or dead classifier, a floor of 0, …",
)
def test_what_measures_nothing_is_refused(
    raw_params: dict[str, Any],
    write_params: Write,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    injection: int,
) -> None:
    if injection < len(SETTINGS):
        changes, told = SETTINGS[injection]
        with pytest.raises(StudyError, match=told) as caught:
            load_study(write_params(lay_over(raw_params, changes)))
    elif (place := injection - len(SETTINGS)) < len(CLASSIFIERS):
        spoil, told = CLASSIFIERS[place]
        spoilt = Classifier() if spoil is untrained else copy.deepcopy(request.getfixturevalue("published"))
        spoil(spoilt.requires_grad_(requires_grad=False))
        models = {0: request.getfixturevalue("published"), 1: spoilt.eval()}
        raw_params = lay_over(raw_params, {**DIGITS, "classify": {"seeds": [0, 1], "least_accuracy": {"digits": 0.5}}})
        write_params(raw_params)
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(classify, "train_classifiers", lambda *arguments: models)
        download_stage()
        with pytest.raises(StudyError, match=told) as caught:
            classify_stage()
        assert not (tmp_path / "models").exists()
    else:
        name, value, told = FLOORS[place - len(CLASSIFIERS)]
        scorer: Scorer = request.getfixturevalue("scorer")
        sound = {"fid": 3.0, "fid_classifier_1": 3.0, **dict.fromkeys(NO_NEIGHBOURS, 0.9), "digits": 10}
        unlearnt = {"mean_image": {"coverage": 0.0001, "digits": 1}}
        learnt = load_study(write_params(raw_params)).compare.learnt
        check_floor(scorer, sound, unlearnt, learnt, "mnist")
        with pytest.raises(StudyError, match=told) as caught:
            check_floor(scorer, {**sound, name: value}, unlearnt, learnt, "mnist")
    assert "\n" not in str(caught.value)


def test_a_dead_classifier_has_no_floor(
    raw_params: dict[str, Any], write_params: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However it came into models/."""
    write_params(lay_over(raw_params, DIGITS))
    monkeypatch.chdir(tmp_path)
    download_stage()
    dead = Classifier().requires_grad_(requires_grad=False)
    constant(dead)
    save_classifiers({0: dead}, tmp_path / "models/digits", {})
    with pytest.raises(StudyError, match="floor of digits: fid of training images is 0: the classifier sees no"):
        floor_stage()
    assert not (tmp_path / "reports/floor.json").exists()


def test_the_published_classifiers_are_sound(published: Classifier) -> None:
    accuracies = read_json(ROOT / "models/mnist/classifiers.json", "accuracy")
    least = load_study(ROOT / "params.yaml").classify.least_accuracy["mnist"]
    check_weights(dict.fromkeys(accuracies, published), "mnist")
    check_accuracies(accuracies, least, "mnist")
    assert 0.5 <= least < min(accuracies.values()) - 0.05
