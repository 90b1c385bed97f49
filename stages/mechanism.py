"""Measure what goes on in training: runs/<variant>/ and data/ to reports/mechanism.json."""

from pathlib import Path

from gan import errors
from gan.claims.mechanism import measure
from gan.compute.executors import local_executor
from gan.files import write_json
from gan.images import load
from gan.study.loading import load_study


def main() -> None:
    study = load_study()
    settings = study.mechanism
    recipe, folder = study.variant(settings.variant), Path("runs") / settings.variant
    images, _ = load(Path("data") / recipe.data, "train")
    executor = local_executor(study.compute, most_gpus=1)
    write_json(Path("reports/mechanism.json"), measure(recipe, settings, folder, images, executor))


if __name__ == "__main__":
    errors.run(main)
