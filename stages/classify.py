"""Train the frozen digit classifiers: data/ to models/."""

from pathlib import Path

from gan import errors
from gan.compute.executors import local_executor
from gan.evaluation.classifier import accuracy, save_classifiers, train_classifiers
from gan.evaluation.instrument import check_classifiers
from gan.files import read_json
from gan.images import load, scale
from gan.study.loading import load_study


def main() -> None:
    study, data = load_study(), Path("data")
    images, labels = load(data, "train")
    models = train_classifiers(scale(images), labels, study.classify, local_executor(study.compute))
    images, labels = load(data, "test")
    accuracies = {seed: accuracy(model, scale(images), labels) for seed, model in models.items()}
    check_classifiers(models, accuracies, study.classify.least_accuracy[study.data.name])
    record = {
        "accuracy": accuracies,
        "parameters": study.classify.model_dump(mode="json", exclude={"least_accuracy"}),
        "data": read_json(data / "data.json"),
    }
    save_classifiers(models, Path("models"), record)


if __name__ == "__main__":
    errors.run(main)
