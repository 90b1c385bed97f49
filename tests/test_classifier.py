"""The classifier learns, is kept with its checksum and is the same after a second training."""

from pathlib import Path

import pytest
import torch

from gan import data
from gan.classifier import ClassifierError, classify, load_classifier, save_classifier, train_classifier
from gan.pixels import scale
from gan.study import Classify, Data

SETTINGS = Classify(seed=0, epochs=4, batch_size=64, lr=0.003, shift=1)


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    data.download(Data(name="digits", timeout_seconds=1.0, mirrors={}), folder)
    return folder


def test_it_reads_real_digits_and_survives_the_disk(digits: Path, tmp_path: Path) -> None:
    images, labels = data.load(digits, "train")
    model = train_classifier(scale(images), labels, SETTINGS)
    test_images, test_labels = data.load(digits, "test")
    features, predictions = classify(model, scale(test_images))
    assert features.shape == (500, 64)
    assert (predictions == test_labels).double().mean() > 0.9
    save_classifier(model, tmp_path, {"accuracy": 0.5})
    again, predictions_again = classify(load_classifier(tmp_path), scale(test_images))
    assert torch.equal(features, again)
    assert torch.equal(predictions, predictions_again)
    assert not any(parameter.requires_grad for parameter in load_classifier(tmp_path).parameters())


def test_training_again_gives_the_same_bits(digits: Path) -> None:
    images, labels = data.load(digits, "train")
    settings = SETTINGS.model_copy(update={"epochs": 1})
    first, second = (train_classifier(scale(images), labels, settings).state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_flipped_bit_is_noticed(digits: Path, tmp_path: Path) -> None:
    images, labels = data.load(digits, "train")
    settings = SETTINGS.model_copy(update={"epochs": 1})
    save_classifier(train_classifier(scale(images[:64]), labels[:64], settings), tmp_path, {})
    path = tmp_path / "classifier.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ClassifierError, match="is damaged"):
        load_classifier(tmp_path)
