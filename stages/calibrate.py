"""Try the decision on simulated studies whose truth is known: params.yaml to reports/calibration.json."""

from pathlib import Path

from gan import errors
from gan.calibration import calibrate
from gan.files import write_json
from gan.study import load_study
from gan.workers import Cores, count_cores


def main() -> None:
    write_json(Path("reports/calibration.json"), calibrate(load_study(), Cores(count_cores())))


if __name__ == "__main__":
    errors.run(main)
