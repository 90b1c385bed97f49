"""Measure what Adam remembers of a gradient that has vanished: data/ to reports/memory.json."""

from pathlib import Path

from gan import errors
from gan.compute.executors import process_executor
from gan.files import write_json
from gan.images import load
from gan.mechanism.memory import measure
from gan.study.loading import load_study


def main() -> None:
    study = load_study()
    images, _ = load(Path("data") / study.baseline.data, "train")
    executor, confidence = process_executor(study.compute), 1 - study.compare.alpha
    measured = measure(study.baseline, study.memory, study.train.quantiles, confidence, images, executor)
    write_json(Path("reports/memory.json"), measured)


if __name__ == "__main__":
    errors.run(main)
