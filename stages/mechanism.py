"""Measure what goes on in training: runs/<variant>/ and data/ to reports/mechanism.json."""

from pathlib import Path

from gan import errors
from gan.compute.executors import local_executor
from gan.files import write_json
from gan.images import load
from gan.mechanism.measuring import measure
from gan.study.loading import load_study


def main() -> None:
    study = load_study()
    name = study.mechanism.variant
    images, _ = load(Path("data") / study.variant(name).data, "train")
    measured = measure(study, Path("runs") / name, images, local_executor(study.compute, most_gpus=1))
    write_json(Path("reports/mechanism.json"), measured)


if __name__ == "__main__":
    errors.run(main)
