"""The classifier learns, is saved with its checksum and is the same after a second training."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from gan.compute.executors import ProcessExecutor
from gan.data.download import download
from gan.evaluation.classifier import (
    ClassifierError,
    Pool,
    accuracy,
    classify,
    load_classifiers,
    save_classifiers,
    train_classifier,
    train_classifiers,
)
from gan.images import load, scale
from gan.study.schema import Classify

SETTINGS = Classify(seeds=(0, 1), epochs=4, batch_size=64, lr=0.003, shift=1, least_accuracy={"digits": 0.5})


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    download("digits", (), 1.0, folder)
    return folder


def test_it_reads_real_digits_and_survives_the_disk(digits: Path, tmp_path: Path) -> None:
    images, labels = load(digits, "train")
    model = train_classifier(scale(images), labels, SETTINGS, 0)
    test_images, test_labels = load(digits, "test")
    features, predictions = classify(model, scale(test_images))
    assert features.shape == (500, 64)
    assert accuracy(model, scale(test_images), test_labels) > 0.9
    save_classifiers({0: model}, tmp_path, {"accuracy": 0.5})
    (loaded,) = load_classifiers(tmp_path)
    again, predictions_again = classify(loaded, scale(test_images))
    assert torch.equal(features, again)
    assert torch.equal(predictions, predictions_again)
    assert not any(parameter.requires_grad for parameter in loaded.parameters())


def test_training_again_gives_the_same_bits(digits: Path) -> None:
    images, labels = load(digits, "train")
    settings = SETTINGS.model_copy(update={"epochs": 1})
    first, second = (train_classifier(scale(images), labels, settings, 0).state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_each_seed_is_a_classifier_of_its_own(digits: Path) -> None:
    """In any number of workers, in the order of the seeds."""
    images, labels = load(digits, "train")
    settings = SETTINGS.model_copy(update={"epochs": 1, "seeds": (5, 2)})
    scaled = scale(images[:64])
    models = train_classifiers(scaled, labels[:64], settings, ProcessExecutor(2))
    assert list(models) == [5, 2]
    for seed, model in models.items():
        alone = train_classifier(scaled, labels[:64], settings, seed).state_dict()
        assert all(torch.equal(part, alone[name]) for name, part in model.state_dict().items())
    assert not torch.equal(models[5].digits.weight, models[2].digits.weight)


def test_pooling_without_training_gives_the_same_bits() -> None:
    images = torch.randn(5, 3, 14, 28, generator=torch.Generator().manual_seed(0)).round(decimals=1)
    for layout in (images, images.contiguous(memory_format=torch.channels_last)):
        pooled = Pool().eval()(layout)
        assert torch.equal(pooled, F.max_pool2d(images, 2))
        assert pooled.is_contiguous(memory_format=torch.channels_last) == (layout is not images)


def test_one_of_equal_pixels_has_the_gradient() -> None:
    """In training, as in every classifier so far: an image's background is nothing but equal pixels."""
    images = torch.zeros(1, 1, 4, 4, requires_grad=True)
    Pool()(images).sum().backward()
    assert images.grad is not None
    assert images.grad.flatten().sort().values.tolist() == [0.0] * 12 + [1.0] * 4


@pytest.mark.parametrize("place", [0, 1])
def test_a_flipped_bit_is_noticed(digits: Path, tmp_path: Path, place: int) -> None:
    images, labels = load(digits, "train")
    settings = SETTINGS.model_copy(update={"epochs": 1})
    models = {seed: train_classifier(scale(images[:64]), labels[:64], settings, seed) for seed in (0, 1)}
    save_classifiers(models, tmp_path, {})
    path = tmp_path / f"classifier-{place}.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ClassifierError, match=f"{path.name} is damaged"):
        load_classifiers(tmp_path)
