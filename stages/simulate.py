"""Try the decision on simulated studies whose truth is known: params.yaml to reports/simulation.json."""

from dataclasses import replace
from pathlib import Path

from gan import errors
from gan.compute.executors import process_executor
from gan.files import write_json
from gan.robustness.search_simulation import search_simulation
from gan.stats.simulation import simulation_study
from gan.study.loading import load_study


def main() -> None:
    study = load_study()
    executor = process_executor(study.compute)
    simulation = simulation_study(study, executor)
    scenarios = [*simulation.scenarios, *search_simulation(study, executor)]
    write_json(Path("reports/simulation.json"), replace(simulation, scenarios=scenarios))


if __name__ == "__main__":
    errors.run(main)
