"""Search the space of recipes under one objective: to its tables in reports/search/ and reports/finals/.

Every configuration is trained once. The best are trained again on fresh seeds, and the one that is best there on
others.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

from gan import errors
from gan.audit.recipes import check_study
from gan.compute import guards
from gan.compute.executors import local_executor
from gan.compute.trainer import code_checksum
from gan.compute.trials import TrainedTrial, provenance, train_trials
from gan.evaluation.trials import score_trials, scorers
from gan.files import room_checksum, write, write_json
from gan.robustness.search import best_configuration, chosen_configurations
from gan.study.designs import Trial, search_trial, search_trials
from gan.study.loading import load_study
from gan.study.schema import Study


def main(objective: str) -> None:
    with guards.unchanged(_rules), guards.alone("train"):
        study = load_study()
        check_study(study)
        _search(study, objective, Path("reports"))


def _rules() -> object:
    study = load_study()
    search = study.search.model_dump(exclude={"objectives"})
    code = (code_checksum(), room_checksum("evaluation", "networks"))
    return search, study.baseline, study.evaluate, study.compare.learnt, study.train, code


def _search(study: Study, objective: str, reports: Path) -> None:
    search, baseline = study.search, study.baseline
    run = _runner(study, objective)
    trained, table = run("search", search_trials(search, baseline, objective))

    def again(configurations: Sequence[int], seeds: Sequence[int]) -> list[Trial]:
        return [
            search_trial(search, baseline, objective, configuration, seed, search.final_epochs)
            for configuration in configurations
            for seed in seeds
        ]

    chosen = chosen_configurations(table, study.compare.learnt, search.chosen)
    more, second = run("chosen", again(chosen, search.chosen_seeds))
    best = best_configuration(second, study.compare.learnt)
    last, third = run("final", again([best], search.final_seeds))
    finals = pd.concat([second.assign(role="chosen"), third.assign(role="final")])
    write(reports / f"search/{objective}.csv", table.to_csv(index=False))
    write(reports / f"finals/{objective}.csv", finals.to_csv(index=False))
    write_json(reports / f"trials/search-{objective}.json", provenance([*trained, *more, *last]))


def _runner(study: Study, objective: str) -> Callable[[str, Sequence[Trial]], tuple[list[TrainedTrial], pd.DataFrame]]:
    """What trains trials and scores them; the scorer is made once."""
    executor = local_executor(study.compute, most_gpus=1)
    scorer = scorers([study.baseline.data], study, executor.device)

    def run(phase: str, trials: Sequence[Trial]) -> tuple[list[TrainedTrial], pd.DataFrame]:
        title = f"{phase} {objective}"
        trained = train_trials(f"train {title}", trials, study)
        return trained, score_trials(f"score {title}", trained, scorer, executor)

    return run


if __name__ == "__main__":
    errors.run(main)
