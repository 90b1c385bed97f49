"""Train the frozen digit classifiers: data/ to models/."""

from pathlib import Path

from gan import errors
from gan.classifier import accuracy, save_classifiers, train_classifiers
from gan.data import load
from gan.files import read_json
from gan.pixels import scale
from gan.study import load_study
from gan.workers import local_crew


def main() -> None:
    study, data = load_study(), Path("data")
    images, labels = load(data, "train")
    models = train_classifiers(scale(images), labels, study.classify, local_crew(study.compute))
    images, labels = load(data, "test")
    record = {
        "accuracy": {seed: accuracy(model, scale(images), labels) for seed, model in models.items()},
        "parameters": study.classify.model_dump(mode="json"),
        "data": read_json(data / "data.json"),
    }
    save_classifiers(models, Path("models"), record)


if __name__ == "__main__":
    errors.run(main)
