"""Try the decision on simulated studies whose truth is known: params.yaml to reports/calibration.json."""

from pathlib import Path

from gan import errors
from gan.calibration import calibrate
from gan.files import write_json
from gan.study import load_study
from gan.workers import cores


def main() -> None:
    study = load_study()
    write_json(Path("reports/calibration.json"), calibrate(study, cores(study.compute)))


if __name__ == "__main__":
    errors.run(main)
