"""Try the decision on simulated studies whose truth is known: params.yaml to reports/simulation.json."""

from pathlib import Path

from gan import errors
from gan.compute.executors import process_executor
from gan.files import write_json
from gan.stats.simulation import simulation_study
from gan.study.loading import load_study


def main() -> None:
    study = load_study()
    write_json(Path("reports/simulation.json"), simulation_study(study, process_executor(study.compute)))


if __name__ == "__main__":
    errors.run(main)
