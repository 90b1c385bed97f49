"""Train the frozen digit classifier: data/ to models/."""

from pathlib import Path

from gan import errors
from gan.classifier import classify, save_classifier, train_classifier
from gan.data import load
from gan.files import read_json
from gan.pixels import scale
from gan.study import load_study


def main() -> None:
    settings = load_study().classify
    data = Path("data")
    images, labels = load(data, "train")
    model = train_classifier(scale(images), labels, settings)
    images, labels = load(data, "test")
    _, predictions = classify(model, scale(images))
    record = {
        "accuracy": (predictions == labels).double().mean().item(),
        "parameters": settings.model_dump(mode="json"),
        "data": read_json(data / "data.json"),
    }
    save_classifier(model, Path("models"), record)


if __name__ == "__main__":
    errors.run(main)
