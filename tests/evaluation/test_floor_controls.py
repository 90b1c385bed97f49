"""The rule of what has learnt, on images whose state is known: the mean image, noise, one digit, real images."""

from pathlib import Path

import pytest
import torch

from gan.data.download import download
from gan.errors import StudyError
from gan.evaluation.classifier import train_classifier
from gan.evaluation.instrument import check_floor, control_images, state_of
from gan.evaluation.scoring import Scorer
from gan.images import load, scale
from gan.study.schema import Classify, Evaluate, Learnt

RULE = Learnt(coverage=0.01, digits=2, epochs=20)  # 5 of the 500 test images
CLASSIFY = Classify(seeds=(0,), epochs=8, batch_size=64, lr=0.003, shift=1, least_accuracy={"digits": 0.5})
EVALUATE = Evaluate(scores={}, images=500, neighbours=5, digit_share=0.01, grid_seeds=1, grid_columns=1)
Images = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    download("digits", (), 1.0, folder)
    return folder


@pytest.fixture(scope="module")
def scorer(folder: Path) -> Scorer:
    images, labels = load(folder, "train")
    model = train_classifier(scale(images), labels, CLASSIFY, 0)
    return Scorer.of([model], load(folder, "test")[0], EVALUATE, "cpu")


@pytest.fixture(scope="module")
def images(folder: Path, scorer: Scorer) -> Images:
    real, labels = load(folder, "train")
    known = {"real": scale(real[:500]), "one digit": scale(real[labels == 3])}
    known["two digits"] = scale(real[(labels == 3) | (labels == 7)])
    return known | control_images(scorer.images, 500)


@pytest.mark.parametrize(
    ("kind", "state"),
    [
        ("mean_image", "never learnt"),
        ("noise", "never learnt"),
        ("one digit", "mode collapse"),
        ("two digits", "mode collapse"),
        ("real", "learnt"),
    ],
)
def test_images_whose_state_is_known_have_it(scorer: Scorer, images: Images, kind: str, state: str) -> None:
    assert state_of(scorer.score(images[kind]), RULE) == state


def test_controls_are_the_mean_image_and_noise_that_never_changes(scorer: Scorer) -> None:
    first, second = (control_images(scorer.images, 300) for _ in range(2))
    assert {name: each.shape for name, each in first.items()} == dict.fromkeys(("mean_image", "noise"), (300, 28, 28))
    assert torch.equal(first["noise"], second["noise"])
    assert -1 <= first["noise"].min() < -0.99 < 0.99 < first["noise"].max() <= 1
    assert torch.equal(first["mean_image"][7], scorer.images.mean(0))


def test_an_instrument_that_misjudges_what_is_known_is_refused(scorer: Scorer, images: Images) -> None:
    floor = scorer.score(images["real"])
    controls = {kind: scorer.score(images[kind]) for kind in ("mean_image", "noise")}
    check_floor(scorer, floor, controls, RULE, "digits")
    for kind in controls:
        taken_for_real = {**controls, kind: {**controls[kind], "coverage": 0.5, "digits": 10}}
        with pytest.raises(
            StudyError, match=f"floor of digits: {kind.replace('_', ' ')} covers 0.5 .* counts as learnt"
        ):
            check_floor(scorer, floor, taken_for_real, RULE, "digits")
    strict = RULE.model_copy(update={"coverage": 0.999})
    with pytest.raises(StudyError, match=r"floor of digits: training images cover .* counts as never learnt"):
        check_floor(scorer, floor, controls, strict, "digits")
