"""Try the decision on simulated studies whose truth is known: params.yaml to reports/calibration.json."""

from pathlib import Path

from gan import errors
from gan.compute.executors import cores
from gan.files import write_json
from gan.stats.simulation import calibrate
from gan.study.loading import load_study


def main() -> None:
    study = load_study()
    write_json(Path("reports/calibration.json"), calibrate(study, cores(study.compute)))


if __name__ == "__main__":
    errors.run(main)
