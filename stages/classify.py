"""Train each data set's frozen classifiers: data/ to models/<data set>/; their checksums, by variant, to models/.

Those that the same code has trained on the same images with the same settings stay.
"""

from pathlib import Path
from typing import Any

from gan import errors
from gan.compute.executors import process_executor
from gan.evaluation.classifier import accuracy, are_saved, save_classifiers, train_classifiers
from gan.evaluation.instrument import check_accuracies, check_weights
from gan.files import read_json, remove_others, room_checksum, write_json
from gan.images import load, scale
from gan.study.fields import DataSet
from gan.study.loading import load_study
from gan.study.schema import Study


def main() -> None:
    study, folder = load_study(), Path("models")
    for name in study.data_sets:
        _classify(study, name, Path("data") / name, folder / name)
    for unused in study.unused_data_sets:
        for file in ("classifiers.json", "classifier-*.safetensors"):
            remove_others(folder, f"{unused}/{file}", ())
    sets = {name: read_json(folder / name / "classifiers.json", "sha256") for name in study.data_sets}
    write_json(folder / "classifiers.json", {"sets": sets, "variants": study.by_variant(sets)})


def _classify(study: Study, name: DataSet, data: Path, folder: Path) -> None:
    least, recorded = study.classify.least_accuracy[name], read_json(data / "data.json")
    made_from: dict[str, Any] = {
        "parameters": study.classify.model_dump(mode="json", exclude={"least_accuracy"}),
        "data": {key: value for key, value in recorded.items() if key != "code"},
        "code": room_checksum("evaluation"),
    }
    if are_saved(folder, made_from):
        check_accuracies(read_json(folder / "classifiers.json", "accuracy"), least, name)
        return
    images, labels = load(data, "train")
    models = train_classifiers(scale(images), labels, study.classify, process_executor(study.compute))
    images, labels = load(data, "test")
    check_weights(models, name)
    accuracies = {seed: accuracy(model, scale(images), labels) for seed, model in models.items()}
    check_accuracies(accuracies, least, name)
    save_classifiers(models, folder, {"accuracy": accuracies, **made_from})


if __name__ == "__main__":
    errors.run(main)
