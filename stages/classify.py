"""Train each data set's frozen classifiers: data/ to models/<data set>/; models/classifiers.json has their checksums.

Those that the same code has trained on the same images with the same settings stay. Each variant's entry has those that
score it, so that a hypothesis may come or go without other variants being scored again.
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
    variants = {
        name: dict([*checksums.items()][: None if name in study.compare.declared else 1])
        for name, checksums in study.by_variant(sets).items()
    }
    write_json(folder / "classifiers.json", {"sets": sets, "variants": variants})


def _classify(study: Study, name: DataSet, data: Path, folder: Path) -> None:
    least, recorded = study.classify.least_accuracy[name], read_json(data / "data.json")
    # The others are to confirm the first one's verdict on hypotheses, so where there is none it is trained alone.
    confirmed = any(study.variants[variant].data == name for variant in study.compare.declared)
    settings = study.classify.model_copy(update={} if confirmed else {"seeds": study.classify.seeds[:1]})
    made_from: dict[str, Any] = {
        "parameters": settings.model_dump(mode="json", exclude={"least_accuracy"}),
        "data": {key: value for key, value in recorded.items() if key != "code"},
        "code": room_checksum("evaluation"),
    }
    if are_saved(folder, made_from):
        check_accuracies(read_json(folder / "classifiers.json", "accuracy"), least, name)
        return
    images, labels = load(data, "train")
    models = train_classifiers(scale(images), labels, settings, process_executor(study.compute))
    images, labels = load(data, "test")
    check_weights(models, name)
    accuracies = {seed: accuracy(model, scale(images), labels) for seed, model in models.items()}
    check_accuracies(accuracies, least, name)
    save_classifiers(models, folder, {"accuracy": accuracies, **made_from})


if __name__ == "__main__":
    errors.run(main)
